"""Signing in, and what is tried again."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest
from parecer_client import (
    Client,
    CodeNeeded,
    InvalidInput,
    NotReachable,
    NotReady,
    NotSignedIn,
    ParecerError,
    TooMany,
    transport,
)
from parecer_client.progress import Told, bar

from tests.client.scripted import Reply, scripted
from tests.client.test_predict import ROW
from tests.conftest import password
from tests.server import Server, free_port

Desk = Callable[[str], Client]
ANSWER = Reply(200, {"id": "pred_1"})
BUSY = Reply(503, {"detail": "The database is busy."}, {"Retry-After": "2"})
GRANT = {"access_token": "a1", "refresh_token": "r1", "token_type": "Bearer", "expires_in": 900}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were waited between attempts, which pass at once."""
    found: list[float] = []
    monkeypatch.setattr(transport.time, "sleep", found.append)
    return found


def test_a_sign_in_keeps_no_password_and_shows_no_token(server: Server) -> None:
    alice = Client.login(server.address, "alice", password("alice"))
    token = alice._transport.token
    kept = repr(vars(alice)) + repr(vars(token)) + repr(vars(alice._transport))
    assert password("alice") not in kept
    assert token is not None and token.shown not in f"{alice!r}{token!r}{alice._transport!r}"
    assert repr(alice) == f"<Client of {server.address} as alice>"


def test_a_sign_in_renews_its_token_by_itself(server: Server) -> None:
    alice = Client.login(server.address, "alice", password("alice"))
    token: Any = alice._transport.token
    first, token._ends = token.shown, 0.0
    alice.models()
    assert token.shown != first
    second, token._access = token.shown, "spoilt"  # the desk has another opinion of how long it holds
    alice.models()
    assert token.shown not in (second, "spoilt")


def test_a_token_may_come_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARECER_TOKEN", raising=False)
    with pytest.raises(ValueError, match=r"PARECER_TOKEN.*Client\.login"):
        Client(server.address)
    monkeypatch.setenv("PARECER_TOKEN", server.login("alice") + "\n")
    assert "iris" in set(Client(f"{server.address}/api/v1/").models()["name"])


def test_a_token_of_a_netrc_is_not_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert len(Client(server.address, server.login("alice")).models())


def test_a_token_that_does_not_hold_says_what_to_do(server: Server, desk: Desk) -> None:
    with pytest.raises(NotSignedIn, match="flask token create") as refused:
        Client(server.address, "nonsense").models()
    assert refused.value.status == 401
    alice = desk("alice")
    alice.logout()
    with pytest.raises(NotSignedIn, match=r"sign-in has ended. Sign in again"):
        alice.models()


def test_a_wrong_password_is_the_desks_to_name(server: Server) -> None:
    with pytest.raises(NotSignedIn) as refused:
        Client.login(server.address, "alice", "wrong")
    assert "token" not in str(refused.value) and refused.value.request_id


def test_who_has_a_second_factor_is_asked_for_the_code(waits: list[float]) -> None:
    needed = Reply(401, {"type": "/api/v1/docs/errors#code-needed", "detail": "Give the code."})
    with scripted(needed, Reply(200, GRANT)) as (address, got):
        with pytest.raises(CodeNeeded, match="otp="):
            Client.login(address, "alice", "x")
        Client.login(address, "alice", "x", "123456")
    assert json.loads(got[-1].body)["otp"] == "123456"


def test_no_desk_at_the_address_is_said_so(waits: list[float]) -> None:
    with pytest.raises(NotReachable, match="is it running"):
        Client(f"http://127.0.0.1:{free_port()}", "t").models()
    assert len(waits) == transport.ATTEMPTS - 1
    for wrong in ("localhost:5000", "/desk", "ftp://x"):
        with pytest.raises(ValueError, match="no address of a desk"):
            Client(wrong, "t")


def test_a_prediction_is_sent_again_under_the_same_key(waits: list[float]) -> None:
    with scripted(Reply(0), BUSY, ANSWER) as (address, got):
        assert Client(address, "t").predict("iris", ROW) == {"id": "pred_1"}
    assert len({request.headers["Idempotency-Key"] for request in got}) == 1 and len(got) == 3
    assert got[0].body == got[2].body and waits[1] == 2


