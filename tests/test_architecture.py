"""The arrows between the rooms; everything that is not drawn here is forbidden."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: What every room may import: how sentences are kept sayable in other languages.
EVERYWHERE = {"wording"}
FOUNDATION = {"services", "auth", "doors", "errors", "extensions"}
ALLOWED = {
    "app": FOUNDATION | {"web", "api", "wire", "cli", "headers", "lane", "observability", "ml", "db"},
    "admission": {"auth", "doors", "errors", "headers", "observability", "wire", "worker"},
    "preparation": {"services", "ml", "db", "doors", "extensions"},
    "web": FOUNDATION | {"ml.schema"},
    "api": FOUNDATION | {"headers", "lane"},
    "wire": FOUNDATION | {"lane", "ml.schema"},
    "cli": {"services", "errors", "auth", "doors", "lines", "ml", "preparation", "extensions"},
    "lane": {"auth", "doors", "errors", "headers", "observability", "services"},
    "observability": {"doors", "errors", "extensions", "services"},
    "auth": {"services", "doors", "errors", "extensions"},
    "doors": {"services", "errors", "headers"},
    "headers": set(),
    "services": {"db", "ml", "errors", "extensions"},
    "db": {"extensions", "errors"},
    "ml": {"errors"},
    "extensions": set(),
    "errors": set(),
    "keeper": set(),
    "lines": set(),
    "worker": set(),
    "wording": set(),
}
KEPT_OUT = {
    "ml": {"flask", "sqlalchemy", "flask_sqlalchemy", "datetime"},
    "services": {"flask", "flask_login", "flask_jwt_extended", "flask_wtf"},
    "db": {"flask_login"},
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / "webapp").rglob("*.py")):
        name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        if name != "webapp":
            yield name, ast.parse(path.read_text())


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                part = f"{node.module}.{alias.name}"
                yield part if is_module(part) else node.module


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def room(name: str) -> str:
    return name.split(".")[1] if name.count(".") else ""


def test_every_import_follows_an_arrow() -> None:
    wrong = []
    for name, tree in modules():
        allowed = ALLOWED[room(name)] | EVERYWHERE
        for target in imported(tree):
            if target.startswith("webapp.") and room(target) != room(name):
                inside = target.removeprefix("webapp.")
                if not any(inside == a or inside.startswith(f"{a}.") for a in allowed):
                    wrong.append(f"{name} -> {target}")
    assert wrong == []


def test_frameworks_stay_in_their_rooms() -> None:
    wrong = [
        f"{name} -> {target}"
        for name, tree in modules()
        for target in imported(tree)
        if target.split(".")[0] in KEPT_OUT.get(room(name), ())
    ]
    assert wrong == []


def test_nothing_of_ours_is_imported_inside_a_function() -> None:
    wrong = [
        f"{name}:{function.name}"
        for name, tree in modules()
        if room(name) != "preparation"  # brings scikit-learn, which a later start does not need
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for target in imported(function)
        if target.startswith("webapp")
    ]
    assert wrong == []


def test_no_file_imports_itself_through_others() -> None:
    graph = {name: {t for t in imported(tree) if t != name} for name, tree in modules()}
    graph = {name: targets & graph.keys() for name, targets in graph.items()}
    while leaves := [name for name, targets in graph.items() if not targets]:
        for leaf in leaves:
            del graph[leaf]
        graph = {name: targets - set(leaves) for name, targets in graph.items()}
    assert sorted(graph) == []
