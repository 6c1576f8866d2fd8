"""A file at the desk: sent, looked through, predicted, taken away."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Desk

Open = Callable[..., Desk]
ROWS = "petal_length,petal_width,sepal_length,sepal_width,case\n1.4,0.2,5.1,3.5,a\n5.2,2.3,6.7,long,b\n"


@pytest.mark.parametrize("script", [True, False])
def test_a_file_is_looked_through_then_predicted(desk: Open, tmp_path: Path, script: bool) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)
    page = desk("alice", java_script_enabled=script).page
    page.goto("/models/iris")
    page.click("main a:text-is('Batch')")
    page.set_input_files("#file", tmp_path / "rows.csv")
    page.fill("#subject", "case")
    page.click("main button[type=submit]")
    expect(page.locator("text=Predict 1 row")).to_be_visible(timeout=30_000)
    expect(page.locator("td.mono", has_text="sepal_width").first).to_be_visible()
    page.click("text=Predict 1 row")
    expect(page.locator("text=Download the result")).to_be_visible(timeout=30_000)
    with page.expect_download() as download:
        page.click("text=Download the result")
    good, bad = csv.DictReader(Path(download.value.path()).read_text().splitlines())
    assert (good["label"], good["error"], bad["record"]) == ("setosa", "", "") and "sepal_width" in bad[
        "error"
    ]
    page.click("text=See the records")
    expect(page.locator("main")).to_contain_text("setosa")


def test_a_file_too_large_is_not_even_sent(desk: Open, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)
    page = desk("alice").page
    page.goto("/jobs/new")
    page.eval_on_selector("form[data-most]", "form => { form.dataset.most = 10; }")
    page.set_input_files("#file", tmp_path / "rows.csv")
    expect(page.locator("#file-large")).to_be_visible()
    page.click("main button[type=submit]")
    expect(page.locator("main button[type=submit]")).to_be_enabled()
    assert page.url.endswith("/jobs/new")
