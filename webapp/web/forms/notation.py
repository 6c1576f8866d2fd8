"""How numbers are typed: one decimal sign, nothing between thousands, so that none can be taken for another."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

from webapp.wording import said

ASCII_MINUS = str.maketrans("\N{MINUS SIGN}", "-")
LONGEST_INTEGER = 40
_THOUSANDS = r"[+-]?[1-9]\d{{0,2}}(?:[{between}]\d{{3}})+(?:{decimal}\d*)?"
_SPACES = r" \u00a0\u202f'’"


class Notation:
    """Numbers with one decimal sign, a point or a comma. Reading is strict, and a refusal says what to write."""

    def __init__(self, sign: str) -> None:
        self.sign = sign
        self._other = other = "." if sign == "," else ","
        dot, comma = re.escape(sign), re.escape(other)
        self._decimal = re.compile(rf"[+-]?(?:\d+{dot}?\d*|{dot}\d+)(?:[eE][+-]?\d+)?", re.ASCII)
        self._whole = re.compile(rf"[+-]?\d+(?:{dot}0{{0,2}})?", re.ASCII)
        own = _THOUSANDS.format(between=other + _SPACES, decimal=dot)
        strange = _THOUSANDS.format(between=sign + _SPACES, decimal=comma)
        self._own_thousands, self._strange_thousands = (
            re.compile(own, re.ASCII),
            re.compile(strange, re.ASCII),
        )

    def number(self, label: str, text: str) -> float:
        """The number that `text` is. Raises ValueError with a sentence about the feature called `label`."""
        text = text.translate(ASCII_MINUS)
        if not self._decimal.fullmatch(text):
            raise ValueError(self._refusal(label, text))
        number = float(text.replace(self.sign, "."))
        if not isfinite(number):
            raise ValueError(said("{feature} is too large; give a number below 1.8e308", feature=label))
        return number

    def integer(self, label: str, text: str) -> int:
        """The whole number that `text` is. Raises ValueError as `number` does."""
        text = text.translate(ASCII_MINUS)
        if not self._whole.fullmatch(text) or len(text) > LONGEST_INTEGER:
            hint = self._without_thousands(text)
            raise ValueError(
                said(
                    "{feature} must be a whole number, in digits only{hint}", feature=label, hint=_write(hint)
                )
            )
        return int(text.partition(self.sign)[0])

    def write(self, value: Any, digits: int | None = None) -> str:
        """A value as it is typed; with so many significant digits if that is given."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        if isinstance(value, float):
            return (str(value) if digits is None else f"{value:.{digits}g}").replace(".", self.sign)
        return "" if value is None else str(value)

    def from_other(self, text: str) -> str:
        """A number of the other notation in this one; any other text unchanged."""
        turned = text.replace(self._other, self.sign)
        return turned if self.sign not in text and self._decimal.fullmatch(turned) else text

    @property
    def other(self) -> Notation:
        """That with the other decimal sign."""
        return COMMA if self.sign == "." else POINT

    def parts_thousands(self, text: str) -> bool:
        """Whether a text looks like a number with something between its thousands."""
        return bool(self._own_thousands.fullmatch(text) or self._strange_thousands.fullmatch(text))

    def _refusal(self, label: str, text: str) -> str:
        turned = self.from_other(text)
        one = turned.removesuffix(self.sign) if turned != text else ""
        thousands = self._without_thousands(text)
        if one and thousands:
            hint: str = said(
                "; write {number}, or {large} if thousands are meant", number=one, large=thousands
            )
        else:
            hint = _write(one or thousands)
        if self.sign == ",":
            return said(
                "{feature} must be a number with a comma for decimals{hint}", feature=label, hint=hint
            )
        return said("{feature} must be a number with a point for decimals{hint}", feature=label, hint=hint)

    def _without_thousands(self, text: str) -> str:
        for pattern, decimal in ((self._own_thousands, self.sign), (self._strange_thousands, self._other)):
            if pattern.fullmatch(text):
                whole, point, part = text.partition(decimal)
                return re.sub(r"[^\d+-]", "", whole) + (self.sign + part if point and part else "")
        return ""


POINT, COMMA = Notation("."), Notation(",")


def _write(number: str) -> str:
    return said("; write {number}", number=number) if number else ""
