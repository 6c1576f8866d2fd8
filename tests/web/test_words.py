from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import refresh

from config import ROOT
from webapp.errors import InvalidInput, Problem
from webapp.ml.schema import Feature, Learned, Schema
from webapp.ml.schema.features import Choice, Output
from webapp.web import events, words
from webapp.web.languages import told
from webapp.wording import Said, in_words

NOON_US = 1_774_950_600_000_000  # 2026-03-31 09:50:00 UTC
SCHEMA = Schema(
    (
        Feature("petal", "number", "petal length", unit="cm", learned=Learned(1.0, 6.9), maximum=20.5),
        Feature("place", "category", "place", choices=(Choice("a", "a"),)),
    ),
    Output("classification", "kind", "kind", (Choice("x", "x"), Choice("y", "y"))),
)


@pytest.fixture
def portuguese(app: Flask) -> Iterator[None]:
    with app.test_request_context(headers={"Accept-Language": "pt-BR"}):
        yield


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (lambda: words.number(-1234.5), "−1234,5"),
        (lambda: words.percent(0.9816), "98,2%"),
        (lambda: words.percent(0.9999), "> 99,9%"),
        (lambda: words.duration(1234), "1,23 ms"),
        (lambda: words.thousands(1_234_567), "1.234.567"),
        (lambda: words.utc(NOON_US), "31/03/2026 09:50:00 UTC"),
        (lambda: words.minute(NOON_US), "31/03/2026 09:50"),
        (lambda: words.number(True), "sim"),
        (lambda: words.change(3, 2), "alta de 50% em relação ao período anterior"),
        (lambda: words.named("role", "auditor"), "auditor"),
        (lambda: words.named("unusual", "outside_range"), "fora da faixa"),
        (lambda: words.named("unusual", "new_kind"), "new_kind"),
    ],
)
def test_numbers_and_times_are_written_as_portuguese_writes_them(
    portuguese: None, shown: Callable[[], str], said: str
) -> None:
    assert shown() == said


def test_every_part_of_a_sentence_is_translated() -> None:
    """Here into the English template in brackets, so that a part that lost its template shows."""
    problems = SCHEMA.check({"petal": 20.75, "plaice": 1, "place": ["a"]}).problems
    error = InvalidInput([Problem("#/x", p.detail) for p in problems])

    def marked(text: object) -> object:
        return in_words(text, lambda template, _many, _n: f"⟦{template}⟧", lambda figure: f"<{figure}>")

    assert [marked(p.detail) for p in problems] == [
        "⟦petal length must be at most <20.5> cm; <20.75> is above⟧",
        "⟦place must be ⟦one of its values⟧, not ⟦a list⟧⟧",
        "⟦“plaice” is not a feature of this model; remove it⟦; did you mean “place”?⟧⟧",
    ]
    assert marked(error.detail) == f"⟦⟦x: {marked(problems[0].detail)}⟧ (and 2 more)⟧"
    assert error.detail == "x: petal length must be at most 20.5 cm; 20.75 is above (and 2 more)"


@pytest.mark.parametrize(
    ("row", "english", "portuguese"),
    [
        (
            {"petal": 9.1, "place": "a"},
            "petal length 9.1 cm is outside the training range, 1 to 6.9 cm",
            "petal length: 9,1 cm está fora da faixa aprendida no treinamento, de 1 a 6,9 cm",
        ),
        (
            {"petal": 2.0, "place": "b"},
            "place “b” was not seen in training",
            "place: “b” não apareceu no treinamento",
        ),
    ],
)
def test_a_warning_is_kept_in_english_and_said_in_the_language_of_the_page(
    app: Flask, row: dict[str, object], english: str, portuguese: str
) -> None:
    [warning] = SCHEMA.check(row).warnings
    kept, record = warning._asdict(), type("Record", (), {"used": row})
    assert warning.detail == english
    for language, features, said in (
        ("en", SCHEMA.features, english),
        ("pt-BR", SCHEMA.features, portuguese),
        ("pt-BR", (), english),
    ):
        with app.test_request_context(headers={"Accept-Language": language}):
            refresh()
            assert words.warning(kept, record, features) == said  # type: ignore[arg-type]


def test_an_error_page_says_in_portuguese_what_the_api_says_in_english(
    signed_in: Callable[[str], FlaskClient],
) -> None:
    page = signed_in("alice").get("/models/rose", headers={"Accept-Language": "pt-BR"}).text
    assert "Não há modelo chamado" in page and "There is no model" not in page


def test_the_words_of_the_csrf_library_reach_no_page(client: FlaskClient) -> None:
    page = client.post("/login", data={"username": "alice"}, headers={"Accept-Language": "pt-BR"}).text
    assert "CSRF" not in page and "nada foi feito" in page


def test_what_was_said_stays_said(portuguese: None) -> None:
    detail = InvalidInput([Problem("#/a", "b"), Problem("#/c", "d")]).detail
    assert isinstance(detail, Said) and told(detail) == "a: b (e mais 1)"


def test_every_event_that_is_kept_has_a_word() -> None:
    source = "".join(path.read_text() for path in (ROOT / "webapp").rglob("*.py"))
    kept = set(re.findall(r'audit\.append\(\s*\w+,\s*"([a-z-]+)"', source))
    assert {"backup", "restore", "publish"} <= kept
    assert kept - set(events.KINDS) == set()


def test_what_a_restore_says_is_said_in_the_language_of_the_reader(portuguese: None) -> None:
    facts = {"entries": 7, "lost_after": 7, "signed": 9, "backup": "2026-01-01"}
    assert events.fact_words(facts).striptags() == (
        "lançamentos 7 · lançamentos perdidos depois de 7 · assinados antes 9 · backup de 2026-01-01"
    )


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"sound": True}, "resultado nada alterado"),
        ({"sound": False}, "resultado algo foi alterado"),
        ({"sound": False, "undecided": True}, "não decidido"),
    ],
)
def test_what_a_verification_found_is_said_plainly(
    portuguese: None, facts: dict[str, object], said: str
) -> None:
    assert events.fact_words(facts).striptags().strip() == said
