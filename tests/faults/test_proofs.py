"""Proofs of the server's own tree, held against the verifier that shares no code with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config import ROOT
from tests.faults.conftest import Installation
from tests.faults.evidence import opened
from tests.services.test_tree import Grown
from tools import verify_record as verifier

MOST = 256


def roots(grown: Grown) -> list[bytes]:
    return [grown.prover().root(size) for size in range(MOST + 1)]


def test_every_consistency_proof_up_to_256_is_accepted() -> None:
    grown = Grown(6).grow(MOST, step=1)
    root, n = roots(grown), 0
    for new in range(1, MOST + 1):
        for old in range(1, new + 1):
            path = grown.prover().consistency(old, new)
            verifier.verify_consistency(old, new, root[old], root[new], path)
            n += 1
    assert n == 32_896


def test_every_inclusion_proof_up_to_256_is_accepted() -> None:
    grown = Grown(6).grow(MOST, step=1)
    root = roots(grown)
    for size in range(1, MOST + 1):
        for index in range(size):
            path = grown.prover().inclusion(index, size)
            verifier.verify_inclusion(index, size, grown.hashes[index], path, root[size])


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 7), (64, 256), (100, 255), (129, 200), (255, 256)])
def test_no_byte_of_a_proof_can_be_changed(old: int, new: int) -> None:
    grown = Grown(6).grow(MOST, step=1)
    root = roots(grown)
    proofs = [
        (
            grown.prover().consistency(old, new),
            lambda p: verifier.verify_consistency(old, new, root[old], root[new], p),
        ),
        (
            grown.prover().inclusion(old, new),
            lambda p: verifier.verify_inclusion(old, new, grown.hashes[old], p, root[new]),
        ),
    ]
    for path, check in proofs:
        check(path)
        joined = b"".join(path)
        for at in range(len(joined)):
            for flip in (1, 128):
                changed = bytearray(joined)
                changed[at] ^= flip
                with pytest.raises(verifier.Failed):
                    check(verifier.split(bytes(changed)))


def test_two_histories_of_one_size_have_no_proof() -> None:
    one, other = Grown(6).grow(200), Grown(6).grow(199)
    other.hashes.append(b"\1" * 32)
    other.tiles |= other.edge.extend([b"\1" * 32])
    for size in range(1, 201):
        path = one.prover().consistency(size, 200)
        with pytest.raises(verifier.Failed):
            verifier.verify_consistency(size, 200, one.prover().root(size), other.prover().root(200), path)


def alone(file: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The verifier by itself, where nothing of the server is to be found."""
    tool = folder / "verify_record.py"
    tool.write_bytes((ROOT / "tools" / "verify_record.py").read_bytes())
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-P", str(tool), str(file), *words]
    return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True)


def exported(installation: Installation, folder: Path, n: int) -> tuple[Path, list[str], dict[str, float]]:
    """An export of `n` records, what it is to be held against, and how long things took."""
    took: dict[str, float] = {}
    with opened(installation) as evidence:
        begun = time.monotonic()
        evidence.fill(n)
        took["filled"] = time.monotonic() - begun
        begun = time.monotonic()
        note = evidence.seal().note
        took["sealed"] = time.monotonic() - begun
        begun = time.monotonic()
        assert evidence.verify(note).sound
        took["verified on the server"] = time.monotonic() - begun
        begun = time.monotonic()
        assert evidence.flask("audit", "export", str(folder / "record.jsonl"))[0] == 0
        took["exported"] = time.monotonic() - begun
        key = evidence.keys.known()[0].text()
    (folder / "checkpoint").write_text(note)
    return folder / "record.jsonl", ["--key", key, "--checkpoint", str(folder / "checkpoint")], took


def test_an_export_is_verified_without_the_server(installation: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    file, outside, _ = exported(installation, folder, 500)
    ended = alone(file, folder, *outside)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    file.write_bytes(file.read_bytes().replace(b"petal_length", b"Petal_length", 1))
    assert alone(file, folder, *outside).returncode == 1


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_an_export_of_a_million_records_is_verified_without_the_server(
    sqlite: Installation, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    file, outside, took = exported(sqlite, folder, 1_000_000)
    begun = time.monotonic()
    ended = alone(file, folder, *outside)
    took["verified alone"] = time.monotonic() - begun
    assert ended.returncode == 0, ended.stdout + ended.stderr
    print(
        f"\nSQLite: 1,000,000 records, {', '.join(f'{what} in {s:.0f} s' for what, s in took.items())}; "
        f"a file of {file.stat().st_size / 1e9:.2f} GB"
    )
