"""A record in a test's own hands: filled and sealed as the server does, changed as an attacker would, verified."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from flask import Flask
from sqlalchemy import Connection, delete, insert, select, text, update

from tests.conftest import close, settings
from tests.faults.conftest import Installation
from tests.faults.traffic import ROWS
from webapp.app import create_app
from webapp.db import Change, Checkpoint, Leaf, Log, Prediction, Tile, User
from webapp.db.base import session
from webapp.services import predictions, sealing
from webapp.services.people import Actor
from webapp.services.predictions import Ask
from webapp.services.sealing import tree
from webapp.services.verifying import Findings, claims, verify

CHUNK = 2_000


class Evidence:
    """The record of an installation, and whoever has its database but not its key."""

    def __init__(self, app: Flask, installation: Installation) -> None:
        self.app, self.installation = app, installation
        self.desk = app.extensions["desk"]
        self.keys = self.desk.seals.keys
        self._numbers = count()
        self.sqlite = installation.url.startswith("sqlite")
        self.kind = "SQLite" if self.sqlite else "PostgreSQL"
        engine = installation.engine()
        if not self.sqlite:
            engine = engine.execution_options(isolation_level="READ COMMITTED")
        #: Past the server and all its rules.
        self.behind: Connection = engine.connect()

    def actor(self, name: str) -> Actor:
        current = session()
        current.rollback()
        user = current.query(User).filter_by(username=name).one()
        number = current.query(Change).filter_by(topic="access").one().number
        current.rollback()
        return Actor(user.id, name, user.role, access=number, stamp=user.stamp)

    def fill(self, n: int, user: str = "alice", model: str = "iris", **changes: Any) -> list[str]:
        """Make `n` predictions; returns their ids."""
        actor, made = self.actor(user), []
        while len(made) < n:
            rows = [ROWS[model](next(self._numbers) % 20_000) for _ in range(min(CHUNK, n - len(made)))]
            known = {"channel": "api", "request_id": f"request{len(made):017d}", "started_ns": time.time_ns()}
            asked = Ask(model=model, rows=rows, many=True, **{**known, **changes})
            made += [m.id for m in predictions.make(self.desk, actor, asked)]
        return made

    def seal(self) -> sealing.Sealed:
        sealing.seal_and_tell(self.keys)
        newest = sealing.newest()
        assert newest is not None
        return newest

    def verify(self, *outside: str) -> Findings:
        return verify(self.keys, [claims.read(note) for note in outside])

    def flask(self, *words: str) -> tuple[int, str]:
        """Exit status and output of a command."""
        ended = self.app.test_cli_runner().invoke(args=list(words))
        assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
        return ended.exit_code, ended.output

    def change(self, statement: str, values: Sequence[dict[str, Any]] | dict[str, Any] = ()) -> int:
        """Change the database behind the server's back; returns how many rows."""
        changed = self.behind.execute(text(statement), values or None).rowcount
        self.behind.commit()
        return changed

    def leaves(self) -> list[Any]:
        """(seq, record_id, hash) in the order of the tree."""
        rows = self.behind.execute(select(Leaf.seq, Leaf.record_id, Leaf.hash).order_by(Leaf.seq)).all()
        self.behind.rollback()
        return list(rows)

    def cut(self, keep: int) -> None:
        """Leave the first `keep` entries and the counters, tiles and checkpoints as they were then."""
        kept = self.leaves()[:keep]
        changed = tree.Edge().extend([leaf.hash for leaf in kept])
        c = self.behind
        gone = select(Leaf.record_id).where(Leaf.seq > kept[-1].seq)
        c.execute(delete(Prediction).where(Prediction.id.in_(gone)))
        c.execute(delete(Leaf).where(Leaf.seq > kept[-1].seq))
        c.execute(delete(Checkpoint).where(Checkpoint.size > keep))
        c.execute(delete(Tile))
        tiles = [
            {"level": level, "number": number, "hashes": hashes, "last_seq": 0}
            | ({} if level else {"last_seq": kept[min((number + 1) * tree.WIDTH, keep) - 1].seq})
            for (level, number), hashes in changed.items()
        ]
        c.execute(insert(Tile), tiles)
        c.execute(update(Log).values(size=keep, last_seq=kept[-1].seq))
        c.commit()

    def forget_newest(self) -> None:
        """What somebody does who can write beside the key as well."""
        self.keys.remember("")


@contextmanager
def opened(installation: Installation) -> Iterator[Evidence]:
    app = create_app(settings(installation.folder, database_url=installation.url))
    with app.app_context():
        evidence = Evidence(app, installation)
        try:
            yield evidence
        finally:
            session().rollback()
            evidence.behind.close()
            evidence.behind.engine.dispose()
    close(app)


def told(found: Findings) -> str:
    """What was found, to be shown where a test fails."""
    outside = [f"outside {o.size}: {o.what}" for o in found.outside if not o.holds]
    return "\n".join([*(f"{a.index} {a.id} {a.what}" for a in found.altered[:20]), *outside])


def names(found: Findings) -> set[Any]:
    """Ids and places of what was found altered."""
    return {a.id for a in found.altered} | {a.index for a in found.altered if a.index is not None}


def spread(items: Sequence[Any], n: int) -> list[Any]:
    """`n` of them, evenly, or all."""
    n = min(n, len(items))
    return [items[i * len(items) // n] for i in range(n)]


def all_named(found: Findings, wanted: Iterable[set[Any]]) -> list[set[Any]]:
    """Which of the wanted were not found."""
    seen = names(found)
    return [one for one in wanted if not one & seen]
