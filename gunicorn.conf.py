"""How the web server runs; `config.py` holds the settings it reads."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from config import ROOT, load
from webapp import lines
from webapp.errors import Conflict
from webapp.ml.memory import bound_memory
from webapp.services.backups.serving import Serving

LEAVE_SECONDS = 3

os.umask(0o077)  # the database and its WAL are nobody else's to read, whatever folder they are in
settings = load()


def make_counts() -> str:
    """A new folder for the counters, in memory where there is any."""
    # Workers map their counters into memory: a new one on a full disk would kill its worker, so they live off it.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - mkdtemp makes it safe
    return tempfile.mkdtemp(prefix="parecer-metrics-", dir=memory)


if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:  # kept over a reload
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = make_counts()

logconfig_dict = lines.gunicorn(settings.log_level)
lines.tell_crashes()
bind = [f"{settings.host}:{settings.port}"]
if settings.private_bind:
    bind.append(settings.private_bind)
workers = settings.workers
worker_class = "webapp.worker.Worker"
worker_connections = 1000
keepalive = 30
timeout = 60
graceful_timeout = 25
chdir = str(ROOT)
control_socket_disable = True
limit_request_line = 8190
# Nobody is believed here, this machine included: PROXIES says how many proxies the application believes.
forwarded_allow_ips = ""
forwarder_headers = ""


def pre_fork(_server: object, _worker: object) -> None:
    """Make the folder of counters again where it was cleared away, as systemd does when an account logs out."""
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    with suppress(OSError):  # better uncounted than unserved
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        # Not ours: somebody else made it in the meantime, and may have laid links in it.
        if folder.lstat().st_uid not in (0, os.geteuid()):
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = make_counts()


def on_starting(server: Any) -> None:
    """Take part in the lock that a restore needs for itself; workers inherit it, and hold it until the last ends."""
    try:
        server.serving = Serving(settings.data_dir)
    except Conflict as error:
        sys.stderr.write(f"{error.detail}\n")
        raise SystemExit(2) from None


def when_ready(server: Any) -> None:
    """Start the worker for batches, and what keeps it running."""
    if settings.job_worker:
        flask = [sys.executable, "-m", "flask", "--app", "run", "worker", "--attached"]
        keeper = [sys.executable, "-m", "webapp.keeper", *flask]
        server.keeper = subprocess.Popen(keeper, cwd=ROOT)  # noqa: S603 - our own interpreter and files


def on_exit(server: Any) -> None:
    """Let the worker for batches finish what it has in hand, and forget the counters."""
    if keeper := getattr(server, "keeper", None):
        keeper.terminate()
        with suppress(subprocess.TimeoutExpired):
            keeper.wait(LEAVE_SECONDS + graceful_timeout)
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def post_worker_init(worker: Any) -> None:
    """Let a worker load what is promoted, and leave when the disk has failed it: its successor opens that anew."""

    def leave() -> None:
        worker.log.error("The disk has failed; worker %s leaves", worker.pid)
        os.kill(os.getpid(), signal.SIGTERM)  # no new connections; who waits now is told 503
        signal.alarm(LEAVE_SECONDS)  # an idle connection must not keep us longer; nothing handles this signal

    worker.wsgi.extensions["panic"] = leave
    worker.wsgi.extensions["follow"]()
    worker.wsgi.extensions["meter_reader"].follow("web")
    worker.wsgi.extensions["tracing"].start(settings.version)
    if settings.max_wait_seconds:
        # With Flask, which must not be loaded before gevent has its way.
        from webapp.admission import Admission

        worker.wsgi = Admission(worker.wsgi, settings.max_wait_seconds)
    bound_memory()
    # What is loaded by now stays; looking through it again and again for garbage cost a third of the speed.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def worker_exit(_server: object, worker: Any) -> None:
    """Count and send what has not been yet."""
    if application := worker.app.callable:  # none, where it never came so far
        application.extensions["meter_reader"].read()
        application.extensions["tracing"].stop()


def child_exit(_server: object, worker: object) -> None:
    """Let go of a dead worker's live gauges."""
    from prometheus_client import multiprocess  # reads PROMETHEUS_MULTIPROC_DIR when imported

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[attr-defined]
