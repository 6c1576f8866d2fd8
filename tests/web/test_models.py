from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.demo_desk import publish_demo
from tests.web.conftest import Browser
from webapp.ml.packaging import Package
from webapp.services import registry
from webapp.services.people import Actor


def publish(app: Flask, made: Package, actor: Actor | None = None, **changes: Any) -> None:
    """The next version of iris, with other members in its manifest."""
    package = made._replace(manifest=made.manifest | changes)
    registry.publish(app.extensions["desk"].store, package, name="iris", title="", actor=actor)


def test_a_model_shows_its_metrics_with_intervals(browser: Callable[[str], Browser]) -> None:
    page = browser("alice").get("/models/iris").text
    assert "95 % interval" in page and "Each class" in page and "Few rows:" in page


def test_a_version_from_before_there_were_intervals_is_shown_without(
    app: Flask, browser: Callable[[str], Browser], packages: dict[str, Any]
) -> None:
    made = packages["iris"][1]
    old = {k: v for k, v in made.manifest["metrics"].items() if k not in ("intervals", "per_class")}
    publish(app, made, metrics=old, card={"description": "old"})
    for path in ("/models/iris?version=2", "/models/iris/card?version=2"):
        page = browser("alice").get(path).text
        assert "published before intervals were kept" in page and "95 % interval" not in page


def test_a_card_has_all_that_is_known(
    app: Flask,
    browser: Callable[[str], Browser],
    packages: dict[str, Any],
    actor: Callable[[str], Actor],
) -> None:
    lineage = {"source_sha256": "a" * 64, "data_sha256": "b" * 64, "test_sha256": "c" * 64}
    written = {
        "training_code": "notebook 7",
        "bias_and_ethics": "Wild ones only.",
        "contact": "botany@example.org",
    }
    card = packages["iris"][1].manifest["card"] | written
    publish(app, packages["iris"][1], actor("paula"), **lineage, filename="iris.skops", card=card)
    page = browser("alice").get("/models/iris/card?version=2").text
    detail = registry.describe(app.extensions["desk"].store, "iris", "2", actor=None)
    for text in (*lineage.values(), *written.values(), "iris.skops", "by paula", detail.manifest_hash):
        assert text in page
    assert f"scikit-learn {detail.manifest['libraries']['scikit-learn']}" in page


@pytest.mark.parametrize("path", ["/models/iris", "/models/iris/card"])
def test_what_could_not_be_checked_is_shown(
    app: Flask, browser: Callable[[str], Browser], packages: dict[str, Any], path: str
) -> None:
    publish(app, packages["iris"][1], warnings=["The sample is <small>."])
    assert "The sample is &lt;small&gt;." in browser("alice").get(f"{path}?version=2").text


def test_a_card_lost_in_parts_is_still_a_page(app: Flask, browser: Callable[[str], Browser]) -> None:
    (app.extensions["desk"].store.root / "iris" / "1" / "reference.json").unlink()
    assert browser("alice").get("/models/iris/card").status_code == 200


def test_there_is_no_card_of_a_version_that_is_not_there(browser: Callable[[str], Browser]) -> None:
    assert browser("alice").get("/models/iris/card?version=9").status_code == 404


def test_the_newest_two_versions_are_compared_where_none_is_named(
    app: Flask, browser: Callable[[str], Browser], packages: dict[str, Any]
) -> None:
    for text in ("second", "third"):
        publish(app, packages["iris"][1], card=packages["iris"][1].manifest["card"] | {"caveats": text})
    page = browser("alice").get("/models/iris/compare").text
    assert "Versions 2 and 3" in page and "second" in page and "third" in page
    assert "Both take and give the same." in page


def test_a_model_with_several_versions_leads_to_their_comparison(
    app: Flask, browser: Callable[[str], Browser], packages: dict[str, Any]
) -> None:
    assert "/models/iris/compare" not in browser("alice").get("/models/iris").text
    publish(app, packages["iris"][1])
    assert 'action="/models/iris/compare"' in browser("alice").get("/models/iris").text


def test_a_card_tells_from_which_probability_on_a_class_is_answered(
    app: Flask, browser: Callable[[str], Browser]
) -> None:
    publish_demo(app, "fraud")
    for path in ("/models/fraud", "/models/fraud/card"):
        page = browser("alice").get(path).text
        assert "Fraud from 12.7 % on" in page and "What an answer costs" in page


def test_a_single_version_has_nothing_to_be_compared_with(browser: Callable[[str], Browser]) -> None:
    answer = browser("alice").get("/models/iris/compare")
    assert answer.status_code == 200 and "has one version yet" in answer.text
    assert "<table" not in answer.text


def test_versions_of_other_kinds_are_still_a_page(
    app: Flask, browser: Callable[[str], Browser], packages: dict[str, Any]
) -> None:
    publish(app, packages["diabetes"][1])
    page = browser("carol").get("/models/iris/compare?from=1&to=2").text
    assert "were not compared" in page and "feature taken away" in page and "cannot be compared" in page