def test_a_prediction_sent_twice_is_on_the_record_once(
    server: Server, desk: Desk, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    alice = desk("alice")
    really = alice._transport._once
    lost = [True]

    def loses_the_first(*args: Any) -> Any:
        answer = really(*args)
        if lost.pop() if lost else False:
            raise transport.requests.ConnectionError("broken after the answer was made")
        return answer

    monkeypatch.setattr(alice._transport, "_once", loses_the_first)
    answer = alice.predict("iris", ROW, subject="sent twice")
    assert alice.history(subject="sent twice")["id"].tolist() == [answer["id"]]


def test_what_cannot_be_known_to_be_undone_is_not_sent_again(waits: list[float]) -> None:
    for reply, kind in ((BUSY, NotReady), (Reply(0), NotReachable)):
        with scripted(reply) as (address, got), pytest.raises(kind):
            Client(address, "t").outcome("pred_1", "yes")
        assert len(got) == 1 and waits == []


def test_a_limit_that_ends_soon_is_waited_for_and_another_is_told(waits: list[float]) -> None:
    soon, late = (Reply(429, {"detail": "Too many."}, {"Retry-After": s}) for s in ("3", "900"))
    with scripted(soon, ANSWER) as (address, got):
        Client(address, "t").outcome("pred_1", "yes")
    assert waits == [3.0] and len(got) == 2
    with scripted(late) as (address, got), pytest.raises(TooMany, match="900 s") as refused:
        Client(address, "t").outcome("pred_1", "yes")
    assert refused.value.retry_after == 900 and len(got) == 1


def test_a_token_is_not_carried_to_another_address(waits: list[float]) -> None:
    moved = Reply(308, None, {"Location": "https://desk.example/api/v1/models"})
    with (
        scripted(moved) as (address, got),
        pytest.raises(ParecerError, match=r"Client\('https://desk.example'\)"),
    ):
        Client(address, "t").models()
    assert len(got) == 1


def test_an_answer_of_something_else_on_the_way_is_an_error_too(waits: list[float]) -> None:
    with scripted(Reply(502, "no JSON problem")) as (address, _), pytest.raises(NotReady, match="502"):
        Client(address, "t").models()


def test_an_error_tells_every_field_and_the_request(desk: Desk) -> None:
    with pytest.raises(InvalidInput) as refused:
        desk("alice").predict("iris", {"sepal_length": "5.1", "petal_widht": 1})
    said = str(refused.value)
    assert {"sepal_length", "sepal_width", "petal_widht"} <= {p.field for p in refused.value.problems}
    assert "inputs/petal_widht: " in said and f"(request {refused.value.request_id})" in said


def test_a_body_that_is_sent_again_is_sent_whole() -> None:
    with bar(5, "sending", shown=True) as shown:
        body = Told(b"12345", shown)
        assert len(body) == 5 and body.read(3) == b"123"
        body.seek(0)
        assert body.read() == b"12345" and shown.n == 5


def test_a_history_that_is_shorter_than_its_limit_ends_with_a_full_bar(
    capfd: pytest.CaptureFixture[str],
) -> None:
    record = {"id": "pred_1", "warnings": [], "inputs": {}, "probabilities": None}
    page = Reply(200, {"data": [record] * 41, "next_cursor": None})
    for limit in (1000, None):
        with scripted(page) as (address, _):
            assert len(Client(address, "t").history(limit=limit)) == 41
        last = capfd.readouterr().err.rpartition("\r")[2]
        assert "100%" in last and "41/41" in last


def test_bars_are_seen_unless_they_are_not_wanted(capfd: pytest.CaptureFixture[str]) -> None:
    for shown in (False, True):
        with bar(3, "rows", shown=shown) as moving:
            moving.update(3)
        assert ("rows" in capfd.readouterr().err) == shown


def test_every_public_method_is_described() -> None:
    public = [value for name, value in vars(Client).items() if not name.startswith("_") and callable(value)]
    assert public and all(inspect.getdoc(method) for method in public)
