"""The models a new desk starts with: from data that scikit-learn carries or that ship here, or invented.

Seeds are fixed.
"""

from __future__ import annotations

from dataclasses import asdict

from webapp.ml.demos import demand, digits, fraud, purchases, recommendation, sentiment
from webapp.ml.demos.demo import Demo, Sample, card, fitted

__all__ = ["Demo", "demos"]


def demos() -> list[Demo]:
    """Iris first: it is the default model of a new desk."""
    return [
        _iris(),
        _breast_cancer(),
        _diabetes(),
        _purchase(),
        sentiment.demo(),
        demand.demo(),
        _digits(),
        _recommendation(),
        fraud.demo(),
    ]


def _iris() -> Demo:
    title, description = "Iris species", "Which of three irises a flower is, from four lengths."
    lengths = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    return Demo(
        "iris",
        title,
        description,
        _train_iris,
        card(
            title,
            "Logistic regression on four lengths of a flower.",
            "112 of the 150 flowers of Fisher (1936), chosen at random within each species.",
            "Three species only: any other flower is still given one of the three names.",
        ),
        {
            "features": {
                name: {"unit": "cm", "minimum": 0, "maximum": 30, "group": name.split("_")[0].capitalize()}
                for name in lengths
            },
            "output": {"label": "Species"},
        },
    )


def _train_iris() -> Sample:
    from sklearn.datasets import load_iris  # heavy, and only publishing the demos trains
    from sklearn.linear_model import LogisticRegression

    data = load_iris(as_frame=True)
    X = data.data.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))
    y = data.target.map(dict(enumerate(data.target_names.tolist()))).rename("species")
    return fitted(LogisticRegression(max_iter=1000), X, y, stratify=y)


def _breast_cancer() -> Demo:
    title = "Breast tumour"
    description = "Whether a breast tumour is malignant, from 30 measures of its cell nuclei."
    return Demo(
        "breast-cancer",
        title,
        description,
        _train_breast_cancer,
        card(
            title,
            "Random forest of 100 trees on the mean, standard error and worst of ten measures.",
            "426 of the 569 cases of Wolberg, Street and Mangasarian (1995), chosen at random in each class.",
            "One hospital, 1989 to 1995. Not a medical device.",
        ),
        {
            "features": {
                name: {"minimum": 0, "group": group} for group, names in _nuclei().items() for name in names
            },
            "output": {"label": "Diagnosis"},
        },
    )


def _nuclei() -> dict[str, list[str]]:
    """The names of the 30 features: ten measures, each as mean, standard error and worst."""
    measures = "radius texture perimeter area smoothness compactness concavity concave_points symmetry"
    ten = [*measures.split(), "fractal_dimension"]
    return {
        "Mean of the nuclei": [f"mean_{m}" for m in ten],
        "Standard error": [f"{m}_error" for m in ten],
        "Worst: mean of the three largest": [f"worst_{m}" for m in ten],
    }


def _train_breast_cancer() -> Sample:
    from sklearn.datasets import load_breast_cancer  # heavy, and only publishing the demos trains
    from sklearn.ensemble import RandomForestClassifier

    data = load_breast_cancer(as_frame=True)
    X = data.data.rename(columns=lambda name: name.replace(" ", "_"))
    y = data.target.map(dict(enumerate(data.target_names.tolist()))).rename("diagnosis")
    return fitted(RandomForestClassifier(100, random_state=0), X, y, stratify=y)


def _diabetes() -> Demo:
    title = "Diabetes progression"
    description = "How far diabetes has progressed after one year, from ten measures at its start."
    person, serum = {"group": "Person"}, {"group": "Blood serum"}
    return Demo(
        "diabetes",
        title,
        description,
        _train_diabetes,
        card(
            title,
            "Ridge regression on standardised measures.",
            "331 of the 442 patients of Efron, Hastie, Johnstone and Tibshirani (2004), chosen at random.",
            "Explains about a third of the variance: read the answer as a rough level. Not a medical device.",
        ),
        {
            "features": {
                "age": {**person, "unit": "years", "minimum": 0, "maximum": 120},
                "sex": {**person, "label": "Sex (as coded in the data)", "kind": "category", "closed": True,
                        "choices": [{"value": 1.0, "label": "1"}, {"value": 2.0, "label": "2"}]},
                "bmi": {**person, "label": "Body mass index", "unit": "kg/m²", "minimum": 5, "maximum": 100},
                "bp": {**person, "label": "Mean blood pressure", "unit": "mmHg", "minimum": 20, "maximum": 250},
                "s1": {**serum, "label": "Total serum cholesterol", "unit": "mg/dl"},
                "s2": {**serum, "label": "Low-density lipoproteins", "unit": "mg/dl"},
                "s3": {**serum, "label": "High-density lipoproteins", "unit": "mg/dl"},
                "s4": {**serum, "label": "Total cholesterol / HDL"},
                "s5": {**serum, "label": "Log of serum triglycerides", "unit": "log(mg/dl)"},
                "s6": {**serum, "label": "Blood sugar", "unit": "mg/dl"},
            },
            "output": {"label": "Disease progression"},
        },
    )  # fmt: skip


