"""Which version answers: seen, changed, undone."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, request

from webapp.api import presenters
from webapp.api.blueprint import api
from webapp.api.strangers import strangers
from webapp.auth import actor
from webapp.doors import desk, json_body, json_response
from webapp.errors import InvalidInput, NotFound, Outdated, PreconditionNeeded, Problem
from webapp.services import releases
from webapp.services.clock import now_us
from webapp.services.filters import time_of
from webapp.services.releases import Released
from webapp.wording import said

MOST_BYTES, MOST_NAMED = 16_384, 20
_TAG = re.compile(r'"(0|[1-9][0-9]{0,9})"')


@api.get("/models/<name>/releases")
def list_releases(name: str) -> Response:
    """What answers and what was live when, newest first; the ETag is what changes are asked against."""
    now = releases.standing(name, actor=actor())
    past = releases.history(name, actor=actor())
    return _tagged(presenters.standing(now) | {"data": [presenters.release(r) for r in past]}, now.revision)


@api.get("/models/<name>/live")
def show_live(name: str) -> Response:
    """The version that answered at `?at=`; now, if left out."""
    text = request.args.get("at")
    at_us = now_us() if text is None else time_of(text, "#/at")
    for release in releases.history(name, actor=actor()):
        if release.at_us <= at_us:
            return json_response(presenters.release(release))
    raise NotFound(said("No version of {model} was live then.", model=name))


@api.post("/models/<name>/promote")
def promote(name: str) -> Response:
    """Make a version live, or ask a second person to."""
    body = _body("version", "reason")
    made = releases.promote(
        desk(), actor(), name, body["version"], reason=body["reason"], revision=revision(name)
    )
    return _released(made, 202 if made.waiting else 200)


@api.post("/models/<name>/rollback")
def roll_back(name: str) -> Response:
    """Make an earlier live version live again, the one before where none is named."""
    body = _body(version=None, reason="")
    made = releases.roll_back(
        desk(), actor(), name, body["version"], reason=body["reason"], revision=revision(name)
    )
    return _released(made)


@api.route("/models/<name>/aliases/<alias>", methods=["PUT", "DELETE"])
def change_alias(name: str, alias: str) -> Response:
    """Let an alias lead to a version, `candidate` to put it forward; or take it away."""
    who = actor()
    if request.method == "PUT":
        version = _body("version")["version"]
        return _released(releases.set_alias(desk(), who, name, alias, version, revision=revision(name)))
    answer = Response(status=204)
    answer.set_etag(str(releases.drop_alias(who, name, alias, revision=revision(name))))
    return answer


@api.post("/models/<name>/requests/<request_id>/<decision>")
def decide(name: str, request_id: str, decision: str) -> Response:
    """Approve or refuse what somebody else asked to promote, or withdraw what one asked oneself."""
    body, who, upon = _body(reason=""), actor(), revision(name)
    if decision == "approve":
        made = releases.approve(desk(), who, name, request_id, reason=body["reason"], revision=upon)
        return _released(made)
    if decision == "refuse":
        releases.refuse(who, name, request_id, reason=body["reason"], revision=upon)
    elif decision == "withdraw":
        releases.withdraw(who, name, request_id, revision=upon)
    else:
        raise NotFound(said("There is nothing at this address."))
    now = releases.standing(name, actor=who)
    return _tagged(presenters.standing(now), now.revision)


def _released(made: Released, status: int = 200) -> Response:
    return _tagged(presenters.released(made), made.revision, status)


def _tagged(body: dict[str, Any], revision: int, status: int = 200) -> Response:
    answer = json_response(body, status)
    answer.set_etag(str(revision))
    return answer


def revision(name: str) -> int | None:
    """What the caller decided upon, by the header If-Match; None for `*`. Raises PreconditionNeeded, Outdated."""
    told = request.headers.get("If-Match", "").strip()
    if not told:
        raise PreconditionNeeded(
            said(
                "Send If-Match with the ETag of GET {address}, so that nobody's change is undone unseen.",
                address=f"/api/v1/models/{name[:63]}/releases",
            )
        )
    if told == "*":
        return None
    match = _TAG.fullmatch(told)
    if match is None:  # a weak tag, a list, or none that we gave: nothing that it could match
        raise Outdated(said("The ETag in If-Match is not the one of now; look again, and decide anew."))
    return int(match[1])


def _body(*needed: str, **defaults: str | None) -> dict[str, Any]:
    """The members of the body, texts all of them; raises InvalidInput."""
    body = json_body(MOST_BYTES) if needed or request.content_length else {}
    known = [*needed, *defaults]
    problems = strangers(body, known, MOST_NAMED)
    problems += [Problem(f"#/{word}", "is required") for word in needed if word not in body]
    problems += [
        Problem(f"#/{word}", "must be a string")
        for word in known
        if word in body and not isinstance(body[word], str)
    ]
    if problems:
        raise InvalidInput(problems)
    return {**defaults, **body}
