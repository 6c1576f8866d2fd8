"""What must be true of a database after any fault, checked with nothing of the server's code but its tables."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import Engine, select, text

from tests.faults.traffic import Ack
from webapp.db import IdempotencyKey, Leaf, Prediction, User


class Ledger:
    """The records, leaves and keys of a database, read at once."""

    def __init__(self, engine: Engine) -> None:
        with engine.connect() as c:
            self.records = [r._asdict() for r in c.execute(select(Prediction.__table__))]
            self.leaves = [r._asdict() for r in c.execute(select(Leaf.__table__))]
            self.keys = [r._asdict() for r in c.execute(select(IdempotencyKey.__table__))]
            self.users = dict(c.execute(select(User.id, User.username)).all())
            if engine.dialect.name == "sqlite":
                assert c.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        self.by_id = {r["id"]: r for r in self.records}

    def check(self, acks: list[Ack]) -> None:
        """Every acknowledged answer is on the record once, with its own values, and the audit log is whole."""
        self.check_answers(acks)
        self.check_keys()
        self.check_leaves()

    def check_answers(self, acks: list[Ack]) -> None:
        assert len(self.by_id) == len(self.records)
        assert Counter(a.answer["id"] for a in acks).most_common(1)[0][1] == 1
        of_key = {(self.users[k["user_id"]], k["key"]): json.loads(k["record_ids"]) for k in self.keys}
        for ack in acks:
            record = self.by_id.get(ack.answer["id"])
            assert record is not None, f"lost: {ack}"
            assert of_key[ack.user, ack.key] == [ack.answer["id"]]
            assert self.users[record["user_id"]] == ack.user
            assert json.loads(record["inputs"])["received"] == ack.inputs
            output = json.loads(record["output"])
            assert {name: ack.answer.get(name) for name in output} == output

    def check_keys(self) -> None:
        named = [i for k in self.keys for i in json.loads(k["record_ids"])]
        assert sorted(named) == sorted(self.by_id), "a key with two records, or a record without its key"

    def check_leaves(self) -> None:
        leaves = [leaf for leaf in self.leaves if leaf["kind"] == "prediction"]
        assert sorted(leaf["record_id"] for leaf in leaves) == sorted(self.by_id)
        series = defaultdict(list)
        for leaf in self.leaves:
            canonical = leaf["canonical"].encode()
            assert hashlib.sha256(b"\x00" + canonical).digest() == leaf["hash"]
            series[leaf["writer"]].append(leaf["writer_seq"])
            fields = json.loads(canonical)
            assert (fields["id"], fields["writer"], fields["writer_seq"]) == (
                leaf["record_id"],
                leaf["writer"],
                leaf["writer_seq"],
            )
            if leaf["kind"] == "prediction":
                self._check_commitments(fields, self.by_id[leaf["record_id"]])
        for writer, numbers in series.items():
            assert sorted(numbers) == list(range(len(numbers))), f"a gap in the series of {writer}"

    def _check_commitments(self, fields: dict[str, Any], record: dict[str, Any]) -> None:
        salts = record["salts"]
        for part, salt in (("inputs", salts[:32]), ("output", salts[32:])):
            assert fields[part] == hmac.new(salt, record[part].encode(), "sha256").hexdigest()
