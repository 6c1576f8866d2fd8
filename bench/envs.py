"""One virtual environment a peer, made when first asked for and remade when its pins or Python change."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from bench.processes import BenchError, run

BENCH = Path(__file__).parent
ENVS = BENCH / ".envs"


def home(peer: str) -> Path:
    """Where the peer's server and pins are kept."""
    return BENCH / "peers" / peer


def pin(peer: str) -> str:
    """The peer's own package and version, `name==version`: the first line of its pins."""
    return (home(peer) / "requirements.txt").read_text().split(maxsplit=1)[0]


def environment(peer: str) -> Path:
    """The peer's environment with both models trained under `models/`; BenchError when it cannot be had.

    A peer without pins runs in the project's own environment.
    """
    pins = home(peer) / "requirements.txt"
    if not pins.exists():
        return Path(sys.prefix)
    place = ENVS / peer
    stamp, recipe = place / "recipe", BENCH / "train.py"
    wanted = hashlib.sha256(sys.version.encode() + pins.read_bytes() + recipe.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"  making the environment of {peer} (once, some minutes)", flush=True)
        _make(place, pins, recipe)
        stamp.write_text(wanted)
    return place


def _make(place: Path, pins: Path, recipe: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    ENVS.mkdir(exist_ok=True)
    python, log = place / "bin" / "python", ENVS / f"{place.name}.log"
    log.unlink(missing_ok=True)
    uv = shutil.which("uv")
    steps = (
        [
            [uv, "venv", "--python", sys.executable, str(place)],
            [uv, "pip", "install", "--python", str(python)],
        ]
        if uv
        else [[sys.executable, "-m", "venv", str(place)], [str(python), "-m", "pip", "install"]]
    )
    try:
        run(steps[0], log, cwd=BENCH, env={})
        run([*steps[1], "-r", str(pins)], log, cwd=BENCH, env={})
        run([str(python), str(recipe), str(place / "models")], log, cwd=BENCH, env={})
    except OSError as error:
        raise BenchError(f"cannot make {place}: {error}") from error
