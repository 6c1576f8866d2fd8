"""What the HTTP faces share: the frame of a request, reading bodies, and how errors become answers."""

from webapp.doors.bodies import (
    DEEPEST,
    json_body,
    json_bytes,
    json_response,
    raw_body,
    too_large,
    whole_object,
)
from webapp.doors.correlation import client_request_id, correlation
from webapp.doors.frame import MOST_FROM_ANYBODY, Door, desk, here
from webapp.doors.idempotency import idempotency_key
from webapp.doors.manners import about, tell_about
from webapp.doors.statuses import (
    METHOD,
    STATUS,
    UNEXPECTED,
    Status,
    Told,
    problem_response,
    status_of,
    tell,
)
from webapp.doors.uploads import Asked, expect_upload, forget_spooled, spooled, spooled_parts
from webapp.headers import Data

__all__ = [
    "DEEPEST",
    "METHOD",
    "MOST_FROM_ANYBODY",
    "STATUS",
    "UNEXPECTED",
    "Asked",
    "Data",
    "Door",
    "Status",
    "Told",
    "about",
    "client_request_id",
    "correlation",
    "desk",
    "expect_upload",
    "forget_spooled",
    "here",
    "idempotency_key",
    "json_body",
    "json_bytes",
    "json_response",
    "problem_response",
    "raw_body",
    "spooled",
    "spooled_parts",
    "status_of",
    "tell",
    "tell_about",
    "too_large",
    "whole_object",
]
