"""All servers side by side: one up at a time, rounds interleaved, so that drift hits all alike."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.cases import Case
from bench.load import Load, drive
from bench.processes import BenchError
from bench.servers import serving
from bench.target import Server

WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True)
class Round:
    """One server in one round."""

    load: Load
    ready_s: float
    worker_rss_mb: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rounds by case and server, in the order they were measured, and why any server is missing."""

    rounds: Mapping[str, Mapping[str, Sequence[Round]]]
    failures: Mapping[str, str]

    def rate(self, case: str, server: str) -> float:
        """Requests a second, median of the rounds."""
        return median(r.load.rate for r in self.rounds[case][server])

    def ratio(self, case: str, server: str, to: str) -> float | None:
        """Median over rounds of the rate divided by the other's in the same round; None without a partner."""
        ours, theirs = self.rounds[case].get(server, ()), self.rounds[case].get(to, ())
        shares = [a.load.rate / b.load.rate for a, b in zip(ours, theirs, strict=False) if b.load.requests]
        return median(shares) if shares else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "rounds": {
                case: {server: [asdict(r) for r in rounds] for server, rounds in servers.items()}
                for case, servers in self.rounds.items()
            },
            "failures": dict(self.failures),
        }


def compare(
    servers: Sequence[Server], cases: Sequence[Case], rounds: int, seconds: float, work: Path
) -> Comparison:
    """Measure every server with every case. A server that fails is reported and left out of what follows."""
    measured: dict[str, dict[str, list[Round]]] = {case.name: {} for case in cases}
    failures: dict[str, str] = {}
    for case in cases:
        for number in range(rounds):
            for server in servers:
                if server.name in failures:
                    continue
                try:
                    result = _measure(server, case, seconds, work / server.name, first=number == 0)
                except (BenchError, OSError) as error:
                    failures[server.name] = str(error)
                    measured[case.name].pop(server.name, None)
                    print(f"  {server.name}: {error}\n  its log: {_keep_log(work / server.name)}", flush=True)
                    continue
                measured[case.name].setdefault(server.name, []).append(result)
                progress = f"{case.name} {number + 1}/{rounds} {server.name}"
                print(f"  {progress}: {result.load.rate:,.0f} req/s", flush=True)
    return Comparison(measured, failures)


def _keep_log(work: Path) -> str:
    if not (work / "log").exists():
        return "none"
    return str(shutil.copy(work / "log", work.parents[1] / f"{work.name}.log"))


def _measure(server: Server, case: Case, seconds: float, work: Path, *, first: bool) -> Round:
    work.mkdir(exist_ok=True)
    if first:
        server.prepare(case, work)
    with serving(server, case, work) as up:
        bodies = [up.target.body(row) for row in case.rows]
        drive(up.target, bodies, WARM_UP_S)
        load = drive(up.target, bodies, seconds)
        up.target.verify(case)
        return Round(load, up.ready_s, up.running.worker_rss_mb())
