"""Inspections for tests: files for the real one, and one in this process for tests of what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from webapp.errors import BadArtifact, ModelFailed
from webapp.ml import chamber, intake
from webapp.ml.chamber import Given, Inspected, Limits, Refused
from webapp.ml.intake import Order
from webapp.ml.reports import tidy


def inspect(
    folder: Path,
    model: bytes,
    sample: bytes,
    *,
    target: str,
    limits: Limits,
    engine: str = "auto",
    **how: Any,
) -> Inspected:
    """The real inspection of a model, an ONNX graph or a skops file, and its sample."""
    (folder / "model").write_bytes(model)
    (folder / "data").write_bytes(sample)
    order = Order("skops" if model.startswith(b"PK") else "onnx", target, engine=engine)
    given = Given(folder / "model", folder / "data")
    return chamber.inspect(order, given, sha256(model).hexdigest(), limits, folder=folder, **how)


def here(
    order: Order,
    given: Given,
    source: str,
    limits: Limits,
    *,
    folder: Path | None = None,
    go_on: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = lambda _stage: None,
) -> Inspected:
    """In place of `chamber.inspect`: the same in this process, without its start of some seconds."""
    report: dict[str, Any] = {"sandbox": {"landlock": 1, "seccomp": True}}

    def stage(word: str) -> None:
        go_on()
        tell(word)

    files = [path and path.read_bytes() for path in given]
    try:
        made = intake.prepare(order, *files, report=report, tell=stage)  # type: ignore[arg-type]
    except (BadArtifact, ModelFailed) as error:
        raise Refused(error.detail, tidy(report)) from error
    return Inspected(made, tidy(report))
