"""The desk, as a notebook sees it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, TypedDict, Unpack, overload

import pandas as pd

from parecer_client import frames, publishing, rows
from parecer_client.choices import Choice
from parecer_client.errors import NotSignedIn
from parecer_client.publishing import Order
from parecer_client.tokens import SignIn, Token
from parecer_client.transport import RENEW, Transport, part
from parecer_client.versions import Version

VARIABLE = "PARECER_TOKEN"
ROWS = 1000


class Details(TypedDict, total=False):
    """What may be said of a version when it is published; see `Client.publish`."""

    title: str
    description: str
    test: tuple[Any, Any] | None
    cv: Any
    card: Mapping[str, str] | None
    schema: Mapping[str, Any] | None
    promote: bool


class Client:
    """A desk, in the name of whoever the token belongs to.

    Every method raises ParecerError when the desk says no, with all that it said, and ValueError for what is wrong
    before anything is sent. `progress=False` shows no bars.
    """

    def __init__(self, url: str, token: str | None = None, *, progress: bool = True) -> None:
        """`token` is an access token; the environment's PARECER_TOKEN if left out."""
        access = token or os.environ.get(VARIABLE)
        if not access:
            raise ValueError(
                f"Give a token (flask token create makes one), set {VARIABLE}, "
                "or sign in with Client.login(url, username, password)."
            )
        self._set(Transport(url, Token(access.strip())), None, progress)

    @classmethod
    def login(
        cls, url: str, username: str, password: str, otp: str | None = None, *, progress: bool = True
    ) -> Self:
        """Sign in by password, and by the code `otp` where the account has a second factor.

        The password is not kept; the tokens it gives are renewed by themselves while the client is used.
        """
        anybody = Transport(url)
        body = {"username": username, "password": password} | ({"otp": otp} if otp else {})
        grant = anybody.post("/login", body)

        def refresh(renewal: str) -> dict[str, Any]:
            try:
                fresh: dict[str, Any] = anybody.post("/refresh", {"refresh_token": renewal})
            except NotSignedIn as error:
                error.message = f"The sign-in has ended. {RENEW}"
                raise
            return fresh

        made = cls.__new__(cls)
        made._set(Transport(url, SignIn(grant, refresh)), username, progress)
        return made

    def _set(self, transport: Transport, who: str | None, progress: bool) -> None:
        self._transport, self._who, self._progress = transport, who, progress

    def __repr__(self) -> str:
        return f"<Client of {self._transport.url}{f' as {self._who}' if self._who else ''}>"

    def logout(self) -> None:
        """End the sign-in, or the token: it is dead everywhere from now on."""
        self._transport.send("POST", "/logout")

    @overload
    def publish(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        name: str,
        engine: Literal["ask"],
        **details: Unpack[Details],
    ) -> Choice: ...
    @overload
    def publish(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        name: str,
        engine: str = "auto",
        **details: Unpack[Details],
    ) -> Version: ...
    def publish(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        name: str,
        title: str = "",
        description: str = "",
        test: tuple[Any, Any] | None = None,
        cv: Any = 5,
        card: Mapping[str, str] | None = None,
        schema: Mapping[str, Any] | None = None,
        promote: bool = False,
        engine: str = "auto",
    ) -> Version | Choice:
        """Publish a fitted estimator, or a file, as the next version of `name`.

        A file is the path of one that ends in .onnx or .skops, or the bytes of an ONNX file.

        `X` and `y` are what it learned from: the schema of the form and its ranges come from them. `test` is a pair
        (X, y) that it has not seen, for the scores. Without it the desk scores on X and y, which flatters, and says
        so; clones of the estimator are then cross-validated here, whichever engine is to answer, and the result put on
        the card. `cv` is the number of folds, a splitter of scikit-learn, or 0 for none.

        `card` has intended_use, not_intended_use, training_data, training_code, caveats and bias_and_ethics, each a
        text; `schema` corrects what is inferred: {"features": {name: {"label", "unit", "minimum", …}}, "output": {…}}.

        The first version of a model is live at once; a later one with `promote`, unless a second person has to
        approve. Raises PublicationRefused with all reasons, and ValueError for what is not fitted or cannot be sent.

        `engine` is what computes the answers: "auto", the fastest that answers exactly alike, or one by name. With
        "ask" nothing is published yet: a Choice comes back, which shows all of them side by side in `engines` and
        publishes with `choose("…")`.
        """
        order = Order(name, title, description, card or {}, schema or {}, promote, engine)
        made = publishing.publish(
            self._transport, estimator, X, y, order, test=test, cv=cv, shown=self._progress
        )
        print(f"Published {made}" if isinstance(made, Version) else made)  # noqa: T201 — what the notebook's reader waits for
        return made

    def predict(
        self,
        name: str,
        row: Mapping[str, Any] | pd.Series[Any],
        *,
        version: str | int | None = None,
        subject: str | None = None,
        explain: bool = False,
    ) -> dict[str, Any]:
        """One answer, as the API gives it: prediction, label, probabilities, warnings, id of its record, …

        `row` maps feature to value; NaN, NA and None are missing. `subject` is whom or what it is about. It is on
        the record once only, however often a bad network has it sent.
        """
        body: dict[str, Any] = {"inputs": rows.row(row)}
        if version is not None:
            body["version"] = str(version)
        if subject is not None:
            body["subject"] = subject
        if explain:
            body["explain"] = True
        answer: dict[str, Any] = self._transport.post(f"/models/{part(name)}/predict", body, once=True)
        return answer

    def predict_frame(
        self,
        name: str,
        frame: pd.DataFrame,
        *,
        version: str | int | None = None,
        subject: str | Sequence[Any] | None = None,
        chunk: int = ROWS,
        on_error: str = "row",
    ) -> pd.DataFrame:
        """One answer a row, with the index of `frame`.

        Each row is answered as any other question is: by the version that is live just then, or, while two are
        compared in an A/B test, by the one that its subject is given. The column `version` says which. With
        `version` all are answered by that one, and take no part in a comparison.

        Columns: prediction; label and one probability_<label> a class, for a classification; warnings, as one text;
        version; record, the id. With `on_error="row"` a row that cannot be answered has an `error` in its place and
        no record; with "all" it raises InvalidInput. Columns of `frame` that are no features are not sent.

        `subject` names the column that says whom each row is about, or is a list of it. `chunk` rows go in one
        request; after a failure the chunks before it are on the record.
        """
        question = frames.Question(name, None if version is None else str(version), on_error)
        return frames.predict(self._transport, question, frame, subject, chunk, self._progress)

    def history(self, *, limit: int | None = 1000, **filters: Any) -> pd.DataFrame:
        """Records you may see, newest first, at most `limit` of them (None: all).

        `filters` are those of the API: model, version, label, user, channel, subject, job, since and until (a date or
        time), warned, state, reviewed, outcome, score_from, score_to, q. Inputs are columns input_<feature>,
        probabilities probability_<label>; times are in UTC.
        """
        # `from` is a word of Python's own; one that has it from elsewhere may still give it with **.
        named = {{"since": "from", "until": "to"}.get(word, word): value for word, value in filters.items()}
        return frames.history(self._transport, named, limit, self._progress)

    def outcome(self, record: str, actual: Any) -> dict[str, Any]:
        """Say what turned out to be true of a record: a class, or a number. A later outcome corrects it; both stay."""
        told: dict[str, Any] = self._transport.post(
            f"/predictions/{part(record)}/outcome", {"actual": rows.plain(actual)}
        )
        return told

    def record(self, record: str) -> dict[str, Any]:
        """One record in full, with its reviews and outcomes."""
        found: dict[str, Any] = self._transport.get(f"/predictions/{part(record)}")
        return found

    def models(self) -> pd.DataFrame:
        """The models that answer, one a row; `version` is the live one, `versions` how many there are."""
        return pd.DataFrame(self._transport.get("/models")["data"])

    def model(self, name: str, *, version: str | int | None = None) -> dict[str, Any]:
        """Schema, card, metrics and engines of the live version, or of `version`."""
        query = {} if version is None else {"version": str(version)}
        found: dict[str, Any] = self._transport.get(f"/models/{part(name)}", query)
        return found

    def versions(self, name: str) -> pd.DataFrame:
        """The versions of a model, newest first; `live` is true of the one that answers."""
        return pd.DataFrame(self._transport.get(f"/models/{part(name)}/versions")["data"])
