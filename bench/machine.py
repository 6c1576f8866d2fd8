"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("flask", "gunicorn", "gevent", "scikit-learn", "onnxruntime", "numpy", "sqlalchemy")


def machine() -> dict[str, Any]:
    """Processor, cores, load, Python and the versions of what the project serves with."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def sentence(facts: dict[str, Any]) -> str:
    """The same in one line."""
    packages = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    where = f"{facts['cores']} cores of {facts['cpu']}, {facts['system']}, Python {facts['python']}"
    busy = " (busy: figures are of no use)" if facts["load_before"] > facts["cores"] / 2 else ""
    return f"{where}; {packages}; load before {facts['load_before']}{busy}"


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
