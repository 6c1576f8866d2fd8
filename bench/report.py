"""Figures as tables: for the terminal, for latest.json and for the documentation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import envs
from bench.cases import TITLES
from bench.compare import Comparison
from bench.machine import sentence
from bench.target import Server

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "reference" / "speed.md"
HEADINGS = ("server", "what it does for each request", "req/s", "× bare Flask", "× FastAPI", "Parecer is",
            "p50 ms", "p99 ms", "ready s", "RSS MB", "errors")  # fmt: skip
GOALS = (
    ("iris", "bare-flask", 0.7),
    ("iris", "fastapi", 1.3),
    ("iris", "mlserver", 5.0),
    ("breast-cancer", "fastapi", 15.0),
)


def tables(found: Comparison, servers: Sequence[Server]) -> str:
    """One Markdown table a model, fastest first, then the goals and what is missing."""
    parts = [_table(found, case, servers) for case in found.rounds if found.rounds[case]]
    parts += [goals] if (goals := _goals(found)) else []
    parts += [f"{name} is missing: {reason.splitlines()[0]}" for name, reason in found.failures.items()]
    return "\n\n".join(parts)


def _table(found: Comparison, case: str, servers: Sequence[Server]) -> str:
    known = {server.name: server for server in servers}
    fastest_first = sorted(found.rounds[case], key=lambda name: -found.rate(case, name))
    rows = [_row(found, case, known[name]) for name in fastest_first]
    return f"### {TITLES[case]}\n\n{markdown(HEADINGS, rows)}"


def _row(found: Comparison, case: str, server: Server) -> tuple[str, ...]:
    rounds = found.rounds[case][server.name]
    return (
        title(server.name),
        server.work,
        f"{found.rate(case, server.name):,.0f}",
        times(found.ratio(case, server.name, "bare-flask")),
        times(found.ratio(case, server.name, "fastapi")),
        times(found.ratio(case, "parecer", server.name)),
        f"{median(r.load.p50_ms for r in rounds):.1f}",
        f"{median(r.load.p99_ms for r in rounds):.1f}",
        f"{median(r.ready_s for r in rounds):.1f}",
        f"{max(r.worker_rss_mb for r in rounds):.0f}",
        str(sum(r.load.errors for r in rounds)),
    )


def _goals(found: Comparison) -> str:
    lines = []
    for case, to, goal in GOALS:
        if case in found.rounds and (reached := found.ratio(case, "parecer", to)) is not None:
            verdict = "reached" if reached >= goal else "missed"
            lines.append(f"- Parecer on {case}: {times(reached)} {to}, goal {times(goal)}: {verdict}")
    return "\n".join(lines)


def title(name: str) -> str:
    """The server's name, with its version where it is pinned."""
    pinned = (envs.home(name) / "requirements.txt").exists()
    return envs.pin(name).replace("==", " ") if pinned and name != "naive-flask" else name


def times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f} ×"


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns line up in a terminal too."""
    lines = [headings, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    padded = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([padded[0], rule, *padded[1:]])


def keep(name: str, figures: dict[str, Any]) -> Path:
    """Write the figures to bench/results/<name>.json."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(figures, indent=2) + "\n")
    return path


def write_page(
    found: Comparison, servers: Sequence[Server], facts: dict[str, Any], rounds: int, seconds: float
) -> None:
    """Write docs/reference/speed.md."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(
        "# Speed beside other servers\n\n"
        "Written by `make bench` with `--write-docs`; how it is measured is in `bench/README.md`.\n"
        "Absolute figures belong to one machine and one hour. The ratios are what to compare.\n\n"
        f"Measured {facts['measured_at']} on {sentence(facts)}.\n"
        f"Two workers a server, wrk with 64 connections, interleaved rounds ({rounds}) of {seconds:g} s; rates "
        "and latencies are medians of the rounds, ratios medians of the ratios within each round.\n\n"
        f"{tables(found, servers)}\n"
    )
