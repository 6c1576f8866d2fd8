"""The web worker: gunicorn's on gevent, which does less for each request and waits for nobody without end.

gunicorn has no settings for this, so a worker puts what is here in the place of gunicorn's own when it starts. What
goes over the wire stays the same: tests/test_worker.py holds both side by side.
"""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from functools import lru_cache
from math import inf
from typing import Any, ClassVar

import gevent
from gevent import Timeout
from gevent.hub import Hub
from gevent.server import StreamServer
from gunicorn import util
from gunicorn.http import message, parser, wsgi
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import InvalidChunkSize
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers import ggevent
from gunicorn.workers.ggevent import GeventWorker

#: Heads remembered for each connection, and the longest: programs differ in Content-Length only. At worst, hostile
#: connections make a worker remember some 5 KB a head.
HEADS, LONGEST = 16, 2048
#: For a whole body to arrive; a head has `keepalive`. Each that trickles in holds one of `worker_connections`.
BODY_SECONDS = 60
#: For a piece of an answer to be taken.
ANSWER_SECONDS = 60
#: A connection that has asked for nothing for so long may be closed on the way out: a request may yet be on its way.
IDLE_SECONDS = 2
#: Bytes of a body nobody has read that are taken in before the next request; beyond them the connection is closed.
UNREAD = 256 * 1024
#: Bytes of an answer that are copied to go with its head. A file in memory may be sent to hundreds at once who take it
#: slowly: each would have a copy of its own.
TOGETHER = 64 * 1024
#: For the client to read its answer in, while it is still sending, before the connection is closed; and how much it
#: may send meanwhile, where it has not been given more time.
LINGER_SECONDS, LINGER_BYTES = 5.0, 16 * 2**20
#: Chunks of a body that may be of any size; of more, the average size in bytes must be this. Each costs microseconds.
ANY_CHUNKS, AVERAGE_CHUNK = 10_000, 64
#: Seconds: turns of the loop that are long, from one new connection to the next; longer than that, there was none.
LONG_TURNS = (0.005, 1.0)
#: New connections that are taken at a turn where turns are long.
CROWD = 100
#: Seconds: the shortest sleep that is one, so that sockets are looked at.
BREATH = 1e-6
_OWN = ("wsgi.input", "wsgi.early_hints")
_connections: dict[Any, Unreader] = {}
_drain = parser.RequestParser.finish_body
_create, _formatted = wsgi.create, lru_cache(maxsize=1)(util.http_date)


class Worker(GeventWorker):  # type: ignore[misc]
    """gunicorn's gevent worker with the classes of this module."""

    def init_process(self) -> None:
        parser.SocketUnreader = Unreader
        parser.RequestParser.mesg_class = Request
        parser.RequestParser.finish_body = _finish_body
        wsgi.Response = Response
        wsgi.create = create
        message.ChunkedReader = Chunks
        ggevent.StreamServer = Server
        util.http_date = _date
        Hub.print_exception = _log_exception
        super().init_process()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection, and let go of what was remembered of it."""
        try:
            super().handle(listener, client, addr)
        finally:
            # Requests and connections hold each other, and the garbage collector is in no hurry to part them.
            if unreader := _connections.pop(client, None):
                unreader.heads.clear()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Finish what has been asked; connections that ask for nothing are not waited for."""
        super().handle_exit(sig, frame)
        gevent.spawn(_hang_up)  # not in the signal's own stack, where nothing may wait


class Server(StreamServer):  # type: ignore[misc]
    """Takes one new connection at a turn of the loop, so that each worker gets some; where turns are long, more.

    One by one, as gunicorn has it where there are several workers, a crowd would wait for seconds under load.
    """

    _taken = 0.0

    @property
    def max_accept(self) -> int:
        now = time.monotonic()
        turn, self._taken = now - self._taken, now
        return CROWD if LONG_TURNS[0] < turn < LONG_TURNS[1] else 1

    @max_accept.setter
    def max_accept(self, _number: int) -> None:
        """What gunicorn wants is not taken over."""


