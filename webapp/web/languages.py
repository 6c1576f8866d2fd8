"""In which language and which colours a page is shown."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, has_request_context, request, session
from flask_babel import get_locale, get_translations

from webapp.extensions import babel
from webapp.wording import in_words

#: BCP 47 tag -> the language in its own words.
LANGUAGES = {"en": "English", "pt-BR": "Português (Brasil)"}
THEMES = ("light", "dark")


def init_app(app: Flask) -> None:
    """Let pages be said in the reader's language."""
    babel.init_app(app, default_translation_directories="translations", locale_selector=_locale)
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.finalize = told


def told(value: Any) -> Any:
    """What a service has said, in the reader's language; anything else unchanged."""
    return in_words(value, _translate, local)


def local(figure: str) -> str:
    """A figure as English writes it, with the decimal sign of the reader's language."""
    return figure.replace(".", decimal_sign(str(get_locale()).replace("_", "-")))


def tag() -> str:
    """The BCP 47 tag of this page's language: the reader's own choice, the browser's, or English."""
    actor = g.get("actor")
    for wanted in (actor.language if actor else "", session.get("language", "")):
        if wanted in LANGUAGES:
            return str(wanted)
    return _SPOKEN[request.accept_languages.best_match(_SPOKEN, "en")]


def decimal_sign(language: str) -> str:
    """What parts a number's decimals from its whole: in forms, pages and pasted rows of that language alike."""
    return "," if language == "pt-BR" else "."


def theme() -> str:
    """light or dark; empty where the system decides."""
    actor = g.get("actor")
    return actor.theme if actor and actor.theme in THEMES else ""


#: What a browser may ask for -> the language it gets.
_SPOKEN = {"en": "en", "pt-BR": "pt-BR", "pt": "pt-BR"}


def _locale() -> str:
    return tag().replace("-", "_") if has_request_context() else "en"


def _translate(template: str, plural: str, n: int) -> str:
    known = get_translations()
    return str(known.ungettext(template, plural, n) if plural else known.ugettext(template))
