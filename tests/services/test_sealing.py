"""Sealing: what was written becomes part of a signed tree, whoever seals and whatever happens in between."""

from __future__ import annotations

import base64
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Flask
from sqlalchemy import delete, select, text, update

from tests.records import queries
from tests.services.test_predictions import SETOSA, Cast, ask, session
from webapp.db import Checkpoint, Event, Leaf, Log, Tile
from webapp.db.base import transaction
from webapp.errors import Conflict, NotAllowed, NotFound
from webapp.services import audit, predictions, sealing
from webapp.services.desk import Desk
from webapp.services.sealing import Broken, notes, proofs, tree
from webapp.services.sealing.keys import Keyring
from webapp.services.sealing.notes import Unsound


def hashes() -> list[bytes]:
    return list(session().scalars(select(Leaf.hash).order_by(Leaf.seq)))


def root(n: int) -> bytes:
    edge = tree.Edge()
    edge.extend(hashes()[:n])
    return edge.root()


def test_a_checkpoint_speaks_for_all_leaves_so_far(desk: Desk, keys: Keyring, actor: Cast) -> None:
    predictions.make(desk, actor("alice"), ask(*[SETOSA] * 300))
    n = len(hashes())
    assert sealing.seal(keys) == n
    newest = sealing.newest()
    assert newest is not None
    assert (newest.size, newest.root) == (n, root(n))
    read = notes.read(newest.note)
    assert read.checkpoint == notes.Checkpoint(sealing.log().origin, n, newest.root)
    assert [key.id for key in read.by(keys.known())] == [keys.known()[0].id]
    assert sealing.waiting() == 0
    assert sealing.seal(keys) == 0  # nothing new, and no other checkpoint
    assert session().query(Checkpoint).count() == 1


