from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.conftest import ApiClient
from webapp.services import registry

Api = Callable[[str], ApiClient]


def test_a_version_is_told_in_full(api: Api) -> None:
    status, told = api("carol")("GET", "/models/iris/versions/1")
    assert (status, told["version"], told["live"], told["few"][0]) == (200, "1", True, "setosa")
    low, high = told["metrics"]["intervals"]["accuracy"]
    assert low < told["metrics"]["accuracy"] <= high
    assert told["metrics"]["per_class"]["setosa"]["support"] == 13
    assert sum(told["profile"]["target"]["counts"].values()) == told["n_rows"] == 112
    assert told["lineage"].keys() == {"source_sha256", "filename", "data_sha256", "test_sha256"}
    assert (told["published_by"], len(told["manifest_sha256"]), told["warnings"]) == (None, 64, [])


def test_a_model_tells_what_could_not_be_checked(api: Api) -> None:
    assert api("alice")("GET", "/models/iris")[1]["warnings"] == []


@pytest.mark.parametrize("path", ["iris/versions/9", "iris/versions/x", "iris/versions/²", "rose/versions/1"])
def test_there_is_no_version_that_was_not_published(api: Api, path: str) -> None:
    status, told = api("alice")("GET", f"/models/{path}")
    assert (status, told["type"]) == (404, "/api/v1/docs/errors#not-found")


def test_a_version_can_be_asked_for_its_head(api: Api) -> None:
    assert api("alice")("HEAD", "/models/iris/versions/1") == (200, None)


def test_a_version_that_was_changed_on_the_disk_is_not_told(app: Flask, api: Api) -> None:
    manifest = app.extensions["desk"].store.root / "iris" / "1" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("setosa", "rosa"))
    answer: tuple[int, Any] = api("alice")("GET", "/models/iris/versions/1")
    assert answer[0] == 503 and "not stored as it was published" in answer[1]["detail"]


@pytest.fixture
def second(app: Flask, packages: dict[str, Any]) -> None:
    """The same iris once more, allowed less and meant for something else."""
    made = packages["iris"][1]
    schema = copy.deepcopy(made.manifest["schema"])
    schema["features"][0]["maximum"] = 7
    card = made.manifest["card"] | {"intended_use": "Gardening."}
    package = made._replace(manifest=made.manifest | {"schema": schema, "card": card})
    registry.publish(app.extensions["desk"].store, package, name="iris", title="")


@pytest.mark.usefixtures("second")
def test_two_versions_are_compared(api: Api) -> None:
    status, told = api("alice")("GET", "/models/iris/compare?from=1&to=2")
    assert (status, told["from"], told["to"], told["same_rows"]) == (200, "1", "2", None)
    assert told["schema"] == [{"feature": "sepal_length", "member": "maximum", "from": 30, "to": 7}]
    assert told["card"]["intended_use"]["to"] == "Gardening."
    assert told["metrics"]["accuracy"]["from_interval"] == told["metrics"]["accuracy"]["to_interval"]
    answers = told["predictions"]
    assert answers["alike"] == answers["rows"] and answers["left_out"] > 0
    assert sum(map(sum, answers["changes"])) == answers["rows"]


@pytest.mark.parametrize("words", ["", "?from=1", "?from=1&to="])
def test_both_versions_must_be_named(api: Api, words: str) -> None:
    status, told = api("alice")("GET", f"/models/iris/compare{words}")
    assert status == 422 and told["errors"][-1]["pointer"] == "#/to"


@pytest.mark.parametrize("words", ["from=1&to=9", "from=x&to=1"])
def test_versions_that_are_not_there_are_not_compared(api: Api, words: str) -> None:
    assert api("alice")("GET", f"/models/iris/compare?{words}")[0] == 404
