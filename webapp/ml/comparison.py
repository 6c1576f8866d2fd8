"""Whether a challenger is better than the champion on the same labelled rows: paired tests and a verdict.

The rule is one of non-inferiority, with bounds of one side at 95 %: "better" if the lower bound of the gain is above 0,
"not_worse" if it is above −margin and the gain itself is not negative, else "inconclusive", which asks for more
outcomes and is no failure. All is seeded: the same rows give the same verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, lgamma, log, sqrt
from statistics import NormalDist
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from webapp.ml import delong, resampling
from webapp.ml.resampling import Array
from webapp.wording import Figure, Said, said

Metric = Literal["accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc", "mae", "rmse"]
Result = Literal["better", "not_worse", "inconclusive"]

#: Outcomes below which nothing is concluded: of all, and of the rarest class.
ENOUGH: Final = 200
ENOUGH_OF_A_CLASS: Final = 30
#: How much worse still counts as not worse: of a share, this much; of an error, this part of the champion's.
MARGIN: Final = 0.01
#: Errors: the less the better, in units of their own.
ERRORS: Final = frozenset({"log_loss", "mae", "rmse"})
#: The normal quantile of a one-sided bound of 95 %.
_Z: Final = 1.6448536269514722


class Answers(NamedTuple):
    """What a version answered to each row: class numbers or figures, and rows × classes where it has probabilities."""

    values: Sequence[Any] | Array
    shares: Array | None = None


class McNemar(NamedTuple):
    """Rows that only the champion, or only the challenger, answered rightly; p of both sides, and of the challenger
    being no better."""

    champion_only: int
    challenger_only: int
    exact: float
    mid: float
    one_sided: float


class Difference(NamedTuple):
    """Challenger less champion; `p` is of both sides."""

    difference: float
    error: float
    p: float


class Verdict(NamedTuple):
    """`gain` is in the metric's unit, above 0 where the challenger is better; `low` and `high` are its one-sided
    bounds of 95 %, None where nothing was computed. `rarest` is None for a regression."""

    result: Result
    metric: Metric
    n: int
    rarest: int | None
    sentence: Said
    champion: float | None = None
    challenger: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    mcnemar: McNemar | None = None


def mcnemar(champion_only: int, challenger_only: int) -> McNemar:
    """Whether two classifiers are right equally often, from the rows on which only one of them is.

    McNemar, Psychometrika 12 (1947); exact by the binomial, and mid-p (Fagerland, Lydersen and Laake, BMC Medical
    Research Methodology 13, 2013).
    """
    n, least = champion_only + challenger_only, min(champion_only, challenger_only)
    tail, at = _binomial_tail(least, n), _binomial(least, n)
    one_sided = _binomial_tail(champion_only, n)
    return McNemar(champion_only, challenger_only, min(1.0, 2 * tail), min(1.0, 2 * tail - at), one_sided)


def _binomial(k: int, n: int) -> float:
    return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) - n * log(2))


def _binomial_tail(most: int, n: int) -> float:
    """The chance of at most so many heads in n tosses."""
    return min(1.0, sum(_binomial(k, n) for k in range(most + 1)))


def delong_paired(truth: Array, champion: Array, challenger: Array) -> Difference | None:
    """Of the areas under two ROC curves of the same rows; shares are rows × classes, every class has a row.

    DeLong et al. 1988: the error comes from the paired contributions, so the correlation of both is in it. None
    where a class has a single row.
    """
    old, new = delong.area(truth, champion), delong.area(truth, challenger)
    spread = delong.variance(new.contributions - old.contributions, truth)
    if spread is None:
        return None
    gain, error = new.area - old.area, sqrt(spread)
    p = 2 * (1 - NormalDist().cdf(abs(gain) / error)) if error else 1.0 if gain == 0 else 0.0
    return Difference(gain, error, p)


def paired_bootstrap(champion: Array, challenger: Array, strata: Array) -> Array:
    """Differences of the mean, challenger less champion, in resamples of the same rows for both, by class."""
    return resampling.means(np.asarray(challenger, float) - np.asarray(champion, float), strata)


def verdict(
    champion: Answers,
    challenger: Answers,
    truth: Sequence[Any] | Array,
    *,
    metric: Metric,
    classes: int = 2,
    margin: float = MARGIN,
) -> Verdict:
    """Judge a challenger on the rows whose outcome is known, both having answered each of them.

    `truth` and the answers are class numbers below `classes`, or figures for mae and rmse; log_loss and roc_auc need
    shares. The primary metric is to be chosen before anybody looks. Better in accuracy also takes the exact test.
    """
    y = np.asarray(truth)
    n, regression = len(y), metric in ("mae", "rmse")
    rarest = None if regression else int(np.bincount(y, minlength=classes).min()) if n else 0
    if n < ENOUGH or (rarest is not None and rarest < ENOUGH_OF_A_CLASS):
        return Verdict("inconclusive", metric, n, rarest, sentence=_too_few(n, rarest))
    old, new, low, high = _measured(champion, challenger, y, metric, classes)
    gain = old - new if metric in ERRORS else new - old
    bearable = margin * old if metric in ERRORS else margin
    test = _discordant(champion, challenger, y) if metric == "accuracy" else None
    result: Result = "inconclusive"
    if low > 0 and (test is None or test.one_sided <= 0.05):
        result = "better"
    elif low > -bearable and gain >= 0:
        result = "not_worse"
    sentence = _sentence(result, metric, n, old, new, low, high)
    return Verdict(result, metric, n, rarest, sentence, old, new, gain, low, high, bearable, test)


def _measured(
    champion: Answers, challenger: Answers, y: Array, metric: Metric, classes: int
) -> tuple[float, float, float, float]:
    """Both figures, and the one-sided bounds of the gain."""
    if metric == "roc_auc":
        old, new = np.asarray(champion.shares, float), np.asarray(challenger.shares, float)
        found = delong_paired(y, old, new)
        reach = _Z * found.error if found else float("inf")
        areas = delong.area(y, old).area, delong.area(y, new).area
        gain = areas[1] - areas[0]
        return *areas, gain - reach, gain + reach
    if metric == "f1_macro":
        figures, drawn = _f1(champion, challenger, y, classes)
    elif metric == "rmse":
        figures, drawn = _rmse(champion, challenger, y)
    else:
        rows = [_each_row(of, y, metric, classes) for of in (champion, challenger)]
        figures = float(rows[0].mean()), float(rows[1].mean())
        drawn = paired_bootstrap(rows[0], rows[1], np.zeros(len(y)) if metric == "mae" else y)
    low, high = np.percentile(-drawn if metric in ERRORS else drawn, (5, 95))
    return *figures, float(low), float(high)


def _each_row(of: Answers, y: Array, metric: Metric, classes: int) -> Array:
    """What each row adds to a metric that is a mean."""
    rows: Array
    if metric == "mae":
        rows = np.abs(np.asarray(of.values, float) - y)
    elif metric == "log_loss":
        shares = np.asarray(of.shares, float)[np.arange(len(y)), y]
        rows = -np.log(np.clip(shares, np.finfo(float).eps, 1))
    else:
        rows = (np.asarray(of.values) == y).astype(float)
        if metric == "balanced_accuracy":  # so that the mean over all rows is that over the classes
            rows *= len(y) / classes / np.bincount(y, minlength=classes)[y]
    return rows


def _rmse(champion: Answers, challenger: Answers, y: Array) -> tuple[tuple[float, float], Array]:
    squares = [(np.asarray(of.values, float) - y) ** 2 for of in (champion, challenger)]
    old, new = (sqrt(one.mean()) for one in squares)
    drawn = [
        np.sqrt(squares[1][d.rows] @ d.weights) - np.sqrt(squares[0][d.rows] @ d.weights)
        for d in resampling.draws(np.zeros(len(y)))
    ]
    gain = new - old
    return (old, new), gain + (np.concatenate(drawn) - gain) * resampling.scale(len(y))


def _f1(champion: Answers, challenger: Answers, y: Array, classes: int) -> tuple[tuple[float, float], Array]:
    answers = [np.asarray(of.values) for of in (champion, challenger)]
    support = np.bincount(y, minlength=classes)
    tables = resampling.joint_confusions(y, answers[0], answers[1], classes)
    figures = []
    for answered in answers:
        hits = np.bincount(y[answered == y], minlength=classes)
        figures.append(float(np.mean(2 * hits / (support + np.bincount(answered, minlength=classes)))))
    old, new = ((2 * t.hits / (support + t.answered)).mean(axis=1) for t in tables)
    return (figures[0], figures[1]), new - old


def _discordant(champion: Answers, challenger: Answers, y: Array) -> McNemar:
    old, new = (np.asarray(of.values) == y for of in (champion, challenger))
    return mcnemar(int((old & ~new).sum()), int((new & ~old).sum()))


def _too_few(n: int, rarest: int | None) -> Said:
    if n < ENOUGH:
        return said("Not enough outcomes ({n} of {enough}).", n=n, enough=ENOUGH)
    return said(
        "Not enough outcomes of the rarest class ({n} of {enough}).", n=rarest, enough=ENOUGH_OF_A_CLASS
    )


def _sentence(
    result: Result, metric: Metric, n: int, old: float, new: float, low: float, high: float
) -> Said:
    given = {
        "metric": _WORDS[metric],
        "old": _figure(old),
        "new": _figure(new),
        "low": _figure(low),
        "high": _figure(high),
        "n": n,
    }
    if result == "better":
        return said(
            "The challenger is better: {metric} {new} against {old}, a gain of at least {low} with 95 % confidence "
            "({n} outcomes).",
            **given,
        )
    if result == "not_worse" and low >= 0:
        return said(
            "The challenger is not worse: {metric} {new} against {old}; with 95 % confidence it loses nothing "
            "({n} outcomes).",
            **given,
        )
    if result == "not_worse":
        return said(
            "The challenger is not worse: {metric} {new} against {old}; with 95 % confidence it loses no more than "
            "{loss} ({n} outcomes).",
            **given | {"loss": _figure(-low)},
        )
    if high < 0:
        return said(
            "The challenger is worse: {metric} {new} against {old}, a loss of at least {loss} with 95 % confidence "
            "({n} outcomes).",
            **given | {"loss": _figure(-high)},
        )
    return said(
        "It cannot be told yet: {metric} {new} against {old}; the gain is above {low} and below {high}, each with 95 % "
        "confidence ({n} outcomes). More outcomes would tell more.",
        **given,
    )


def _figure(value: float) -> Figure:
    return Figure(f"{value:.4g}".replace("-", "−"))


_WORDS: Final = {
    "accuracy": said("accuracy"),
    "balanced_accuracy": said("balanced accuracy"),
    "f1_macro": said("macro F1"),
    "log_loss": said("log loss"),
    "roc_auc": "ROC AUC",
    "mae": "MAE",
    "rmse": "RMSE",
}
