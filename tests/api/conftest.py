from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import close, settings
from webapp.app import create_app
from webapp.db import User
from webapp.db.base import transaction
from webapp.services import passwords, registry


@pytest.fixture(scope="session")
def furnished(sqlite_seed: Path, packages: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded installation where what the examples of the description speak of exists: maria, and versions 2."""
    folder = tmp_path_factory.mktemp("furnished") / "data"
    shutil.copytree(sqlite_seed, folder)
    app = create_app(settings(folder))
    with app.app_context():
        hashed = passwords.hash_password("correct horse battery staple")
        with transaction() as s:
            s.add(User(username="maria", role="analyst", password_hash=hashed, created_us=1))
        for name, (_, made) in packages.items():
            registry.publish(app.extensions["desk"].store, made, name=name, title="")
    close(app)
    return folder
