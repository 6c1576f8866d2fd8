"""A damaged version that answers is on the record before anybody has to find it, and once it is mended that too."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask

from webapp.errors import BadArtifact
from webapp.services import activity, soundness
from webapp.services.activity import Wanted
from webapp.services.desk import Desk
from webapp.services.people import Actor

Cast = Callable[[str], Actor]


def told(dave: Actor) -> list[tuple[str, dict[str, Any] | None]]:
    """What the record says of damage, oldest first."""
    lines = activity.search(dave, Wanted(), limit=100).lines
    return [(line.kind, line.facts) for line in reversed(lines) if line.kind.startswith("version-")]


@pytest.mark.parametrize("name", ["model.skops", "rows.json", "manifest.json"])
def test_damage_is_told_once_and_so_is_its_end(desk: Desk, actor: Cast, name: str) -> None:
    dave, path = actor("dave"), desk.store.root / "iris" / "1" / name
    soundness.look(desk.store)
    assert told(dave) == []
    sound = path.read_bytes()
    path.write_bytes(sound[:-1])
    for _ in range(2):
        with pytest.raises(BadArtifact, match=f"Not stored as published: {name} of iris 1; restore"):
            soundness.look(desk.store)
    facts = {"model": "iris", "version": 1}
    assert told(dave) == [("version-damaged", facts | {"file": name})]
    path.write_bytes(sound)
    for _ in range(2):
        soundness.look(desk.store)
    assert told(dave)[1:] == [("version-mended", facts)]
    path.unlink()
    with pytest.raises(BadArtifact):
        soundness.look(desk.store)
    assert [kind for kind, _ in told(dave)] == ["version-damaged", "version-mended", "version-damaged"]


def test_of_several_workers_that_look_one_tells(app: Flask, desk: Desk, actor: Cast) -> None:
    (desk.store.root / "iris" / "1" / "compiled.onnx").write_bytes(b"")

    def look(_: int) -> None:
        with app.app_context(), suppress(BadArtifact):
            soundness.look(desk.store)

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(look, range(8)))
    assert len(told(actor("dave"))) == 1
