from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from webapp.errors import BadArtifact, Conflict, NotFound, NotReady
from webapp.ml import store as store_module
from webapp.ml.store import Store

FILES = {"model.onnx": b"graph", "rows.json": b"[]"}


def test_a_published_version_reads_back_with_its_manifest(store: Store) -> None:
    store.publish("iris", 3, FILES, {"format": "onnx"})
    assert store.read("iris", 3, "model.onnx") == b"graph"
    assert store.manifest("iris", 3)["files"]["rows.json"]["bytes"] == 2
    assert (store.models(), store.versions("iris")) == (["iris"], [3])


def test_a_version_is_never_replaced(store: Store) -> None:
    store.publish("iris", 1, FILES, {})
    with pytest.raises(Conflict):
        store.publish("iris", 1, {"model.onnx": b"other"}, {})
    assert store.read("iris", 1, "model.onnx") == b"graph"


@pytest.mark.parametrize("name", ["", "..", "a/b", "Iris", "-a", "a" * 64, "a\n", "é"])
def test_a_model_name_can_not_leave_the_store(store: Store, name: str) -> None:
    with pytest.raises(BadArtifact):
        store.publish(name, 1, FILES, {})


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "manifest.json", ".hidden", "a/b"])
def test_a_file_name_can_not_leave_its_version(store: Store, name: str) -> None:
    with pytest.raises(BadArtifact):
        store.publish("iris", 1, {name: b""}, {})


def test_one_damaged_byte_is_refused(store: Store) -> None:
    store.publish("iris", 1, FILES, {})
    path = store.root / "iris" / "1" / "model.onnx"
    path.write_bytes(b"grapi")
    with pytest.raises(BadArtifact, match="damaged"):
        store.read("iris", 1, "model.onnx")
    assert store.damaged("iris", 1) == "model.onnx"


def test_a_version_that_is_whole_has_no_damaged_file(store: Store) -> None:
    store.publish("iris", 1, FILES, {})
    assert store.damaged("iris", 1) == ""
    (store.root / "iris" / "1" / "rows.json").unlink()
    assert store.damaged("iris", 1) == "rows.json"
    (store.root / "iris" / "1" / "manifest.json").write_text("{}")
    assert store.damaged("iris", 1) == "manifest.json"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 3}'])
def test_a_damaged_manifest_is_refused(store: Store, text: str) -> None:
    store.publish("iris", 1, FILES, {})
    (store.root / "iris" / "1" / "manifest.json").write_text(text)
    with pytest.raises(BadArtifact, match="damaged"):
        store.read("iris", 1, "model.onnx")


def test_what_is_absent_is_not_found(store: Store) -> None:
    store.publish("iris", 1, FILES, {})
    for model, version, name in (("rose", 1, "x"), ("iris", 2, "x"), ("iris", 1, "x")):
        with pytest.raises(NotFound):
            store.read(model, version, name)


def test_a_manifest_that_is_no_json_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(ValueError):
        store.publish("iris", 1, FILES, {"score": float("nan")})
    assert store.models() == []


def test_a_full_disk_is_told_and_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.publish("iris", 1, FILES, {})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store_module.os, "fsync", full)
    with pytest.raises(
        NotReady, match=r"Nothing was published, because .*No space left on device.*make room"
    ):
        store.publish("iris", 2, FILES, {})
    assert [path.name for path in (store.root / "iris").iterdir()] == ["1"]


def test_a_store_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotReady, match="file cannot be written to"):
        Store(tmp_path / "file").publish("iris", 1, FILES, {})


KILLED = """
import os, sys
from pathlib import Path
from webapp.ml import store
calls = 0
real = os.fsync
def fsync(handle):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        os._exit(9)
    real(handle)
store.os.fsync = fsync
store.Store(Path(sys.argv[1])).publish("iris", 1, {"a": b"1", "b": b"2"}, {})
"""


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 6])
def test_a_publication_killed_at_any_sync_is_whole_or_absent(store: Store, at: int) -> None:
    root = Path(store_module.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", KILLED, str(store.root), str(at)], cwd=root)
    assert done.returncode == 9
    whole = store.versions("iris") == [1]
    assert whole == (at > 4)
    if not whole:
        store.publish("iris", 1, FILES, {})
    assert [path.name for path in (store.root / "iris").iterdir()] == ["1"]
    assert json.loads((store.root / "iris" / "1" / "manifest.json").read_text())["files"]


def test_a_version_is_taken_back_when_what_follows_fails(store: Store) -> None:
    with pytest.raises(LookupError), store.staging("iris", FILES, {}) as place:
        place(1)
        assert store.versions("iris") == [1]
        raise LookupError
    assert (store.models(), list((store.root / "iris").iterdir())) == ([], [])
    store.publish("iris", 1, FILES, {})


def test_nothing_is_seen_of_a_version_without_a_number(store: Store) -> None:
    with store.staging("iris", FILES, {}) as place:
        assert (store.versions("iris"), store.last("iris")) == ([], 0)
        place(7)
    assert store.versions("iris") == [7]
