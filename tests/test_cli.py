"""What operators type."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from webapp.extensions import db
from webapp.services import users

WORDS = "correct horse battery staple"


def run(app: Flask, line: str, typed: str | None = None) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=line.split(), input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_an_account_is_made_without_a_terminal(app: Flask) -> None:
    status, said = run(app, "user create erin --role auditor --password-stdin", WORDS + "\n")
    assert (status, said) == (0, "Made the auditor erin.\n")
    assert users.authenticate("erin", WORDS).role == "auditor"


def test_a_terminal_is_asked_twice_and_shows_nothing(app: Flask) -> None:
    status, said = run(app, "user create erin --role analyst", f"{WORDS}\n{WORDS}\n")
    assert status == 0 and said.count("assword") == 1 and WORDS not in said
    assert run(app, "user create fred --role analyst", f"{WORDS}\nanother one\n{WORDS}\n")[0] == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("user create alice --role analyst --password-stdin", "already an account alice"),
        ("user create erin --role king --password-stdin", "--role: must be one of"),
        ("user create ERIN! --role analyst --password-stdin", "NAME: "),
        ("user disable nobody", "no account 'nobody'"),
        ("user disable dave", "the last admin"),
        ("token create nobody", "no account 'nobody'"),
    ],
)
def test_a_refusal_is_one_sentence_and_status_1(app: Flask, line: str, why: str) -> None:
    status, said = run(app, line, WORDS + "\n")
    assert status == 1
    assert said.startswith("Error: ") and why in said and said.count("\n") == 1


def test_a_database_that_takes_no_more_is_not_called_missing(app: Flask) -> None:
    db.session.remove()
    db.engine.dispose()
    # As from a disk that is mounted to be read; the error of a full one comes the same way.
    event.listen(db.engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
    status, said = run(app, "user create erin --role analyst --password-stdin", WORDS + "\n")
    assert status == 1 and said.count("\n") == 1
    assert said.startswith("Error: Nothing was changed, because the database at ") and "make room" in said


@pytest.mark.parametrize("typed", ["short\n", "", "parecer-erin\n", "123456789012\n"])
def test_a_weak_password_is_called_by_its_name(app: Flask, typed: str) -> None:
    status, said = run(app, "user create erin --role analyst --password-stdin", typed)
    assert status == 1 and said.startswith("Error: password: ")


def test_all_that_is_wrong_is_told_at_once(app: Flask) -> None:
    said = run(app, "user create ! --role king --password-stdin", "short\n")[1]
    assert all(word in said for word in ("NAME: ", "--role: ", "password: "))


def test_accounts_are_disabled_enabled_and_listed(app: Flask) -> None:
    assert run(app, "user disable bob")[0] == 0
    assert any(
        line.split() == ["bob", "analyst", "disabled"] for line in run(app, "user list")[1].splitlines()
    )
    assert run(app, "user enable bob")[0] == 0
    assert any(line.split() == ["bob", "analyst"] for line in run(app, "user list")[1].splitlines())


def test_a_reset_prints_nothing_but_the_one_time_password(app: Flask) -> None:
    _, said = run(app, "user reset-password alice")
    assert users.authenticate("alice", said.strip()).must_change


def test_a_token_made_for_a_program_works_until_the_account_is_disabled(
    app: Flask, client: FlaskClient
) -> None:
    status, said = run(app, "token create carol --days 30")
    shown = {"Authorization": f"Bearer {said.strip()}"}
    assert status == 0 and client.get("/api/v1/models", headers=shown).status_code == 200
    users.disable("carol", None)
    assert client.get("/api/v1/models", headers=shown).status_code == 401
