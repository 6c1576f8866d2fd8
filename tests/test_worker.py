"""What our worker does differently from gunicorn's, nobody can see but on the clock."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from gunicorn import util
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http import message, parser, wsgi
from gunicorn.http.body import ChunkedReader
from gunicorn.http.unreader import IterUnreader, SocketUnreader

from webapp import worker

CONFIG = Config()
PEER, SERVER = ("127.0.0.1", 5555), ("127.0.0.1", 5000)
POST = b"POST /a%20b?c=d HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nX-One: 2\r\nContent-Length: 3\r\n\r\nabc"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-End: 1\r\n\r\n"
HEADS = {
    "a body": POST,
    "no body": b"GET / HTTP/1.1\r\nHost: h\r\nCookie: a=b\r\n\r\n",
    "the old protocol": b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "chunks with a trailer": CHUNKED,
    "an empty line before": b"\r\n" + POST,
    "another body of that length": POST.replace(b"abc", b"xyz"),
    "a close": b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
}
BROKEN = {
    "two lengths": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": POST.replace(b"X-One: 1", b"Transfer-Encoding: chunked"),
    "two hosts": POST.replace(b"X-One: 1", b"Host: i"),
    "a bad line": b"POST\r\n\r\n",
    "nothing but lines": b"\r\n\r\n",
    "a space before the colon": POST.replace(b"X-One:", b"X-One :"),
}


class Pieces(IterUnreader):
    """What a connection sends, piece by piece."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__(pieces)
        self.heads: dict[bytes, Any] = {}


def read(kind: type[message.Request], *sent: bytes) -> Iterator[dict[str, Any]]:
    unreader = Pieces(sent)
    for number in range(1, 4):
        try:
            request = kind(CONFIG, unreader, PEER, number)
        except StopIteration:
            return
        environ = dict(create_of(kind)(request, None, PEER, SERVER, CONFIG)[1])
        del environ["wsgi.errors"], environ["wsgi.input"]
        environ.pop("wsgi.early_hints", None)
        yield {
            "line": (request.method, request.uri, request.version, request.req_number),
            "headers": list(request.headers),
            "close": request.should_close(),
            "environ": environ,
            "body": request.body.read(),
            "trailers": list(request.trailers),
        }


def create_of(kind: type[message.Request]) -> Any:
    return worker.create if kind is worker.Request else worker._create


@pytest.mark.parametrize("first", HEADS)
@pytest.mark.parametrize("second", HEADS)
def test_requests_of_a_connection_read_as_gunicorn_reads_them(first: str, second: str) -> None:
    sent = HEADS[first], HEADS[second], HEADS[first]
    assert list(read(worker.Request, *sent)) == list(read(message.Request, *sent))


@pytest.mark.parametrize("size", [1, 7, 60, 1000])
def test_requests_in_any_pieces_read_as_gunicorn_reads_them(size: int) -> None:
    sent = POST + POST + CHUNKED
    pieces = [sent[i : i + size] for i in range(0, len(sent), size)]
    assert list(read(worker.Request, *pieces)) == list(read(message.Request, *pieces))


@pytest.mark.parametrize("kind", BROKEN)
def test_what_gunicorn_refuses_is_refused_however_often(kind: str) -> None:
    with pytest.raises(Exception) as stock:
        list(read(message.Request, BROKEN[kind]))
    for sent in ((BROKEN[kind],), (POST, BROKEN[kind])):
        with pytest.raises(type(stock.value)):
            list(read(worker.Request, *sent))


def test_a_head_that_was_sent_before_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []
    monkeypatch.setattr(
        worker.Request, "parse_headers", lambda _self, data, from_trailer: heads.append(data) or []
    )
    unreader = Pieces([HEADS["no body"]] * 3)
    for number in range(3):
        worker.Request(CONFIG, unreader, PEER, number)
    assert len(heads) == 1


def test_a_connection_has_few_heads_remembered() -> None:
    unreader = Pieces(POST.replace(b"X-One: 1", b"X-One: %d" % i) for i in range(100))
    for number in range(100):
        worker.Request(CONFIG, unreader, PEER, number).body.read()
    assert len(unreader.heads) == worker.HEADS


