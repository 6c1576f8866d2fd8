"""The part of the OpenAPI document that tells of proofs and checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webapp.api.schemas import TEXT, object_of

MAYBE: dict[str, Any] = {"type": ["string", "null"]}
SIZE: dict[str, Any] = {"type": "integer", "minimum": 1}
KEYS = {"type": "array", "items": TEXT}


SCHEMAS = {
    "Proof": object_of(
        {
            "format": TEXT,
            "id": TEXT,
            "leaf": {**TEXT, "description": "Canonical bytes, as they were hashed."},
            "index": {"type": "integer", "minimum": 0},
            "path": {**TEXT, "description": "Hashes of 32 bytes, the leaf's sibling first; base64."},
            "checkpoint": {**TEXT, "description": "C2SP signed note."},
            "keys": KEYS,
        },
        {
            "inputs": MAYBE,
            "output": MAYBE,
            "salts": {**MAYBE, "description": "64 bytes, hexadecimal; null once erased."},
            "facts": MAYBE,
            "salt": MAYBE,
            "note": MAYBE,
            "note_salt": MAYBE,
        },
    ),
    "Consistency": object_of({"format": TEXT, "from": TEXT, "to": TEXT, "path": TEXT, "keys": KEYS}),
    "Checkpoint": object_of(
        {
            "origin": TEXT,
            "size": SIZE,
            "root": {**TEXT, "description": "Hexadecimal."},
            "at": {**TEXT, "format": "date-time"},
            "note": TEXT,
        }
    ),
}


def routes(
    operation: Callable[..., dict[str, Any]], ref: Callable[[str], dict[str, Any]], record_id: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Path → method → operation, put together with the document's own helpers."""
    size = {
        "name": "size",
        "in": "query",
        "schema": SIZE,
        "description": "Of the checkpoint to prove it against; the newest if left out.",
    }
    proof = {"parameters": [record_id, size], "answers": {"200": ref("Proof")}}
    sizes = [{"name": name, "in": "query", "required": True, "schema": SIZE} for name in ("from", "to")]
    return {
        "/predictions/{id}/proof": {
            "get": operation(
                "prove_prediction", "Proof that a record is sealed", errors=(401, 404, 409, 422), **proof
            )
        },
        "/events/{id}/proof": {
            "get": operation(
                "prove_event", "Proof that an event is sealed", errors=(401, 403, 404, 409, 422), **proof
            )
        },
        "/checkpoint": {
            "get": operation(
                "newest_checkpoint",
                "The newest checkpoint",
                answers={"200": ref("Checkpoint")},
                errors=(401, 404),
            )
        },
        "/checkpoint/consistency": {
            "get": operation(
                "prove_consistency",
                "Proof that one checkpoint goes on from another",
                parameters=sizes,
                answers={"200": ref("Consistency")},
                errors=(401, 404, 422),
            )
        },
    }
