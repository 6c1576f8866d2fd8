"""Which records are meant: the same words for a page, a report and a program."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import JSON, ColumnElement, and_, case, cast, func, literal_column, not_, or_, select

from webapp.db import Model, ModelVersion, Prediction, User
from webapp.db.base import session
from webapp.db.predictions import RARE, SHADOW, STATES
from webapp.db.reviews import ACTIONS
from webapp.errors import InvalidInput, Problem, meant, pointer_token, printable
from webapp.ml.schema.images import BEGINNINGS
from webapp.services.people import Actor
from webapp.wording import said

LARGEST_VERSION = 2**31 - 1
LONGEST = 200
MOST_NAMED = 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Later ones would leave no room for the end of a day, or for turning them into another zone.
FIRST_US, END_US = 0, int(datetime(9999, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
DAY_US = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Filters:
    """Which records; every condition given must hold. Times are microseconds UTC, `until_us` not included."""

    model: str | None = None
    version: int | None = None
    label: str | None = None
    user: str | None = None
    channel: str | None = None
    subject: str | None = None
    #: The id of a batch.
    job: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    #: Whether the answer carries warnings.
    warned: bool | None = None
    #: active, restricted or erased.
    state: str | None = None
    #: Whether, or with which action, somebody has reviewed it.
    reviewed: bool | str | None = None
    #: Whether the truth is known, or with which verdict.
    outcome: bool | str | None = None
    #: Probability of the answer, both ends included.
    least: float | None = None
    most: float | None = None
    #: Beginning of an id, or a part of the subject, the label or a value of the inputs.
    q: str | None = None

    @classmethod
    def read(cls, query: Mapping[str, str], *, besides: Collection[str] = ()) -> Filters:
        """From the words of a URL query, WORDS.

        `from` and `to` are RFC 3339 dates or times; a date alone is a whole UTC day. Words in `besides`
        are the route's own. Raises InvalidInput naming every word that can not be understood, and the first of
        a pair that is beyond the second.
        """
        strangers = [word for word in query if word not in _WORDS and word not in besides]
        problems = [_stranger(word, [*_WORDS, *besides]) for word in strangers[:MOST_NAMED]]
        read: dict[str, Any] = {}
        for word, (field, reader) in _WORDS.items():
            text = query.get(word, "")
            if word not in _EXACT:
                text = text.strip()
            if not text:
                continue
            try:
                read[field] = reader(text)
            except ValueError as error:
                problems.append(Problem(f"#/{word}", error.args[0] if type(error) is _Unclear else _TIME))
        if {"since_us", "until_us"} <= read.keys():
            last_us = max(read["until_us"] - 1, _since(query["to"].strip()))  # a day's, or the moment itself
            if read["since_us"] > last_us:
                problems.append(
                    Problem("#/from", said("is after the end of the period; give an earlier one"))
                )
        if read.get("least", 0) > read.get("most", 1):
            problems.append(
                Problem("#/score_from", said("is more than the largest one asked for; give a smaller one"))
            )
        if problems:
            raise InvalidInput(problems)
        return cls(**read)


def matching(actor: Actor, filters: Filters) -> list[ColumnElement[bool]]:
    """The conditions on `Prediction` that a filter means for this actor.

    What is restricted does not exist for who does not see all.
    """
    conditions: list[ColumnElement[bool]] = []
    if not actor.sees_all:
        conditions += [Prediction.user_id == actor.id, Prediction.state != "restricted"]
    if filters.channel != SHADOW or not actor.sees_all:
        conditions.append(Prediction.channel != SHADOW)  # which nobody was answered
    if filters.model is not None:
        model = select(Model.id).where(Model.name == filters.model)
        conditions.append(Prediction.model_id == model.scalar_subquery())
    if filters.version is not None:
        versions = select(ModelVersion.id).where(ModelVersion.number == filters.version)
        conditions.append(Prediction.version_id.in_(versions))
    if filters.user is not None:
        user = select(User.id).where(User.username == filters.user)
        conditions.append(Prediction.user_id == user.scalar_subquery())
    if filters.job is not None:
        # Written out, because a planner uses a partial index only where it sees the index's own condition.
        conditions += [Prediction.request_id == filters.job, Prediction.channel == literal_column("'batch'")]
    for column, wanted in (
        (Prediction.label, filters.label),
        (Prediction.channel, filters.channel),
        (Prediction.subject, filters.subject),
    ):
        if wanted is not None:
            conditions.append(column == wanted)
    if filters.since_us is not None:
        conditions.append(Prediction.created_us >= filters.since_us)
    if filters.until_us is not None:
        conditions.append(Prediction.created_us < filters.until_us)
    conditions += _states(filters)
    return conditions + ([_mentions(filters.q)] if filters.q else [])


def _rare(name: str) -> ColumnElement[bool]:
    # A partial index serves only a query that has its condition word by word.
    return literal_column(f"predictions.{RARE[name]}")


def _states(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.warned is not None:
        conditions.append(_rare("warned") if filters.warned else Prediction.warned == 0)
    if filters.state is not None:
        conditions.append(Prediction.state == filters.state)
        if filters.state != "active":
            conditions.append(_rare("inactive"))
    for column, wanted in ((Prediction.review, filters.reviewed), (Prediction.outcome, filters.outcome)):
        if wanted is not None:
            told = column.is_not(None) if wanted else column.is_(None)
            conditions.append(column == wanted if isinstance(wanted, str) else told)
    if filters.least is not None:
        conditions.append(Prediction.score >= filters.least)
    if filters.most is not None:
        conditions.append(Prediction.score <= filters.most)
    return conditions


def _mentions(text: str) -> ColumnElement[bool]:
    parts = (Prediction.subject, Prediction.label)
    # Kept with a point; a page in Portuguese shows a comma.
    values = [text, text.replace(",", ".")] if _COMMA.fullmatch(text) else [text]
    return or_(
        Prediction.id.startswith(text, autoescape=True),
        *(part.icontains(text, autoescape=True) for part in parts),
        *map(_given, values),
    )


def _given(text: str) -> ColumnElement[bool]:
    """Whether a value, as received, has `text` in it; the names of the features do not count."""
    if session().get_bind().dialect.name == "sqlite":
        each = func.json_each(Prediction.inputs, "$.received").table_valued("value", "type")
        value: ColumnElement[Any] = case(
            (each.c.type.in_(("true", "false")), each.c.type), else_=each.c.value
        )
    else:
        each = func.json_each_text(cast(Prediction.inputs, JSON)["received"]).table_valued("key", "value")
        value = each.c.value
    images = [
        value.startswith(beginning) for beginning in BEGINNINGS
    ]  # whose base64 holds any short text somewhere
    # Looked for in the text first, as JSON writes it, so that few records have to be taken apart.
    written = Prediction.inputs.icontains(orjson.dumps(text).decode()[1:-1], autoescape=True)
    return and_(written, select(1).where(value.icontains(text, autoescape=True), not_(or_(*images))).exists())


def _stranger(word: str, known: list[str]) -> Problem:
    hint = meant(word, known) or said("; there are {listed}", listed=", ".join(known))
    return Problem(f"#/{pointer_token(word)}", said("is not a filter{hint}", hint=hint))


class _Unclear(ValueError):
    """A word of a query that can not be understood; the message says what to give."""


_TIME = said("must be a date or time such as 2026-03-31 or 2026-03-31T09:30:00Z")
_YEARS = said("must be in the years 1970 to 9998 (UTC)")


def _text(text: str) -> str:
    if len(text) > LONGEST or printable(text) != text:  # the rule that class labels are held to
        raise _Unclear(said("must be plain text of at most {most} characters", most=LONGEST))
    return text


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= LARGEST_VERSION):
        raise _Unclear(said("must be the number of a version, such as 3"))
    return int(text)


def _since(text: str) -> int:
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    microseconds = (aware - EPOCH) // timedelta(microseconds=1)
    if not FIRST_US <= microseconds < END_US:
        raise _Unclear(_YEARS)
    return microseconds


def time_of(text: str, pointer: str) -> int:
    """A time as filters take it, microseconds UTC; raises InvalidInput."""
    try:
        return _since(text)
    except _Unclear as error:
        raise InvalidInput([Problem(pointer, error.args[0])]) from error
    except ValueError as error:
        raise InvalidInput([Problem(pointer, _TIME)]) from error


def _until(text: str) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return _since(text)
    return _since(day.isoformat()) + DAY_US


def _one_of(**readings: Any) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if text not in readings:
            raise _Unclear(said("must be one of {words}", words=", ".join(readings)))
        return readings[text]

    return read


def _share(text: str) -> float:
    plain = text.replace(",", ".")  # between 0 and 1 no comma can part thousands
    share = float(plain) if _SHARE.fullmatch(plain) else -1.0
    if not 0 <= share <= 1:
        raise _Unclear(said("must be a probability from 0 to 1, such as 0.8"))
    return share


_COMMA = re.compile(r"-?[0-9]*,[0-9]+")
_SHARE = re.compile(r"[0-9]{0,3}\.?[0-9]{0,17}(?<=[0-9])")


#: Spaces count in these: they have to be what was given with the prediction.
_EXACT = frozenset({"label", "subject"})
_WORDS = {
    **{word: (word, _text) for word in ("model", "label", "user", "channel", "subject", "job", "q")},
    "version": ("version", _version),
    "from": ("since_us", _since),
    "to": ("until_us", _until),
    "warned": ("warned", _one_of(yes=True, no=False)),
    "state": ("state", _one_of(**{state: state for state in STATES})),
    "reviewed": ("reviewed", _one_of(yes=True, no=False, **{action: action for action in ACTIONS})),
    "outcome": ("outcome", _one_of(yes=True, no=False, agrees="agrees", differs="differs")),
    "score_from": ("least", _share),
    "score_to": ("most", _share),
}
#: The words of a query, as `Filters.read` takes them.
WORDS = tuple(_WORDS)
