"""Inspections one after the other, each in a fork of a process that has imported what they need: run under strace.

`python -m tests.faults.inspections FOLDER` inspects every file in FOLDER/models and writes FOLDER/results.jsonl.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from webapp.errors import BadArtifact
from webapp.ml import chamber
from webapp.ml.chamber import Limits
from webapp.ml.chamber import __main__ as child
from webapp.ml.intake import Order
from webapp.services.publishing import Submission, refuse

LIMITS = Limits(memory=200 * 2**20, seconds=3)


def main(folder: Path) -> None:
    child.warm()
    with (folder / "results.jsonl").open("w") as results:
        for path in sorted((folder / "models").iterdir()):
            results.write(json.dumps(one(path, folder / "sample.csv")) + "\n")


def one(path: Path, sample: Path) -> dict[str, object]:
    """What publishing does, with a fork in place of a new process; the refusal, and what it took."""
    told: dict[str, object] = {"name": path.name, "refused": "", "cpu": 0.0, "mb": 0.0, "process": 0}
    try:
        refuse(Submission(name="m", filename=path.name, model=path, train=sample, target="y"))
    except BadArtifact as error:
        return told | {"refused": error.detail, "before": True}
    order = Order(path.suffix[1:], "y")
    with tempfile.TemporaryFile() as out, path.open("rb") as model, sample.open("rb") as train:
        process = os.fork()
        if process == 0:
            _inspect(order, model.fileno(), train.fileno(), out.fileno())
        _, status, usage = os.wait4(process, 0)
        told |= {
            "process": process,
            "cpu": usage.ru_utime + usage.ru_stime,
            "mb": usage.ru_maxrss / 1024,
        }
        try:
            chamber.received(out, os.waitstatus_to_exitcode(status), order, "", LIMITS)
        except BadArtifact as error:
            told["refused"] = error.detail
    return told


def _inspect(order: Order, *files: int) -> None:
    try:
        signal.alarm(20)  # in place of the parent that would kill it
        stages = os.open("/dev/null", os.O_WRONLY)
        model, train, out = files
        told = {"order": asdict(order), **LIMITS._asdict()}
        child.inspect(told, child.Files(model, train, -1, out, stages))
        os._exit(0)
    except BaseException:
        os._exit(3)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
