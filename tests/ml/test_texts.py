"""Models that read texts: what serves them, and that it answers as scikit-learn does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder

from webapp.ml.packaging import Package, package
from webapp.ml.runtime import Predictor

GOOD = ["adorei", "ótimo", "BOM", "excelente", "feliz", "good", "great", "happy", "amei", "coração"]
BAD = ["péssimo", "RUIM", "triste", "não", "quebrou", "bad", "awful", "sad", "odiei", "avião"]
ODD = [
    "", " ", "\n", "a", "İSTANBUL Straße", "ÇÃO NÃO É BOM", "one\ntwo\n\nthree\tfour", "e\u0301te\u0301 ótimo",
    "ﬁ ﬂ ²³ ½ Ⅷ", "I'm  not — happy…", "日本語 テキスト", "🙂 bom 🙂", "Ωμέγα ΣΑΣ", "_a __ a_b 123 4.5", "nan", "None",
    "bom " * 2000,
]  # fmt: skip


def sample(n: int = 120) -> tuple[pd.Series[str], pd.Series[str]]:
    chance = np.random.default_rng(3)
    moods = ["positive" if i % 2 else "negative" for i in range(n)]
    texts = [
        " ".join(
            [*chance.choice(GOOD if mood == "positive" else BAD, 3), *chance.choice(GOOD + BAD, 2), f"n{i}"]
        )
        for i, mood in enumerate(moods)
    ]
    return pd.Series(texts, name="text").astype(object), pd.Series(moods, name="mood")


def published(vectorizer: Any) -> tuple[Any, Package]:
    texts, moods = sample()
    estimator = make_pipeline(vectorizer, LogisticRegression()).fit(texts, moods)
    return estimator, package(estimator, texts.to_frame(), moods, format="skops")


@pytest.mark.parametrize(
    "vectorizer",
    [
        TfidfVectorizer(),
        TfidfVectorizer(ngram_range=(1, 2), min_df=2),
        TfidfVectorizer(token_pattern=r"\w+", strip_accents="unicode"),
        TfidfVectorizer(strip_accents="ascii", stop_words=["ruim"]),
        TfidfVectorizer(lowercase=False),
        TfidfVectorizer(analyzer="char", ngram_range=(2, 4)),
        CountVectorizer(binary=True, token_pattern="[a-zà-ü]+"),
        make_union(TfidfVectorizer(), TfidfVectorizer(analyzer="char", ngram_range=(2, 3))),
    ],
    ids=str,
)
def test_onnx_reads_any_text_as_scikit_learn_does(vectorizer: Any) -> None:
    estimator, made = published(vectorizer)
    assert made.manifest["engines"]["one"] == made.manifest["engines"]["many"] == "onnx"
    texts = [*sample(40)[0], *ODD]
    answer = Predictor.load(made.files.__getitem__, made.manifest).predict([(text,) for text in texts])
    assert answer.values == estimator.predict(texts).tolist()
    assert np.allclose(answer.probabilities, estimator.predict_proba(texts), atol=1e-5)


def test_texts_beside_other_columns_are_made_ready_and_the_others_left() -> None:
    texts, moods = sample()
    frame = pd.DataFrame(
        {"shop": ["São Paulo", "RIO", "rio", "Recife"] * 30, "text": texts, "stars": range(120)}
    )
    frame["shop"] = frame["shop"].astype(object)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["shop"]),
        (TfidfVectorizer(), "text"),
        ("passthrough", ["stars"]),
    )
    estimator = make_pipeline(columns, LogisticRegression(max_iter=2000)).fit(frame, moods)
    made = package(estimator, frame, moods, format="skops")
    assert made.manifest["engines"]["one"] == "onnx"
    assert made.manifest["onnx"]["layout"]["dtypes"] == ("str", "text lower", "float32")
    odd = pd.DataFrame(
        {"shop": (["RIO", "rio", "Lima"] * 6)[: len(ODD)], "text": ODD, "stars": range(len(ODD))}
    )
    answer = Predictor.load(made.files.__getitem__, made.manifest).predict(
        list(odd.itertuples(index=False, name=None))
    )
    assert np.allclose(answer.probabilities, estimator.predict_proba(odd), atol=1e-5)


@pytest.mark.parametrize(
    "vectorizer",
    [
        make_union(TfidfVectorizer(), TfidfVectorizer(lowercase=False)),  # needs its texts in two forms
        TfidfVectorizer(analyzer="char_wb"),
        TfidfVectorizer(sublinear_tf=True),
    ],
    ids=str,
)
def test_texts_that_onnx_would_read_otherwise_are_left_to_scikit_learn(vectorizer: Any) -> None:
    estimator, made = published(vectorizer)
    assert made.manifest["engines"]["one"] == "sklearn"
    answer = Predictor.load(made.files.__getitem__, made.manifest).predict([(text,) for text in ODD])
    assert np.allclose(answer.probabilities, estimator.predict_proba(ODD), atol=1e-9)


def test_a_missing_text_is_read_as_an_empty_one_by_both_engines() -> None:
    texts, moods = sample()
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, moods)
    texts[3] = None
    made = package(estimator, texts.to_frame(), moods, format="skops")
    for engine in ("onnx", "sklearn"):
        manifest = made.manifest | {"engines": made.manifest["engines"] | {"one": engine, "many": engine}}
        answer = Predictor.load(made.files.__getitem__, manifest).predict([(None,), ("",), ("None",)])
        assert answer.engine == engine and answer.probabilities is not None
        assert answer.probabilities[0] == pytest.approx(answer.probabilities[1])