class Unreader(SocketUnreader):  # type: ignore[misc]
    """What a connection sends, in time or not at all (TimeoutError)."""

    #: When the body must be there, as of time.monotonic; None: another clock runs for the wait between requests.
    until: float | None = None
    #: How many wait for a piece of a body in this process.
    awaited: ClassVar[int] = 0
    #: How long who sends on after the answer is listened to.
    linger = LINGER_SECONDS
    #: Slept between the pieces of a body. With 0, gevent looks for what others have sent only now and then.
    breath = 0.0

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        #: When the wait for a request began.
        self.since = time.monotonic()
        _connections[sock] = self
        #: What Request remembers of this connection, by the bytes of a head.
        self.heads: dict[bytes, dict[str, Any]] = {}

    def be_patient(self, seconds: float) -> None:
        """Give the body of this request more time than others, also after it has been refused."""
        self.until, self.linger, self.breath = time.monotonic() + seconds, seconds, BREATH

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next bytes, at most as many as asked for."""
        if self.until is None:
            return bytes(super().chunk(size_hint))
        gevent.sleep(
            self.breath
        )  # what is there at once is read without waiting: others would get no turn, and no clock theirs
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        Unreader.awaited += 1
        try:
            with Timeout(left, TimeoutError):
                return bytes(super().chunk(size_hint))
        finally:
            Unreader.awaited -= 1


class Request(message.Request):  # type: ignore[misc]
    """A request whose head is not read again where the same connection has sent the very same bytes before."""

    headers: list[tuple[str, str]]
    #: What is remembered for the next request with this head, if anything.
    kept: dict[str, Any] | None = None
    #: The WSGI environ of an earlier request with this head, without what belongs to that one alone.
    environ: dict[str, Any] | None = None

    def __init__(self, cfg: Any, unreader: Any, peer_addr: Any, req_number: int = 1) -> None:
        unreader.until, unreader.since = None, time.monotonic()
        data = unreader.read()
        if not data:
            raise StopIteration
        end = data.find(b"\r\n\r\n") + 4
        known = unreader.heads.get(data[:end])
        if known is None:
            unreader.unread(data)
            super().__init__(cfg, unreader, peer_addr, req_number)
            alone = unreader.buf.getvalue() == data[end:]  # the head is all that has been read
            if alone and 4 <= end <= LONGEST and len(unreader.heads) < HEADS:
                self.kept = self.__dict__ | {"headers": self.headers.copy(), "body": None}
                unreader.heads[data[:end]] = self.kept
        else:
            self.__dict__.update(known)
            self.kept, self.req_number = known, req_number
            self.headers, self.trailers = known["headers"].copy(), list[Any]()
            unreader.unread(data[end:])
            self.set_body_reader()
        unreader.until = time.monotonic() + BODY_SECONDS


class Chunks(ChunkedReader):  # type: ignore[misc]
    """A body in chunks; raises InvalidChunkSize where many are so small that they cost more than they hold."""

    _chunks = _bytes = 0
    #: Where the next request begins cannot be told.
    broken = False

    def parse_chunk_size(self, unreader: Any, data: bytes | None = None) -> tuple[int, bytes | None]:
        """The size of the next chunk, and what follows."""
        self.broken = True
        size, rest = super().parse_chunk_size(unreader, data)
        self._chunks += 1
        self._bytes += size
        if self._chunks > ANY_CHUNKS and size and self._bytes < self._chunks * AVERAGE_CHUNK:
            raise InvalidChunkSize(b"%d" % size)
        self.broken = False
        return size, rest


class Response(wsgi.Response):  # type: ignore[misc]
    """An answer whose head leaves together with the first of its body: one packet, one call of the kernel."""

    headers_sent: bool
    _head = b""

    def send_headers(self) -> None:
        """Make the head, and keep it until there is something to send it with."""
        if not self.headers_sent:
            self.sock.settimeout(ANSWER_SECONDS)
            lines = [
                *self.default_headers(),
                *(f"{name}: {value}\r\n" for name, value in self.headers),
                "\r\n",
            ]
            self._head = "".join(lines).encode("latin-1")
            self.headers_sent = True

    def sendfile(self, respiter: Any) -> bool:
        """Send a file from the kernel, if it is one."""
        self.send_headers()
        self._flush()
        sent: bool = super().sendfile(respiter)
        return sent

    def close(self) -> None:
        """Send what is left."""
        self.send_headers()
        self._flush()
        super().close()
        self.sock.settimeout(None)

    def _emit_body(self, data: bytes) -> None:
        if self.chunked:
            self._flush()
            super()._emit_body(data)
        else:
            self._flush(data)

    def _flush(self, data: bytes = b"") -> None:
        head, self._head = self._head, b""
        if len(data) > TOGETHER:
            self.sock.sendall(head)
            self.sock.sendall(data)
            return
        data = head + data
        sent = (
            self.sock.send(data) if data else 0
        )  # gevent's sendall asks the kernel for its buffer each time
        if sent < len(data):
            self.sock.sendall(data[sent:])


def create(req: Any, sock: Any, client: Any, server: Any, cfg: Any) -> tuple[Response, dict[str, Any]]:
    """The answer to be, and the WSGI environ of a request."""
    if req.environ is not None:
        environ = req.environ.copy()
        environ["wsgi.input"] = req.body
        return Response(req, sock, cfg), environ
    response, environ = _create(req, sock, client, server, cfg)
    if req.kept is not None and "HTTP_EXPECT" not in environ:
        req.kept["environ"] = {name: value for name, value in environ.items() if name not in _OWN}
    return response, environ


def _finish_body(self: Any) -> bool:
    with suppress(OSError):  # too slow, or gone
        broken = self.mesg is not None and getattr(self.mesg.body.reader, "broken", False)
        if not broken and _drain(self, max_bytes=UNREAD):
            return True
        _linger(self.unreader)
    return False


def _linger(unreader: Any) -> None:
    """Take in what still comes: closing on it would reset the connection, and the answer with it."""
    sock, left = unreader.sock, LINGER_BYTES if unreader.linger == LINGER_SECONDS else inf
    sock.shutdown(socket.SHUT_WR)
    with Timeout(unreader.linger, False):
        while left > 0 and (data := sock.recv(65536)):
            left -= len(data)
            gevent.sleep(BREATH)  # as in Unreader.chunk


def _hang_up() -> None:
    while True:
        gevent.sleep(IDLE_SECONDS / 2)
        for unreader in list(_connections.values()):
            if unreader.until is None and time.monotonic() - unreader.since > IDLE_SECONDS:
                with suppress(OSError):
                    unreader.sock.shutdown(socket.SHUT_RD)  # wakes its reader, as if the client had hung up


def _log_exception(_hub: Any, _context: Any, kind: Any, error: Any, trace: Any) -> None:
    """In the place of gevent's own, which writes many lines to standard error."""
    logging.getLogger("gevent").error("greenlet crashed", exc_info=(kind, error, trace))


def _date() -> str:
    return str(_formatted(int(time.time())))
