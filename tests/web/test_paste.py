from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.ml.schema import Choice, Feature
from webapp.web.forms.notation import Notation
from webapp.web.forms.paste import LONGEST, read

LENGTH = Feature("petal_length", "number", "Petal length", unit="cm")
WIDTH = Feature("petal_width", "number", "Petal width", unit="cm")
COLOUR = Feature("colour", "category", "Colour", choices=(Choice("red", "Red"), Choice("na", "N/A")))
FRESH = Feature("fresh", "boolean", "Fresh")
ALL = (LENGTH, WIDTH, COLOUR, FRESH)
POINT, COMMA = Notation("."), Notation(",")


@pytest.mark.parametrize(
    "text",
    [
        "1.4\t0.2\tred\tyes",
        "1.4;0.2;red;TRUE\n",
        "1.4,0.2,red,1",
        '"1.4","0.2","red","Sim"\r\n',
        "1.4 cm\t0.2cm\tred\ttrue",
        "colour\tPetal length (cm)\tpetal_width\tFresh\nred\t1.4\t0.2\tyes",
        "petal_length\t1.4\npetal_width\t0.2\ncolour\tred\nfresh\tyes",
    ],
)
def test_a_row_is_taken_apart_whatever_it_comes_from(text: str) -> None:
    texts = read(ALL, text, POINT).texts
    assert texts == {"petal_length": "1.4", "petal_width": "0.2", "colour": "red", "fresh": "true"}


def test_headings_that_are_no_feature_are_named_and_features_without_one_left_alone() -> None:
    found = read(ALL, "id,petal width,species\n7,0.2,setosa\n8,0.3,setosa", POINT)
    assert found.heading
    assert found.texts == {"petal_width": "0.2"}
    assert (found.strangers, found.more) == (["id", "species"], 1)


def test_cells_beyond_the_last_feature_are_counted() -> None:
    found = read((LENGTH, WIDTH), "1\t2\t3\t4", POINT)
    assert (found.texts, found.spare) == ({"petal_length": "1", "petal_width": "2"}, 2)


def test_a_row_of_numbers_is_no_heading() -> None:
    assert not read((LENGTH, WIDTH), "1\t2\n3\t4", POINT).heading


@pytest.mark.parametrize(
    ("text", "texts", "sign"),
    [
        ("1,4;0,2", ["1,4", "0,2"], ","),
        ("1,4\t0,2", ["1,4", "0,2"], ","),
        ("1.4,0.2", ["1,4", "0,2"], "."),
        ("1.4;0.2", ["1,4", "0,2"], "."),
        ("1.400;0.2", ["1.400", "0.2"], ","),  # a point may part thousands: refused beside the field
        ("1.4;0,2", ["1.4", "0,2"], ","),
        ("1,4\n0,2", ["1,4", "0,2"], ","),
        ("1,4", ["1,4"], ","),
    ],
)
def test_where_commas_part_decimals_they_part_cells_only_in_rows_with_points(
    text: str, texts: list[str], sign: str
) -> None:
    found = read((LENGTH, WIDTH), text, COMMA)
    assert (list(found.texts.values()), found.sign) == (texts, sign)


@pytest.mark.parametrize("cell", ["", "NA", "nan", "NULL", "–"])
def test_what_stands_for_nothing_empties_the_field(cell: str) -> None:
    assert read((LENGTH, WIDTH), f"{cell}\t1", POINT).texts["petal_length"] == ""


def test_a_category_that_looks_like_nothing_is_kept() -> None:
    assert read((COLOUR,), "na", POINT).texts == {"colour": "na"}


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    for notation in (POINT, COMMA):
        read(ALL, text, notation)


@pytest.mark.parametrize("text", ["", " \n\t\n", '"' * 200_000, "x," * LONGEST])
def test_odd_texts_are_read_without_harm(text: str) -> None:
    read(ALL, text, POINT)


@pytest.mark.parametrize(
    "text", ["(" * 60_000, " " * 60_000, "a" + " " * 60_000 + "b", "[" * 200 + "\t" + "(" * 60_000]
)
def test_no_heading_takes_long_to_look_at(text: str) -> None:
    begun = time.process_time()
    read((LENGTH, WIDTH), text, POINT)
    assert time.process_time() - begun < 0.5
