"""Tokens that are not ours, sessions that no longer hold, and the table of who may do what."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import ApiClient, password
from webapp import auth, doors
from webapp.auth import bearers
from webapp.db.users import ROLES
from webapp.errors import NotSignedIn
from webapp.services import users

Sign = Callable[[str], str]
NOW = int(time.time())


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def refused(token: str) -> bool:
    try:
        auth.bearer(token)
    except NotSignedIn:
        return True
    return False


class Forger:
    """Makes tokens that differ from a good one in one thing."""

    def __init__(self, app: Flask, good: str) -> None:
        self.good, self.key, self.claims = good, app.config["JWT_SECRET_KEY"], claims_of(good)

    def __call__(self, *, key: str = "", alg: str = "HS256", header: Any = None, **changes: Any) -> str:
        claims = {k: v for k, v in {**self.claims, **changes}.items() if v is not ...}
        parts = {"alg": alg, "typ": "JWT", **(header or {})}, claims
        signed = ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
        digest = hmac.digest((key or self.key).encode(), signed.encode(), f"sha{alg[2:]}")
        return f"{signed}.{b64(digest)}"

    def unsigned(self, **header: Any) -> str:
        return f"{b64(json.dumps(header).encode())}.{self.good.split('.')[1]}."


@pytest.fixture
def forge(app: Flask, token: Sign) -> Forger:
    return Forger(app, token("alice"))


def test_the_forger_can_make_a_good_token(forge: Forger) -> None:
    assert auth.bearer(forge()).username == "alice"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "none ", "", "HS256\0", None])
def test_a_token_without_signature_is_refused(forge: Forger, alg: str | None) -> None:
    for header in ({"alg": alg, "typ": "JWT"}, {"alg": alg}, {"typ": "JWT", "alg": alg}):
        bare = forge.unsigned(**header)
        assert refused(bare) and refused(bare[:-1])
        assert refused(bare + forge.good.split(".")[2])


@pytest.mark.parametrize("alg", ["HS384", "HS512"])
def test_a_token_of_another_algorithm_is_refused(forge: Forger, alg: str) -> None:
    assert refused(forge(alg=alg, key=forge.key * 2)) and refused(forge(alg=alg))


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "../../../../dev/null"},
        {"kid": "' UNION SELECT 'key"},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"crit": ["exp"]},
        {"b64": False, "crit": ["b64"]},
        {"typ": "at+jwt"},
        {"zip": "DEF"},
        {"cty": "JWT"},
    ],
)
def test_a_header_that_is_not_ours_is_refused(forge: Forger, header: dict[str, Any]) -> None:
    assert refused(forge(header=header))


@pytest.mark.parametrize("name", ["sub", "fam", "jti", "stamp", "exp", "iat", "type", "iss", "aud"])
def test_a_token_without_one_of_its_claims_is_refused(forge: Forger, name: str) -> None:
    assert refused(forge(**{name: ...})) and refused(forge(**{name: None}))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW - 1},
        {"exp": "soon"},
        {"exp": [NOW + 60]},
        {"nbf": NOW + 600},
        {"iat": NOW + 600},
        {"iss": "somebody"},
        {"iss": ["parecer"]},
        {"aud": "somebody"},
        {"aud": ["parecer-api", "other"]},
        {"type": "refresh"},
        {"type": "Access"},
        {"sub": "0"},
        {"sub": "1 OR 1=1"},
        {"sub": "-1"},
        {"sub": "9" * 30},
        {"stamp": 99},
        {"stamp": False},
        {"stamp": "0"},
        {"fam": ""},
        {"fam": "x" * 22},
        {"fam": {"$ne": None}},
        {"jti": 7},
    ],
    ids=",".join,
)
def test_a_token_with_a_wrong_claim_is_refused(forge: Forger, changes: dict[str, Any]) -> None:
    assert refused(forge(**changes))


@pytest.mark.parametrize("key", ["secret", "x" * 48, "SECRET_KEY"])
def test_a_token_of_another_key_is_refused(app: Flask, forge: Forger, key: str) -> None:
    assert refused(forge(key=app.config.get(key, key)))


def test_a_token_with_any_bit_changed_is_refused(forge: Forger) -> None:
    good = forge.good.encode()
    changed = (
        good[:i] + bytes([good[i] ^ 1 << bit]) + good[i + 1 :] for i in range(len(good)) for bit in range(8)
    )
    assert all(refused(token.decode("latin-1")) for token in changed)


def test_a_signature_cut_or_spelt_otherwise_is_refused(forge: Forger) -> None:
    head, body, signature = forge.good.split(".")
    for n in range(len(signature)):
        assert refused(f"{head}.{body}.{signature[:n]}")
    for other in (
        signature + "=",
        signature + "A",
        "!" + signature,
        signature[:9] + "!" + signature[9:],
        f"{signature}\n",
    ):
        assert refused(f"{head}.{body}.{other}")


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "é.é.é", "x" * 100_000, "[" * 4000, "\ud800", "a.b.c.d.e"]
)
def test_what_is_no_token_at_all_is_refused(app: Flask, token: str) -> None:
    assert refused(token)
    nested = b64(b'{"alg":"HS256","typ":"JWT"}') + "." + b64(b"[" * 1000) + "." + "A" * 43
    assert refused(nested)


def test_a_refresh_token_opens_nothing_and_an_access_token_renews_nothing(client: FlaskClient) -> None:
    body = {"username": "alice", "password": password("alice")}
    pair = client.post("/api/v1/login", json=body).json
    assert refused(pair["refresh_token"])
    shown = {"Authorization": f"Bearer {pair['access_token']}"}
    assert client.post("/api/v1/refresh", headers=shown).status_code == 401


def test_a_remembered_token_dies_with_its_time(app: Flask, forge: Forger) -> None:
    app.extensions["bearers"]["an old token"] = auth.bearer(forge.good), int(time.time()) + 1
    assert auth.bearer("an old token")
    app.extensions["bearers"]["an old token"] = auth.bearer(forge.good), int(time.time())
    assert refused("an old token")


def test_a_remembered_token_is_asked_about_again_after_a_change(app: Flask, forge: Forger) -> None:
    assert auth.bearer(forge.good) is auth.bearer(forge.good)
    users.disable("alice", None)
    doors.desk().watch.numbers(fresh=True)
    assert refused(forge.good)


def test_only_so_many_tokens_are_remembered(
    app: Flask, forge: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bearers, "REMEMBERED", 3)
    for n in range(8):
        auth.bearer(forge(jti=f"token-{n}"))
        assert 1 <= len(app.extensions["bearers"]) <= 3


def test_a_token_is_dead_everywhere_at_once(app: Flask, api: Callable[[str], ApiClient]) -> None:
    alice = api("alice")
    doors.desk().watch.numbers(fresh=True)
    doors.desk().watch._max_age = 3600  # what was seen last must not do here
    assert alice("GET", "/models")[0] == 200
    users.disable("alice", None)
    assert alice("GET", "/models")[0] == 401
    status, _ = alice("POST", "/models/iris/predict", {"inputs": {}})
    assert status in (401, 422)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic YWxpY2U6eA==", "Token x", "Bearer\tx", "bearer x y"]
)
def test_a_request_without_a_token_is_told_how_to_get_one(client: FlaskClient, header: str | None) -> None:
    answer = client.get("/api/v1/models", headers={"Authorization": header} if header is not None else {})
    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_api_never_takes_the_cookie(signed_in: Callable[[str], FlaskClient]) -> None:
    assert signed_in("dave").get("/api/v1/models").status_code == 401


def test_a_page_never_takes_a_token(client: FlaskClient, token: Sign) -> None:
    answer = client.get("/models", headers={"Authorization": f"Bearer {token('dave')}"})
    assert (answer.status_code, answer.location) == (302, "/login?next=/models")


def test_the_policy_names_the_roles_there_are() -> None:
    assert set(ROLES) == auth.SIGNED_IN
    assert all(allowed is auth.ANYONE or allowed <= auth.SIGNED_IN for allowed in auth.POLICY.values())


def test_the_policy_has_a_row_for_every_endpoint_and_no_other(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth.check_policy(app)
    monkeypatch.delitem(auth.POLICY, "api.predict")
    monkeypatch.setitem(auth.POLICY, "api.gone", auth.ANYONE)
    with pytest.raises(
        RuntimeError, match=r"without a row: \['api.predict'\].*without an endpoint: \['api.gone'\]"
    ):
        auth.check_policy(app)


def test_an_endpoint_without_a_row_is_closed_to_everybody(
    api: Callable[[str], ApiClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(auth.POLICY, "api.list_models")
    assert api("dave")("GET", "/models")[0] == 403


def test_what_is_not_there_is_not_found_by_anybody(client: FlaskClient) -> None:
    assert client.get("/api/v1/nothing").status_code == 404
    assert client.delete("/api/v1/models").status_code == 405


def test_an_auditor_predicts_nothing(api: Callable[[str], ApiClient]) -> None:
    assert api("carol")("POST", "/models/iris/predict", {"inputs": {}})[0] == 403


SAFE = [
    "/",
    "/predictions",
    "/predictions?user=bob&from=2026-01-01",
    "/models/iris/predict#top",
    "/a//b",
    "/%2F%2Fevil",
    "/a?next=//b",
]
STARTS = [
    "//",
    "///",
    "////",
    "/\\",
    "\\\\",
    "\\/",
    "/\t/",
    "/\n/",
    "/\r\n/",
    "\t//",
    " //",
    "/ /",
    "/\x00/",
    "/\x7f/",
]
STARTS += [
    "https://",
    "http:",
    "https:/",
    "HTTPS://",
    "ftp://",
    "javascript:",
    "data:text/html,",
    "@",
    "?next=//",
    "#//",
]
STARTS += ["", ".//", "..//", "／／", "/／", "/\u2028/", "\ufeff//", "/\ud800/"]
HOSTS = [
    "evil.example",
    "evil.example/a",
    "evil%2eexample",
    "u@evil.example",
    "[::1]",
    "127.0.0.1@evil.example",
    "évil.pt",
]
EVIL = [
    None,
    "",
    "/a\\b",
    "/a\r\nSet-Cookie: x=1",
    "/a b",
    "/é",
    *(start + host for start in STARTS for host in HOSTS),
]


@pytest.mark.parametrize("target", SAFE)
def test_a_path_on_this_host_is_followed_after_sign_in(target: str) -> None:
    assert auth.safe_next(target) == target


def test_nothing_leads_off_this_host() -> None:
    assert len(EVIL) > 200
    assert {target: auth.safe_next(target) for target in EVIL} == dict.fromkeys(EVIL, "/")
