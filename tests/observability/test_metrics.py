"""What is counted and looked up for Prometheus, and that it never costs an answer."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, event, update
from structlog.testing import capture_logs

from tests.conftest import ApiClient
from webapp.db import Log
from webapp.db.base import session, transaction
from webapp.observability import metrics, note
from webapp.services import operations
from webapp.services.meters import Meters
from webapp.services.predictions import Ask, Made, Refused

Api = Callable[[str], ApiClient]
IRIS = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
TOKEN = "Zk3mP9vQ2xR7tW1yB5nC8dF4gH6jL0sA"


def scraped(client: FlaskClient, **headers: Any) -> dict[str, float]:
    """Each sample, by its name and labels as they stand in the text."""
    answer = client.get("/metrics", **headers)
    assert answer.status_code == 200, answer.text
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def risen(client: FlaskClient, before: dict[str, float], name: str) -> float:
    return scraped(client).get(name, 0) - before.get(name, 0)


def made(label: str | None, **changes: Any) -> Made:
    given = {"warnings": [], "cached": False, "latency_us": 9, "created_us": 1, **changes}
    return Made("pred_1", "iris", "1", 0, label, None, **given)


def ask(**changes: Any) -> Ask:
    return Ask("iris", [{}], "api", "r", 1000, **changes)


@pytest.fixture(autouse=True)
def fresh_labels(app: Flask) -> Iterator[None]:
    app.extensions["meter_reader"].read()
    yield


def test_a_request_that_cannot_be_counted_is_answered_and_told_of_once(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise FileNotFoundError("histogram_1.db")

    monkeypatch.setattr(metrics.SECONDS, "labels", gone)
    monkeypatch.setattr(metrics, "log", structlog.get_logger())
    with capture_logs() as lines:
        assert [client.get("/metrics").status_code for _ in range(3)] == [200] * 3
    assert [line["event"] for line in lines] == ["metrics go uncounted"]


def test_counters_that_cannot_be_read_are_not_ready(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "gone"))
    answer = client.get("/metrics")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    (tmp_path / "gone").mkdir()
    assert client.get("/metrics").status_code == 200
    (tmp_path / "gone" / "histogram_1.db").touch()
    assert client.get("/metrics").status_code == 503


def test_a_process_that_is_gone_has_no_memory(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    left, counted = tmp_path / "gauge_livesum_4194304.db", tmp_path / "counter_4194304.db"
    left.write_bytes(bytes(64))
    counted.write_bytes(bytes(64))
    assert client.get("/metrics").status_code == 200
    assert (left.exists(), counted.exists()) == (False, True)


def test_a_counted_request_is_in_the_metrics(client: FlaskClient) -> None:
    name = 'parecer_request_seconds_count{endpoint="probes.livez",status="200"}'
    before = scraped(client)
    note("GET", "probes.livez", 200, time.perf_counter_ns() - 3_000_000, "r", None)
    assert risen(client, before, name) == 1
    assert risen(client, before, name.replace("_count", "_sum")) == pytest.approx(0.003, abs=0.002)
    assert risen(client, before, name.replace("_count", "_bucket").replace("{", '{le="0.0025",')) == 0


def test_a_prediction_is_counted_by_class_and_its_commit_by_size(client: FlaskClient, api: Api) -> None:
    alice, before = api("alice"), scraped(client)
    assert alice("POST", "/models/iris/predict", {"instances": [IRIS] * 3})[0] == 200
    assert alice("POST", "/models/iris/predict", {"inputs": {}})[0] == 422
    setosa = 'parecer_predictions_total{channel="api",label="setosa",model="iris",version="1"}'
    assert risen(client, before, setosa) == 3
    assert risen(client, before, 'parecer_refused_total{kind="invalid-input"}') == 1
    assert risen(client, before, 'parecer_commit_entries_sum{process="web"}') == 1
    assert risen(client, before, 'parecer_commit_rows_sum{process="web"}') == 3
    assert risen(client, before, 'parecer_commit_seconds_count{process="web"}') == 1


def test_what_an_idempotency_key_repeats_is_counted_once(app: Flask, client: FlaskClient, api: Api) -> None:
    alice, before = api("alice"), scraped(client)
    row = app.extensions["desk"].resolver.find("diabetes", actor=None).predictor.schema.example()
    for _ in range(2):
        key = {"Idempotency-Key": "again"}
        assert alice("POST", "/models/diabetes/predict", {"inputs": row}, headers=key)[0] == 200
    name = 'parecer_predictions_total{channel="api",label="value",model="diabetes",version="1"}'
    assert risen(client, before, name) == 1


def test_stages_warnings_and_refused_rows_are_counted(app: Flask, client: FlaskClient) -> None:
    before, meters = scraped(client), app.extensions["desk"].meters
    warned = made("Setosa", warnings=[{"feature": "a", "kind": "missing", "detail": ""}])
    meters.predicted(ask(stages={"check": 10, "keep": 11}), [warned, Refused([])])
    stage = 'parecer_prediction_stage_seconds_bucket{le="1e-05",model="iris",stage="%s"}'
    assert risen(client, before, stage % "check") == 1  # the edge belongs to its bucket
    assert risen(client, before, stage % "keep") == 0
    total = 'parecer_prediction_stage_seconds_sum{model="iris",stage="keep"}'
    assert risen(client, before, total) == pytest.approx(11e-6)
    assert risen(client, before, 'parecer_warnings_total{kind="missing",model="iris"}') == 1
    assert risen(client, before, 'parecer_refused_rows_total{model="iris"}') == 1


def test_a_model_has_no_more_labels_than_so_many(app: Flask, client: FlaskClient) -> None:
    answers = [made(f"class {n}", created_us=1) for n in range(metrics.MOST_LABELS + 5)]
    for one in answers:
        one.model = "many"
    app.extensions["desk"].meters.predicted(ask(), answers)
    told = {name: n for name, n in scraped(client).items() if 'model="many"' in name and "_total" in name}
    assert len(told) == metrics.MOST_LABELS + 1
    assert sum(n for name, n in told.items() if 'label="other"' in name) == 5


def test_hits_and_misses_of_the_cache_are_counted(app: Flask, client: FlaskClient) -> None:
    before, answers = scraped(client), app.extensions["desk"].answers
    answers.get(1, (1,))
    answers.put(1, (1,), "known")
    answers.get(1, (1,))
    answers.get(1, (1,))
    name = 'parecer_cache_requests_total{cache="answers",result="%s"}'
    assert (risen(client, before, name % "hit"), risen(client, before, name % "miss")) == (2, 1)


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_nothing_is_lost_between_threads(restless: None) -> None:
    meters, taken = Meters(), []
    done = threading.Event()

    def count() -> None:
        for _ in range(5000):
            meters.predicted(ask(stages={"check": 5}), [made("a")])

    def take() -> None:
        while not done.is_set():
            taken.append(meters.take())

    counting = [threading.Thread(target=count) for _ in range(4)]
    taking = threading.Thread(target=take)
    for thread in (taking, *counting):
        thread.start()
    for thread in counting:
        thread.join()
    done.set()
    taking.join()
    taken.append(meters.take())
    assert sum(n for part in taken for n in part.predictions.values()) == 20_000
    assert sum(sum(s["check"].counts) for part in taken for s in part.stages.values()) == 20_000


def test_what_waits_and_what_answers_is_looked_up(client: FlaskClient, api: Api) -> None:
    api("alice")("POST", "/models/iris/predict", {"inputs": IRIS})
    told = scraped(client)
    assert told['parecer_live_version_info{model="iris",version="1"}'] == 1
    assert told['parecer_up{part="database"}'] == told['parecer_up{part="sealing"}'] == 1
    assert told['parecer_jobs{state="waiting"}'] == told["parecer_job_workers"] == 0
    # The oldest is from when the models of this run of tests were published.
    assert told["parecer_unsealed_leaves"] >= 1 and told["parecer_seal_lag_seconds"] >= 0
    assert 0 < told["parecer_disk_free_bytes"] < told["parecer_disk_size_bytes"]


def test_sealing_that_has_stopped_is_told(client: FlaskClient) -> None:
    with transaction() as s:
        s.execute(update(Log).values(trouble="the tree is another"))
    assert scraped(client)['parecer_up{part="sealing"}'] == 0


def test_a_scrape_lives_without_the_database(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OSError("no route")

    monkeypatch.setattr(operations, "standing", away)
    told = scraped(client)
    assert told['parecer_up{part="database"}'] == 0
    assert not any(name.startswith(("parecer_jobs", "parecer_live", "parecer_seal")) for name in told)


@pytest.fixture
def statements(app: Flask) -> Iterator[list[str]]:
    engine: Engine = app.extensions["sqlalchemy"].engine
    seen: list[str] = []

    def look(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", look)
    yield seen
    event.remove(engine, "before_cursor_execute", look)


def test_a_scrape_asks_few_questions_that_no_record_makes_longer(
    app: Flask, client: FlaskClient, statements: list[str]
) -> None:
    client.get("/metrics")
    asked = [text for text in statements if text.startswith("SELECT")]
    assert len(asked) == 4
    for text in asked:
        values = tuple(9 if mark != "live" else "live" for mark in _values(text))
        plan = session().connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all()
        steps = [row[-1] for row in plan]
        # Of tables that grow with the record, nothing is read from end to end.
        assert not [s for s in steps if re.match(r"SCAN (leaves|predictions|jobs|submissions)(?! USING)", s)]


def _values(statement: str) -> list[str]:
    return ["live" if "aliases" in statement else "number"] * statement.count("?")


@pytest.mark.parametrize(
    ("token", "shown", "status"),
    [
        ("", "", 403),
        ("", "Bearer ", 403),
        (TOKEN, "", 403),
        (TOKEN, f"Bearer {TOKEN[:-1]}", 403),
        (TOKEN, f"Basic {TOKEN}", 403),
        (TOKEN, "Bearer é", 403),
        (TOKEN, f"Bearer {TOKEN}", 200),
    ],
)
def test_other_machines_need_the_token(
    app: Flask, client: FlaskClient, token: str, shown: str, status: int
) -> None:
    app.config["METRICS_TOKEN"] = token
    headers = {"Authorization": shown} if shown else {}
    elsewhere = {"REMOTE_ADDR": "192.0.2.9"}
    assert client.get("/metrics", headers=headers, environ_overrides=elsewhere).status_code == status
    assert client.get("/metrics").status_code == 200


def test_a_scrape_is_text_that_prometheus_reads(client: FlaskClient, api: Api) -> None:
    api("alice")("POST", "/models/iris/predict", {"inputs": IRIS})
    families = list(text_string_to_metric_families(client.get("/metrics").text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)) and all(family.documentation for family in families)
