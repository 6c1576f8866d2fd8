"""Files that pages load, at addresses that change with their contents."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Response, current_app, request, url_for

from webapp.errors import NotFound

FOREVER = "public, max-age=31536000, immutable"

blueprint = Blueprint("assets", __name__)


@blueprint.get("/assets/plotly-<number>.min.js")
def plotly(number: str) -> Response:
    """Plotly's own file out of its wheel, packed once in a process."""
    if number != version("plotly"):
        raise NotFound("This server has another version of Plotly; reload the page.")
    packed = "gzip" in request.accept_encodings.values()
    answer = Response(_plotly(packed=packed), mimetype="text/javascript")
    answer.headers["Cache-Control"] = FOREVER
    answer.headers["Vary"] = "Accept-Encoding"
    if packed:
        answer.headers["Content-Encoding"] = "gzip"
    return answer


def plotly_address() -> str:
    """Where a page finds Plotly."""
    return url_for("assets.plotly", number=version("plotly"))


def address(name: str) -> str:
    """Where a page finds a file of ours; the address changes when the file does."""
    return url_for("static", filename=name, v=_stamp(Path(current_app.static_folder or "") / name))


@cache
def _stamp(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


@cache
def _plotly(*, packed: bool) -> bytes:
    # Found without importing plotly, which would cost every worker its memory.
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise NotFound("Plotly is not installed.")
    text = (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes()
    return gzip.compress(text, 6, mtime=0) if packed else text


GLOBALS = {"asset": address, "plotly": plotly_address}
