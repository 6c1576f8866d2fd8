"""Plain numbers → charts: a Plotly figure and the table that says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from math import ceil, floor, log10
from typing import Any

from webapp.services.monitoring import Overview
from webapp.web.words import FAILURES, duration, number, thousands

# Okabe and Ito (2008), distinct for colour-blind eyes; the order is that of the classes in the model's schema.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#4D4D4D")
SHADES = ("#56B4E9", "#0072B2", "#1B2428")
LOG_ABOVE = 10.0
TICKS = 5
LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"}

#: Two lines of ticks and the word UTC.
TIME_MARGIN = {"b": 60}

Figure = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure for Plotly and its numbers as a table; cells are ready to be read."""

    title: str
    note: str
    figure: Figure
    head: list[str]
    rows: list[list[str]]


def overview_charts(seen: Overview, classes: Sequence[str] = ()) -> list[Chart]:
    """The charts of the dashboard; `classes` are those of the one model looked at, in its order."""
    over_time = [_answers(seen, classes), _latency(seen)]
    if seen.errors:
        over_time.append(_errors(seen, seen.errors))
    return [*over_time, _histogram(seen), _channels(seen)]


def _answers(seen: Overview, classes: Sequence[str]) -> Chart:
    series = seen.series or {"all": seen.volume}
    names = [c for c in classes if c in series] + sorted(set(series) - set(classes))
    order = [*classes, *(n for n in names if n not in classes)]
    colours = {name: PALETTE[order.index(name) % len(PALETTE)] for name in names}
    figure, head, rows = _stack(seen, {name: series[name] for name in names}, colours)
    title = "Answers over time" if classes else "Predictions over time"
    parts = ", by class" if classes else ", by model" if seen.series else ""
    note = f"Predictions per {_step(seen.step_us)}{parts}. Times are UTC."
    return Chart(title, note, figure, head, rows)


def _errors(seen: Overview, errors: dict[str, list[int]]) -> Chart:
    order = list(FAILURES)
    series = {str(FAILURES.get(kind, kind)): counts for kind, counts in errors.items()}
    colours = {
        str(FAILURES[kind]): PALETTE[order.index(kind) % len(PALETTE)] for kind in errors if kind in FAILURES
    }
    figure, head, rows = _stack(seen, series, colours)
    note = f"Predict requests that got no answer, per {_step(seen.step_us)}, by reason. Times are UTC."
    figure["layout"]["showlegend"] = True
    return Chart("Errors", note, figure, head, rows)


def _stack(
    seen: Overview, series: dict[str, list[int]], colours: dict[str, str]
) -> tuple[Figure, list[str], list[list[str]]]:
    """Stacked bars over time, and the table's head and rows."""
    times = [_time(start) for start in seen.starts]
    width = {"width": seen.step_us / 1000 * 0.9}
    traces = [_bar(times, n, name, colours.get(name, PALETTE[-1])) | width for name, n in series.items()]
    most = max((sum(counts) for counts in zip(*series.values(), strict=True)), default=0)
    layout = _layout(barmode="stack", showlegend=len(series) > 1, legend=LEGEND, xaxis=_time_axis(seen))
    layout["margin"] |= TIME_MARGIN
    layout["yaxis"] |= _whole(most)
    rows = [
        [t, *map(thousands, counts)]
        for t, counts in zip(times, zip(*series.values(), strict=True), strict=True)
        if any(counts)
    ]
    return {"data": traces, "layout": layout}, ["From (UTC)", *series], rows


def _latency(seen: Overview) -> Chart:
    times = [_time(start) for start in seen.starts]
    lines = {"p50": seen.p50_us, "p95": seen.p95_us, "p99": seen.p99_us}
    traces = []
    for (name, values), colour in zip(lines.items(), SHADES, strict=True):
        milliseconds = [v and v / 1000 for v in values]
        traces.append(
            {"type": "scatter", "mode": "lines+markers", "name": name, "x": times, "y": milliseconds}
            | {"line": {"color": colour, "width": 1.5}, "marker": {"size": 4}}
        )
    spread = [b / a for a, b in zip(seen.p50_us, seen.p99_us, strict=True) if a and b]
    kind = "log" if spread and max(spread) > LOG_ABOVE else "linear"
    axis: Figure = {"type": kind, "ticksuffix": " ms"}
    if kind == "log":
        axis |= _decades([v for line in lines.values() for v in line if v])
    layout = _layout(xaxis=_time_axis(seen), yaxis=axis, showlegend=True, legend=LEGEND)
    layout["margin"] |= TIME_MARGIN | {"l": 64}
    rows = [
        [t, *(duration(values[i]) for values in lines.values())]
        for i, t in enumerate(times)
        if seen.volume[i]
    ]
    scale = "; log scale" if kind == "log" else ""
    note = f"From the request to the kept answer, per {_step(seen.step_us)}{scale}. Times are UTC."
    return Chart("Latency", note, {"data": traces, "layout": layout}, ["From (UTC)", *lines], rows)


