"""The client stands alone."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator

from config import ROOT, VERSION

CLIENT = ROOT / "client"
SOURCES = sorted((CLIENT / "src" / "parecer_client").glob("*.py"))
PROJECT = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
#: Their packages bring these along, or have another name than the module.
BROUGHT = {"numpy": "pandas", "urllib3": "requests", "sklearn": "scikit-learn"}
#: Each takes a second to import, or is not there where somebody only predicts.
LATE = {"sklearn", "skops", "pyarrow"}


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_it_imports_only_what_it_says_it_needs() -> None:
    needs = {requirement.partition(">")[0] for requirement in PROJECT["dependencies"]}
    used = set().union(*(imported(ast.walk(ast.parse(path.read_text()))) for path in SOURCES))
    others = used - set(sys.stdlib_module_names) - {"parecer_client"}
    assert {BROUGHT.get(name, name) for name in others} <= needs


def test_what_only_publishing_needs_is_imported_when_something_is_published() -> None:
    at_once = set().union(*(imported(iter(ast.parse(path.read_text()).body)) for path in SOURCES))
    assert at_once & LATE == set()


def test_it_has_the_version_of_the_desk() -> None:
    assert PROJECT["version"] == VERSION
