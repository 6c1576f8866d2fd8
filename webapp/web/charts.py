"""Plain numbers → charts: a Plotly figure, the sentence and the table that say the same, and the table as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from flask_babel import gettext

from webapp.services.monitoring import Overview
from webapp.web.exports import rfc3339
from webapp.web.figures import PALETTE, Figure, bar, layout, lines, stack, whole, wide
from webapp.web.words import FAILURES, duration, minute, named, number, percent, thousands

#: More series than this cannot be told apart: the smallest are shown together.
MOST_SERIES = 8
TOLD = 3


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure for Plotly and its numbers as a table to be read; those of `csv` are to be computed with."""

    name: str
    title: str
    note: str
    #: What the picture shows, in a sentence or two; empty where it shows nothing.
    says: str
    figure: Figure
    head: list[str]
    rows: list[list[str]]
    csv: list[list[Any]] = field(default_factory=list)


def overview_charts(seen: Overview, order: Sequence[str] = (), *, of_model: bool = False) -> list[Chart]:
    """The charts of the dashboard; `order` is that of all models or, `of_model`, of the classes of the one."""
    over_time = [_answers(seen, order, of_model=of_model), _latency(seen)]
    if seen.errors is not None:
        over_time.append(_errors(seen, seen.errors))
    return [*over_time, _histogram(seen), _channels(seen)]


def _answers(seen: Overview, order: Sequence[str], *, of_model: bool) -> Chart:
    series = seen.series or {str(gettext("all")): seen.volume}
    known = [*order, *sorted(set(series) - set(order))] if seen.series else list(series)
    colours = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(known)}
    shown = _fewest({name: series[name] for name in known if name in series})
    step = _step(seen.step_us)
    if not seen.series:
        note = gettext("Predictions in %(step)s. Times are UTC.", step=step)
    elif of_model:
        note = gettext("Predictions in %(step)s, by class. Times are UTC.", step=step)
    else:
        note = gettext("Predictions in %(step)s, by model. Times are UTC.", step=step)
    title = gettext("Answers over time") if of_model and seen.series else gettext("Predictions over time")
    parts = _shares({name: sum(counts) for name, counts in seen.series.items()})
    return _stacked("answers", str(title), str(note), seen, shown, colours, parts)


def _errors(seen: Overview, errors: dict[str, list[int]]) -> Chart:
    words = {kind: str(FAILURES.get(kind, kind)) for kind in errors}
    order = list(FAILURES)
    colours = {words[kind]: PALETTE[order.index(kind) % len(PALETTE)] for kind in errors if kind in FAILURES}
    series = {words[kind]: counts for kind, counts in errors.items()}
    note = gettext(
        "Predict requests that got no answer, in %(step)s, by reason. Times are UTC.",
        step=_step(seen.step_us),
    )
    parts = _shares({name: sum(counts) for name, counts in series.items()}) if len(series) > 1 else ""
    chart = _stacked("errors", str(gettext("Errors")), str(note), seen, series, colours, parts)
    chart.figure["layout"]["showlegend"] = True
    return chart


def _stacked(
    name: str,
    title: str,
    note: str,
    seen: Overview,
    series: dict[str, list[int]],
    colours: dict[str, str],
    parts: str,
) -> Chart:
    counts = [list(row) for row in zip(*series.values(), strict=True)] or [[] for _ in seen.starts]
    sums = [sum(row) for row in counts]
    says = ""
    if any(sums):
        peak = max(range(len(sums)), key=sums.__getitem__)
        says = gettext(
            "Most in %(step)s: %(n)s, from %(when)s UTC.",
            step=_step(seen.step_us),
            n=thousands(sums[peak]),
            when=minute(seen.starts[peak]),
        )
    head = [str(gettext("From (UTC)")), *series]
    starts = list(zip(seen.starts, counts, strict=True))
    return Chart(
        name,
        title,
        note,
        f"{parts} {says}".strip(),
        stack(seen, series, colours),
        head,
        [[minute(start), *map(thousands, row)] for start, row in starts if any(row)],
        [["from", *series], *([rfc3339(start), *row] for start, row in starts)],
    )


