"""Evidence for programs: proofs and checkpoints."""

from __future__ import annotations

from flask import Response, request

from webapp.api import presenters
from webapp.api.blueprint import api
from webapp.auth import actor
from webapp.doors import desk, json_response
from webapp.errors import InvalidInput, NotFound, Problem
from webapp.services import sealing
from webapp.services.sealing import proofs
from webapp.wording import said

#: Digits of a size: what programs count in floating point is exact so far.
LONGEST = 15


@api.get("/predictions/<record_id>/proof")
def prove_prediction(record_id: str) -> Response:
    """That a record is in the sealed tree: its leaf, the path to the root, and a checkpoint."""
    return json_response(proofs.of_prediction(desk().seals, actor(), record_id, _maybe_size()))


@api.get("/events/<event_id>/proof")
def prove_event(event_id: str) -> Response:
    """The same of an event."""
    return json_response(proofs.of_event(desk().seals, actor(), event_id, _maybe_size()))


@api.get("/checkpoint")
def newest_checkpoint() -> Response:
    """The newest checkpoint, to be kept elsewhere."""
    found = sealing.newest()
    if found is None:
        raise NotFound(said("Nothing is sealed yet; try again in a moment."))
    return json_response(presenters.checkpoint(found))


@api.get("/checkpoint/consistency")
def prove_consistency() -> Response:
    """That the tree of one checkpoint, `to`, begins with the whole tree of another, `from`; both are sizes."""
    return json_response(proofs.consistency(desk().seals, _size("from"), _size("to")))


def _maybe_size() -> int | None:
    return _size("size") if "size" in request.args else None


def _size(name: str) -> int:
    text = request.args.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST):
        raise InvalidInput([Problem(f"#/{name}", "must be the size of a checkpoint: a whole number")])
    return int(text)
