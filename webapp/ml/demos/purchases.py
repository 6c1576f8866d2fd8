"""Invented visits to a web shop: numbers, a category, a yes/no, and gaps in each."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

CHANNELS: Final = {"search": 0.0, "newsletter": 0.8, "social": -0.6, "direct": 0.4}
SEED: Final = 7


def sample(n: int) -> tuple[Any, Any]:
    """(X, y): n visits, the same ones each time; about one answer in fifteen is missing."""
    import pandas as pd  # heavy, and only publishing the demos needs frames

    chance = np.random.default_rng(SEED)
    age = chance.normal(41, 13, n).clip(16, 90).round()
    minutes = chance.gamma(2.0, 4.0, n).round(1)
    pages = 1 + chance.poisson(minutes / 2.5)
    channel = chance.choice(list(CHANNELS), n, p=[0.45, 0.15, 0.25, 0.15])
    returning = chance.random(n) < 0.35
    pull = 0.09 * minutes + 0.11 * pages + 0.9 * returning - 0.01 * (age - 41) - 2.2
    pull += np.array([CHANNELS[name] for name in channel])
    y = np.where(chance.random(n) < 1 / (1 + np.exp(-pull)), "yes", "no")
    X = pd.DataFrame(
        {"age": age, "minutes": minutes, "pages": pages, "channel": channel, "returning": returning}
    )
    X["channel"] = X["channel"].astype(object)
    for name in ("age", "minutes", "channel"):
        X.loc[chance.random(n) < 1 / 15, name] = np.nan
    return X, pd.Series(y, index=X.index, name="purchase")


def pipeline() -> Any:
    """Missing numbers become the median; a missing channel is a channel of its own."""
    from sklearn.compose import make_column_transformer  # heavy, and only publishing the demos trains
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return make_pipeline(
        make_column_transformer(
            (numbers, ["age", "minutes", "pages"]),
            (OneHotEncoder(handle_unknown="ignore"), ["channel"]),
            ("passthrough", ["returning"]),
        ),
        LogisticRegression(max_iter=1000),
    )
