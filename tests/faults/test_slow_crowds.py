"""Hundreds who are slow: with their heads, with their bodies, or to take their answers. The others notice nothing."""

from __future__ import annotations

import json
import resource
import select
import socket
import time
from collections import defaultdict
from collections.abc import Iterator
from statistics import quantiles

import pytest

from tests.faults.conftest import Installation
from tests.faults.pouring import Stream, pour, request
from tests.faults.test_slowness import hurried
from tests.faults.traffic import iris
from tests.server import Server, serve
from webapp.web import assets

__all__ = ["hurried"]
HEAD = "POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\n"
BODY = f"{HEAD}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
#: Requests of the honest client a second.
RATE = 20


class Slow:
    """Sockets of each kind that send one byte a second, or read nothing; when each of them was cut off."""

    def __init__(self, server: Server, heads: int, bodies: int, readers: int) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
        script = f"/assets/{assets.stamp('plotly.min.js')}/plotly.min.js"
        pages = f"GET {script} HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10
        self.kinds: dict[socket.socket, str] = {}
        self.begun = time.monotonic()
        self.cut: dict[str, list[float]] = defaultdict(list)
        for kind, number, first in (
            ("head", heads, HEAD),
            ("body", bodies, BODY),
            ("reader", readers, pages),
        ):
            for _ in range(number):
                one = socket.create_connection(("127.0.0.1", server.port))
                if kind == "reader":
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                one.sendall(first.encode())
                one.setblocking(False)
                self.kinds[one] = kind

    def drip(self) -> None:
        """Send a byte on each, and see which are cut off."""
        for one, kind in list(self.kinds.items()):
            try:
                if kind == "reader":
                    gone = _hung_up(one)
                else:
                    one.send(b"x" if kind == "head" else b" ")
                    gone = one.recv(65536) in (b"", None) if _readable(one) else False
            except BlockingIOError:
                gone = False
            except OSError:
                gone = True
            if gone:
                self._end(one)

    def _end(self, one: socket.socket) -> None:
        self.cut[self.kinds.pop(one)].append(time.monotonic() - self.begun)
        one.close()

    def close(self) -> None:
        for one in self.kinds:
            one.close()


def _readable(one: socket.socket) -> bool:
    return bool(select.select([one], [], [], 0)[0]) if one.fileno() < 1024 else bool(_polled(one))


def _polled(one: socket.socket) -> int:
    poll = select.poll()
    poll.register(one, select.POLLIN | select.POLLRDHUP)
    return sum(event for _, event in poll.poll(0))


def _hung_up(one: socket.socket) -> bool:
    return bool(_polled(one) & (select.POLLHUP | select.POLLRDHUP | select.POLLERR))


def trial(
    server: Server, heads: int, bodies: int, readers: int, seconds: int
) -> tuple[float, float, float, dict[str, list[float]]]:
    """Share of good answers, p95 alone and beside the slow ones in seconds, and when these were cut off."""
    token = server.login("alice")
    asked = [
        request("/api/v1/models/iris/predict", token, json.dumps({"inputs": iris(n)}).encode())
        for n in range(50)
    ]
    [alone] = pour(min(seconds, 10), Stream(server.port, asked, RATE, 50))
    slow = Slow(server, heads, bodies, readers)
    good, waits = 0, list[float]()
    try:
        while time.monotonic() - slow.begun < seconds:
            [beside] = pour(1, Stream(server.port, asked, RATE, 50))
            good += beside.statuses[200]
            waits += [end.seconds for end in beside.ends]
            slow.drip()
    finally:
        slow.close()
    return good / len(waits), alone.p95(200), quantiles(waits, n=20)[-1], slow.cut


def told(share: float, alone: float, beside: float, cut: dict[str, list[float]]) -> str:
    ends = ", ".join(f"{len(at)} {kind}s cut off after {max(at):.0f} s at most" for kind, at in cut.items())
    return f"\n{share:.1%} answered, p95 {alone * 1000:.1f} ms alone, {beside * 1000:.1f} ms beside; {ends}"


def test_a_few_slow_ones_are_cut_off_and_the_others_are_answered(hurried: Server) -> None:
    share, _, _, cut = trial(hurried, 60, 30, 30, 12)
    assert share >= 0.99
    assert (len(cut["head"]), len(cut["body"])) == (60, 30)


@pytest.fixture
def server(sqlite: Installation) -> Iterator[Server]:
    with serve(sqlite.folder, RATE_LIMIT_ADDRESS="0") as server:
        yield server


@pytest.mark.long
@pytest.mark.timeout(600)
def test_hundreds_of_slow_ones_are_cut_off_and_the_others_are_answered(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    share, alone, beside, cut = trial(server, 500, 200, 200, 80)
    with capsys.disabled():
        print(told(share, alone, beside, cut))
    assert share >= 0.99
    assert (len(cut["head"]), len(cut["body"])) == (500, 200)
    assert max(cut["head"]) <= 33 and max(cut["body"]) <= 63
