"""The API keeps to its description, whoever asks: generated requests and sequences, with every check there is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.api import contract
from tests.server import Server, serve

ROLES = {"admin": "dave", "publisher": "paula", "analyst": "alice", "auditor": "carol", "anonymous": None}
#: Whoever it is, what is sent at the limits of parameters is the same; the everyday run sends it as who may the most.
ADMINS, OTHERS = (
    contract.configuration(3, 10),
    contract.configuration(3, 10, phases=("examples", "fuzzing", "stateful")),
)
LONG, SEQUENCES = contract.configuration(100, 500), 500


@pytest.mark.parametrize("role", ROLES)
def test_generated_requests_find_the_contract_kept(asked: Asked, role: str) -> None:
    found = keep(asked, role, ADMINS if role == "admin" else OTHERS)
    assert found.requests["fuzzing"] >= 100
    assert found.sequences >= 10


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("role", ROLES)
def test_a_hundred_requests_an_operation_find_it_kept(asked: Asked, role: str) -> None:
    found = keep(asked, role, LONG)
    seconds, sequences, seed = found.seconds, found.sequences, 7
    while sequences < SEQUENCES:  # one seed runs dry before that
        config = contract.configuration(100, SEQUENCES, phases=["stateful"], seed=seed)
        more = keep(asked, role, config)
        seconds, sequences, seed = seconds + more.seconds, sequences + more.sequences, seed + 1
        found.requests += more.requests
        found.statuses += more.statuses
    print(role, f"{seconds:.0f} s", dict(found.requests), sequences, dict(found.statuses))


class Asked(NamedTuple):
    """A server, and two access tokens of each role: wrong passwords, sent by the thousand, will close the sign-in."""

    server: Server
    tokens: dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def asked(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("contract") / "data"
    shutil.copytree(furnished, folder)
    with serve(folder, JOB_WORKER="true", WORKERS="1", ACCESS_TOKEN_MINUTES="240") as running:
        yield Asked(running, {r: (running.login(n), running.login(n)) for r, n in ROLES.items() if n})


def keep(asked: Asked, role: str, config: dict[str, object]) -> contract.Outcome:
    tokens = asked.tokens.get(role, (None, None))
    found = contract.run(asked.server.address, config, *tokens)
    assert not found.failures, "\n\n".join(f"{name}\n{told}" for name, told in found.failures.items())
    return found
