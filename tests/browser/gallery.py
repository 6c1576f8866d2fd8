"""Every macro of templates/_macros.html on one page, for the docs and for the tests that look at pages."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask, g, render_template_string

from webapp.services.people import Actor
from webapp.web.charts import Chart
from webapp.web.figures import PALETTE

PAGE = Path(__file__).with_name("gallery.html")
RECORD = SimpleNamespace(
    label="versicolor",
    value=None,
    unit=None,
    score=0.914,
    probabilities={"setosa": 0.004, "versicolor": 0.914, "virginica": 0.082},
    warnings=[
        {
            "feature": "petal_length",
            "kind": "outside_range",
            "detail": "petal length 9.1 cm is outside 1.0–6.9 cm, the range this version learned from",
        }
    ],
    used={"petal_length": 9.1, "petal_width": 1.3},
    inputs={"petal_length": 9.1},
    defaulted=["petal_width"],
    threshold={"label": "versicolor", "at_least": 0.6, "reached": True},
    ranking=None,
)
RANKED = SimpleNamespace(
    ranking=[
        {"item": "tea", "label": "Tea", "score": 0.42},
        {"item": "honey", "label": "Honey", "score": 0.31},
        {"item": "bread", "label": "Bread", "score": 0.08},
    ],
    rank=lambda item: {"tea": 1, "honey": 2, "bread": 3}.get(item),
)
SHEET = SimpleNamespace(
    features=[
        SimpleNamespace(name="petal_length", label="Petal length", unit="cm"),
        SimpleNamespace(name="petal_width", label="Petal width", unit="cm"),
    ]
)


def chart() -> Chart:
    """Three classes over five hours."""
    hours = [f"2026-03-31 {hour:02}:00" for hour in range(8, 13)]
    counts = {"setosa": [4, 9, 7, 3, 5], "versicolor": [6, 5, 9, 8, 2], "virginica": [1, 3, 2, 4, 4]}
    data: list[dict[str, Any]] = [
        {"type": "bar", "name": name, "x": hours, "y": y, "marker": {"color": colour}}
        for (name, y), colour in zip(counts.items(), PALETTE, strict=False)
    ]
    layout = {"barmode": "stack", "margin": {"l": 48, "r": 16, "t": 8, "b": 40}, "showlegend": True}
    rows = [[hour, *(str(y[i]) for y in counts.values())] for i, hour in enumerate(hours)]
    note = "Predictions per hour, by class. Times are UTC."
    figure, head = {"data": data, "layout": layout}, ["From (UTC)", *counts]
    return Chart(
        "answers", "Answers over time", note, "versicolor 41.7 %, setosa 38.9 %.", figure, head, rows
    )


def page(app: Flask) -> str:
    """The gallery as HTML; its files are where the server of the tests has them, too."""
    with app.test_request_context("/gallery"):
        g.actor = Actor(1, "alice", "analyst")
        shown = {"record": RECORD, "ranked": RANKED, "sheet": SHEET, "chart": chart()}
        return render_template_string(PAGE.read_text(), **shown)
