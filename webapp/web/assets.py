"""Files that pages load: packed, at addresses that change with their contents, so that browsers keep them for good."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.util import find_spec
from mimetypes import guess_type
from pathlib import Path
from typing import NamedTuple

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as Answer

from webapp.errors import NotFound

FOREVER = "public, max-age=31536000, immutable"
OURS = Path(__file__).resolve().parents[2] / "static"
#: Files of others: the package they come with, and where they lie in it.
FROM_PACKAGES = {
    "plotly.min.js": ("plotly", "package_data/plotly.min.js"),
    "bootstrap.min.css": ("flask_bootstrap", "static/bootstrap5/css/bootstrap.min.css"),
}

blueprint = Blueprint("assets", __name__)


class File(NamedTuple):
    """What is sent; `stamp` is the beginning of the SHA-256 of `plain`."""

    stamp: str
    plain: bytes
    packed: bytes
    kind: str


@blueprint.get("/assets/<stamp>/<path:name>")
def send(stamp: str, name: str) -> Answer:
    """A file; an address of yesterday leads to that of today. Raises NotFound."""
    file = _file(name)
    if stamp != file.stamp:
        return redirect(address(name))
    packed = request.accept_encodings["gzip"] > 0 and len(file.packed) < len(file.plain)
    answer = Response(file.packed if packed else file.plain, mimetype=file.kind)
    answer.headers["Cache-Control"] = FOREVER
    answer.headers["Vary"] = "Accept-Encoding"
    if packed:
        answer.headers["Content-Encoding"] = "gzip"
    return answer


def address(name: str) -> str:
    """Where a page finds a file; raises NotFound."""
    return url_for("assets.send", stamp=stamp(name), name=name)


def stamp(name: str) -> str:
    """What an address changes with; raises NotFound."""
    return _file(name).stamp


@cache
def _file(name: str) -> File:
    plain = _path(name).read_bytes()
    kind = guess_type(name)[0] or "application/octet-stream"
    return File(hashlib.sha256(plain).hexdigest()[:12], plain, gzip.compress(plain, 6, mtime=0), kind)


def _path(name: str) -> Path:
    if name in FROM_PACKAGES:
        # Found without importing the package: Plotly would cost every worker its memory.
        package, inside = FROM_PACKAGES[name]
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            return Path(spec.origin).parent / inside
    path = OURS / name
    if name not in {p.relative_to(OURS).as_posix() for p in OURS.rglob("*.*")}:
        raise NotFound("There is nothing at this address.")
    return path


GLOBALS = {"asset": address}
