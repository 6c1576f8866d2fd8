"""A file of a million rows as a batch: looked through, predicted by the worker, and every row on the record."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.request import Request

from bench import client
from bench.batch import TABLES, bare_rate, database
from bench.cases import Case
from bench.processes import BenchError
from bench.servers import PARECER, data_dir, serving

LOOK_S = 0.5
ENDED = ("done", "refused", "cancelled", "stopped", "failed")


@dataclass(frozen=True, slots=True)
class File:
    """Rows a second of each step; `bare_rate` is that of bare inserts of the same records, a thousand a commit."""

    rows: int
    checked_rate: float
    rate: float
    bare_rate: float
    #: The most memory that each kind of process ever had resident, MB.
    worker_mb: float
    web_mb: float

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.rate / self.bare_rate}


def measure(case: Case, rows: int, work: Path) -> File:
    """Send a CSV of so many rows and wait for its end; raises BenchError unless each row is on the record."""
    work.mkdir(exist_ok=True)
    PARECER.prepare(case, work)
    with serving(PARECER, case, work) as up:
        api, sign = up.base + "/api/v1", up.target.headers
        job = json.loads(client.send(_upload(api, case, rows, sign)))
        started, running = time.monotonic(), None
        while job["state"] not in ENDED:
            up.running.check()
            time.sleep(LOOK_S)
            job = json.loads(client.send(Request(f"{api}/jobs/{job['id']}", headers=dict(sign))))
            if job["state"] == "running" and running is None:
                running = time.monotonic()
        ended = time.monotonic()
        worker, web = (up.running.peak_rss_mb(word) for word in ("worker", "gunicorn"))
    if job["state"] != "done" or job["rows_recorded"] != rows or running is None:
        raise BenchError(f"the batch did not record each of its rows: {job}")
    bare = bare_rate(database(data_dir(work)), TABLES, work / "bare.db")
    return File(rows, rows / (running - started), rows / (ended - running), bare, worker, web)


def _upload(api: str, case: Case, rows: int, headers: Mapping[str, str]) -> Request:
    edge = secrets.token_hex(16)
    before = (
        f'--{edge}\r\nContent-Disposition: form-data; name="model"\r\n\r\n{case.name}\r\n'
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="rows.csv"\r\n\r\n'
    )
    body = f"{before}{''.join(_lines(case, rows))}\r\n--{edge}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    return Request(f"{api}/jobs", body, {**headers, **kind})


def _lines(case: Case, rows: int) -> Iterator[str]:
    yield ",".join(case.features) + "\n"
    for row in islice(cycle(case.rows), rows):
        yield ",".join(map(str, row)) + "\n"
