"""Rows as clients of other servers send them: objects, lists in the order of the features, columns, or split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webapp.errors import InvalidInput, Problem, printable
from webapp.ml.schema import Schema
from webapp.wording import said

Row = dict[str, Any]
#: Columns beyond those of the model that an answer names.
MOST_NAMED = 100
SPLIT = frozenset({"columns", "index", "data"})


def by_row(given: Any, schema: Schema) -> list[Any]:
    """One row an item: an object, a list of all values, or the one value of a model with one feature.

    Raises InvalidInput (`#/instances/0`).
    """
    if type(given) is not list:
        raise InvalidInput([Problem("#", said("the rows must be a list"))])
    return [_row(one, schema.names, n) for n, one in enumerate(given)]


def by_column(given: Any, schema: Schema) -> list[Any]:
    """One list for each name, all as long as the first, with one value a row or a list of one.

    An object of single values is one row; a list is read as rows, any other value as the only one. Raises InvalidInput.
    """
    if type(given) is not dict:
        return by_row(given if type(given) is list else [given], schema)
    kinds = {type(column) is list for column in given.values()}
    if kinds == {False}:
        return [given]
    if len(kinds) > 1 or len({len(column) for column in given.values()}) > 1:
        raise InvalidInput([Problem("#/inputs", said("must hold lists of one length, one for each column"))])
    columns = [[v[0] if type(v) is list and len(v) == 1 else v for v in column] for column in given.values()]
    return _zipped(list(given), columns)


def split(given: Any, schema: Schema) -> list[Any]:
    """`data`, a list of lists, under the names of `columns` or in the order of the features: as pandas splits a frame.

    Raises InvalidInput (`#/dataframe_split/columns`).
    """
    if type(given) is not dict or "data" not in given or not given.keys() <= SPLIT:
        told = said("must be an object with data and, if you like, columns and index")
        raise InvalidInput([Problem("#/dataframe_split", told)])
    columns = given.get("columns")
    if columns is None:
        return by_row(given["data"], schema)
    texts = type(columns) is list and all(type(name) is str for name in columns)
    if not texts or len(set(columns)) != len(columns):
        told = said("must be a list of names, none of them twice")
        raise InvalidInput([Problem("#/dataframe_split/columns", told)])
    if type(given["data"]) is not list:
        raise InvalidInput([Problem("#/dataframe_split/data", said("must be a list of lists"))])
    return [_listed(one, columns, n) for n, one in enumerate(given["data"])]


def fitted(rows: list[Any], schema: Schema) -> list[Any]:
    """The rows as JSON can say them: None for NaN, whole numbers for categories that are whole.

    pandas makes floats of whole numbers as soon as one of a column is missing.
    """
    whole = {f.name for f in schema.features if f.choices and {type(c.value) for c in f.choices} == {int}}
    return [_fitted(row, whole) if type(row) is dict else row for row in rows]


def known_only(rows: list[Any], schema: Schema) -> tuple[list[Any], list[str]]:
    """The rows without what is no feature, and the names of that."""
    known, unused = frozenset(schema.names), dict[str, None]()
    found = []
    for row in rows:
        if type(row) is dict and not row.keys() <= known:
            unused.update({name: None for name in row if name not in known})
            row = {name: value for name, value in row.items() if name in known}
        found.append(row)
    return found, [printable(name)[:60] for name in list(unused)[:MOST_NAMED]]


def _row(one: Any, names: Sequence[str], n: int) -> Row:
    if type(one) is dict:
        return one
    return _listed([one] if type(one) is not list and len(names) == 1 else one, names, n)


def _listed(one: Any, names: Sequence[str], n: int) -> Row:
    if type(one) is not list or len(one) != len(names):
        listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        told = said("must be a list of {n} values: {listed}", n=len(names), listed=printable(listed)[:600])
        raise InvalidInput([Problem(f"#/instances/{n}", told)])
    return dict(zip(names, one, strict=True))


def _zipped(names: list[str], columns: list[list[Any]]) -> list[Any]:
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _fitted(row: Row, whole: set[str]) -> Row:
    return {
        name: _value(value, name in whole) if type(value) is float else value for name, value in row.items()
    }


def _value(value: float, whole: bool) -> float | int | None:
    if value != value:
        return None
    return int(value) if whole and value.is_integer() else value
