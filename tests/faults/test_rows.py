"""Whole rows of the record changed by whoever has the database and not the key: all of it is found."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from sqlalchemy import delete, insert, select, update

from tests.faults.conftest import Installation
from tests.faults.evidence import Evidence, opened, told
from webapp.db import Leaf, Log, ModelVersion, Prediction, Tile, User
from webapp.services.audit import commitment
from webapp.services.sealing import tree
from webapp.services.sealing.keys import Keyring

RECORDS = 2_000
Row = dict[str, Any]


class Attacker:
    """Changes rows in a way that agrees with itself: record, leaf, hash and, being thorough, the tile."""

    def __init__(self, evidence: Evidence, ids: list[str], chance: random.Random) -> None:
        self.evidence, self.ids, self.chance = evidence, ids, chance
        self._c = evidence.behind
        users = dict(self._c.execute(select(User.username, User.id)).all())
        self._bob = users["bob"]
        [self._other] = self._c.execute(
            select(ModelVersion.id, ModelVersion.number, ModelVersion.digest, ModelVersion.schema_hash).where(
                ModelVersion.number == 2
            )
        ).all()
        self._c.rollback()

    def victims(self, n: int) -> list[str]:
        return self.chance.sample(self.ids, n)

    def read(self, record_id: str) -> tuple[Row, Row]:
        record = (
            self._c.execute(select(Prediction.__table__).where(Prediction.id == record_id)).mappings().one()
        )
        leaf = self._c.execute(select(Leaf.__table__).where(Leaf.record_id == record_id)).mappings().one()
        self._c.rollback()
        return dict(record), dict(leaf)

    def write(self, *pairs: tuple[Row, Row]) -> None:
        """Put records and leaves in place of those with the same numbers."""
        for record, leaf in pairs:
            self._c.execute(delete(Prediction).where(Prediction.seq == record["seq"]))
            self._c.execute(delete(Leaf).where(Leaf.seq == leaf["seq"]))
        self._c.execute(insert(Prediction), [record for record, _ in pairs])
        self._c.execute(insert(Leaf), [leaf for _, leaf in pairs])
        self._c.commit()

    def forge(self, record_id: str, **changes: Any) -> None:
        """Change a record, and its leaf as if it had always been so."""
        record, leaf = self.read(record_id)
        old, said = leaf["hash"], orjson.loads(leaf["canonical"])
        record |= changes.pop("record", {})
        record["salts"] = os.urandom(64)
        for part, salt in (("inputs", record["salts"][:32]), ("output", record["salts"][32:])):
            said[part] = commitment(salt, record[part].encode())
        said |= changes
        leaf["canonical"] = orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()
        leaf["hash"] = tree.leaf_hash(leaf["canonical"].encode())
        self.write((record, leaf))
        if self.chance.random() < 0.5:
            self.retile(old, leaf["hash"])

    def retile(self, old: bytes, new: bytes) -> None:
        """Put the new hash into the tree as well."""
        for number, hashes in self._c.execute(select(Tile.number, Tile.hashes).where(Tile.level == 0)).all():
            if old in hashes:
                kept = hashes.replace(old, new)
                self._c.execute(
                    update(Tile).where(Tile.level == 0, Tile.number == number).values(hashes=kept)
                )
        self._c.commit()

    def edit(self) -> None:
        """Another answer."""
        [victim] = self.victims(1)
        output = orjson.loads(self.read(victim)[0]["output"])
        label = "virginica" if output["label"] != "virginica" else "setosa"
        output |= {"label": label, "prediction": label}
        shares = output["probabilities"]
        changed = {"output": orjson.dumps(output).decode(), "label": label, "score": shares[label]}
        self.forge(victim, record=changed)

    def delete(self) -> None:
        [victim] = self.victims(1)
        self._c.execute(delete(Prediction).where(Prediction.id == victim))
        self._c.execute(delete(Leaf).where(Leaf.record_id == victim))
        self._c.commit()

    def swap(self) -> None:
        """Two answers change places, or two leaves do."""
        (a, x), (b, y) = (self.read(victim) for victim in self.victims(2))
        if self.chance.random() < 0.5:
            x["seq"], y["seq"] = y["seq"], x["seq"]
        else:
            for name in ("inputs", "output", "salts", "label", "score"):
                a[name], b[name] = b[name], a[name]
        self.write((a, x), (b, y))

    def insert(self) -> None:
        """A record that was never made, in the place of none."""
        self._between(inputs='{"received":{"petal_length":1.25}}')

    def duplicate(self) -> None:
        """The same record again, under another id."""
        self._between()

    def _between(self, **changes: Any) -> None:
        record, leaf = self.read(self.victims(1)[0])
        at, new = leaf["seq"], f"pred_{self.chance.getrandbits(176):044x}"
        self._c.execute(update(Leaf).where(Leaf.seq > at).values(seq=-Leaf.seq - 1))
        self._c.execute(update(Leaf).where(Leaf.seq < 0).values(seq=-Leaf.seq))
        self._c.execute(update(Log).values(size=Log.size + 1, last_seq=Log.last_seq + 1))
        record |= {"seq": None, "id": new, **changes}
        said = orjson.loads(leaf["canonical"]) | {"id": new, "writer": "A" * 22, "writer_seq": 0}
        said["inputs"] = commitment(record["salts"][:32], record["inputs"].encode())
        canonical = orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()
        leaf |= {"seq": at + 1, "record_id": new, "canonical": canonical, "writer": "A" * 22, "writer_seq": 0}
        leaf["hash"] = tree.leaf_hash(canonical.encode())
        del record["seq"]
        self._c.execute(insert(Prediction), [record])
        self._c.execute(insert(Leaf), [leaf])
        self._c.commit()

    def redate(self) -> None:
        [victim] = self.victims(1)
        record, _ = self.read(victim)
        times = {
            "created": record["created_us"] - 86_400_000_000,
            "finished": record["finished_us"] - 86_400_000_000,
        }
        self.forge(victim, record={f"{name}_us": us for name, us in times.items()}, **times)

    def reassign(self) -> None:
        """To another account."""
        self.forge(self.victims(1)[0], record={"user_id": self._bob}, user=self._bob)

    def reversion(self) -> None:
        """To another version of the model."""
        other = self._other
        said = {"version": str(other.number), "artifact": other.digest, "schema": other.schema_hash}
        self.forge(self.victims(1)[0], record={"version_id": other.id}, **said)


DEEDS: list[Callable[[Attacker], None]] = [
    *(Attacker.edit, Attacker.delete, Attacker.insert, Attacker.swap, Attacker.duplicate),
    *(Attacker.redate, Attacker.reassign, Attacker.reversion),
]


@pytest.fixture
def attacked(installation: Installation) -> Iterator[tuple[Evidence, Attacker]]:
    with opened(installation) as evidence:
        columns = [c for c in ModelVersion.__table__.columns if c.name not in ("id", "number", "digest")]
        copied = select(*columns).where(ModelVersion.number == 1, ModelVersion.model_id == 1)
        row = dict(evidence.behind.execute(copied).mappings().one())
        evidence.behind.execute(insert(ModelVersion), [row | {"number": 2, "digest": "d" * 64}])
        evidence.behind.commit()
        made = evidence.fill(RECORDS, model="iris")
        evidence.seal()
        yield evidence, Attacker(evidence, made, random.Random(5))


class Kept:
    """The tables as they were."""

    TABLES = (Prediction.__table__, Leaf.__table__, Tile.__table__, Log.__table__)

    def __init__(self, evidence: Evidence) -> None:
        self._c = evidence.behind
        self._rows = {t: [dict(r) for r in self._c.execute(select(t)).mappings()] for t in self.TABLES}
        self._c.rollback()

    def restore(self) -> None:
        """Put back the rows that differ."""
        for table, rows in self._rows.items():
            now = {str(r): dict(r) for r in map(dict, self._c.execute(select(table)).mappings())}
            then = {str(r): r for r in rows}
            keys = list(table.primary_key)
            for row in (now[s] for s in now.keys() - then.keys()):
                self._c.execute(delete(table).where(*(key == row[key.name] for key in keys)))
            if missing := [then[s] for s in then.keys() - now.keys()]:
                self._c.execute(insert(table), missing)
        self._c.commit()


def trial(evidence: Evidence, attacker: Attacker, times: int) -> dict[str, int]:
    """Each deed so many times, one at a time; returns how often each was not found."""
    kept, missed = Kept(evidence), {}
    for deed in DEEDS:
        missed[deed.__name__] = 0
        for _ in range(times):
            deed(attacker)
            missed[deed.__name__] += evidence.verify().sound
            kept.restore()
    assert told(evidence.verify()) == ""
    return missed


def test_rows_rewritten_without_the_key_are_found(attacked: tuple[Evidence, Attacker]) -> None:
    missed = trial(*attacked, 5)
    assert set(missed.values()) == {0}, missed


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_thousand_rewritings_of_each_kind_are_found(attacked: tuple[Evidence, Attacker]) -> None:
    missed = trial(*attacked, 1_000)
    print(f"\n{attacked[0].kind}: 1,000 each of {', '.join(missed)}: {sum(missed.values())} not found")
    assert set(missed.values()) == {0}, missed


def tails(evidence: Evidence, cuts: int) -> None:
    """Take the newest records away one after the other, each time with counters that agree."""
    evidence.fill(300)
    evidence.seal()
    for _ in range(cuts):  # so that every cut ends at a checkpoint
        evidence.fill(1)
        evidence.seal()
    kept = evidence.seal()
    for n in range(1, cuts + 1):
        evidence.cut(kept.size - n)
        assert "older copy" in told(evidence.verify())  # by what is kept with the key
        newest = evidence.keys.newest()
        evidence.forget_newest()
        assert not evidence.verify(kept.note).sound
        found = evidence.verify()
        assert found.sound and found.anchored == 0 and found.unanchored == kept.size - n
        evidence.keys.remember(newest)


def test_a_tail_that_was_cut_off_is_missed_by_a_checkpoint_from_outside(installation: Installation) -> None:
    with opened(installation) as evidence:
        tails(evidence, 5)
        evidence.forget_newest()
        status, words = evidence.flask("audit", "verify")
        assert status == 3 and "unanchored" in words and "Nothing is found altered" in words


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_thousand_tails_that_were_cut_off_are_missed(installation: Installation) -> None:
    with opened(installation) as evidence:
        tails(evidence, 1_000)
        print(f"\n{evidence.kind}: the last 1 to 1,000 records cut off: 1,000 of 1,000 found")


def test_a_tail_that_was_replaced_is_found_by_what_is_kept_with_the_key(installation: Installation) -> None:
    with opened(installation) as evidence:
        evidence.fill(20)
        keep = evidence.seal().size
        evidence.fill(5)
        evidence.seal()
        evidence.cut(keep)
    with opened(installation) as evidence:  # another process, whose numbers begin anew
        evidence.fill(9)
        assert f"checkpoint of {keep + 5} entries" in told(evidence.verify())
        evidence.forget_newest()
        assert evidence.verify().sound


def test_yesterdays_file_is_missed_by_a_checkpoint_from_outside(sqlite: Installation) -> None:
    with opened(sqlite) as evidence:
        evidence.fill(50)
        evidence.seal()
    shutil.copy(sqlite.folder / "parecer.db", sqlite.folder / "yesterday")
    with opened(sqlite) as evidence:
        evidence.fill(50)
        note = evidence.seal().note
    shutil.copy(sqlite.folder / "yesterday", sqlite.folder / "parecer.db")
    (sqlite.folder / "checkpoint").write_text(note)
    with opened(sqlite) as evidence:
        assert evidence.flask("audit", "verify")[0] == 1  # the key remembers
        evidence.forget_newest()
        status, words = evidence.flask("audit", "verify")
        assert status == 3 and "unanchored" in words
        given = str(sqlite.folder / "checkpoint")
        assert evidence.flask("audit", "verify", "--checkpoint", given)[0] == 1


def rewritten(evidence: Evidence, keys: Keyring) -> None:
    """Every answer another one, and all of it sealed anew with `keys`."""
    c = evidence.behind
    for record_id, output, salts in c.execute(
        select(Prediction.id, Prediction.output, Prediction.salts).order_by(Prediction.seq)
    ).all():
        said = orjson.loads(output) | {"warnings": [{"feature": "petal_width", "kind": "x", "detail": "y"}]}
        forged = orjson.dumps(said).decode()
        c.execute(update(Prediction).where(Prediction.id == record_id).values(output=forged, warned=1))
        canonical = c.scalar(select(Leaf.canonical).where(Leaf.record_id == record_id)) or ""
        leaf = orjson.loads(canonical) | {"output": commitment(salts[32:], forged.encode())}
        canonical = orjson.dumps(leaf, option=orjson.OPT_SORT_KEYS).decode()
        values = {"canonical": canonical, "hash": tree.leaf_hash(canonical.encode())}
        c.execute(update(Leaf).where(Leaf.record_id == record_id).values(**values))
    for table in ("tiles", "checkpoints"):
        evidence.change(f"DELETE FROM {table}")
    evidence.change("UPDATE logs SET size = 0, last_seq = 0")
    keys.remember("")
    evidence.keys, own = keys, evidence.keys
    evidence.seal()
    evidence.keys = own


@pytest.mark.parametrize(
    "n", [200, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_a_whole_record_written_anew_is_found(installation: Installation, n: int) -> None:
    with opened(installation) as evidence:
        evidence.fill(n)
        kept = evidence.seal().note
        rewritten(evidence, Keyring(installation.folder / "forged"))
        assert "none of the keys" in told(evidence.verify())  # without the key
        rewritten(evidence, evidence.keys)
        found = evidence.verify()  # with it
        assert found.sound and found.unanchored == found.size
        assert not evidence.verify(kept).sound
        if n > 200:
            print(
                f"\n{evidence.kind}: {n} records written anew: found without the key, and with it from outside"
            )
