"""The record as evidence: what is sealed, proofs to take away, verifications."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import segno
from flask import Blueprint, Response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as Answer

from webapp.auth import actor
from webapp.doors import desk, json_bytes
from webapp.errors import Conflict, InvalidInput, NotFound, Problem
from webapp.services import anchors, sealing
from webapp.services.clock import now_us
from webapp.services.filters import time_of
from webapp.services.releases import live_at
from webapp.services.sealing import Sealed, proofs
from webapp.services.verifying import claims, runs
from webapp.wording import said

blueprint = Blueprint("evidence", __name__)
#: Checkpoints listed on the page.
LISTED = 10
LONGEST = 18
#: A time as fields for times give it: here it is that of UTC.
VERIFIER = Path(__file__).resolve().parent.parent.parent / "tools" / "verify_record.py"


class Seal(NamedTuple):
    """The newest checkpoint as paper shows it; `groups` is its root, `keys` the ids of those who signed it."""

    origin: str
    size: int
    groups: str
    at_us: int
    note: str

    @property
    def picture(self) -> Markup:
        """Its text as a QR code."""
        return _picture(self.note)


@lru_cache(8)
def _picture(note: str) -> Markup:
    code = segno.make(note, error="l", micro=False)
    return Markup(code.svg_inline(scale=2, border=2, omitsize=True, svgclass="qr", lineclass=None))  # noqa: S704


def seal() -> Seal | None:
    """The newest checkpoint; None while there is none, or where it is not what was signed: no paper is to carry it."""
    found = sealing.newest()
    return None if found is None or not sealing.as_signed(found) else _seal(found)


def _seal(found: Sealed) -> Seal:
    return Seal(found.origin, found.size, claims.groups(found.root), found.at_us, found.note)


@blueprint.get("/audit")
def index() -> str:
    """What is sealed, who verified it, and where its checkpoints go."""
    return _page()


def _page(problems: dict[str, str] | None = None, refused: str = "") -> str:
    return render_template(
        "evidence/index.html",
        seal=seal(),
        log=sealing.log(),
        waiting=sealing.waiting(),
        every=desk().seals.every,
        keys=desk().seals.keys.known(),
        recent=[_seal(found) for found in sealing.recent(LISTED) if sealing.as_signed(found)],
        runs=runs.latest(actor()),
        anchors=anchors.state(desk().anchors),
        problems=problems or {},
        refused=refused,
        typed=request.form,
    )


@blueprint.route("/audit/verifications", methods=["GET", "POST"])
def verify() -> Answer | tuple[str, int]:
    """Have everything verified."""
    if request.method == "POST":
        try:
            number = runs.ask(actor(), request.form.get("checkpoint", ""))
        except InvalidInput as error:
            return _page({p.pointer.removeprefix("#/"): p.detail for p in error.problems}), 422
        except Conflict as error:
            return _page(refused=error.detail), 409
        return redirect(url_for("evidence.run", number=number))
    return redirect(url_for("evidence.index", _anchor="verify"))


@blueprint.get("/audit/verifications/<number>")
def run(number: str) -> str:
    """One verification: how far it is, and what it found."""
    return render_template("evidence/run.html", run=runs.get(actor(), _whole(number)), seal=seal())


@blueprint.get("/audit/verifications/<number>/state")
def state(number: str) -> str:
    """The part of its page that changes while it is under way."""
    return render_template("evidence/_run.html", run=runs.get(actor(), _whole(number)), seal=seal())


@blueprint.post("/audit/verifications/<number>/cancel")
def cancel(number: str) -> Answer:
    """End it."""
    runs.cancel(actor(), _whole(number))
    return redirect(url_for("evidence.run", number=number))


@blueprint.get("/audit/checkpoint.txt")
def checkpoint() -> Response:
    """A checkpoint to keep elsewhere: the newest, or that of `?size=`."""
    found = sealing.at_size(_size("size")) if "size" in request.args else sealing.newest()
    if found is None:
        raise NotFound(said("There is no such checkpoint."))
    return _file(found.note.encode(), f"checkpoint-{found.size}.txt", "text/plain; charset=utf-8")


@blueprint.get("/audit/consistency.json")
def consistency() -> Response | tuple[str, int]:
    """That one checkpoint goes on from another; without `?to=`, the newest one."""
    newest = sealing.newest()
    try:
        first, second = _size("from"), _size("to") if request.args.get("to") else newest.size if newest else 0
        proof = proofs.consistency(desk().seals, first, second)
    except (InvalidInput, NotFound) as error:
        if not actor().sees_all:  # who has no such page to fill in
            raise
        return _page(refused=error.detail), 404 if isinstance(error, NotFound) else 422
    return _json(proof, f"consistency-{first}-{second}.json")


@blueprint.get("/audit/keys.txt")
def keys() -> Response:
    """The public keys so far."""
    text = "".join(f"{key.text()}\n" for key in desk().seals.keys.known())
    return _file(text.encode(), "keys.txt", "text/plain; charset=utf-8")


@blueprint.get("/audit/verify_record.py")
def verifier() -> Response:
    """The program that verifies without this server."""
    return _file(VERIFIER.read_bytes(), VERIFIER.name, "text/x-python; charset=utf-8")


@blueprint.get("/audit/live")
def live() -> str | tuple[str, int]:
    """Which version of each model answered at a time, and the entry that says so."""
    problems: dict[str, str] = {}
    at_us = now_us()
    if text := request.args.get("at", "").strip():
        try:
            at_us = time_of(text, "#/at")
        except InvalidInput as error:
            problems = {"at": error.problems[0].detail}
    lines = [] if problems else live_at(actor(), at_us)
    page = render_template("evidence/live.html", at_us=at_us, lines=lines, problems=problems, seal=seal())
    return (page, 422) if problems else page


@blueprint.get("/predictions/<record_id>/proof.json")
def record_proof(record_id: str) -> Response:
    """The proof of a record, to take away: against the newest checkpoint, or that of `?size=`."""
    size = _size("size") if request.args.get("size") else None
    return _json(proofs.of_prediction(desk().seals, actor(), record_id, size), f"{record_id}.proof.json")


@blueprint.get("/admin/activity/<event_id>/proof.json")
def event_proof(event_id: str) -> Response:
    """The same of an event."""
    size = _size("size") if request.args.get("size") else None
    return _json(proofs.of_event(desk().seals, actor(), event_id, size), f"{event_id}.proof.json")


def _whole(text: str) -> int:
    """A number in the address; 0, which none has, where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST else 0


def _size(name: str) -> int:
    text = request.args.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST):
        raise InvalidInput([Problem(f"#/{name}", said("must be the size of a checkpoint"))])
    return int(text)


def _json(value: dict[str, Any], name: str) -> Response:
    return _file(json_bytes(value), name, "application/json")


def _file(data: bytes, name: str, kind: str) -> Response:
    answer = Response(data, mimetype=kind.split(";")[0], content_type=kind)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


GLOBALS = {"seal_now": seal}
