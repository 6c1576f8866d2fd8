"""Whatever is sent, the server takes what the documentation says it takes, and nothing else."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from tests.api.reference import taken
from tests.conftest import MODELS
from webapp.ml.demos import demos
from webapp.ml.packaging import package
from webapp.services import registry

TOGETHER = 10
STRANGE = [
    None, True, False, 0, -0.0, 1, 1.0, -1, 0.5, "", " ", "1", "true", [], [1], {}, {"a": 1}, 2**53, 2**53 + 2, 2**63,
    2**64, 10**30, 10**31, -(10**31), 1e30, 1.0000001e30, 1e308, 1e-320, math.inf, -math.inf, math.nan, "\0", "\ud800",
    "a\u202eb", "é", "x" * 1000, "x" * 1001, "x" * 2001, "😀",
]  # fmt: skip


def mixed() -> Any:
    """A model of whole numbers, truth values, open and closed categories, some of which may be missing."""
    n = 120
    X = pd.DataFrame(
        {
            "count": [i % 7 for i in range(n)],
            "size": [None if i % 10 == 0 else i / 3 for i in range(n)],
            "member": [i % 3 == 0 for i in range(n)],
            "colour": [("red", "green", "blue")[i % 3] for i in range(n)],
            "town": [("here", "there")[i % 2] for i in range(n)],
        }
    )
    y = pd.Series([("no", "yes")[i % 2] for i in range(n)], name="bought")
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["colour", "town"]), (SimpleImputer(), ["count", "size"]),
        ("passthrough", ["member"]),
    )  # fmt: skip
    edits = {"features": {"colour": {"closed": True}, "count": {"minimum": 0, "maximum": 9}}}
    return package(make_pipeline(columns, LogisticRegression()).fit(X, y), X, y, format="skops", edits=edits)


@pytest.fixture
def schemas(app: Flask, api: Callable[[str], Any]) -> dict[str, Any]:
    """Of every model that is asked, by its name."""
    store = app.extensions["desk"].store
    registry.publish(store, mixed(), name="mixed", title="Mixed", promote=True)
    demo = next(demo for demo in demos() if demo.name == "sentiment")
    estimator, X, y, *_ = demo.make()
    made = package(estimator, X, y, format="skops", card=demo.card, edits=demo.edits)
    registry.publish(store, made, name="sentiment", title="Sentiment", promote=True)
    shown = {name: api("alice")("GET", f"/models/{name}") for name in (*MODELS, "mixed", "sentiment")}
    return {name: body["schema"] for name, (_, body) in shown.items()}


def usual(feature: dict[str, Any]) -> Any:
    """A value that fits."""
    if feature["kind"] in ("number", "integer"):
        return round(feature["learned"]["minimum"])
    if feature["choices"]:
        return feature["choices"][0]["value"]
    return True if feature["kind"] == "boolean" else "a"


def edges(feature: dict[str, Any]) -> list[float]:
    limits = (feature["minimum"], feature["maximum"])
    return [limit + d for limit in limits if limit is not None for d in (-1, -1e-9, 0, 1e-9, 1)]


def values(feature: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Mostly such as fit, and of every kind that does not."""
    low, high = feature["minimum"], feature["maximum"]
    fitting = {
        "number": st.floats(low or -100, high or 100) | st.integers(int(low or 0), int(high or 100)),
        "integer": st.integers(int(low or 0), int(high or 100)),
        "boolean": st.booleans(),
        "text": st.text(max_size=40),
        "category": st.sampled_from([c["value"] for c in feature["choices"]] or ["a"]),
    }[feature["kind"]]
    odd = st.sampled_from([*STRANGE, *edges(feature)]) | st.floats() | st.text(max_size=5) | st.integers()
    return st.one_of(*[fitting] * 20, odd)


def rows(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    features = {feature["name"]: values(feature) for feature in schema["features"]}
    whole = st.fixed_dictionaries(features)
    parts = st.fixed_dictionaries({}, optional=features)
    more = st.tuples(
        whole, st.dictionaries(st.sampled_from(["x", "", "a/b", *features]), st.none(), max_size=1)
    )
    other = st.sampled_from([None, 1, "row", [], [[1]], {}])
    return st.one_of(whole, whole, whole, parts, more.map(lambda two: {**two[1], **two[0]}), other)


def strictly(data: bytes) -> Any:
    """JSON as RFC 8259 has it: no NaN, no infinities, UTF-8."""

    def never(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(data.decode("utf-8", "strict"), parse_constant=never)


def send(client: FlaskClient, token: str, name: str, schema: dict[str, Any], row: Any) -> str:
    """Send a row to a model; returns the status, once all is as the documentation says."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = json.dumps({"inputs": row}).encode()
    answer = client.post(f"/api/v1/models/{name}/predict", data=data, headers=headers)
    told = strictly(answer.data)
    assert answer.status_code in (200, 400, 422), (name, row, told)
    # What can be read and not be computed is taken, and has no answer.
    given = answer.status_code == 200 or told["type"].endswith("#model-failed")
    assert given == taken(schema, row), (name, row, told)
    return str(answer.status_code)


def try_all(ask: Callable[[Any], str], schema: dict[str, Any], examples: int) -> Counter[str]:
    """Ask so many times TOGETHER rows of a model; what came of them."""
    seen: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(rows(schema), min_size=TOGETHER, max_size=TOGETHER))
    def check(several: list[Any]) -> None:
        seen.update(map(ask, several))

    check()
    return seen


def test_each_strange_value_in_each_place_is_taken_as_the_documentation_says(
    client: FlaskClient, token: Callable[[str], str], schemas: dict[str, Any]
) -> None:
    seen: Counter[str] = Counter()
    for name, schema in schemas.items():
        ask = partial(send, client, token("alice"), name, schema)
        row = {feature["name"]: usual(feature) for feature in schema["features"]}
        assert ask(row) == "200"
        for feature in schema["features"]:
            seen.update(ask({**row, feature["name"]: value}) for value in [*STRANGE, *edges(feature)])
    assert set(seen) == {"200", "400", "422"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "bodies", [2_000, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(7200)])]
)
def test_what_is_taken_is_what_the_documentation_says(
    client: FlaskClient,
    token: Callable[[str], str],
    schemas: dict[str, Any],
    bodies: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: Counter[str] = Counter()
    for name, schema in schemas.items():
        ask = partial(send, client, token("alice"), name, schema)
        seen += try_all(ask, schema, bodies // TOGETHER // len(schemas))
    with capsys.disabled():
        print(f"\n{sum(seen.values())} bodies to {len(schemas)} models: {dict(seen)}")
    assert seen["200"] and seen["422"] and seen["400"]
