"""The row of a submission: what others may see of it, and the only ways in which a worker moves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.db import Model, ModelVersion, Submitted, User
from webapp.db.base import session, transaction
from webapp.db.commits import Outrun
from webapp.db.submissions import CHOOSING, OPEN
from webapp.errors import Problem
from webapp.ml import reports
from webapp.services.clock import now_us
from webapp.services.paging import Turn
from webapp.services.registry import VersionInfo
from webapp.services.submissions.advice import advice
from webapp.wording import pack, said, unpack

LEASE_US = 60_000_000
#: How long a submission waits for its engine to be picked: 7 days.
CHOICE_US = 7 * 86_400 * 1_000_000
NOT_PICKED = said("No engine was picked within 7 days; send it again, and name the engine.")
#: Workers that may end over one submission before it is given up.
MOST_TRIES = 2
GIVEN_UP = said(
    "The worker ended twice while it was at this submission; ask the operator to look into its log, and send it again."
)
#: Stage → how far that is, and what it is called.
STAGES = {
    "": (0.0, said("Waiting for a worker")),
    "starting": (0.05, said("Starting a process of its own")),
    "reading": (0.15, said("Reading the samples")),
    "loading": (0.2, said("Looking into the model file")),
    "learning": (0.3, said("Learning the schema")),
    "converting": (0.4, said("Converting to ONNX and comparing")),
    "measuring": (0.6, said("Measuring how fast it answers")),
    "scoring": (0.75, said("Scoring")),
    "writing": (0.9, said("Publishing the version")),
}
RESTING = said("Waiting for an engine to be picked")
ENDED = {
    "published": said("Published as a version"),
    "refused": said("Refused"),
    "failed": said("Failed"),
    "cancelled": said("Cancelled"),
}


@dataclass(frozen=True, slots=True)
class SubmissionView:
    """A submission as it stands. Times are microseconds UTC; `state` as in db.submissions."""

    seq: int
    id: str
    user_id: int
    owner: str
    model: str
    state: str
    stage: str
    #: model, data, test → the name its sender gives it, and bytes.
    files: dict[str, tuple[str, int]]
    wishes: dict[str, Any]
    report: dict[str, Any] | None
    errors: list[Problem]
    warnings: list[str]
    version: str | None
    live: bool | None
    attempt: int
    #: Whether a worker has it now.
    held: bool
    cancel: bool
    created_us: int
    finished_us: int | None

    @property
    def open(self) -> bool:
        """Whether a worker has something to do."""
        return self.state in OPEN

    @property
    def choosing(self) -> bool:
        """Whether it waits for its publisher to pick an engine."""
        return self.state == CHOOSING

    @property
    def engine(self) -> str:
        """The engine that was asked for, of `ml.options.WISHES`."""
        return str(self.wishes.get("engine", "auto"))

    @property
    def page(self) -> str | None:
        """The address of the version it became."""
        return self.version and f"/models/{self.model}?version={self.version}"

    @property
    def words(self) -> str:
        """What is being done, or how it ended."""
        return RESTING if self.choosing else ENDED.get(self.state) or STAGES[self.stage][1]

    @property
    def refused(self) -> list[tuple[str, str]]:
        """Types in the model file that are not let in, and what to do instead."""
        names = (self.report or {}).get("refused", ())
        return [(name, advice(name)) for name in names]

    @property
    def progress(self) -> float:
        """How far it is, 0 to 1."""
        return STAGES[self.stage][0] if self.open else 1.0


def offered(report: dict[str, Any] | None) -> list[str]:
    """Names of the engines that an inspection found fit to be picked."""
    return [one["name"] for one in (report or {}).get("engines", ()) if one.get("offered")]


_QUERY = (
    select(Submitted, User.username, ModelVersion.number)
    .join(User, User.id == Submitted.user_id)
    .outerjoin(ModelVersion, ModelVersion.id == Submitted.version_id)
)


def read(*conditions: Any, limit: int | None = None, turn: Turn | None = None) -> list[SubmissionView]:
    """Submissions that meet the conditions on `Submitted`, newest first; from a turn on, those nearest to it first."""
    beyond = [turn.beyond(Submitted.seq)] if turn else []
    order = Submitted.seq if turn and turn.newer else Submitted.seq.desc()
    query = _QUERY.where(*conditions, *beyond).order_by(order).limit(limit)
    return [_view(*row) for row in session().execute(query.execution_options(populate_existing=True)).all()]


def read_one(submission_id: str) -> SubmissionView | None:
    """One submission as it is on file now."""
    session().rollback()
    found = read(Submitted.id == submission_id)
    return found[0] if found else None


def _view(row: Submitted, owner: str, number: int | None) -> SubmissionView:
    return SubmissionView(
        seq=row.seq,
        id=row.id,
        user_id=row.user_id,
        owner=owner,
        model=row.model,
        state=row.state,
        stage=row.stage,
        files={name: (told, size) for name, (told, size) in orjson.loads(row.files).items()},
        wishes=orjson.loads(row.wishes),
        report=reports.told(orjson.loads(row.report)) if row.report else None,
        errors=[Problem(pointer, unpack(detail)) for pointer, detail in orjson.loads(row.errors)],
        warnings=[reports.spoken(text) for text in orjson.loads(row.warnings)],
        version=None if number is None else str(number),
        live=row.live,
        attempt=row.attempt,
        held=row.lease_us is not None and row.lease_us > now_us(),
        cancel=row.cancel,
        created_us=row.created_us,
        finished_us=row.finished_us,
    )


def claim(submission_id: str, worker: str) -> SubmissionView | None:
    """Take a submission that nobody has; None where there is nothing to take.

    One that its owner has cancelled ends so, one over which workers have ended too often has failed.
    """
    now = now_us()
    with transaction() as s:
        free = update(Submitted).where(
            Submitted.id == submission_id, Submitted.state.in_(OPEN), Submitted.lease_us.is_(None)
        )
        if _changed(s, free.where(Submitted.cancel).values(state="cancelled", finished_us=now)):
            return None
        given_up = {"state": "failed", "finished_us": now, "errors": _packed([Problem("#", GIVEN_UP)])}
        if _changed(s, free.where(Submitted.tries >= MOST_TRIES).values(**given_up)):
            return None
        taken = {"state": "inspecting", "stage": "starting", "worker": worker, "lease_us": now + LEASE_US}
        counted = {"attempt": Submitted.attempt + 1, "tries": Submitted.tries + 1, "moved_us": now}
        if not _changed(s, free.values(**taken, **counted)):
            return None
    return read_one(submission_id)


def move(found: SubmissionView, stage: str) -> None:
    """Say what is being done now, and keep the submission for longer; raises Outrun where it is not ours any more."""
    now = now_us()
    with transaction() as s:
        moved = _mine(found).values(stage=stage, moved_us=now, lease_us=now + LEASE_US)
        if not _changed(s, moved.where(Submitted.cancel.is_(False))):
            raise _outrun()


def hold(found: SubmissionView) -> None:
    """Keep a submission while nothing new is to be told of it; raises Outrun where it is not ours any more."""
    s = session()
    s.rollback()
    lease = s.scalar(
        select(Submitted.lease_us).where(
            Submitted.id == found.id,
            Submitted.attempt == found.attempt,
            Submitted.state.in_(OPEN),
            Submitted.cancel.is_(False),
        )
    )
    s.rollback()
    if lease is None:
        raise _outrun()
    if lease - now_us() < LEASE_US / 2:
        with transaction() as s:
            s.execute(_mine(found).values(lease_us=now_us() + LEASE_US))


def publish(s: Session, found: SubmissionView, made: VersionInfo, manifest: dict[str, Any]) -> None:
    """The end of a submission that became a version, in that version's transaction; raises Outrun."""
    version = (
        select(ModelVersion.id)
        .join(Model, Model.id == ModelVersion.model_id)
        .where(Model.name == found.model, ModelVersion.number == int(made.number))
        .scalar_subquery()
    )
    became = {
        "version_id": version,
        "live": made.live,
        "report": orjson.dumps(manifest["report"]).decode(),
        "warnings": orjson.dumps(manifest["warnings"]).decode(),
    }
    if not _changed(
        s, _mine(found).where(Submitted.cancel.is_(False)).values(**_ended("published"), **became)
    ):
        raise _outrun()


