from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from webapp.errors import Problem
from webapp.ml.schema import Choice, Feature, Learned, Output, Schema
from webapp.web.forms import LANGUAGE, RESERVED, ModelForm

LENGTH = Feature("length", "number", "Length", unit="cm", minimum=0, maximum=30)
PAGES = Feature("pages", "integer", "Pages")
BOUGHT = Feature("bought", "boolean", "Bought", nullable=True)
COLOUR = Feature(
    "colour", "category", "Colour", choices=(Choice("red", "Red"), Choice("blue", "Blue")), closed=True
)
NOTE = Feature("note", "text", "Note", default="none", max_length=20)


def form(*features: Feature, **typed: str) -> ModelForm:
    return ModelForm(Schema(features, Output("regression", "y", "Y")), MultiDict(typed))


def portuguese(*features: Feature, **typed: str) -> ModelForm:
    return form(*features, **{LANGUAGE: "pt-BR"}, **typed)


def test_what_is_typed_becomes_a_row_of_the_right_types() -> None:
    made = form(
        LENGTH,
        PAGES,
        BOUGHT,
        COLOUR,
        NOTE,
        length=" 1.5 ",
        pages="7",
        bought="true",
        colour="red",
        note="a\r\nb",
    )
    assert made.valid()
    assert made.row == {"length": 1.5, "pages": 7, "bought": True, "colour": "red", "note": "a\nb"}


def test_an_empty_field_is_left_out_so_that_defaults_and_missing_values_apply() -> None:
    made = form(BOUGHT, NOTE, bought="", note="")
    assert made.valid()
    assert made.row == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0,5", "Length must be a number with a point for decimals; write 0.5"),
        ("nan", "Length must be a number with a point for decimals"),
        ("infinity", "Length must be a number with a point for decimals"),
        ("1e999", "Length is too large; give a number below 1.8e308"),
        ("1_000", "Length must be a number with a point for decimals"),
        ("٣", "Length must be a number with a point for decimals"),
        ("0x10", "Length must be a number with a point for decimals"),
        ("", "Length is required; give a number"),
    ],
)
def test_a_number_that_is_not_one_is_refused_with_a_sentence(text: str, said: str) -> None:
    made = form(LENGTH, length=text)
    assert not made.valid()
    assert made.problems == {"length": said}


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("-3", -3), ("3.0", 3)])
def test_whole_numbers_are_taken(text: str, value: int) -> None:
    made = form(PAGES, pages=text)
    assert made.valid()
    assert made.row == {"pages": value}


@pytest.mark.parametrize(
    ("choices", "words"), [((), "Yes or No"), ((Choice(True, "Paid"), Choice(False, "Open")), "Paid or Open")]
)
def test_a_missing_answer_is_asked_for_in_the_words_of_the_form(
    choices: tuple[Choice, ...], words: str
) -> None:
    made = form(Feature("paid", "boolean", "Paid", choices=choices), paid="")
    assert not made.valid()
    assert made.problems == {"paid": f"Paid is required; choose {words}"}


POINT, COMMA = (f"Length must be a number with a {word} for decimals" for word in ("point", "comma"))


@pytest.mark.parametrize(
    ("text", "english", "brazilian"),
    [
        ("0.5", 0.5, f"{COMMA}; write 0,5"),
        ("0,5", f"{POINT}; write 0.5", 0.5),
        ("1.234", 1.234, f"{COMMA}; write 1,234, or 1234 if thousands are meant"),
        ("1,234", f"{POINT}; write 1.234, or 1234 if thousands are meant", 1.234),
        ("1.234,5", f"{POINT}; write 1234.5", f"{COMMA}; write 1234,5"),
        ("1,234.5", f"{POINT}; write 1234.5", f"{COMMA}; write 1234,5"),
        ("1.234.567", f"{POINT}; write 1234567", f"{COMMA}; write 1234567"),
        ("1 234", f"{POINT}; write 1234", f"{COMMA}; write 1234"),
        ("1\u202f234,5", f"{POINT}; write 1234.5", f"{COMMA}; write 1234,5"),
        ("0,123", f"{POINT}; write 0.123", 0.123),
        ("-1", -1.0, -1.0),
        ("\u22121", -1.0, -1.0),
        ("1e3", 1000.0, 1000.0),
        ("1,5e3", f"{POINT}; write 1.5e3", 1500.0),
        ("5,", f"{POINT}; write 5", 5.0),
        ("1,,5", POINT, COMMA),
        ("1'000'", POINT, COMMA),
    ],
)
def test_a_number_means_the_same_or_is_refused_with_a_hint(
    text: str, english: float | str, brazilian: float | str
) -> None:
    length = Feature("length", "number", "Length")
    for made, wanted in ((form(length, length=text), english), (portuguese(length, length=text), brazilian)):
        if isinstance(wanted, str):
            assert not made.valid()
            assert made.problems == {"length": wanted}
        else:
            assert made.valid()
            assert made.row == {"length": wanted}


