"""Sign in, renew and sign out, for programs."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, request

from webapp import auth
from webapp.api.blueprint import api
from webapp.doors import MOST_FROM_ANYBODY, json_body, json_response
from webapp.errors import InvalidInput, Problem
from webapp.services import tokens
from webapp.services.tokens import Grant


@api.post("/login")
def login() -> Response:
    """Username and password, and a code where there is a second factor, for an access and a refresh token."""
    body = json_body(MOST_FROM_ANYBODY)
    username, password, *code = _strings(body, "username", "password", optional=("otp",))
    lifetime = int(current_app.config["JWT_REFRESH_TOKEN_EXPIRES"].total_seconds())
    grant = tokens.sign_in_program(
        username,
        password,
        lifetime,
        auth.address(),
        agent=auth.agent(),
        code=code[0] if code else None,
        key=auth.factor_key(),
    )
    return _answer(grant)


@api.post("/refresh")
def refresh() -> Response:
    """A refresh token, in the header or as `refresh_token`, for a new pair; each is good once."""
    shown = (
        auth.shown_token()
        if "Authorization" in request.headers
        else _strings(json_body(MOST_FROM_ANYBODY), "refresh_token")[0]
    )
    claims = auth.read_token(shown, "refresh")
    return _answer(tokens.rotate(claims["fam"], int(claims["sub"]), claims["stamp"], claims["jti"]))


@api.post("/logout")
def logout() -> Response:
    """End this sign-in: its access and refresh tokens are dead on every worker from now on."""
    tokens.revoke(auth.actor())
    return Response(status=204)


def _answer(grant: Grant) -> Response:
    access, renewal, seconds = auth.make_tokens(grant)
    return json_response(
        {"access_token": access, "refresh_token": renewal, "token_type": "Bearer", "expires_in": seconds}
    )


def _strings(body: dict[str, Any], *names: str, optional: tuple[str, ...] = ()) -> list[str]:
    allowed, given = [*names, *optional], [*names, *(n for n in optional if body.get(n) is not None)]
    problems = [Problem(f"#/{n}", "must be a string") for n in given if not isinstance(body.get(n), str)]
    if body.keys() - {*allowed}:
        problems.append(Problem("#", f"may hold {' and '.join(allowed)}; remove everything else"))
    if problems:
        raise InvalidInput(problems)
    return [body[name] for name in given]
