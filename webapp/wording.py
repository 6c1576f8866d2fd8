"""Sentences that a face may say in another language: English, with the template they were made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any, Final

Translate = Callable[[str, str, int], str]
#: Of a sentence on file: those within each other, what one is filled with, and whole numbers.
DEEPEST: Final = 3
MOST_VALUES: Final = 8
LARGEST: Final = 2**53


class Figure(str):
    """A number as English writes it; a face may write it as its reader does."""

    __slots__ = ()


class Said(str):
    """English text, to be used like any other, that remembers its template and what fills it."""

    template: str
    #: The template for a number other than one, which `values["n"]` is.
    plural: str
    values: Mapping[str, object]

    def __getnewargs__(self) -> tuple[str]:
        return (str(self),)


def said(template: str, /, **values: object) -> Said:
    """Fill the `{names}` of a template. It has to be a literal: that is how it is found for translation."""
    return _fill(template, template, "", values)


def said_n(one: str, many: str, /, **values: object) -> Said:
    """As `said`, with one template for the value `n` being 1 and another for the rest."""
    return _fill(one if values["n"] == 1 else many, one, many, values)


def _fill(chosen: str, template: str, plural: str, values: Mapping[str, object]) -> Said:
    text = Said(chosen.format_map(values))
    text.template, text.plural, text.values = template, plural, values
    return text


def in_words(text: object, translate: Translate, write: Callable[[Figure], str] = str) -> object:
    """What was said in the language of `translate` (template, plural, n → template); anything else unchanged.

    A value that was itself said is translated first, and a figure is written by `write`.
    """
    if isinstance(text, Figure):
        return write(text)
    if not isinstance(text, Said):
        return text
    n = text.values.get("n", 1)
    template = translate(text.template, text.plural, n if isinstance(n, int) else 1)
    return template.format_map(
        {name: in_words(value, translate, write) for name, value in text.values.items()}
    )


def pack(text: str) -> Any:
    """Plain JSON for a sentence, from which `unpack` makes it again."""
    if isinstance(text, Figure):
        return {"figure": str(text)}
    if not isinstance(text, Said):
        return str(text)
    values = {name: _packed(value) for name, value in text.values.items()}
    return [text.template, values, text.plural] if text.plural else [text.template, values]


def _packed(value: object) -> Any:
    return pack(value) if isinstance(value, str) else value if isinstance(value, (int, float)) else str(value)


def unpack(kept: Any, longest: int | None = None, *, deepest: int = DEEPEST) -> str:
    """The sentence that was packed; raises ValueError for anything else, whoever has written it.

    `longest` is how many characters it may have, and each of its parts. A template reaches nothing but what it is
    filled with: its fields are names alone.
    """
    if isinstance(kept, str):
        text = kept
    elif isinstance(kept, dict) and kept.keys() == {"figure"} and isinstance(kept["figure"], str):
        text = Figure(kept["figure"])
    elif isinstance(kept, list) and len(kept) in (2, 3) and deepest:
        text = _said_again(kept[0], kept[1], kept[2] if len(kept) == 3 else "", longest, deepest - 1)
    else:
        raise ValueError("not a sentence")
    if longest is not None and len(text) > longest:
        raise ValueError("too long")
    return text


def _said_again(template: Any, values: Any, plural: Any, longest: int | None, deepest: int) -> Said:
    if not isinstance(values, dict) or len(values) > MOST_VALUES:
        raise ValueError("not what fills a sentence")
    used = _fields(template, longest) | (_fields(plural, longest) if plural else set())
    counted = {"n"} if plural else set()
    if used | counted != values.keys():
        raise ValueError("filled with something else")
    filled = {name: _value(value, longest, deepest) for name, value in values.items()}
    return _fill(plural if plural and filled["n"] != 1 else template, template, plural, filled)


def _fields(template: Any, longest: int | None) -> set[str]:
    """The names in a template; raises ValueError for one that asks for more of them than to be written."""
    if not isinstance(template, str) or not template or len(template) > (longest or len(template)):
        raise ValueError("not a template")
    names = set()
    for _text, name, how, conversion in Formatter().parse(template):
        if name is not None:
            if not name.isidentifier() or how or conversion:
                raise ValueError("more than a name")
            names.add(name)
    return names


def _value(value: Any, longest: int | None, deepest: int) -> object:
    if isinstance(value, (int, float)):
        if not -LARGEST < value < LARGEST:
            raise ValueError("not a number that JSON keeps")
        return value
    return unpack(value, longest, deepest=deepest)
