"""Alive, and ready: what each asks, and that neither says more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from webapp.services import operations

NOT_READY = {"type", "title", "status", "detail", "instance"}


def unready(client: FlaskClient) -> bool:
    answer = client.get("/readyz")
    told: Any = answer.json
    if answer.status_code == 503:
        assert told.keys() == NOT_READY and told["detail"] == "Not ready; the log says why."
        assert answer.headers["Retry-After"] == "5"
    return answer.status_code == 503


@pytest.mark.parametrize("address", ["/livez", "/readyz"])
def test_a_probe_may_be_asked_by_head(client: FlaskClient, address: str) -> None:
    answer = client.head(address)
    assert (answer.status_code, answer.data) == (200, b"")
    assert client.get(address).headers["Content-Length"] == answer.headers["Content-Length"]


def test_alive_asks_nothing_else(client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    app.extensions["sqlalchemy"].engine.dispose()
    monkeypatch.setattr(app.extensions["sqlalchemy"].engine, "connect", None)
    monkeypatch.setattr(operations, "check_ready", None)
    assert client.get("/livez").json == {"status": "alive"}


def test_not_ready_without_the_database(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("canary"))

    assert not unready(client)
    monkeypatch.setattr(app.extensions["desk"].watch, "numbers", away)
    assert unready(client)


def test_not_ready_where_the_data_folder_cannot_be_written_to(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)  # as on a disk mounted read-only
    assert unready(client)


def test_ready_as_long_as_one_version_can_answer(client: FlaskClient, app: Flask) -> None:
    store = Path(app.extensions["installation"].store)
    manifests = sorted(store.rglob("manifest.json"))
    assert len(manifests) == 3
    for manifest in manifests[1:]:
        manifest.write_text("{}")
    assert not unready(client)
    manifests[0].unlink()
    assert unready(client)


def test_ready_with_what_is_loaded(client: FlaskClient, app: Flask) -> None:
    app.extensions["desk"].runtime.get("iris", 1)
    for manifest in Path(app.extensions["installation"].store).rglob("manifest.json"):
        manifest.unlink()
    assert not unready(client)
