"""Starting twice at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from config import Settings
from tests.conftest import close
from webapp import preparation
from webapp.app import create_app


def test_two_first_starts_at_once_publish_the_demo_models_once(
    backend_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[str] = []

    def publish() -> None:
        time.sleep(0.3)
        published.append("iris")

    monkeypatch.setattr(preparation, "publish_demos", publish)
    monkeypatch.setattr(preparation.registry, "list_models", lambda *_: list(published))
    apps = [create_app(backend_settings()) for _ in range(2)]
    threads = [
        threading.Thread(
            target=preparation.prepare, args=[app, tmp_path / "prepare.lock"], kwargs={"demos": True}
        )
        for app in apps
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    for app in apps:
        close(app)
    assert published == ["iris"]
