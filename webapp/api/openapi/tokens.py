"""Signing in, in the OpenAPI document."""

from __future__ import annotations

from webapp.api.openapi.operations import Routes, answer, link, operation, request
from webapp.api.openapi.schemas import TEXT, body_of, maybe, object_of, ref
from webapp.services.registry import ModelDetail

TAG, ABOUT = "tokens", "Sign in, renew, sign out."
SCHEMAS = {
    "Tokens": object_of(
        {
            "access_token": {**TEXT, "description": "Sent with every other call, as bearer."},
            "refresh_token": {**TEXT, "description": "Good once, for the next pair."},
            "token_type": {"const": "Bearer"},
            "expires_in": {"type": "integer", "minimum": 1, "description": "Seconds."},
        }
    )
}
_OTP = {
    **maybe(TEXT),
    "description": "Code of the second factor, or a recovery code; where it is needed and left out, the answer is 401.",
}
_LOGIN = body_of({"username": TEXT, "password": {**TEXT, "format": "password"}}, {"otp": _OTP})
_RENEWAL = body_of({"refresh_token": {**TEXT, "description": "Here, where it is not sent as bearer."}})
_RENEW = link("refresh") | {"requestBody": {"refresh_token": "$response.body#/refresh_token"}}


def routes(_shown: ModelDetail | None) -> Routes:
    """Path → method → operation."""
    tokens = answer("A pair of tokens", ref("Tokens"), links={"refresh": _RENEW, "logout": link("logout")})
    return {
        "/login": {
            "post": operation(
                "login",
                "Exchange a password for tokens",
                body=request(_LOGIN, {"username": "maria", "password": "correct horse battery staple"}),
                answers={"200": tokens},
                errors=(401, 403),
                security=[],
            )
        },
        "/refresh": {
            "post": operation(
                "refresh",
                "Exchange a refresh token for new tokens",
                body=request(_RENEWAL, required=False),
                answers={"200": tokens},
                errors=(401,),
                security=[{"refresh": []}, {}],
            )
        },
        "/logout": {
            "post": operation(
                "logout", "Revoke this sign-in everywhere at once", answers={"204": answer("Signed out")}
            )
        },
    }
