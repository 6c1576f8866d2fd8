"""A day at the desk, in a real browser against a real server."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from pypdf import PdfReader

from tests.browser.conftest import Desk

Open = Callable[..., Desk]
IRIS = ("5.1", "3.5", "1.4", "0.2")


def ask(desk: Desk, values: tuple[str, ...] = IRIS, reference: str = "") -> str:
    """Ask iris through the form; returns the record's address."""
    desk.page.goto("/models/iris/predict")
    for i, value in enumerate(values):
        desk.page.fill(f"#f{i}", value)
    desk.page.fill("#subject", reference)
    desk.page.click("main button[type=submit]")
    return str(desk.page.locator("#answer a[href^='/predictions/']").first.get_attribute("href"))


def test_signing_in_and_out(desk: Open) -> None:
    page = desk("alice").page
    expect(page.locator("h1")).to_have_text("Desk")
    page.click("text=Sign out")
    expect(page.locator("h1")).to_have_text("Sign in")
    page.goto("/predictions")
    assert "/login?next=" in page.url


def test_a_wrong_password_keeps_the_name(desk: Open) -> None:
    here = desk()
    here.page.goto("/login")
    here.page.fill("#username", "alice")
    here.page.fill("#password", "not her password")
    here.page.click("button[type=submit]")
    expect(here.page.locator("[role=alert]")).to_contain_text("wrong")
    expect(here.page.locator("#username")).to_have_value("alice")
    here.complaints.clear()  # the browser notes the 401 itself


def test_asking_and_finding_the_answer_again(desk: Open) -> None:
    here = desk("alice")
    record = ask(here, reference="case 12")
    expect(here.page.locator(".said")).to_have_text("setosa")
    expect(here.page.locator("#f2")).to_have_value("1.4")
    here.open("/predictions?q=case+12")
    assert here.page.locator(f"a[href^='{record}']").count() == 1
    here.page.click(f"a[href^='{record}']")
    expect(here.page.locator(".said")).to_have_text("setosa")
    here.page.click("text=New from this")
    expect(here.page.locator("#f0")).to_have_value("5.1")


def test_mistakes_lead_to_their_fields(desk: Open) -> None:
    here = desk("alice")
    here.page.goto("/models/iris/predict")
    here.page.fill("#f0", "5,1")
    here.page.click("main button[type=submit]")
    expect(here.page.locator(".summary")).to_be_focused()
    expect(here.page.locator("#f0")).to_have_value("5,1")
    here.page.click(".summary a >> nth=0")
    expect(here.page.locator("#f0")).to_be_focused()
    here.complaints.clear()  # the browser notes the 422 itself


def test_two_clicks_are_one_prediction(desk: Open) -> None:
    here = desk("paula")
    here.page.goto("/models/iris/predict?example=1")
    here.page.dblclick("main button[type=submit]", no_wait_after=True)
    expect(here.page.locator(".said")).to_be_visible()
    here.open("/predictions")
    expect(here.page.locator(".totals b").first).to_have_text("1")


def test_the_dashboard_draws_its_charts(desk: Open) -> None:
    here = desk("alice")
    ask(here)
    here.open("/?model=iris")
    expect(here.page.locator(".plot .main-svg").first).to_be_visible()
    assert here.page.locator(".plot > .plot-container").count() == 4
    expect(here.page.locator(".chart table").first).to_be_hidden()
    here.page.click(".chart summary >> nth=0")
    expect(here.page.locator(".chart table").first).to_be_visible()


def test_everything_but_the_charts_works_without_javascript(desk: Open) -> None:
    here = desk("bob", java_script_enabled=False)
    ask(here)
    expect(here.page.locator(".said")).to_have_text("setosa")
    here.page.goto("/")
    expect(here.page.locator(".chart table").first).to_be_visible()
    expect(here.page.locator(".plot").first).to_be_hidden()
    expect(here.page.locator(".toolbar button[type=submit]")).to_be_visible()


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_no_page_is_wider_than_the_screen(desk: Open, width: int) -> None:
    here = desk("dave", viewport={"width": width, "height": 900})
    record = ask(here)
    for path in (
        "/",
        "/models",
        "/models/iris",
        "/models/purchase/predict",
        "/predictions",
        record,
        "/admin/users",
    ):
        here.open(path)
        assert here.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0, path