def rest(found: SubmissionView, manifest: dict[str, Any]) -> None:
    """Put an inspected submission down until its engine has been picked; raises Outrun where it is not ours."""
    told = {"report": orjson.dumps(manifest["report"]).decode()}
    told |= {"warnings": orjson.dumps(manifest["warnings"]).decode()}
    free = {
        "state": CHOOSING,
        "stage": "",
        "tries": 0,
        "worker": None,
        "lease_us": None,
        "moved_us": now_us(),
    }
    with transaction() as s:
        if not _changed(s, _mine(found).where(Submitted.cancel.is_(False)).values(**free, **told)):
            raise _outrun()


def give_up_waiting() -> None:
    """End those for which no engine has been picked in time."""
    late = (Submitted.state == CHOOSING) & (Submitted.moved_us < now_us() - CHOICE_US)
    if session().scalar(select(Submitted.id).where(late).limit(1)) is None:
        return
    with transaction() as s:
        told = _packed([Problem("#/engine", NOT_PICKED)])
        s.execute(update(Submitted).where(late).values(**_ended("cancelled"), errors=told))


def end(
    found: SubmissionView,
    state: str,
    errors: list[Problem] | None = None,
    report: dict[str, Any] | None = None,
) -> None:
    """The last word of an attempt that made no version; says nothing where the submission is no longer its own."""
    told = {"report": orjson.dumps(report).decode()} if report else {}
    with transaction() as s:
        s.execute(_mine(found).values(**_ended(state), errors=_packed(errors or []), **told))


def let_go(submission_id: str, attempt: int, **sets: Any) -> None:
    """Give a submission back, for any worker to take up again."""
    with transaction() as s:
        mine = update(Submitted).where(Submitted.id == submission_id, Submitted.attempt == attempt)
        s.execute(mine.values(worker=None, lease_us=None, **sets))


def _mine(found: SubmissionView) -> Any:
    return update(Submitted).where(
        Submitted.id == found.id, Submitted.attempt == found.attempt, Submitted.state.in_(OPEN)
    )


def _ended(state: str) -> dict[str, Any]:
    return {"state": state, "finished_us": now_us(), "worker": None, "lease_us": None}


def _changed(s: Session, statement: Any) -> bool:
    return bool(s.execute(statement).rowcount)  # type: ignore[attr-defined]


def _packed(errors: list[Problem]) -> str:
    return orjson.dumps([[p.pointer, pack(p.detail)] for p in errors]).decode()


def _outrun() -> Outrun:
    return Outrun("The submission has been taken up by somebody else, or was ended.")
