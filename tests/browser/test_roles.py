"""What each role comes for, in both languages: the menu it has, and the way through its pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Desk
from tests.conftest import CAST

Open = Callable[..., Desk]
LANGUAGES = ("en", "pt-BR")
#: Word of the menu -> the head of the page it leads to, by language.
PAGES = {
    "en": {
        "Desk": "Desk",
        "Models": "Models",
        "History": "History",
        "Batches": "Batches",
        "Audit": "Audit",
        "Audit report": "Report of predictions",
        "People": "People",
        "Model access": "Model access",
        "Activity": "Activity",
        "Data subjects": "Data subjects",
        "Retention": "Retention",
    },
    "pt-BR": {
        "Painel": "Painel",
        "Modelos": "Modelos",
        "Histórico": "Histórico",
        "Lotes": "Lotes",
        "Auditoria": "Auditoria",
        "Relatório de auditoria": "Relatório de previsões",
        "Pessoas": "Pessoas",
        "Acesso aos modelos": "Acesso aos modelos",
        "Atividade": "Atividade",
        "Titulares": "Titulares",
        "Retenção": "Retenção",
    },
}
#: How many of them each role has, from the first; the auditor has the last three as well.
ENTRIES = {
    "analyst": range(4),
    "publisher": range(4),
    "auditor": (0, 1, 2, 3, 4, 5, 8, 9, 10),
    "admin": range(11),
}
FLOWER = {"en": ("5.1", "3.5", "1.4", "0.2"), "pt-BR": ("5,1", "3,5", "1,4", "0,2")}
WORDS = {
    "en": ("Predict", "Confirm the answer", "Confirmed by {}", "Print"),
    "pt-BR": ("Prever", "Confirmar a resposta", "Confirmada por {}", "Imprimir"),
}


def menu(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(".menu a").all_text_contents()]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", CAST)
def test_every_entry_of_a_menu_opens_its_page(desk: Open, name: str, language: str) -> None:
    page = desk(name, locale=language).page
    words = list(PAGES[language])
    wanted = [words[i] for i in ENTRIES[CAST[name]]]
    assert menu(page) == wanted
    assert page.get_attribute("html", "lang") == language
    for word in wanted:
        page.click(f".menu a:text-is('{word}')")
        expect(page.locator("h1")).to_have_text(PAGES[language][word])
        page.goto("/")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["alice", "paula", "dave"])
def test_who_predicts_asks_reviews_and_prints(desk: Open, name: str, language: str) -> None:
    predict, confirm, confirmed, printed = WORDS[language]
    page = desk(name, locale=language).page
    page.goto("/models/iris")
    page.click(f"main .actions a:text-is('{predict}')")
    for place, value in enumerate(FLOWER[language]):
        page.fill(f"#f{place}", value)
    page.click(f"#ask button:text-is('{predict}')")
    expect(page.locator("#answer .said")).to_have_text("setosa")
    page.click("#answer a[href^='/predictions/pred_']")
    page.click(f"button:text-is('{confirm}')")
    expect(page.locator(".timeline")).to_contain_text(confirmed.format(name))
    page.click(f"main .actions a:text-is('{printed}')")
    expect(page.locator("main.paper")).to_contain_text("setosa")


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_audits_reads_everything_and_asks_nothing(desk: Open, language: str) -> None:
    predict, confirm, _, printed = WORDS[language]
    asker = desk("bob").page
    asker.goto("/models/iris/predict?example=1")
    asker.click("#ask button.btn-primary")
    expect(asker.locator("#answer .said")).to_be_visible()
    page = desk("carol", locale=language).page
    page.goto("/models/iris")
    assert page.locator(f"a:text-is('{predict}')").count() == 0
    page.goto("/predictions?user=bob")
    page.locator(".ledger a[href^='/predictions/pred_']").first.click()
    assert page.locator(f"button:text-is('{confirm}')").count() == 0
    page.click(f"main .actions a:text-is('{printed}')")
    expect(page.locator("main.paper")).to_be_visible()
