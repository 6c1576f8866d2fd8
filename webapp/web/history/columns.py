"""Which columns the list shows, and an export holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from flask_babel import gettext, lazy_gettext

from webapp.errors import meant
from webapp.services.people import Actor
from webapp.web.addresses import FEATURE

#: Every column but those of features; when is the way to the record and always there.
COLUMNS = {
    "when": lazy_gettext("When"),
    "model": lazy_gettext("Model"),
    "answer": lazy_gettext("Answer"),
    "score": lazy_gettext("Probability"),
    "asked": lazy_gettext("Asked with"),
    "reference": lazy_gettext("Reference"),
    "warnings": lazy_gettext("Warnings"),
    "review": lazy_gettext("Review"),
    "outcome": lazy_gettext("Outcome"),
    "by": lazy_gettext("By"),
    "channel": lazy_gettext("Channel"),
    "latency": lazy_gettext("Latency"),
    "engine": lazy_gettext("Engine"),
    "state": lazy_gettext("State"),
    "request": lazy_gettext("Request"),
    "record": lazy_gettext("Record"),
}
USUAL = ("when", "model", "answer", "asked", "warnings", "by", "channel", "record")
#: Beyond these a row is too wide to read, or a file to open.
MOST = 40


class Chosen(NamedTuple):
    """The words of the columns, in their order; `left_out`: features that the model looked at does not have."""

    words: tuple[str, ...]
    left_out: tuple[str, ...]
    problem: str
    #: False while nobody has chosen.
    own: bool


def usual(actor: Actor) -> tuple[str, ...]:
    """What is shown until somebody chooses; whoever sees only their own needs no column that says so."""
    return tuple(word for word in USUAL if word != "by" or actor.sees_all)


def choose(texts: Sequence[str], actor: Actor, features: Collection[str]) -> Chosen:
    """The columns that an address asks for, each word of it a column or several with commas between."""
    asked = [
        word for text in texts if text for word in ([text] if _known(text, features) else text.split(","))
    ]
    strangers = [w for w in asked if not _known(w, features) and not w.startswith(FEATURE)]
    problem = ""
    if strangers:
        hint = meant(strangers[0], COLUMNS)
        names = ", ".join([*COLUMNS, f"{FEATURE}…"])
        problem = gettext("has no “%(word)s”", word=strangers[0][:60]) + (
            hint or gettext("; there are %(names)s", names=names)
        )
    elif len(asked) > MOST:
        problem = gettext("may name %(most)s at most", most=MOST)
    known = dict.fromkeys(w for w in asked if _known(w, features))
    left_out = [w.removeprefix(FEATURE) for w in asked if w.startswith(FEATURE) and w not in known]
    if not known or problem:
        return Chosen(usual(actor), tuple(left_out), problem, own=False)
    fixed = [w for w in COLUMNS if w in known or w == "when"]
    return Chosen((*fixed, *(w for w in known if w.startswith(FEATURE))), tuple(left_out), "", own=True)


def _known(word: str, features: Collection[str]) -> bool:
    return word in COLUMNS or (word.startswith(FEATURE) and word.removeprefix(FEATURE) in features)
