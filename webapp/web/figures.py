"""Parts of Plotly figures: bars, lines, axes, marks. Colours are names of tokens, which the page resolves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from math import ceil, floor, log10
from typing import Any

from flask_babel import gettext

from webapp.services.monitoring import Mark, Overview
from webapp.web.words import duration

#: The classes' colours, in the order of the model's own classes; as --c0 to --c7 of the style sheet, which has them
#: from Okabe and Ito (2008), distinct for colour-blind eyes.
PALETTE = tuple(f"var(--c{i})" for i in range(8))
REST = "var(--line-2)"
LOG_ABOVE = 10.0
TICKS = 5
#: More points of a line than this leave room for small dots only.
DOTS = 60
LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"}
#: Of the whole time: marks that are closer than this share one name.
NEAR = 0.12
#: Two lines of ticks and the word UTC.
TIME_MARGIN = {"b": 60}

Figure = dict[str, Any]


def bar(x: Sequence[Any], y: Sequence[Any], name: str, colour: str) -> Figure:
    """One series of bars."""
    text = escape(name, quote=False)  # Plotly would take <b> in the name of a class for markup
    return {"type": "bar", "name": text, "x": list(x), "y": list(y), "marker": {"color": colour}}


def stack(seen: Overview, series: dict[str, list[int]], colours: dict[str, str]) -> Figure:
    """Stacked bars over time."""
    times = [time(start) for start in seen.starts]
    width = {"width": seen.step_us / 1000 * 0.9}
    traces = [bar(times, n, name, colours.get(name, REST)) | width for name, n in series.items()]
    most = max((sum(counts) for counts in zip(*series.values(), strict=True)), default=0)
    shown = over_time(seen, barmode="stack", showlegend=len(series) > 1, legend=LEGEND)
    shown["yaxis"] |= whole(most)
    return {"data": traces, "layout": shown}


def lines(seen: Overview, series: dict[str, list[int | None]]) -> Figure:
    """Lines over time of microseconds, shown in milliseconds; the first lies on top, with the smallest dots."""
    times = [time(start) for start in seen.starts]
    looks = (
        ("var(--accent)", "solid", 5, "circle"),
        ("var(--warning)", "solid", 9, "circle-open"),
        ("var(--ink)", "dot", 12, "diamond-open"),
    )
    known = [v for line in series.values() for v in line if v]
    told = [v for v in series["p50"] if v]
    traces = []
    for i, ((name, values), (colour, dash, size, symbol)) in enumerate(
        zip(series.items(), looks, strict=True)
    ):
        traces.append(
            {"type": "scatter", "mode": "lines+markers", "name": name, "x": times, "zorder": len(looks) - i}
            | {"y": [v and v / 1000 for v in values], "line": {"color": colour, "width": 1.5, "dash": dash}}
            | {"marker": {"size": size if len(told) <= DOTS else size / 3, "symbol": symbol}}
        )
    axis: Figure = {"type": "linear", "ticksuffix": " ms"}
    if wide(seen):
        axis = {"type": "log"} | decades(known)
    shown = over_time(seen, yaxis=axis, showlegend=True, legend=LEGEND)
    shown["margin"] |= {"l": 64}
    return {"data": traces, "layout": shown}


def wide(seen: Overview) -> bool:
    """Whether latencies are so far apart that only a logarithmic axis shows them."""
    spread = [b / a for a, b in zip(seen.p50_us, seen.p99_us, strict=True) if a and b]
    return bool(spread) and max(spread) > LOG_ABOVE


def over_time(seen: Overview, **changes: Any) -> Figure:
    """The layout of a chart over time, with a thin line where another version took over."""
    end = seen.starts[-1] + seen.step_us
    axis: Figure = {"type": "date", "range": [time(seen.starts[0]), time(end)]}
    axis["title"] = {"text": "UTC", "standoff": 4, "font": {"size": 13}}
    shown = layout(xaxis=axis, **changes)
    shown["margin"] |= TIME_MARGIN
    shown["shapes"] = [_line(mark) for mark in seen.marks]
    shown["annotations"] = _names(seen, seen.starts[0], end)
    if seen.marks:  # whose names stand between the plot and its legend
        shown["margin"] |= {"t": 24}
        shown["legend"] = shown.get("legend", {}) | {"y": 1.1}
    return shown


def layout(**changes: Any) -> Figure:
    """What all charts have in common, with changes."""
    shown = {"margin": {"l": 48, "r": 16, "t": 8, "b": 40}, "showlegend": False, "bargap": 0.1}
    axes = {"xaxis": {"fixedrange": True}, "yaxis": {"fixedrange": True, "rangemode": "tozero"}}
    for name, axis in axes.items():
        changes[name] = axis | changes.get(name, {})
    return shown | changes


def whole(most: int, ticks: int = TICKS) -> Figure:
    """Ticks of an axis of counts, `ticks` at most besides zero: there is no half a prediction."""
    power = 10 ** floor(log10(max(most, ticks) / ticks))
    step = next(m * power for m in (1, 2, 5, 10) if m * power * ticks >= most)
    return {"dtick": step, "tickformat": ",d"}  # spelled out: 30k is not what every language says


def decades(latencies: Sequence[int]) -> Figure:
    """Ticks of a logarithmic axis, spelled out: Plotly would shorten those between powers of ten to a digit."""
    powers = range(floor(log10(min(latencies))), ceil(log10(max(latencies))) + 1)
    ticks = [m * 10**p for p in powers for m in ((1, 2, 5) if len(powers) <= 3 else (1,))]
    return {"tickvals": [t / 1000 for t in ticks], "ticktext": [duration(t) for t in ticks], "ticksuffix": ""}


def time(us: int) -> str:
    """A moment as Plotly and the tables have it, UTC."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")


def _line(mark: Mark) -> Figure:
    place = {"x0": time(mark.at_us), "x1": time(mark.at_us), "y0": 0, "y1": 1, "yref": "paper"}
    return {"type": "line", **place, "line": {"color": "var(--ink-2)", "width": 1}}


def _names(seen: Overview, first: int, end: int) -> list[Figure]:
    """What stands above the lines; marks too close to be told apart have a name together."""
    near, alone = (end - first) * NEAR, len({mark.model for mark in seen.marks}) == 1
    groups: list[list[Mark]] = []
    for mark in sorted(seen.marks, key=lambda mark: mark.at_us):
        if groups and mark.at_us - groups[-1][0].at_us < near:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    return [_name(group, alone=alone, late=group[0].at_us - first > (end - first) / 2) for group in groups]


def _name(marks: list[Mark], *, alone: bool, late: bool) -> Figure:
    texts = [f"v{mark.version}" if alone else f"{mark.model} v{mark.version}" for mark in marks]
    n = len(texts)
    text = texts[0] if n == 1 else str(gettext("%(n)s versions", n=n))
    place = {"x": time(marks[0].at_us), "y": 1, "yref": "paper", "yanchor": "bottom"}
    place |= {"xanchor": "right" if late else "left", "hovertext": "<br>".join(texts)}
    return {**place, "text": text, "showarrow": False, "font": {"size": 12}}
