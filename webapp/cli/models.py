"""Models and their versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from webapp.cli.group import Group
from webapp.doors import desk
from webapp.errors import printable
from webapp.ml.loader import MAX_FILE
from webapp.ml.reports import spoken
from webapp.ml.schema.checks import plain
from webapp.services import publishing, registry
from webapp.services.publishing import Inspection, Submission

model = Group("model", help="Models and their versions.")
SCORES = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "roc_auc": "ROC AUC",
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R²",
    "recall_at_k": "recall at k",
    "mrr": "MRR",
    "ndcg_at_k": "NDCG at k",
}
ASK = (
    "--engine: a command does not wait for a choice. Publish without it, look at the engines on the page of the "
    "version, and publish again with the one you pick; or send the file on the page, which asks first."
)
File = click.Path(exists=True, dir_okay=False, path_type=Path)


@model.command("publish")
@click.option("--name", required=True, help="Name of the model: small letters, digits and hyphens.")
@click.option("--file", "path", required=True, type=File, help="The model: .skops, .onnx or .joblib.")
@click.option("--data", required=True, type=File, help="Training sample, CSV with a header row, or Parquet.")
@click.option("--target", required=True, help="Column of the sample that the model predicts.")
@click.option("--test", type=File, help="Data the model has not seen, CSV or Parquet, for the scores.")
@click.option("--title", default="", help="Name shown to people.")
@click.option("--description", default="", help="One sentence shown to people.")
@click.option("--schema", type=File, help="JSON file that corrects the inferred schema.")
@click.option(
    "--card", type=File, help="JSON file with intended_use, not_intended_use, caveats and the like."
)
@click.option(
    "--engine", default="auto", help="Which engine is to answer, by name; default: the fastest exact one."
)
@click.option("--promote", is_flag=True, help="Make the new version live at once.")
@click.option(
    "--trust-pickle", is_flag=True, help="Read a joblib or pickle file, which can run code. Only your own."
)
def publish(
    path: Path, data: Path, test: Path | None, schema: Path | None, card: Path | None, **options: Any
) -> None:
    """Publish a model file as the next version; the first version becomes live."""
    for sample in (path, data, test):
        if sample is not None:
            _refuse(sample)
    if options["engine"] == "ask":
        raise click.ClickException(ASK)
    made = publishing.publish(
        desk().store,
        Submission(
            filename=path.name,
            model=path,
            train=data,
            test=test,
            edits=_json(schema),
            card=_json(card),
            trusted=options.pop("trust_pickle"),
            **options,
        ),
        inspection=Inspection(desk().workshop.limits),
    )
    version, manifest = made
    state = "live" if version.live else "not live yet"
    click.echo(
        f"Published {options['name']} version {version.number} ({state}), from {printable(path.name)}, "
        f"SHA-256 {manifest['source_sha256']}"
    )
    click.echo(f"Stored as model.{manifest['format']}, SHA-256 {version.digest}")
    if options["engine"] != "auto":
        click.echo(f"Answered by {options['engine']}, as was asked for")
    click.echo(f"Scores on {manifest['metrics']['on']}: {_scores(manifest['metrics'])}")
    for warning in manifest["warnings"]:
        click.echo(spoken(warning), err=True)


@model.command("list")
def list_models() -> None:
    """List the models and the version that answers."""
    for info in registry.list_models(None):
        click.echo(
            f"{info.name:<24} version {info.live:<4} of {info.versions:<4} {info.task:<15} {info.title}"
        )
        if damage := registry.damage(desk().store, info.name):
            click.echo(f"    damaged: {damage} Or publish its next version with --promote.")


def _scores(metrics: dict[str, Any]) -> str:
    known = [(words, metrics[name]) for name, words in SCORES.items() if metrics.get(name) is not None]
    return ", ".join(f"{words} {plain(float(f'{value:.3g}'))}" for words, value in known)


def _refuse(path: Path) -> None:
    """Raises click.ClickException for what may have no end, and for what is larger than is published."""
    try:
        size = path.stat().st_size if path.is_file() else None
        if size is not None:
            path.open("rb").close()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read ({error.strerror}).") from None
    if size is None:
        raise click.ClickException(f"{path} is not a regular file; copy what it holds to one.")
    if size > MAX_FILE:
        raise click.ClickException(
            f"{path} has more than {MAX_FILE >> 20} MB; give a smaller model, or fewer rows."
        )


def _json(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    _refuse(path)
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise click.ClickException(f"{path.name} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.ClickException(f"{path.name} must hold a JSON object.")
    return found
