"""Predict, and read what was predicted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson
from flask import Response, url_for
from werkzeug.http import parse_dict_header

from webapp.api import presenters
from webapp.api.blueprint import api
from webapp.api.strangers import strangers
from webapp.doors import desk, here, idempotency_key, json_body, json_bytes, json_response, problem_response
from webapp.errors import InvalidInput, Problem, pointer_token
from webapp.lane import Shortcut
from webapp.services import predictions
from webapp.services.jobs import JobView, sending
from webapp.services.predictions import Ask, Made, Refused

FIELDS = frozenset({"inputs", "instances", "version", "alias", "subject", "on_error", "explain"})
MOST_NAMED = 10


@api.post("/predict")
def predict_default() -> Response:
    """Predict with the default model."""
    return predict(desk().default_model)


@api.post("/models/<name>/predict")
def predict(name: str) -> Response:
    """One prediction for `inputs`, or a list of them for `instances`."""
    asked, frame = here()
    if asked.args:
        told = "is not read in the address; put it into the body"
        raise InvalidInput(
            [Problem(f"#/{pointer_token(word)}", told) for word in list(asked.args)[:MOST_NAMED]]
        )
    ask = frame.ask = _read(name, json_body(), asked.environ.get("HTTP_IDEMPOTENCY_KEY"), frame)
    if ask.many and "HTTP_PREFER" in asked.environ and _prefers_async(asked.environ["HTTP_PREFER"]):
        return _taken_up(sending.send(desk(), frame.actor, ask))
    made = predictions.make(desk(), frame.actor, ask)
    if ask.many:
        return json_response({"predictions": [presenters.prediction(m) for m in made]})
    return json_response(presenters.prediction(made[0]))


def _prefers_async(header: str) -> bool:
    """Whether the header Prefer asks not to wait (RFC 7240)."""
    return any(
        word.partition(";")[0].strip().lower() == "respond-async" for word in parse_dict_header(header)
    )


def _taken_up(job: JobView) -> Response:
    answer = json_response(presenters.job(job), 202)
    answer.headers["Location"] = url_for("api.show_job", job_id=job.id)
    answer.headers["Preference-Applied"] = "respond-async"
    answer.headers["Vary"] = "Prefer"
    return answer


def _only_row(name: str, data: bytes, _environ: object, request_id: str, started_ns: int) -> Ask | None:
    """What a body asks that holds one row and nothing else; None where there is more to say about it."""
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if type(body) is not dict or len(body) != 1:
        return None
    row = body.get("inputs")
    # As many colons as members: no name stands twice, and no value is an object (see doors.json_body).
    if type(row) is not dict or len(row) + 1 != data.count(b":"):
        return None
    if any(type(value) is list for value in row.values()):
        return None
    return Ask(name, [row], "api", request_id, started_ns)


def _write(_ask: Ask, made: Sequence[Made | Refused]) -> bytes:
    return json_bytes(presenters.prediction(made[0]))


SHORTCUT = Shortcut(
    "api.predict",
    "/api/v1/models/",
    "/predict",
    frozenset({"application/json"}),
    frozenset({"HTTP_PREFER"}),
    _only_row,
    _write,
    problem_response,
)


def _read(name: str, body: dict[str, Any], key: str | None, frame: Any) -> Ask:
    many = "instances" in body
    ask = Ask(
        model=name,
        rows=body["instances"] if many else [body.get("inputs")],
        channel="api",
        request_id=frame.request_id,
        started_ns=frame.started_ns,
        many=many,
        correlation=frame.correlation,
    )
    if len(body) > 1 or key is not None or many or "inputs" not in body:
        _read_options(ask, body, key)
    return ask


def _read_options(ask: Ask, body: dict[str, Any], key: str | None) -> None:
    problems = strangers(body, FIELDS, MOST_NAMED)
    if ask.many == ("inputs" in body):
        problems.append(Problem("#", 'needs either "inputs" (one row) or "instances" (a list of rows)'))
    if not isinstance(ask.rows, list):
        problems.append(Problem("#/instances", "must be a list of rows"))
    for field in ("version", "alias", "subject"):
        if not isinstance(body.get(field), str | None):
            problems.append(Problem(f"#/{field}", "must be a string"))
    if body.get("version") is not None and body.get("alias") is not None:
        problems.append(Problem("#/alias", "cannot be given together with a version; remove one"))
    if body.get("on_error", "all") not in ("all", "row"):
        problems.append(Problem("#/on_error", 'must be "all" or "row"'))
    if body.get("explain", False) is not False:
        problems.append(Problem("#/explain", "explanations are not available from this server; remove it"))
    if key is not None:
        try:
            ask.idempotency_key = idempotency_key(key)
        except InvalidInput as error:
            problems += error.problems
        ask.fingerprint = fingerprint(ask.model, body)
    if problems:
        raise InvalidInput(problems)
    ask.version, ask.alias, ask.subject = body.get("version"), body.get("alias"), body.get("subject")
    ask.on_error = body.get("on_error", "all")


def fingerprint(*asked: Any) -> str:
    """SHA-256 of what is asked, the same however its members are in order."""
    canonical = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()
