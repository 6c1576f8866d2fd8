"""What operators type to release versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.test_cli import run
from webapp.services import registry


@pytest.fixture(autouse=True)
def second(app: Flask, packages: dict[str, Any]) -> None:
    registry.publish(app.extensions["desk"].store, packages["iris"][1], name="iris", title="")


def test_a_version_goes_live_and_back(app: Flask) -> None:
    assert run(app, "model promote iris 2 --reason Better") == (0, "live of iris leads to version 2.\n")
    assert run(app, "model rollback iris") == (0, "live of iris leads to version 1.\n")
    status, said = run(app, "model history iris")
    assert status == 0
    assert [line.split()[1] for line in said.splitlines()] == ["1", "2", "1"]
    assert "promote" in said.splitlines()[1] and said.splitlines()[1].endswith("operator: Better")


def test_an_alias_comes_and_goes(app: Flask) -> None:
    assert run(app, "model alias iris candidate 2")[1] == "candidate of iris leads to version 2.\n"
    assert run(app, "model alias iris candidate")[1] == "iris has no alias candidate any more.\n"


def test_two_people_are_asked_for(app: Flask) -> None:
    assert run(app, "model two-people iris yes")[1] == "iris is released by two people.\n"
    assert run(app, "model two-people iris no")[1] == "iris is released by one person.\n"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("model promote iris 9 --reason x", "no version"),
        ("model promote iris 1 --reason x", "answers already"),
        ("model promote none 1 --reason x", "no model named"),
        ("model rollback iris", "No other version"),
        ("model alias iris live 2", "ALIAS: is moved by promoting"),
        ("model history none", "no model named"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(app: Flask, line: str, why: str) -> None:
    status, said = run(app, line)
    assert status == 1 and said.startswith("Error: ") and why in said and said.count("\n") == 1


def test_an_export_is_what_was_published(app: Flask, tmp_path: Path) -> None:
    status, said = run(app, f"model export iris 2 --to {tmp_path / 'out'}")
    assert (status, said) == (0, f"{len(list((tmp_path / 'out').iterdir()))} files in {tmp_path / 'out'}\n")
    stored = app.extensions["desk"].store.root / "iris" / "2"
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == {
        p.name: p.read_bytes() for p in stored.iterdir()
    }
    assert run(app, f"model export iris --to {tmp_path / 'out'}")[0] == 1
    (stored / "compiled.onnx").write_bytes(b"x")
    status, said = run(app, f"model export iris 2 --to {tmp_path / 'other'}")
    assert status == 1 and "damaged" in said and not (tmp_path / "other").exists()
