"""F7: one byte flipped in 200 stored files, one at a time: each is refused by its hash, and nothing answers wrongly."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask

from tests.conftest import MODELS, ApiClient
from tests.faults.hostile_models import good, sample
from tests.handing_in import flowers
from webapp.db.base import session
from webapp.errors import BadArtifact, NotReady
from webapp.ml.packaging import Package
from webapp.ml.store import MANIFEST
from webapp.services import activity, publishing, registry, releases, soundness
from webapp.services.activity import Wanted
from webapp.services.desk import Desk
from webapp.services.people import Actor
from webapp.services.publishing import Submission

FILES, EACH = 200, 8  # versions of each model: enough for so many files
GIVEN = ("version", "prediction", "label", "probabilities", "warnings")


class Stored(NamedTuple):
    """A file of a version that is not live, or not the only one."""

    model: str
    version: str
    path: Path


@pytest.fixture
def stored(app: Flask, packages: dict[str, Any], tmp_path: Path, in_process: None) -> list[Stored]:
    """Files of many versions: of demo models, of an uploaded skops file, of an uploaded graph."""
    store = app.extensions["desk"].store
    made: dict[str, Package] = {name: packages[name][1] for name in MODELS}
    uploads = {"flowers.skops": (*flowers(), "target"), "larger.onnx": (good(), sample(), "y")}
    for filename, (model, rows, target) in uploads.items():
        (tmp_path / filename).write_bytes(model)
        (tmp_path / "rows.csv").write_bytes(rows)
        name = filename.partition(".")[0]
        submission = Submission(name, filename, tmp_path / filename, tmp_path / "rows.csv", target)
        made[name] = publishing.inspect(submission, publishing.Inspection())
    for name, package in made.items():
        while len(store.versions(name)) < EACH:
            registry.publish(store, package, name=name, title="")
    found = [
        Stored(name, str(number), path)
        for name in made
        for number in store.versions(name)
        for path in sorted((store.root / name / str(number)).iterdir())
    ]
    kinds = Counter(one.path.name for one in found)
    assert set(kinds) == {
        MANIFEST, "model.skops", "model.onnx", "compiled.onnx", "rows.json", "answers.json", "reference.json",
    }  # fmt: skip
    assert len(found) >= FILES, len(found)
    print(len(found), "files")
    chosen = random.Random(7).sample(found, FILES)
    assert {one.path.name for one in chosen} == set(kinds)
    return chosen


def test_each_is_refused_by_its_hash_and_the_live_version_goes_on(
    app: Flask, api: Callable[[str], ApiClient], actor: Callable[[str], Actor], stored: list[Stored]
) -> None:
    desk, chance, paula = app.extensions["desk"], random.Random(8), actor("paula")
    ask, counts = api("alice"), Counter[str]()
    rows = {
        one.model: registry.describe(desk.store, one.model, actor=None).schema.example() for one in stored
    }
    right = {(one.model, one.version): answer(ask, rows, one.model, one.version) for one in stored}
    live = {name: answer(ask, rows, name) for name in rows}
    assert None not in (*right.values(), *live.values())
    for one in stored:
        assert answer(ask, rows, one.model) == live[one.model]
        with flipped(one.path, chance):
            counts["refused by its hash"] += refused(desk, one)
            assert answer(ask, rows, one.model) == live[one.model]  # loaded, and asked no file
            forget(app)
            found = answer(ask, rows, one.model, one.version)
            counts["not answered"] += found is None
            assert found in (None, right[one.model, one.version])
            if one.version != live[one.model]["version"]:
                assert answer(ask, rows, one.model) == live[one.model]
                with pytest.raises(NotReady, match="restore it from a backup"):
                    releases.promote(desk, paula, one.model, one.version, reason="so", revision=None)
                counts["not promoted"] += 1
        forget(app)
    print(dict(counts))
    assert counts["refused by its hash"] == FILES and counts["not promoted"] > FILES / 2


def test_damage_of_what_answers_is_told_and_taken_back_by_a_roll_back(
    app: Flask, api: Callable[[str], ApiClient], actor: Callable[[str], Actor], packages: dict[str, Any]
) -> None:
    desk, ask, paula = app.extensions["desk"], api("alice"), actor("paula")
    rows = {"iris": registry.describe(desk.store, "iris", actor=None).schema.example()}
    first = answer(ask, rows, "iris")
    registry.publish(desk.store, packages["iris"][1], name="iris", title="", promote=True)
    assert (answer(ask, rows, "iris") or {})["version"] == "2"
    with flipped(desk.store.root / "iris" / "2" / "compiled.onnx", random.Random(9)):
        assert (answer(ask, rows, "iris") or {})["version"] == "2"  # a process that has loaded it goes on
        forget(app)
        status, told = ask("POST", "/models/iris/predict", {"inputs": rows["iris"]})
        assert (status, told["status"]) == (503, 503)  # and no other version answers in its name
        assert "compiled.onnx of iris 2 is damaged; restore it from a backup" in told["detail"]
        assert ask("GET", "/models")[0] == 200
        with pytest.raises(BadArtifact):
            soundness.look(desk.store)
        [line] = activity.search(actor("dave"), Wanted(kind="version-damaged"), limit=9).lines
        assert line.facts == {"model": "iris", "version": 2, "file": "compiled.onnx"}
        releases.roll_back(desk, paula, "iris", None, reason="Damaged", revision=None)
        assert answer(ask, rows, "iris") == first


@contextmanager
def flipped(path: Path, chance: random.Random) -> Iterator[None]:
    """One bit of one byte, and as it was again afterwards."""
    sound = path.read_bytes()
    damaged = bytearray(sound)
    damaged[chance.randrange(len(sound))] ^= 1 << chance.randrange(8)
    path.write_bytes(damaged)
    yield
    path.write_bytes(sound)


def refused(desk: Desk, one: Stored) -> bool:
    """Whether reading the file is refused by what was written down of it."""
    session().rollback()
    if one.path.name == MANIFEST:
        with pytest.raises(NotReady, match="is not stored as it was published"):
            registry.describe(desk.store, one.model, one.version, actor=None)
    else:
        with pytest.raises(BadArtifact, match=f"{one.path.name} of {one.model} {one.version} is damaged"):
            desk.store.read(one.model, int(one.version), one.path.name)
    return True


def answer(
    ask: ApiClient, rows: dict[str, Any], name: str, version: str | None = None
) -> dict[str, Any] | None:
    """What a version, or the live one, answers to the model's row; None for a refusal."""
    body = {"inputs": rows[name], **({"version": version} if version else {})}
    status, told = ask("POST", f"/models/{name}/predict", body)
    if status == 200:
        return {part: told[part] for part in GIVEN}
    assert status == 503 and "restore it from a backup" in told["detail"], told
    return None


def forget(app: Flask) -> None:
    """Load anew what is asked next, as a process that has just started."""
    desk = app.extensions["desk"]
    desk.runtime._loaded.clear()
    desk.resolver._number = -1
