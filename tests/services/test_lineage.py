"""Every answer leads back to the files, data and code of its version, and to who let it answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.handing_in import flowers
from webapp.errors import NotFound
from webapp.ml.runtime import Runtime
from webapp.services import history, lineage, predictions, publishing, releases
from webapp.services.desk import Desk
from webapp.services.people import Actor
from webapp.services.predictions import Ask, Made
from webapp.services.publishing import Submission

Cast = Callable[[str], Actor]
NAMES = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
ALL, LONG = 1_000, 10_000
chance = random.Random(5)


def publish(desk: Desk, folder: Path, code: str, actor: Actor | None) -> None:
    model, sample = flowers()
    (folder / "model").write_bytes(model)
    (folder / "rows.csv").write_bytes(sample)
    submission = Submission(
        "flowers",
        "flowers.skops",
        folder / "model",
        folder / "rows.csv",
        "target",
        card={"training_code": code},
    )
    publishing.publish(desk.store, submission, actor)


def ask(desk: Desk, who: Actor, many: int, **wanted: Any) -> list[Made]:
    rows = [{name: round(chance.uniform(0.1, 7), 2) for name in NAMES} for _ in range(many)]
    asked = Ask("flowers", rows, "api", "r" * 24, time.time_ns(), many=True, **wanted)
    return list(predictions.make(desk, who, asked))  # type: ignore[arg-type]


@pytest.mark.usefixtures("in_process")
def test_every_answer_leads_back_to_files_data_code_and_approver(
    desk: Desk, actor: Cast, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    paula, dave, alice = actor("paula"), actor("dave"), actor("alice")
    each = (LONG if pytestconfig.getoption("--long") else ALL) // 4
    publish(desk, tmp_path, "commit one", None)
    first = ask(desk, alice, each)
    publish(desk, tmp_path, "commit two", paula)
    releases.require_two(dave, "flowers", True)
    asked = releases.promote(desk, paula, "flowers", "2", reason="Better", revision=None).waiting or ""
    second = ask(desk, alice, each)  # not approved yet
    releases.approve(desk, dave, "flowers", asked, revision=None)
    third = ask(desk, alice, each)
    releases.roll_back(desk, paula, "flowers", None, reason="Alarm", revision=None)
    fourth = ask(desk, alice, each)
    model, sample = flowers()
    expected = [
        (first + second, "1", "commit one", None, ("publish", None, None)),
        (third, "2", "commit two", "paula", ("promote", "dave", "paula")),
        (fourth, "1", "commit one", None, ("rollback", "paula", None)),
    ]
    fresh = Runtime(desk.store)
    for made, version, code, publisher, decided in expected:
        digest = sha256(desk.store.read("flowers", int(version), "model.skops")).hexdigest()
        predictor = fresh.get("flowers", int(version))
        for one in made:
            found = lineage.of(desk.store, alice, one.id)
            assert (found.version, found.artifact, found.training_code) == (version, digest, code)
            assert found.handed_in["source_sha256"] == sha256(model).hexdigest()
            assert found.handed_in["data_sha256"] == sha256(sample).hexdigest()
            assert found.published_by == publisher and "scikit-learn" in found.software
            assert found.release is not None
            assert (found.release.kind, found.release.by, found.release.asked_by) == decided
            assert found.manifest == desk.store.fingerprint("flowers", int(version))
        _answers_again(predictor, desk, alice, made)


def _answers_again(predictor: Any, desk: Desk, alice: Actor, made: list[Made]) -> None:
    """A version loaded anew answers what was recorded with what was recorded, bit for bit."""
    records = [history.get(alice, one.id) for one in made]
    rows = [predictor.schema.check(record.used).values for record in records]
    answer = predictor.predict(rows)
    assert answer.values == [record.prediction for record in records]
    assert answer.probabilities == [list((record.probabilities or {}).values()) for record in records]


@pytest.mark.usefixtures("in_process")
def test_a_version_that_was_named_was_let_answer_by_nobody(desk: Desk, actor: Cast, tmp_path: Path) -> None:
    publish(desk, tmp_path, "one", None)
    publish(desk, tmp_path, "two", None)
    [made] = ask(desk, actor("alice"), 1, version="2")
    assert lineage.of(desk.store, actor("alice"), made.id).release is None
    with pytest.raises(NotFound):
        lineage.of(desk.store, actor("bob"), made.id)