def _histogram(seen: Overview) -> Chart:
    shown = seen.histogram
    edges = list(zip(shown.edges, shown.edges[1:], strict=False))
    middles = [(low + high) / 2 for low, high in edges]
    bars = _bar(middles, shown.counts, shown.of, PALETTE[0]) | {"width": [high - low for low, high in edges]}
    bars["marker"]["line"] = {"color": "#ffffff", "width": 1}
    rows = [
        [f"{number(low)} to {number(high)}", thousands(n)]
        for (low, high), n in zip(edges, shown.counts, strict=True)
        if n
    ]
    title, note = (
        ("Scores", "Probability of the class that was answered.")
        if shown.of == "score"
        else ("Values", "The numbers that were answered.")
    )
    layout = _layout(xaxis={"range": [shown.edges[0], shown.edges[-1]]}, bargap=0)
    layout["yaxis"] |= _whole(max(shown.counts))
    return Chart(title, note, {"data": [bars], "layout": layout}, [shown.of.title(), "Predictions"], rows)


def _channels(seen: Overview) -> Chart:
    names, counts = list(seen.channels), list(seen.channels.values())
    bars = _bar(counts[::-1], names[::-1], "channel", PALETTE[0]) | {"orientation": "h", "width": 0.5}
    bars |= {"text": [thousands(n) for n in counts[::-1]], "textposition": "auto", "cliponaxis": False}
    layout = _layout(
        yaxis={"showgrid": False},
        margin={"l": 72, "r": 24, "t": 8, "b": 40},
        xaxis=_whole(max(counts, default=0)),
    )
    rows = [[name, thousands(n)] for name, n in seen.channels.items()]
    return Chart(
        "Channels",
        "Where requests came from.",
        {"data": [bars], "layout": layout},
        ["Channel", "Predictions"],
        rows,
    )


def _bar(x: Sequence[Any], y: Sequence[Any], name: str, colour: str) -> Figure:
    text = escape(name, quote=False)  # Plotly would take <b> in the name of a class for markup
    return {"type": "bar", "name": text, "x": list(x), "y": list(y), "marker": {"color": colour}}


def _layout(**changes: Any) -> Figure:
    layout = {"margin": {"l": 48, "r": 16, "t": 8, "b": 40}, "showlegend": False, "bargap": 0.1}
    axes = {"xaxis": {"fixedrange": True}, "yaxis": {"fixedrange": True, "rangemode": "tozero"}}
    for name, axis in axes.items():
        changes[name] = axis | changes.get(name, {})
    return layout | changes


def _time_axis(seen: Overview) -> Figure:
    span = [_time(seen.starts[0]), _time(seen.starts[-1] + seen.step_us)]
    return {"type": "date", "range": span, "title": {"text": "UTC", "standoff": 4, "font": {"size": 13}}}


def _whole(most: int) -> Figure:
    """Ticks of an axis of counts, six at most: there is no half a prediction."""
    power = 10 ** floor(log10(max(most, TICKS) / TICKS))
    return {"dtick": next(m * power for m in (1, 2, 5, 10) if m * power * TICKS >= most)}


def _decades(latencies: Sequence[int]) -> Figure:
    """Ticks of a logarithmic axis, spelled out: Plotly would shorten those between powers of ten to a digit."""
    powers = range(floor(log10(min(latencies))), ceil(log10(max(latencies))) + 1)
    ticks = [m * 10**p for p in powers for m in ((1, 2, 5) if len(powers) <= 3 else (1,))]
    return {"tickvals": [t / 1000 for t in ticks], "ticktext": [duration(t) for t in ticks], "ticksuffix": ""}


def _time(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")


def _step(us: int) -> str:
    minutes = us // 60_000_000
    for size, word in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes % size == 0:
            return word if minutes == size else f"{minutes // size} {word}s"
    return "minute"