def test_what_is_remembered_goes_with_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "SocketUnreader", worker.Unreader)
    monkeypatch.setattr(parser.RequestParser, "mesg_class", worker.Request)
    monkeypatch.setattr(wsgi, "create", worker.create)
    remembered: list[dict[bytes, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", "0")])
        [unreader] = worker._connections.values()
        remembered.append(unreader.heads)
        assert len(unreader.heads) == len(remembered)
        return []

    here = object.__new__(worker.Worker)
    here.cfg, here.log, here.wsgi = CONFIG, Logger(CONFIG), app
    here.alive, here.nr, here.max_requests = True, 0, 100
    client, served = socket.socketpair()
    with client, socket.create_server(("127.0.0.1", 0)) as listener:
        client.sendall(POST + CHUNKED)
        client.shutdown(socket.SHUT_WR)
        here.handle(listener, served, PEER)
    assert remembered == [{}, {}] and worker._connections == {}


def test_one_environ_is_not_changed_through_another() -> None:
    unreader = Pieces([POST, POST])
    seen = []
    for number in (1, 2):
        request = worker.Request(CONFIG, unreader, PEER, number)
        environ = worker.create(request, None, PEER, SERVER, CONFIG)[1]
        seen.append("ours" in environ)
        environ["ours"] = True
        assert environ["wsgi.input"].read() == b"abc"
    assert seen == [False, False]


def test_who_waits_to_be_told_to_go_on_is_told_each_time() -> None:
    sent = POST.replace(b"X-One: 1", b"Expect: 100-continue")
    unreader, wire = Pieces([sent, sent]), Wire()
    for number in (1, 2):
        request = worker.Request(CONFIG, unreader, PEER, number)
        worker.create(request, wire, PEER, SERVER, CONFIG)
        request.body.read()
    assert wire.sent == [b"HTTP/1.1 100 Continue\r\n\r\n"] * 2


class Wire:
    """A socket that remembers what was sent, call by call."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def settimeout(self, seconds: float | None) -> None:
        self.timeout = seconds

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)

    def send(self, data: bytes) -> int:
        self.sent.append(data)
        return len(data)

    def sendfile(self, file: Any, offset: int, count: int) -> None:
        file.seek(offset)
        self.sent.append(file.read(count))


ANSWERS: dict[str, tuple[bytes, str, list[tuple[str, str]], list[bytes]]] = {
    "one piece": (b"GET", "200 OK", [("Content-Length", "3"), ("X-A", "b")], [b"abc"]),
    "two pieces": (b"GET", "200 OK", [("Content-Length", "6")], [b"abc", b"def"]),
    "more than was said": (b"GET", "200 OK", [("Content-Length", "2")], [b"abc"]),
    "chunks": (b"GET", "200 OK", [], [b"abc", b"", b"def"]),
    "no bytes": (b"GET", "200 OK", [("Content-Length", "0")], []),
    "no bytes, in chunks": (b"GET", "200 OK", [], []),
    "a head alone": (b"HEAD", "200 OK", [("Content-Length", "3")], [b"abc"]),
    "no content": (b"GET", "204 No Content", [], []),
}


def answered(kind: type[wsgi.Response], answer: str) -> list[bytes]:
    method, status, headers, body = ANSWERS[answer]
    wire, unreader = Wire(), Pieces([method + b" / HTTP/1.1\r\nHost: h\r\n\r\n"])
    response = kind(message.Request(CONFIG, unreader, PEER), wire, CONFIG)
    response.start_response(status, headers)
    for item in body:
        response.write(item)
    response.close()
    return wire.sent


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_is_the_same_bytes_as_gunicorns(answer: str) -> None:
    ours, theirs = (b"".join(answered(kind, answer)) for kind in (worker.Response, wsgi.Response))
    date = re.compile(rb"Date: [^\r]+")
    assert date.sub(b"", ours) == date.sub(b"", theirs)


def test_an_answer_in_one_piece_is_one_call() -> None:
    [sent] = answered(worker.Response, "one piece")
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n") and sent.endswith(b"\r\n\r\nabc")


def test_a_long_answer_is_sent_without_a_copy() -> None:
    body = b"x" * 2**20
    wire, unreader = Wire(), Pieces([b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"])
    response = worker.Response(message.Request(CONFIG, unreader, PEER), wire, CONFIG)
    response.start_response("200 OK", [("Content-Length", str(len(body)))])
    response.write(body)
    response.close()
    head, sent = wire.sent
    assert head.endswith(b"\r\n\r\n") and sent is body


def test_a_file_follows_its_head(tmp_path: Any) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    wire, unreader = Wire(), Pieces([b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"])
    response = worker.Response(message.Request(CONFIG, unreader, PEER), wire, CONFIG)
    response.start_response("200 OK", [("Content-Length", "7")])
    with file.open("rb") as body:
        response.write_file(wsgi.FileWrapper(body))
    response.close()
    assert b"".join(wire.sent).endswith(b"\r\n\r\ncontent")


def test_the_date_is_that_of_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 784111777.9)
    assert worker._date() == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_what_is_replaced_is_still_there_in_gunicorn() -> None:
    assert parser.RequestParser.mesg_class is message.Request and parser.SocketUnreader is SocketUnreader
    assert message.ChunkedReader is ChunkedReader and callable(wsgi.create) and callable(util.http_date)