@pytest.mark.parametrize(
    ("text", "hint"),
    [("1.234", "; write 1234"), ("1,234", "; write 1234"), ("1.000", "; write 1000"), ("3.5", "")],
)
def test_a_whole_number_takes_no_signs_between_thousands(text: str, hint: str) -> None:
    for make in (form, portuguese):
        made = make(PAGES, pages=text)
        assert not made.valid()
        assert made.problems == {"pages": f"Pages must be a whole number, in digits only{hint}"}


@pytest.mark.parametrize(
    ("text", "at"), [("1", 10), ("3", 90), ("2", 50), ("99", 100), ("-9", 0), ("x", None), ("nan", None)]
)
def test_a_mark_stands_on_the_band(text: str, at: float | None) -> None:
    [field] = form(Feature("x", "number", "X", learned=Learned(1, 3)), x=text).fields()
    assert field.mark == at


@pytest.mark.parametrize(
    ("limits", "low", "high", "step"),
    [
        ({"learned": Learned(1.0, 6.9)}, 0.2, 7.7, 0.1),
        ({"learned": Learned(1.0, 6.9), "minimum": 0.5, "maximum": 7}, 0.5, 7.0, 0.1),
        ({"minimum": 0, "maximum": 10}, 0.0, 10.0, 0.1),
        ({"learned": Learned(0.0001, 0.0042)}, -0.00042, 0.00472, 1e-5),
    ],
)
def test_a_slider_goes_a_little_beyond_what_was_learned_and_never_beyond_what_is_allowed(
    limits: dict[str, Any], low: float, high: float, step: float
) -> None:
    [field] = form(Feature("x", "number", "X", **limits)).fields()
    assert field.scale
    assert (field.scale.low, field.scale.high, field.scale.step) == pytest.approx((low, high, step), rel=0.1)


@pytest.mark.parametrize("limits", [{}, {"minimum": 0}, {"learned": Learned(2, 2)}, {"learned": Learned()}])
def test_without_a_range_there_is_no_slider(limits: dict[str, Any]) -> None:
    [field] = form(Feature("x", "number", "X", **limits)).fields()
    assert field.scale is None


def choices(n: int, label: str = "c") -> tuple[Choice, ...]:
    return tuple(Choice(f"{label}{i}", f"{label}{i}") for i in range(n))


@pytest.mark.parametrize(
    ("feature", "widget"),
    [
        (BOUGHT, "segments"),
        (Feature("c", "category", "C", choices=choices(5)), "segments"),
        (Feature("c", "category", "C", choices=choices(5, "a rather long name ")), "select"),
        (Feature("c", "category", "C", choices=choices(30)), "select"),
        (Feature("c", "category", "C", choices=choices(31), closed=True), "list"),
        (LENGTH, "number"),
        (NOTE, "text"),
    ],
)
def test_a_field_is_drawn_as_what_suits_its_values(feature: Feature, widget: str) -> None:
    assert form(feature).fields()[0].widget == widget


def test_a_long_closed_list_takes_its_words_and_nothing_else() -> None:
    feature = Feature("c", "category", "C", choices=(*choices(40), Choice("x", "Other one")), closed=True)
    for text, value in (("c7", "c7"), ("Other one", "x"), ("other ONE", "x")):
        made = form(feature, c=text)
        assert made.valid() and made.row == {"c": value}
    assert not form(feature, c="c99").valid()


@pytest.mark.parametrize(
    ("names", "headings"),
    [
        ("mean_a mean_b mean_c a_error b_error c_error", ["Mean", "Error"]),
        ("sepal_length sepal_width petal_length petal_width", [""]),  # two each: too few to need it
        ("age income mean_a mean_b mean_c", [""]),
        ("in_a out_a in_b out_b in_c out_c in_d", [""]),  # not side by side
        ("pixel_0 pixel_1 pixel_2 pixel_3", [""]),
        ("home_x1 home_x2 home_x3 away_x1 away_x2 away_x3", ["Home", "Away"]),
    ],
)
def test_names_that_begin_or_end_alike_make_groups_or_none_are_made(names: str, headings: list[str]) -> None:
    made = form(*(Feature(name, "number", name) for name in names.split()))
    assert [heading for heading, _ in made.groups()] == headings


def test_groups_of_the_schema_stand_in_the_order_in_which_they_begin() -> None:
    made = form(
        *(Feature(n, "number", n, group=g) for n, g in (("a", "G"), ("b", None), ("c", "H"), ("d", "G")))
    )
    groups = [(heading, [f.feature.name for f in fields]) for heading, fields in made.groups()]
    assert groups == [("G", ["a", "d"]), ("", ["b"]), ("H", ["c"])]