def _train_diabetes() -> Sample:
    from sklearn.datasets import load_diabetes  # heavy, and only publishing the demos trains
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data = load_diabetes(as_frame=True, scaled=False)
    y = data.target.rename("disease_progression")
    return fitted(make_pipeline(StandardScaler(), Ridge()), data.data, y)


def _purchase() -> Demo:
    title = "Online purchase"
    description = "Whether a visit to a web shop ends with a purchase; inputs may be missing."
    visitor, visit = {"group": "Visitor"}, {"group": "Visit"}
    return Demo(
        "purchase",
        title,
        description,
        _train_purchase,
        card(
            title,
            "Logistic regression on imputed numbers, categories and yes/no answers.",
            "1,500 of 2,000 visits made up by a seeded generator.",
            "The data are invented.",
        ),
        {
            "features": {
                "age": {**visitor, "unit": "years", "minimum": 0, "maximum": 120},
                "minutes": {**visit, "label": "Time on site", "unit": "min", "minimum": 0, "maximum": 1440},
                "pages": {**visit, "label": "Pages seen", "minimum": 0},
                "channel": {**visit, "label": "Came from"},
                "returning": {**visitor, "label": "Has bought before"},
            },
            "output": {
                "label": "Purchase",
                "classes": [{"value": "no", "label": "No purchase"}, {"value": "yes", "label": "Purchase"}],
            },
        },
    )


def _train_purchase() -> Sample:
    X, y = purchases.sample(2000)
    return fitted(purchases.pipeline(), X, y, stratify=y)


def _digits() -> Demo:
    title = "Handwritten digits"
    description = "Which digit an image shows, from 8×8 greys of white ink on black."
    return Demo(
        "digits",
        title,
        description,
        _train_digits,
        card(
            title,
            "Logistic regression on 64 grey levels.",
            "1,347 of the 1,797 digits of Alpaydin and Kaynak (1998), of 43 people, chosen at random within "
            "each digit.",
            "White on black, and filling the image: a photograph of ink on paper has to be cropped and inverted first. "
            "Whatever an image shows, one of ten digits is the answer.",
        ),
        {
            "features": {
                "image": {
                    "kind": "image",
                    "description": "One digit, white on black, filling the image. It is scaled to 8×8 greys.",
                    "image": asdict(digits.IMAGE),
                }
            },
            "output": {"label": "Digit"},
        },
    )


def _train_digits() -> Sample:
    from sklearn.model_selection import train_test_split  # heavy, and only publishing the demos trains

    X, y = digits.sample()
    X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
    return digits.classifier().fit(digits.numbers(X), y), X, y, X_test, y_test


def _recommendation() -> Demo:
    title = "Next purchase"
    description = "Which products a customer of a food shop is likely to want next, in order."
    basket, person = {"group": "Products in the basket", "minimum": 0}, {"group": "Customer and day"}
    return Demo(
        "recommendation",
        title,
        description,
        _train_recommendation,
        card(
            title,
            "Logistic regression over 16 products; its probabilities are the scores.",
            "3,000 of 4,000 baskets made up by a seeded generator.",
            "The data are invented. The first product is the one taken in about a quarter of the cases, one of the "
            "first five in two thirds.",
        ),
        {
            "features": {
                "breakfast": basket,
                "cooking": basket,
                "drinks": basket,
                "household": {**basket, "label": "Household goods"},
                "children": {**person, "label": "Children at home", "minimum": 0},
                "hour": {**person, "label": "Hour of the day", "unit": "h", "minimum": 0, "maximum": 23},
                "season": {**person, "closed": True},
                "place": {**person, "label": "Where the shop is", "closed": True},
            },
            "output": {"kind": "ranking", "top": 5, "label": "Next product"},
        },
    )


def _train_recommendation() -> Sample:
    X, y = recommendation.sample(4000)
    return fitted(recommendation.pipeline(), X, y, stratify=y)
