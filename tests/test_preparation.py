"""Starting: twice at once, and with no more than it takes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from config import ROOT, Settings
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


def test_who_only_serves_imports_no_migrations() -> None:
    code = "import sys, webapp.app; assert not {'alembic', 'mako', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
