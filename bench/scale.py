"""Does the cost stay flat? The same requests, with few records and with many: one by program, the others pages."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from http.cookiejar import CookieJar
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, Request, build_opener

from bench import client
from bench.batch import ROWS, instances
from bench.cases import Case
from bench.processes import BenchError
from bench.servers import PARECER, Up, serving
from bench.target import Target

SIZES = (1_000, 100_000)
ASKED, UNCOUNTED = 100, 10
#: Who looks at pages: one that sees all records, which is more work than one's own.
READER = "reader"
#: Page -> its address; MODEL and RECORD are filled in.
PAGES = {
    "dashboard": "/",
    "dashboard of a model": "/?model=MODEL&period=week",
    "history": "/predictions",
    "history of a model": "/predictions?model=MODEL&warned=no",
    "history, searched": "/predictions?q=nothing+like+it",
    "history, reviewed": "/predictions?reviewed=yes",
    "record": "/predictions/RECORD",
    "decision sheet": "/predictions/RECORD/print",
    "report of 5,000 records": "/audit/print",
    "models": "/models",
    "model": "/models/MODEL",
    "form": "/models/MODEL/predict",
    "form with its answer": "/models/MODEL/predict?record=RECORD",
    "batches": "/jobs",
    "account": "/account",
    "people": "/admin/users",
    "activity": "/admin/activity",
}
CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Asked(NamedTuple):
    """One request, as a keep-alive connection sends it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


class Taken(NamedTuple):
    """Milliseconds from the request to the last byte of its answer."""

    p50: float
    p95: float


def measure(case: Case, work: Path, sizes: tuple[int, ...] = SIZES) -> dict[int, Mapping[str, Taken]]:
    """What predict and each page takes at each number of records."""
    work.mkdir(exist_ok=True)
    PARECER.prepare(case, work)
    PARECER.add_user(work, READER, "admin")
    found: dict[int, Mapping[str, Taken]] = {}
    with serving(PARECER, case, work) as up:
        cookie, stored = sign_in(up.base, READER, PARECER.password), 0
        for size in sizes:
            fill(up.target, case, size - stored)
            stored = size
            found[size] = {
                name: taken(up, asked) for name, asked in questions(up.target, cookie, case).items()
            }
    return found


def sign_in(base: str, username: str, password: str) -> str:
    """The Cookie header of a session begun through the sign-in form."""
    jar = CookieJar()
    browser = build_opener(HTTPCookieProcessor(jar))
    form = browser.open(f"{base}/login").read().decode()
    if not (token := CSRF.search(form)):
        raise BenchError("the sign-in form has no csrf_token field")
    fields = {"csrf_token": token[1], "username": username, "password": password}
    landed = browser.open(Request(f"{base}/login", urlencode(fields).encode(), {"Referer": f"{base}/login"}))
    if urlsplit(landed.url).path == "/login":
        raise BenchError("the sign-in form refused the bench user")
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def fill(target: Target, case: Case, records: int) -> None:
    """Add that many records, in batches."""
    for turn in range(max(0, records) // ROWS):
        client.post(target.url, instances(case, turn), target.headers)


def questions(target: Target, cookie: str, case: Case) -> dict[str, Sequence[Asked]]:
    """What is asked, by name: predict with changing rows, and the pages, some of them of a fresh record."""
    made = client.post(target.url, target.body(case.rows[0]), target.headers)
    path, page = urlsplit(target.url).path, {"Cookie": cookie}
    headers = {"Content-Type": "application/json", **target.headers}
    predict = [Asked("POST", path, headers, client.encode(target.body(row))) for row in case.rows[:ASKED]]

    def look(address: str) -> list[Asked]:
        return [Asked("GET", address.replace("MODEL", case.name).replace("RECORD", made["id"]), page)]

    return {"predict": predict, **{name: look(address) for name, address in PAGES.items()}}


def taken(up: Up, asked: Sequence[Asked]) -> Taken:
    """Of one-at-a-time requests on one connection, after a few that do not count."""
    connection, turns = HTTPConnection(urlsplit(up.base).netloc), cycle(asked)
    times = [_ms(connection, next(turns)) for _ in range(UNCOUNTED + ASKED)][UNCOUNTED:]
    connection.close()
    return Taken(median(times), quantiles(times, n=20)[-1])


def _ms(connection: HTTPConnection, asked: Asked) -> float:
    started = time.perf_counter()
    connection.request(asked.method, asked.path, asked.body, dict(asked.headers))
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise BenchError(f"{asked.method} {asked.path} answered {answer.status}")
    return (time.perf_counter() - started) * 1e3
