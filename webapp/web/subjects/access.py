"""What is kept about one subject: a look, a file for machines, and a print for people."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
from flask import Response, redirect, render_template, request, stream_with_context, url_for
from werkzeug.wrappers import Response as BaseResponse

from webapp.auth import actor
from webapp.doors import desk
from webapp.errors import InvalidInput
from webapp.services import erased, registry, subjects
from webapp.services.clock import now_us
from webapp.services.holds import Restriction
from webapp.services.subjects import Subject, Told
from webapp.web.exports import rfc3339
from webapp.web.subjects.blueprint import blueprint

#: On paper; a file has all.
MOST_PRINTED = 200
FORMAT = "parecer-subject-1"


@blueprint.get("/subjects")
def index() -> str | tuple[str, int]:
    """What there is about the subject of the address, exactly as it was given with the predictions."""
    name, found, problem = request.args.get("subject", ""), None, ""
    try:
        found = subjects.find(actor(), name) if name else None
    except InvalidInput as error:
        problem = error.problems[0].detail
    page = render_template(
        "subjects/index.html", name=name, found=found, problem=problem, erasures=erased.latest()
    )
    return (page, 422) if problem else page


@blueprint.get("/subjects.json")
def export() -> BaseResponse:
    """All about a subject, for machines."""
    name = request.args.get("subject", "")
    if not name:
        return redirect(url_for("subjects.index"))
    if request.method == "HEAD":
        subjects.find(actor(), name)
        return Response(mimetype="application/json")
    found, event, told = subjects.take(actor(), name, "json")
    answer = Response(stream_with_context(_file(found, event, told)), mimetype="application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="subject.json"'
    return answer


@blueprint.get("/subjects/print")
def print_all() -> BaseResponse | str:
    """The same for people, on paper."""
    name = request.args.get("subject", "")
    if not name:
        return redirect(url_for("subjects.index"))
    if request.method == "HEAD":
        subjects.find(actor(), name)
        return ""
    found, event, told = subjects.take(actor(), name, "print")
    records = list(islice(told, MOST_PRINTED))
    used = {(t.record.model, t.record.version) for t in records}
    return render_template(
        "subjects/print.html",
        found=found,
        told=records,
        models={of: _model(*of) for of in sorted(used)},
        event=event,
        printed_us=now_us(),
    )


def _file(found: Subject, event: str, told: Iterator[Told]) -> Iterator[bytes]:
    head = {
        "format": FORMAT,
        "subject": found.name,
        "made_at": rfc3339(now_us()),
        "made_by": actor().username,
        "event": event,
    }
    yield orjson.dumps(head)[:-1] + b',"records":['
    used: dict[tuple[str, str], None] = {}
    for n, one in enumerate(told):
        used[one.record.model, one.record.version] = None
        yield (b",\n" if n else b"\n") + orjson.dumps(_told(one))
    models = [{"name": name, "version": version, **_card(name, version)} for name, version in used]
    yield b'],\n"models":' + orjson.dumps(models) + b"}\n"


def _told(told: Told) -> dict[str, Any]:
    kept = told.record
    return {
        "id": kept.id,
        "asked_at": rfc3339(kept.created_us),
        "answered_at": rfc3339(kept.finished_us),
        "asked_by": kept.user,
        "role": kept.role,
        "channel": kept.channel,
        "model": kept.model,
        "version": kept.version,
        "artifact_sha256": kept.digest,
        "state": kept.state,
        "inputs": kept.inputs,
        "used": kept.used,
        "defaulted": kept.defaulted,
        "prediction": kept.prediction,
        "label": kept.label,
        "probabilities": kept.probabilities,
        **({} if kept.ranking is None else {"ranking": kept.ranking}),
        **({"threshold": kept.threshold} if kept.threshold else {}),
        "unit": kept.unit,
        "warnings": kept.warnings,
        "reviews": [
            {
                "at": rfc3339(r.at_us),
                "by": r.user,
                "action": r.action,
                "decision": r.decision,
                "reason": r.reason,
            }
            for r in told.reviews
        ],
        "outcomes": [
            {"at": rfc3339(o.at_us), "by": o.user, "actual": o.actual, "verdict": o.verdict}
            for o in told.outcomes
        ],
        "restrictions": [_restriction(r) for r in told.restrictions],
    }


def _restriction(one: Restriction) -> dict[str, Any]:
    times = {"from": one.at_us, "until": one.until_us, "lifted": one.lifted_us}
    return {
        **{word: None if us is None else rfc3339(us) for word, us in times.items()},
        "by": one.user,
        "reason": one.reason,
    }


def _card(name: str, version: str) -> dict[str, Any]:
    """What the model is for, in the words of its card: part of what somebody may ask to be told."""
    model = _model(name, version)
    if model is None:
        return {}
    return {"title": model.title, "description": model.description, "card": model.manifest.get("card")}


def _model(name: str, version: str) -> registry.ModelDetail | None:
    return registry.describe_sound(desk().store, name, version, actor=None)
