"""Invented customers of a food shop: what is in the basket, who buys, and what they took next."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

SEED: Final = 11
PLACES: Final = ("town", "suburb", "country")
SEASONS: Final = ("spring", "summer", "autumn", "winter")
#: Product → how much each of these draws a customer to it: breakfast, cooking, drinks, household, children; summer.
PRODUCTS: Final = {
    "Bread": (1.6, 0.4, 0.0, 0.0, 0.3, 0.0),
    "Butter": (1.4, 0.6, -0.2, 0.0, 0.0, -0.2),
    "Cheese": (0.9, 0.8, 0.6, 0.0, 0.0, 0.0),
    "Coffee": (1.5, -0.4, 0.3, 0.2, -0.4, -0.5),
    "Eggs": (1.0, 0.9, -0.4, 0.0, 0.2, 0.0),
    "Fruit juice": (0.8, -0.3, 0.9, 0.0, 0.9, 0.6),
    "Ice cream": (-0.6, 0.0, 0.5, 0.0, 1.2, 1.8),
    "Milk": (1.2, 0.4, 0.0, 0.0, 1.1, 0.0),
    "Nappies": (-0.5, -0.3, -0.3, 0.6, 2.4, 0.0),
    "Olive oil": (-0.3, 1.6, 0.0, 0.2, 0.0, 0.1),
    "Pasta": (-0.4, 1.7, 0.1, 0.0, 0.4, 0.0),
    "Soap": (-0.3, -0.3, -0.3, 1.8, 0.2, 0.0),
    "Soup": (-0.3, 1.1, -0.2, 0.0, 0.0, -1.3),
    "Tomatoes": (-0.2, 1.4, 0.0, 0.0, 0.0, 0.9),
    "Washing powder": (-0.4, -0.4, -0.4, 2.1, 0.5, 0.0),
    "Wine": (-0.7, 0.7, 2.0, 0.0, -1.2, 0.2),
}


def sample(n: int) -> tuple[Any, Any]:
    """(X, y): n baskets, the same ones each time, and the product that came next into each."""
    import pandas as pd  # heavy, and only publishing the demos needs frames

    chance = np.random.default_rng(SEED)
    tastes = chance.gamma(1.2, 1.4, (n, 4))
    basket = chance.poisson(tastes)
    children = chance.choice([0, 1, 2, 3], n, p=[0.55, 0.2, 0.18, 0.07])
    season = chance.choice(SEASONS, n)
    X = pd.DataFrame(
        {
            "breakfast": basket[:, 0],
            "cooking": basket[:, 1],
            "drinks": basket[:, 2],
            "household": basket[:, 3],
            "children": children,
            "hour": chance.integers(8, 22, n),
            "season": pd.Series(season, dtype=object),
            "place": pd.Series(chance.choice(PLACES, n, p=[0.5, 0.3, 0.2]), dtype=object),
        }
    )
    draws = np.column_stack([tastes, children, 2.0 * (season == "summer")])
    pull = 0.7 * draws @ np.array(list(PRODUCTS.values())).T + chance.gumbel(0, 1, (n, len(PRODUCTS)))
    return X, pd.Series(np.array(list(PRODUCTS))[pull.argmax(axis=1)], name="product").astype(object)


def pipeline() -> Any:
    """One logistic regression over all products: its probabilities are the scores of the ranking."""
    from sklearn.compose import make_column_transformer  # heavy, and only publishing the demos trains
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    counts = ["breakfast", "cooking", "drinks", "household", "children", "hour"]
    return make_pipeline(
        make_column_transformer(
            (StandardScaler(), counts), (OneHotEncoder(handle_unknown="ignore"), ["season", "place"])
        ),
        LogisticRegression(max_iter=1000),
    )
