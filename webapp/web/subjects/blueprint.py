"""The blueprint that these pages share, and what their addresses mean."""

from __future__ import annotations

from flask import Blueprint, request, url_for

from webapp.services.targets import Target

blueprint = Blueprint("subjects", __name__, url_prefix="/admin")


def target() -> Target | None:
    """What the address names: `record`, or `subject`; None where it names nothing."""
    record, subject = request.args.get("record", ""), request.args.get("subject", "")
    return Target.of([record] if record else (), subject or None) if record or subject else None


def back(wanted: Target) -> str:
    """Where one comes from to restrict or erase something."""
    if wanted.subject is not None:
        return url_for("subjects.index", subject=wanted.subject)
    return url_for("history.record", record_id=wanted.records[0])
