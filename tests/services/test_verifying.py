"""Verification finds whatever is not as it was sealed, and nothing else."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import orjson
import pytest
from flask import Flask
from sqlalchemy import select, text

from tests.services.test_predictions import SETOSA, Cast, ask, session
from tests.services.test_sealing import put_back
from webapp.db import Leaf, Prediction
from webapp.db.base import transaction
from webapp.errors import InvalidInput
from webapp.services import erasure, holds, outcomes, predictions, reviews, sealing
from webapp.services.audit import commitment
from webapp.services.desk import Desk
from webapp.services.erasure import Order
from webapp.services.sealing.keys import Keyring
from webapp.services.sealing.notes import Key
from webapp.services.sealing.tree import leaf_hash
from webapp.services.targets import Target
from webapp.services.verifying import Findings, claims, standing, verify


@pytest.fixture
def ids(desk: Desk, keys: Keyring, actor: Cast) -> list[str]:
    """Some sealed records with reviews and outcomes, under three checkpoints."""
    alice = actor("alice")
    made = [m.id for m in predictions.make(desk, alice, ask(*[SETOSA] * 20, subject="patient 7"))]
    sealing.seal(keys)
    made += [m.id for m in predictions.make(desk, alice, ask(*[SETOSA] * 280))]
    sealing.seal(keys)
    reviews.confirm(alice, made[1], "looks right")
    reviews.override(desk.store, alice, made[2], "virginica", "measured again")
    outcomes.report(desk.store, alice, made[3], "setosa", "api")
    outcomes.report(desk.store, alice, made[3], "versicolor", "api")
    sealing.seal(keys)
    return made


def change(statement: str, **values: Any) -> None:
    with transaction() as current:
        assert current.execute(text(statement), values).rowcount > 0


def told(found: Findings) -> str:
    return "\n".join(f"{a.index} {a.id} {a.what}" for a in found.altered)


def test_an_untouched_record_is_found_untouched(
    ids: list[str], keys: Keyring, desk: Desk, actor: Cast
) -> None:
    predictions.make(desk, actor("alice"), ask(*[SETOSA] * 7))
    seen: list[tuple[int, int]] = []
    found = verify(keys, tell=lambda done, total: seen.append((done, total)))
    assert told(found) == ""
    assert found.sound
    assert (found.predictions, found.unsealed, found.checkpoints) == (307, 7, 3)
    assert found.size == sealing.log().size
    assert seen[-1] == (found.size + 7, found.size + 7)
    assert (found.anchored, found.unanchored) == (0, found.size + 7)
    assert found.rate > 0 < found.bare_rate


def test_what_is_sealed_while_it_reads_alarms_nobody(
    ids: list[str], keys: Keyring, desk: Desk, actor: Cast, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note kept with the key may speak for entries that came after the snapshot."""
    known = keys.known

    def busy() -> list[Key]:
        def others() -> None:
            with app.app_context():
                predictions.make(desk, alice, ask(SETOSA))
                monkeypatch.setattr(keys, "known", known)
                sealing.seal(keys)

        alice = actor("alice")
        thread = threading.Thread(target=others)
        thread.start()
        thread.join()
        return known()

    monkeypatch.setattr(keys, "known", busy)
    size = sealing.log().size
    session().rollback()
    found = verify(keys)
    assert (told(found), found.size) == ("", size)
    assert verify(keys).size == size + 1


@pytest.mark.parametrize("other", [-1, 1, 75])
def test_a_mistyped_number_of_entries_is_told_from_another_root(
    ids: list[str], keys: Keyring, other: int
) -> None:
    newest = sealing.newest()
    found = verify(keys, claims.read_all(f"{newest.size + other} {newest.root.hex()}"))
    assert found.undecided and told(found) == ""
    assert f"that of the first {newest.size} entries" in found.outside[0].what


