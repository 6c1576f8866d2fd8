"""What an answer says of how its request was served."""

from __future__ import annotations

from flask import Response

from webapp.doors.frame import desk, here
from webapp.services.desk import Desk
from webapp.services.predictions import Ask


def about(desk: Desk, ask: Ask) -> list[tuple[str, str]]:
    """Headers of an answer: what is left of the quota, what each stage took, whether it was given before."""
    told = []
    if ask.left is not None:
        told += [
            ("RateLimit-Policy", desk.quota.policy),
            ("RateLimit", f'"account";r={ask.left.requests};t={ask.left.seconds}'),
        ]
    if ask.stages:
        stages = ", ".join([f"{stage};dur={us / 1000}" for stage, us in ask.stages.items()])
        told.append(("Server-Timing", stages))
    if ask.replayed:
        told.append(("Idempotency-Replayed", "true"))
    return told


def tell_about(response: Response) -> Response:
    """Add the headers of `about` where the request asked for predictions; registered as after_request."""
    ask = here()[1].get("ask")
    if ask is not None:
        response.headers.extend(about(desk(), ask))
    return response
