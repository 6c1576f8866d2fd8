from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright
from sklearn.ensemble import RandomForestClassifier

from tests.conftest import close, need, password, settings
from tests.server import serve
from webapp.app import create_app
from webapp.ml.packaging import package
from webapp.services import registry

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-sync", "--no-first-run")
NO_CALLS = ("--disable-background-networking", "--disable-component-update")


@pytest.fixture(scope="session")
def server(sqlite_seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real server over a copy of the seeded installation."""
    folder = tmp_path_factory.mktemp("server") / "data"
    shutil.copytree(sqlite_seed, folder)
    with serve(folder, JOB_WORKER="true") as running:
        yield running.address


@pytest.fixture(scope="session")
def versioned(
    sqlite_seed: Path, packages: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of a server where each model has a second version; that of iris is a forest, the others are the same."""
    folder = tmp_path_factory.mktemp("versioned") / "data"
    shutil.copytree(sqlite_seed, folder)
    demo, _ = packages["iris"]
    _, X, y, *test = demo.make()
    forest = RandomForestClassifier(10, random_state=3).fit(X, y)
    second = package(forest, X, y, format="skops", test=tuple(test), card=demo.card, edits=demo.edits)
    app = create_app(settings(folder))
    with app.app_context():
        for name, (_, made) in packages.items():
            published = second if name == "iris" else made
            registry.publish(app.extensions["desk"].store, published, name=name, title="")
    close(app)
    with serve(folder) as running:
        yield running.address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=path, args=[*QUIET, *NO_CALLS])
        except Error:
            need("Chromium is not installed; get it with: apt-get install chromium")
        yield found
        found.close()


class Desk(NamedTuple):
    """A browser page at our server, and what the browser complained about or asked of others."""

    page: Page
    complaints: list[str]

    def open(self, path: str) -> None:
        self.page.goto(path)
        self.page.wait_for_load_state("networkidle")


@pytest.fixture
def desk(chromium: Browser, server: str) -> Iterator[Callable[..., Desk]]:
    """desk("alice"): signed in; keyword arguments go to the browser context. No complaint may be left at the end."""
    contexts, complaints = [], []

    def open_desk(name: str | None = None, **options: object) -> Desk:
        context = chromium.new_context(base_url=server, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.on(
            "request", lambda r: None if r.url.startswith(server) else complaints.append(f"asked {r.url}")
        )
        if name:
            page.goto("/login")
            page.fill("#username", name)
            page.fill("#password", password(name))
            page.click("button[type=submit]")
            page.wait_for_url("/")
        return Desk(page, complaints)

    yield open_desk
    for context in contexts:
        context.close()
    assert complaints == []
