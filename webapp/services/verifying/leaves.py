"""Whether rows are what their leaves commit to. A stretch of neighbouring leaves at a time."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from sqlalchemy import Connection, select

from webapp.db import Model, ModelVersion
from webapp.services.verifying.findings import Findings
from webapp.wording import said

_LEAF = ("seq", "record_id", "kind", "canonical", "hash", "writer", "writer_seq")
_COVERED = ("created_us", "finished_us", "request_id", "user_id", "role", "channel")
_MORE = (
    *("cached", "engine", "timings", "latency_us", "model_id", "version_id", "inputs", "output", "salts"),
    *("subject", "label", "value", "score", "warned", "experiment", "state", "erasure"),
)
#: Leaves of one stretch, at most.
MOST = 4096
_EVENT = ("id", "kind", "at_us", "user_id", "about_id", "facts", "salt")


#: Kinds that say what some row has to be now.
STATEFUL = frozenset(
    {
        "erasure",
        "restriction",
        "restriction-lifted",
        "publish",
        "promote",
        "rollback",
        "restore",
        "retention-changed",
        "review",
        "outcome",
    }
)

NOT_HASHED = said("the entry is not what its hash was made of")
NO_FORM = said("the entry has no form that was ever written")
GONE = said("the record is gone")
OTHER_ROW = said("the record is not what its entry says")
OTHER_MODEL = said("the model or version is not what its entry says")
OTHER_INPUTS = said("the inputs are not what was sealed")
OTHER_OUTPUT = said("the answer is not what was sealed")
OTHER_FACTS = said("the facts are not what was sealed")
OTHER_COLUMNS = said("what is searched for is not what inputs and answer say")
HALF_GONE = said("a part of what was sealed is gone")
NOT_TOLD = said("the contents are gone without an erasure on the record")
GAP = said("entries before this one were taken away")


@contextmanager
def leniently(driver: Any) -> Iterator[None]:
    """Inside, a text that is none any more is read all the same: what is left of it will agree with nothing."""
    file = driver.driver_connection
    if not hasattr(file, "text_factory"):  # PostgreSQL stores no such text
        yield
        return
    file.text_factory = lambda data: data.decode(errors="replace")
    try:
        yield
    finally:
        file.text_factory = str


class Reader:
    """Reads leaves with what they stand for, and holds the one against the other."""

    def __init__(self, connection: Connection, findings: Findings) -> None:
        self._findings = findings
        self._driver: Any = connection.connection
        self._sqlite = connection.dialect.name == "sqlite"
        mark, raw = ("?", "CAST({} AS BLOB)") if self._sqlite else ("%s", "convert_to({}, 'UTF8')")
        names = [f"l.{n}" for n in _LEAF] + [f"p.{n}" for n in (*_COVERED, *_MORE)]
        names = [raw.format(n) if n in ("l.canonical", "p.inputs", "p.output") else n for n in names]
        both = f"SELECT {', '.join(names)} FROM leaves l LEFT JOIN predictions p ON p.id = l.record_id"  # noqa: S608
        self._rows = f"{both} WHERE l.seq > {mark} AND l.seq <= {mark} ORDER BY l.seq LIMIT {mark}"
        self._one = f"{both} WHERE l.record_id = {mark}"
        self._mark = mark
        versions = connection.execute(
            select(
                ModelVersion.model_id,
                ModelVersion.id,
                Model.name,
                ModelVersion.number,
                ModelVersion.digest,
                ModelVersion.schema_hash,
            ).join(ModelVersion.model)
        )
        self._versions = {(v[0], v[1]): (v[2], str(v[3]), v[4], v[5]) for v in versions}
        #: The number that is due next, of each process that wrote predictions.
        self._due: dict[str, int] = {}
        self.hashed, self.hashing = 0, 0.0
        self.good: set[str] = set()

    def stretch(self, after: int, up_to: int, most: int = MOST) -> list[tuple[Any, ...]]:
        """The leaves whose `seq` is in that range, with the columns of their predictions."""
        return self._fetch(self._rows, (after, up_to, most))

    def one(self, record_id: str) -> tuple[Any, ...] | None:
        """The leaf of one record, whatever stands before and after it; None where there is none."""
        found = self._fetch(self._one, (record_id,))
        if not found:
            return None
        self._due[found[0][5]] = found[0][6]
        return found[0]

    def _fetch(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        cursor = self._driver.cursor()
        try:
            cursor.execute(statement, values)
            return list(cursor.fetchall())
        except UnicodeDecodeError:
            pass
        except Exception as error:
            if "UTF-8" not in str(error):
                raise
        finally:
            cursor.close()
        with leniently(self._driver):
            cursor = self._driver.driver_connection.cursor()
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def time_hashing(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Measure what hashing these alone takes."""
        texts = [bytes(row[3] or b"") for row in rows]
        begun = time.perf_counter()
        for text in texts:
            hashlib.sha256(b"\x00" + text).digest()
        self.hashing += time.perf_counter() - begun
        self.hashed += len(texts)

    def check(self, rows: Sequence[tuple[Any, ...]], index: Callable[[int], int | None]) -> list[bytes]:
        """Hold rows against their leaves; returns the hash of each leaf as it is now.

        `index` gives the place in the tree of a row by its place here.
        """
        found, sha, loads = self._findings, hashlib.sha256, orjson.loads
        events = self._events([row[1] for row in rows if row[2] != "prediction"])
        due, hashes = self._due, []
        for i, row in enumerate(rows):
            canonical = row[3] or b""
            digest = sha(b"\x00" + canonical).digest()
            hashes.append(digest)
            what = ""
            if digest != row[4]:
                what = NOT_HASHED
            else:
                try:
                    if row[2] == "prediction":
                        what = self._prediction(loads(canonical), row)
                        if row[6] != due.get(row[5], 0):
                            what = what or GAP
                        due[row[5]] = row[6] + 1
                        found.predictions += 1
                    else:
                        what = self._event(loads(canonical), row, events.get(row[1]))
                        found.events += 1
                        if not what and row[2] in STATEFUL:
                            self.good.add(row[1])
                except (ValueError, LookupError, TypeError, AttributeError):
                    what = NO_FORM
            if what:
                found.blame(index(i), row[1], what)
        return hashes

    def _prediction(self, leaf: dict[str, Any], row: tuple[Any, ...]) -> str:
        (_, record_id, _, _, _, writer, writer_seq, *covered) = row
        created, finished, request, user, role, channel, cached, engine, timings, latency = covered[:10]
        model_id, version_id, inputs, output, salts, *columns, state, erasure = covered[10:]
        if created is None:
            return GONE
        if (leaf["id"], leaf["writer"], leaf["writer_seq"]) != (record_id, writer, writer_seq):
            return OTHER_ROW
        if (
            leaf["created"] != created
            or leaf["finished"] != finished
            or leaf["request"] != request
            or leaf["user"] != user
            or leaf["role"] != role
            or leaf["channel"] != channel
            or latency != finished - created
        ):
            return OTHER_ROW
        if leaf["format"] != 1 and (
            leaf["cached"] != cached or leaf["engine"] != engine or leaf["timings"] != timings
        ):
            return OTHER_ROW
        if self._versions.get((model_id, version_id)) != (
            leaf["model"],
            leaf["version"],
            leaf["artifact"],
            leaf["schema"],
        ):
            return OTHER_MODEL
        if state == "erased":
            self._findings.erased += 1
            if erasure is None:
                return NOT_TOLD
            if any(part is not None for part in (inputs, output, salts, *columns[:4])):
                return HALF_GONE
            return ""
        if erasure is not None or state not in ("active", "restricted"):
            return OTHER_ROW
        if inputs is None or output is None or salts is None or len(salts) != 64:
            return NOT_TOLD
        if hmac.digest(salts[:32], inputs, "sha256").hex() != leaf["inputs"]:
            return OTHER_INPUTS
        if hmac.digest(salts[32:], output, "sha256").hex() != leaf["output"]:
            return OTHER_OUTPUT
        return "" if _columns_agree(inputs, output, columns) else OTHER_COLUMNS

    def _event(self, leaf: dict[str, Any], row: tuple[Any, ...], event: tuple[Any, ...] | None) -> str:
        if event is None:
            return GONE
        event_id, kind, at, user, about, facts, salt = event
        if (leaf["id"], leaf["kind"], row[2], leaf["at"], leaf["user"]) != (
            event_id,
            kind,
            kind,
            at,
            user or 0,
        ):
            return OTHER_ROW
        if (leaf["writer"], leaf["writer_seq"], 0) != (row[5], row[6], row[6]):
            return OTHER_ROW
        if leaf["format"] != 1 and leaf["about"] != (about or 0):
            return OTHER_ROW
        if facts is None and salt is None:
            return ""  # whether an erasure says so is asked for all of them at once
        if facts is None or salt is None:
            return HALF_GONE
        if hmac.digest(salt, facts.encode(), "sha256").hex() != leaf["facts"]:
            return OTHER_FACTS
        return ""

    def _events(self, ids: list[str]) -> dict[str, tuple[Any, ...]]:
        if not ids:
            return {}
        marks = ", ".join([self._mark] * len(ids))
        statement = f"SELECT {', '.join(_EVENT)} FROM events WHERE id IN ({marks})"  # noqa: S608
        return {row[0]: row for row in self._fetch(statement, ids)}


def _columns_agree(inputs: bytes, output: bytes, columns: Sequence[Any]) -> bool:
    """Whether subject, label, value, score, warned and experiment are those of inputs and output."""
    subject, label, value, score, warned, experiment = columns
    if (subject is not None or b'"subject"' in inputs) and orjson.loads(inputs).get("subject") != subject:
        return False
    told = orjson.loads(output)
    if told.get("experiment") != experiment:
        return False
    if told["label"] != label or len(told["warnings"]) != warned:
        return False
    if label is None:
        return bool(told["prediction"] == value) and score is None
    shares = told["probabilities"]
    kept = told["score"] if "ranking" in told else shares[label] if shares else None
    return value is None and score == kept
