"""`python -m bench [compare|batch|file|profile|scale|dashboard|seal]`: what each measures is told in README.md."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from bench import batch, dashboard, file, latency, report, scale, seal
from bench.cases import TITLES, case
from bench.compare import compare
from bench.load import find_wrk
from bench.machine import machine, sentence
from bench.processes import BenchError
from bench.servers import SERVERS
from bench.target import Server


def main() -> int:
    """Run what the command line asks for; 1 when something could not be measured."""
    options = _parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        find_wrk()
        print(sentence(machine()), flush=True)
        with _work() as work:
            return int(COMMANDS[options.command](options, work))
    except (BenchError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; every server is stopped", file=sys.stderr)
        return 130


def _compare(options: argparse.Namespace, work: Path) -> bool:
    facts = machine()
    servers = _servers(options, default=[server.name for server in SERVERS])
    found = compare(servers, [case(name) for name in options.models], options.rounds, options.seconds, work)
    print(f"\n{report.tables(found, servers)}\n")
    settings = {"rounds": options.rounds, "seconds": options.seconds}
    print("written to", report.keep("latest", {"machine": facts, "settings": settings, **found.to_dict()}))
    if options.write_docs:
        report.write_page(found, servers, facts, options.rounds, options.seconds)
        print("written to", report.PAGE)
    return bool(found.failures)


def _batch(options: argparse.Namespace, work: Path) -> bool:
    found = {name: batch.measure(case(name), options.seconds, work / name) for name in options.models}
    for name, result in found.items():
        print(f"{name}: {result.rate:,.0f} recorded rows/s in batches of {batch.ROWS}; bare SQLite "
              f"{result.bare_rate:,.0f}; {report.times(result.rate / result.bare_rate)}")  # fmt: skip
    report.keep("batch", {"machine": machine(), **{name: result.to_dict() for name, result in found.items()}})
    return False


def _file(options: argparse.Namespace, work: Path) -> bool:
    found = file.measure(case(options.models[0]), max(options.sizes), work / "parecer")
    print(
        f"{found.rows:,} rows: looked through {found.checked_rate:,.0f} a second; recorded {found.rate:,.0f} a "
        f"second; bare SQLite {found.bare_rate:,.0f}; {report.times(found.rate / found.bare_rate)}; "
        f"most memory of the worker {found.worker_mb:.0f} MB, of the web server {found.web_mb:.0f} MB"
    )
    report.keep("file", {"machine": machine(), **found.to_dict()})
    return False


def _profile(options: argparse.Namespace, work: Path) -> bool:
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for server in _servers(options, default=["parecer"]):
        for name in options.models:
            found = latency.measure(server, case(name), options.seconds, work / server.name)
            figures.setdefault(server.name, {})[name] = asdict(found)
            growth = report.times(found.p99_ms / found.p50_ms)
            print(
                f"{server.name}, {name}: at {found.rate:,.0f} of {found.peak:,.0f} req/s "
                f"p50 {found.p50_ms:.2f} ms, p99 {found.p99_ms:.2f} ms = {growth}"
            )
    report.keep("profile", {"machine": machine(), "profile": figures})
    return False


def _scale(options: argparse.Namespace, work: Path) -> bool:
    found = scale.measure(case(options.models[0]), work / "parecer", options.sizes)
    few, many = min(found), max(found)
    headings = ("", *(f"p50 ms, {n:,} records" for n in found), "growth", f"p95 ms, {many:,} records")
    rows = [
        (
            name,
            *(f"{of[name].p50:.1f}" for of in found.values()),
            report.times(found[many][name].p50 / found[few][name].p50),
            f"{found[many][name].p95:.1f}",
        )
        for name in found[few]
    ]
    print(report.markdown(headings, rows))
    kept = {str(n): {name: taken._asdict() for name, taken in of.items()} for n, of in found.items()}
    report.keep("scale", {"machine": machine(), "ms": kept})
    return False


def _dashboard(options: argparse.Namespace, work: Path) -> bool:
    (work / "dashboard").mkdir()
    found = dashboard.measure(max(options.sizes), PEOPLE, work / "dashboard")
    pages = found["pages_ms"]
    print(
        f"{found['records']:,} records of {PEOPLE} people: counted {found['counted_per_s']:,.0f} a second, "
        f"{found['rollup_bytes'] / found['records']:.0f} bytes each"
    )
    print(report.markdown(("asked", "ms"), [(query, f"{ms:.1f}") for query, ms in pages.items()]))
    report.keep("dashboard", {"machine": machine(), **found})
    return False


def _seal(options: argparse.Namespace, work: Path) -> bool:
    (work / "cost").mkdir()
    found = seal.cost(case(options.models[0]), options.rounds, options.seconds, work / "cost")
    print(
        f"{found.ratio:.3f} of the requests with sealing on; on {_all(found.on)}, off {_all(found.off)}; "
        f"the last record proved {max(found.lag_ms)} ms after the traffic at most",
        flush=True,
    )
    (work / "proof").mkdir()
    proof = seal.proof(case(options.models[0]), max(options.sizes), work / "proof")
    print(
        f"at {proof['records']:,} records a path of {proof['path_bytes']} bytes (its file {proof['file_bytes']}), "
        f"p50 {proof['p50_ms']:.1f} ms, p95 {proof['p95_ms']:.1f} ms; verified in {proof['verify_s']:.1f} s, "
        f"{proof['verify_rate']:,.0f} a second, {proof['verify_rate'] / proof['bare_rate']:.3f} of bare hashing"
    )
    kept = {"cost": {**asdict(found), "ratio": found.ratio}, "proof": proof}
    report.keep("seal", {"machine": machine(), **kept})
    return False


def _all(rates: list[float]) -> str:
    return ", ".join(f"{rate:,.0f}" for rate in rates)


COMMANDS = {
    "compare": _compare,
    "batch": _batch,
    "file": _file,
    "profile": _profile,
    "scale": _scale,
    "dashboard": _dashboard,
    "seal": _seal,
}
#: Who asked what the dashboard is looked at over.
PEOPLE = 20


def _servers(options: argparse.Namespace, default: list[str]) -> list[Server]:
    return [server for server in SERVERS if server.name in (options.only or default)]


def _parser() -> argparse.ArgumentParser:
    everyone = [server.name for server in SERVERS]
    parser = argparse.ArgumentParser(prog="python -m bench", description="Speed of Parecer beside its peers.")
    parser.add_argument("command", nargs="?", choices=COMMANDS, default="compare")
    parser.add_argument("--only", type=_names(everyone), metavar="A,B", help=", ".join(everyone))
    parser.add_argument(
        "--models", type=_names(list(TITLES)), default=list(TITLES), metavar="A,B", help=", ".join(TITLES)
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one measurement")
    parser.add_argument(
        "--sizes",
        type=_sizes,
        default=scale.SIZES,
        metavar="N,N",
        help="records, for scale, file, dashboard and seal",
    )
    parser.add_argument("--write-docs", action="store_true", help="write docs/reference/speed.md as well")
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part) for part in text.split(",")))


def _names(known: list[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(known)}")
        return names

    return parse


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _work() -> Iterator[Path]:
    """A directory on the disk of the checkout: in /tmp, often memory, an fsync would cost nothing."""
    report.RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="work-", dir=report.RESULTS) as name:
        yield Path(name)


if __name__ == "__main__":
    sys.exit(main())
