"""A version whose folder no longer holds what was published is not described."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from flask import Flask

from webapp.db import Model, ModelVersion
from webapp.db.base import session
from webapp.errors import BadArtifact, InvalidInput, NotFound, NotReady
from webapp.ml.packaging import Package
from webapp.ml.store import Store
from webapp.services import registry
from webapp.services.resolving import Resolver

DEEP = "[" * 200_000
DAMAGE: dict[str, Callable[[Path], object]] = {
    "a changed label": lambda p: p.write_text(p.read_text().replace("Petal length", "Sepal width")),
    "cut short": lambda p: os.truncate(p, 200),
    "no members": lambda p: p.write_text('{"files": {}}'),
    "nested too deep": lambda p: p.write_text(DEEP),
    "not UTF-8": lambda p: p.write_bytes(b'{"files": {}, "\xff": 1}'),
    "gone": lambda p: p.unlink(),
    "a folder": lambda p: (p.unlink(), p.mkdir()),
}


@pytest.fixture
def store(app: Flask) -> Store:
    kept: Store = app.extensions["desk"].store
    return kept


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_manifest_is_not_ready(store: Store, how: str) -> None:
    DAMAGE[how](store.root / "iris" / "1" / "manifest.json")
    with pytest.raises(NotReady, match="iris version 1 is not stored as it was published") as told:
        registry.describe(store, "iris", actor=None)
    assert told.value.retry_after == 60
    assert registry.describe(store, "diabetes", actor=None).version == "1"


def test_a_manifest_without_a_schema_is_not_ready(store: Store) -> None:
    path = store.root / "iris" / "1" / "manifest.json"
    path.write_text('{"files": {}}')
    row = session().query(ModelVersion).join(Model).filter(Model.name == "iris").one()
    row.manifest_hash = hashlib.sha256(path.read_bytes()).hexdigest()
    session().flush()
    with pytest.raises(NotReady):
        registry.describe(store, "iris", actor=None)
    session().rollback()


def iris(packages: dict[str, tuple[object, Package]]) -> Package:
    return packages["iris"][1]


def test_a_new_title_replaces_the_old_one_and_none_leaves_it(
    store: Store, packages: dict[str, tuple[object, Package]]
) -> None:
    before = registry.describe(store, "iris", actor=None)
    registry.publish(store, iris(packages), name="iris", title="Irises")
    again = registry.describe(store, "iris", actor=None)
    assert (again.version, again.title, again.description) == ("1", "Irises", before.description)
    registry.publish(store, iris(packages), name="iris", title="", description="By petals")
    again = registry.describe(store, "iris", actor=None)
    assert (again.title, again.description) == ("Irises", "By petals")


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": "x" * 201},
        {"description": "x" * 2001},
        {"title": "\0"},
        {"title": "\ud800"},
        {"name": "Iris"},
    ],
)
def test_words_that_a_database_cannot_hold_are_refused(
    store: Store, packages: dict[str, tuple[object, Package]], wrong: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput) as told:
        registry.publish(store, iris(packages), **{"name": "iris", "title": "Iris"} | wrong)
    assert [p.pointer for p in told.value.problems] == [f"#/{word}" for word in wrong]
    assert (store.versions("iris"), registry.describe(store, "iris", actor=None).title) == (
        [1],
        "Iris species",
    )


def test_the_longest_words_fit(store: Store, packages: dict[str, tuple[object, Package]]) -> None:
    title, description = "é" * registry.LONGEST_TITLE, "é" * registry.LONGEST_DESCRIPTION
    registry.publish(store, iris(packages), name="a" * 63, title=title, description=description)
    assert registry.describe(store, "a" * 63, actor=None).title == title


def test_who_publishes_at_the_same_time_gets_a_number_of_its_own(
    app: Flask, store: Store, packages: dict[str, tuple[object, Package]]
) -> None:
    start = Barrier(4)

    def publish(_: int) -> str:
        with app.app_context():
            start.wait(10)
            return registry.publish(store, iris(packages), name="rush", title="Rush").number

    with ThreadPoolExecutor(4) as pool:
        numbers = sorted(pool.map(publish, range(4)))
    listed = registry.list_versions("rush", actor=None)
    assert numbers == sorted(v.number for v in listed) == ["1", "2", "3", "4"]
    assert store.versions("rush") == [1, 2, 3, 4]
    assert [v.number for v in listed if v.live] == ["1"]


def test_a_version_that_never_was_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        registry.describe(store, "iris", "2", actor=None)


@pytest.mark.parametrize(
    "wanted",
    [("a\x00b", None, None), ("iris", "\x00", None), ("iris", None, "live\x00"), ("\ud800", None, None)],
)
def test_a_name_that_a_database_cannot_look_for_is_not_found(
    app: Flask, wanted: tuple[str, str | None, str | None]
) -> None:
    with pytest.raises(NotFound):
        app.extensions["desk"].resolver.find(*wanted, actor=None)


def test_a_version_is_loaded_where_it_holds_up_nobody_and_once(app: Flask) -> None:
    desk, loads = app.extensions["desk"], []

    def offload(work: Callable[..., object], *args: object) -> object:
        loads.append(args)
        return work(*args)

    resolver = Resolver(desk.store, desk.runtime, desk.watch, offload)
    for version in (None, "1", None):
        assert resolver.find("iris", version, actor=None).predictor.predict(
            [(5.1, 3.5, 1.4, 0.2)]
        ).values == ["setosa"]
    assert loads == [("iris", 1)]


@pytest.mark.parametrize("how", ["nested too deep", "not UTF-8", "a folder"])
def test_the_store_calls_a_manifest_that_is_no_manifest_damaged(store: Store, how: str) -> None:
    DAMAGE[how](store.root / "iris" / "1" / "manifest.json")
    with pytest.raises(BadArtifact):
        store.manifest("iris", 1)


def test_a_lost_model_file_is_damage(app: Flask, store: Store) -> None:
    folder = store.root / "iris" / "1"
    names = json.loads((folder / "manifest.json").read_text())["files"]
    for name in names:
        (folder / name).unlink()
        with pytest.raises(BadArtifact, match="lost"):
            store.read("iris", 1, name)
    with pytest.raises(NotReady):
        app.extensions["desk"].resolver.find("iris", actor=None)
