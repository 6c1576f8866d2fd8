"""The pictures in docs/images: a real server, invented questions, headless Chromium. Run by `make screenshots`."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pysqlite3
from playwright.sync_api import Browser, Page, sync_playwright
from sklearn.ensemble import RandomForestClassifier

from config import ROOT
from tests.browser import gallery
from tests.browser.conftest import NO_CALLS, QUIET
from tests.conftest import close, password, settings
from tests.server import Server, serve
from webapp.app import create_app
from webapp.ml.demos import demos
from webapp.ml.packaging import package
from webapp.services import registry

IMAGES = ROOT / "docs" / "images"
CAST = {"alice": "analyst", "bob": "analyst", "dave": "admin"}
SHARES = {"iris": 800, "purchase": 160, "breast-cancer": 90, "diabetes": 60}
FORMS = 20
DAYS = 2
DAY_US = 86_400 * 1_000_000
#: At 96 dots an inch.
A4: Any = {"width": 794, "height": 1123}
chance = random.Random(6)


def main() -> None:
    """Write every picture anew."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "data"
        environment = {**os.environ, "DATA_DIR": str(folder)}
        subprocess.run([sys.executable, "run.py", "prepare"], cwd=ROOT, env=environment, check=True)
        for name, role in CAST.items():
            command = [sys.executable, "-m", "flask", "--app", "run", "user", "create", name, "--role", role]
            typed = password(name).encode()
            subprocess.run([*command, "--password-stdin"], cwd=ROOT, env=environment, input=typed, check=True)
        publish_forest(folder)
        with serve(folder, JOB_WORKER="true") as server, sync_playwright() as playwright:
            path = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *NO_CALLS])
            pages = {name: sign_in(browser.new_page(**screen(server)), name) for name in ("alice", "dave")}
            begin_comparison(pages["dave"])
            ask_by_api(server, folder)
            ask_by_form(pages["alice"])
            take_challenger(pages["dave"])
            take_audit(pages["dave"])
            spread(folder / "parecer.db")
            take(pages["alice"], pages["dave"])
            take_releases(pages["dave"])
            take_portuguese(browser, server)
            show_design(pages["alice"], folder)
            browser.close()
    for picture in sorted(IMAGES.glob("*.png")):
        print(f"{picture.relative_to(ROOT)} {picture.stat().st_size // 1000} kB")


def screen(server: Server) -> dict[str, Any]:
    return {
        "base_url": server.address,
        "viewport": {"width": 1440, "height": 720},
        "timezone_id": "America/Sao_Paulo",
    }


def publish_forest(folder: Path) -> None:
    """A second version of iris."""
    [demo] = [demo for demo in demos() if demo.name == "iris"]
    _, X, y, *test = demo.make()
    forest = RandomForestClassifier(20, max_depth=2, random_state=3).fit(X, y)
    made = package(forest, X, y, format="skops", test=tuple(test), card=demo.card, edits=demo.edits)
    app = create_app(settings(folder))
    with app.app_context():
        registry.publish(app.extensions["desk"].store, made, name=demo.name, title="")
    close(app)


def species() -> dict[tuple[float, ...], str]:
    """What each flower is, by its measures."""
    [demo] = [demo for demo in demos() if demo.name == "iris"]
    _, X, y, *_ = demo.make()
    return {tuple(row): str(label) for row, label in zip(X.to_numpy().tolist(), y, strict=True)}


def ask_by_api(server: Server, folder: Path) -> None:
    """A few hundred questions; some far from what the model has seen, a few that cannot be answered."""
    known = species()
    tokens = [server.login(name) for name in ("alice", "bob")]
    asked = [model for model, n in SHARES.items() for _ in range(n)]
    chance.shuffle(asked)
    kept = {model: kept_rows(folder, model) for model in SHARES}
    for n, model in enumerate(asked):
        row = dict(chance.choice(kept[model]))
        kind = chance.random()
        if kind < 0.07:
            name = next(k for k, v in row.items() if isinstance(v, float) and v > 0)
            row[name] = round(row[name] * 2.5, 2)
        elif kind < 0.1:
            row.popitem()
        body: dict[str, Any] = {"inputs": row}
        if chance.random() < 0.3:
            body["subject"] = f"case {1000 + n}"
        token, truth = chance.choice(tokens), known.get(tuple(row.values()))
        answer = server.ask("POST", f"/api/v1/models/{model}/predict", body, token=token)[2]
        if model == "iris" and truth and chance.random() < 0.5:
            path = f"/api/v1/predictions/{json.loads(answer)['id']}/outcome"
            server.ask("POST", path, {"actual": truth}, token=token)


def kept_rows(folder: Path, model: str) -> list[dict[str, Any]]:
    return list(json.loads((folder / "model_store" / model / "1" / "rows.json").read_text()))


def sign_in(page: Page, name: str) -> Page:
    page.goto("/login")
    page.fill("#username", name)
    page.fill("#password", password(name))
    page.click("button[type=submit]")
    page.wait_for_url("/")
    return page


def ask_by_form(page: Page) -> None:
    """Ask again what is on the record, through the form."""
    page.goto("/predictions?model=iris")
    links = page.locator("td.when a").all()
    addresses = [link.get_attribute("href") or "" for link in links][:FORMS]
    for address in addresses:
        page.goto(f"/models/iris/predict?record={address.split('/')[-1].split('?')[0]}")
        page.click("#ask button.btn-primary")


