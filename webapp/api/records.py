"""The record, read back."""

from __future__ import annotations

from flask import Response, current_app, request, url_for

from webapp.api import presenters
from webapp.api.blueprint import api
from webapp.api.paging import MOST, page_of, whole
from webapp.auth import actor
from webapp.doors import desk, json_body, json_response
from webapp.errors import InvalidInput, Problem, pointer_token
from webapp.services import history, lineage, outcomes, reviews
from webapp.services.filters import WORDS, Filters

FARTHEST = 1_000_000
MOST_BYTES, MOST_NAMED = 16_384, 10
PAGING = ("limit", "offset", "cursor")


@api.get("/predictions")
def list_predictions() -> Response:
    """The record, newest first, by `limit` and either `offset` or `cursor`."""
    query = request.args
    limit = whole("limit", 20, 1, MOST)
    offset = whole("offset", 0, 0, FARTHEST)
    if offset and query.get("cursor"):
        raise InvalidInput([Problem("#/offset", "cannot be given together with a cursor; remove one")])
    page = history.search(
        actor(),
        Filters.read(query, besides=PAGING),
        limit=limit,
        offset=offset or None,
        cursor=query.get("cursor"),
        key=current_app.config["SECRET_KEY"],
    )
    lines = [presenters.record_line(r) for r in page.records]
    return page_of(lines, page.next_cursor, page.prev_cursor, (*WORDS, "limit"))


@api.get("/predictions/<record_id>")
def show_prediction(record_id: str) -> Response:
    """One record, with what was asked, what was answered and what became of it."""
    found = history.get(actor(), record_id)
    told = {
        "reviews": [presenters.review(r) for r in reviews.of(found.id)],
        "outcomes": [presenters.outcome(o, found) for o in outcomes.of(found.id)],
    }
    return json_response(presenters.record(found) | told)


@api.get("/predictions/<record_id>/lineage")
def show_lineage(record_id: str) -> Response:
    """Where an answer comes from: files, data and code of its version, and who let it answer."""
    return json_response(presenters.lineage(lineage.of(desk().store, actor(), record_id)))


@api.post("/predictions/<record_id>/outcome")
def report_outcome(record_id: str) -> Response:
    """What turned out to be true; a later report corrects an earlier one."""
    body = json_body(MOST_BYTES)
    problems = [Problem(f"#/{pointer_token(word)}", "is not a field of this request") for word in body]
    problems = [p for p in problems[:MOST_NAMED] if p.pointer != "#/actual"]
    if "actual" not in body:
        problems.append(Problem("#/actual", "is required: a class of the version, or a number"))
    if problems:
        raise InvalidInput(problems)
    told = outcomes.report(desk().store, actor(), record_id, body["actual"], "api")
    found = history.get(actor(), record_id)
    answer = json_response({"id": record_id, **presenters.outcome(told, found)}, 201)
    answer.headers["Location"] = url_for("api.show_prediction", record_id=record_id)
    return answer
