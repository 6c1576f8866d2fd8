"""One cast of people, a few small models, and an application of its own for every test.

alice and bob are analysts, paula a publisher, carol an auditor, dave an admin.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextvars import Context
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import NullPool, create_engine, make_url, text
from werkzeug.test import TestResponse

from config import Settings
from tests import chambers, handing_in
from tests.chambers import here
from webapp import preparation
from webapp.app import create_app
from webapp.db import Change, User
from webapp.db.base import session, transaction
from webapp.ml import intake
from webapp.ml.demos import demos
from webapp.ml.intake import Order
from webapp.ml.packaging import package
from webapp.observability import configure_logging
from webapp.services import passwords, registry
from webapp.services.people import Actor

CAST = {"alice": "analyst", "bob": "analyst", "paula": "publisher", "carol": "auditor", "dave": "admin"}
MODELS = ("iris", "diabetes", "purchase")
SECRETS = {"secret_key": secrets.token_urlsafe(48), "jwt_secret_key": secrets.token_urlsafe(48)}
LOCAL_POSTGRES = "postgresql+psycopg:///postgres?host=/var/run/postgresql"


configure_logging("ERROR")


def password(name: str) -> str:
    return f"correct horse battery {name} 9!"


def settings(data_dir: Path, **changes: Any) -> Settings:
    """Settings that read nothing from this machine's environment."""
    values = {"data_dir": data_dir, "demo": False, "rate_limit": 0, **SECRETS, **changes}
    return Settings.model_validate(values)


def need(reason: str) -> None:
    """Skip, saying how to get what is missing; where everything must run, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def packages() -> dict[str, Any]:
    """A few of the demo models, packaged once."""
    made = {}
    for demo in demos():
        if demo.name in MODELS:
            estimator, X, y, *test = demo.make()
            made[demo.name] = (
                demo,
                package(estimator, X, y, format="skops", test=tuple(test), card=demo.card, edits=demo.edits),
            )
    return made


def seed(app: Flask, packages: dict[str, Any]) -> None:
    with app.app_context():
        preparation.migrate()
        hashes = {name: passwords.hash_password(password(name)) for name in CAST}
        with transaction() as s:
            for name, role in CAST.items():
                s.add(User(username=name, role=role, password_hash=hashes[name], created_us=1))
        for demo, made in packages.values():
            registry.publish(
                app.extensions["desk"].store,
                made,
                name=demo.name,
                title=demo.title,
                description=demo.description,
            )


@pytest.fixture(scope="session")
def sqlite_seed(tmp_path_factory: pytest.TempPathFactory, packages: dict[str, Any]) -> Path:
    folder = tmp_path_factory.mktemp("seed")
    app = create_app(settings(folder))
    seed(app, packages)
    close(app)
    return folder


@pytest.fixture(scope="session")
def postgres() -> str:
    """URL of a PostgreSQL server where databases may be created."""
    url = os.environ.get("TEST_POSTGRES_URL", LOCAL_POSTGRES)
    for attempt in (1, 2):
        try:
            create_engine(url, poolclass=NullPool).connect().close()
            return url
        except Exception:
            if attempt == 1:
                _start_postgres()
    need("PostgreSQL is not running; start it with: pg_ctlcluster 15 main start (or set TEST_POSTGRES_URL)")
    raise AssertionError


def _start_postgres() -> None:
    versions = sorted(Path("/etc/postgresql").glob("*/main"))
    if versions and shutil.which("pg_ctlcluster"):
        command = ["pg_ctlcluster", "--skip-systemctl-redirect", versions[-1].parent.name, "main", "start"]
        subprocess.run(command, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def postgres_seed(
    postgres: str, tmp_path_factory: pytest.TempPathFactory, packages: dict[str, Any]
) -> Iterator[tuple[str, Path]]:
    name = f"parecer_test_{secrets.token_hex(6)}"
    folder = tmp_path_factory.mktemp("seed-postgres")
    _admin(postgres, f"CREATE DATABASE {name}")
    app = create_app(settings(folder, database_url=_database(postgres, name)))
    seed(app, packages)
    close(app)
    yield name, folder
    _admin(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def _database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _admin(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def close(app: Flask) -> None:
    with app.app_context():
        app.extensions["desk"].failures.store()  # so that its timer finds nothing to do
        app.extensions["desk"].seen.store()
        app.extensions["desk"].commits.close()
        app.extensions["desk"].workshop.queue.close()
        app.extensions["sqlalchemy"].engine.dispose()
    # Its listeners know the application, so that neither would be forgotten while the extension keeps it.
    app.extensions["sqlalchemy"]._app_engines.pop(app, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="Run what takes minutes, too.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in set(long)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # What touches the database runs on both; the faces, once.
    if "backend" in metafunc.fixturenames:
        both = {"services", "db"} & set(metafunc.definition.path.parts)
        metafunc.parametrize("backend", ["sqlite", "postgresql"] if both else ["sqlite"], scope="session")


@pytest.fixture
def backend_settings(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., Settings]]:
    """Makes the settings of a fresh installation with the cast and the models in it."""
    if backend == "sqlite":
        folder: Path = request.getfixturevalue("sqlite_seed")
        shutil.copytree(folder, tmp_path / "data")
        yield lambda **changes: settings(tmp_path / "data", **changes)
        return
    name, folder = request.getfixturevalue("postgres_seed")
    url = request.getfixturevalue("postgres")
    copy = f"parecer_test_{secrets.token_hex(6)}"
    _admin(url, f"CREATE DATABASE {copy} TEMPLATE {name}")
    shutil.copytree(folder, tmp_path / "data")
    yield lambda **changes: settings(tmp_path / "data", database_url=_database(url, copy), **changes)
    _admin(url, f"DROP DATABASE {copy} WITH (FORCE)")


class CleanClient(FlaskClient):
    """Sends requests outside the test's own context, so that they share no `g` and no session, as on a server."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        kwargs.setdefault("buffered", True)  # a stream is read where it was begun
        return Context().run(super().open, *args, **kwargs)


