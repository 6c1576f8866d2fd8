"""The files of the container image agree with the code; nothing is built here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from config import ROOT, VERSION, Settings
from webapp.api.docs import ASSETS
from webapp.web.assets import FROM_PACKAGES

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()
FIXED = {"HOST", "PORT", "DATA_DIR", "MODEL_STORE", "DATABASE_URL", "JOB_WORKER"}


def shown(default: Any) -> str:
    """A default as it is written into a settings file; secrets and folders are left empty."""
    if isinstance(default, SecretStr | Path) or default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_the_example_names_every_setting_with_its_help_and_default() -> None:
    wanted = [
        f"# {field.description}\n#{name.upper()}={shown(field.default)}\n"
        for name, field in Settings.model_fields.items()
    ]
    head, *found = (ROOT / ".env.example").read_text().split("\n\n")
    assert head.startswith("# Copy to .env")
    assert "\n".join(wanted).rstrip() == "\n\n".join(found).rstrip()


def test_the_example_changes_nothing_as_it_stands() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_compose_hands_every_setting_through_but_those_it_decides() -> None:
    environment = yaml.safe_load(COMPOSE)["services"]["app"]["environment"]
    handed = {name for name, value in environment.items() if value is None}
    assert handed == {name.upper() for name in Settings.model_fields} - FIXED


def test_compose_runs_the_worker_for_itself() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    app, worker = services["app"], services["worker"]
    assert app["environment"]["JOB_WORKER"] == "false" and worker["command"][-1] == "worker"
    assert (worker["image"], worker["volumes"]) == (app["image"], app["volumes"])


def test_compose_has_no_password_of_its_own() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    for value in (
        services["app"]["environment"]["PGPASSWORD"],
        services["database"]["environment"]["POSTGRES_PASSWORD"],
    ):
        assert value.startswith("${POSTGRES_PASSWORD:?")


def test_compose_waits_for_a_healthy_database() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    assert services["app"]["depends_on"]["database"]["condition"] == "service_healthy"
    assert "pg_isready" in services["database"]["healthcheck"]["test"]


def test_the_image_runs_as_an_account_that_is_not_root() -> None:
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]


def test_the_label_tells_the_version() -> None:
    assert f'org.opencontainers.image.version="{VERSION}"' in DOCKERFILE


@pytest.mark.parametrize("package", ["plotly", "offapi"])
def test_nothing_imports_a_library_that_the_image_holds_as_files_only(package: str) -> None:
    sources = [path.read_text() for path in (ROOT / "webapp").rglob("*.py")]
    assert not [s for s in sources if re.search(rf"^\s*(import|from) {package}\b", s, re.MULTILINE)]


def test_every_bootstrap_file_that_a_page_loads_is_in_the_image() -> None:
    named = [inside for package, inside in FROM_PACKAGES.values() if package == "flask_bootstrap"]
    assert named
    assert [name for name in named if f"*/{name.removeprefix('static/')}'" not in DOCKERFILE] == []


def test_every_file_of_the_api_page_is_in_the_image() -> None:
    assert all(name.startswith("swagger_") for name in ASSETS)


def test_the_build_sees_what_the_program_is_made_of_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    seen = {line[1:] for line in lines if line.startswith("!")}
    assert lines[0] == "*"
    assert seen == {
        *("config.py", "gunicorn.conf.py", "run.py", "pyproject.toml", "uv.lock"),
        *("migrations", "static", "templates", "webapp"),
    }
