from __future__ import annotations

import json
from typing import Any

import pytest

from webapp.wording import Figure, Said, in_words, pack, said, said_n, unpack


def again(text: str) -> str:
    return unpack(json.loads(json.dumps(pack(text))), 2000)


@pytest.mark.parametrize(
    "text",
    [
        "A plain one.",
        said("One without values, 100 % so."),
        said("{name} has {n} rows.", name="x", n=3),
        said("{where}: {problem}", where="a", problem=said("no “{name}”{hint}", name="b", hint=said("; so"))),
        said("{share} of them", share=Figure("0.5")),
        said_n("{n} row", "{n} rows", n=1),
        said_n("{n} row", "{n} rows", n=2),
        said_n("the row", "all {n} rows", n=1),
    ],
)
def test_a_sentence_on_file_can_still_be_said_in_another_language(text: str) -> None:
    kept = again(text)
    assert (kept, type(kept)) == (text, type(text))
    if isinstance(text, Said) and isinstance(kept, Said):
        assert (kept.template, kept.plural, kept.values) == (text.template, text.plural, text.values)


def test_a_figure_on_file_is_still_written_as_its_reader_does() -> None:
    shown = in_words(again(said("{share} of them", share=Figure("0.5"))), lambda t, *_: t, lambda f: f + "!")
    assert shown == "0.5! of them"


HOSTILE = {
    "an attribute": ["{x.__class__}", {"x": "1"}],
    "an attribute as a name": ["{x.__class__}", {"x.__class__": "1"}],
    "an index": ["{x[0]}", {"x": "1"}],
    "a place": ["{0}", {"0": "1"}],
    "no name": ["{}", {"": "1"}],
    "a conversion": ["{x!r}", {"x": "1"}],
    "a width": ["{x:999999999}", {"x": "1"}],
    "a width from a value": ["{x:{y}}", {"x": "1", "y": 9}],
    "an open brace": ["{x", {"x": "1"}],
    "no value": ["{x}", {}],
    "another value": ["{x}", {"x": "1", "y": "2"}],
    "no template": ["", {}],
    "a number for a template": [1, {}],
    "a list for values": ["x", [1]],
    "nothing but a template": ["x"],
    "too much": ["x", {}, "y", "z"],
    "a number": 3,
    "nothing": None,
    "another object": {"figure": "1", "more": "2"},
    "a figure that is none": {"figure": 1},
    "a value of another kind": ["{x}", {"x": None}],
    "a list for a value": ["{x}", {"x": [1, 2]}],
    "a number without end": ["{x}", {"x": float("inf")}],
    "a number that JSON does not keep": ["{x}", {"x": 10**30}],
    "not a number": ["{x}", {"x": float("nan")}],
    "an attribute within": ["{x}", {"x": ["{y.__class__}", {"y": "1"}]}],
    "too deep": ["{x}", {"x": ["{x}", {"x": ["{x}", {"x": ["x", {}]}]}]}],
    "too many values": ["".join(f"{{x{i}}}" for i in range(9)), {f"x{i}": "1" for i in range(9)}],
    "a plural that asks for more": ["{n}", {"n": 2}, "{n.real}"],
    "a plural without its number": ["x", {}, "y"],
    "a long template": ["x" * 3000, {}],
    "a long value": ["{x}", {"x": "x" * 3000}],
    "a value that often": ["{x}" * 600, {"x": "x" * 10}],
    "a long text": "x" * 3000,
    "a long figure": {"figure": "1" * 3000},
}


@pytest.mark.parametrize("kept", HOSTILE.values(), ids=HOSTILE)
def test_nothing_else_is_taken_for_a_sentence(kept: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpack(kept, 2000)


def test_what_is_nested_without_end_is_no_sentence() -> None:
    kept: Any = "x"
    for _ in range(500):
        kept = ["{x}", {"x": kept}]
    with pytest.raises(ValueError, match="not a sentence"):
        unpack(kept)
