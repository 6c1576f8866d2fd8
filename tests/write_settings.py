"""Writes docs/reference/settings.md from config.py; run it after a setting has changed."""

from __future__ import annotations

import re
from pathlib import Path
from types import NoneType
from typing import get_args

from annotated_types import Ge, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from config import ROOT, Settings

PAGE = ROOT / "docs" / "reference" / "settings.md"
WORDS = {
    str: "text",
    int: "whole number",
    bool: "true or false",
    Path: "folder",
    SecretStr: "secret",
    float: "number",
}
HEAD = """\
# Settings

Every setting is an environment variable; a file `.env` in the folder the server is started from may hold them too, and
the environment wins. An empty variable counts as not set. A value that cannot be used stops the start with the name of
the variable, never its value, and exit status 2. Changes take effect at the next start.

`make run`, the commands and the container read the same settings, so give them all the same `DATA_DIR`. Written by
`python -m tests.write_settings` from `config.py`.

| variable | type | default | what it does |
|---|---|---|---|
"""
FOOT = """
## What is in `DATA_DIR`
| | |
|---|---|
| `parecer.db`, `-wal`, `-shm` | the database, unless `DATABASE_URL` names another |
| `parecer.db.lock` | the lock that writers queue on; always empty |
| `jobs/` | files and results of batches and submissions, one folder each, and a file for each living worker |
| `erasures.jsonl` | [the journal of erasures](../how-to/erase.md#backups); leave it when a database is restored |
| `queue.db` | what waits for a worker, unless `QUEUE_URL` names another place; may be lost, nothing depends on it |
| `prepare.lock` | the lock that starts queue on; always empty |
| `parecer.db.sealer` | the lock by which one process seals; always empty |
| `serving.lock` | the lock that whoever works on the installation shares, and a restore has alone; always empty |
| `restoring` | what is left to be done of a restore that was cut short |
| `before-restore-…/` | what was there before [a restore](../how-to/backup.md#restore); yours to delete |
| `keys/` | the two secrets, if you did not give them; only their owner can read them |
| `keys/sealing/` | the key that signs checkpoints, all public keys so far, and the newest checkpoint that was signed |
| `model_store/` | published versions; without `DATA_DIR` they are in [the checkout](../../model_store/README.md) |

Whoever has both `keys/` and a copy of the database can act as anybody who is signed in, and rewrite the record: keep
their backups apart, as [`backup`](../how-to/backup.md) does.

## PostgreSQL
`DATABASE_URL=postgresql+psycopg://user:password@host/name`. `make run` creates the tables in an empty database. The
rest of `DATA_DIR` is still needed.
"""


def page() -> str:
    """The whole page."""
    rows = [row(name, field) for name, field in Settings.model_fields.items()]
    return HEAD + "\n".join(rows) + "\n" + FOOT


def row(name: str, field: FieldInfo) -> str:
    """One line of the table."""
    return f"| `{name.upper()}` | {kind(field)} | {default(field)} | {field.description} |"


def kind(field: FieldInfo) -> str:
    known = [t for t in get_args(field.annotation) or [field.annotation] if t is not NoneType]
    words = "file" if (field.description or "").startswith("File") else WORDS[known[0]]
    pattern = next((m.pattern for m in field.metadata if hasattr(m, "pattern")), "")
    if re.fullmatch(r"\^\([A-Z|]+\)\$", pattern):
        return "one of " + ", ".join(f"`{word}`" for word in pattern.strip("^()$").split("|"))
    low = next((m.ge for m in field.metadata if isinstance(m, Ge)), None)
    high = next((m.le for m in field.metadata if isinstance(m, Le)), None)
    reach = "" if low is None else f", {low} to {high}" if high is not None else f", at least {low}"
    return words + reach


def default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, Path):
        return f"`{value.relative_to(ROOT)}/`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    shown = value or value == 0
    return f"`{value}`" if shown and not isinstance(value, SecretStr) else ""


def main() -> None:
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
