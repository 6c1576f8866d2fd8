"""The engines that a model may be served by, side by side, for its publisher to pick from."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np

from webapp.errors import BadArtifact
from webapp.ml import metrics, students
from webapp.ml.compiler import compile_onnx
from webapp.ml.engines import Answers, Engine, OnnxEngine, SklearnEngine, decided
from webapp.ml.layout import Layout, Rows, framer
from webapp.ml.measuring import Times, serving, timed
from webapp.ml.parts import Form, Parts
from webapp.ml.quantising import quantised
from webapp.ml.sampling import KEPT_ROWS, Labelled, some
from webapp.ml.schema import Output
from webapp.wording import pack, said

#: Those that give the model's own answers, and those that come near them for less.
EXACT: Final = ("sklearn", "onnx")
NEAR: Final = ("onnx-float32", "onnx-int8", "pruned", "distilled")
#: What a publisher may ask for: the fastest of the exact ones, to be shown all of them first, or one by name.
WISHES: Final = ("auto", "ask", *EXACT, *NEAR)
#: A near one is offered if it takes so much of the time or room, and answers so many rows alike.
LESS: Final = 0.8
ALIKE: Final = 0.9
#: Rows that an engine's score is taken from, at most.
SCORED: Final = 5000

ABOUT: Final = {
    "sklearn": said("The estimator itself, in scikit-learn."),
    "onnx": said("The model as an ONNX graph, which answers alike."),
    "onnx-float32": said("The ONNX graph in single precision."),
    "onnx-int8": said("The ONNX graph with its weights as 8-bit integers."),
    "pruned": said("The fewest of its trees that answer nearly alike."),
    "distilled": said("One tree that has learned from its answers."),
}
NO_GAIN: Final = said("It is neither smaller nor faster.")
TOO_FAR: Final = said("It gives another answer too often.")
FAILS: Final = said("It fails on rows of the sample.")


class Shown(NamedTuple):
    """An engine as measured; `facts` is what the report says of it (see ml.reports)."""

    form: Form
    times: Times
    facts: dict[str, Any]


def near(parts: Parts) -> dict[str, Form]:
    """Forms that answer nearly as the model does, those that apply to it."""
    made = {}
    for name, graph, layout in chain(_smaller(parts), _students(parts)):
        try:
            engine = OnnxEngine(graph, layout, parts.schema.output)
        except BadArtifact:  # the runtime here does not take it
            continue
        made[name] = Form(engine, f"{name}.onnx", graph, layout)
    return made


def _smaller(parts: Parts) -> Iterator[tuple[str, bytes, Layout]]:
    if parts.single:
        yield "onnx-float32", *parts.single
    graph = parts.forms.get("onnx")
    of_floats = parts.single or (graph and (graph.data, graph.layout))
    if of_floats is None:
        return
    data, layout = of_floats
    try:
        small = quantised(data)
    except Exception:  # noqa: BLE001 — onnx raises anything for what it does not follow
        return
    if small is not None:
        yield "onnx-int8", small, layout


def _students(parts: Parts) -> Iterator[tuple[str, bytes, Layout]]:
    original = parts.forms.get("sklearn")
    if original is None or not isinstance(original.engine, SklearnEngine):
        return
    rows, layout = parts.sample.rows, original.layout
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about columns without names, which the trees do not need
            made = students.students(original.engine.estimator, framer(layout), rows)
    except Exception:  # noqa: BLE001 — a model is foreign code and may raise anything for a mixed row
        return
    for name, student in made.items():
        engine = SklearnEngine(student, layout, parts.schema.output)
        compiled = compile_onnx(engine, parts.schema, some(rows))
        if compiled.onnx is not None and compiled.layout is not None:
            yield name, compiled.onnx, compiled.layout
        elif compiled.single:  # it is not exact in any case, and is compared as it is
            yield name, *compiled.single


def beside(parts: Parts, output: Output, scored: Labelled, *, tested: bool) -> dict[str, Shown]:
    """Every engine that applies, measured and compared, the exact ones first.

    They are compared on rows that the model has not learned from: `scored` where it was `tested` on them, otherwise
    mixtures of the sample. Labels are those that `output` decides.
    """
    kept = some(parts.sample.rows)
    original = decided(parts.model.engine, output)
    compared = list(some(scored.rows)) if tested else students.mixed(parts.sample.rows, KEPT_ROWS, seed=1)
    expected = _tried(original, compared)
    if expected is None:  # of what the schema allows, a mixture may be what it has no answer for
        compared = list(kept)
        expected = original.answer(compared)
    some_scored = Labelled(scored.rows[:SCORED], scored.truth[:SCORED])
    shown = {}
    for name, form in ({**parts.forms, **near(parts)}).items():
        engine = decided(form.engine, output)
        answers = _tried(engine, compared)
        times = timed(engine, kept) if answers else Times(np.inf, np.inf)
        facts = {"name": name, "exact": name in EXACT, "bytes": len(form.data)} | _likeness(answers, expected)
        if answers:
            facts |= times.to_dict() | _score(engine, some_scored, output)
            facts["scored_on"] = "test data" if tested else "training data"
        shown[name] = Shown(form, times, facts)
    return _judged(shown)


def _tried(engine: Engine, rows: Rows) -> Answers | None:
    try:
        return engine.answer(rows)
    except Exception:  # noqa: BLE001 — a model is foreign code and may raise anything
        return None


def _likeness(answers: Answers | None, expected: Answers) -> dict[str, Any]:
    """`agree`: the share of rows answered alike; `largest`: difference of a probability, or of a value."""
    rows = len(expected[0])
    if answers is None:
        return {"rows": rows, "agree": 0.0}
    (values, shares), (true_values, true_shares) = answers, expected
    if shares is None and true_shares is None and isinstance(true_values[0], float):
        a, b = np.array(values, float).reshape(-1, 1), np.array(true_values, float).reshape(-1, 1)
        return {"rows": rows, "agree": students.alike(a, b), "largest": float(np.abs(a - b).max())}
    agree = sum(a == b for a, b in zip(values, true_values, strict=True)) / rows
    if shares is None or true_shares is None:
        return {"rows": rows, "agree": agree}
    return {
        "rows": rows,
        "agree": agree,
        "largest": float(np.abs(np.array(shares) - np.array(true_shares)).max()),
    }


def _score(engine: Engine, scored: Labelled, output: Output) -> dict[str, Any]:
    answers = _tried(engine, scored.rows)
    if answers is None:
        return {}
    name, value = metrics.main(output, scored.truth, *answers)
    return {} if value is None else {"score": value, "score_name": name}


def _judged(shown: dict[str, Shown]) -> dict[str, Shown]:
    """With what is offered, and why the rest is not."""
    exact = {name: one for name, one in shown.items() if name in EXACT}
    now = serving({name: one.times for name, one in exact.items()}, "")
    usual = [exact[now["one"]], exact[now["many"]]]
    for name, one in shown.items():
        saves = (
            len(one.form.data) < LESS * min(len(u.form.data) for u in usual)
            or one.times.one < LESS * usual[0].times.one
            or one.times.many < LESS * usual[1].times.many
        )
        reason = _unfit(one) or ("" if saves or one.facts["exact"] else NO_GAIN)
        one.facts["offered"] = not reason
        one.facts["reason"] = pack(reason or ABOUT[name])
    return shown


def _unfit(one: Shown) -> str:
    """Why it cannot serve at all; empty where it can."""
    if one.facts["exact"]:
        return ""
    if "one_us" not in one.facts:
        return FAILS
    return TOO_FAR if one.facts["agree"] < ALIKE else ""


def pick(shown: dict[str, Shown], wish: str) -> dict[str, Shown]:
    """What will serve, by the engine of the runtime; raises BadArtifact for what cannot.

    One that saves nothing may be had by its name: what it saves is measured, and not the same each time.
    """
    if wish in ("auto", "ask"):
        return {name: one for name, one in shown.items() if one.facts["exact"]}
    chosen = shown.get(wish)
    if chosen is None or _unfit(chosen):
        raise BadArtifact(
            said(
                "This model cannot be served by the engine {wish}; it can by {offered}, or by auto.",
                wish=wish,
                offered=", ".join(name for name, one in shown.items() if one.facts["offered"]),
            )
        )
    return {wish if wish in EXACT else "onnx": chosen}


def told(shown: dict[str, Shown], picked: dict[str, Shown], wish: str, reason: str) -> dict[str, Any]:
    """The manifest's `engines`: who serves, how fast, why, what there was to pick from, and what was picked."""
    named = wish in shown
    times = {name: one.times for name, one in picked.items()}
    return serving(times, ABOUT[wish] if named else reason) | {
        "options": [one.facts for one in shown.values()],
        "picked": wish if named else "auto",
    }
