from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import Browser
from webapp.wording import in_words, said, said_n


def test_the_sign_in_page_speaks_the_language_of_the_browser(client: FlaskClient) -> None:
    for asked, tag, title in (("pt-BR,pt;q=0.9,en;q=0.5", "pt-BR", "Entrar"), ("fr", "en", "Sign in")):
        page = client.get("/login", headers={"Accept-Language": asked}).text
        assert f'<html lang="{tag}">' in page and f">{title}</h1>" in page


def test_a_language_chosen_before_signing_in_is_kept(client: FlaskClient) -> None:
    client.get("/login?language=pt-BR")
    assert ">Entrar</h1>" in client.get("/login", headers={"Accept-Language": "en"}).text


@pytest.mark.parametrize("n, told", [(1, "1 Zeile fehlt: Spalte"), (2, "2 Zeilen fehlen: Spalte")])
def test_what_a_service_says_can_be_said_in_another_language(n: int, told: str) -> None:
    german = {
        ("{n} row lacks: {what}", 1): "{n} Zeile fehlt: {what}",
        ("{n} row lacks: {what}", 2): "{n} Zeilen fehlen: {what}",
        ("column", 1): "Spalte",
    }
    text = said_n("{n} row lacks: {what}", "{n} rows lack: {what}", n=n, what=said("column"))
    assert text == f"{n} row{'s' if n > 1 else ''} lack{'' if n > 1 else 's'}: column"
    assert in_words(text, lambda one, _many, number: german[one, number]) == told
    assert in_words("plain", lambda *_: "other") == "plain"


@pytest.mark.parametrize("first", ["en", "pt-BR"])
def test_a_page_does_not_keep_the_language_of_who_saw_it_first(
    browser: Callable[[str], Browser], first: str
) -> None:
    """Jinja would apply a filter to a literal while it reads the template, once for all."""
    second = {"en": "pt-BR", "pt-BR": "en"}[first]
    alice = browser("alice")
    for language in (first, second):
        page = alice.client.get("/predictions", headers={"Accept-Language": language}).text
        said, other = ("overridden", "substituída") if language == "en" else ("substituída", "overridden")
        assert f'value="overridden" >{said}</option>' in page
        assert f">{other}</option>" not in page
