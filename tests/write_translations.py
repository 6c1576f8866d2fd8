"""Take the texts of code and templates into the catalogues, and compile them: `python -m tests.write_translations`."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from config import ROOT

CATALOGUES = sorted((ROOT / "webapp" / "translations").glob("*/LC_MESSAGES/messages.po"))
KEYWORDS = {
    "_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "said": None,
    "said_n": (1, 2),
}
JINJA = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}


def extracted() -> Catalog:
    """Every text of the code and the templates."""
    catalogue = Catalog()
    for folder, methods, options in (
        ("webapp", [("**.py", "python")], {}),
        ("templates", [("**.html", "jinja2")], {"**.html": JINJA}),
    ):
        found = extract_from_dir(
            ROOT / folder,
            methods,
            options,
            keywords=KEYWORDS,
            comment_tags=("i18n:",),
            strip_comment_tags=True,
        )
        for _file, _line, message, comments, context in found:
            catalogue.add(message, auto_comments=comments, context=context)
    return catalogue


def read(path: Path) -> Catalog:
    """The catalogue of a language as it is kept."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def updated(path: Path) -> Catalog:
    """The catalogue of a language with the texts of now; those that are gone are dropped."""
    kept = read(path)
    kept.update(extracted(), no_fuzzy_matching=True, update_creation_date=False)
    kept.obsolete.clear()
    return kept


def as_po(catalogue: Catalog) -> bytes:
    """The text of a catalogue, in an order that does not depend on where its texts stand."""
    buffer = BytesIO()
    catalogue.project, catalogue.msgid_bugs_address, catalogue.last_translator = "Parecer", "none", "Parecer"
    write_po(
        buffer,
        catalogue,
        width=110,
        no_location=True,
        omit_header=False,
        sort_output=True,
        ignore_obsolete=True,
    )
    return buffer.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    """A catalogue as gettext reads it."""
    buffer = BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def lacking(catalogue: Catalog) -> list[object]:
    """The texts without a translation."""
    return [m.id for m in catalogue if m.id and (m.fuzzy or not m.string or not all(m.string))]


def main() -> None:
    """Write every catalogue anew, and say what has no translation yet."""
    for path in CATALOGUES:
        catalogue = updated(path)
        path.write_bytes(as_po(catalogue))
        path.with_suffix(".mo").write_bytes(as_mo(catalogue))
        found = lacking(catalogue)
        print(f"{path.parent.parent.name}: {len(catalogue)} texts, {len(found)} without a translation")
        for text in found:
            print(f"  {text!r}")


if __name__ == "__main__":
    main()
