"""Which patterns may cut texts into tokens."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from tests.ml.test_loader import joblib_bytes
from webapp.errors import BadArtifact
from webapp.ml.loader import load_pickle, load_skops, save_skops
from webapp.ml.token_patterns import is_linear

GOOD = [
    r"(?u)\b\w\w+\b",
    r"(?u)\b\w+\b",
    r"\S+",
    r"[a-z]+",
    r"(?i)\b[a-z][a-z'-]+\b",
    r"\b(\w+)\b",
    r"\b\d{4}\b",
    r"\w+|[^\w\s]",
    r"\b\w+\b|\b\d+|#\w+",
    r"[^,;]*",
    r".",
]
BAD = [
    r"(\w+)+$",
    r"(?:a|a)*b",
    r"(?:\w+\s?)+x",
    r"\w+x",
    r"[a-z]+\b",
    r"\b[a ]+$",
    r"\w*\w*\w*\w*x",
    r"\w?" * 30 + "x",
    r"a{0,99}a{0,99}b",
    r"(.)\1+",
    r"(?=(\w+))\1x",
    r"\w+(?!x)",
    r"\w+?x",
    r"(?a:\w+)x",
    r"\b(\w+|\d+)\b",
    r"a{201}",
    r"a{99999999999}",
    r"(?:a{99}|b{99}|c{99})",
    "(" * 99 + "a+" + ")+" * 99,
    "[",
    "a" * 201,
]


@pytest.mark.parametrize("pattern", GOOD)
def test_a_usual_pattern_is_linear_and_quick_on_the_worst_of_texts(pattern: str) -> None:
    assert is_linear(pattern)
    begun = time.process_time()
    for text in ("a" * 100_000, "a " * 50_000, "a" * 100_000 + "_", "a-" * 50_000 + " ", "-" * 100_000):
        re.findall(pattern, text)
    assert time.process_time() - begun < 5  # in proportion to the square it would be minutes


@pytest.mark.parametrize("pattern", BAD)
def test_what_may_take_for_ever_is_refused(pattern: str) -> None:
    assert not is_linear(pattern)


@pytest.mark.parametrize("make", [CountVectorizer, TfidfVectorizer, HashingVectorizer])
@pytest.mark.parametrize("load", ["skops", "joblib"])
def test_no_vectorizer_may_bring_such_a_pattern(make: Callable[..., Any], load: str) -> None:
    model = make_pipeline(make(), LinearRegression()).fit(["aa bb", "bb cc"], [1.0, 2.0])
    model[0].token_pattern = r"(?:\w+\s?)+!"
    with pytest.raises(BadArtifact, match="only the last is repeated"):
        if load == "skops":
            load_skops(save_skops(model))
        else:
            load_pickle(joblib_bytes(model), trusted=True)
