"""No text is left in English by mistake: catalogues are whole, and templates hold no bare words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from jinja2 import Environment, nodes

from config import ROOT
from tests.texts import LETTERS, texts
from tests.write_translations import CATALOGUES, as_mo, as_po, lacking, read, updated

#: Pages of the API are for programmers, and in English like the API itself.
TEMPLATES = sorted(p for p in (ROOT / "templates").rglob("*.html") if p.parent.name != "api")
PLACEHOLDER = re.compile(r"%\((\w+)\)s|\{(\w+)\}|(%%)")
#: The same in every language.
NAMES = {"Parecer", "UTC", "SHA-256", "SHA", "Id", "API", "CSV", "PDF", "JSON", "v", "TOTP", "ms"}
NAMES |= {"Parquet", "Windows-1252", "Latin-1", "bytes", "CP1252", "lines", "verify_record", "py"}
JINJA = Environment(extensions=["jinja2.ext.i18n"])
TRANSLATE = {"_", "gettext", "ngettext"}
#: Kept in a variable, for a tag further down.
ATTRIBUTES = re.compile(r'[\w-]+="[^"]*"')
WORDS = re.compile(r"[A-Z][a-z]")


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda p: p.parent.parent.name)
def test_a_catalogue_holds_every_text_of_the_code(path: Path) -> None:
    kept = read(path)
    assert path.read_bytes() == as_po(updated(path)), "run: make translations"
    assert lacking(kept) == []
    assert path.with_suffix(".mo").read_bytes() == as_mo(kept), "run: make translations"


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda p: p.parent.parent.name)
def test_a_translation_fills_in_what_its_text_does(path: Path) -> None:
    assert [m.id for m in _messages(read(path)) if _unlike(m)] == []


def _messages(catalogue: Catalog) -> Iterator[Message]:
    return (m for m in catalogue if m.id)


def _unlike(message: Message) -> bool:
    texts = message.id if isinstance(message.id, tuple) else (message.id,)
    told = message.string if isinstance(message.string, tuple) else (message.string,)
    wanted = set().union(*map(_placeholders, texts))
    # A plural form for one may leave its number out, in either language.
    optional = {"n", "num", "bad"} if len(texts) > 1 else set()
    return any(_placeholders(t) | optional != wanted | optional for t in told)


def _placeholders(text: str) -> set[str]:
    return {"".join(found) for found in PLACEHOLDER.findall(text)}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: str(p.relative_to(ROOT / "templates")))
def test_a_template_has_no_words_of_its_own(path: Path) -> None:
    source = path.read_text()
    bare = [f"{line}: {text.strip()}" for line, text in texts(_shown(source)) if _words(text)]
    quoted = [f"{line}: {text}" for line, text in _quoted(JINJA.parse(source))]
    assert bare + quoted == []


def _words(text: str) -> list[str]:
    text = ATTRIBUTES.sub("", text)
    return [w for w in re.findall(r"[^\W\d_][\w-]*", text) if w not in NAMES]


def _shown(source: str) -> str:
    """The template without its statements, expressions replaced by the bare strings that they may put out."""
    parts, expression, inside, trans = [], "", False, False
    for _line, kind, value in JINJA.lexer.tokeniter(source, None):
        if kind == "variable_begin":
            expression, inside = "", True
        elif kind == "variable_end":
            inside = False
            parts.append(" ".join(_put_out(JINJA.parse("{{" + expression + "}}").body[0].nodes[0])))  # type: ignore[attr-defined]
        elif inside:
            expression += value
        elif kind == "block_begin":
            statement = ""
        elif kind == "block_end":
            word = statement.split()[0]
            trans = word == "trans" or (trans and word != "endtrans")
        elif kind == "data":
            parts.append("\n" * value.count("\n") if trans else value)
        elif kind not in ("comment_begin", "comment", "comment_end"):
            statement += value
    return "".join(parts)


def _put_out(node: nodes.Node) -> list[str]:
    if isinstance(node, nodes.Const):
        return [str(node.value)] if isinstance(node.value, str) and LETTERS.search(node.value) else []
    parts: Iterable[nodes.Node | None] = ()
    if isinstance(node, nodes.CondExpr):
        parts = (node.expr1, node.expr2)
    elif isinstance(node, nodes.Concat):
        parts = node.nodes
    elif isinstance(node, (nodes.Or, nodes.And)):
        parts = (node.left, node.right)
    return [text for part in parts if part is not None for text in _put_out(part)]


def _quoted(node: nodes.Node) -> Iterator[tuple[int, str]]:
    """Strings in statements and expressions that read like words, and are handed on untranslated."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in TRANSLATE:
        return
    text = node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else ""
    if WORDS.search(text) and _words(text) and not text.startswith("curl "):
        yield node.lineno, text
    for child in node.iter_child_nodes():
        yield from _quoted(child)
