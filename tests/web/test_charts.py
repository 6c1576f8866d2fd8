from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from webapp import errors
from webapp.services.monitoring import Figures, Histogram, Mark, Overview
from webapp.web.charts import overview_charts
from webapp.web.figures import PALETTE, REST
from webapp.web.words import FAILURES, change, duration, number, percent, rough

MINUTE = 60_000_000
SEEN = Overview(
    since_us=0,
    until_us=2 * MINUTE,
    step_us=MINUTE,
    starts=[0, MINUTE],
    volume=[3, 0],
    series={"virginica": [2, 0], "setosa": [1, 0]},
    p50_us=[1000, None],
    p95_us=[2000, None],
    p99_us=[3000, None],
    errors=None,
    channels={"api": 3},
    histogram=Histogram("score", [0.0, 0.5, 1.0], [1, 2]),
    now=Figures(3, 0, 2000),
    before=Figures(0, 0, None),
)
CLASSES = ("setosa", "versicolor", "virginica")


def traces(seen: Overview, i: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = overview_charts(seen, CLASSES)[i].figure["data"]
    return found


def test_a_class_keeps_its_colour_whoever_else_is_there() -> None:
    colours = {t["name"]: t["marker"]["color"] for t in traces(SEEN, 0)}
    assert colours == {"setosa": PALETTE[0], "virginica": PALETTE[2]}


def test_the_name_of_a_class_is_no_markup_in_a_chart() -> None:
    seen = replace(SEEN, series={"<b>a</b>": [2, 0], "R&D": [1, 0]})
    answers = overview_charts(seen, ("<b>a</b>", "R&D"))[0]
    assert [trace["name"] for trace in answers.figure["data"]] == ["&lt;b&gt;a&lt;/b&gt;", "R&amp;D"]
    assert answers.head == ["From (UTC)", "<b>a</b>", "R&D"]


def test_the_table_says_what_the_figure_says() -> None:
    answers, latency, scores, channels = overview_charts(SEEN, CLASSES)
    assert answers.rows == [["1970-01-01 00:00", "1", "2"]]
    assert latency.rows == [["1970-01-01 00:00", "1 ms", "2 ms", "3 ms"]]
    assert scores.rows == [["0 to 0.5", "1"], ["0.5 to 1", "2"]]
    assert channels.rows == [["API", "3"]]


def test_what_a_spreadsheet_gets_is_numbers() -> None:
    answers, latency, scores, channels = overview_charts(SEEN, CLASSES, of_model=True)
    assert answers.csv == [
        ["from", "setosa", "virginica"],
        ["1970-01-01T00:00:00Z", 1, 2],
        ["1970-01-01T00:01:00Z", 0, 0],
    ]
    assert latency.csv[1:] == [
        ["1970-01-01T00:00:00Z", 1000, 2000, 3000],
        ["1970-01-01T00:01:00Z", None, None, None],
    ]
    assert scores.csv == [["low", "high", "predictions"], [0.0, 0.5, 1], [0.5, 1.0, 2]]
    assert channels.csv == [["channel", "predictions"], ["api", 3]]


def test_a_chart_says_the_main_thing_in_words() -> None:
    answers, latency, scores, channels = overview_charts(SEEN, CLASSES, of_model=True)
    assert answers.says == (
        "virginica 66.7 %, setosa 33.3 %. Most in a minute: 3, from 1970-01-01 00:00 UTC."
    )
    assert latency.says == "95 % of all within 2 ms. The highest p99 is 3 ms, from 1970-01-01 00:00 UTC."
    assert scores.says == "The fullest bar is from 0.5 to 1, with 66.7 %."
    assert channels.says == "API 100.0 %."


def test_a_chart_of_nothing_says_nothing() -> None:
    nothing = [None, None]
    seen = replace(
        SEEN, volume=[0, 0], series={}, channels={}, p50_us=nothing, p95_us=nothing, p99_us=nothing
    )
    seen = replace(seen, histogram=Histogram("score", [0.0, 0.5, 1.0], [0, 0]), errors={})
    assert [c.says for c in overview_charts(seen)] == [""] * 5


def test_a_percentile_is_seen_under_another() -> None:
    seen = replace(SEEN, p50_us=[1000, None], p95_us=[1000, None], p99_us=[1000, None])
    lines = traces(seen, 1)
    assert [t["zorder"] for t in lines] == [3, 2, 1]
    assert sorted({t["marker"]["size"] for t in lines}) == [5, 9, 12]


def test_another_version_is_a_thin_line_on_every_chart_over_time() -> None:
    seen = replace(SEEN, marks=[Mark(MINUTE, "iris", "2")], errors={"NotReady": [1, 0]})
    charts = {c.name: c.figure["layout"] for c in overview_charts(seen)}
    for name in ("answers", "latency", "errors"):
        assert [s["x0"] for s in charts[name]["shapes"]] == ["1970-01-01 00:01"]
        assert [a["text"] for a in charts[name]["annotations"]] == ["v2"]
    both = replace(seen, marks=[*seen.marks, Mark(0, "diabetes", "1")])
    names = [a["text"] for a in overview_charts(both)[0].figure["layout"]["annotations"]]
    assert names == ["diabetes v1", "iris v2"]


def test_versions_of_one_moment_have_one_name() -> None:
    marks = [Mark(MINUTE + n, model, "1") for n, model in enumerate(("iris", "diabetes"))]
    [name] = overview_charts(replace(SEEN, marks=marks))[0].figure["layout"]["annotations"]
    assert (name["text"], name["hovertext"]) == ("2 versions", "iris v1<br>diabetes v1")


def test_the_smallest_of_many_series_are_shown_together() -> None:
    series = {f"m{i}": [i, 0] for i in range(12)}
    answers = overview_charts(replace(SEEN, series=series), list(series))[0]
    assert answers.head[1:] == [*(f"m{i}" for i in range(5, 12)), "others"]
    assert answers.rows == [["1970-01-01 00:00", *map(str, range(5, 12)), "10"]]


def test_errors_are_drawn_by_reason_for_those_who_may_see_them() -> None:
    assert [c.title for c in overview_charts(SEEN)] == [
        "Predictions over time",
        "Latency",
        "Scores",
        "Channels",
    ]
    seen = replace(SEEN, errors={"InvalidInput": [0, 4], "NotReady": [0, 1], "Unheard": [1, 0]})
    chart = overview_charts(seen)[2]
    assert chart.head == ["From (UTC)", "values refused", "not ready", "Unheard"]
    assert chart.rows == [["1970-01-01 00:00", "0", "0", "1"], ["1970-01-01 00:01", "4", "1", "0"]]
    assert [t["marker"]["color"] for t in chart.figure["data"]] == [PALETTE[0], PALETTE[3], REST]


def test_every_failure_with_words_is_an_error_of_ours() -> None:
    assert all(issubclass(getattr(errors, name), errors.AppError) for name in FAILURES)


def test_an_empty_bucket_is_a_gap_in_the_line() -> None:
    assert traces(SEEN, 1)[0]["y"] == [1.0, None]


@pytest.mark.parametrize(("p99", "kind"), [(3000, "linear"), (30_000, "log")])
def test_a_wide_spread_of_latency_gets_a_log_scale(p99: int, kind: str) -> None:
    chart = overview_charts(replace(SEEN, p99_us=[p99, None]))[1]
    assert chart.figure["layout"]["yaxis"]["type"] == kind


@pytest.mark.parametrize(
    ("slowest", "said"),
    [
        (30_000, ["1 ms", "10 ms", "100 ms"]),
        (3_000_000, ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]),
    ],
)
def test_a_log_scale_has_its_ticks_spelled_out(slowest: int, said: list[str]) -> None:
    axis = overview_charts(replace(SEEN, p99_us=[slowest, None]))[1].figure["layout"]["yaxis"]
    assert [t for t in axis["ticktext"] if t.startswith("1")] == said
    assert len(axis["tickvals"]) == (9 if slowest == 30_000 else 5)


