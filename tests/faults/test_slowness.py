"""Clients that take for ever, or send what cannot be taken apart."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests import server as servers
from tests.faults.conftest import Installation
from tests.server import Server, serve
from webapp.web import assets

HURRIED = """
exec(compile(open("gunicorn.conf.py").read(), "gunicorn.conf.py", "exec"))
from webapp import worker
keepalive = worker.BODY_SECONDS = worker.ANSWER_SECONDS = 2
"""
HEAD = "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {}\r\n{}\r\n\r\n"
LOGIN = ("/api/v1/login", "application/json")
FORM = ("/login", "application/x-www-form-urlencoded")
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture
def hurried(sqlite: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that waits two seconds for what it waits a minute for otherwise."""
    settings = tmp_path / "hurried.conf.py"
    settings.write_text(HURRIED)
    monkeypatch.setattr(
        servers, "COMMAND", [str(settings) if w == "gunicorn.conf.py" else w for w in servers.COMMAND]
    )
    with serve(sqlite.folder, WORKERS="1") as server:
        yield server


def send(server: Server, begin: str, drip: str = "") -> tuple[bytes, float]:
    """What came back, and after how many seconds the connection was closed."""
    begun, got = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(begin.encode())
        connection.settimeout(0.3)
        while time.monotonic() - begun < 20:
            try:
                data = connection.recv(65536)
            except TimeoutError:
                connection.sendall(drip.encode())
                continue
            except ConnectionError:
                break
            if not data:
                break
            got += data
    return got, time.monotonic() - begun


def test_a_body_that_trickles_in_is_cut_off(hurried: Server) -> None:
    token = hurried.login("alice")
    hurried.ask("POST", "/api/v1/models/iris/predict", {"inputs": {}}, token=token)  # it is known from now on
    lane = ("/api/v1/models/iris/predict", "application/json")
    bearer = f"\r\nAuthorization: Bearer {token}"
    for target, length in (
        (LOGIN, "Content-Length: 100"),
        (LOGIN, f"{CHUNKED}\r\n\r\n64"),
        (FORM, "Content-Length: 100"),
        (lane, f"Content-Length: 100{bearer}"),
    ):
        got, seconds = send(hurried, HEAD.format(*target, length), " " if "64" not in length else "0")
        assert got.startswith(b"HTTP/1.1 400"), got
        assert 1.5 < seconds < 6


def test_a_head_that_trickles_in_is_cut_off(hurried: Server) -> None:
    got, seconds = send(hurried, "GET / HTTP/1.1\r\nHost: ", "x")
    assert got == b"" and seconds < 6


@pytest.mark.parametrize("frame", ["Content-Length: 99999999999999", "Transfer-Encoding: chunked"])
def test_a_body_without_end_neither_stops_the_others_nor_goes_on(hurried: Server, frame: str) -> None:
    head = HEAD.format(*LOGIN, frame).encode()
    piece = b"0" * 65536 if "Length" in frame else b"1\r\n \r\n" * 10_000
    cut_off = threading.Event()

    def pour() -> None:
        with socket.create_connection(("127.0.0.1", hurried.port)) as connection, suppress(OSError):
            connection.sendall(head)
            begun = time.monotonic()
            while time.monotonic() - begun < 20:
                connection.sendall(piece)
        cut_off.set()

    thread = threading.Thread(target=pour)
    thread.start()
    waits = []
    while not cut_off.is_set() and len(waits) < 100:
        begun = time.monotonic()
        assert hurried.ask("GET", "/livez")[0] == 200
        waits.append(time.monotonic() - begun)
        time.sleep(0.05)
    thread.join(15)
    assert cut_off.is_set() and not thread.is_alive()
    assert max(waits) < 2


def test_who_sends_more_than_is_read_still_gets_the_answer(hurried: Server) -> None:
    path, body = "/api/v1/models/iris/predict", " " * 9 * 2**20
    assert hurried.ask("POST", path, body, token="expired")[0] == 401
    assert hurried.ask("POST", path, body, token=hurried.login("alice"))[0] == 413


def test_an_answer_that_nobody_takes_is_given_up(hurried: Server) -> None:
    script = f"/assets/{assets.stamp('plotly.min.js')}/plotly.min.js"
    size = len(hurried.ask("GET", script)[2])
    got = 0
    with socket.create_connection(("127.0.0.1", hurried.port)) as connection:
        connection.sendall(f"GET {script} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 10)
        time.sleep(5)
        with suppress(ConnectionError):
            while data := connection.recv(2**20):
                got += len(data)
    assert got < 10 * size


def test_chunks_that_cannot_be_taken_apart_are_malformed(hurried: Server) -> None:
    bad = (
        "x\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}x0\r\n\r\n",
        "-2\r\n{}\r\n",
        "2;\r\n{}\r\n",
        "2\r\n{}\r\n0\r\nbad trailer\r\n\r\n",
    )
    for body in bad:
        for target, kind in ((LOGIN, b"application/problem+json"), (FORM, b"text/html")):
            got, seconds = send(hurried, HEAD.format(*target, CHUNKED) + body)
            assert got.startswith(b"HTTP/1.1 400") and kind in got, got
            assert seconds < 2


def test_a_connection_that_asks_for_nothing_does_not_hold_up_the_end(sqlite: Installation) -> None:
    with serve(sqlite.folder) as server:
        idle = [server.connect() for _ in range(8)]
        for connection in idle:
            connection.request("GET", "/livez")
            connection.getresponse().read()
        server.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert server.process.wait(40) == 0
        assert time.monotonic() - begun < 8
        for connection in idle:
            connection.close()
