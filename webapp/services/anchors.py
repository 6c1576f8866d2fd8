"""Sending checkpoints elsewhere, so that somebody else can say what the record was: a file, an e-mail, a webhook.

Once a day to each place that is set, and at once when the sealing key or the log has changed; what fails is tried again
every hour, and shown on the audit page.
"""

from __future__ import annotations

import http.client
import os
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from sqlalchemy import select

from webapp.db import Anchor, Event, Leaf
from webapp.db.base import session, transaction
from webapp.services import audit, sealing
from webapp.services.clock import now_us
from webapp.services.sealing import Sealed, proofs
from webapp.services.verifying.claims import groups

DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000
#: Seconds that a place may take to answer, and bytes of its answer that are looked at.
PATIENCE, MOST_READ = 20, 1_024
LONGEST_ERROR = 200
#: After these, one who keeps checkpoints has to know another key, or that entries were lost.
TURNS = ("seal-key", "restore")


@dataclass(frozen=True, slots=True)
class Places:
    """Where checkpoints go; empty: nowhere."""

    file: Path | None = None
    email: str = ""
    webhook: str = ""
    #: smtp:// or smtps://, with account and password if the server wants them.
    smtp_url: str = ""
    sender: str = ""

    def channels(self) -> dict[str, Callable[[Sealed], None]]:
        """Channel → what sends a checkpoint there."""
        found: dict[str, Callable[[Sealed], None]] = {}
        if self.file is not None:
            found["file"] = self._to_file
        if self.email:
            found["email"] = self._to_email
        if self.webhook:
            found["webhook"] = self._to_webhook
        return found

    def _to_file(self, sealed: Sealed) -> None:
        path = self.file
        assert path is not None  # noqa: S101 - it is among the channels
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640), "ab") as file:
            file.write(sealed.note.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _to_email(self, sealed: Sealed) -> None:
        message = EmailMessage()
        message["From"], message["To"] = self.sender or self.email, self.email
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="parecer.invalid")
        message["Subject"] = f"Parecer checkpoint: {sealed.size} entries"
        message.set_content(
            f"Keep this message. It says what the record of {sealed.origin} was on {_utc(sealed.at_us)}.\n\n"
            f"{sealed.note}\nThe same, to be typed: {sealed.size} {groups(sealed.root)}\n\n"
            "Paste either into the audit page of the desk, or give it to flask audit verify --checkpoint, to see\n"
            "whether anything up to it has been changed or taken away since.\n"
        )
        message.add_attachment(sealed.note, filename=f"checkpoint-{sealed.size}.txt")
        server = urlsplit(self.smtp_url)
        host, port = server.hostname or "localhost", server.port
        context = ssl.create_default_context()
        with (
            smtplib.SMTP_SSL(host, port or 465, timeout=PATIENCE, context=context)
            if server.scheme == "smtps"
            else smtplib.SMTP(host, port or 25, timeout=PATIENCE)
        ) as smtp:
            smtp.ehlo_or_helo_if_needed()
            if server.scheme == "smtp" and smtp.has_extn("starttls"):
                smtp.starttls(context=context)
            if server.username:
                if not isinstance(smtp.sock, ssl.SSLSocket):
                    raise smtplib.SMTPException("the server offers no encryption, so no password is sent")
                smtp.login(unquote(server.username), unquote(server.password or ""))
            smtp.send_message(message)

    def _to_webhook(self, sealed: Sealed) -> None:
        body = orjson.dumps(
            {
                "origin": sealed.origin,
                "size": sealed.size,
                "root": sealed.root.hex(),
                "at_us": sealed.at_us,
                "note": sealed.note,
            }
        )
        asked = urllib.request.Request(  # noqa: S310 - config allows http and https only
            self.webhook, data=body, headers={"Content-Type": "application/json", "User-Agent": "Parecer"}
        )
        with _opener.open(asked, timeout=PATIENCE) as answer:
            answer.read(MOST_READ)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Whoever is trusted with a checkpoint is the one that was named."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
FAILURES = (OSError, smtplib.SMTPException, http.client.HTTPException, ValueError)


@dataclass(frozen=True, slots=True)
class State:
    """How it went with one channel; times are microseconds UTC, `size` is that of the checkpoint sent last."""

    channel: str
    sent_us: int | None
    size: int | None
    error: str


def state(places: Places) -> list[State]:
    """Every channel that is set."""
    found = []
    for channel in places.channels():
        row = session().get(Anchor, channel)
        found.append(
            State(channel, row.sent_us, row.size, row.error) if row else State(channel, None, None, "")
        )
    return found


def send_due(places: Places) -> int:
    """Send a checkpoint wherever it is time to; returns to how many places it went.

    It is the newest one; where the key or the log has changed since the last, the first that tells so, which the key
    before has signed too.
    """
    newest = sealing.newest()
    if newest is None:
        return 0
    sent, turn = 0, _turn()
    for channel, send in places.channels().items():
        row = session().get(Anchor, channel, populate_existing=True)
        untold = turn if row is not None and turn is not None and (row.size or 0) < turn.size else None
        if row is not None and not _due(row, untold is not None):
            continue
        sealed = untold or newest
        session().rollback()  # nobody's transaction is to last as long as another server's patience
        error = ""
        try:
            send(sealed)
        except FAILURES as failure:
            error = _words(failure)
        _note(channel, sealed, error)
        sent += not error
    return sent


def _turn() -> Sealed | None:
    """The first checkpoint that speaks for the last event that whoever keeps them should hear of; None without one."""
    latest = select(Event.id).where(Event.kind.in_(TURNS)).order_by(Event.seq.desc()).limit(1)
    leaf = (
        session()
        .execute(select(Leaf.seq, Leaf.hash).where(Leaf.record_id == latest.scalar_subquery()))
        .first()
    )
    place = None if leaf is None else proofs.index(leaf.seq, leaf.hash)
    return None if place is None else sealing.covering(place)


def _due(row: Anchor, turned: bool) -> bool:
    now = now_us()  # a clock may be set back
    if row.error:
        return abs(now - row.tried_us) >= HOUR_US
    return row.sent_us is None or abs(now - row.sent_us) >= DAY_US or turned


def _utc(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).isoformat(" ").replace("+00:00", " UTC")


def _words(failure: Exception) -> str:
    """What went wrong, without addresses or passwords."""
    if isinstance(failure, urllib.error.HTTPError):
        return f"answered with status {failure.code}"
    if isinstance(failure, urllib.error.URLError) and isinstance(failure.reason, OSError):
        failure = failure.reason
    if isinstance(failure, smtplib.SMTPResponseException):
        return f"refused with code {failure.smtp_code}"
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror[:LONGEST_ERROR]
    return (str(failure) or type(failure).__name__)[:LONGEST_ERROR]


def _note(channel: str, sealed: Sealed, error: str) -> None:
    now = now_us()
    with transaction() as current:
        row = current.get(Anchor, channel) or Anchor(channel=channel)
        was = row.error
        row.tried_us, row.error = now, error
        if not error:
            row.sent_us, row.size = now, sealed.size
        current.add(row)
        if not error:
            audit.append(current, "anchor", None, {"channel": channel, "size": sealed.size})
        elif error != was:
            audit.append(current, "anchor-failed", None, {"channel": channel, "why": error})