def paper(here: Desk, path: str, **options: str) -> list[str]:
    here.open(path)
    pdf = here.page.pdf(prefer_css_page_size=True, **options)  # type: ignore[arg-type]
    return [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]


@pytest.mark.parametrize("size", ["A4", "Letter"])
def test_a_decision_sheet_is_one_page(desk: Open, size: str) -> None:
    here = desk("alice")
    record = ask(here, reference="case 12")
    [sheet] = paper(here, f"{record}/print", format=size)
    for said in ("setosa", "case 12", "Page 1 of 1", "printed by alice", record.split("/")[-1], "UTC"):
        assert said in sheet


@pytest.mark.parametrize("size", ["A4", "Letter"])
def test_a_decision_sheet_of_thirty_features_is_one_page(desk: Open, size: str) -> None:
    here = desk("alice", timezone_id="America/Argentina/Buenos_Aires")
    record = ask(here, ("1.1", "9.5", "9.1", "9.2"), reference="a long reference, " * 11)
    here.open(f"{record}/print")
    here.page.evaluate(
        "const all = document.querySelector('.columns'), one = all.children[0];"
        "while (all.children.length < 30) all.append(one.cloneNode(true))"
    )
    pdf = here.page.pdf(prefer_css_page_size=True, format=size)
    assert len(PdfReader(io.BytesIO(pdf)).pages) == 1


@pytest.mark.parametrize("path", ["/", "/predictions", "/models/iris"])
def test_every_printed_page_says_who_printed_it_and_when(desk: Open, path: str) -> None:
    here = desk("carol", timezone_id="America/Sao_Paulo")
    text = "".join(paper(here, path))
    assert "printed by carol on" in text
    assert "(America/Sao_Paulo)" in text
    assert "UTC" in text


@pytest.mark.parametrize("width", [360, 768, 1000, 1440])
def test_history_leads_to_its_records_at_every_width(desk: Open, width: int) -> None:
    here = desk("dave", viewport={"width": width, "height": 800})
    record = ask(here)
    here.open("/predictions?model=iris")
    for part in (".given", f"a[href^='{record}']"):
        place = here.page.locator(f".ledger {part}").first.bounding_box()
        assert place
        assert place["x"] + place["width"] <= width
    here.page.click(f"a[href^='{record}']")
    expect(here.page.locator("h1")).to_have_text("Record of an answer")


@pytest.mark.parametrize("width", [360, 768, 1000, 1440])
def test_accounts_can_be_changed_at_every_width(desk: Open, width: int) -> None:
    here = desk("dave", viewport={"width": width, "height": 900})
    here.open("/admin/users")
    here.page.click(".roster a:text-is('alice')")
    person = here.page.locator("main")
    for words, question in (
        ("Reset password", "You get a one-time password"),
        ("Disable", "Its records stay"),
    ):
        person.locator("summary", has_text=words).click()
        place = person.get_by_text(question).bounding_box()
        assert place
        assert 0 <= place["x"] < place["x"] + place["width"] <= width


def test_the_answer_is_in_view_without_scrolling(desk: Open) -> None:
    here = desk("alice", viewport={"width": 1440, "height": 900})
    ask(here)
    expect(here.page.locator("#answer .said")).to_be_in_viewport()
    assert here.page.evaluate("scrollY") == 0


def test_a_report_repeats_its_heads_and_counts_its_pages(desk: Open) -> None:
    here = desk("dave")
    for _ in range(2):
        ask(here)
    here.open("/audit/print")
    # Two records are no report: the rows are repeated as often as it takes to fill a few pages.
    here.page.evaluate(
        "const t = document.querySelector('tbody'); for (let i = 0; i < 6; i++) t.innerHTML += t.innerHTML"
    )
    pages = [p.extract_text() for p in PdfReader(io.BytesIO(here.page.pdf(prefer_css_page_size=True))).pages]
    assert len(pages) > 2
    assert "Report of predictions" in pages[0]
    for number, text in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in text
    for text in pages[1:]:
        assert "When, UTC" in text
        assert "printed by dave" in text
