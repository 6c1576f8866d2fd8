"""The queue: each message once, to whoever asks, and nothing in it that could run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from webapp.services.queue import Queue


@pytest.fixture
def queues(app: Flask, backend: str, tmp_path: Path) -> Iterator[tuple[Queue, Queue]]:
    """Two processes' ends of one queue."""
    url = "" if backend == "sqlite" else app.config["SQLALCHEMY_DATABASE_URI"]
    ends = Queue(url, tmp_path / "queue"), Queue(url, tmp_path / "queue")
    yield ends
    for end in ends:
        end.close()


def test_a_job_reaches_one_worker_once(queues: tuple[Queue, Queue]) -> None:
    web, worker = queues
    done: list[str] = []
    assert not worker.serve(done.append)
    web.put("job_1")
    web.put("job_2")
    assert worker.serve(done.append) and web.serve(done.append)
    assert not worker.serve(done.append)
    assert sorted(done) == ["job_1", "job_2"]


def test_messages_are_json(queues: tuple[Queue, Queue]) -> None:
    web, _ = queues
    web.put("job_1")
    huey, _ = web._huey()
    [data] = huey.storage.enqueued_items()
    message = json.loads(bytes(data))
    assert message[1].endswith("job") and message[6] == ["job_1"]


def test_what_is_no_message_of_ours_runs_nothing(queues: tuple[Queue, Queue]) -> None:
    web, worker = queues
    huey, _ = web._huey()
    huey.storage.enqueue(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(json.JSONDecodeError):
        worker.serve(print)
    web.put("job_1")
    done: list[str] = []
    worker.serve(done.append)
    assert done == ["job_1"]