def test_what_a_form_shows_can_be_sent_back_in_either_notation() -> None:
    features = (LENGTH, PAGES, COLOUR, Feature("rate", "category", "Rate", choices=(Choice(1.5, "1.5"),)))
    row = {"length": 0.1 + 0.2, "pages": 12, "colour": "blue", "rate": 1.5}
    for make in (form, portuguese):
        shown = make(*features)
        shown.fill(row)
        again = make(*features, **{field.name: field.text for field in shown.fields()})
        assert again.valid()
        assert again.row == row
    assert [field.text for field in shown.fields()] == ["0,30000000000000004", "12", "blue", "1,5"]


def test_a_language_that_is_none_of_ours_is_that_of_the_page() -> None:
    typed = MultiDict({LANGUAGE: "xx", "length": "0,5"})
    assert ModelForm(Schema((LENGTH,), Output("regression", "y", "Y")), typed, "pt-BR").valid()


def test_a_feature_called_subject_is_not_the_reference() -> None:
    made = form(Feature("subject", "number", "Subject"), subject="x")
    made.refuse([Problem("#/subject", "is long")])
    assert not made.valid()
    assert [place for place, _ in made.summary()] == ["#f0", "#subject"]


@pytest.mark.parametrize("text", ["3.5", "1e3", "three", "9" * 5000])
def test_what_is_not_whole_is_refused(text: str) -> None:
    assert not form(PAGES, pages=text).valid()


def test_every_problem_is_found_at_once() -> None:
    made = form(LENGTH, PAGES, COLOUR, length="-1", pages="x", colour="green")
    assert not made.valid()
    assert set(made.problems) == {"length", "pages", "colour"}


def test_problems_are_listed_in_the_order_of_the_fields() -> None:
    made = form(LENGTH, PAGES, COLOUR, length="-1", pages="x", colour="green")
    made.refuse([Problem("#/subject", "is long")])
    assert not made.valid()
    assert [place for place, _ in made.summary()] == ["#f0", "#f1", "#f2", "#subject"]


def test_what_was_typed_is_kept() -> None:
    made = form(LENGTH, length="0,5")
    made.valid()
    assert [field.text for field in made.fields()] == ["0,5"]


def test_a_feature_named_like_a_field_of_the_page_gets_another_name() -> None:
    features = [Feature(name, "text", name) for name in (*sorted(RESERVED), "feature-csrf_token")]
    made = form(*features)
    fields = list(made.names.values())
    assert len(set(fields)) == len(fields)
    assert not set(fields) & RESERVED
    assert made.names["feature-csrf_token"] == "feature-csrf_token"


def test_a_name_of_several_lines_is_one_that_a_browser_sends_back() -> None:
    made = form(*(Feature(name, "text", name) for name in ("a\nb", "a b", "a\r\nb")))
    assert list(made.names.values()) == ["feature-a b", "a b", "feature-feature-a b"]


@pytest.mark.parametrize("name", ["data", "errors", "a b", "a/b", "~", "é", "populate_obj", "a[0]"])
def test_odd_feature_names_keep_their_value_and_their_problem(name: str) -> None:
    feature = Feature(name, "number", "Odd", maximum=1)
    right, wrong = form(feature, **{name: "1"}), form(feature, **{name: "2"})
    assert right.valid()
    assert right.row == {name: 1.0}
    assert not wrong.valid()
    assert set(wrong.problems) == {name}


def test_a_problem_found_later_lands_beside_its_field() -> None:
    made = form(Feature("a/b", "text", "A"), **{"a/b": "x"})
    made.refuse([Problem("#/inputs/a~1b", "is wrong"), Problem("#/subject", "is long")])
    assert (made.problems, made.besides) == ({"a/b": "is wrong"}, {"subject": "is long"})
    assert made.summary() == [("#f0", "is wrong"), ("#subject", "The reference is long")]


def test_choices_that_are_numbers_come_back_as_numbers() -> None:
    made = form(
        Feature("sex", "integer", "Sex", choices=(Choice(1, "one"), Choice(2, "two")), closed=True), sex="2"
    )
    assert made.valid()
    assert made.row == {"sex": 2}


def test_values_survive_the_way_into_the_form_and_back() -> None:
    features = (LENGTH, PAGES, BOUGHT, COLOUR, NOTE)
    row = {"length": 0.1 + 0.2, "pages": 12, "bought": False, "colour": "blue", "note": "x"}
    shown = form(*features)
    shown.fill(row)
    again = form(*features, **{field.name: field.text for field in shown.fields()})
    assert again.valid()
    assert again.row == row


@given(st.fixed_dictionaries({f.name: st.text() for f in (LENGTH, PAGES, BOUGHT, COLOUR, NOTE)}))
def test_no_text_breaks_the_form(typed: dict[str, str]) -> None:
    made = form(LENGTH, PAGES, BOUGHT, COLOUR, NOTE, **typed)
    made.valid()
    made.fingerprint()
