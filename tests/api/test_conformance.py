"""Every answer of the API, whoever asks and whatever is sent, keeps the conventions that its reference names."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from tests.api.test_jobs import ROWS
from tests.conftest import CAST, ApiClient
from webapp.api import deprecations
from webapp.errors import NotReady
from webapp.services import sealing
from webapp.services.quota import Quota

Api = Callable[[str], ApiClient]
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW")
ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
JSON = "application/json"
FEW = ("alice", "dave", "nobody")
#: What goes wrong with a request, beyond its being empty.
VARIANTS: tuple[dict[str, Any], ...] = (
    {"data": b"", "content_type": JSON},
    {"data": b"{", "content_type": JSON},
    {"data": b"[]", "content_type": JSON},
    {"data": b"{}", "content_type": JSON},
    {"data": b'{"a":1,"a":2}', "content_type": JSON},
    {"data": b"\xff\x00", "content_type": JSON},
    {"data": b"[" * 9_000, "content_type": JSON},
    {"data": b"{}", "content_type": "text/plain"},
    {"data": {"x": "y"}, "content_type": "multipart/form-data"},
    {"data": b"--x", "content_type": "multipart/form-data; boundary=y"},
    {"json": {"inputs": ROW}},
    {"json": {"actual": "setosa"}},
    {"json": {"instances": [ROW]}, "headers": {"Prefer": "respond-async", "Idempotency-Key": "k"}},
    {"json": {"version": "1", "reason": "r"}, "headers": {"If-Match": '"0"'}},
    {"json": {"version": "9", "reason": "r"}, "headers": {"If-Match": "*"}},
    {"headers": {"If-Match": "W/x", "If-None-Match": '"x"', "Idempotency-Key": "é", "Prefer": '"'}},
    {"headers": {"If-None-Match": "*"}},
    {"headers": {"Accept": "text/html"}},
    {"query_string": {"limit": "0", "cursor": "x", "at": "x", "from": "x", "to": "-1", "size": "x"}},
    {"query_string": {"cursor": "x"}},
)
# RFC 9651, §3 and §4.2: a list of items with parameters.
_ITEM = (
    r'(?:"(?:[ !#-\[\]-~]|\\["\\])*"|@?-?\d{1,15}|-?\d{1,12}\.\d{1,3}'
    r"|[A-Za-z*][!#$%&'*+\-.^_`|~\w:/]*|:[A-Za-z0-9+/]*={0,2}:|\?[01])"
)
_PARAMETERS = rf"(?:; *[a-z*][a-z0-9_.*-]*(?:={_ITEM})?)*"
STRUCTURED_LIST = re.compile(rf"{_ITEM}{_PARAMETERS}(?:[ \t]*,[ \t]*{_ITEM}{_PARAMETERS})*", re.ASCII)
STRUCTURED_DATE = re.compile(r"@-?\d{1,15}")
SAFE_WHOLE = 2**53


class Seen(NamedTuple):
    """One answer, and what it answers."""

    method: str
    path: str
    status: int
    headers: Headers
    body: bytes

    @property
    def told(self) -> str:
        return f"{self.method} {self.path} {self.status} {self.body[:200]!r}"


@pytest.fixture
def seen(app: Flask) -> list[Seen]:
    """Every answer of the application from now on."""
    answers: list[Seen] = []
    inner = app.wsgi_app

    def record(environ: Any, start_response: Any) -> Any:
        begun: list[Any] = []

        def start(status: str, headers: Any, *rest: Any) -> Any:
            begun[:] = [int(status[:3]), Headers(headers)]
            return start_response(status, headers, *rest)

        given = inner(environ, start)
        body = b"".join(given)
        getattr(given, "close", lambda: None)()
        answers.append(Seen(environ["REQUEST_METHOD"], environ["PATH_INFO"], *begun, body))
        return [body]

    app.wsgi_app = record  # type: ignore[method-assign]
    return answers


@pytest.fixture
def addresses(app: Flask, api: Api) -> dict[str, set[str]]:
    """Addresses of the API, of what is there and of what is not → the methods that they take."""
    alice = api("alice")
    record = alice("POST", "/models/iris/predict", {"inputs": ROW})[1]["id"]
    form = {"model": "iris", "file": (io.BytesIO(ROWS), "rows.csv")}
    job = alice("POST", "/jobs", data=form, content_type="multipart/form-data")[1]["id"]
    sealing.seal(app.extensions["desk"].seals.keys)
    there = {"name": "iris", "record_id": record, "job_id": job, "version": "1", "decision": "approve"}
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1") or rule.endpoint == "api.docs_asset":
            continue
        for known in (there, {}):
            path = re.sub(r"<(\w+)>", lambda m, known=known: known.get(m[1], "x%2e"), rule.rule)
            found.setdefault(path, set()).update(rule.methods or ())
    return found


def bearers(api: Api) -> dict[str, dict[str, str]]:
    """Headers of everybody, and of those who show something that is no token."""
    known = {name: {"Authorization": f"Bearer {api(name).token}"} for name in CAST}
    return {
        **known,
        "nobody": {},
        "forger": {"Authorization": "Bearer x.y.z"},
        "basic": {"Authorization": "Basic eA=="},
    }


def requests(addresses: dict[str, set[str]], bearers: dict[str, dict[str, str]]) -> Iterator[dict[str, Any]]:
    """Every method at every address by everybody, or by three of them where nothing is; what is odd, by an admin."""
    for path, takes in addresses.items():
        for name, shown in bearers.items():
            if (name in CAST and path.endswith("/logout")) or ("x%2e" in path and name not in FEW):
                continue  # after the first, all that follows would be that of nobody
            for method in METHODS if name in FEW else takes:
                yield {"path": path, "method": method, "headers": shown}
            for method in takes & {"GET", "POST", "PUT", "DELETE"} if name == "dave" else ():
                for odd in VARIANTS:
                    yield {"path": path, "method": method, **odd, "headers": shown | odd.get("headers", {})}
    yield {"path": "/api/v1/absent", "headers": bearers["alice"]}
    yield {"path": "/api/v1/models", "headers": {**bearers["alice"], "Host": "evil.example"}}
    yield {"path": "/api/v1/models//predict", "method": "POST", "headers": bearers["alice"]}


def check(one: Seen, documented: set[str]) -> None:
    """What holds of every answer; raises AssertionError."""
    headers = one.headers
    assert len(headers.getlist("X-Request-Id")) == 1
    assert headers.getlist("Cache-Control") == ["private, no-store"]
    varies = {word.strip() for word in ",".join(headers.getlist("Vary")).split(",")}
    assert {"Cookie", "Authorization"} <= varies
    for name in ("RateLimit", "RateLimit-Policy"):
        assert all(STRUCTURED_LIST.fullmatch(value) for value in headers.getlist(name))
    assert all(STRUCTURED_DATE.fullmatch(value) for value in headers.getlist("Deprecation"))
    if one.status in (204, 304):
        assert not one.body and "Content-Type" not in headers
    elif one.status >= 400:
        check_problem(one, documented)
    elif headers["Content-Type"] == JSON and one.body:
        json.loads(one.body, parse_constant=pytest.fail, parse_int=_whole)
    if one.status == 201:
        assert headers["Location"].startswith("/api/v1/")


def check_problem(one: Seen, documented: set[str]) -> None:
    """What holds of every answer from 400 on."""
    headers = one.headers
    assert headers["Content-Type"] == "application/problem+json"
    assert "ETag" not in headers
    assert (one.status == 401) == ("WWW-Authenticate" in headers)
    assert (one.status == 405) == ("Allow" in headers)
    assert (one.status in (429, 503)) == (re.fullmatch(r"\d+", headers.get("Retry-After", "")) is not None)
    if one.status == 405:
        assert one.method not in headers["Allow"].split(", ")
    if one.status in (412, 428):
        assert one.method not in ("GET", "HEAD")
    if one.method == "HEAD":
        assert not one.body
        return
    told = json.loads(one.body)
    assert told.keys() - {"errors", "violated-policies"} == {"type", "title", "status", "detail", "instance"}
    assert told["status"] == one.status
    assert told["type"] in documented
    assert told["instance"] == f"urn:parecer:request:{headers['X-Request-Id']}"
    assert told["title"] and told["detail"]
    assert all(
        problem["pointer"][:2] in ("#", "#/") and problem["detail"] for problem in told.get("errors", ())
    )


def _whole(text: str) -> int:
    assert abs(int(text)) <= SAFE_WHOLE, text
    return int(text)


def test_every_answer_keeps_the_conventions(
    app: Flask, client: FlaskClient, api: Api, addresses: dict[str, set[str]], seen: list[Seen]
) -> None:
    page = client.get("/api/v1/docs/errors").text
    documented = {f"/api/v1/docs/errors#{slug}" for slug in re.findall(r'<dt id="([\w-]+)"', page)}
    for asked in requests(addresses, bearers(api)):
        path = asked.pop("path")
        client.open(path, **asked)
        last = seen[-1]
        try:
            check(last, documented)
            if last.method in METHODS[3:] and last.method not in addresses.get(path, METHODS):
                assert last.status == 405
            if last.method == "OPTIONS" and last.status == 200:
                assert set(last.headers["Allow"].split(", ")) == addresses[path]
        except Exception as error:
            pytest.fail(f"{last.told}: {error!r}")
    met = {one.status for one in seen}
    assert {200, 201, 202, 304, 400, 401, 403, 404, 405, 409, 412, 415, 422, 428} <= met and 500 not in met
    assert len(seen) > 2_000


def test_the_head_is_that_of_the_whole(api: Api, addresses: dict[str, set[str]]) -> None:
    dave = api("dave")
    shown = {"Authorization": f"Bearer {dave.token}"}
    for path in (path for path, takes in addresses.items() if "GET" in takes):
        whole, head = (dave.client.open(path, method=m, headers=shown) for m in ("GET", "HEAD"))
        differing = {"X-Request-Id", "Content-Length"} if whole.status_code >= 400 else {"X-Request-Id"}
        kept = [[h for h in answer.headers if h[0] not in differing] for answer in (whole, head)]
        assert (head.status_code, kept[1], head.data) == (whole.status_code, kept[0], b""), path


def test_conditions_are_asked_for_and_held(app: Flask, api: Api) -> None:
    """Of what PUT, DELETE, promote and roll back change: 428 without If-Match, 412 with another, and what is right."""
    paula = api("paula")
    releases = "/api/v1/models/iris/releases"
    tag = paula.client.get(releases, headers={"Authorization": f"Bearer {paula.token}"}).headers["ETag"]
    body = {"version": "1", "reason": "r"}
    for method, path, sent in (
        ("POST", "promote", body),
        ("POST", "rollback", {}),
        ("PUT", "aliases/candidate", {"version": "1"}),
        ("DELETE", "aliases/candidate", None),
        ("POST", "requests/x/refuse", {"reason": "r"}),
        ("POST", "experiments", {"version": "1", "kind": "shadow"}),
    ):
        there = f"/models/iris/{path}"
        assert paula(method, there, sent)[0] == 428
        for other in ('"999"', 'W/"1"', "x", '"1", "2"'):
            assert paula(method, there, sent, headers={"If-Match": other})[0] in (412, 409, 404), (
                path,
                other,
            )
    assert paula("PUT", "/models/iris/aliases/next", {"version": "1"}, headers={"If-Match": tag})[0] == 200
    assert paula("PUT", "/models/iris/aliases/next", {"version": "1"}, headers={"If-Match": tag})[0] == 412


@pytest.mark.parametrize("name", ["account", "address"])
def test_who_has_to_wait_is_told_how_long(
    app: Flask, api: Api, seen: list[Seen], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    alice, desk = api("alice"), app.extensions["desk"]
    seen.clear()
    setattr(desk, "quota" if name == "account" else "addresses", Quota(1, name=name))
    for _ in range(3):
        alice("POST", "/models/iris/predict", {"inputs": ROW})
    setattr(desk, "quota" if name == "account" else "addresses", Quota(0, name=name))

    def away(*_: object) -> None:
        raise NotReady("Away.", 3)

    monkeypatch.setattr(desk.commits, "submit", away)
    alice("POST", "/models/iris/predict", {"inputs": ROW})
    documented = {f"/api/v1/docs/errors#{slug}" for slug in ("too-many", "not-ready")}
    for one in seen:
        check(one, documented)
    assert [one.status for one in seen] == [200, 429, 429, 503]
    assert int(seen[1].headers["Retry-After"]) > 0 and "RateLimit" in seen[1].headers


def test_what_is_deprecated_is_told_as_a_structured_date(monkeypatch: pytest.MonkeyPatch) -> None:
    for since in (datetime(2026, 1, 1, tzinfo=UTC), datetime(1969, 1, 1, tzinfo=UTC)):
        told = dict(deprecations._headers(deprecations.Ending(since, None, "/p")))
        assert STRUCTURED_DATE.fullmatch(told["Deprecation"])