def test_a_record_that_is_sealed_while_it_is_looked_at_alarms_nobody(
    ids: list[str], keys: Keyring, desk: Desk, actor: Cast, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = actor("alice")
    for name in ("newest", "log"):
        [made] = predictions.make(desk, alice, ask(SETOSA))
        read = getattr(sealing, name)

        def and_seal(read: Any = read, name: str = name) -> Any:
            def others() -> None:
                with app.app_context():
                    sealing.seal(keys)

            found = read()
            monkeypatch.setattr(sealing, name, read)
            thread = threading.Thread(target=others)
            thread.start()
            thread.join()
            return found

        monkeypatch.setattr(sealing, name, and_seal)
        assert standing(keys, made.id)[:2] == ("", None)
        assert standing(keys, made.id).place is not None


def test_a_note_that_cannot_be_read_keeps_no_record_from_being_shown(
    ids: list[str], keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> str:
        raise PermissionError

    monkeypatch.setattr(keys, "newest", refuse)
    found = standing(keys, ids[0])
    assert found.wrong == "" and found.place is not None


def test_findings_survive_being_stored(ids: list[str], keys: Keyring) -> None:
    change("UPDATE predictions SET label = 'x' WHERE id = :id", id=ids[5])
    found = verify(keys, [claims.read(sealing.newest().note)])
    assert Findings.of(found.to_dict()) == found


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("created_us", "created_us + 1"),
        ("finished_us", "finished_us + 1"),
        ("request_id", "'another'"),
        ("user_id", "user_id + 1"),
        ("role", "'admin'"),
        ("channel", "'form'"),
        ("model_id", "model_id + 1"),
        ("version_id", "version_id + 1"),
        ("subject", "'patient 8'"),
        ("label", "'virginica'"),
        ("label", "NULL"),
        ("value", "1.0"),
        ("score", "0.5"),
        ("warned", "warned + 1"),
        ("cached", "NOT cached"),
        ("engine", "'other'"),
        ("latency_us", "latency_us + 1"),
        ("timings", "'{}'"),
        ("inputs", "REPLACE(inputs, '5.1', '5.2')"),
        ("inputs", "NULL"),
        ("output", "REPLACE(output, 'setosa', 'virginica')"),
        ("output", "NULL"),
        ("salts", "NULL"),
        ("state", "'erased'"),
        ("state", "'restricted'"),
        ("review", "'confirmed'"),
        ("outcome", "'agrees'"),
        ("erasure", "1"),
        ("id", "'pred_00'"),
    ],
)
def test_a_changed_column_is_found(ids: list[str], keys: Keyring, column: str, value: str) -> None:
    change(f"UPDATE predictions SET {column} = {value} WHERE id = :id", id=ids[10])
    found = verify(keys)
    assert not found.sound
    assert ids[10] in told(found)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE leaves SET canonical = REPLACE(canonical, 'iris', 'diabetes') WHERE record_id = :id",
        "UPDATE leaves SET kind = 'print' WHERE record_id = :id",
        "UPDATE leaves SET writer_seq = writer_seq + 1 WHERE record_id = :id",
        "UPDATE leaves SET writer = 'somebody' WHERE record_id = :id",
        "UPDATE leaves SET record_id = 'pred_00' WHERE record_id = :id",
        "DELETE FROM leaves WHERE record_id = :id",
        "DELETE FROM predictions WHERE id = :id",
        "UPDATE leaves SET seq = 1000000 WHERE record_id = :id",
    ],
)
def test_a_changed_leaf_is_found(ids: list[str], keys: Keyring, statement: str) -> None:
    change(statement, id=ids[12])
    found = verify(keys)
    assert not found.sound
    assert ids[12] in told(found) or any(a.index is not None for a in found.altered)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET at_us = at_us + 1 WHERE kind = 'publish'",
        "UPDATE events SET kind = 'print' WHERE kind = 'publish'",
        "UPDATE events SET user_id = 1 WHERE kind = 'publish'",
        "UPDATE events SET about_id = 1 WHERE kind = 'publish'",
        "UPDATE events SET facts = REPLACE(facts, 'iris', 'IRIS') WHERE kind = 'publish'",
        "UPDATE events SET facts = NULL, salt = NULL WHERE kind = 'publish'",
        "UPDATE events SET salt = NULL WHERE kind = 'publish'",
        "DELETE FROM events WHERE kind = 'publish'",
        "UPDATE reviews SET action = 'confirmed' WHERE action = 'overridden'",
        "UPDATE reviews SET note = REPLACE(note, 'again', 'twice')",
        "UPDATE reviews SET note = NULL, salt = NULL",
        "UPDATE reviews SET user_id = user_id + 1",
        "UPDATE reviews SET prediction_seq = prediction_seq + 1",
        "DELETE FROM reviews WHERE action = 'confirmed'",
        "UPDATE outcomes SET label = 'virginica' WHERE latest",
        "UPDATE outcomes SET verdict = 'agrees'",
        "UPDATE outcomes SET note = REPLACE(note, 'color', 'colour')",
        "DELETE FROM outcomes WHERE latest",
        "UPDATE tiles SET last_seq = last_seq - 1 WHERE level = 0 AND number = 0",
        "UPDATE tiles SET level = 5 WHERE level = 1",
        "DELETE FROM tiles WHERE level = 1",
        "DELETE FROM tiles WHERE number = 1",
        "UPDATE checkpoints SET size = size + 1 WHERE size > 300",
        "UPDATE checkpoints SET note = REPLACE(note, 'parecer', 'Parecer')",
        "DELETE FROM checkpoints WHERE size > 300",
        "UPDATE logs SET size = size - 1",
        "UPDATE logs SET last_seq = last_seq - 1",
        "UPDATE logs SET origin = 'parecer/other'",
        "UPDATE model_versions SET digest = 'ab'",
        "UPDATE model_versions SET number = number + 1",
        "UPDATE models SET name = 'tulips' WHERE name = 'iris'",
    ],
)
def test_whatever_else_is_changed_is_found(ids: list[str], keys: Keyring, statement: str) -> None:
    change(statement)
    assert not verify(keys).sound


