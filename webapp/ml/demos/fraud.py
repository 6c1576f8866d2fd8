"""Card payments, of which one in fifty is a fraud; missing one costs nine times as much as a call to the customer."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from webapp.ml.demos.demo import Demo, Sample, card, fitted

SEED: Final = 11
ROWS: Final = 12_000
#: what adds to the odds of a fraud
WAYS: Final = {"chip": -1.2, "contactless": -0.6, "online": 0.9}
#: in reais: a call to the customer about a payment in order, and what is lost by a fraud on average
COSTS: Final = {"positive": "fraud", "false_positive": 20, "false_negative": 180}


def demo() -> Demo:
    title = "Card fraud"
    description = (
        "Whether a card payment is a fraud: a rare class, answered from a threshold that costs chose."
    )
    payment, holder = {"group": "Payment"}, {"group": "Card and customer"}
    return Demo(
        "fraud",
        title,
        description,
        _train,
        card(
            title,
            "Logistic regression on numbers, a category and yes/no answers.",
            "9,000 of 12,000 payments made up by a seeded generator, about 2 % of them frauds.",
            "The data are invented. The threshold was chosen on the same test data that the scores come from, for a "
            "missed fraud of R$ 180 and a false alarm of R$ 20: another shop has other costs.",
        ),
        {
            "features": {
                "amount": {**payment, "unit": "R$", "minimum": 0, "maximum": 1_000_000},
                "way": {**payment, "label": "How it was paid", "closed": True,
                        "choices": [{"value": way, "label": way.capitalize()} for way in sorted(WAYS)]},
                "hour": {**payment, "label": "Hour of the day", "unit": "h", "minimum": 0, "maximum": 23},
                "abroad": {**payment, "label": "Shop in another country"},
                "distance": {**payment, "label": "Distance from the payment before", "unit": "km", "minimum": 0,
                             "maximum": 20_100},
                "payments_today": {**holder, "minimum": 0},
                "new_device": {**holder, "label": "First payment from this device"},
                "card_age": {**holder, "label": "Age of the card", "unit": "months", "minimum": 0, "maximum": 240},
            },
            "output": {
                "label": "Payment",
                "classes": [{"value": "fraud", "label": "Fraud"}, {"value": "regular", "label": "In order"}],
                "costs": COSTS,
            },
        },
    )  # fmt: skip


def sample(n: int) -> tuple[Any, Any]:
    """(X, y): n payments, the same ones each time."""
    import pandas as pd  # heavy, and only publishing the demos needs frames

    chance = np.random.default_rng(SEED)
    way = chance.choice(list(WAYS), n, p=[0.45, 0.3, 0.25])
    amount = chance.lognormal(4.0, 0.9, n).clip(1, 20_000).round(2)
    hour = np.minimum(chance.normal(15, 4.5, n).round() % 24, 23).astype(int)
    abroad = chance.random(n) < np.where(way == "online", 0.12, 0.03)
    distance = np.where(abroad, chance.gamma(4, 900, n), chance.gamma(0.8, 18, n)).clip(0, 20_000).round(1)
    payments_today = chance.poisson(1.6, n)
    new_device = chance.random(n) < np.where(way == "online", 0.15, 0.02)
    card_age = chance.gamma(2.5, 12, n).clip(0, 240).round().astype(int)
    odds = 0.0045 * amount + 0.0006 * distance + 0.35 * payments_today + 1.6 * new_device + 0.7 * abroad
    odds += np.array([WAYS[name] for name in way]) - 0.02 * card_age + 0.8 * (hour < 6) - 5.3
    y = np.where(chance.random(n) < 1 / (1 + np.exp(-odds)), "fraud", "regular")
    X = pd.DataFrame(
        {
            "amount": amount,
            "way": way,
            "hour": hour,
            "abroad": abroad,
            "distance": distance,
            "payments_today": payments_today,
            "new_device": new_device,
            "card_age": card_age,
        }
    )
    X["way"] = X["way"].astype(object)
    return X, pd.Series(y, name="payment")


def pipeline() -> Any:
    """Its probabilities are true to the generator's, so that a threshold means what it says."""
    from sklearn.compose import make_column_transformer  # heavy, and only publishing the demos trains
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = ["amount", "hour", "distance", "payments_today", "card_age"]
    return make_pipeline(
        make_column_transformer(
            (StandardScaler(), numbers),
            (OneHotEncoder(handle_unknown="ignore"), ["way"]),
            ("passthrough", ["abroad", "new_device"]),
        ),
        LogisticRegression(max_iter=1000),
    )


def _train() -> Sample:
    X, y = sample(ROWS)
    return fitted(pipeline(), X, y, stratify=y)
