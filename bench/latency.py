"""Latency under an open load: requests fall due at a steady rate, earlier ones answered or not."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

from bench import client
from bench.cases import Case
from bench.load import drive
from bench.processes import BenchError
from bench.servers import serving
from bench.target import Server, Target

CONNECTIONS = 32
SHARE_OF_PEAK = 0.5
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Profile:
    """Latencies in milliseconds at `rate` requests a second, half of the `peak` found just before."""

    peak: float
    rate: float
    p50_ms: float
    p99_ms: float


def measure(server: Server, case: Case, seconds: float, work: Path) -> Profile:
    """Find the peak with wrk, then offer half of it for that many seconds."""
    work.mkdir(exist_ok=True)
    server.prepare(case, work)
    with serving(server, case, work) as up:
        bodies = [up.target.body(row) for row in case.rows]
        drive(up.target, bodies, 2.0)
        peak = drive(up.target, bodies, seconds).rate
        rate = peak * SHARE_OF_PEAK
        waited = sorted(asyncio.run(_offer(up.target, bodies, rate, seconds)))
    cuts = quantiles(waited, n=100)
    return Profile(peak, len(waited) / seconds, cuts[49] * 1e3, cuts[98] * 1e3)


async def _offer(target: Target, bodies: Sequence[object], rate: float, seconds: float) -> list[float]:
    requests = [_request(target, client.encode(body)) for body in bodies]
    turns, waited, begin = count(), [], time.perf_counter()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(
            urlsplit(target.url).hostname, urlsplit(target.url).port
        )
        while (due := begin + (turn := next(turns)) / rate) < begin + seconds:
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
                due = (
                    time.perf_counter()
                )  # a late timer is our fault; only a lack of connections is the server's
            writer.write(requests[turn % len(requests)])
            await _answer(reader)
            waited.append(time.perf_counter() - due)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return waited


def _request(target: Target, body: bytes) -> bytes:
    address = urlsplit(target.url)
    headers = {
        "Host": address.netloc,
        "Content-Type": "application/json",
        "Content-Length": len(body),
        **target.headers,
    }
    lines = [f"POST {address.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    if not length or not head.startswith(b"HTTP/1.1 200"):
        raise BenchError(f"answered {head.splitlines()[0].decode()!r} under an open load")
    await reader.readexactly(int(length[1]))