def test_a_record_that_no_leaf_stands_for_is_found(ids: list[str], keys: Keyring) -> None:
    names = ", ".join(c.name for c in Prediction.__table__.columns if c.name not in ("seq", "id"))
    change(f"INSERT INTO predictions (id, {names}) SELECT 'pred_77', {names} FROM predictions LIMIT 1")
    assert "pred_77 no entry" in told(verify(keys))


def test_two_records_that_changed_places_are_found(ids: list[str], keys: Keyring) -> None:
    with transaction() as current:
        a, b = ("SELECT seq FROM leaves WHERE record_id = :" + n for n in "ab")
        [x] = current.execute(text(a), {"a": ids[30]}).one()
        [y] = current.execute(text(b), {"b": ids[31]}).one()
        for old, new in ((x, 10**6), (y, x), (10**6, y)):
            current.execute(text("UPDATE leaves SET seq = :new WHERE seq = :old"), {"old": old, "new": new})
    assert "another order" in told(verify(keys))


def test_with_a_checkpoint_from_outside_the_first_entries_are_anchored(
    ids: list[str], keys: Keyring, desk: Desk, actor: Cast
) -> None:
    kept = sealing.newest()
    predictions.make(desk, actor("alice"), ask(*[SETOSA] * 9))
    sealing.seal(keys)
    for given in (
        kept.note,
        f"{kept.size} {claims.groups(kept.root)}",
        f"{kept.size:,} {kept.root.hex()[:40].upper()}",
    ):
        found = verify(keys, [claims.read(given)])
        assert found.sound
        assert (found.anchored, found.unanchored) == (kept.size, 9)


def test_a_typing_error_is_told_from_another_tree(ids: list[str], keys: Keyring) -> None:
    kept = sealing.newest()
    digits = list(kept.root.hex())
    digits[9] = "0" if digits[9] != "0" else "1"
    found = verify(keys, [claims.read(f"{kept.size} {''.join(digits)}")])
    [held] = found.outside
    assert (held.holds, found.undecided, found.sound) == (False, True, False)
    assert "group 3" in held.what
    found = verify(keys, [claims.read(f"{kept.size} {'ab' * 32}")])
    [held] = found.outside
    assert not found.undecided
    assert "another root" in held.what
    [held] = verify(keys, [claims.read(f"{kept.size + 5} {kept.root.hex()[::-1]}")]).outside
    assert f"only {kept.size} entries" in held.what


@pytest.mark.parametrize(
    "given", ["", "5", "abc def", "5 abcd", "5 " + "g" * 64, "a\n5\nAAAA\n\n— x y", "9" * 20 + " " + "a" * 64]
)
def test_what_is_no_checkpoint_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput, match="checkpoint"):
        claims.read(given)


