"""Assemble the application; no input or output happens here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, request
from flask.sessions import NullSession, SecureCookieSession, SecureCookieSessionInterface
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import BadHost, HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from webapp import api, auth, cli, doors, headers, observability, web, wire
from webapp.api.deprecations import ENDINGS
from webapp.db.changes import Watch
from webapp.db.commits import GroupCommit
from webapp.db.engine import WriteLock, engine_options, prepare
from webapp.db.leader import Leader
from webapp.errors import AppError, Malformed, NotReady
from webapp.extensions import bootstrap, brief_lock, cache, csrf, db, jwt, offload, signal
from webapp.lane import Lane
from webapp.ml.chamber import Limits
from webapp.ml.runtime import Runtime
from webapp.ml.store import Store
from webapp.services.anchors import Places
from webapp.services.answers import AnswerCache
from webapp.services.backups.place import Installation
from webapp.services.desk import Desk
from webapp.services.experiments.shadowing import repeat
from webapp.services.failures import Tally
from webapp.services.journal import Journal
from webapp.services.meters import Meters
from webapp.services.queue import Queue, Workshop
from webapp.services.quota import Quota
from webapp.services.repeats import Repeats
from webapp.services.resolving import Resolver
from webapp.services.sealing import Seals
from webapp.services.sealing.keys import Keyring
from webapp.services.sign_ins import Seen
from webapp.services.warming import Warming
from webapp.wording import said

if TYPE_CHECKING:
    from config import Settings

#: Between looks of a web worker at what is to be loaded.
FOLLOW_SECONDS = 0.5
ROOT = Path(__file__).resolve().parent.parent


class Application(Flask):
    """Flask without its per-call question whether a view is a coroutine: none is here."""

    request_class = doors.Asked

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(settings: Settings) -> Flask:
    """A Flask application for `settings`; raises RuntimeError when a route has no row in the policy table."""
    app = Application(__name__, template_folder=str(ROOT / "templates"), static_folder=None)
    _configure(app, settings)
    door = doors.Door(settings.hosts)
    app.before_request(door.open)
    app.after_request(headers.add)
    app.after_request(doors.tell_about)
    app.teardown_request(doors.forget_spooled)
    for extension in (db, jwt, csrf, cache, bootstrap):
        extension.init_app(app)
    _open_desk(app, settings)
    auth.init_app(app)
    observability.init_app(app)
    api.init_app(app)
    wire.init_app(app)
    web.init_app(app)
    cli.init_app(app)
    app.register_error_handler(Exception, _answer_error)
    auth.check_policy(app)
    # The lane tells nobody that a route is to end.
    shortcuts = [s for s in (api.SHORTCUT, *wire.SHORTCUTS) if s.endpoint not in ENDINGS]
    app.wsgi_app = Lane(app, door, _tame, shortcuts)  # type: ignore[method-assign]
    if settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, *[settings.proxies] * 4)  # type: ignore[method-assign]
    return app


def _configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        SECRET_KEY=settings.secret_key.get_secret_value(),
        SQLALCHEMY_DATABASE_URI=settings.database,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database),
        JWT_SECRET_KEY=settings.jwt_secret_key.get_secret_value(),
        JWT_ALGORITHM="HS256",
        JWT_COOKIE_CSRF_PROTECT=False,  # tokens never travel in cookies here
        JWT_ENCODE_ISSUER="parecer",
        JWT_DECODE_ISSUER="parecer",
        JWT_ENCODE_AUDIENCE="parecer-api",
        JWT_DECODE_AUDIENCE="parecer-api",
        JWT_ACCESS_TOKEN_EXPIRES=timedelta(minutes=settings.access_token_minutes),
        JWT_REFRESH_TOKEN_EXPIRES=timedelta(days=settings.refresh_token_days),
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        MAX_FORM_PARTS=2000,
        MAX_UPLOAD_BYTES=settings.max_upload_bytes,
        SESSION_COOKIE_NAME="__Host-parecer" if settings.cookie_secure else "parecer",
        SESSION_COOKIE_SECURE=settings.cookie_secure,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_IDLE_SECONDS=settings.session_idle_minutes * 60,
        SESSION_SECONDS=settings.session_hours * 3600,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.session_hours),
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_CHECK_DEFAULT=False,  # auth.enforce checks it, for pages
        PRIVATE_BIND=settings.private_bind,
        PRIVATE_ACCOUNT=settings.private_account,
        VERSION=settings.version,
        CACHE_TYPE="SimpleCache",
        CACHE_THRESHOLD=500,  # once full it sorts all its entries at every write: keep it small
        BOOTSTRAP_SERVE_LOCAL=True,
        BASE_URL=f"http://{settings.host}:{settings.port}",
        DEMO=settings.demo,
        METRICS_TOKEN=settings.metrics_token.get_secret_value(),
    )
    app.session_interface = PageSessions()


class PageSessions(SecureCookieSessionInterface):
    """Sessions for pages only: programs show a token, so their requests are spared the cookie's signature."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        programs = request.path.startswith("/api/") and not request.path.endswith("/openapi.json")
        if programs or wire.refusal(request.path) is not None:
            return NullSession()  # what Flask itself puts where there is none
        return super().open_session(app, request)


