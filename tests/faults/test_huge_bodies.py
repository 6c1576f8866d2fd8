"""Bodies without measure, to every address that reads JSON: refused, for little memory and little of a processor."""

from __future__ import annotations

import os
import shutil
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.pouring import resident_mb
from tests.server import Server, serve
from webapp.worker import LINGER_BYTES

ADDRESSES = [
    "/api/v1/login",
    "/api/v1/predict",
    "/api/v1/models/iris/predict",
    "/api/v1/predictions/pred_0/outcome",
    "/v2/models/iris/infer",
    "/v1/models/iris:predict",
    "/invocations",
]
CHUNKED = "Transfer-Encoding: chunked"
PIECE = 64 * 1024
GIVE_UP = 30
#: What the kernel may hold of a connection on both sides.
KERNELS = 16 * 2**20


class Body(NamedTuple):
    headers: str
    pieces: Callable[[], Iterator[bytes]]


def multipart(parts: int) -> bytes:
    return b"".join(
        b'--x\r\nContent-Disposition: form-data; name="p%d"\r\n\r\n1\r\n' % n for n in range(parts)
    )


def bomb() -> bytes:
    """1 MB that unpacks to 1 GB, in one stream without an end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + block * 1024


BODIES = {
    "1 GB": Body(
        "Content-Type: application/json\r\nContent-Length: 1073741824", lambda: repeat(b" " * PIECE)
    ),
    "chunks without end": Body(
        f"Content-Type: application/json\r\n{CHUNKED}", lambda: repeat(b"10000\r\n" + b" " * PIECE + b"\r\n")
    ),
    "a million chunks of 6 bytes": Body(
        f"Content-Type: application/json\r\n{CHUNKED}",
        lambda: iter([b"1\r\n \r\n" * 10_000] * 100 + [b"0\r\n\r\n"]),
    ),
    "10,000 parts": Body(
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(multipart(10_000)) + 5}",
        lambda: iter([multipart(10_000) + b"--x--"]),
    ),
    "a gzip bomb": Body(
        f"Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb())}",
        lambda: iter([bomb()]),
    ),
}


@pytest.fixture(scope="module")
def server(sqlite_seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("huge") / "data"
    shutil.copytree(sqlite_seed, folder)
    with serve(folder, WORKERS="1", RATE_LIMIT_ADDRESS="0") as server:
        yield server


class Cost(NamedTuple):
    status: int
    #: Bytes that the client could get rid of: those read, and what the kernel held meanwhile.
    sent: int
    mb: float
    processor_seconds: float


def pour(server: Server, address: str, token: str, body: Body) -> Cost:
    """Send all of it, or until the connection ends."""
    [worker] = server.workers()
    before, used = resident_mb([worker]), processor(worker)
    head = f"POST {address} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{body.headers}\r\n\r\n"
    got, sent, begun = b"", 0, time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=GIVE_UP) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIECE)
        connection.sendall(head.encode())
        with suppress(OSError):
            for piece in body.pieces():
                connection.sendall(piece)
                sent += len(piece)
                if time.monotonic() - begun > GIVE_UP:
                    break
        with suppress(OSError):
            while not got.endswith(b"}") and (data := connection.recv(65536)):
                got += data
    status = int(got[9:12] or 0)
    return Cost(status, sent, resident_mb([worker]) - before, processor(worker) - used)


def processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_body_without_measure_is_refused_for_little(
    server: Server, address: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    token = server.login("alice")
    cost = pour(server, address, token, BODIES[name])
    with capsys.disabled():
        print(f"\n{address} {name}: {cost.status}, {cost.sent / 1e6:.1f} MB sent, {cost.mb:+.1f} MB of memory,"
              f" {cost.processor_seconds:.2f} s of a processor", end="")  # fmt: skip
    assert cost.status in (400, 413, 415)
    assert cost.mb <= 20
    assert cost.processor_seconds <= 1
    # Lingering takes in what is sent meanwhile, so that the answer is not lost with the connection.
    assert cost.sent <= 8 * 2**20 + LINGER_BYTES + KERNELS
