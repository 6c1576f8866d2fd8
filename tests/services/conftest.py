from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import delete

from tests.conftest import CAST, _admin, _database
from tests.records import MODELS, NOON, Ledger
from webapp.db import Event, Failure, Horizon, Model, Outcome, Prediction, Review, Rollup, User
from webapp.db.base import session
from webapp.db.engine import WriteLock, engine_options, prepare
from webapp.extensions import db
from webapp.services.desk import Desk
from webapp.services.sealing.keys import Keyring


@pytest.fixture
def desk(app: Flask) -> Desk:
    """The desk of a whole application."""
    return app.extensions["desk"]


@pytest.fixture
def keys(desk: Desk) -> Keyring:
    """What it seals with."""
    return desk.seals.keys


@pytest.fixture(scope="session")
def bare(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """An application that is only a database with people and models; much faster than a whole one a test."""
    url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}"
    if backend == "postgresql":
        server, name = request.getfixturevalue("postgres"), f"parecer_test_{secrets.token_hex(6)}"
        _admin(server, f"CREATE DATABASE {name}")
        url = _database(server, name)
    made = Flask("ledger")
    made.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=engine_options(url))
    db.init_app(made)
    made.extensions["write_lock"] = WriteLock(None)  # one test writes at a time
    with made.app_context():
        prepare(db.engine)
        db.create_all()
        people = [User(username=n, role=r, password_hash="-", created_us=NOON) for n, r in CAST.items()]
        db.session.add_all([*people, *(Model(name=n, title=n, created_us=NOON) for n in MODELS)])
        db.session.commit()
    yield made
    with made.app_context():
        db.engine.dispose()
    if backend == "postgresql":
        _admin(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def ledger(bare: Flask) -> Iterator[Ledger]:
    with bare.app_context():
        for table in (Review, Outcome, Prediction, Failure, Rollup, Horizon, Event):
            session().execute(delete(table))
        yield Ledger(session())
