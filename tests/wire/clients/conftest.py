from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server, free_port, serve


@pytest.fixture(scope="session")
def private_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def server(
    sqlite_seed: Path, tmp_path_factory: pytest.TempPathFactory, private_port: int
) -> Iterator[Server]:
    """A real server over a copy of the seeded installation; at its private port it answers in bob's name."""
    folder = tmp_path_factory.mktemp("clients") / "data"
    shutil.copytree(sqlite_seed, folder)
    with serve(folder, PRIVATE_BIND=f"127.0.0.1:{private_port}", PRIVATE_ACCOUNT="bob") as running:
        yield running


@pytest.fixture
def private(server: Server, private_port: int) -> str:
    """The address at which no token is asked for."""
    return f"http://127.0.0.1:{private_port}"
