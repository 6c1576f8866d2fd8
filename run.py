"""The one file that knows both the settings and the application.

`python run.py` prepares this installation and then serves it; `python run.py prepare` only prepares.
"""

from __future__ import annotations

import os
import sys

import config
from webapp import lines, preparation
from webapp.app import create_app
from webapp.errors import Conflict
from webapp.observability import configure_logging

os.umask(0o077)  # the database and its WAL are nobody else's to read, whatever folder they are in
settings = config.load()
configure_logging(settings.log_level)
lines.write_json(settings.log_level)
app = create_app(settings)


def main() -> None:
    """Prepare, and unless told otherwise become the web server."""
    lock = settings.data_dir / "prepare.lock"
    try:
        preparation.prepare(app, lock, demos=settings.demo, settings=settings.told())
    except Conflict as error:  # a backup is being restored
        sys.stderr.write(f"{error.detail}\n")
        raise SystemExit(2) from None
    if sys.argv[1:] != ["prepare"]:
        os.execv(  # noqa: S606 - our own interpreter, no shell wanted
            sys.executable,
            [sys.executable, "-m", "gunicorn", "-c", str(config.ROOT / "gunicorn.conf.py"), "run:app"],
        )


if __name__ == "__main__":
    main()