def test_an_older_copy_is_found_by_what_is_kept_with_the_key(
    ids: list[str], keys: Keyring, app: Flask, desk: Desk, actor: Cast
) -> None:
    keep = sealing.newest().size
    [made] = predictions.make(desk, actor("alice"), ask(SETOSA))
    sealing.seal(keys)
    kept = sealing.newest()
    put_back(app, keep)
    change("DELETE FROM predictions WHERE id = :id", id=made.id)
    assert "older copy" in told(verify(keys))
    (keys._folder / "newest").unlink()  # somebody who can do that leaves only what is kept elsewhere
    found = verify(keys)
    assert found.sound
    assert found.unanchored == keep
    assert not verify(keys, [claims.read(kept.note)]).sound


def test_a_chain_written_anew_is_found_without_the_key(ids: list[str], keys: Keyring, tmp_path: Any) -> None:
    """Somebody with the database and a key of their own."""
    forger = Keyring(tmp_path / "forged")
    kept = sealing.newest()
    rewrite(ids, forger)
    found = verify(keys)
    assert "none of the keys" in told(found)
    # With the real key only a checkpoint from outside shows it.
    found = verify(forger)
    assert told(found) == ""
    assert found.unanchored == found.size
    [held] = verify(forger, [claims.read(kept.note)]).outside
    assert not held.holds


def rewrite(ids: list[str], forger: Keyring) -> None:
    """Change an answer with everything that speaks for it, and seal all of it anew."""
    with transaction() as current:
        row = current.scalars(select(Prediction).where(Prediction.id == ids[40])).one()
        leaf = current.scalars(select(Leaf).where(Leaf.record_id == ids[40])).one()
        output = orjson.loads(row.output)
        output["label"] = row.label = "virginica"
        output["probabilities"]["virginica"] = row.score = 1.0
        row.output, row.salts = orjson.dumps(output).decode(), os.urandom(64)
        told = orjson.loads(leaf.canonical)
        told["inputs"] = commitment(row.salts[:32], row.inputs.encode())
        told["output"] = commitment(row.salts[32:], row.output.encode())
        leaf.canonical = orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()
        leaf.hash = leaf_hash(leaf.canonical.encode())
        for table in ("tiles", "checkpoints"):
            current.execute(text(f"DELETE FROM {table}"))
        current.execute(text("UPDATE logs SET size = 0, last_seq = 0"))
    sealing.seal(forger)


@pytest.mark.parametrize("column", ["inputs", "output", "label", "engine", "subject", "request_id"])
def test_bytes_that_are_no_text_are_found(
    ids: list[str], keys: Keyring, column: str, app: Flask, backend: str
) -> None:
    if backend != "sqlite":
        pytest.skip("PostgreSQL stores nothing else")
    change(f"UPDATE predictions SET {column} = CAST(x'ff41' AS TEXT) WHERE id = :id", id=ids[10])
    found = verify(keys)
    assert ids[10] in told(found)
    session().rollback()
    change(
        "UPDATE predictions SET label = 'setosa' WHERE id = :id", id=ids[11]
    )  # the connection is as it was
    assert session().execute(text("SELECT 'é'")).scalar() == "é"


def test_a_verification_can_be_ended(ids: list[str], keys: Keyring) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(keys, tell=stop)
    assert verify(keys).sound


@pytest.fixture
def let_go(ids: list[str], desk: Desk, keys: Keyring) -> list[str]:
    """The same records, of which the first two were erased and the next two restricted; all of it sealed."""
    order = Order("other", "it was asked for", "subject", "ERASE BEFORE ITS TIME")
    for name in ids[4:6]:
        erasure.erase(desk, None, Target.of([name]), order)
    holds.restrict(None, Target.of(ids[6:8]), "a claim is pending")
    sealing.seal(keys)
    return ids


def test_what_was_let_go_of_is_found_as_it_should_be(let_go: list[str], keys: Keyring) -> None:
    found = verify(keys)
    assert told(found) == ""
    assert found.erased == 2


COPY = (
    "request_id, created_us, finished_us, user_id, role, channel, model_id, version_id, label, warned, cached"
)
FORGED = (
    "INSERT INTO events (id, kind, at_us, user_id, facts, salt) "
    "SELECT p.id, 'erasure', 5, e.user_id, '{\"records\":[\"' || p.id || '\"]}', e.salt "
    "FROM predictions p, events e WHERE p.id = :victim AND e.kind = 'publish' LIMIT 1"
)


