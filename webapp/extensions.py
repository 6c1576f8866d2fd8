"""Bare extension objects, bound to an application in app.py."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask_babel import Babel
from flask_bootstrap import Bootstrap5
from flask_caching import Cache
from flask_jwt_extended import JWTManager
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

T = TypeVar("T")


class Base(DeclarativeBase):
    """Every table's base; constraint names are spelled out so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


babel = Babel()
db = SQLAlchemy(model_class=Base)
bootstrap = Bootstrap5()
cache = Cache()
csrf = CSRFProtect()
jwt = JWTManager()
login = LoginManager()


def on_gevent() -> bool:
    """Whether gevent runs this process, so that threads are greenlets."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def offload(work: Callable[..., T], *args: Any) -> T:
    """Run slow work without holding up the event loop: in gevent's native threads where gevent is in charge."""
    if not on_gevent():
        return work(*args)
    return cast(T, sys.modules["gevent"].get_hub().threadpool.apply(work, args))


def signal() -> Any:
    """Something to wait on until it is set."""
    return sys.modules["gevent.event"].Event() if on_gevent() else threading.Event()


def brief_lock() -> Any:
    """A lock for a few lines that never wait: gevent's own costs three times as much."""
    if not on_gevent():
        return threading.Lock()
    return sys.modules["gevent.monkey"].get_original("_thread", "allocate_lock")()
