"""What is backed up can be put back, and the log goes on honestly; what was changed is not put back."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import select

from config import Settings
from tests.conftest import CleanClient, close
from tests.services.test_predictions import SETOSA, Cast, ask, session
from webapp import preparation
from webapp.app import create_app
from webapp.db import Event, Prediction
from webapp.db.base import transaction
from webapp.db.commits import Writer
from webapp.errors import Conflict
from webapp.extensions import db
from webapp.services import audit, predictions, sealing
from webapp.services.backups import making, present, restoring
from webapp.services.backups.making import Made, Wanted
from webapp.services.backups.place import Installation, Unusable
from webapp.services.backups.placing import settle
from webapp.services.backups.restoring import Restored
from webapp.services.backups.serving import Serving, alone
from webapp.services.desk import Desk
from webapp.services.sealing.keys import Keyring
from webapp.services.verifying import claims, verify
from webapp.services.verifying.claims import Claim


def quiet(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def place(app: Flask) -> Installation:
    return app.extensions["installation"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "monday"


def back_up(app: Flask, folder: Path, **wanted: Any) -> Made:
    return making.make(
        app.extensions["installation"], app.extensions["desk"].seals.keys, folder, Wanted(**wanted), quiet
    )


def put_back(app: Flask, folder: Path, *outside: Claim) -> Restored:
    """As the command does it."""
    place, keys = app.extensions["installation"], app.extensions["desk"].seals.keys
    with alone(place.data_dir):
        settle(place)
        candidate = restoring.examine(place, keys, folder, outside, preparation.revisions(), quiet)
        now = present.look(place, candidate.manifest, candidate.root)
        let_go(app)
        done = restoring.restore(place, keys, candidate, now.origin, preparation.migrate, quiet)
        preparation.get_ready(app, place.data_dir / "prepare.lock", demos=False)
    sealing.seal(keys)
    return done


def let_go(app: Flask) -> None:
    """Be as a process that never served: close what is open, and go on with a series of leaves of its own."""
    commits = app.extensions["desk"].commits
    commits.close()
    commits._writer = Writer()
    db.session.remove()
    db.engine.dispose()


def answers() -> list[tuple[Any, ...]]:
    rows = session().execute(
        select(Prediction.id, Prediction.inputs, Prediction.output).order_by(Prediction.seq)
    )
    return [tuple(row) for row in rows]


def predict(app: Flask, actor: Cast, n: int) -> None:
    predictions.make(app.extensions["desk"], actor("alice"), ask(*[SETOSA] * n))


def newest() -> Claim:
    found = sealing.newest()
    assert found is not None
    return claims.read(found.note)


def paper(claim: Claim) -> Claim:
    return claims.read(f"{claim.size} {claims.groups(bytes.fromhex(claim.digits))}")


def restores() -> list[dict[str, Any]]:
    rows = session().scalars(select(Event.facts).where(Event.kind == "restore").order_by(Event.seq))
    return [json.loads(facts) for facts in rows]


def test_what_was_backed_up_is_put_back(
    app: Flask, desk: Desk, keys: Keyring, place: Installation, actor: Cast, folder: Path
) -> None:
    predict(app, actor, 300)
    made, kept = back_up(app, folder), answers()
    assert (made.manifest.size, made.manifest.entries) == (newest().size, newest().size)
    assert (made.manifest.predictions, made.warnings) == (300, [])
    predict(app, actor, 20)  # nobody seals them
    done = put_back(app, folder, newest())
    assert answers() == kept
    assert (done.gone.before, done.gone.parted) == (made.manifest.origin, False)
    found = verify(keys, [claims.read(made.manifest.checkpoint)])
    assert found.sound and found.anchored == made.manifest.size
    assert [facts["to"] for facts in restores()] == [made.manifest.origin]
    predict(app, actor, 1)
    assert sealing.seal(keys) == 1
    [aside] = done.aside
    assert [p.name for p in aside.iterdir()] == ["parecer.db" if place.kind == "sqlite" else "database.dump"]


def test_a_backup_holds_all_but_secrets_and_is_its_owners(
    app: Flask, place: Installation, actor: Cast, folder: Path
) -> None:
    predict(app, actor, 1)
    (place.data_dir / "erasures.jsonl").write_text('{"records":[]}\n')
    (place.jobs / "job_1").mkdir(parents=True)
    (place.jobs / "job_1" / "input").write_text("x")
    made = back_up(app, folder)
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert there == {*made.manifest.files, "manifest.json", "manifest.sig"}
    stored = {p.relative_to(place.store).as_posix() for p in place.store.rglob("*") if p.is_file()}
    assert {n.removeprefix("model_store/") for n in there if n.startswith("model_store/")} == stored
    assert {"erasures.jsonl", "keys/sealing/newest"} <= there
    assert not [n for n in there if n.startswith("jobs/") or "private" in n or "secret" in n]
    modes = {(p.is_dir(), stat.S_IMODE(p.stat().st_mode)) for p in (folder, *folder.rglob("*"))}
    assert modes == {(True, 0o700), (False, 0o600)}
    event = session().scalars(select(Event).where(Event.kind == "backup")).one()
    assert json.loads(event.facts)["size"] == made.manifest.size
    more = back_up(app, folder.with_name("more"), keys=True, files=True).manifest
    assert {"keys/sealing/private", "jobs/job_1/input"} <= more.files.keys()


def test_what_was_sealed_and_lost_is_admitted(app: Flask, keys: Keyring, actor: Cast, folder: Path) -> None:
    predict(app, actor, 30)
    back_up(app, folder)
    old = newest()
    predict(app, actor, 10)
    sealing.seal(keys)
    lost, origin = newest(), sealing.log().origin
    done = put_back(app, folder, old)
    assert (done.gone.after, done.gone.entries, done.gone.signed) == (f"{origin}/2", old.size, lost.size)
    assert restores()[-1] | {"backup": ""} == {
        "from": origin,
        "to": f"{origin}/2",
        "entries": old.size,
        "lost_after": old.size,
        "signed": lost.size,
        "backup": "",
    }
    assert newest().note.checkpoint.origin == f"{origin}/2"
    predict(app, actor, 50)
    sealing.seal(keys)
    found = verify(keys, [old, paper(old), newest()])
    assert [a.what for a in found.altered] == []
    assert found.sound and found.anchored == newest().size
    for claim in (lost, paper(lost)):
        [held] = verify(keys, [claim]).outside
        assert not held.holds
        assert "An older state was restored, as event evt_" in held.what
        assert f"entries after the first {old.size} were lost" in held.what
    again = put_back(app, folder)
    assert (again.gone.before, again.gone.after) == (origin, f"{origin}/3")
    assert verify(keys, [old]).sound


def test_a_tampered_entry_is_not_blamed_on_a_restore(
    app: Flask, keys: Keyring, actor: Cast, folder: Path
) -> None:
    predict(app, actor, 3)
    back_up(app, folder)
    old = newest()
    predict(app, actor, 3)
    sealing.seal(keys)
    put_back(app, folder)
    wrong = claims.read(f"{old.size} {'0' * 64}")
    [held] = verify(keys, [wrong]).outside
    assert not held.holds and "restored" not in held.what


def test_a_newer_backup_after_an_older_one_parts_again(
    app: Flask, keys: Keyring, actor: Cast, folder: Path
) -> None:
    predict(app, actor, 5)
    back_up(app, folder)
    predict(app, actor, 5)
    newer = folder.with_name("tuesday")
    back_up(app, newer)
    origin = sealing.log().origin
    assert put_back(app, folder).gone.after == f"{origin}/2"
    predict(app, actor, 1)
    sealing.seal(keys)
    assert put_back(app, newer).gone.after == f"{origin}/3"
    assert verify(keys).sound


@pytest.fixture
def elsewhere(
    app: Flask, backend_settings: Callable[..., Settings], tmp_path: Path
) -> Iterator[Callable[[], Flask]]:
    """The same database server and another machine, which has nothing yet."""
    made = []

    def start() -> Flask:
        there = {"data_dir": tmp_path / "new", "secret_key": SecretStr("another one")}
        other = create_app(backend_settings().model_copy(update=there))
        other.test_client_class = CleanClient
        made.append(other)
        return other

    (tmp_path / "new").mkdir()
    yield start
    for other in made:
        close(other)


def test_a_new_machine_goes_on_with_a_key_of_its_own(
    app: Flask, actor: Cast, folder: Path, elsewhere: Callable[[], Flask], backend: str
) -> None:
    predict(app, actor, 20)
    made, kept = back_up(app, folder), answers()
    old = newest()
    let_go(app)
    other = elsewhere()
    with other.app_context():
        done = put_back(other, folder, old)
        assert answers() == kept
        # It is not known here what was signed elsewhere after the backup.
        assert (done.gone.after, done.gone.signed) == (f"{made.manifest.origin}/2", None)
        keys = other.extensions["desk"].seals.keys
        found = verify(keys, [old])
        assert found.sound and found.anchored == old.size
        first, second = found.begun
        assert (first.size, second.size) == (old.size, newest().size) and not second.vouched
        assert other.extensions["installation"].fingerprint() != made.manifest.secret_key
        assert other.extensions["desk"].store.models() == app.extensions["desk"].store.models()


def test_with_keys_the_same_key_signs_on(
    app: Flask, actor: Cast, folder: Path, elsewhere: Callable[[], Flask]
) -> None:
    predict(app, actor, 20)
    back_up(app, folder, keys=True)
    let_go(app)
    other = elsewhere()
    with other.app_context():
        put_back(other, folder)
        assert len(verify(other.extensions["desk"].seals.keys).begun) == 1


def state(place: Installation) -> dict[str, bytes]:
    return {
        p.relative_to(place.data_dir).as_posix(): p.read_bytes()
        for p in place.data_dir.rglob("*")
        if p.is_file() and not p.name.endswith(("-wal", "-shm", ".db", ".lock"))
    }


def test_what_does_not_verify_replaces_nothing(
    app: Flask, keys: Keyring, place: Installation, actor: Cast, folder: Path
) -> None:
    predict(app, actor, 5)
    back_up(app, folder)
    predict(app, actor, 5)
    before, files = answers(), state(place)
    with pytest.raises(Unusable, match="the checkpoint of 5 entries does not agree"):
        put_back(app, folder, claims.read("5 " + "0" * 64))
    with pytest.raises(Unusable, match=r"only .* entries are sealed here"):
        put_back(app, folder, claims.read("500 " + "0" * 64))
    assert answers() == before
    assert state(place) == files
    with Serving(place.data_dir):  # and nothing stands in the way of going on
        sealing.seal(keys)


def test_a_record_that_does_not_verify_is_not_backed_up(
    app: Flask, place: Installation, actor: Cast, folder: Path
) -> None:
    predict(app, actor, 5)
    with transaction() as current:
        audit.append(current, "print", None, {})
        current.execute(Prediction.__table__.update().values(latency_us=1))
    with pytest.raises(Unusable, match="does not verify, so it was not backed up"):
        back_up(app, folder)
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("where", ["inside", "around", "store", "taken", "nowhere", "link"])
def test_some_places_are_refused(app: Flask, place: Installation, folder: Path, where: str) -> None:
    target = {
        "inside": place.data_dir / "backup",
        "around": place.data_dir.parent,
        "store": place.store / "backup",
        "taken": folder,
        "nowhere": folder / "deeper" / "still",
        "link": folder.with_name("link"),
    }[where]
    folder.mkdir()
    (folder / "mine").touch()
    folder.with_name("link").symlink_to(place.data_dir)
    with pytest.raises(Conflict):
        back_up(app, target)
    assert sorted(p.name for p in folder.parent.iterdir()) == ["link", "monday"]
    assert [p.name for p in folder.iterdir()] == ["mine"]


def test_nobody_serves_while_a_backup_is_put_back(app: Flask, place: Installation, folder: Path) -> None:
    first, second = Serving(place.data_dir), Serving(place.data_dir)
    for held in (first, second):
        with pytest.raises(Conflict, match="is being worked on"), alone(place.data_dir):
            pass
        held.leave()
    with alone(place.data_dir), pytest.raises(Conflict, match="being restored here"):
        Serving(place.data_dir)
    (place.data_dir / "restoring").write_text("{}")
    with pytest.raises(Conflict, match="cut short here"):
        Serving(place.data_dir)


def test_a_backup_of_tomorrow_is_refused(
    app: Flask, place: Installation, keys: Keyring, folder: Path
) -> None:
    back_up(app, folder)
    with pytest.raises(Unusable, match="newer version"):
        restoring.examine(place, keys, folder, [], {"0001"}, quiet)


def test_erasures_of_either_journal_are_kept(
    app: Flask, place: Installation, actor: Cast, folder: Path
) -> None:
    predict(app, actor, 1)
    lines = [b'{"event":"%d","records":[]}\n' % n for n in range(4)]
    place.journal.write_bytes(lines[0] + lines[1] + b'{"event":"half')
    back_up(app, folder)
    place.journal.write_bytes(lines[0] + lines[2] + lines[3])
    put_back(app, folder)
    assert place.journal.read_bytes() == lines[0] + lines[1] + lines[2] + lines[3]


def test_a_damaged_model_is_mended_from_the_backup(
    app: Flask, place: Installation, actor: Cast, folder: Path
) -> None:
    predict(app, actor, 1)
    back_up(app, folder)
    model = place.store / "iris" / "1" / "model.skops"
    whole = model.read_bytes()
    model.write_bytes(b"damaged")
    shutil.rmtree(place.store / "purchase")
    (place.store / "iris" / "2").mkdir()  # of a future that is lost: its number is not used again
    assert back_up(app, folder.with_name("later")).warnings == [
        "Files of purchase version 1 are lost or changed here, and so in this backup."
    ]
    done = put_back(app, folder)
    assert model.read_bytes() == whole
    assert (place.store / "purchase" / "1" / "manifest.json").is_file()
    assert (place.store / "iris" / "2").is_dir()
    assert [p.read_bytes() for p in done.aside[0].rglob("model.skops")] == [b"damaged"]
