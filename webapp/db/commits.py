"""Group commit: requests in flight in one process share one durable transaction."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Engine

from webapp.db.changes import ACCESS, HOLD_ACCESS, REGISTRY, Watch
from webapp.db.engine import begin_writing, disk_failed
from webapp.db.predictions import LATER, IdempotencyKey, Prediction
from webapp.errors import AppError, NotReady
from webapp.wording import said

PREDICTION_COLUMNS = tuple(c.name for c in Prediction.__table__.columns if c.name not in {"seq", *LATER})
LEAF_COLUMNS = ("record_id", "kind", "canonical", "hash", "writer", "writer_seq")
KEY_COLUMNS = tuple(c.name for c in IdempotencyKey.__table__.columns)
UNKEPT = said("The record cannot be kept right now, so there is no answer; try again.")


class StaleAccess(AppError):
    """Accounts or tokens changed since this caller was checked; check again, then submit again."""


class StaleVersion(AppError):
    """Models or aliases changed since the version was found; find it again, then submit again."""


class Outrun(AppError):
    """The row that an entry is bound to has moved on; somebody else carries the work on, or it was ended."""


class Guard(NamedTuple):
    """A row that moves together with an entry: `sets` it where `holds`, which exactly one row must meet."""

    table: str
    sets: dict[str, Any]
    holds: dict[str, Any]


@dataclass(slots=True, eq=False)
class Entry:
    """What one request wants stored: all of it, or nothing."""

    #: Values in PREDICTION_COLUMNS order.
    rows: Sequence[tuple[Any, ...]]
    #: Canonical leaf bytes of each row, without the writer's part and the closing brace.
    heads: Sequence[bytes]
    #: The number of the `access` counter at which the caller was checked.
    access: int
    #: Values in KEY_COLUMNS order, when the request may be sent again.
    key: tuple[Any, ...] | None = None
    #: What must still be so, and is changed along with it.
    guard: Guard | None = None
    #: The number of the `registry` counter at which an alias led to the version; None: the version itself was named.
    registry: int | None = None
    #: Sets rows, heads and key once the turn of the entry's group has come, outside of the transaction.
    fill: Callable[[Entry], None] | None = None
    #: Set instead of storing, when the key was used before: (fingerprint, record ids as JSON).
    replay: tuple[str, str] | None = None
    #: Why it was not stored, when that is a matter of this entry alone.
    error: Exception | None = None


class Signal(Protocol):
    """What those who wait for a commit wait on; gevent's own is several times cheaper than threading's."""

    def wait(self) -> object:
        """Return once it is set."""

    def set(self) -> None:
        """Let everybody go on."""


@dataclass(slots=True, eq=False)
class _Group:
    done: Signal
    entries: list[Entry] = field(default_factory=list)
    #: Set by the commit and by nothing else: a leader that is cut short has stored for nobody.
    stored: bool = False


class Writer:
    """Numbers the leaves of one process, so that one taken away before sealing leaves a gap."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start a new series, when it is not known how far the old one got."""
        self.id = secrets.token_urlsafe(16)
        self.next = 0

    def leaf(self, head: bytes, seq: int) -> tuple[str, bytes]:
        """Complete canonical text and its RFC 6962 leaf hash; keys of `head` sort before `writer`."""
        canonical = b'%b,"writer":"%b","writer_seq":%d}' % (head, self.id.encode(), seq)
        return canonical.decode(), hashlib.sha256(b"\x00" + canonical).digest()


