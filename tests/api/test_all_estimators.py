"""Every estimator, published and asked over the API, answers as it does itself."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ApiClient, close, password, settings
from tests.ml import estimator_cases as cases
from webapp.app import create_app
from webapp.services import registry


@pytest.fixture(scope="module")
def alice(sqlite_seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    folder = tmp_path_factory.mktemp("estimators") / "data"
    shutil.copytree(sqlite_seed, folder)
    app = create_app(settings(folder, access_token_minutes=60))
    client = app.test_client(use_cookies=False)
    answer = client.post("/api/v1/login", json={"username": "alice", "password": password("alice")})
    yield ApiClient(client, answer.json["access_token"])
    close(app)


@pytest.mark.parametrize("name", cases.served_names())
def test_an_estimator_answers_over_the_api_as_it_does_itself(alice: ApiClient, name: str) -> None:
    model = name.lower()
    app = alice.client.application
    with app.app_context():
        registry.publish(app.extensions["desk"].store, cases.packaged(name), name=model, title=name)
    estimator, X, _ = cases.fitted(name)
    rows = X.to_dict("records")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some estimators warn of their own defaults when they predict
        status, answer = alice("POST", f"/models/{model}/predict", {"instances": rows})
        values = np.ravel(estimator.predict(X)).tolist()
        shares = estimator.predict_proba(X) if hasattr(estimator, "predict_proba") else None
    assert status == 200, answer
    made = [p["prediction"] for p in answer["predictions"]]
    if cases.kind(name) == "regressor":
        assert np.allclose(made, values, rtol=1e-5)
        return
    assert made == values
    told = [p["probabilities"] for p in answer["predictions"]]
    if shares is None:
        assert set(told) == {None}
    else:
        assert np.allclose([list(t.values()) for t in told], shares, atol=1e-5)
