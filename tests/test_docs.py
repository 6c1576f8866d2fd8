"""The docs name everything there is, and point nowhere in vain."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest
from flask import Flask
from prometheus_client import REGISTRY

from config import ROOT, VERSION
from tests import write_settings
from tests.test_architecture import ALLOWED
from webapp import auth, doors
from webapp.ml.schema import Feature, Output
from webapp.services import registry

REFERENCE = ROOT / "docs" / "reference"
TRACKED = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
FLASK_OWN = {"routes", "run", "shell"}
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
BLOCK = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ONE_MACHINE = re.compile(rf"{re.escape(str(ROOT))}|/home/\w|/Users/\w")


def files(*suffixes: str) -> list[str]:
    listed = subprocess.run(TRACKED, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [f for f in listed if f.endswith(suffixes) and (ROOT / f).is_file()]


def said(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text()


def test_the_page_of_settings_is_the_one_that_config_gives() -> None:
    assert write_settings.PAGE.read_text() == write_settings.page(), "run: python -m tests.write_settings"


def blocks(page: str, language: str = "") -> list[str]:
    return [text for kind, text in BLOCK.findall(page) if kind == language]


def commands(app: Flask) -> Iterator[tuple[str, click.Command]]:
    for name, group in app.cli.commands.items():
        if isinstance(group, click.Group):
            yield from ((f"{name} {inner}", command) for inner, command in group.commands.items())
        elif name not in FLASK_OWN:
            yield name, group


def test_every_command_and_option_is_described(app: Flask) -> None:
    sections = {s.partition("\n")[0]: s for s in said("commands").split("\n### ")[1:]}
    missing = []
    for name, command in commands(app):
        section = next((s for title, s in sections.items() if f"{title} ".startswith(f"{name} ")), "")
        words = [o for p in command.params if isinstance(p, click.Option) for o in p.opts]
        missing += [name] if not section else [f"{name} {w}" for w in words if f"`{w}" not in section]
    assert missing == []


def test_every_command_has_an_example(app: Flask) -> None:
    examples = "".join(blocks(said("commands")))
    assert [name for name, _ in commands(app) if f"flask --app run {name}" not in examples] == []


def publish_as_shown(app: Flask, page: str, **beside: str) -> str:
    """Publish with the tutorial's model and the command of `page`; `beside` is the JSON files it names."""
    tutorial = (ROOT / "docs" / "tutorial.md").read_text()
    exec(blocks(tutorial, "python")[0], {})
    for name, text in beside.items():
        Path(f"{name}.json").write_text(text)
    line = next(block for block in blocks(page) if "model publish" in block)
    words = shlex.split(line.partition("run ")[2].replace("\\\n", " "))
    result = app.test_cli_runner().invoke(args=words)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_tutorial_publishes_a_model(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "tutorial.md").read_text()
    told = publish_as_shown(app, page, **{"wine-card": blocks(page, "json")[0]})
    assert [line.partition("SHA-256 ")[0] for line in told.splitlines()] == [
        line.partition("SHA-256 ")[0] for line in blocks(page)[-1].splitlines()
    ]
    shown = registry.describe(app.extensions["desk"].store, "wine", actor=None)
    assert shown.manifest["metrics"]["on"] == "test data" and shown.manifest["n_rows"] == 133
    assert [c.value for c in shown.schema.output.classes] == ["class_0", "class_1", "class_2"]


def test_the_example_of_card_and_schema_is_published(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    card, schema = blocks(said("commands"), "json")
    publish_as_shown(app, said("commands"), card=card, schema=schema)
    shown = registry.describe(app.extensions["desk"].store, "wine", actor=None)
    assert (shown.title, shown.schema.features[0].unit) == ("Wine", "% vol")
    assert shown.schema.output.classes[0].label == "Barolo"
    assert set(json.loads(card)) == set(shown.manifest["card"])


def test_every_member_of_a_schema_file_is_described() -> None:
    page = said("commands").partition("#### The file of --schema")[2]
    own = {"name", "learned", "target", "probabilities"}  # the model's and the sample's, not to be edited
    members = {f.name for of in (Feature, Output) for f in fields(of)} - own
    assert [name for name in sorted(members) if f"`{name}`" not in page] == []


def test_every_target_of_make_is_described() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [t for t in targets if f"`make {t}`" not in said("commands")] == []


@pytest.mark.parametrize(("page", "faces"), [("api", {"api", "probes"}), ("wire", auth.WIRE_FACES)])
def test_every_route_for_programs_is_described(app: Flask, page: str, faces: set[str]) -> None:
    routes = [
        f"`{method} {rule.rule}`"
        for rule in app.url_map.iter_rules()
        if rule.endpoint.split(".")[0] in faces
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    assert routes and [route for route in routes if route not in said(page)] == []


def test_every_error_type_is_described_with_its_status() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", said("api"), re.MULTILINE))
    known = [*doors.STATUS.values(), doors.UNEXPECTED, doors.METHOD]
    assert rows == {status.slug: str(status.code) for status in known}


def test_every_metric_is_described() -> None:
    page = said("metrics")
    ours = [m.name for m in REGISTRY.collect() if m.name.startswith("parecer")]
    assert ours and [name for name in ours if f"`{name}" not in page] == []


def test_the_arrows_are_drawn_as_they_are_tested() -> None:
    drawn = re.findall(r"^([a-z]+) +→ (.*)$", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    tested = {room: ", ".join(sorted(allowed)) or "nothing of ours" for room, allowed in ALLOWED.items()}
    assert dict(drawn) == tested


def anchors(text: str) -> set[str]:
    """The anchors that headings get: small letters, hyphens for spaces, other signs dropped."""
    titles = re.findall(r"^#+ (.+)$", CODE.sub(lambda m: m[0].strip("`"), text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", files(".md"))
def test_every_link_leads_somewhere(name: str) -> None:
    page, wrong = ROOT / name, []
    for link in LINK.findall(CODE.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            wrong.append(link)
    assert wrong == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text())}
    pages = [ROOT / f for f in files(".md") if f.startswith("docs/")]
    assert [str(p) for p in pages if p != index and p not in linked] == []


def outline(page: str) -> dict[str, list[str]]:
    """What does not depend on the language of a page: its commands, links, headings' depths and figures."""
    prose = CODE.sub("", page)
    figures = re.findall(r"\d+(?:\.\d+)*", prose.replace(",", "."))
    return {
        "commands": sorted(CODE.findall(page)),
        "links": sorted(link for link in LINK.findall(page) if not link.startswith("README")),
        "headings": re.findall(r"^#+", prose, re.MULTILINE),
        "figures": sorted(figures),
    }


def test_the_readme_says_the_same_in_portuguese() -> None:
    english, portuguese = ((ROOT / f"README{suffix}.md").read_text() for suffix in ("", ".pt-BR"))
    assert outline(english) == outline(portuguese)
    assert "](README.pt-BR.md)" in english and "](README.md)" in portuguese


def test_there_is_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    newest = re.findall(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert project == newest == VERSION


def test_no_file_names_a_place_on_one_machine() -> None:
    texts = {f: (ROOT / f).read_text() for f in files(".md", ".html", ".toml", ".py", ".js", ".yaml")}
    assert [f for f, text in texts.items() if f != "tests/test_docs.py" and ONE_MACHINE.search(text)] == []