class GroupCommit:
    """Stores entries durably: `submit` returns after the fsync that covers them.

    The first request to arrive leads: it lets the others of this loop turn (or those queued behind the running
    commit) join, then writes for all. `lock` is the cross-process write lock; `panic` is called when the disk
    fails: no later sync of this process proves anything then. `committed` is told entries, rows and microseconds of
    each commit, the wait for the lock included.
    """

    def __init__(
        self,
        engine: Engine,
        lock: Callable[[], AbstractContextManager[None]],
        watch: Watch,
        panic: Callable[[], None],
        signal: Callable[[], Signal] = threading.Event,
        committed: Callable[[int, int, int], None] = lambda _entries, _rows, _us: None,
    ) -> None:
        self._committed = committed
        self._signal = signal
        self._engine = engine
        self._watch = watch
        self._lock = lock
        self._panic = panic
        self._sqlite = engine.dialect.name == "sqlite"
        self._mark = mark = "?" if self._sqlite else "%s"
        self._insert_rows = _insert("predictions", PREDICTION_COLUMNS, mark)
        self._insert_leaves = _insert("leaves", LEAF_COLUMNS, mark)
        self._insert_key = _insert("idempotency_keys", KEY_COLUMNS, mark) + " ON CONFLICT DO NOTHING"
        self._find_key = (
            f"SELECT fingerprint, record_ids FROM idempotency_keys WHERE user_id = {mark} AND key = {mark}"  # noqa: S608
        )
        self._writer = Writer()
        self._joining = threading.Lock()
        self._turn = threading.Lock()
        self._open: _Group | None = None
        self._connection: Any = None
        self._access = self._registry = -1

    def submit(self, entry: Entry) -> None:
        """Store one entry, or set its `replay`.

        Raises NotReady when the record cannot be kept, StaleAccess when the caller has to be checked again,
        StaleVersion when the version has to be found again, Outrun when its guard does not hold, and what `fill`
        raises.
        """
        with self._joining:
            group = self._open
            leads = group is None
            if group is None:
                group = self._open = _Group(self._signal())
            group.entries.append(entry)
        if leads:
            self._lead(group)
        else:
            group.done.wait()
        if not group.stored:
            raise NotReady(UNKEPT)
        if entry.error is not None:
            raise entry.error

    def close(self) -> None:
        """Give the connection back; the next entry takes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _lead(self, group: _Group) -> None:
        try:
            with self._turn:
                joined = 0
                while joined < len(group.entries):  # as long as a turn of the loop brings more
                    joined = len(group.entries)
                    time.sleep(0)
                self._shut(group)
                # One after the other: their code and data are at hand, in the processor's caches, from the first.
                for entry in group.entries:
                    _fill(entry)
                begun = time.perf_counter_ns()
                with self._lock():
                    rows = self._write([e for e in group.entries if e.error is None])
                group.stored = True
            self._committed(joined, rows, (time.perf_counter_ns() - begun) // 1000)
        finally:
            self._shut(group)
            group.done.set()

    def _shut(self, group: _Group) -> None:
        with self._joining:
            if self._open is group:
                self._open = None

    def _write(self, entries: list[Entry]) -> int:
        try:
            cursor = self._begin()
            # Keys in one order, or two workers' groups could wait for each other's.
            ordered = sorted(entries, key=lambda e: e.key[:2] if e.key else ())
            accepted = [e for e in ordered if self._admit(cursor, e)]
            written = self._store(cursor, accepted)
            self._connection.commit()
        except BaseException as error:  # a greenlet that is killed here must not leave half a group behind
            self._abandon(error)
            if isinstance(error, Exception):
                raise NotReady(UNKEPT) from error
            raise
        self._writer.next += written
        return written

    def _begin(self) -> Any:
        if self._connection is None:
            self._connection = self._engine.raw_connection()
            if self._sqlite:
                self._connection.cursor().execute("PRAGMA busy_timeout=0")
        cursor = self._connection.cursor()
        if self._sqlite:
            begin_writing(cursor)
        else:
            cursor.execute(HOLD_ACCESS)
        cursor.execute("SELECT topic, number FROM changes")
        numbers = dict(cursor.fetchall())
        self._watch.saw(numbers)
        self._access, self._registry = numbers[ACCESS], numbers[REGISTRY]
        return cursor

    def _admit(self, cursor: Any, entry: Entry) -> bool:
        if entry.access != self._access:
            entry.error = StaleAccess("Check this caller again.")
            return False
        if entry.registry is not None and entry.registry != self._registry:
            entry.error = StaleVersion("Find the version again.")
            return False
        if entry.guard is not None and not self._move(cursor, entry.guard):
            entry.error = Outrun("The work has been taken up by somebody else, or was ended.")
            return False
        if entry.key is None:
            return True
        cursor.execute(self._insert_key, entry.key)
        if cursor.rowcount == 1:
            return True
        cursor.execute(self._find_key, entry.key[:2])
        entry.replay = cursor.fetchone()
        if entry.replay is None:  # cleared away between the two statements
            entry.error = NotReady(UNKEPT)
        return False

    def _move(self, cursor: Any, guard: Guard) -> bool:
        sets = ", ".join(f"{name} = {self._mark}" for name in guard.sets)
        holds = " AND ".join(f"{name} = {self._mark}" for name in guard.holds)
        # Names of our own columns; the values are bound.
        statement = f"UPDATE {guard.table} SET {sets} WHERE {holds}"  # noqa: S608
        cursor.execute(statement, (*guard.sets.values(), *guard.holds.values()))
        return bool(cursor.rowcount == 1)

    def _store(self, cursor: Any, entries: list[Entry]) -> int:
        writer, seq = self._writer, self._writer.next
        rows: list[tuple[Any, ...]] = []
        leaves: list[tuple[Any, ...]] = []
        for entry in entries:
            rows.extend(entry.rows)
            for row, head in zip(entry.rows, entry.heads, strict=True):
                canonical, digest = writer.leaf(head, seq)
                leaves.append((row[0], "prediction", canonical, digest, writer.id, seq))
                seq += 1
        if rows:
            cursor.executemany(self._insert_rows, rows)
            cursor.executemany(self._insert_leaves, leaves)
        return len(rows)

    def _abandon(self, error: BaseException) -> None:
        # The connection's state, and whether a COMMIT that failed took effect, are unknown: start afresh.
        self._writer.renew()
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.rollback()
            with suppress(Exception):
                connection.invalidate()
        if disk_failed(error):
            self._panic()


def _fill(entry: Entry) -> None:
    fill, entry.fill = entry.fill, None
    if fill is not None:
        try:
            fill(entry)
        except Exception as error:  # noqa: BLE001 - it is told to the one whom it concerns
            entry.error = error


def _insert(table: str, columns: Sequence[str], mark: str) -> str:
    names, marks = ", ".join(columns), ", ".join([mark] * len(columns))
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - names of our own tables
