"""Requests at a rate of their own, whatever the server does: an open loop, and how each of them ended."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from tests.server import Server


class End(NamedTuple):
    """How a request ended: `status` is 0 for a connection that ended first."""

    status: int
    #: From when it was due, not from when it was sent: waiting for a connection is waiting.
    seconds: float
    retry_after: bool


@dataclass
class Poured:
    """The ends of all requests of one stream."""

    seconds: float
    ends: list[End] = field(default_factory=list)
    #: When each of them came, after the beginning.
    at: list[float] = field(default_factory=list)

    @property
    def statuses(self) -> Counter[int]:
        return Counter(end.status for end in self.ends)

    @property
    def goodput(self) -> float:
        """Good answers a second, as long as it poured."""
        good = sum(
            end.status == 200 and at <= self.seconds for end, at in zip(self.ends, self.at, strict=True)
        )
        return good / self.seconds

    @property
    def refused(self) -> list[End]:
        return [end for end in self.ends if end.status in (429, 503)]

    def p95(self, *statuses: int) -> float:
        """Seconds, over the ends with these statuses; 0 where there are too few."""
        waits = [end.seconds for end in self.ends if end.status in statuses]
        return quantiles(waits, n=20)[-1] if len(waits) > 1 else 0.0

    @property
    def longest(self) -> float:
        return max((end.seconds for end in self.ends), default=0.0)


class _Connection(asyncio.Protocol):
    """One keep-alive connection; one request at a time."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.transport: asyncio.Transport | None = None
        self.due: float | None = None
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._stream.free(self)

    def send(self, due: float, data: bytes) -> None:
        assert self.transport is not None
        self.due = due
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, gap, body = self._got.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), None)
        if not gap or length is None or len(body) < length:
            return
        self._got = b""
        self._end(int(head[9:12]), any(line.startswith(b"retry-after:") for line in lines))
        if b"connection: close" in lines:
            self.connection_lost(None)
        else:
            self._stream.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:
            self.transport = None
            self._stream.gone()
            self._end(0, False)

    def _end(self, status: int, told: bool) -> None:
        due, self.due = self.due, None
        if due is not None:
            self._stream.ended(due, status, told)


class Stream:
    """Requests of one client, `rate` a second over at most `most` connections; without a rate, a closed loop.

    `again` is how often a refused request is sent once more, at once.
    """

    def __init__(
        self, port: int, requests: Sequence[bytes], rate: float | None, most: int, *, again: int = 0
    ) -> None:
        self._port, self._requests, self._rate, self._most, self._again = port, requests, rate, most, again
        self._idle: list[_Connection] = []
        self._waiting: deque[float] = deque()
        self._tries: Counter[float] = Counter()
        self._open = self._sent = self._pending = 0
        self._connecting: set[asyncio.Future[None]] = set()

    async def run(self, seconds: float) -> Poured:
        """Send for so long, and wait for what is under way."""
        self._begun = time.monotonic()
        self._until = self._begun + seconds
        self._poured = Poured(seconds)
        if self._rate is None:
            for _ in range(self._most):
                self._ask(time.monotonic())
        else:
            for n in range(round(self._rate * seconds)):
                due = self._begun + n / self._rate
                if (left := due - time.monotonic()) > 0.001:
                    await asyncio.sleep(left)
                self._ask(due)
                if n % 50 == 0:
                    await asyncio.sleep(0)
        await asyncio.sleep(max(0.0, self._until - time.monotonic()))
        give_up = time.monotonic() + 30
        while self._pending and time.monotonic() < give_up:
            await asyncio.sleep(0.01)
        self._poured.ends += [End(0, 30.0, False)] * self._pending
        self._poured.at += [seconds + 30.0] * self._pending
        for connection in self._idle:
            if connection.transport is not None:
                connection.transport.close()
        return self._poured

    def _ask(self, due: float) -> None:
        self._pending += 1
        self._waiting.append(due)
        if not self._idle and self._open < self._most:
            self._open += 1
            self._connecting.add(task := asyncio.ensure_future(self._connect()))
            task.add_done_callback(self._connecting.discard)
        self._serve()

    async def _connect(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
        except OSError:
            self.gone()
            if self._waiting:
                self.ended(self._waiting.popleft(), 0, False)

    def _serve(self) -> None:
        while self._idle and self._waiting:
            connection = self._idle.pop()
            if connection.transport is None or connection.transport.is_closing():
                continue
            self._sent += 1
            connection.send(self._waiting.popleft(), self._requests[self._sent % len(self._requests)])

    def free(self, connection: _Connection) -> None:
        self._idle.append(connection)
        self._serve()

    def gone(self) -> None:
        self._open -= 1

    def ended(self, due: float, status: int, told: bool) -> None:
        now = time.monotonic()
        self._pending -= 1
        if status in (429, 503) and self._tries[due] < self._again:
            self._tries[due] += 1
            self._ask(due)
            return
        self._poured.ends.append(End(status, now - due, told))
        self._poured.at.append(now - self._begun)
        if self._rate is None and now < self._until:
            self._ask(now)


def pour(seconds: float, *streams: Stream) -> list[Poured]:
    """Run the streams side by side for so long."""

    async def all_of_them() -> list[Poured]:
        return list(await asyncio.gather(*(stream.run(seconds) for stream in streams)))

    return asyncio.run(all_of_them())


@contextmanager
def on_cores_of_their_own(server: Server) -> Iterator[None]:
    """The server on the first core, whoever runs this on the others; both on all where there is but one."""
    cores = sorted(os.sched_getaffinity(0))
    for pid in (server.process.pid, *server.workers()):
        os.sched_setaffinity(pid, cores[:1])
    os.sched_setaffinity(0, cores[1:] or cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def request(path: str, token: str, body: bytes, **headers: str) -> bytes:
    """The bytes of a POST of JSON."""
    told = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{told}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def resident_mb(pids: Sequence[int]) -> float:
    """Memory of the processes now, in MB."""
    pages = 0
    for pid in pids:
        pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
