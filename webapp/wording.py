"""Sentences that a face may say in another language: English, with the template they were made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Translate = Callable[[str, str, int], str]


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
