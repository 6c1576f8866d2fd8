"""Does the cost stay flat? The same four requests with few records and with many."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from http.cookiejar import CookieJar
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, Request, build_opener

from bench import client
from bench.batch import ROWS, instances
from bench.cases import Case
from bench.processes import BenchError
from bench.servers import PARECER, USER, Up, serving
from bench.target import Target

SIZES = (1_000, 100_000)
ASKED, UNCOUNTED = 100, 10
CSRF = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Asked(NamedTuple):
    """One request, as a keep-alive connection sends it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


def measure(case: Case, work: Path, sizes: tuple[int, ...] = SIZES) -> dict[int, Mapping[str, float]]:
    """Median milliseconds of predict, dashboard, history and record at each number of records."""
    work.mkdir(exist_ok=True)
    PARECER.prepare(case, work)
    found: dict[int, Mapping[str, float]] = {}
    with serving(PARECER, case, work) as up:
        cookie, stored = sign_in(up.base, USER, PARECER.password), 0
        for size in sizes:
            fill(up.target, case, size - stored)
            stored = size
            found[size] = {
                name: p50_ms(up, asked) for name, asked in questions(up.target, cookie, case).items()
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
    """What is asked, by name: predict with changing rows, and three pages, one of them a fresh record's."""
    made = client.post(target.url, target.body(case.rows[0]), target.headers)
    path, page = urlsplit(target.url).path, {"Cookie": cookie}
    headers = {"Content-Type": "application/json", **target.headers}
    return {
        "predict": [
            Asked("POST", path, headers, client.encode(target.body(row))) for row in case.rows[:ASKED]
        ],
        "dashboard": [Asked("GET", "/", page)],
        "history": [Asked("GET", "/predictions", page)],
        "record": [Asked("GET", f"/predictions/{made['id']}", page)],
    }


def p50_ms(up: Up, asked: Sequence[Asked]) -> float:
    """Median of one-at-a-time requests on one connection, after a few that do not count."""
    connection, turns = HTTPConnection(urlsplit(up.base).netloc), cycle(asked)
    taken = [_ms(connection, next(turns)) for _ in range(UNCOUNTED + ASKED)]
    connection.close()
    return median(taken[UNCOUNTED:])


def _ms(connection: HTTPConnection, asked: Asked) -> float:
    started = time.perf_counter()
    connection.request(asked.method, asked.path, asked.body, dict(asked.headers))
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise BenchError(f"{asked.method} {asked.path} answered {answer.status}")
    return (time.perf_counter() - started) * 1e3
