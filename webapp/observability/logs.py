"""Our own log lines: JSON on standard output."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from flask import g, has_app_context
from structlog.typing import EventDict

log = structlog.get_logger("parecer")
_lines = structlog.BytesLogger()
_log_requests = False


def configure_logging(level: str) -> None:
    """JSON lines on standard output; those of a request name it."""
    global _log_requests
    number = logging.getLevelNamesMapping()[level]
    _log_requests = number <= logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _name_request,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(
                serializer=lambda value, **_: orjson.dumps(value, default=str).decode()
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )


def write_request(facts: dict[str, Any]) -> None:
    """The line of one answered request; straight to JSON, for there is one for every prediction."""
    if _log_requests:
        line = {"event": "request", "timestamp": datetime.now(UTC), "level": "info", **facts}
        _lines.msg(orjson.dumps(line, option=orjson.OPT_UTC_Z))


def _name_request(_logger: Any, _method: str, line: EventDict) -> EventDict:
    if has_app_context() and (request_id := g.get("request_id")):
        line.setdefault("request_id", request_id)
    return line
