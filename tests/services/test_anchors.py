"""Checkpoints sent elsewhere: to a file, a mail server and a webhook that are real."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from flask import Flask
from sqlalchemy import update

from tests.services.test_predictions import session
from webapp.db import Anchor, Event
from webapp.db.base import transaction
from webapp.services import anchors, sealing
from webapp.services.anchors import DAY_US, HOUR_US, Places
from webapp.services.sealing import notes
from webapp.services.verifying import claims, verify


class Post(HTTPServer):
    """A receiver of webhooks that answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status, self.got = 200, list[Any]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?token=hush"


class _Answer(BaseHTTPRequestHandler):
    server: Post

    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.send_header("Location", self.server.url)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class Mailbox:
    """What a mail server has taken."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.got.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 kept"


@pytest.fixture
def post() -> Iterator[Post]:
    server = Post()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mail() -> Iterator[tuple[str, Mailbox]]:
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    yield f"smtp://127.0.0.1:{port}", box
    server.stop()


@pytest.fixture
def sealed(app: Flask) -> sealing.Sealed:
    sealing.seal(app.extensions["desk"].seals.keys)
    newest = sealing.newest()
    assert newest is not None
    return newest


def later(us: int) -> None:
    """As if that much time had passed since."""
    with transaction() as current:
        current.execute(update(Anchor).values(sent_us=Anchor.sent_us - us, tried_us=Anchor.tried_us - us))


def test_a_checkpoint_goes_everywhere_once_a_day(
    sealed: sealing.Sealed, post: Post, mail: tuple[str, Mailbox], tmp_path: Path, app: Flask
) -> None:
    file = tmp_path / "kept.txt"
    places = Places(file, "auditor@example.org", post.url, mail[0], "parecer@example.org")
    assert anchors.send_due(places) == 3
    assert anchors.send_due(places) == 0
    [posted], [letter] = post.got, mail[1].got
    assert posted["note"] == sealed.note
    assert file.read_text() == sealed.note + "\n"
    assert (letter["To"], letter["From"]) == ("auditor@example.org", "parecer@example.org")
    [attached] = letter.iter_attachments()
    keys = app.extensions["desk"].seals.keys
    assert notes.read(attached.get_content().replace("\r\n", "\n")).by(keys.known())
    later(DAY_US)
    sealing.seal(keys)
    assert anchors.send_due(places) == 3
    assert session().query(Event).filter_by(kind="anchor").count() == 6
    for kept in (posted["note"], f"{posted['size']} {posted['root']}"):
        assert verify(keys, claims.read_all(kept)).anchored == sealed.size
    assert [held.holds for held in verify(keys, claims.read_all(file.read_text())).outside] == [True, True]


def test_a_new_key_is_told_at_once(sealed: sealing.Sealed, post: Post, app: Flask) -> None:
    places = Places(webhook=post.url)
    anchors.send_due(places)
    made = sealing.rotate(app.extensions["desk"].seals.keys)
    assert anchors.send_due(places) == 1
    assert post.got[-1]["note"] == made.note
    assert anchors.send_due(places) == 0


def test_the_checkpoint_that_both_keys_signed_is_the_one_that_goes(
    sealed: sealing.Sealed, post: Post, app: Flask
) -> None:
    places, keys = Places(webhook=post.url), app.extensions["desk"].seals.keys
    anchors.send_due(places)
    both = sealing.rotate(keys)
    anchors.send_due(Places(file=Path("no/such/folder")))  # makes an entry
    sealing.seal(keys)
    assert sealing.newest().size > both.size
    assert anchors.send_due(places) == 1
    assert post.got[-1]["note"] == both.note
    assert len(notes.read(both.note).signatures) == 2
    assert anchors.send_due(places) == 0


@pytest.mark.parametrize("error", ["", "answered with status 500"])
def test_a_clock_that_was_set_back_silences_nothing(sealed: sealing.Sealed, post: Post, error: str) -> None:
    places = Places(webhook=post.url)
    anchors.send_due(places)
    later(-30 * DAY_US)
    with transaction() as current:
        current.execute(update(Anchor).values(error=error))
    assert anchors.send_due(places) == 1
    assert anchors.send_due(places) == 0


def test_what_fails_is_told_once_and_tried_again(sealed: sealing.Sealed, post: Post, tmp_path: Path) -> None:
    places = Places(tmp_path / "no" / "such" / "folder", "a@example.org", post.url, "smtp://127.0.0.1:9")
    post.status = 302  # whom it points to is not who was named
    assert anchors.send_due(places) == 0
    errors = {state.channel: state.error for state in anchors.state(places)}
    assert errors == {
        "file": "No such file or directory",
        "email": "Connection refused",
        "webhook": "answered with status 302",
    }
    assert len(post.got) == 1
    assert anchors.send_due(places) == 0
    assert len(post.got) == 1
    post.status = 200
    later(HOUR_US)
    assert anchors.send_due(places) == 1
    assert len(post.got) == 2
    kinds = [event.kind for event in session().query(Event).filter(Event.kind.like("anchor%"))]
    assert sorted(kinds) == ["anchor", *["anchor-failed"] * 3]
    assert "hush" not in "".join(e.facts or "" for e in session().query(Event))


def test_no_password_goes_over_a_plain_line(sealed: sealing.Sealed, mail: tuple[str, Mailbox]) -> None:
    url = mail[0].replace("//", "//me:hush@")
    assert anchors.send_due(Places(email="a@example.org", smtp_url=url)) == 0
    [state] = anchors.state(Places(email="a@example.org"))
    assert "no encryption" in state.error
    assert mail[1].got == []


def test_nothing_is_sent_before_anything_is_sealed(app: Flask, tmp_path: Path) -> None:
    assert anchors.send_due(Places(tmp_path / "kept.txt")) == 0
    assert anchors.state(Places()) == []
