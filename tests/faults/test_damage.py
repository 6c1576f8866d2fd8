"""Stored models damaged: refused, never a wrong answer, and the other models keep serving."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.conftest import MODELS, ApiClient
from tests.services.test_registry import DAMAGE
from webapp.errors import BadArtifact

FLIPS = 23  # in each file
GIVEN = ("prediction", "label", "probabilities", "warnings")


def test_a_flipped_byte_is_refused_or_changes_no_answer(app: Flask, api: Callable[[str], ApiClient]) -> None:
    ask, desk, chance = api("alice"), app.extensions["desk"], random.Random(7)
    rows = {name: desk.resolver.find(name, actor=None).predictor.schema.example() for name in MODELS}
    before = {name: _given(app, ask, name, rows[name]) for name in MODELS}
    refused = 0
    for name in MODELS:
        for path in sorted((desk.store.root / name / "1").iterdir()):
            sound = path.read_bytes()
            for place in chance.sample(range(len(sound)), FLIPS):
                _flip(path, sound, place, chance)
                for asked in MODELS:
                    answer = _given(app, ask, asked, rows[asked])
                    assert answer == before[asked] or (asked == name and answer is None), (path, place)
                    refused += answer is None
            path.write_bytes(sound)
    assert {name: _given(app, ask, name, rows[name]) for name in MODELS} == before
    assert refused >= len(MODELS) * FLIPS


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_manifest_stops_its_model_once_it_must_be_read(
    app: Flask, api: Callable[[str], ApiClient], how: str
) -> None:
    ask, desk = api("alice"), app.extensions["desk"]
    body = {"inputs": desk.resolver.find("iris", actor=None).predictor.schema.example()}
    DAMAGE[how](desk.store.root / "iris" / "1" / "manifest.json")
    assert ask("POST", "/models/iris/predict", body)[0] == 200  # loaded before, when it was sound
    _forget(app)
    for method, path, sent in (("POST", "/models/iris/predict", body), ("GET", "/models/iris", None)):
        status, told = ask(method, path, sent)
        assert (status, told["type"].partition("#")[2]) == (503, "not-ready")
    assert ask("GET", "/models/diabetes")[0] == ask("GET", "/models")[0] == 200


def test_an_engine_that_is_found_damaged_late_is_our_fault_not_the_askers(
    app: Flask, api: Callable[[str], ApiClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise BadArtifact("model.onnx of iris 1 is lost; restore it from a backup.")

    ask, predictor = api("alice"), app.extensions["desk"].resolver.find("iris", actor=None).predictor
    monkeypatch.setattr(predictor, "_engines", {})
    monkeypatch.setattr(predictor, "_makers", dict.fromkeys(predictor._makers, lost))
    status, told = ask("POST", "/models/iris/predict", {"inputs": predictor.schema.example()})
    assert (status, told["detail"]) == (503, "model.onnx of iris 1 is lost; restore it from a backup.")


@pytest.mark.parametrize("how", DAMAGE)
def test_the_description_of_the_api_leaves_a_damaged_model_out(
    app: Flask, api: Callable[[str], ApiClient], how: str
) -> None:
    ask = api("alice")
    assert "/models/iris/predict" in ask("GET", "/openapi.json")[1]["paths"]
    DAMAGE[how](app.extensions["desk"].store.root / "iris" / "1" / "manifest.json")
    status, document = ask("GET", "/openapi.json")
    assert status == 200
    assert "/models/iris/predict" not in document["paths"]
    assert "/models/diabetes/predict" in document["paths"]


def _given(app: Flask, ask: ApiClient, name: str, row: dict[str, Any]) -> Any:
    """What a process that has loaded nothing yet answers; None for a refusal."""
    _forget(app)
    status, body = ask("POST", f"/models/{name}/predict", {"inputs": row})
    if status == 200:
        return {part: body[part] for part in GIVEN}
    assert 400 <= status < 600 and body["status"] == status and body["detail"], body
    assert "Traceback" not in body["detail"]
    return None


def _forget(app: Flask) -> None:
    desk = app.extensions["desk"]
    desk.runtime._loaded.clear()
    desk.resolver._number = -1


def _flip(path: Path, sound: bytes, place: int, chance: random.Random) -> None:
    damaged = bytearray(sound)
    damaged[place] ^= 1 << chance.randrange(8)
    path.write_bytes(damaged)
