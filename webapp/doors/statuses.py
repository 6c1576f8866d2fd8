"""How errors become answers: status, words and headers."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
from flask import Response, g
from werkzeug.exceptions import HTTPException

from webapp import errors
from webapp.doors.frame import desk
from webapp.errors import AppError, InvalidInput, Malformed, Problem, TooLarge
from webapp.wording import said


class Status(NamedTuple):
    """How an error is told over HTTP: status code, the last part of its type URI, its constant title."""

    code: int
    slug: str
    title: str


STATUS: dict[type[AppError], Status] = {
    errors.Malformed: Status(400, "malformed", said("The request cannot be read")),
    errors.NotSignedIn: Status(401, "not-signed-in", said("Sign-in needed")),
    errors.CodeNeeded: Status(401, "code-needed", said("A code is needed")),
    errors.NotAllowed: Status(403, "not-allowed", said("Not allowed")),
    errors.NotFound: Status(404, "not-found", said("Not found")),
    errors.Conflict: Status(409, "conflict", said("In conflict with the present state")),
    errors.KeyReused: Status(422, "key-reused", said("The key belongs to another request")),
    errors.Gone: Status(410, "gone", said("No longer there")),
    errors.Outdated: Status(412, "outdated", said("Changed in the meantime")),
    errors.TooLarge: Status(413, "too-large", said("Too large")),
    errors.UnsupportedMedia: Status(415, "unsupported-media", said("Media type not supported")),
    errors.InvalidInput: Status(422, "invalid-input", said("Some values cannot be used")),
    errors.BadArtifact: Status(422, "bad-artifact", said("The model file cannot be used")),
    errors.ModelFailed: Status(422, "model-failed", said("The model has no answer to these values")),
    errors.PreconditionNeeded: Status(428, "precondition-needed", said("A condition is needed")),
    errors.TooMany: Status(429, "too-many", said("Too many requests")),
    errors.NotReady: Status(503, "not-ready", said("Not ready")),
    errors.Overloaded: Status(503, "overloaded", said("Too much is asked at once")),
}
UNEXPECTED = Status(500, "unexpected", said("Something went wrong here"))
METHOD = Status(405, "method-not-allowed", said("Method not allowed"))
BY_CODE = {s.code: s for s in STATUS.values()} | {405: METHOD, 500: UNEXPECTED, 422: STATUS[InvalidInput]}


def status_of(error: Exception) -> Status:
    """The status an error is told with."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    if isinstance(error, HTTPException) and error.code:
        return BY_CODE.get(error.code) or Status(error.code, "about:blank", error.name)
    return UNEXPECTED


class Told(NamedTuple):
    """An error as a face shows it: what, why and what to do, and headers that go with it."""

    status: Status
    detail: str
    problems: list[Problem]
    headers: dict[str, str]


def tell(error: Exception) -> Told:
    """Put an error into words that are safe to show; anything unexpected says nothing but the request id."""
    status = status_of(error)
    headers: dict[str, str] = {}
    problems: list[Problem] = error.problems if isinstance(error, InvalidInput) else []
    if isinstance(error, AppError):
        detail = error.detail
        if isinstance(error, Malformed | TooLarge | errors.ModelFailed):
            problems = [Problem("#", detail)]
        if isinstance(error, errors.TooMany | errors.NotReady):
            headers["Retry-After"] = str(error.retry_after)
        if isinstance(error, errors.TooMany) and error.policy:
            headers["RateLimit-Policy"] = desk().quotas[error.policy].policy
            headers["RateLimit"] = f'"{error.policy}";r=0;t={error.retry_after}'
    elif isinstance(error, HTTPException):
        detail = _FIXED.get(status.code, status.title + ".")
        if allowed := getattr(error, "valid_methods", None):
            headers["Allow"] = ", ".join(sorted(allowed))
    else:
        detail = said(
            "The error is in our log under the request id. Look in the history before you send it again."
        )
    if status.code == 401:
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return Told(status, detail, problems, headers)


_FIXED = {
    400: said("The request cannot be understood; check its address, headers and body."),
    404: said("There is nothing at this address."),
    405: said("This address does not take that method; see the Allow header."),
    413: said("The body is larger than this server takes; send less at once."),
}


def problem_response(error: Exception) -> Response:
    """An error as RFC 9457 `application/problem+json`."""
    told = tell(error)
    slug = told.status.slug
    body: dict[str, Any] = {
        "type": slug if slug == "about:blank" else f"/api/v1/docs/errors#{slug}",
        "title": told.status.title,
        "status": told.status.code,
        "detail": told.detail,
        "instance": f"urn:parecer:request:{g.get('request_id', '')}",
    }
    if isinstance(error, errors.TooMany) and error.policy:
        body["violated-policies"] = [error.policy]
    if told.problems:
        body["errors"] = [{"pointer": p.pointer, "detail": p.detail} for p in told.problems]
    response = Response(orjson.dumps(body), told.status.code, mimetype="application/problem+json")
    response.headers.extend(told.headers)
    return response
