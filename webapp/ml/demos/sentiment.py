"""Short opinions in Portuguese and English, positive or negative; the sentences are in sentences.csv."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from webapp.ml.demos.demo import Demo, Sample, card, fitted

SENTENCES: Final = Path(__file__).with_name("sentences.csv")


def demo() -> Demo:
    title = "Sentiment"
    return Demo(
        "sentiment",
        title,
        "Whether a short opinion, in Portuguese or English, is positive or negative.",
        _train,
        card(
            title,
            "Logistic regression on the words of a text and on pairs of neighbouring words, weighted by TF-IDF.",
            "240 of 320 sentences written for this demo, half of them Portuguese, half English.",
            "It knows the few words of its sentences, and of eight new ones it gets one wrong: irony, comparisons and "
            "other languages are beyond it.",
        ),
        {
            "features": {
                "text": {"label": "Opinion", "description": "In Portuguese or English; a sentence or two.",
                         "example": "O atendimento foi ótimo, recomendo!", "max_length": 2000}
            },
            "output": {
                "label": "Sentiment",
                "classes": [{"value": "negative", "label": "Negative"}, {"value": "positive", "label": "Positive"}],
            },
        },
    )  # fmt: skip


def sample() -> tuple[Any, Any]:
    """(X, y): the texts and their moods."""
    import pandas as pd  # heavy, and only publishing the demos needs frames

    sentences = pd.read_csv(SENTENCES)
    return sentences[["text"]], sentences["mood"]


def pipeline() -> Any:
    """Words of one letter count too: “é”, “a” and “o” make pairs."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # heavy, and only publishing the demos trains
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\b\w+\b")  # noqa: S106 — of no password
    return make_pipeline(words, LogisticRegression(C=10, max_iter=1000))


def _train() -> Sample:
    X, y = sample()
    estimator, texts, moods, new, truth = fitted(pipeline(), X["text"], y, stratify=y)
    return estimator, texts.to_frame(), moods, new.to_frame(), truth
