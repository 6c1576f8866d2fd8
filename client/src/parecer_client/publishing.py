"""From a fitted estimator to a version on the desk."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from urllib3 import encode_multipart_formdata

from parecer_client import progress, samples
from parecer_client.choices import Choice, side_by_side
from parecer_client.errors import ParecerError, Problem, PublicationRefused
from parecer_client.samples import ModelFile, Sample
from parecer_client.transport import Transport, part
from parecer_client.validation import Validated, cross_validated
from parecer_client.versions import Version

#: Seconds between two looks at a submission: at first, and at most.
FIRST_LOOK, SLOWEST_LOOK = 0.1, 1.0
FINAL = ("choosing", "published", "refused", "failed", "cancelled")


class Order(NamedTuple):
    """What the publisher says of a version, besides model and data."""

    name: str
    title: str
    description: str
    card: Mapping[str, str]
    schema: Mapping[str, Any]
    promote: bool
    engine: str


def publish(
    transport: Transport, estimator: Any, X: Any, y: Any, order: Order, *, test: Any, cv: Any, shown: bool
) -> Version | Choice:
    """Send a model, wait until the desk has looked through it, and say which version it became, or can become.

    See `Client.publish`.
    """
    model = samples.model_file(estimator, order.name)
    names = samples.feature_names(estimator)
    learned = samples.sample(X, y, names)
    unseen = None if test is None else _unseen(test, names, learned)
    checked = None
    if unseen is None and cv and model.name.endswith(".skops") and hasattr(estimator, "fit"):
        checked = cross_validated(estimator, learned, cv, shown=shown)
    order = order._replace(card=_card(order.card, checked), schema=samples.edits(learned.X, order.schema))
    place = _send(transport, model, learned, unseen, order, shown)
    state = _followed(transport, place, shown)
    score = None if checked is None else str(checked)
    if state["state"] != "choosing":
        return _became(transport, order.name, state, score)

    def pick(engine: str) -> Version:
        transport.post(f"{place}/engine", {"engine": engine})
        return _became(transport, order.name, _followed(transport, place, shown), score)

    found = state.get("report") or {}
    return Choice(
        order.name, f"{transport.url}{place}", side_by_side(found.get("engines") or ()), found, pick
    )


def _unseen(test: Any, names: list[str] | None, learned: Sample) -> Sample:
    try:
        X, y = test
    except (TypeError, ValueError):
        raise ValueError("test must be a pair (X, y) of data that the model has not seen.") from None
    unseen = samples.sample(X, y, names)
    if lacking := [name for name in learned.X if name not in unseen.X]:
        raise ValueError(f"The test data has no column {lacking[0]!r}, which the training data has.")
    return Sample(unseen.X, unseen.y.rename(str(learned.y.name)))


def _card(card: Mapping[str, str], checked: Validated | str | None) -> dict[str, str]:
    if not isinstance(checked, Validated):
        return dict(card)
    told = (
        "Cross-validated by the publisher, on clones of the estimator itself as scikit-learn fits it, "
        f"not of an engine that only comes near it: {checked}."
    )
    return {**card, "caveats": f"{card.get('caveats', '')} {told}".strip()}


def _send(
    transport: Transport, model: ModelFile, learned: Sample, unseen: Sample | None, order: Order, shown: bool
) -> str:
    """Upload; the path of the submission under /api/v1."""
    target = str(learned.y.name)
    fields: dict[str, Any] = {"target": target, "title": order.title, "description": order.description}
    fields |= {"schema": json.dumps(order.schema), "card": json.dumps(order.card)}
    fields |= {"promote": "true" if order.promote else "false", "engine": order.engine}
    fields["model"] = (model.name, model.data, "application/octet-stream")
    fields["data"] = ("data.parquet", samples.parquet(learned), "application/vnd.apache.parquet")
    if unseen is not None:
        fields["test"] = ("test.parquet", samples.parquet(unseen), "application/vnd.apache.parquet")
    body, kind = encode_multipart_formdata(fields)
    with progress.bar(len(body), f"sending {order.name}", shown=shown, unit="B", scale=True) as bar:
        answer = transport.send(
            "POST",
            f"/models/{part(order.name)}/versions",
            data=progress.Told(body, bar),
            headers={"Content-Type": kind},
        )
    found = urlsplit(answer.headers["Location"]).path
    return "/submissions/" + found.rpartition("/submissions/")[2]


def _followed(transport: Transport, place: str, shown: bool) -> dict[str, Any]:
    """As `_follow`; interrupted, it ends the submission."""
    try:
        return _follow(transport, place, shown)
    except KeyboardInterrupt:
        transport.send("DELETE", place)
        raise


def _follow(transport: Transport, place: str, shown: bool) -> dict[str, Any]:
    """The submission once it has come to an end, or waits for its engine to be picked."""
    wait = FIRST_LOOK
    with progress.bar(1.0, "inspecting", shown=shown) as bar:
        while True:
            state: dict[str, Any] = transport.get(place)
            bar.set_description_str(state.get("stage") or state["state"])
            bar.update(max(0.0, min(1.0, float(state.get("progress") or 0)) - bar.n))
            if state["state"] in FINAL:
                bar.set_description_str(state["state"])
                return state
            time.sleep(wait)
            wait = min(SLOWEST_LOOK, wait * 1.3)


def _refused(state: Mapping[str, Any]) -> ParecerError:
    told = {
        "refused": "The desk refuses this model:",
        "failed": "The inspection of this model failed:",
        "cancelled": "The publication was cancelled; nothing was published.",
    }
    problems = [
        Problem(str(e.get("pointer", "#")), str(e["detail"]))
        if isinstance(e, Mapping)
        else Problem("#", str(e))
        for e in state.get("errors") or ()
    ]
    return PublicationRefused(told[state["state"]], problems=problems, report=state.get("report"))


def _became(transport: Transport, name: str, state: Mapping[str, Any], checked: str | None) -> Version:
    if state["state"] != "published":
        raise _refused(state)
    return _version(transport, name, state, checked)


def _version(transport: Transport, name: str, state: Mapping[str, Any], checked: str | None) -> Version:
    number = str(state["version"])
    described = transport.get(f"/models/{part(name)}", {"version": number})
    home = f"{transport.url}/"
    own = f"models/{part(name)}"
    engines = described.get("engines") or {}
    return Version(
        name=name,
        number=number,
        live=bool(state["live"]),
        page=urljoin(home, state.get("page") or own),
        form=urljoin(home, f"{own}/predict"),
        metrics=described.get("metrics") or {},
        warnings=[str(warning) for warning in state.get("warnings") or ()],
        report=state.get("report") or {},
        cross_validation=checked,
        engines=side_by_side(engines["options"]).assign(picked=lambda f: f.index.isin(_served(engines)))
        if engines.get("options")
        else None,
    )


def _served(engines: Mapping[str, Any]) -> list[str]:
    """Which engines answer: the one that was picked, or those that are the fastest for one row and for many."""
    picked = engines.get("picked", "auto")
    return [engines.get("one", ""), engines.get("many", "")] if picked == "auto" else [picked]
