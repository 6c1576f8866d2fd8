"""Lines of libraries as JSON, whatever goes wrong."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from config import ROOT
from webapp import lines
from webapp.worker import _log_exception


def formatted(message: str, *args: Any, **how: Any) -> dict[str, Any]:
    record = logging.LogRecord("gunicorn.error", logging.WARNING, "", 0, message, args, how.get("exc_info"))
    line = lines.JsonLines().format(record)
    assert "\n" not in line
    told: dict[str, Any] = json.loads(line)
    return told


def test_a_line_has_what_readers_of_logs_sort_by() -> None:
    told = formatted("Worker (pid:%s) exited", 7)
    assert (told["event"], told["level"], told["logger"]) == (
        "Worker (pid:7) exited",
        "warning",
        "gunicorn.error",
    )
    assert told["timestamp"].endswith("Z") and told["pid"] > 0


@pytest.mark.parametrize(
    "message", ["Invalid request from ip=192.0.2.1: CANARY", "Error handling request %s %s", "\udcff torn"]
)
def test_what_a_client_has_sent_is_left_out(message: str) -> None:
    args = ("GET", "/?CANARY") if "%s" in message else ()
    assert "CANARY" not in json.dumps(formatted(message, *args))


def run(code: str) -> list[dict[str, Any]]:
    """What a process that runs `code` has written, each line read as JSON."""
    whole = f"from webapp import lines; lines.write_json('INFO'); lines.tell_crashes()\n{code}"
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", whole], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_whatever_ends_a_process_or_warns_in_it_is_one_line() -> None:
    told = run(
        "import threading, warnings, logging\n"
        "warnings.warn('old')\n"
        "logging.getLogger('library').info('unasked')\n"
        "logging.getLogger('library').error('two\\nlines')\n"
        "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()\n"
        "raise ValueError('end')\n"
    )
    assert [line["event"].partition("\n")[0][-3:] for line in told] == ["old", "two", "hed", "hed"]
    assert "ZeroDivisionError" in told[2]["exception"] and "ValueError: end" in told[3]["exception"]


def test_a_greenlet_that_crashes_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError("x")
    _log_exception(None, None, ValueError, error, None)
    assert [(r.name, r.getMessage(), r.exc_info[1]) for r in caplog.records if r.exc_info] == [
        ("gevent", "greenlet crashed", error)
    ]
