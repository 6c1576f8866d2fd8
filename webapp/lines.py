"""Lines of libraries and of the web server as JSON, one object a line, on standard output.

The web server's first process reads this module before anything else of ours, so it imports none of it.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

#: Beginnings of gunicorn's messages that go on with an address or with what a client has sent.
GUARDED = ("Invalid request from", "Error handling request")
_told = logging.getLogger("parecer.process")


class JsonLines(logging.Formatter):
    """A record of Python's logging as one JSON object: event, timestamp, level, logger, pid, and exception."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "event": _event(record),
            "timestamp": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
        }
        if record.exc_info and record.exc_info[0]:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z).decode("utf-8", "replace")


def _event(record: logging.LogRecord) -> str:
    for start in GUARDED:
        if str(record.msg).startswith(start):
            return start
    return record.getMessage().encode("utf-8", "replace").decode()


class Out(logging.StreamHandler[TextIO]):
    """Writes to whatever standard output is at the time."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(JsonLines())

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    @stream.setter
    def stream(self, _stream: TextIO) -> None:
        pass


def write_json(level: str) -> None:
    """Let what libraries log, from warnings on, and what Python warns of leave as JSON."""
    logging.basicConfig(handlers=[Out()], level=max(logging.WARNING, logging.getLevelName(level)), force=True)
    logging.captureWarnings(True)


def tell_crashes() -> None:
    """Let errors that nobody catches leave as JSON, those of threads too."""

    def crashed(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            _told.critical("crashed", exc_info=(kind, error, trace))

    def thread_crashed(args: Any) -> None:
        if not issubclass(args.exc_type, SystemExit):
            _told.error("thread crashed", exc_info=(args.exc_type, args.exc_value, args.exc_traceback))

    sys.excepthook = crashed
    hook: Callable[[Any], Any] = thread_crashed
    threading.excepthook = hook


def gunicorn(level: str) -> dict[str, Any]:
    """What gunicorn takes as `logconfig_dict`."""
    return {
        "formatters": {"json": {"()": JsonLines}},
        "handlers": {"out": {"()": Out}},
        "root": {"level": "WARNING", "handlers": ["out"]},
        "loggers": {
            "gunicorn.error": {
                "level": "INFO" if level == "DEBUG" else level,
                "handlers": ["out"],
                "propagate": False,
            },
            "gunicorn.access": {"level": "CRITICAL", "handlers": ["out"], "propagate": False},
        },
    }
