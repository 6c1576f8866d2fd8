"""The dashboard over a large ledger: how long a look takes, and what keeping its counts costs."""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
YEAR_US = 364 * 86_400 * 1_000_000
CHUNK = 10_000
PASSWORD = secrets.token_urlsafe(16)
PERIODS = ("hour", "day", "week", "month", "quarter", "year")
FILTERS = ("", "model=iris", "model=diabetes", "model=iris&version=1", "channel=api", "user=person3")


def measure(records: int, people: int, work: Path) -> dict[str, Any]:
    """Counting and looking, one process, SQLite: records a second, bytes a record, milliseconds a page."""
    app = installation(work)
    with app.app_context():
        fill(records, people)
        counted = timed_counting(app)
        pages = timed_pages(app)
    return {"records": records, **counted, "pages_ms": pages}


def installation(work: Path) -> Any:
    """An application with the demo models and an admin, its data in `work`."""
    from config import Settings
    from webapp import preparation
    from webapp.app import create_app
    from webapp.db import User
    from webapp.db.base import transaction
    from webapp.ml.demos import demos
    from webapp.ml.packaging import package
    from webapp.services import passwords, registry

    keys = {"secret_key": secrets.token_urlsafe(48), "jwt_secret_key": secrets.token_urlsafe(48)}
    app = create_app(Settings.model_validate({"data_dir": work, "demo": False, "rate_limit": 0, **keys}))
    with app.app_context():
        preparation.migrate()
        with transaction() as s:
            hashed = passwords.hash_password(PASSWORD)
            s.add(User(username="bench", role="admin", password_hash=hashed, created_us=1))
        for demo in demos():
            if demo.name in ("iris", "diabetes"):
                estimator, X, y, *test = demo.make()
                made = package(
                    estimator, X, y, format="skops", test=tuple(test), card=demo.card, edits=demo.edits
                )
                store = app.extensions["desk"].store
                registry.publish(store, made, name=demo.name, title=demo.title, description=demo.description)
    return app


def fill(records: int, people: int) -> None:
    """Records of the last year, half of them of its last week, by `people`."""
    from sqlalchemy import insert, select

    from webapp.db import ModelVersion, Prediction, User
    from webapp.db.base import transaction

    with transaction() as s:
        for i in range(people):
            s.add(User(username=f"person{i}", role="analyst", password_hash="-", created_us=1))
    with transaction() as s:
        users = list(s.scalars(select(User.id).where(User.username.startswith("person"))))
        versions = [(v.id, v.model_id, v.task) for v in s.scalars(select(ModelVersion))]
    rows = made(records, users, versions)
    for _ in range(0, records, CHUNK):
        with transaction() as s:
            s.execute(insert(Prediction), [row for row, _ in zip(rows, range(CHUNK), strict=False)])


def made(records: int, users: list[int], versions: list[tuple[int, int, str]]) -> Iterator[dict[str, Any]]:
    """Rows in order of time, as long as real ones."""
    dice, now = random.Random(1), time.time_ns() // 1000
    half = [now - dice.random() * YEAR_US for _ in range(records // 2)]
    lately = [now - dice.random() * YEAR_US / 52 for _ in range(records - len(half))]
    for n, at in enumerate(sorted(half + lately)):
        version, model, task = dice.choice(versions)
        regression = task == "regression"
        yield {
            "id": f"pred_{n:044x}",
            "created_us": int(at),
            "finished_us": int(at) + 900,
            "request_id": f"{n:032x}",
            "user_id": dice.choice(users),
            "role": "analyst",
            "channel": dice.choice(("form", "api", "api", "batch")),
            "model_id": model,
            "version_id": version,
            "label": None if regression else dice.choice(("setosa", "versicolor", "virginica")),
            "value": dice.gauss(150, 40) if regression else None,
            "score": None if regression else dice.random(),
            "warned": dice.random() < 0.1,
            "engine": "onnx",
            "latency_us": int(dice.lognormvariate(7, 1)),
            "timings": '{"check":12,"model":40,"keep":900}',
            "inputs": '{"received":{"petal_length":1.4,"petal_width":0.2},"used":{"petal_length":1.4}}' * 3,
            "output": '{"label":"setosa","probabilities":{"setosa":0.98,"versicolor":0.02}}' * 2,
            "salts": b"s" * 64,
        }


def timed_counting(app: Any) -> dict[str, float]:
    """How fast records that are there already are taken in, and how much room their counts need."""
    from sqlalchemy import text

    from webapp.db.base import session
    from webapp.services import rollups

    size = text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
    before, started = session().scalar(size), time.perf_counter()
    taken = rollups.refresh()
    seconds = time.perf_counter() - started
    rows, after = session().scalar(text("SELECT count(*) FROM rollups")), session().scalar(size)
    return {
        "counted_per_s": taken / seconds,
        "rollup_rows": rows,
        "rollup_bytes": after - before,
        "record_bytes": before,
    }


def timed_pages(app: Any) -> dict[str, float]:
    """Milliseconds in the server for each period and filter, nothing cached: median of three."""
    from webapp.extensions import cache

    browser = app.test_client()
    token = CSRF.search(browser.get("/login").text)
    browser.post("/login", data={"csrf_token": token and token[1], "username": "bench", "password": PASSWORD})

    def look(query: str) -> float:
        cache.clear()
        started = time.perf_counter()
        answer = browser.get(f"/?{query}")
        assert answer.status_code == 200, answer.status_code
        return (time.perf_counter() - started) * 1e3

    look("period=hour")
    return {query: median3(lambda query=query: look(query)) for query in queries()}


def queries() -> Iterator[str]:
    """Every period with every filter, as the address says it."""
    for period, other in product(PERIODS, FILTERS):
        yield f"period={period}" + (f"&{other}" if other else "")


def median3(measured: Callable[[], float]) -> float:
    """The middle of three."""
    return median(measured() for _ in range(3))
