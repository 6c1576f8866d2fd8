"""Demo models asked through the API, beside their estimators in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask import Flask

from tests.conftest import ApiClient
from tests.demo_desk import packaged, publish_demo
from webapp.ml.demos import digits

Client = Callable[[str], ApiClient]
ROWS = 250
NEAR = 1e-5


def asked(api: Client, name: str, X: Any) -> list[dict[str, Any]]:
    rows = X.head(ROWS).to_dict("records")
    assert len(rows) >= 200
    status, body = api("alice")("POST", f"/models/{name}/predict", {"instances": rows})
    assert status == 200, body
    return body["predictions"]


@pytest.mark.parametrize("pixels", ["decoded", "as scikit-learn has them"])
def test_digits_are_answered_as_the_estimator_answers(app: Flask, api: Client, pixels: str) -> None:
    publish_demo(app, "digits")
    _, _, estimator, X, _ = packaged("digits")
    matrix = digits.numbers(X)
    if pixels != "decoded":  # without any code of ours between the data and the estimator
        from sklearn.datasets import load_digits

        matrix = load_digits().data[X.index]
    made = asked(api, "digits", X)
    assert [one["prediction"] for one in made] == estimator.predict(matrix)[:ROWS].tolist()
    shares = np.array([list(one["probabilities"].values()) for one in made])
    assert np.abs(shares - estimator.predict_proba(matrix)[:ROWS]).max() <= NEAR
    assert all(list(one["probabilities"]) == estimator.classes_.tolist() for one in made)


def test_recommendations_are_ranked_as_the_estimator_ranks(app: Flask, api: Client) -> None:
    publish_demo(app, "recommendation")
    _, _, estimator, X, _ = packaged("recommendation")
    shares = estimator.predict_proba(X.head(ROWS))
    order = np.argsort(-shares, axis=1, kind="stable")[:, :5]
    for one, places, share in zip(asked(api, "recommendation", X), order, shares, strict=True):
        wanted = estimator.classes_[places].tolist()
        assert one["prediction"] == [r["item"] for r in one["ranking"]] == wanted
        assert one["label"] == wanted[0]
        assert one["probabilities"] is None
        assert np.abs(np.array([r["score"] for r in one["ranking"]]) - share[places]).max() <= NEAR


def test_a_ranking_stays_as_it_was_answered_and_its_outcome_has_a_place(app: Flask, api: Client) -> None:
    publish_demo(app, "recommendation")
    alice = api("alice")
    row = packaged("recommendation")[3].head(1).to_dict("records")[0]
    key = {"Idempotency-Key": "once"}
    _, made = alice("POST", "/models/recommendation/predict", {"inputs": row}, headers=key)
    _, again = alice("POST", "/models/recommendation/predict", {"inputs": row}, headers=key)
    assert again["ranking"] == made["ranking"]
    third = made["ranking"][2]
    status, told = alice("POST", f"/predictions/{made['id']}/outcome", {"actual": third["item"]})
    assert (status, told["verdict"], told["rank"]) == (201, "differs", 3)
    _, first = alice("POST", f"/predictions/{made['id']}/outcome", {"actual": made["label"]})
    assert (first["verdict"], first["rank"]) == ("agrees", 1)
    _, record = alice("GET", f"/predictions/{made['id']}")
    assert (record["ranking"], record["prediction"]) == (made["ranking"], made["prediction"])
    assert [o["rank"] for o in record["outcomes"]] == [3, 1]


def test_lists_say_what_an_image_is_and_the_record_holds_it(app: Flask, api: Client) -> None:
    publish_demo(app, "digits")
    alice = api("alice")
    text = packaged("digits")[3]["image"].iloc[0]
    _, made = alice("POST", "/models/digits/predict", {"inputs": {"image": text}})
    _, page = alice("GET", "/predictions")
    assert page["data"][0]["inputs"]["image"].startswith("image 8×8, 1")
    _, record = alice("GET", f"/predictions/{made['id']}")
    assert record["inputs"] == {"image": text}


def test_an_image_is_taken_with_its_data_uri_and_with_line_breaks(app: Flask, api: Client) -> None:
    publish_demo(app, "digits")
    text = packaged("digits")[3]["image"].iloc[0]
    for form in (
        f"data:image/png;base64,{text}",
        "\n".join(text[i : i + 76] for i in range(0, len(text), 76)),
    ):
        status, made = api("alice")("POST", "/models/digits/predict", {"inputs": {"image": form}})
        assert status == 200, made


def test_too_many_images_at_once_are_refused_before_any_is_decoded(
    app: Flask, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from webapp.services import predictions

    publish_demo(app, "digits")
    monkeypatch.setattr(predictions, "MOST_NUMBERS", 128)
    rows = [{"image": "not looked at"}] * 3
    status, told = api("alice")("POST", "/models/digits/predict", {"instances": rows})
    assert (status, told["detail"]) == (
        413,
        "One request may hold 2 images for this model; split it, or send a batch.",
    )