@pytest.mark.parametrize(
    ("most", "step"), [(0, 1), (3, 1), (5, 1), (6, 2), (60, 20), (1_000, 200), (1_001, 500)]
)
def test_there_is_no_half_a_prediction(most: int, step: int) -> None:
    chart = overview_charts(replace(SEEN, volume=[most, 0], series={}))[0]
    assert chart.figure["layout"]["yaxis"]["dtick"] == step


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.9816, "98.2 %"),
        (1.0, "100.0 %"),
        (0.99999, "> 99.9 %"),
        (0.0, "0.0 %"),
        (1e-6, "< 0.1 %"),
        (None, "–"),
    ],
)
def test_a_share_is_never_rounded_to_certainty(share: float | None, said: str) -> None:
    assert percent(share) == said


@pytest.mark.parametrize(("figure", "said"), [(45.178, "45"), (1234.5, "1200"), (0.01234, "0.012")])
def test_an_error_has_two_digits(figure: float, said: str) -> None:
    assert rough(figure) == said


@pytest.mark.parametrize(
    ("us", "said"),
    [(900, "900 µs"), (1234, "1.23 ms"), (999_900, "1 s"), (86_400_000_000, "86\u202f400 s"), (None, "–")],
)
def test_durations_take_the_unit_that_reads_best(us: int | None, said: str) -> None:
    assert duration(us) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(True, "yes"), (-1.5, "−1.5"), (None, "–"), (0.1 + 0.2, "0.3"), (12, "12"), ("x", "x")],
)
def test_values_are_written_for_people(value: Any, said: str) -> None:
    assert number(value) == said


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (2, 2, "as in"),
        (3, 2, "up 50 %"),
        (1, 2, "down 50 %"),
        (5, 0, "up from 0"),
        (9, 1, "9 times"),
        (1, None, "nothing"),
    ],
)
def test_a_change_is_told_in_words(now: float, before: float | None, said: str) -> None:
    assert change(now, before).startswith(said)