@pytest.fixture
def app(backend_settings: Callable[..., Settings]) -> Iterator[Flask]:
    made = create_app(backend_settings())
    made.test_client_class = CleanClient
    with made.app_context():
        yield made
    close(made)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def actor(app: Flask) -> Callable[[str], Actor]:
    """actor("alice"): the person, checked a moment ago, as services take them."""

    def make(name: str) -> Actor:
        user = session().query(User).filter_by(username=name).one()
        number = session().query(Change).filter_by(topic="access").one().number
        return Actor(user.id, name, user.role, access=number, stamp=user.stamp)

    return make


class ApiClient:
    """A test client that shows a token; every call answers (status, JSON)."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self.client, self.token = client, token

    def __call__(self, method: str, path: str, body: Any = None, **kwargs: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}", **kwargs.pop("headers", {})}
        given = {} if body is None else {"json": body}
        answer = self.client.open(f"/api/v1{path}", method=method, headers=headers, **given, **kwargs)
        return answer.status_code, answer.get_json(silent=True) if answer.data else None


@pytest.fixture
def token(client: FlaskClient) -> Callable[[str], str]:
    def sign_in(name: str) -> str:
        answer = client.post("/api/v1/login", json={"username": name, "password": password(name)})
        assert answer.status_code == 200, answer.text
        return str(answer.json["access_token"])

    return sign_in


@pytest.fixture
def api(app: Flask, token: Callable[[str], str]) -> Callable[[str], ApiClient]:
    """api("alice")("POST", "/models/iris/predict", {...}) → (status, JSON)."""
    return lambda name: ApiClient(app.test_client(use_cookies=False), token(name))


@pytest.fixture
def signed_in(app: Flask) -> Callable[[str], FlaskClient]:
    """A browser-like client with a session."""

    def sign_in(name: str) -> FlaskClient:
        browser = app.test_client()
        page = browser.get("/login").text
        csrf = page.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
        form = {"csrf_token": csrf, "username": name, "password": password(name)}
        answer = browser.post("/login", data=form)
        assert answer.status_code == 302, answer.text
        return browser

    return sign_in


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are inspected in the process of the test, which spares the start of another."""
    monkeypatch.setattr("webapp.ml.chamber.inspect", here)


@pytest.fixture
def shown_engines(in_process: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Inspections whose reports show the engines of `handing_in.engines`; which one was asked for each time."""
    real, asked = intake.prepare, list[str]()

    def prepare(order: Order, *files: Any, report: dict[str, Any], **how: Any) -> Any:
        asked.append(order.engine)
        made = real(replace(order, engine="auto"), *files, report=report, **how)
        report["engines"] = handing_in.engines()
        made.manifest["engines"] |= {"options": report["engines"], "picked": order.engine}
        return made

    monkeypatch.setattr(intake, "prepare", prepare)
    monkeypatch.setattr(chambers, "tidy", lambda report: report)
    return asked
