"""Publishing from the command line: what is taken, and what is refused with nothing changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import joblib
import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sklearn.datasets import load_wine
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from webapp.ml.loader import save_skops
from webapp.services import registry

Run = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wine")
    wine = load_wine(as_frame=True)
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(wine.data, wine.target)
    wine.frame.to_csv(folder / "train.csv", index=False)
    (folder / "wine.skops").write_bytes(save_skops(tree))
    joblib.dump(tree, folder / "wine.joblib")
    whole, cut = (folder / "wine.skops").read_bytes(), wine.frame[:0]
    (folder / "cut.skops").write_bytes(whole[: len(whole) // 2])
    (folder / "table.skops").write_bytes((folder / "train.csv").read_bytes())
    (folder / "wine.keras").write_bytes(whole)
    nameless = LinearRegression().fit(wine.data.to_numpy(), wine.target)
    (folder / "nameless.skops").write_bytes(save_skops(nameless))
    (folder / "number.skops").write_bytes(save_skops(LinearRegression().fit(wine.data, wine.target)))
    tables = {
        "no-target": wine.data,
        "no-value": wine.frame.assign(target=None),
        "no-feature": wine.frame[["target"]],
        "one-class": wine.frame[wine.target == 0],
        "other-classes": wine.frame.assign(target=wine.target + 7),
        "words": wine.frame.assign(target=wine.target.map("class {}".format)),
        "stray": wine.frame.assign(colour=1),
        "fewer": wine.frame.drop(columns=["ash", "hue"]),
        "header": cut,
        "turned": wine.frame[wine.frame.columns[::-1]],
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    wine.frame.to_csv(folder / "semicolons.csv", index=False, sep=";")
    (folder / "empty.csv").write_bytes(b"")
    (folder / "binary.csv").write_bytes(b"\x80\xff")
    (folder / "broken.skops").write_bytes(b"PK\x03\x04 not a zip")
    (folder / "broken.onnx").write_bytes(b"\x00\x01 not a graph")
    (folder / "wine.txt").write_bytes(b"x")
    return folder


@pytest.fixture
def run(app: Flask, files: Path) -> Run:
    def invoke(file: str | Path, **options: Any) -> Result:
        given = {
            "name": "wine",
            "file": files / file,
            "data": files / "train.csv",
            "target": "target",
            **options,
        }
        words = [w for k, v in given.items() for w in ([f"--{k}"] if v is True else [f"--{k}", str(v)])]
        return app.test_cli_runner().invoke(args=["model", "publish", *words])

    return invoke


def test_a_skops_file_becomes_the_live_first_version(app: Flask, run: Run) -> None:
    result = run("wine.skops", title="Wine")
    assert result.exit_code == 0, result.output
    assert "wine version 1 (live)" in result.output
    listing = app.test_cli_runner().invoke(args=["model", "list"]).output
    assert "wine" in listing


def test_a_model_without_names_is_published_with_a_warning(app: Flask, run: Run, files: Path) -> None:
    result = run("nameless.skops", data=files / "turned.csv")
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith(
        "The model does not know its features by name; they are taken in the order "
    )
    assert "of the file: proline, od280/od315_of_diluted_wines, hue, " in result.stderr
    assert registry.describe(app.extensions["desk"].store, "wine", actor=None).manifest["warnings"] == [
        result.stderr.rstrip()
    ]


def test_a_model_with_names_is_published_without_a_warning(run: Run, files: Path) -> None:
    assert run("wine.skops", data=files / "turned.csv").stderr == ""


def test_publishing_prints_the_scores_and_what_they_are_of(run: Run, files: Path) -> None:
    assert "\nScores on training data: accuracy 0.978, log loss 0.0" in run("wine.skops").stdout
    tested = run("number.skops", test=files / "train.csv").stdout
    assert "\nScores on test data: MAE 0.194, RMSE 0.244, R² 0.9\n" in tested


@pytest.mark.parametrize("file", ["wine.skops", "wine.joblib"])
def test_the_sha_256_of_the_given_file_is_printed_beside_that_of_the_stored_one(
    app: Flask, run: Run, files: Path, file: str
) -> None:
    given = sha256((files / file).read_bytes()).hexdigest()
    stored = set()
    for number in (1, 2):
        told = run(file, **{"trust-pickle": True}).stdout
        manifest = app.extensions["desk"].store.manifest("wine", number)
        assert manifest["source_sha256"] == given
        assert f", from {file}, SHA-256 {given}\n" in told
        assert f"\nStored as model.skops, SHA-256 {manifest['digest']}\n" in told
        stored.add(manifest["digest"])
    assert given not in stored


def test_a_model_page_shows_the_sha_256_of_the_given_file_where_there_was_one(
    run: Run, files: Path, signed_in: Callable[[str], FlaskClient]
) -> None:
    run("wine.skops")
    alice = signed_in("alice")
    shown = alice.get("/models/wine").text.partition("Published from")[2]
    assert sha256((files / "wine.skops").read_bytes()).hexdigest() in shown
    assert "Published from" not in alice.get("/models/iris").text


def test_the_next_version_waits_to_be_promoted(run: Run) -> None:
    run("wine.skops")
    assert "version 2 (not live yet)" in run("wine.skops").output
    assert "version 3 (live)" in run("wine.skops", promote=True).output


@pytest.mark.parametrize("lost", ["manifest.json", "model.skops", "rows.json", ""])
def test_a_damaged_version_is_listed_as_such_until_the_next_one(app: Flask, run: Run, lost: str) -> None:
    def listing() -> str:
        return app.test_cli_runner().invoke(args=["model", "list"]).output

    assert run("wine.skops").exit_code == 0 and "damaged" not in listing()
    folder = app.extensions["desk"].store.root / "wine" / "1"
    if lost:
        (folder / lost).unlink()
    else:
        shutil.rmtree(folder.parent)
    assert "damaged: " in listing() and "restore it from a backup" in listing()
    assert run("wine.skops", promote=True).exit_code == 0
    assert "damaged" not in listing() and "version 2 " in listing()


def test_a_folder_that_is_no_version_does_not_stop_the_next_one(app: Flask, run: Run) -> None:
    run("wine.skops")
    (app.extensions["desk"].store.root / "wine" / "2").mkdir()
    assert "version 3" in run("wine.skops").output


def test_title_and_description_may_stand_in_the_card(app: Flask, run: Run, tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    card.write_text('{"title": "Cultivar", "description": "One of three"}')
    assert run("wine.skops", card=card).exit_code == 0
    assert "Cultivar" in app.test_cli_runner().invoke(args=["model", "list"]).output
    assert run("wine.skops", card=card, title="Wine").exit_code == 0
    assert "Wine" in app.test_cli_runner().invoke(args=["model", "list"]).output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda lines: ["alcohol," + lines[0], *("1," + line for line in lines[1:])],
            "two columns 'alcohol'",
        ),
        (lambda lines: [lines[0], *(line + ",9" for line in lines[1:])], "more fields in a row than in its"),
        (lambda lines: [*lines, "inf" + lines[1][lines[1].index(",") :]], "infinite value in the column 'al"),
        (lambda lines: [*lines, "1e400" + lines[1][lines[1].index(",") :]], "infinite value in the column"),
        (lambda lines: [*lines, "\0" + lines[1]], "is not text in UTF-8"),
    ],
)
def test_a_table_that_would_be_read_as_another_is_refused(
    run: Run, files: Path, tmp_path: Path, change: Callable[[list[str]], list[str]], words: str
) -> None:
    lines = (files / "train.csv").read_text().splitlines()
    (tmp_path / "odd.csv").write_text("\n".join(change(lines)))
    refused = run("nameless.skops", data=tmp_path / "odd.csv")
    assert refused.exit_code == 1
    assert words in refused.output


@pytest.mark.parametrize("option", ["file", "data", "test", "card"])
def test_what_may_have_no_end_is_not_read(app: Flask, run: Run, tmp_path: Path, option: str) -> None:
    pipe, link, folder = tmp_path / "pipe.skops", tmp_path / "zero.skops", tmp_path / "folder.skops"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    folder.mkdir()
    for path, words in (
        (pipe, "is not a regular file"),
        (link, "is not a regular"),
        (folder, "is a directory"),
    ):
        refused = run(**{"file": "wine.skops", option: path})
        assert refused.exit_code in (1, 2) and words in refused.output
    assert "wine" not in app.extensions["desk"].store.models()


@pytest.mark.parametrize("option", ["file", "data"])
def test_a_file_that_is_too_large_is_not_read_whole(run: Run, tmp_path: Path, option: str) -> None:
    with (tmp_path / "large.skops").open("wb") as file:
        file.truncate(2**40)  # of which the disk holds nothing
    refused = run(**{"file": "wine.skops", option: tmp_path / "large.skops"})
    assert refused.exit_code == 1 and "large.skops has more than 500 MB" in refused.output


def test_a_link_to_a_model_is_followed(run: Run, files: Path, tmp_path: Path) -> None:
    (tmp_path / "link.skops").symlink_to(files / "wine.skops")
    assert run(tmp_path / "link.skops").exit_code == 0


def test_a_joblib_file_needs_the_operators_word(run: Run) -> None:
    refused = run("wine.joblib")
    assert refused.exit_code == 1
    assert "skops" in refused.output
    assert run("wine.joblib", **{"trust-pickle": True}).exit_code == 0


@pytest.mark.parametrize(
    ("option", "given", "words"),
    [
        ("card", '{"intended_uses": "x"}', "may have title, description, intended_use, "),
        ("card", '{"intended_uses": "x"}', "did you mean “intended_use”?"),
        ("card", '{"caveats": ["a", "b"]}', "card's caveats must be a text"),
        ("card", '{"caveats": "\\ud800"}', "card's caveats must be a text"),
        ("card", "intended_use: x", "card.json is not JSON"),
        ("card", "[]", "card.json must hold a JSON object"),
        ("card", "\xff", "card.json is not JSON"),
        ("schema", '{"features": {"alcohol": {"lable": "x"}}}', "#/features/alcohol has no member “lable”"),
        ("schema", '{"features": {"alcohl": {}}}', "did you mean “alcohol”?"),
    ],
)
def test_what_a_file_beside_the_model_cannot_say_is_refused(
    app: Flask, run: Run, tmp_path: Path, option: str, given: str, words: str
) -> None:
    beside = tmp_path / f"{option}.json"
    beside.write_bytes(given.encode("latin-1" if given == "\xff" else "utf-8"))
    result = run("wine.skops", **{option: beside})
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert words in result.output
    assert app.extensions["desk"].store.models() == ["diabetes", "iris", "purchase"]


@pytest.mark.parametrize(
    ("file", "options", "words"),
    [
        ("broken.skops", {}, "skops"),
        ("broken.onnx", {}, "ONNX"),
        ("wine.txt", {}, "is not a model file"),
        ("cut.skops", {}, "not a whole skops file"),
        ("table.skops", {}, "not a whole skops file"),
        ("wine.keras", {}, "can be exported to ONNX"),
        ("wine.joblib", {}, "give --trust-pickle"),
        (
            "wine.skops",
            {"data": "no-target.csv"},
            "training data has no column 'target'; its columns are: alc",
        ),
        ("wine.skops", {"data": "no-value.csv"}, "no row with a value in the column 'target'"),
        ("wine.skops", {"data": "header.csv"}, "no row with a value in the column 'target'"),
        ("wine.skops", {"data": "no-feature.csv"}, "has no column but 'target'"),
        ("wine.skops", {"data": "one-class.csv"}, "column 'target' has one value only"),
        ("wine.skops", {"data": "other-classes.csv"}, "it has 7, the model 0, 1, 2"),
        ("wine.skops", {"data": "words.csv"}, "No value of the target is a class of the model"),
        ("number.skops", {"data": "words.csv"}, "predicts numbers, but the target has words"),
        ("wine.skops", {"data": "stray.csv"}, "sample has “colour”, which the model does not know"),
        ("wine.skops", {"data": "fewer.csv"}, "sample lacks “ash”, “hue”, which the model was trained with"),
        ("wine.skops", {"data": "semicolons.csv"}, "Separate columns with commas"),
        ("wine.skops", {"data": "empty.csv"}, "training data is an empty file"),
        ("wine.skops", {"data": "binary.csv"}, "training data is not text in UTF-8"),
        ("wine.skops", {"test": "empty.csv"}, "test data is an empty file"),
        ("wine.skops", {"test": "fewer.csv"}, "test data has no column 'ash'"),
        ("wine.skops", {"test": "other-classes.csv"}, "No value of the target is a class"),
        ("wine.skops", {"target": "colour"}, "no column 'colour'"),
        ("wine.skops", {"name": "../wine"}, "--name: must be 1 to 63 of a-z, 0-9 and -"),
        ("wine.skops", {"title": "x" * 201}, "--title: must be plain text of at most 200 characters"),
    ],
)
def test_a_wrong_file_changes_nothing(
    app: Flask, run: Run, files: Path, file: str, options: dict[str, str], words: str
) -> None:
    result = run(file, **{k: files / v if v.endswith(".csv") else v for k, v in options.items()})
    assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
    assert words in result.output
    assert app.extensions["desk"].store.models() == ["diabetes", "iris", "purchase"]
    assert "wine" not in app.test_cli_runner().invoke(args=["model", "list"]).output


def test_the_engine_that_is_named_is_the_one_that_is_made(run: Run, shown_engines: list[str]) -> None:
    assert "Answered by sklearn, as was asked for" in run("wine.skops", engine="sklearn").output
    assert "Answered by" not in run("wine.skops").output
    assert shown_engines == ["sklearn", "auto"]


def test_a_command_does_not_wait_for_a_choice(app: Flask, run: Run, shown_engines: list[str]) -> None:
    refused = run("wine.skops", engine="ask")
    assert refused.exit_code == 1 and "publish again with the one you pick" in refused.output
    assert "--engine: must be one of auto" in run("wine.skops", engine="gpu").output
    assert shown_engines == [] and "wine" not in app.extensions["desk"].store.models()
