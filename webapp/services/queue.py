"""Where work waits for a worker: huey over SQLite beside the data, PostgreSQL or Redis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import orjson
from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer
from sqlalchemy import make_url

from webapp.ml.chamber import USUAL, Limits

NAME = "parecer"


class _Json(Serializer):  # type: ignore[misc]
    """Messages as JSON: reading one can run nothing."""

    def _serialize(self, message: Any) -> bytes:
        return orjson.dumps(list(message))

    def _deserialize(self, data: bytes) -> Any:
        return Message(*orjson.loads(bytes(data)))


class Queue:
    """Job ids on their way to a worker. Messages may be lost: whoever looks after jobs sends them again.

    `url` is empty for a SQLite file in `folder`, or that of PostgreSQL or Redis.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._lock = Lock()
        self._open: tuple[Any, Any] | None = None
        self._run: Callable[[str], None] = lambda _job_id: None

    def put(self, job_id: str) -> None:
        """Let a worker know of a job; raises whatever the queue's own server raises."""
        _, task = self._huey()
        task(job_id)

    def serve(self, run: Callable[[str], None]) -> bool:
        """Take one job, if there is any, and `run` it; False when nothing waits."""
        self._run = run
        huey, _ = self._huey()
        message = huey.dequeue()
        if message is None:
            return False
        huey.execute(message)
        return True

    def close(self) -> None:
        """Give the connection back; the next call takes a new one."""
        with self._lock:
            if self._open is not None:
                self._open[0].storage.close()
                self._open = None

    def _huey(self) -> tuple[Any, Any]:
        with self._lock:
            if self._open is None:
                huey = self._make()

                def work(job_id: str) -> None:
                    self._run(job_id)

                self._open = huey, huey.task(name="job")(work)
            return self._open

    def _make(self) -> Huey:
        options = {"results": False, "serializer": _Json()}
        if self._url.startswith("redis"):
            return RedisHuey(NAME, url=self._url, **options)
        if self._url:
            dsn = make_url(self._url).set(drivername="postgresql")
            return PostgresHuey(
                NAME, dsn=dsn.render_as_string(hide_password=False), blocking=False, **options
            )
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Not WAL: Python's own SQLite may be one with its fault, and a queue as small as this gains nothing by it.
        return SqliteHuey(NAME, filename=str(self._folder / "queue.db"), journal_mode="truncate", **options)


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where files are worked on, one folder a job in `folder`; `max_bytes` of one upload.

    `limits` are those of the process that inspects a model.
    """

    folder: Path
    queue: Queue
    max_bytes: int = 2**30
    limits: Limits = USUAL

    def job(self, job_id: str) -> Path:
        """The folder of one job."""
        return self.folder / job_id

    @property
    def incoming(self) -> Path:
        """Where uploads are put until they are whole."""
        return self.folder / "incoming"

    @property
    def workers(self) -> Path:
        """Where living workers hold a file each."""
        return self.folder / "workers"
