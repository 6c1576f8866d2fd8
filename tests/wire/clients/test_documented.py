"""The page for clients: what stands there runs as it stands."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from config import ROOT
from tests.conftest import need
from tests.server import Server
from tests.wire.clients.environment import environment, run

PAGE = (ROOT / "docs" / "how-to" / "clients.md").read_text()
SECTION = re.compile(r"^## (.+)\n((?:(?!^## ).*\n)*)", re.MULTILINE)
BLOCK = re.compile(r"^```(sh|python|js)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
#: Section → the environment whose client it is about; the others need nothing but ours.
CLIENTS = {
    "tritonclient": "tritonclient",
    "KServe": "kserve",
    "MLServer": "mlserver",
    "Open Inference": "open-inference",
    "MLflow": "mlflow",
    "pydantic-open-inference": "open-inference",
}
#: Clients that show no token.
PRIVATE = {"MLflow", "pydantic-open-inference"}
INTERPRETER = {"sh": "bash", "python": "python", "js": "node"}
SUFFIX = {"sh": "sh", "python": "py", "js": "mjs"}


class Snippet(NamedTuple):
    section: str
    language: str
    code: str


SNIPPETS = [
    Snippet(title, language, code)
    for title, text in SECTION.findall(PAGE)
    for language, code in BLOCK.findall(text)
]


def execute(snippet: Snippet, folder: Path, address: str, token: str, client: str = "") -> str:
    """Run a snippet as it stands; what it printed."""
    python = environment(client) if client else Path(sys.executable)
    program = "python" if snippet.language == "python" else INTERPRETER[snippet.language]
    if shutil.which(program) is None:
        need(f"{program} is not there; install it with: apt-get install nodejs")
    file = folder / f"snippet.{SUFFIX[snippet.language]}"
    file.write_text(snippet.code)
    ours = {} if client else {"PYTHONPATH": str(ROOT / "client" / "src")}
    done = run(python, program, file, folder=folder, PARECER_URL=address, PARECER_TOKEN=token, **ours)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda s: f"{s.section}, {s.language}")
def test_what_the_page_shows_runs_as_it_stands(
    snippet: Snippet, server: Server, private: str, tmp_path: Path
) -> None:
    client, quiet = CLIENTS.get(snippet.section, ""), snippet.section in PRIVATE
    address, token = (private, "") if quiet else (server.address, server.login("alice"))
    told = execute(snippet, tmp_path, address, token, client)
    assert ("yes" if '"purchase"' in snippet.code else "setosa") in told
