"""ETags on what is read, and no body for who has it already (RFC 9110 §13)."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode

from flask import Response, request

from webapp.api.blueprint import api
from webapp.headers import Data

#: Of the hash of a body, in bytes: no two bodies of one address will share so many.
LENGTH = 18


@api.after_request
def answer_conditionally(response: Response) -> Response:
    """Tag a JSON document that was read, by its bytes unless it has a tag; 304 where If-None-Match names the tag."""
    if request.method not in ("GET", "HEAD") or response.status_code != 200 or type(response) is not Data:
        return response
    tag, _ = response.get_etag()
    if tag is None:
        tag = urlsafe_b64encode(hashlib.sha256(response.get_data()).digest()[:LENGTH]).decode()
        response.set_etag(tag)
    if not request.if_none_match.contains_weak(tag):
        return response
    unchanged = Response(status=304, mimetype="application/json")
    unchanged.set_etag(tag)
    return unchanged