def _open_desk(app: Flask, settings: Settings) -> None:
    url = make_url(settings.database)
    sqlite = url.get_backend_name() == "sqlite"
    lock = WriteLock(Path(f"{url.database}.lock") if sqlite else None)
    with app.app_context():
        engine = db.engine
    app.extensions["panic"] = lambda: None  # a web worker puts its way out here: gunicorn.conf.py

    def panic() -> None:
        app.extensions["panic"]()

    prepare(engine, panic)
    store, watch, answers = Store(settings.store), Watch(engine), AnswerCache()
    watch.erased = answers.forget
    runtime, meters = Runtime(store), Meters(brief_lock())
    app.extensions["write_lock"] = lock
    app.extensions["follow"] = _follow(app)
    app.extensions["leader"] = Leader(engine, Path(f"{url.database}.sealer") if sqlite else None)
    app.extensions["installation"] = Installation(
        settings.data_dir,
        settings.database,
        settings.store,
        settings.version,
        settings.secret_key.get_secret_value(),
    )
    app.extensions["desk"] = desk = Desk(
        store=store,
        runtime=runtime,
        commits=GroupCommit(engine, lock, watch, panic, signal, meters.committed),
        watch=watch,
        resolver=Resolver(store, runtime, watch, offload),
        quota=Quota(settings.rate_limit, settings.workers),
        addresses=Quota(settings.rate_limit_address, settings.workers, "address"),
        answers=answers,
        failures=Tally(_later(app)),
        workshop=Workshop(
            settings.jobs,
            Queue(settings.queue_url, settings.data_dir),
            settings.max_upload_bytes,
            Limits(settings.publish_memory_mb * 2**20, settings.publish_seconds),
        ),
        seen=Seen(_later(app)),
        seals=Seals(
            Keyring(settings.data_dir / "keys" / "sealing", settings.seal_key.get_secret_value()),
            settings.seal_seconds,
        ),
        anchors=Places(
            settings.anchor_file,
            settings.anchor_email,
            settings.anchor_webhook,
            settings.smtp_url.get_secret_value(),
            settings.mail_from,
        ),
        journal=Journal(settings.erasures),
        repeats=Repeats(_later(app)),
        meters=meters,
        max_rows=settings.max_rows,
        default_model=settings.default_model,
        offload=offload,
    )
    desk.repeats.work = partial(repeat, desk)


def _follow(app: Flask) -> Callable[[], None]:
    """What starts a thread that follows the registry; only who serves for long has a use for it."""

    def follow() -> None:
        warming = Warming(app.extensions["desk"])
        while True:
            try:
                with app.app_context():
                    failed = warming.look()
                for detail in failed:
                    observability.log.error("version not loaded", detail=detail)
            except Exception as error:  # noqa: BLE001 - the database may be away for a while
                observability.log.error("warming", error=repr(error))
            time.sleep(FOLLOW_SECONDS)

    return lambda: threading.Thread(target=follow, daemon=True).start()


def _later(app: Flask) -> Callable[[float, Callable[[], None]], None]:
    def later(seconds: float, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                with app.app_context():
                    work()
            except Exception as error:  # noqa: BLE001 - the edge of a thread: nobody else would tell
                observability.log.error("put off", error=repr(error))

        timer = threading.Timer(seconds, run)
        timer.daemon = True
        timer.start()

    return later


def _answer_error(error: Exception) -> Response:
    error = _tame(error)
    if isinstance(request.routing_exception, BadHost):
        return doors.problem_response(error)  # no address can be made for this host, so no page either
    if (refuse := wire.refusal(request.path)) is not None:
        return refuse(error)
    page = request.blueprint not in ("api", "probes") and not request.path.startswith("/api/")
    return web.error_page(error) if page else doors.problem_response(error)


def _tame(error: Exception) -> Exception:
    """Log what nobody expected, and leave an error that may be told."""
    if isinstance(error, OperationalError | PoolTimeout):
        observability.log.error("database", exc_info=error)
        return NotReady(said("The database does not answer; try again in a moment."), 2)
    if type(error).__module__ == "gunicorn.http.errors":  # loaded by the server alone
        return Malformed(said("The chunks of the body cannot be read; send it with a Content-Length."))
    if not isinstance(error, AppError | HTTPException):
        observability.log.error("unexpected", exc_info=error)
    return error
