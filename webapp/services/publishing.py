"""Bring a model file in: have it inspected apart from everything else, and store it as a version."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from webapp.errors import BadArtifact, InvalidInput, Problem, no_member, printable
from webapp.ml import chamber, intake
from webapp.ml.chamber import USUAL, Given, Limits
from webapp.ml.intake import Order
from webapp.ml.loader import refuse_other_files
from webapp.ml.options import WISHES
from webapp.ml.packaging import CARD, Package
from webapp.ml.store import Store
from webapp.services import registry
from webapp.services.people import Actor
from webapp.services.registry import VersionInfo
from webapp.wording import said

LONGEST_CARD, LONGEST_FILENAME = 2000, 200
FORMATS = {".skops": "skops", ".onnx": "onnx", ".joblib": "joblib", ".pkl": "joblib", ".pickle": "joblib"}


@dataclass(slots=True)
class Submission:
    """What a publisher hands in; the samples are CSV or Parquet files with a column `target`."""

    name: str
    #: As the publisher calls the model file.
    filename: str
    model: Path
    train: Path
    target: str
    test: Path | None = None
    title: str = ""
    description: str = ""
    card: dict[str, str] = field(default_factory=dict)
    #: Corrections of the inferred schema: {"features": {name: {...}}, "output": {...}}.
    edits: dict[str, Any] = field(default_factory=dict)
    #: Make the new version live at once.
    promote: bool = False
    #: The operator vouches for a file that may run code when it is read.
    trusted: bool = False
    #: Which engine is to answer, of `ml.options.WISHES`.
    engine: str = "auto"


class Published(NamedTuple):
    """The new version and its manifest; `warnings` there are sentences about what could not be checked."""

    version: VersionInfo
    manifest: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Inspection:
    """How a submission is inspected: within `limits`, with `folder` for what comes back (see `chamber.inspect`)."""

    limits: Limits = USUAL
    folder: Path | None = None
    go_on: Callable[[], None] = lambda: None
    tell: Callable[[str], None] = lambda _stage: None


def publish(
    store: Store, submission: Submission, actor: Actor | None = None, *, inspection: Inspection | None = None
) -> Published:
    """Publish a submission as the next version of its model.

    Title and description are those of the card where not given. Raises BadArtifact or InvalidInput, after which
    the store and the live version are as they were.
    """
    return keep(store, submission, inspect(submission, inspection or Inspection()), actor)


def inspect(submission: Submission, how: Inspection) -> Package:
    """What a submission comes to, stored nowhere yet. Raises BadArtifact, InvalidInput, and what `how.go_on` does."""
    refuse(submission)
    return _inspected(submission, how)


def keep(
    store: Store,
    submission: Submission,
    made: Package,
    actor: Actor | None,
    within: Callable[[Session, VersionInfo, Package], None] | None = None,
) -> Published:
    """Store what was inspected as the next version; `within` and errors as of `registry.publish`."""
    title, description = _words(submission)
    version = registry.publish(
        store,
        made,
        name=submission.name,
        title=title,
        description=description,
        actor=actor,
        promote=submission.promote,
        within=within,
    )
    return Published(version, made.manifest)


def refuse(submission: Submission) -> None:
    """Raises BadArtifact or InvalidInput for what can be seen from names, words and the first bytes of the model."""
    if submission.engine not in WISHES:
        raise InvalidInput([Problem("#/engine", said("must be one of {words}", words=", ".join(WISHES)))])
    format = _format(submission)
    if format == "joblib" and not submission.trusted:
        raise BadArtifact(
            said(
                "Pickle and joblib files can run code and are not accepted; save the model with skops or as ONNX. An "
                "operator may give --trust-pickle at the command line, for a file of their own."
            )
        )
    if format != "joblib":
        with submission.model.open("rb") as file:
            refuse_other_files(file.read(4), format)
    for key, text in submission.card.items():
        if key not in CARD:
            raise BadArtifact(said("The card has {problem}", problem=no_member(key, CARD)))
        if not isinstance(text, str) or len(text) > LONGEST_CARD or printable(text) != text:
            raise BadArtifact(
                said(
                    "The card's {key} must be a text of at most {most} characters.",
                    key=key,
                    most=LONGEST_CARD,
                )
            )
    registry.refuse_words(submission.name, *_words(submission))


def _format(submission: Submission) -> str:
    suffix = "." + submission.filename.rpartition(".")[2].lower()
    if suffix not in FORMATS:
        raise BadArtifact(
            said(
                "{file} is not a model file: give one of {known}. What other libraries save can be exported to ONNX.",
                file=printable(submission.filename)[-LONGEST_FILENAME:],
                known=", ".join(FORMATS),
            )
        )
    return FORMATS[suffix]


def _words(submission: Submission) -> tuple[str, str]:
    card = submission.card
    return submission.title or card.get("title", ""), submission.description or card.get("description", "")


def _inspected(submission: Submission, how: Inspection) -> Package:
    """The package, with what it was made of in its manifest."""
    title, description = _words(submission)
    order = Order(
        _format(submission),
        submission.target,
        submission.card | {"title": title, "description": description},
        submission.edits,
        submission.trusted,
        submission.engine,
    )
    paths = {"source": submission.model, "data": submission.train, "test": submission.test}
    sums = {f"{name}_sha256": _sha256(path) for name, path in paths.items() if path is not None}
    if order.format == "joblib":  # which the operator vouches for, and which may need anything
        test = None if submission.test is None else submission.test.read_bytes()
        samples = submission.train.read_bytes(), test
        made = intake.prepare(order, submission.model.read_bytes(), *samples, report={}, tell=how.tell)
    else:
        given = Given(submission.model, submission.train, submission.test)
        made, report = chamber.inspect(
            order,
            given,
            sums["source_sha256"],
            how.limits,
            folder=how.folder,
            go_on=how.go_on,
            tell=how.tell,
        )
        made.manifest["report"] = report
    filename = printable(submission.filename)[-LONGEST_FILENAME:]
    return made._replace(manifest=made.manifest | sums | {"filename": filename})


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
