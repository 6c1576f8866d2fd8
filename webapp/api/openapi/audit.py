"""Proofs and checkpoints in the OpenAPI document."""

from __future__ import annotations

from webapp.api.openapi.operations import ID, Routes, answer, in_query, link, operation
from webapp.api.openapi.schemas import COUNT, MOMENT, SHA256, TEXT, Schema, list_of, maybe, object_of, ref
from webapp.services.registry import ModelDetail

TAG, ABOUT = "audit", "Evidence that the record was not changed."
SIZE: Schema = {"type": "integer", "minimum": 1, "maximum": 10**15 - 1}
SCHEMAS = {
    "Proof": object_of(
        {
            "format": TEXT,
            "id": TEXT,
            "leaf": {**TEXT, "description": "Canonical bytes, as they were hashed."},
            "index": COUNT,
            "path": {**TEXT, "description": "Hashes of 32 bytes, the leaf's sibling first; base64."},
            "checkpoint": {**TEXT, "description": "C2SP signed note."},
            "keys": list_of(TEXT),
        },
        {
            "inputs": maybe(TEXT),
            "output": maybe(TEXT),
            "salts": {**maybe(TEXT), "description": "64 bytes, hexadecimal; null once erased."},
            "facts": maybe(TEXT),
            "salt": maybe(TEXT),
            "note": maybe(TEXT),
            "note_salt": maybe(TEXT),
        },
    ),
    "Consistency": object_of({"format": TEXT, "from": TEXT, "to": TEXT, "path": TEXT, "keys": list_of(TEXT)}),
    "Checkpoint": object_of(
        {
            "origin": TEXT,
            "size": {"type": "integer", "minimum": 1},
            "root": {**SHA256, "description": "Hexadecimal."},
            "at": MOMENT,
            "note": {**TEXT, "description": "C2SP signed note."},
        }
    ),
}


def routes(_shown: ModelDetail | None) -> Routes:
    """Path → method → operation."""
    size = in_query(
        "size", SIZE, description="Of the checkpoint to prove it against; the newest if left out."
    )
    proof = {"200": answer("The proof", ref("Proof"))}
    from_newest = link(
        "prove_consistency", **{"query.from": "$response.body#/size", "query.to": "$response.body#/size"}
    )
    return {
        "/predictions/{id}/proof": {
            "get": operation(
                "prove_prediction",
                "Proof that a record is sealed",
                parameters=[ID, size],
                answers=proof,
                errors=(404, 409, 422),
            )
        },
        "/events/{id}/proof": {
            "get": operation(
                "prove_event",
                "Proof that an event is sealed",
                parameters=[ID, size],
                answers=proof,
                errors=(403, 404, 409, 422),
            )
        },
        "/checkpoint": {
            "get": operation(
                "newest_checkpoint",
                "The newest checkpoint",
                answers={
                    "200": answer(
                        "The checkpoint", ref("Checkpoint"), links={"prove_consistency": from_newest}
                    )
                },
                errors=(404,),
            )
        },
        "/checkpoint/consistency": {
            "get": operation(
                "prove_consistency",
                "Proof that one checkpoint goes on from another",
                parameters=[in_query(name, SIZE, required=True) for name in ("from", "to")],
                answers={"200": answer("The proof", ref("Consistency"))},
                errors=(404, 422),
            )
        },
    }
