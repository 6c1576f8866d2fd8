from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from parecer_client import Client

from tests.conftest import password
from tests.server import Server, serve


@pytest.fixture(scope="session")
def server(sqlite_seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server over a copy of the seeded installation, with its worker."""
    folder = tmp_path_factory.mktemp("client") / "data"
    shutil.copytree(sqlite_seed, folder)
    with serve(folder, JOB_WORKER="true") as running:
        yield running


@pytest.fixture
def desk(server: Server) -> Callable[[str], Client]:
    """desk("alice"): a client that is signed in and shows no bars."""
    return lambda name: Client.login(server.address, name, password(name), progress=False)