def test_more_leaves_than_fit_one_checkpoint_are_sealed_with_several(
    desk: Desk, keys: Keyring, actor: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MOST", 100)
    predictions.make(desk, actor("alice"), ask(*[SETOSA] * 350))
    n = len(hashes())
    assert sealing.seal(keys) == n
    sizes = list(session().scalars(select(Checkpoint.size).order_by(Checkpoint.size)))
    assert sizes == [*range(100, n, 100), n]
    assert [sealing.at_size(size).root for size in sizes] == [root(size) for size in sizes]


def test_whoever_comes_second_leaves_it_to_the_first(desk: Desk, keys: Keyring, app: Flask) -> None:
    with app.extensions["leader"]() as led:
        assert led
        assert sealing.seal(keys) == 0
    assert sealing.seal(keys) > 0


def test_many_at_once_make_one_tree(desk: Desk, keys: Keyring, actor: Cast, app: Flask) -> None:
    writing = threading.Event()
    failed: list[BaseException] = []

    def seal() -> None:
        with app.app_context():
            try:
                while not writing.is_set():
                    sealing.seal(keys)
            except BaseException as error:
                failed.append(error)

    sealers = [threading.Thread(target=seal) for _ in range(3)]
    for thread in sealers:
        thread.start()
    for n in range(40):
        predictions.make(desk, actor("alice"), ask(*[SETOSA] * (n + 1)))
        with transaction() as current:
            audit.append(current, "print", None, {"n": n})
    writing.set()
    for thread in sealers:
        thread.join()
    sealing.seal(keys)
    assert failed == []
    sizes = list(session().scalars(select(Checkpoint.size).order_by(Checkpoint.size)))
    assert sizes[-1] == len(hashes())
    assert [sealing.at_size(size).root for size in sizes] == [root(size) for size in sizes]


def test_a_number_that_was_never_used_leaves_no_gap(desk: Desk, keys: Keyring, actor: Cast) -> None:
    """PostgreSQL gives no number back when a transaction fails."""
    for _n in range(3):
        with pytest.raises(ZeroDivisionError), transaction() as current:
            audit.append(current, "print", None, {})
            current.flush()
            raise ZeroDivisionError
        [made] = predictions.make(desk, actor("alice"), ask(SETOSA))
        assert sealing.seal(keys) > 0
        proof = proofs.of_prediction(desk.seals, actor("alice"), made.id)
        assert hashes()[proof["index"]] == tree.leaf_hash(proof["leaf"].encode())
    assert sealing.newest().size == len(hashes())


def test_the_proof_of_a_record_leads_to_the_signed_root(desk: Desk, keys: Keyring, actor: Cast) -> None:
    made = [m.id for m in predictions.make(desk, actor("alice"), ask(*[SETOSA] * 600))]
    with pytest.raises(Conflict, match="not sealed yet"):
        proofs.of_prediction(desk.seals, actor("alice"), made[0])
    sealing.seal(keys)
    for record_id in (made[0], made[255], made[256], made[-1]):
        proof = proofs.of_prediction(desk.seals, actor("alice"), record_id)
        signed = notes.read(proof["checkpoint"])
        assert signed.by([notes.Key.read(key) for key in proof["keys"]])
        assert follow(proof, signed.checkpoint.size) == signed.checkpoint.root
        leaf = orjson.loads(proof["leaf"])
        salts = bytes.fromhex(proof["salts"])
        assert audit.commitment(salts[:32], proof["inputs"].encode()) == leaf["inputs"]
        assert audit.commitment(salts[32:], proof["output"].encode()) == leaf["output"]


def follow(proof: dict[str, Any], size: int) -> bytes:
    """RFC 9162 §2.1.3.2."""
    path = base64.b64decode(proof["path"])
    fn, sn, r = proof["index"], size - 1, tree.leaf_hash(proof["leaf"].encode())
    for p in (path[i : i + 32] for i in range(0, len(path), 32)):
        assert sn
        if fn & 1 or fn == sn:
            r = tree.node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = tree.node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return r


def test_the_tile_of_a_leaf_is_found_in_an_index(desk: Desk, keys: Keyring, actor: Cast) -> None:
    if session().get_bind().dialect.name != "sqlite":
        return  # a planner with statistics rightly reads all of so few
    [made] = predictions.make(desk, actor("alice"), ask(SETOSA))
    sealing.seal(keys)
    with queries() as asked:
        proofs.of_prediction(desk.seals, actor("alice"), made.id)
    connection = session().connection()
    for statement, parameters in asked:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        assert not [step for *_, step in plan if "TEMP B-TREE" in step]


def test_proofs_go_to_whoever_sees_the_record(desk: Desk, keys: Keyring, actor: Cast) -> None:
    [made] = predictions.make(desk, actor("alice"), ask(SETOSA))
    sealing.seal(keys)
    assert proofs.of_prediction(desk.seals, actor("carol"), made.id)["id"] == made.id
    with pytest.raises(NotFound):
        proofs.of_prediction(desk.seals, actor("bob"), made.id)
    event = session().scalars(select(Event.id).limit(1)).one()
    assert proofs.of_event(desk.seals, actor("carol"), event)["facts"]
    with pytest.raises(NotAllowed):
        proofs.of_event(desk.seals, actor("alice"), event)
    for nothing in ("evt_00", "", "a\0b", "é" * 60):
        with pytest.raises(NotFound):
            proofs.of_event(desk.seals, actor("carol"), nothing)


def test_a_proof_may_be_asked_for_against_the_checkpoint_on_paper(
    desk: Desk, keys: Keyring, actor: Cast
) -> None:
    alice = actor("alice")
    [made] = predictions.make(desk, alice, ask(SETOSA))
    sealing.seal(keys)
    paper = sealing.newest()
    predictions.make(desk, alice, ask(*[SETOSA] * 300))
    sealing.seal(keys)
    proof = proofs.of_prediction(desk.seals, alice, made.id, paper.size)
    assert proof["checkpoint"] == paper.note
    assert follow(proof, paper.size) == paper.root
    [late] = predictions.make(desk, alice, ask(SETOSA))
    sealing.seal(keys)
    with pytest.raises(Conflict, match="came after"):
        proofs.of_prediction(desk.seals, alice, late.id, paper.size)
    with pytest.raises(NotFound, match="no checkpoint of"):
        proofs.of_prediction(desk.seals, alice, made.id, paper.size + 1)


def test_one_checkpoint_goes_on_from_another(desk: Desk, keys: Keyring, actor: Cast) -> None:
    sizes = []
    for n in (3, 260, 1):
        predictions.make(desk, actor("alice"), ask(*[SETOSA] * n))
        sealing.seal(keys)
        sizes.append(sealing.newest().size)
    proof = proofs.consistency(desk.seals, sizes[0], sizes[2])
    assert base64.b64decode(proof["path"]) == b"".join(sealing.prover().consistency(sizes[0], sizes[2]))
    assert proofs.consistency(desk.seals, sizes[1], sizes[1])["path"] == ""
    for pair in ((sizes[1], sizes[0]), (sizes[0], sizes[2] + 1), (0, sizes[0])):
        with pytest.raises(NotFound):
            proofs.consistency(desk.seals, *pair)


def test_a_new_key_is_vouched_for_by_the_old_one(desk: Desk, keys: Keyring, actor: Cast) -> None:
    sealing.seal(keys)
    [old] = keys.known()
    made = sealing.rotate(keys)
    new = next(key for key in keys.known() if key.id != old.id)
    assert {key.id for key in notes.read(made.note).by([old, new])} == {old.id, new.id}
    predictions.make(desk, actor("alice"), ask(SETOSA))
    sealing.seal(keys)
    later = notes.read(sealing.newest().note)
    assert (later.by([new]), later.by([old])) == ([new], [])
    event = session().query(Event).filter_by(kind="seal-key").one()
    assert orjson.loads(event.facts) == {"before": old.text(), "key": new.text()}


def put_back(app: Flask, keep: int) -> None:
    """The database as it was when it had `keep` leaves and had just been sealed."""
    with transaction() as current:
        kept = current.execute(select(Leaf.seq, Leaf.hash).order_by(Leaf.seq).limit(keep)).all()
        last = kept[-1].seq
        changed = tree.Edge().extend([leaf.hash for leaf in kept])
        current.execute(delete(Leaf).where(Leaf.seq > last))
        current.execute(delete(Checkpoint).where(Checkpoint.size > keep))
        current.execute(delete(Tile))
        for (level, number), tile in changed.items():
            end = 0 if level else kept[min((number + 1) * tree.WIDTH, keep) - 1].seq
            current.add(Tile(level=level, number=number, hashes=tile, last_seq=end))
        current.execute(update(Log).values(size=keep, last_seq=last))


def test_nothing_is_signed_after_the_database_was_put_back(
    desk: Desk, keys: Keyring, actor: Cast, app: Flask
) -> None:
    sealing.seal(keys)
    keep = sealing.newest().size
    predictions.make(desk, actor("alice"), ask(*[SETOSA] * 5))
    sealing.seal(keys)
    put_back(app, keep)
    predictions.make(desk, actor("alice"), ask(SETOSA))
    with pytest.raises(Broken, match="put back to an older"):
        sealing.seal_and_tell(keys)
    assert "put back" in sealing.log().trouble
    predictions.make(desk, actor("alice"), ask(*[SETOSA] * 9))  # as many as were signed, and others
    with pytest.raises(Broken, match="not those that were signed"):
        sealing.seal(keys)
    assert sealing.newest().size == keep


def test_nothing_is_signed_on_top_of_a_tree_that_was_changed(desk: Desk, keys: Keyring, actor: Cast) -> None:
    sealing.seal(keys)
    with transaction() as current:
        tile = current.scalars(select(Tile)).one()
        tile.hashes = bytes([tile.hashes[0] ^ 1]) + tile.hashes[1:]
    predictions.make(desk, actor("alice"), ask(SETOSA))
    with pytest.raises(Broken, match="not those that were signed"):
        sealing.seal(keys)


def test_what_was_signed_and_not_stored_is_signed_again(
    desk: Desk, keys: Keyring, actor: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between the signature and the end of the transaction."""
    sealing.seal(keys)
    predictions.make(desk, actor("alice"), ask(*[SETOSA] * 3))
    with monkeypatch.context() as broken:
        broken.setattr(sealing, "_upsert", lambda _: text("SELECT nothing"))
        with pytest.raises(Exception, match="nothing"):
            sealing.seal(keys)
    assert notes.read(keys.newest()).checkpoint.size > sealing.newest().size
    predictions.make(desk, actor("alice"), ask(SETOSA))
    assert sealing.seal(keys) == 4


def test_keys_are_kept_where_only_their_owner_reads_them(desk: Desk, keys: Keyring) -> None:
    sealing.seal(keys)
    folder = keys._folder
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "private").stat().st_mode & 0o077 == 0
    (folder / "private").chmod(0o644)
    keys.signer("x")
    assert (folder / "private").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kept", ["", "AAAA", "not base64!", "\ud800"])
def test_a_key_that_is_none_signs_nothing(desk: Desk, keys: Keyring, kept: str) -> None:
    keys._folder.mkdir(parents=True, exist_ok=True)
    (keys._folder / "private").write_bytes(kept.encode(errors="surrogatepass"))
    with pytest.raises(Unsound, match="not base64 of 32 bytes"):
        sealing.seal(keys)
    assert sealing.newest() is None


def test_the_key_of_a_setting_signs(desk: Desk, tmp_path: Any) -> None:
    keys = Keyring(tmp_path / "other", base64.b64encode(b"k" * 32).decode())
    sealing.seal(keys)
    assert not (tmp_path / "other" / "private").exists()
    assert notes.read(sealing.newest().note).by(keys.known())


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note.replace("\n\n", "\n\n\n"),
        lambda note: "0" + note,
        lambda note: note.split("\n", 1)[1],
        lambda note: note.replace("— ", "- "),
        lambda note: note[:-10],
        lambda note: note + "x" * 9000,
        lambda note: "a\n-1\n" + note.split("\n", 2)[2],
        lambda note: "a\n１\n" + note.split("\n", 2)[2],
    ],
)
def test_a_note_that_was_changed_is_not_believed(
    desk: Desk, keys: Keyring, change: Callable[[str], str]
) -> None:
    sealing.seal(keys)
    with contextlib.suppress(Unsound):
        assert notes.read(change(sealing.newest().note)).by(keys.known()) == []


def test_sealing_is_due_for_much_or_after_a_while(
    desk: Desk, keys: Keyring, actor: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sealing.due(60)  # nothing was ever sealed
    sealing.seal(keys)
    assert not sealing.due(0)
    predictions.make(desk, actor("alice"), ask(*[SETOSA] * 5))
    assert sealing.due(0)
    assert not sealing.due(60)
    monkeypatch.setattr(sealing, "ENOUGH", 4)
    assert sealing.due(60)
    monkeypatch.setattr(sealing, "ENOUGH", 400)
    monkeypatch.setattr(sealing, "now_us", lambda: 1)  # a clock set back
    assert sealing.due(60)


def test_a_hash_that_is_none_stops_the_sealing_and_is_told(desk: Desk, keys: Keyring, actor: Cast) -> None:
    predictions.make(desk, actor("alice"), ask(SETOSA))
    with transaction() as current:
        current.execute(update(Leaf).where(Leaf.kind == "prediction").values(hash=b"\0"))
    with pytest.raises(Broken, match="a hash that is none"):
        sealing.seal_and_tell(keys)
    assert "hash" in sealing.log().trouble
    with pytest.raises(ValueError, match="whole hashes"):
        tree.Edge(1, [b"\0"]).root()


def test_without_the_memory_of_the_key_the_database_has_to_agree(
    desk: Desk, keys: Keyring, actor: Cast
) -> None:
    sealing.seal(keys)
    (keys._folder / "newest").unlink()
    predictions.make(desk, actor("alice"), ask(SETOSA))
    assert sealing.seal(keys) == 1  # the newest checkpoint in the database is signed, and of this tree
    (keys._folder / "newest").unlink()
    with transaction() as current:
        tile = current.scalars(select(Tile)).one()
        tile.hashes = bytes([tile.hashes[0] ^ 1]) + tile.hashes[1:]
    predictions.make(desk, actor("alice"), ask(SETOSA))
    with pytest.raises(Broken, match="signed last"):
        sealing.seal(keys)


def test_a_public_key_that_cannot_be_read_vouches_for_nothing(desk: Desk, keys: Keyring) -> None:
    sealing.seal(keys)
    known = keys.known()
    (keys._folder / "00000000.vkey").write_bytes(b"\xff nonsense")
    (keys._folder / "newest").write_bytes(b"\xff")
    assert keys.known() == known
    with pytest.raises(Broken, match="cannot be read"):
        with transaction() as current:
            audit.append(current, "print", None, {})
        sealing.seal(keys)