def spread(database: Path) -> None:
    """Move the records of this throw-away installation into the last days: a chart of one minute shows little."""
    now = time.time_ns() // 1000
    connection = pysqlite3.connect(str(database), timeout=10)
    with connection:
        for (seq,) in connection.execute("SELECT seq FROM predictions").fetchall():
            back = moment_back()
            connection.execute(
                "UPDATE predictions SET created_us = ? - ?, finished_us = ? - ? + latency_us WHERE seq = ?",
                (now, back, now, back, seq),
            )
        for counted in ("rollups", "horizons"):  # of the times before
            connection.execute(f"DELETE FROM {counted}")
        failed = connection.execute("SELECT model_id, kind, count FROM failures").fetchall()
        connection.execute("DELETE FROM failures")
        for model, kind, count in failed:
            for _ in range(count):
                row = (now - moment_back(), model, kind)
                connection.execute(
                    "INSERT INTO failures (minute_us, model_id, kind, count) VALUES (?, ?, ?, 1)", row
                )
    connection.close()


def moment_back() -> int:
    """Microseconds before now; people ask more in the middle of a day."""
    return int((chance.randrange(DAYS) + chance.triangular(0, 1, 0.35)) * DAY_US)


def take(alice: Page, dave: Page) -> None:
    """One picture after another."""
    dave.goto("/?model=iris&period=day")
    dave.wait_for_selector(".plot .main-svg")
    dave.wait_for_timeout(800)  # the charts grow into place
    shoot(dave, "desk", full_page=True)
    dave.goto("/predictions")
    shoot(dave, "history")
    alice.goto("/models/iris/predict?example=1")
    for place, value in enumerate(("6.1", "2.8", "7.4", "1.5")):
        alice.fill(f"#f{place}", value)
    alice.fill("#subject", "case 1207")
    alice.click("#ask button.btn-primary")
    alice.wait_for_selector("#answer .said")
    shoot(alice, "answer")
    record = str(alice.locator("#answer a[href^='/predictions/']").first.get_attribute("href"))
    alice.goto(record)
    shoot(alice, "record", full_page=True)
    take_batch(alice)
    alice.goto(f"{record}/print")
    alice.wait_for_selector("main.paper")
    alice.set_viewport_size(A4)
    alice.emulate_media(media="print")
    alice.evaluate("document.body.style.padding = '18mm'")  # the margins that only a printer adds
    shoot(alice, "printed-record")


def begin_comparison(page: Page) -> None:
    """The forest answers beside the version that is live, as a shadow."""
    page.goto("/models/iris/experiments")
    page.click("main form button.btn-primary")
    page.wait_for_url("**/experiments/exp_*")


def take_challenger(page: Page) -> None:
    """How the forest does, and what differs."""
    page.goto("/models/iris/experiments")
    page.click(".note a")
    page.wait_for_selector("#verdict")
    shoot(page, "challenger", full_page=True)
    page.click("main .head a.btn")
    shoot(page, "compare")


def take_releases(page: Page) -> None:
    """Promoted, taken back, and about to be promoted again."""
    page.goto("/models/iris/releases")
    page.click("#v2 summary")
    page.fill("#promote-2", "Better on the flowers of May")
    page.click("#v2 form:has(textarea) button")
    page.click("main .head button:text-is('Roll back to version 1')")
    page.wait_for_selector("#v1 .tag.live")
    page.goto("/models/iris/releases")
    page.click("#v2 summary")
    page.fill("#promote-2", "Better on those of June, too")
    shoot(page, "releases", full_page=True)


def take_audit(page: Page) -> None:
    """A verification against a checkpoint that was taken away before; `spread` would be found by one."""
    page.goto("/audit")
    with page.expect_download() as download:
        page.click("text=Download the checkpoint")
    page.fill("#checkpoint", download.value.path().read_text())
    page.click("text=Verify every entry")
    page.wait_for_selector(".note.ok", timeout=60_000)
    shoot(page, "audit", full_page=True)


def take_batch(page: Page) -> None:
    """A file with two bad rows, looked through."""
    lines = ["sepal_length,sepal_width,petal_length,petal_width,case"]
    lines += [
        f"{5 + n % 20 / 10},{3 + n % 7 / 10},{1 + n % 50 / 10},{n % 25 / 10},{2000 + n}" for n in range(1000)
    ]
    lines[41], lines[613] = "5.1,three,1.4,0.2,2040", "6.0,3.0,,1.8,2612"
    page.goto("/jobs/new?model=iris")
    page.set_input_files(
        "#file", {"name": "flowers.csv", "mimeType": "text/csv", "buffer": "\n".join(lines).encode()}
    )
    page.fill("#subject", "case")
    page.click("main form button.btn-primary")
    page.wait_for_selector("text=Predict 998 rows")
    shoot(page, "batch")


def take_portuguese(browser: Browser, server: Server) -> None:
    """The form in the other language and the other theme."""
    page = sign_in(browser.new_page(**screen(server), locale="pt-BR", color_scheme="dark"), "bob")
    page.goto("/models/purchase/predict?example=1")
    page.click("#ask button.btn-primary")
    page.wait_for_selector("#answer .said")
    shoot(page, "answer-pt")


def show_design(page: Page, folder: Path) -> None:
    """Every macro, in both themes."""
    html = gallery.page(create_app(settings(folder)))
    page.route("**/gallery", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.set_viewport_size({"width": 960, "height": 720})
    for theme in ("light", "dark"):
        page.emulate_media(media="screen", color_scheme=theme)  # type: ignore[arg-type]
        page.goto("/gallery")
        page.wait_for_selector(".plot .main-svg")
        shoot(page, f"design-{theme}", full_page=True)


def shoot(page: Page, name: str, *, full_page: bool = False) -> None:
    page.mouse.move(0, 0)
    page.screenshot(path=IMAGES / f"{name}.png", full_page=full_page)


if __name__ == "__main__":
    main()
