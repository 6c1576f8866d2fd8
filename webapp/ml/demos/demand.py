"""Four years of daily sales of one product, invented: the last year tests what the three before it taught."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from webapp.ml.demos.demo import Demo, Sample, card

SEED: Final = 23
DAYS: Final = 4 * 364
#: what each day sells beside an ordinary one
WEEKDAYS: Final = {"Mon": 0.85, "Tue": 0.82, "Wed": 0.9, "Thu": 0.97, "Fri": 1.15, "Sat": 1.35, "Sun": 1.0}
#: days of the year that are holidays
HOLIDAYS: Final = (0, 51, 91, 110, 120, 157, 249, 284, 305, 318, 358)


def demo() -> Demo:
    title = "Daily demand"
    day, shop = {"group": "Day"}, {"group": "Shop"}
    return Demo(
        "demand",
        title,
        "How many units of a product a shop sells on a day, from the day, the price and the week before.",
        _train,
        card(
            title,
            "Poisson regression on numbers, the day of the week and the month.",
            "The first 1,085 of 1,449 days made up by a seeded generator; the scores are those of the year after.",
            "The data are invented: one product, one shop, no stock that runs out.",
        ),
        {
            "features": {
                "weekday": {**day, "label": "Day of the week", "closed": True,
                            "choices": [{"value": name, "label": name} for name in WEEKDAYS]},
                "month": {**day, "minimum": 1, "maximum": 12},
                "holiday": day,
                "temperature": {**day, "unit": "°C", "minimum": -30, "maximum": 50},
                "price": {**shop, "unit": "R$", "minimum": 0.01, "maximum": 1000},
                "promotion": {**shop, "label": "On promotion"},
                "last_week": {**shop, "label": "Sold on the same day last week", "unit": "units", "minimum": 0},
            },
            "output": {"label": "Demand", "unit": "units"},
        },
    )  # fmt: skip


def sample(days: int = DAYS) -> tuple[Any, Any]:
    """(X, y): one row a day, in order, the same ones each time; the first week has no week before it."""
    import pandas as pd  # heavy, and only publishing the demos needs frames

    chance = np.random.default_rng(SEED)
    day = np.arange(days)
    of_year = day % 364
    weekday = np.array(list(WEEKDAYS))[day % 7]
    month = 1 + of_year * 12 // 364
    holiday = np.isin(of_year, HOLIDAYS)
    temperature = (23 + 5 * np.cos(2 * np.pi * of_year / 364) + chance.normal(0, 2.5, days)).round(1)
    promotion = np.repeat(chance.random(days // 7 + 1) < 0.2, 7)[:days]
    price = (
        12.9 * (1 + 0.03 * (day // 364)) * np.where(promotion, 0.85, 1) + chance.normal(0, 0.4, days)
    ).round(2)
    mood = np.repeat(chance.normal(0, 0.08, days // 7 + 1), 7)[:days]  # what nobody wrote down, week by week
    pull = 4.4 + np.log([WEEKDAYS[name] for name in weekday]) + 0.03 * (temperature - 23) + 0.18 * promotion
    pull += -1.3 * np.log(price / 12.9) - 0.35 * holiday + 0.12 * np.isin(month, (11, 12)) + mood
    sold = chance.poisson(np.exp(pull))
    X = pd.DataFrame(
        {
            "weekday": weekday,
            "month": month,
            "holiday": holiday,
            "temperature": temperature,
            "price": price,
            "promotion": promotion,
            "last_week": np.concatenate([np.zeros(7, int), sold[:-7]]),
        }
    )
    X["weekday"] = X["weekday"].astype(object)
    return X[7:].reset_index(drop=True), pd.Series(sold[7:], name="demand").astype(float)


def pipeline() -> Any:
    """What is known multiplies, as in the generator."""
    from sklearn.compose import make_column_transformer  # heavy, and only publishing the demos trains
    from sklearn.linear_model import PoissonRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    return make_pipeline(
        make_column_transformer(
            (StandardScaler(), ["temperature", "price", "last_week"]),
            (OneHotEncoder(handle_unknown="ignore"), ["weekday", "month"]),
            ("passthrough", ["holiday", "promotion"]),
        ),
        PoissonRegressor(alpha=1e-3, max_iter=1000),
    )


def _train() -> Sample:
    X, y = sample()
    learned = len(X) - 364
    return pipeline().fit(X[:learned], y[:learned]), X[:learned], y[:learned], X[learned:], y[learned:]
