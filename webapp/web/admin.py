"""People: who may sign in, and as what."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webapp.auth import SIGNED_IN, actor
from webapp.errors import Conflict, InvalidInput, NotFound
from webapp.services import passwords
from webapp.services import users as people

blueprint = Blueprint("admin", __name__, url_prefix="/admin")


@blueprint.get("/users")
def users() -> str:
    """Every account, and the form that makes one."""
    return _page()


@blueprint.post("/users")
def create_user() -> str | tuple[str, int]:
    """Make an account with a one-time password, which this page shows and nothing keeps."""
    name, role, password = (
        request.form.get("username", ""),
        request.form.get("role", ""),
        passwords.one_time(),
    )
    try:
        made = people.create(name.strip(), role, password, actor=actor(), must_change=True)
    except InvalidInput as error:
        return _page({p.pointer.removeprefix("#/"): p.detail for p in error.problems}), 422
    except Conflict as error:
        return _page({"username": error.detail}), 409
    return _page(handed=(made.username, password))


@blueprint.route("/users/<name>/<act>", methods=["GET", "POST"])
def change_user(name: str, act: str) -> Response | str | tuple[str, int]:
    """Disable, enable or give another role to an account, or reset its password; only looked at, this is People."""
    if request.method != "POST":
        return redirect(url_for("admin.users"))
    if act == "reset":
        return _page(handed=(name, people.reset_password(name, actor())))
    try:
        flash(f"{name} {_change(name, act)}.")
    except Conflict as error:
        return _page(refused=error.detail), 409
    return redirect(url_for("admin.users"))


def _change(name: str, act: str) -> str:
    """Do it; returns what is so afterwards."""
    if act == "disable":
        people.disable(name, actor())
        return "is disabled: signed out everywhere, and cannot sign in"
    if act == "enable":
        people.enable(name, actor())
        return "may sign in again"
    if act == "role":
        role = request.form.get("role", "")
        people.set_role(name, role, actor())
        return f"has the role {role} now"
    raise NotFound("There is nothing at this address.")


def _page(
    problems: dict[str, str] | None = None, handed: tuple[str, str] | None = None, refused: str = ""
) -> str:
    return render_template(
        "admin/users.html",
        people=people.list_all(actor()),
        roles=sorted(SIGNED_IN),
        problems=problems or {},
        handed=handed,
        refused=refused,
        typed=request.form if problems else {},
    )
