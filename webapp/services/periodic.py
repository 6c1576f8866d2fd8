"""What has to be done every so often, whoever asks or not; job workers do it."""

from __future__ import annotations

from collections.abc import Callable

from webapp.services import anchors, erasure, holds, predictions, retention, rollups, sealing, soundness
from webapp.services.desk import Desk
from webapp.services.jobs.reaping import reap
from webapp.services.submissions.reaping import reap as reap_submissions
from webapp.services.verifying import runs

Duty = Callable[[Desk], object]


def forget_keys(_desk: Desk) -> None:
    """Let go of old idempotency keys."""
    predictions.forget_keys()


def count_records(_desk: Desk) -> None:
    """Bring the buckets up to date that dashboards read; many records, some seconds at a time."""
    rollups.refresh(seconds=5.0)


def lift_restrictions(_desk: Desk) -> None:
    """End the restrictions whose time is over."""
    holds.expire()


def keep_no_longer(desk: Desk) -> None:
    """Erase what is older than the rule of retention says; many records, some seconds at a time."""
    retention.apply(desk, seconds=5.0)


def clean_files(_desk: Desk) -> None:
    """Empty SQLite's log after erasures, where a reader was in the way of it or retention has erased."""
    erasure.clean(1.0, only="sqlite")


def vacuum(_desk: Desk) -> None:
    """The same of PostgreSQL, whose tables take longer."""
    erasure.clean(1.0, only="postgresql")


def seal_record(desk: Desk) -> None:
    """Seal what has come to the record, if it is time to."""
    if sealing.due(desk.seals.every):
        sealing.seal_and_tell(desk.seals.keys)


def verify_asked(desk: Desk) -> None:
    """Verify the record where somebody has asked for it."""
    runs.work(desk.seals.keys)


def send_checkpoints(desk: Desk) -> None:
    """Send the newest checkpoint wherever it is time to."""
    anchors.send_due(desk.anchors)


def look_at_files(desk: Desk) -> None:
    """Look whether the versions that answer are stored as they were published."""
    soundness.look(desk.store)


def apart(desk: Desk) -> list[list[tuple[float, Duty]]]:
    """What may not wait until something else has ended, each in a thread of its own; as PERIODIC."""
    return [
        [(min(desk.seals.every, 0.25), seal_record)],
        [(1.0, verify_asked)],
        [(60.0, send_checkpoints)],
        [(300.0, look_at_files)],
        [(30.0, lift_restrictions), (60.0, keep_no_longer), (60.0, clean_files), (600.0, vacuum)],
    ]


#: (seconds, duty): each worker does it at its start, and again that long after it has ended. Several workers may do
#: the same thing at once, and a duty that raises is tried again next time.
PERIODIC: list[tuple[float, Duty]] = [
    (1.0, reap),
    (1.0, reap_submissions),
    (2.0, count_records),
    (3600.0, forget_keys),
]