@pytest.mark.parametrize(
    "lie",
    [
        [
            f"INSERT INTO predictions (id, {COPY}, engine, latency_us, timings, state) SELECT "
            f"(SELECT id FROM events WHERE kind = 'publish' LIMIT 1), {COPY}, engine, latency_us, timings, state "
            "FROM predictions WHERE id = :victim"
        ],
        [FORGED.replace("'erasure'", "'role-changed'")],
        [
            FORGED,
            "UPDATE predictions SET inputs = NULL, output = NULL, salts = NULL, label = NULL, score = NULL, "
            "subject = NULL, state = 'erased', erasure = (SELECT max(seq) FROM events) WHERE id = :victim",
        ],
        [
            "INSERT INTO leaves (seq, record_id, kind, canonical, hash, writer, writer_seq) "
            "SELECT -1, 'pred_9', kind, canonical, hash, writer, writer_seq FROM leaves WHERE record_id = :victim"
        ],
        [
            "INSERT INTO reviews (event_id, prediction_seq, at_us, user_id, action) SELECT 'evt_x', seq, 5, user_id, "
            "'overridden' FROM predictions WHERE id = :victim",
            "UPDATE predictions SET review = 'overridden' WHERE id = :victim",
        ],
        ["UPDATE holds SET prediction_seq = (SELECT seq FROM predictions WHERE id = :victim) WHERE seq = 1"],
        [
            "UPDATE holds SET lifted_us = 5",
            "UPDATE predictions SET state = 'active' WHERE state = 'restricted'",
        ],
        ["DELETE FROM holds", "UPDATE predictions SET state = 'active' WHERE state = 'restricted'"],
        ["UPDATE holds SET reason = 'another'"],
        ["UPDATE holds SET until_us = 5"],
        ["UPDATE holds SET at_us = 5"],
        ["UPDATE predictions SET erasure = (SELECT min(erasure) FROM predictions) WHERE state = 'erased'"],
        ["UPDATE predictions SET erasure = 999 WHERE state = 'erased'"],
        ["DELETE FROM aliases WHERE name = 'live'"],
        ["UPDATE retention SET days = 1"],
    ],
)
def test_a_lie_beside_the_leaves_is_found(let_go: list[str], keys: Keyring, lie: list[str]) -> None:
    for statement in lie:
        change(statement, **({"victim": let_go[20]} if ":victim" in statement else {}))
    assert not verify(keys).sound


def test_decisions_that_changed_places_are_found(
    ids: list[str], keys: Keyring, desk: Desk, actor: Cast
) -> None:
    reviews.confirm(actor("alice"), ids[2])
    sealing.seal(keys)
    with transaction() as current:
        seqs = current.scalars(
            text(
                "SELECT r.seq FROM reviews r JOIN predictions p ON p.seq = prediction_seq WHERE p.id = :id ORDER BY 1"
            ),
            {"id": ids[2]},
        ).all()
        for old, new in ((seqs[0], 10**6), (seqs[1], seqs[0]), (10**6, seqs[1])):
            current.execute(text(f"UPDATE reviews SET seq = {new} WHERE seq = {old}"))
        current.execute(text("UPDATE predictions SET review = 'overridden' WHERE id = :id"), {"id": ids[2]})
    assert "decision" in told(verify(keys))


def test_a_trigger_and_a_view_are_found(ids: list[str], keys: Keyring, backend: str) -> None:
    if backend == "sqlite":
        make = ["CREATE TRIGGER t AFTER INSERT ON predictions BEGIN SELECT 1; END"]
    else:
        make = ["CREATE RULE r AS ON INSERT TO verifications DO ALSO SELECT 1"]
    with transaction() as current:
        for statement in (*make, "CREATE VIEW shown AS SELECT * FROM predictions"):
            current.execute(text(statement))
    assert told(verify(keys)).count("not ours") == 2


def test_a_text_that_goes_on_for_ever_is_refused_at_once() -> None:
    begun = time.process_time()
    for given in ("1 " * 200_000 + "z", "1" * 400_000, "\n\n".join(["a"] * 100_000)):
        with pytest.raises(InvalidInput):
            claims.read_all(given)
    assert time.process_time() - begun < 1
