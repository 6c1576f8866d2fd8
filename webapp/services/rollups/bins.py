"""Where a number is counted: bins that are the same for every record, so that counts of any times add up."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from math import ceil, floor, log, log10

#: A latency told from its bin is off by this share at most (Masson, Rim and Lee 2019, DDSketch, §2.2).
LATENCY_ERROR = 0.025
_RATIO = (1 + LATENCY_ERROR) / (1 - LATENCY_ERROR)
_LOG_RATIO = log(_RATIO)

SCORE_BINS = 20
SCORE_EDGES = tuple(i / SCORE_BINS for i in range(SCORE_BINS + 1))

#: Beyond so many bins of numbers, ten of them become one.
MOST_BINS = 400
#: A first number is kept to so many digits.
DIGITS = 6

#: Room for the edges beyond the last bin.
LARGEST = 1e300

Counts = dict[str, int]


def latency_bin(us: int) -> str:
    """The bin of a latency in microseconds; bins of one length on a logarithmic scale."""
    return str(ceil(log(us) / _LOG_RATIO)) if us > 0 else ""


def latency_of(bin: str) -> int:
    """The latency in microseconds that stands for a bin: within LATENCY_ERROR of each in it, and half a µs."""
    return round(2 * _RATIO ** int(bin) / (_RATIO + 1)) if bin else 0


def percentiles(counts: Mapping[str, int], wanted: Iterable[int]) -> list[int | None]:
    """Nearest-rank percentiles, microseconds, of counted latencies; None where nothing was counted."""
    total = sum(counts.values())
    ordered = sorted((int(bin) if bin else -1_000, n) for bin, n in counts.items())
    found: list[int | None] = []
    for p in wanted:
        rank, passed, at = ceil(total * p / 100), 0, None
        for bin, n in ordered:
            passed += n
            if passed >= rank:
                at = latency_of(str(bin) if bin > -1_000 else "")
                break
        found.append(at)
    return found


def score_bin(score: float) -> str:
    """Which of SCORE_BINS equal parts of 0..1; 1 belongs to the last."""
    return str(min(max(bisect_right(SCORE_EDGES, score) - 1, 0), SCORE_BINS - 1))


def add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    """Add counts to counts."""
    if not counts:
        counts.update(more)
        return
    get = counts.get
    for name, n in more.items():
        counts[name] = get(name, 0) + n


class Numbers:
    """Counts of numbers of any size, in bins as long as a power of ten, which grows with the spread.

    A bin is what `floor(number / 10**power)` gives, so that ten bins make exactly one of the next power.
    """

    __slots__ = ("bins", "power")

    def __init__(self, power: int = -400, bins: dict[int, int] | None = None) -> None:
        self.power, self.bins = power, {} if bins is None else bins

    @classmethod
    def of(cls, number: float) -> Numbers:
        """One number, to DIGITS digits; 0 is exact, and beyond LARGEST all are alike."""
        number = min(max(number, -LARGEST), LARGEST)
        power = floor(log10(abs(number))) - DIGITS + 1 if number else -400
        return cls(power, {number_bin(number, power): 1})

    def add(self, other: Numbers) -> None:
        """Count what another has counted."""
        if not other.bins:
            return
        power = max(self.power, other.power) if self.bins else other.power
        self._coarsen(power)
        ten = 10 ** (power - other.power)
        bins = self.bins
        for bin, n in other.bins.items():
            bins[bin // ten] = bins.get(bin // ten, 0) + n
        while len(bins) > MOST_BINS:
            self._coarsen(self.power + 1)
            bins = self.bins

    def range(self) -> tuple[float, float]:
        """Lower edges of the first and the last bin that something is in."""
        return _times(min(self.bins), self.power), _times(max(self.bins), self.power)

    def spread(self, parts: int) -> tuple[list[float], list[int]]:
        """About `parts` bins at multiples of 1, 2 or 5 times a power of ten: their edges, and the counts between."""
        low, high = self.range()
        raw = max(
            (high / parts - low / parts) or abs(high) / parts or 1.0 / parts, 10.0 ** max(self.power, -300)
        )
        power = floor(log10(raw) + 1e-9)
        step = next(m for m in (1, 2, 5, 10) if m * 10.0**power >= raw * (1 - 1e-9))
        unit = step * 10 ** max(power - self.power, 0)
        first, last = min(self.bins) // unit, max(self.bins) // unit
        counts = [0] * (last - first + 1)
        for bin, n in self.bins.items():
            counts[bin // unit - first] += n
        edges = [_times(i * step, max(power, self.power)) for i in range(first, last + 2)]
        return edges, counts

    def _coarsen(self, power: int) -> None:
        if power > self.power and self.bins:
            ten: int = 10 ** (power - self.power)
            bins: dict[int, int] = {}
            for bin, n in self.bins.items():
                bins[bin // ten] = bins.get(bin // ten, 0) + n
            self.bins = bins
        self.power = power


def number_bin(number: float, power: int) -> int:
    """floor(number / 10**power), where a decimal on an edge belongs above it: 0.3 is 3 tenths."""
    if power >= 0:
        return (
            floor(number / 10**power) if power <= 300 else floor(number / 10.0**300 / 10.0 ** (power - 300))
        )
    steps = min(-power, 300)
    finer: int = 10 ** (-power - steps)
    return floor(number * 10.0**steps) * finer


def _times(bin: int, power: int) -> float:
    return float(f"{bin}e{power}")
