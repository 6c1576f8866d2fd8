"""What left the desk on paper or as a file: an event each, kept before anything goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from webapp.db.base import transaction
from webapp.services import audit
from webapp.services.people import Actor


def export_begun(actor: Actor | None, format: str, words: Mapping[str, str], columns: Sequence[str]) -> str:
    """Note that `actor` takes the records of a filter, given in the words of its address; returns the event's id.

    `columns` is empty where all were asked for. Raises NotReady when it cannot be kept: then nothing may go out.
    """
    facts = {"format": format, "filter": dict(words), "columns": list(columns)}
    with transaction() as current:
        return audit.append(current, "export", actor.id if actor else None, facts)


def export_ended(actor: Actor, event_id: str, records: int, *, whole: bool) -> None:
    """Note how many records an export has handed out; `whole` is false for one that broke off."""
    facts = {"export": event_id, "records": records, "whole": whole}
    with transaction() as current:
        audit.append(current, "export-ended", actor.id, facts)


def report_printed(actor: Actor, words: Mapping[str, str], records: int) -> str:
    """Note that a report of so many records of a filter was opened for printing; returns the event's id."""
    facts = {"what": "report", "filter": dict(words), "records": records}
    with transaction() as current:
        return audit.append(current, "print", actor.id, facts)


def record_printed(actor: Actor, record_id: str) -> str:
    """Note that one record was opened for printing; returns the event's id."""
    with transaction() as current:
        return audit.append(current, "print", actor.id, {"what": "record", "record": record_id})
