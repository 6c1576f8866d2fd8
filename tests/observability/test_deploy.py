"""What is shipped for Grafana and Prometheus names the metrics that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from config import ROOT
from webapp.auth import CHECKED_AT_COMMIT

DEPLOY = ROOT / "deploy"
METRIC = re.compile(r"\bparecer_[a-z_]+")
LABELS = re.compile(r"(parecer_[a-z_]+)\{([^}]*)\}")
#: Of Prometheus itself, and of the form of every histogram.
GIVEN = {"job", "instance", "le"}
#: Severities that deploy/prometheus/alerts.yml sorts by: somebody is woken, somebody looks on the next day.
SEVERITIES = {"page", "ticket"}


def dashboard() -> Any:
    return json.loads((DEPLOY / "grafana" / "parecer.json").read_text())


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions(node: Any) -> Iterator[str]:
    """Everything in a dashboard that asks Prometheus."""
    if isinstance(node, dict):
        yield from (node[key] for key in ("expr", "query") if isinstance(node.get(key), str))
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from expressions(part)


def families(client: FlaskClient) -> dict[str, tuple[str, str]]:
    """Family of ours → its type, and its line in the reference."""
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    rows = dict(re.findall(r"^\| `(parecer_[a-z_]+)` \| (.*)\|$", page, re.MULTILINE))
    found = text_string_to_metric_families(client.get("/metrics").text)
    told = {f.name + ("_total" if f.type == "counter" else ""): f.type for f in found}
    # Without several processes there is also the time at which each was made.
    ours = [name for name in told if name.startswith("parecer") and not name.endswith("_created")]
    return {name: (told[name], rows.get(name, "")) for name in ours}


def samples(client: FlaskClient) -> set[str]:
    parts = {"histogram": ("_bucket", "_count", "_sum")}
    return {name + end for name, (kind, _) in families(client).items() for end in parts.get(kind, ("",))}


def test_every_metric_that_is_asked_for_is_there(client: FlaskClient) -> None:
    asked = [*expressions(dashboard()), *(rule["expr"] for rule in rules())]
    named = {name for text in asked for name in METRIC.findall(text)}
    assert sorted(named - samples(client)) == [] and len(named) > 15


def test_every_metric_is_in_the_dashboard_and_in_the_reference(client: FlaskClient) -> None:
    text = " ".join(expressions(dashboard()))
    assert [
        name for name in families(client) if not re.search(rf"\b{name}(_bucket|_count|_sum)?\b", text)
    ] == []
    assert [name for name, (kind, row) in families(client).items() if not row.startswith(kind)] == []


def test_every_label_that_is_asked_for_is_there(client: FlaskClient) -> None:
    known = {name: set(re.findall(r"`(\w+)`", row)) for name, (_, row) in families(client).items()}
    wrong = []
    for text in [*expressions(dashboard()), *(rule["expr"] for rule in rules())]:
        for name, selectors in LABELS.findall(text):
            labels = set(re.findall(r"(\w+)\s*[=!]", re.sub(r'"[^"]*"', "", selectors)))
            family = name if name in known else re.sub(r"_(bucket|count|sum)$", "", name)
            wrong += [f"{name}: {label}" for label in labels - known[family] - GIVEN]
    assert wrong == []


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) >= 10
    for rule in rules():
        assert rule["labels"]["severity"] in SEVERITIES and re.fullmatch(r"\d+m", rule["for"])
        assert rule["annotations"]["summary"].endswith(".") and rule["annotations"]["runbook"].endswith(".")


def test_alerts_about_predictions_know_every_way_to_ask_for_one() -> None:
    asked = re.findall(r'endpoint=~"([^"]+)"', " ".join(rule["expr"] for rule in rules()))
    assert (
        asked
        and [(text, way) for text in asked for way in CHECKED_AT_COMMIT if not re.fullmatch(text, way)] == []
    )
    assert not any(re.fullmatch(text, "api.list_predictions") for text in asked)


def test_panels_have_places_of_their_own_and_a_source_to_choose() -> None:
    board = dashboard()
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert {t["datasource"]["uid"] for t in panel["targets"]} == {"${datasource}"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_example_scrapes_with_these_rules() -> None:
    example = yaml.safe_load((DEPLOY / "prometheus" / "scrape.yml").read_text())
    assert [(DEPLOY / "prometheus" / name).is_file() for name in example["rule_files"]] == [True]
    assert example["scrape_configs"][0]["job_name"] == "parecer"
