"""A row copied from a spreadsheet or a file: which cell belongs in which field."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from webapp.ml.schema import Feature
from webapp.web.forms.notation import COMMA, POINT, Notation

LONGEST = 64 * 1024
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "–"})
TRUE = frozenset({"true", "yes", "y", "1", "1.0", "sim", "s", "verdadeiro"})
FALSE = frozenset({"false", "no", "n", "0", "0.0", "não", "nao", "falso"})
#: A heading beyond this length names no feature; looking at it would take a while.
LONGEST_HEADING = 300
_UNIT = re.compile(r"[(\[][^)\]]*[)\]]$")
_BETWEEN_WORDS = re.compile(r"[\s_.:-]+")


@dataclass
class Pasted:
    """What was found in a pasted text: `texts` by feature, as they would be typed."""

    texts: dict[str, str] = field(default_factory=dict)
    #: Whether the cells were told apart by a heading, rather than by the order of the features.
    heading: bool = False
    #: The decimal sign that numbers were taken to have: a point where commas stand between the cells.
    sign: str = "."
    #: Headings that are no feature, or how many cells there were too many.
    strangers: list[str] = field(default_factory=list)
    spare: int = 0
    #: Rows below the one that was taken.
    more: int = 0


def read(features: Sequence[Feature], text: str, notation: Notation) -> Pasted:
    """Take a text of one row apart; tabs, semicolons or commas stand between the cells.

    With a heading line cells go where it says, else into the features in their order. The first row of several is
    taken. Two columns with a feature's name in each line, and one column alone, are read downwards.
    """
    rows, separator = _cells(text[:LONGEST], notation)
    if not rows:
        return Pasted()
    found = Pasted()
    names = _names(features)
    heading = [names.get(_plain(cell)) for cell in rows[0]]
    if any(heading) and not any(_number(cell, POINT) or _number(cell, COMMA) for cell in rows[0]):
        found.heading = True
        cells = rows[1] if len(rows) > 1 else []
        found.more = max(len(rows) - 2, 0)
        found.strangers = [
            cell for cell, feature in zip(rows[0], heading, strict=True) if cell and not feature
        ]
        pairs = [(f, cell) for f, cell in zip(heading, cells, strict=False) if f]
    else:
        pairs = list(zip(features, rows[0], strict=False))
        found.spare, found.more = max(len(rows[0]) - len(features), 0), len(rows) - 1
    if separator != ",":
        found.sign = _sign([_bare(f, cell) for f, cell in pairs if f.kind in ("number", "integer")], notation)
    for feature, cell in pairs:
        found.texts[feature.name] = _typed(feature, cell, notation, found.sign)
    return found


def _cells(text: str, notation: Notation) -> tuple[list[list[str]], str]:
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    separator = next((s for s in "\t;" if any(s in line for line in lines)), ",")
    alone = len(lines) > 1 and all(_number(line, notation) for line in lines)
    if separator == "," and (alone or not any("," in line for line in lines)):
        return [[line.strip() for line in lines]] if lines else [], ""
    if separator == "," and notation.sign == "," and len(lines) == 1 and _number(lines[0], notation):
        return [[lines[0].strip()]], ""
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator)]
    except csv.Error:
        rows = [[cell.strip() for cell in line.split(separator)] for line in lines]
    if len(rows) > 2 and all(len(row) == 2 for row in rows):
        downwards = [list(column) for column in zip(*rows, strict=True)]
        if not any(_number(cell, notation) for cell in downwards[0]):
            return downwards, separator
    return rows, separator


def _names(features: Sequence[Feature]) -> dict[str, Feature]:
    named = {_plain(f.label): f for f in features} | {_plain(f.name): f for f in features}
    return {name: feature for name, feature in named.items() if name}


def _plain(text: str) -> str:
    name = text.strip()
    return (
        "" if len(name) > LONGEST_HEADING else _BETWEEN_WORDS.sub(" ", _UNIT.sub("", name)).strip().casefold()
    )


def _number(text: str, notation: Notation) -> bool:
    try:
        notation.number("", text.strip())
    except ValueError:
        return False
    return True


def _sign(numbers: Sequence[str], notation: Notation) -> str:
    """The decimal sign of numbers: that of the notation, unless they can be read with the other and in no other way."""
    numbers = [n for n in numbers if n.casefold() not in MISSING]
    own = all(_number(n, notation) for n in numbers) or any(map(notation.parts_thousands, numbers))
    turned = not own and all(_number(n, notation.other) for n in numbers)
    return notation.other.sign if turned else notation.sign


def _bare(feature: Feature, cell: str) -> str:
    return cell.removesuffix(feature.unit).strip() if feature.unit else cell


def _typed(feature: Feature, cell: str, notation: Notation, sign: str) -> str:
    if cell.casefold() in MISSING and cell not in {str(c.value) for c in feature.choices}:
        return ""
    if feature.kind == "boolean":
        said = cell.casefold()
        return "true" if said in TRUE else "false" if said in FALSE else cell
    if feature.kind in ("number", "integer") or any(isinstance(c.value, float) for c in feature.choices):
        number = _bare(feature, cell)
        return number if sign == notation.sign else notation.from_other(number)
    return cell
