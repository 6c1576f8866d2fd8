"""Domain objects in their public JSON form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from webapp.services.history import Record
from webapp.services.jobs import JobView
from webapp.services.lineage import Lineage
from webapp.services.outcomes import Reported
from webapp.services.pictures import in_words
from webapp.services.predictions import Made, Refused
from webapp.services.registry import ModelDetail, ModelInfo, VersionInfo
from webapp.services.releases import Release, Released, Standing
from webapp.services.reviews import Reviewed
from webapp.services.sealing import Sealed
from webapp.services.submissions import SubmissionView
from webapp.wording import unpack


def moment(us: int) -> datetime:
    """Microseconds UTC as a time, which JSON writes as RFC 3339."""
    return datetime.fromtimestamp(us / 1_000_000, UTC)


def prediction(made: Made | Refused) -> dict[str, Any]:
    """One answer, or what was wrong with its row."""
    if isinstance(made, Refused):
        return {"errors": [{"pointer": p.pointer, "detail": p.detail} for p in made.problems]}
    answer = {
        "id": made.id,
        "model": made.model,
        "version": made.version,
        "prediction": made.prediction,
        "label": made.label,
        "probabilities": made.probabilities,
        "warnings": made.warnings,
        "cached": made.cached,
        "latency_ms": made.latency_us / 1000,
        "created_at": moment(made.created_us),
    }
    if made.label is None:
        answer["unit"] = made.unit
    if made.ranking is not None:
        answer["ranking"] = made.ranking
    if made.threshold is not None:
        answer["threshold"] = made.threshold
    return answer


def model_line(info: ModelInfo) -> dict[str, Any]:
    """One line of the list of models."""
    return {
        "name": info.name,
        "title": info.title,
        "description": info.description,
        "task": info.task,
        "version": info.live,
        "versions": info.versions,
    }


def model(detail: ModelDetail) -> dict[str, Any]:
    """A model with its schema, card and metrics."""
    manifest = detail.manifest
    return {
        "name": detail.name,
        "title": detail.title,
        "description": detail.description,
        "task": detail.task,
        "version": detail.version,
        "schema": detail.schema.to_dict(),
        "json_schema": detail.schema.json_schema(),
        "card": manifest.get("card"),
        "metrics": manifest.get("metrics"),
        "engines": manifest.get("engines"),
        "warnings": manifest.get("warnings", []),
        "artifact_sha256": manifest["digest"],
        "created_at": moment(detail.created_us),
    }


def version_line(info: VersionInfo) -> dict[str, Any]:
    """One line of the list of versions."""
    return {
        "version": info.number,
        "live": info.live,
        "aliases": list(info.aliases),
        "artifact_sha256": info.digest,
        "created_at": moment(info.created_us),
    }


def standing(now: Standing) -> dict[str, Any]:
    """What the aliases of a model lead to, and what waits to be decided."""
    waiting = now.request and {
        "id": now.request.id,
        "version": now.request.version,
        "reason": now.request.reason,
        "user": now.request.by,
        "created_at": moment(now.request.at_us),
    }
    return {
        "model": now.model,
        "live": now.live,
        "aliases": now.aliases,
        "two_people": now.two_people,
        "request": waiting,
    }


def release(found: Release) -> dict[str, Any]:
    """A version that was live, from when until when, and by whose decision."""
    return {
        "version": found.version,
        "kind": found.kind,
        "from": moment(found.at_us),
        "to": None if found.until_us is None else moment(found.until_us),
        "instead_of": found.instead_of,
        "reason": found.reason,
        "user": found.by,
        "asked_by": found.asked_by,
        "artifact_sha256": found.artifact,
        "event": found.event,
    }


def released(made: Released) -> dict[str, Any]:
    """What a change of aliases came to; `request` where a second person has to approve."""
    return {
        "model": made.model,
        "alias": made.alias,
        "version": made.version,
        "request": made.waiting,
        "event": made.event,
    }


def lineage(found: Lineage) -> dict[str, Any]:
    """Where an answer comes from."""
    return {
        "id": found.record,
        "model": found.model,
        "version": found.version,
        "artifact_sha256": found.artifact,
        "schema_hash": found.schema,
        "manifest_sha256": found.manifest,
        **found.handed_in,
        "training_code": found.training_code,
        "software": found.software,
        "published_by": found.published_by,
        "published_at": moment(found.published_us),
        "release": found.release and release(found.release),
    }


def record(kept: Record) -> dict[str, Any]:
    """A record in full."""
    erasure = kept.erasure
    return {
        "id": kept.id,
        "model": kept.model,
        "version": kept.version,
        "prediction": kept.prediction,
        "label": kept.label,
        "probabilities": kept.probabilities,
        **({"threshold": kept.threshold} if kept.threshold else {}),
        "unit": kept.unit,
        "warnings": kept.warnings,
        "inputs": kept.inputs,
        "used": kept.used,
        "defaulted": kept.defaulted,
        "subject": kept.subject,
        "user": kept.user,
        "role": kept.role,
        "channel": kept.channel,
        "engine": kept.engine,
        "cached": kept.cached,
        "latency_ms": kept.latency_us / 1000,
        "timings_us": kept.timings,
        "request_id": kept.request_id,
        **kept.correlation,
        "artifact_sha256": kept.digest,
        "schema_hash": kept.schema_hash,
        "state": kept.state,
        "review": kept.review,
        "outcome": kept.outcome,
        "experiment": kept.experiment,
        "created_at": moment(kept.created_us),
        "finished_at": moment(kept.finished_us),
        **({} if kept.ranking is None else {"ranking": kept.ranking}),
        **({"erasure": {"at": moment(erasure.at_us), "basis": erasure.basis}} if erasure else {}),
    }


def record_line(kept: Record) -> dict[str, Any]:
    """A record of a list: in full, but for images, of which it says what they are."""
    return record(kept) | {"inputs": in_words(kept.inputs), "used": in_words(kept.used)}


def review(told: Reviewed) -> dict[str, Any]:
    """What somebody decided about a record."""
    return {
        "action": told.action,
        "decision": told.decision,
        "reason": told.reason,
        "user": told.user,
        "event": told.event,
        "created_at": moment(told.at_us),
    }


def outcome(told: Reported, of: Record) -> dict[str, Any]:
    """What turned out to be true of a record; of a ranking also the place of that item, or null."""
    rank = {} if of.ranking is None else {"rank": of.rank(told.actual)}
    return rank | {
        "actual": told.actual,
        "verdict": told.verdict,
        "source": told.source,
        "user": told.user,
        "event": told.event,
        "created_at": moment(told.at_us),
    }


def checkpoint(found: Sealed) -> dict[str, Any]:
    """The newest checkpoint."""
    return {
        "origin": found.origin,
        "size": found.size,
        "root": found.root.hex(),
        "at": moment(found.at_us),
        "note": found.note,
    }


def job(found: JobView) -> dict[str, Any]:
    """A batch: how far it is, and the first problems of its file."""
    findings = found.findings or {}
    first = [
        {"row": row, "line": line, "column": column, "detail": str(unpack(detail))}
        for row, line, column, detail in findings.get("first", ())
    ]
    return {
        "id": found.id,
        "model": found.model,
        "version": found.version,
        "state": found.state,
        "file": {"name": found.file_name, "bytes": found.file_bytes},
        "rows": found.n_rows,
        "bad_rows": found.bad_rows,
        "rows_done": found.rows_done,
        "rows_recorded": found.recorded,
        "rows_refused": found.rows_refused,
        "rows_per_second": found.rate,
        "seconds_left": found.seconds_left,
        "details": [str(d) for d in found.details],
        "problems": {"total": findings.get("total", 0), "first": first},
        "user": found.owner,
        "created_at": moment(found.created_us),
        "started_at": None if found.started_us is None else moment(found.started_us),
        "finished_at": None if found.finished_us is None else moment(found.finished_us),
    }


def submission(found: SubmissionView) -> dict[str, Any]:
    """A submission: how far it is, and what was found in its files."""
    return {
        "id": found.id,
        "model": found.model,
        "state": found.state,
        "stage": str(found.words),
        "progress": found.progress,
        "version": found.version,
        "live": found.live,
        "page": found.page,
        "errors": [{"pointer": p.pointer, "detail": str(p.detail)} for p in found.errors],
        "warnings": [str(text) for text in found.warnings],
        "engine": found.engine,
        "report": _report(found),
        "user": found.owner,
        "created_at": moment(found.created_us),
        "finished_at": None if found.finished_us is None else moment(found.finished_us),
    }


def _report(found: SubmissionView) -> dict[str, Any] | None:
    refused = [{"type": name, "advice": str(advice)} for name, advice in found.refused]
    return found.report and found.report | {"refused": refused}