def _latency(seen: Overview) -> Chart:
    series = {"p50": seen.p50_us, "p95": seen.p95_us, "p99": seen.p99_us}
    at = list(enumerate(seen.starts))
    rows = [[minute(start), *(duration(v[i]) for v in series.values())] for i, start in at if seen.volume[i]]
    csv = [[rfc3339(start), *(v[i] for v in series.values())] for i, start in at]
    told = {"step": _step(seen.step_us)}
    note = (
        gettext("From the request to the kept answer, in %(step)s; log scale. Times are UTC.", **told)
        if wide(seen)
        else gettext("From the request to the kept answer, in %(step)s. Times are UTC.", **told)
    )
    says, worst = "", [(v, start) for v, start in zip(seen.p99_us, seen.starts, strict=True) if v is not None]
    if worst:
        slowest, start = max(worst)
        says = gettext(
            "95 %% of all within %(p95)s. The highest p99 is %(p99)s, from %(when)s UTC.",
            p95=duration(seen.now.p95_us),
            p99=duration(slowest),
            when=minute(start),
        )
    head = [str(gettext("From (UTC)")), *series]
    names = ["from", *(f"{name}_us" for name in series)]
    title = str(gettext("Latency"))
    return Chart("latency", title, str(note), says, lines(seen, series), head, rows, [names, *csv])


def _histogram(seen: Overview) -> Chart:
    shown = seen.histogram
    counted = list(zip(pairwise(shown.edges), shown.counts, strict=True))
    scores = shown.of == "score"
    title = str(gettext("Scores") if scores else gettext("Values"))
    bars = bar([(low + high) / 2 for (low, high), _ in counted], shown.counts, title, PALETTE[0])
    bars |= {"width": [high - low for (low, high), _ in counted]}
    bars["marker"]["line"] = {"color": "var(--ground)", "width": 1}
    says = ""
    if any(shown.counts):
        (low, high), most = max(counted, key=lambda item: item[1])
        says = gettext(
            "The fullest bar is from %(low)s to %(high)s, with %(share)s.",
            low=number(low),
            high=number(high),
            share=percent(most / sum(shown.counts)),
        )
    axes = layout(xaxis={"range": [shown.edges[0], shown.edges[-1]]}, bargap=0)
    axes["yaxis"] |= whole(max(shown.counts))
    return Chart(
        "distribution",
        title,
        str(
            gettext("Probability of the class that was answered.")
            if scores
            else gettext("The numbers that were answered.")
        ),
        says,
        {"data": [bars], "layout": axes},
        [str(gettext("Score") if scores else gettext("Value")), str(gettext("Predictions"))],
        [
            [str(gettext("%(low)s to %(high)s", low=number(low), high=number(high))), thousands(n)]
            for (low, high), n in counted
            if n
        ],
        [["low", "high", "predictions"], *([low, high, n] for (low, high), n in counted)],
    )


def _channels(seen: Overview) -> Chart:
    counts = {named("channel", name): n for name, n in seen.channels.items()}
    names, sums = list(counts)[::-1], list(counts.values())[::-1]
    bars = bar(sums, names, "channel", PALETTE[0]) | {"orientation": "h", "width": 0.5}
    bars |= {"text": [thousands(n) for n in sums], "textposition": "auto", "cliponaxis": False}
    margin = {"l": 72, "r": 24, "t": 8, "b": 40}
    axes = layout(yaxis={"showgrid": False}, margin=margin, xaxis=whole(max(sums, default=0), 3))
    return Chart(
        "channels",
        str(gettext("Channels")),
        str(gettext("Where requests came from.")),
        _shares(counts),
        {"data": [bars], "layout": axes},
        [str(gettext("Channel")), str(gettext("Predictions"))],
        [[name, thousands(n)] for name, n in counts.items()],
        [["channel", "predictions"], *([name, n] for name, n in seen.channels.items())],
    )


def _fewest(series: dict[str, list[int]]) -> dict[str, list[int]]:
    """Some series as they are, the smallest of many added up."""
    if len(series) <= MOST_SERIES:
        return series
    kept = sorted(series, key=lambda name: -sum(series[name]))[: MOST_SERIES - 1]
    others = (counts for name, counts in series.items() if name not in kept)
    added = [sum(column) for column in zip(*others, strict=True)]
    return {n: series[n] for n in series if n in kept} | {str(gettext("others")): added}


def _shares(counts: Mapping[str, int]) -> str:
    """The largest parts of a whole: “a 41.0 %, b 30.2 %.”"""
    total = sum(counts.values())
    if not total:
        return ""
    largest: Iterable[tuple[str, int]] = sorted(counts.items(), key=lambda item: -item[1])[:TOLD]
    return ", ".join(f"{name} {percent(n / total)}" for name, n in largest) + "."


def _step(us: int) -> str:
    """How long a bucket is, in words."""
    words = {
        1: gettext("a minute"),
        15: gettext("15 minutes"),
        60: gettext("an hour"),
        4 * 60: gettext("4 hours"),
        24 * 60: gettext("a day"),
        7 * 24 * 60: gettext("a week"),
        28 * 24 * 60: gettext("4 weeks"),
        364 * 24 * 60: gettext("52 weeks"),
    }
    return str(words[us // 60_000_000])
