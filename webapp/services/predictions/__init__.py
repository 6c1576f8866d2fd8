"""The one way to predict: check the rows, ask the model, keep the record, and only then answer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import repeat
from typing import Any

import orjson
from sqlalchemy import delete, select

from webapp.db import IdempotencyKey, ModelVersion, Prediction
from webapp.db.base import session, transaction
from webapp.db.commits import Entry, Guard, StaleAccess, StaleVersion
from webapp.db.experiments import SHADOW, SPLIT
from webapp.errors import (
    AppError,
    Conflict,
    InvalidInput,
    KeyReused,
    ModelFailed,
    NotAllowed,
    NotReady,
    Problem,
    TooLarge,
)
from webapp.ml.runtime import Answer
from webapp.ml.schema import Checked
from webapp.ml.schema.images import MOST_NUMBERS
from webapp.services import people
from webapp.services.assigning import among, unit
from webapp.services.clock import now_us
from webapp.services.desk import SLOW, Desk
from webapp.services.people import Actor
from webapp.services.predictions.asks import Ask, Made, Refused
from webapp.services.predictions.sheet import Given, Sheet
from webapp.services.repeats import Repeat
from webapp.services.resolving import Resolved
from webapp.wording import said

__all__ = ["Ask", "Made", "Refused", "draft", "forget_keys", "keep", "make"]

# Spelt so that it means the same in the description of the API, where \s is another set of characters.
_BARRED = r"\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_SPACES = r"\x20\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
SUBJECT = re.compile(f"[^{_BARRED}{_SPACES}]([^{_BARRED}]{{0,198}}[^{_BARRED}{_SPACES}])?")
SUBJECT_RULE = said(
    "must be 1 to 200 characters, none of them a control character or one that turns the direction of text, "
    "without spaces at either end"
)

MAY_PREDICT = frozenset({"analyst", "publisher", "admin"})
#: Rows handled before other requests get their turn.
STRIDE = 512
KEPT_HOURS = 24
#: How often caller and version are looked up anew because accounts or models have changed in the meantime.
ROUNDS = 100

#: One row as received, and what checking it gave.
Row = tuple[Any, Checked]


def make(desk: Desk, actor: Actor, ask: Ask) -> Sequence[Made | Refused]:
    """Predict every row of `ask`, in order, each answer durably on the record before this returns.

    Raises InvalidInput (all problems of all rows), NotFound, NotAllowed, TooMany, TooLarge, KeyReused (the
    idempotency key with another body), Conflict (the answers to the key were erased), ModelFailed, NotReady (the
    record cannot be kept, so there is no answer) and NotSignedIn (the caller lost access meanwhile).
    """
    try:
        made = _make(desk, actor, ask)
    except AppError as error:
        desk.failures.note(ask.model, error)
        desk.meters.refused(error)
        raise
    desk.meters.predicted(ask, made)
    return made


def draft(
    desk: Desk, actor: Actor, ask: Ask, rows: Sequence[tuple[Any, Checked, str | None]]
) -> tuple[Sheet, list[Made | Refused]]:
    """Predict rows that were checked before, each with its own subject; nothing is on the record until `keep`.

    One answer a row, in order: a row that the model fails on is refused alone. Raises NotFound, NotAllowed, NotReady.
    """
    _may_predict(actor)
    chosen = desk.resolver.find(ask.model, ask.version, actor=actor)
    begun = time.perf_counter_ns()
    given = _infer_each(desk, chosen, [check.values for _, check, _ in rows])
    sheet = Sheet(actor, ask, chosen, {"predict": (time.perf_counter_ns() - begun) // 1000})
    answers: list[Made | Refused] = []
    for (received, check, subject), told in zip(rows, given, strict=True):
        if isinstance(told, Refused):
            answers.append(told)
        else:
            sheet.write(received, check, told, subject)
            answers.append(sheet.made[-1])
    return sheet, answers


def keep(desk: Desk, actor: Actor, sheet: Sheet, guard: Guard) -> None:
    """Put a drafted sheet on the record, together with what `guard` moves: both, or neither.

    Raises Outrun when the guard does not hold, NotReady, and NotAllowed or NotFound when the actor may not predict,
    or use the model, any more.
    """
    entry = Entry(sheet.rows, sheet.heads, actor.access, guard=guard)
    for _ in range(ROUNDS):
        try:
            desk.commits.submit(entry)
            desk.meters.predicted(sheet.ask, sheet.made)
            return
        except StaleAccess:
            caller = people.on_behalf(actor.id)
            _may_predict(caller)
            desk.watch.numbers(fresh=True)
            desk.resolver.find(sheet.ask.model, sheet.ask.version, actor=caller)
            entry.access, entry.error = caller.access, None
    raise NotReady("Accounts are changing without pause; try again in a moment.")


def _infer_each(desk: Desk, chosen: Resolved, rows: list[tuple[Any, ...]]) -> list[Given | Refused]:
    try:
        return list(_infer(desk, chosen, rows))
    except ModelFailed as error:
        if len(rows) == 1:
            return [Refused([Problem("#", error.detail)])]
        half = len(rows) // 2
        return _infer_each(desk, chosen, rows[:half]) + _infer_each(desk, chosen, rows[half:])


def forget_keys() -> None:
    """Let go of idempotency keys after KEPT_HOURS; the records they led to stay."""
    with transaction() as s:
        s.execute(
            delete(IdempotencyKey).where(IdempotencyKey.created_us < now_us() - KEPT_HOURS * 3_600_000_000)
        )


def _choose(desk: Desk, actor: Actor, ask: Ask) -> Resolved:
    """The version that answers; where two are compared, the one that this subject is given."""
    found = desk.resolver.find(ask.model, ask.version, ask.alias, actor=actor)
    running = found.running
    if running is None:
        ask.experiment = None
        return found
    ask.experiment = running.id
    if running.kind == SPLIT and among(running.salt, unit(ask.subject, actor.id), running.limit):
        return replace(running.challenger, registry=found.registry)
    return found


class _Moved(Exception):
    """Another version answers by now, or the same one again."""

    def __init__(self, chosen: Resolved) -> None:
        self.chosen = chosen


def _make(desk: Desk, actor: Actor, ask: Ask) -> Sequence[Made | Refused]:
    ask.stages["read"] = max(0, (time.time_ns() - ask.started_ns) // 1000)
    _may_predict(actor)
    ask.left = desk.quota.spend(actor.id)
    if ask.layout is None:
        _check_frame(desk, ask)
    chosen = _choose(desk, actor, ask)
    for _ in range(ROUNDS):
        try:
            return _make_with(desk, actor, ask, chosen)
        except _Moved as moved:
            chosen = moved.chosen
    raise NotReady(said("Versions are changing without pause; try again in a moment."))


def _make_with(desk: Desk, actor: Actor, ask: Ask, chosen: Resolved) -> Sequence[Made | Refused]:
    begun = time.perf_counter_ns()
    if ask.layout is not None:
        ask.rows = ask.layout(chosen.predictor.schema)
        _check_frame(desk, ask)
    checked = _check(desk, chosen, ask)
    ask.stages["check"] = (time.perf_counter_ns() - begun) // 1000
    good = [(row, check) for row, check in zip(ask.rows, checked, strict=True) if not check.problems]
    answer = partial(_answer, desk, actor, ask, chosen, good)
    made = _keep(desk, actor, ask, chosen, good, answer)
    if len(made) == len(checked) or len(made) != len(
        good
    ):  # the latter: repeated, after the schema has changed
        return made
    answers = iter(made)
    return [Refused(c.problems) if c.problems else next(answers) for c in checked]


def _repeat(
    desk: Desk, actor: Actor, ask: Ask, chosen: Resolved, rows: Sequence[Row], made: list[Made]
) -> None:
    running = chosen.running
    if running is not None and running.kind == SHADOW:
        pairs = zip(rows, made, strict=True)
        desk.repeats.put([Repeat(actor, running, m.id, row, ask.subject) for (row, _), m in pairs])


def _may_predict(actor: Actor) -> None:
    if actor.role not in MAY_PREDICT:
        raise NotAllowed(
            said(
                "The role {role} reads the record and does not predict.",
                role=people.ROLE_NAMES.get(actor.role, actor.role),
            )
        )


def _check_frame(desk: Desk, ask: Ask) -> None:
    if not ask.rows:
        raise InvalidInput([Problem("#/instances", said("holds no rows; send at least one"))])
    if len(ask.rows) > desk.max_rows:
        raise TooLarge(
            said("One request may hold {most} rows; split it, or send a batch.", most=desk.max_rows)
        )
    if ask.subject is not None and not SUBJECT.fullmatch(ask.subject):
        raise InvalidInput([Problem("#/subject", SUBJECT_RULE)])


def _checker(desk: Desk, chosen: Resolved, n_rows: int) -> Callable[[Any, str], Checked]:
    schema = chosen.predictor.schema
    if schema.image is None:
        return schema.check
    most = max(1, MOST_NUMBERS // schema.image.size)
    if n_rows > most:
        raise TooLarge(
            said("One request may hold {most} images for this model; split it, or send a batch.", most=most)
        )
    return partial(
        desk.offload, schema.check
    )  # an image takes a tenth of a second to decode, if it is made to


def _check(desk: Desk, chosen: Resolved, ask: Ask) -> list[Checked]:
    check = _checker(desk, chosen, len(ask.rows))
    if not ask.many:
        checked = [check(ask.rows[0], "#/inputs")]
    else:
        checked = []
        for i, row in enumerate(ask.rows):
            checked.append(check(row, f"#/instances/{i}"))
            if i % STRIDE == STRIDE - 1:
                time.sleep(0)
    problems = [p for c in checked for p in c.problems]
    if problems and not (ask.many and ask.on_error == "row"):
        raise InvalidInput(problems)
    return checked


def _infer(desk: Desk, chosen: Resolved, rows: list[tuple[Any, ...]]) -> list[Given]:
    if not rows:
        return []
    predictor = chosen.predictor
    cost = predictor.cost(len(rows))
    remembered = len(rows) == 1 and desk.answers.pays(cost) and predictor.schema.image is None
    if remembered and (known := desk.answers.get(chosen.version_id, rows[0])) is not None:
        return [known]
    answer: Answer = desk.offload(predictor.predict, rows) if cost > SLOW else predictor.predict(rows)
    scores = answer.probabilities or repeat(None)
    given = [
        Given(value, score, answer.engine, False) for value, score in zip(answer.values, scores, strict=False)
    ]
    if remembered:
        desk.answers.put(chosen.version_id, rows[0], given[0]._replace(cached=True))
    return given


def _quick(desk: Desk, chosen: Resolved, rows: Sequence[Row]) -> bool:
    """Whether the others of a group may wait for these rows to be answered."""
    predictor = chosen.predictor  # an image is long to write down, whatever it costs to answer
    return len(rows) == 1 and not desk.answers.pays(predictor.cost(1)) and predictor.schema.image is None


def _answer(desk: Desk, actor: Actor, ask: Ask, chosen: Resolved, rows: Sequence[Row]) -> Sheet:
    begun = time.perf_counter_ns()
    given = _infer(desk, chosen, [check.values for _, check in rows])
    ask.stages["predict"] = predict_us = (time.perf_counter_ns() - begun) // 1000
    sheet = Sheet(actor, ask, chosen, {"check": ask.stages["check"], "predict": predict_us})
    for n, ((row, check), one) in enumerate(zip(rows, given, strict=True), 1):
        sheet.write(row, check, one)
        if n % STRIDE == 0:
            time.sleep(0)
    return sheet


def _keep(
    desk: Desk, actor: Actor, ask: Ask, chosen: Resolved, rows: Sequence[Row], answer: Callable[[], Sheet]
) -> Sequence[Made]:
    """Commit what `answer` writes; returns its answers, or those given before when the request was a repeated one.

    Raises _Moved where another version than `chosen` has to answer, or the same one once more.
    """
    made: list[Made] = []
    quick = _quick(desk, chosen, rows)
    begun = time.perf_counter_ns()

    def fill(entry: Entry) -> None:
        sheet = answer()
        made.extend(sheet.made)
        entry.rows, entry.heads = sheet.rows, sheet.heads
        if ask.idempotency_key is not None:
            ids = orjson.dumps([m.id for m in made]).decode()
            entry.key = (actor.id, ask.idempotency_key, ask.fingerprint, ids, sheet.created_us)

    registry = None if ask.version else chosen.registry
    entry = Entry((), (), actor.access, registry=registry, fill=fill if quick else None)
    if not quick:
        fill(entry)
    _submit(desk, actor, ask, chosen, entry)
    ask.stages["keep"] = (time.perf_counter_ns() - begun) // 1000 - ask.stages["predict"]
    if entry.replay is None:
        _repeat(desk, actor, ask, chosen, rows, made)
        return made
    fingerprint, ids = entry.replay
    if not fingerprint:
        raise _erased()
    if fingerprint != ask.fingerprint:
        raise KeyReused(said("This Idempotency-Key was used with another request; use a new key."))
    ask.replayed = True
    return _read_back(actor, orjson.loads(ids))


def _submit(desk: Desk, actor: Actor, ask: Ask, chosen: Resolved, entry: Entry) -> None:
    """Commit an entry, as often as it takes to find caller and version unchanged since they were looked up."""
    for _ in range(ROUNDS):
        try:
            desk.commits.submit(entry)
            return
        except StaleAccess:
            actor = people.recheck(actor)
            _may_predict(actor)
            entry.access = actor.access
        except StaleVersion:
            pass
        desk.watch.numbers(fresh=True)
        experiment = ask.experiment
        found = _choose(desk, actor, ask)  # it may be closed to them now
        # Of the same version in another state, the answer may be from before it came back.
        moved = (found.version_id, found.revision, ask.experiment)
        if moved != (chosen.version_id, chosen.revision, experiment):
            raise _Moved(found)
        entry.error = None
        if entry.registry is not None:
            entry.registry = found.registry
    raise NotReady(said("Accounts or models are changing without pause; try again in a moment."))


def _read_back(actor: Actor, ids: list[str]) -> list[Made]:
    session().rollback()  # a snapshot from before the first request's commit would not show its records
    rows = session().execute(
        select(Prediction, ModelVersion).join(Prediction.version).where(Prediction.id.in_(ids))
    )
    found = {row.id: _made_again(actor, row, version) for row, version in rows}
    return [found[i] for i in ids]


def _erased() -> Conflict:
    return Conflict(said("The answer to this Idempotency-Key was erased; use a new key."))


def _made_again(actor: Actor, row: Prediction, version: ModelVersion) -> Made:
    if row.output is None:
        raise _erased()
    if row.state == "restricted" and not actor.sees_all:
        raise Conflict(said("The answer to this Idempotency-Key is restricted; ask an admin."))
    return Made(
        id=row.id,
        model=version.model.name,
        version=str(version.number),
        cached=row.cached,
        latency_us=row.latency_us,
        created_us=row.created_us,
        **orjson.loads(row.output),
    )
