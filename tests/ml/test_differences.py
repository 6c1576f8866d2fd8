from __future__ import annotations

from typing import Any

from webapp.ml.schema import Change, Schema, differences

NUMBER = {"kind": "number", "label": "Size"}


def schema(*features: dict[str, Any], **output: Any) -> Schema:
    """Features given by name and what is not usual of them."""
    usual = {"kind": "classification", "target": "y", "label": "Y"}
    classes = [{"value": value, "label": value} for value in ("a", "b")]
    return Schema.from_dict(
        {"features": [NUMBER | one for one in features], "output": usual | {"classes": classes} | output}
    )


def told(before: Schema, after: Schema) -> list[tuple[Any, ...]]:
    return [(c.feature, c.member, c.before, c.after) for c in differences(before, after)]


def test_the_same_schema_has_no_differences() -> None:
    assert differences(schema({"name": "size"}), schema({"name": "size"})) == []


def test_features_come_and_go() -> None:
    found = told(schema({"name": "size"}), schema({"name": "weight", "kind": "integer"}))
    assert found == [("size", "removed", "number", None), ("weight", "added", None, "integer")]


def test_every_member_that_changed_is_named() -> None:
    after = schema({"name": "size", "unit": "cm", "minimum": 2, "nullable": True})
    assert told(schema({"name": "size", "unit": "mm"}), after) == [
        ("size", "unit", "mm", "cm"),
        ("size", "nullable", False, True),
        ("size", "minimum", None, 2),
    ]


def test_a_learned_range_is_one_difference_and_an_example_none() -> None:
    before = schema({"name": "size", "learned": {"minimum": 1, "maximum": 2}, "example": 1.5})
    after = schema({"name": "size", "learned": {"minimum": 1, "maximum": 3}, "example": 2.5})
    assert told(before, after) == [("size", "learned", [1, 2], [1, 3])]


def test_values_come_and_go_and_get_other_words() -> None:
    kind = {"name": "colour", "kind": "category"}
    before = [{"value": "r", "label": "red"}, {"value": "g", "label": "green"}]
    after = [{"value": "r", "label": "crimson"}, {"value": "b", "label": "blue"}]
    assert told(schema(kind | {"choices": before}), schema(kind | {"choices": after})) == [
        ("colour", "choices_removed", ["green"], None),
        ("colour", "choices_added", None, ["blue"]),
        ("colour", "choices_renamed", ["red"], ["crimson"]),
    ]


def test_the_order_of_classes_is_that_of_probabilities_and_told() -> None:
    other = [{"value": "b", "label": "b"}, {"value": "a", "label": "a"}]
    found = differences(schema({"name": "size"}), schema({"name": "size"}, classes=other, label="Z"))
    assert found == [
        Change(None, "Z", "label", "Y", "Z"),
        Change(None, "Z", "choices_moved", ["a", "b"], ["b", "a"]),
    ]
