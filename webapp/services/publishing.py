"""Bring a model file in: load it safely, learn its schema from data, score it, store it as a version."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from webapp.errors import BadArtifact, no_member, printable
from webapp.ml.loader import load_pickle, load_skops
from webapp.ml.packaging import CARD, package
from webapp.ml.store import Store
from webapp.ml.tables import read_csv
from webapp.services import registry
from webapp.services.people import Actor
from webapp.services.registry import VersionInfo
from webapp.wording import said

if TYPE_CHECKING:
    import pandas as pd

LONGEST_CARD = 2000
FORMATS = {".skops": "skops", ".onnx": "onnx", ".joblib": "joblib", ".pkl": "joblib", ".pickle": "joblib"}


@dataclass(slots=True)
class Submission:
    """What a publisher hands in; the samples are CSV files with a header row that names `target`."""

    name: str
    filename: str
    model: bytes
    train: bytes
    target: str
    test: bytes | None = None
    title: str = ""
    description: str = ""
    card: dict[str, str] = field(default_factory=dict)
    #: Corrections of the inferred schema: {"features": {name: {...}}, "output": {...}}.
    edits: dict[str, Any] = field(default_factory=dict)
    #: Make the new version live at once.
    promote: bool = False
    #: The operator vouches for a file that may run code when it is read.
    trusted: bool = False


class Published(NamedTuple):
    """The new version and its manifest; `warnings` there are sentences about what could not be checked."""

    version: VersionInfo
    manifest: dict[str, Any]


def publish(store: Store, submission: Submission, actor: Actor | None = None) -> Published:
    """Publish a submission as the next version of its model.

    Title and description are those of the card where not given. Raises BadArtifact or InvalidInput, after which
    the store and the live version are as they were.
    """
    suffix = "." + submission.filename.rpartition(".")[2].lower()
    if suffix not in FORMATS:
        raise BadArtifact(
            f"{submission.filename} is not a model file: give one of {', '.join(FORMATS)}. "
            "What other libraries save can be exported to ONNX."
        )
    _refuse_card(submission.card)
    title = submission.title or submission.card.get("title", "")
    description = submission.description or submission.card.get("description", "")
    registry.refuse_words(submission.name, title, description)
    kind = FORMATS[suffix]
    X, y = read_csv(submission.train, submission.target, "The training data")
    if y.nunique() < 2:
        raise BadArtifact(f"The column {submission.target!r} has one value only; give a sample with several.")
    test = _test(submission, list(X.columns))
    made = package(
        _load(kind, submission),
        X,
        y,
        format=kind,
        test=test,
        card=submission.card | {"title": title, "description": description},
        edits=submission.edits,
    )
    made.manifest["source_sha256"] = sha256(submission.model).hexdigest()
    version = registry.publish(
        store,
        made,
        name=submission.name,
        title=title,
        description=description,
        actor=actor,
        promote=submission.promote,
    )
    return Published(version, made.manifest)


def _refuse_card(card: dict[str, Any]) -> None:
    for key, text in card.items():
        if key not in CARD:
            raise BadArtifact(said("The card has {problem}", problem=no_member(key, CARD)))
        if not isinstance(text, str) or len(text) > LONGEST_CARD or printable(text) != text:
            raise BadArtifact(f"The card's {key} must be a text of at most {LONGEST_CARD} characters.")


def _test(submission: Submission, columns: list[str]) -> tuple[pd.DataFrame, pd.Series[Any]] | None:
    if submission.test is None:
        return None
    X, y = read_csv(submission.test, submission.target, "The test data")
    if lacking := [name for name in columns if name not in X.columns]:
        raise BadArtifact(f"The test data has no column {lacking[0]!r}, which the training data has.")
    return X, y


def _load(kind: str, submission: Submission) -> Any:
    if kind == "onnx":
        return submission.model
    if kind == "skops":
        return load_skops(submission.model)
    return load_pickle(submission.model, trusted=submission.trusted)
