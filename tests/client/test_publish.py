"""From an estimator in a notebook to a version on the desk."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from parecer_client import Client, NotAllowed, NotFound, PublicationRefused, Version
from parecer_client.samples import model_file
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from tests.server import Server

Desk = Callable[[str], Client]
UPON_ANY = {"If-Match": "*", "Content-Type": "application/json"}


def unused() -> str:
    return f"made-{secrets.token_hex(4)}"


def wine() -> tuple[Any, pd.DataFrame, pd.DataFrame, pd.Series[Any], pd.Series[Any]]:
    X, y = load_wine(return_X_y=True, as_frame=True)
    X = X.rename(columns=lambda name: name.replace("/", "_"))
    X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=y)
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), X, X_test, y, y_test


def test_an_estimator_becomes_a_live_version(
    desk: Desk, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    estimator, X, X_test, y, y_test = wine()
    paula, name = desk("paula"), unused()
    made = paula.publish(
        estimator,
        X,
        y,
        name=name,
        title="Wine",
        test=(X_test, y_test),
        card={"intended_use": "Trying out."},
        schema={"features": {"alcohol": {"unit": "% vol"}}},
    )
    told = capsys.readouterr().out
    assert made.live and made.number == "1" and made.metrics["on"] == "test data"
    assert made.page == f"{server.address}/models/{name}?version=1" and made.page in told
    assert f"Published {name} version 1 (live)" in told and "scores on test data: accuracy" in told
    described = paula.model(name)
    assert described["card"]["intended_use"] == "Trying out." and made.cross_validation is None
    assert described["schema"]["features"][0]["unit"] == "% vol"
    answers = paula.predict_frame(name, X_test)
    assert answers["prediction"].tolist() == estimator.predict(X_test).tolist()
    assert np.allclose(answers.filter(like="probability_"), estimator.predict_proba(X_test), atol=1e-5)


def test_scores_on_data_that_the_model_knows_are_called_so(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    estimator, X, _, y, _ = wine()
    paula, name = desk("paula"), unused()
    made = paula.publish(estimator, X, y, name=name, cv=3, card={"caveats": "One region."})
    assert made.metrics["on"] == "training data"
    assert "which the model has seen: expect less" in capsys.readouterr().out
    assert made.cross_validation is not None and made.cross_validation.endswith("in 3 folds")
    caveats = paula.model(name)["card"]["caveats"]
    assert caveats.startswith("One region. Cross-validated by the publisher") and "in 3 folds" in caveats
    assert "as scikit-learn fits it, not of an engine" in caveats
    again = paula.publish(estimator, X, y, name=name, cv=0, promote=True)
    assert again.live and again.cross_validation is None
    assert paula.versions(name)["live"].tolist() == [True, False]


def test_what_a_csv_file_would_lose_arrives(desk: Desk) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "postcode": random.choice(["01000", "02000", "NA"], 200),
            "plan": pd.Categorical(random.choice(["b", "a"], 200), categories=["b", "a", "never"]),
            "member": random.random(200) < 0.5,
            "visits": pd.array([None, *random.integers(0, 9, 199)], "Int64"),
            "spent": random.random(200),
        }
    )
    y = pd.Series(np.where(X["member"] & (X["spent"] > 0.4), "yes", "no"), name="buys")
    known = X[["postcode", "plan", "member", "spent"]]
    encoded = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["postcode", "plan"]), remainder="passthrough"
    )
    paula, name = desk("paula"), unused()
    estimator = make_pipeline(encoded, LogisticRegression()).fit(known, y)
    paula.publish(estimator, known, y, name=name, cv=0)
    schema = paula.model(name)["schema"]
    features = {feature["name"]: feature for feature in schema["features"]}
    assert {n: f["kind"] for n, f in features.items()} == {
        "postcode": "category",
        "plan": "category",
        "member": "boolean",
        "spent": "number",
    }
    assert [choice["value"] for choice in features["plan"]["choices"]] == ["b", "a", "never"]
    assert {choice["value"] for choice in features["postcode"]["choices"]} == {"01000", "02000", "NA"}
    answers = paula.predict_frame(name, known)
    assert answers["prediction"].tolist() == estimator.predict(known).tolist()

    gaps = X[["visits", "member", "spent"]]
    forest = HistGradientBoostingClassifier(max_iter=5).fit(gaps, y)
    paula.publish(forest, gaps, y, name=(other := unused()), cv=0)
    visits = paula.model(other)["schema"]["features"][0]
    assert visits["kind"] == "integer" and visits["nullable"]
    assert paula.predict_frame(other, gaps)["prediction"].tolist() == forest.predict(gaps).tolist()


def test_a_matrix_gets_names_for_its_columns(desk: Desk) -> None:
    X = np.random.default_rng(0).random((60, 3))
    y = X @ [1.0, 2.0, 3.0]
    estimator = LinearRegression().fit(X, y)
    paula, name = desk("paula"), unused()
    made = paula.publish(estimator, X, y, name=name, cv=0)
    assert [f["name"] for f in paula.model(name)["schema"]["features"]] == ["f0", "f1", "f2"]
    assert "in the order of the file" in made.warnings[0]
    answer = paula.predict(name, {"f0": 1.0, "f1": 1.0, "f2": 1.0})
    assert answer["prediction"] == pytest.approx(6.0)


def test_an_onnx_file_is_an_estimator_too(desk: Desk, tmp_path: Path) -> None:
    from skl2onnx import to_onnx

    X = np.random.default_rng(0).random((60, 3)).astype(np.float32)
    y = (X[:, 0] > 0.5).astype(int)
    estimator = LogisticRegression().fit(X, y)
    graph = to_onnx(estimator, X[:1], options={"zipmap": False})
    (path := tmp_path / "made.onnx").write_bytes(graph.SerializeToString())
    assert model_file(graph, "m") == model_file(path, "m") == ("m.onnx", path.read_bytes())
    paula, name = desk("paula"), unused()
    made = paula.publish(path, X, y, name=name)
    assert made.live and made.cross_validation is None
    answers = paula.predict_frame(name, pd.DataFrame(X, columns=["f0", "f1", "f2"]))
    assert answers["prediction"].tolist() == estimator.predict(X).tolist()


def test_an_engine_is_picked_after_a_look_at_all(desk: Desk) -> None:
    _, X, X_test, y, y_test = wine()
    forest = RandomForestClassifier(100, random_state=0).fit(X, y)
    paula, name = desk("paula"), unused()
    choice = paula.publish(forest, X, y, name=name, test=(X_test, y_test), engine="ask")
    engines = choice.engines
    assert (
        engines.loc[["sklearn", "onnx"], "agree"].tolist() == [1.0, 1.0] and engines.loc["pruned", "offered"]
    )
    assert engines.loc["pruned", "bytes"] < engines.loc["onnx", "bytes"] / 2
    with pytest.raises(NotFound):
        paula.model(name)
    made = choice.choose("pruned")
    assert made.engines is not None and made.engines.index[made.engines["picked"]].tolist() == ["pruned"]
    kept = paula.model(name)["engines"]
    assert kept["picked"] == "pruned" and [one["name"] for one in kept["options"]] == list(engines.index)
    answers = paula.predict_frame(name, X_test)["prediction"]
    assert (answers.to_numpy() == forest.predict(X_test)).mean() > 0.9


def test_a_frame_takes_part_in_a_comparison_unless_it_names_a_version(desk: Desk) -> None:
    estimator, X, _, y, _ = wine()
    paula, name = desk("paula"), unused()
    for _ in range(2):
        paula.publish(estimator, X, y, name=name, cv=0)
    whom = [f"wine {i % 60}" for i in range(len(X))]
    split = {"version": "2", "kind": "split", "share": 0.5}
    paula._transport.send(
        "POST", f"/models/{name}/experiments", data=json.dumps(split).encode(), headers=UPON_ANY
    )
    begun, again = (paula.predict_frame(name, X, subject=whom, chunk=size) for size in (1000, 1))
    given = begun["version"].groupby(whom).unique()
    assert set(given.map(len)) == {1} and set(given.explode()) == {"1", "2"}
    assert again["version"].equals(begun["version"])
    assert paula.record(begun["record"].iloc[0])["experiment"]
    named = paula.predict_frame(name, X, subject=whom, version=1)
    assert set(named["version"]) == {"1"} and paula.record(named["record"].iloc[0])["experiment"] is None


def double(X: Any) -> Any:
    return X * 2


def test_a_refusal_says_why(desk: Desk) -> None:
    _, X, _, y, _ = wine()
    estimator = make_pipeline(FunctionTransformer(double), LogisticRegression(max_iter=9999)).fit(X, y)
    with pytest.raises(PublicationRefused, match="double") as refused:
        desk("paula").publish(estimator, X, y, name=unused(), cv=0)
    assert refused.value.report is not None and len(refused.value.problems) == 1


def test_who_may_not_publish_is_told_before_anything_is_inspected(desk: Desk) -> None:
    estimator, X, _, y, _ = wine()
    with pytest.raises(NotAllowed) as refused:
        desk("alice").publish(estimator, X, y, name=unused(), cv=0)
    assert refused.value.status == 403


def test_ctrl_c_ends_the_submission(desk: Desk, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator, X, _, y, _ = wine()
    paula, name = desk("paula"), unused()

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("parecer_client.publishing._follow", interrupted)
    with pytest.raises(KeyboardInterrupt):
        paula.publish(estimator, X, y, name=name, cv=0)
    sent = requests.get(
        f"{server.address}/api/v1/submissions",
        headers={"Authorization": f"Bearer {server.login('paula')}"},
        timeout=30,
    ).json()["data"]
    assert [one["state"] for one in sent if one["model"] == name] in (["cancelled"], ["inspecting"])


def test_a_version_shows_itself_safely() -> None:
    made = Version(
        "<b>", "1", True, "http://d/models/x?a=1&b=2", "http://d/f", {"on": "test data", "r2": 0.5}, ["<i>"]
    )
    shown = made._repr_html_()
    assert "<b>" not in shown and "<i>" not in shown and 'href="http://d/models/x?a=1&amp;b=2"' in shown
    assert "R² 0.5" in shown and "Version 1 of '<b>'" in repr(made)
