"""Writes docs/reference/estimators.md: `python -m tests.ml.write_estimators`."""

from __future__ import annotations

from tests.ml import estimator_cases as cases
from tests.ml.test_all_estimators import DOCUMENT
from webapp.ml.reports import spoken

HEAD = """# Estimators

Every classifier and regressor of scikit-learn, fitted with its default parameters: classifiers on iris,
regressors on diabetes. Those that need an inner estimator get a plain one. *One row* and *many rows* (1,000) name
the engine that serves: `onnx`, or `sklearn` with the reason why ONNX does not. Each is tested to give the
estimator's own labels, probabilities (within 1e-5) and values (within a relative 1e-5). Written by
`python -m tests.ml.write_estimators`.

A classifier can answer with a [ranking](commands.md#the-file-of---schema) of its classes instead; where it has no
probabilities, `decision_function` scores them. One that was fitted on flat pixels can [look at
images](../how-to/images.md).

| estimator | one row | many rows | reason |
|---|---|---|---|
"""

TAIL = """
## Texts
A column of texts is of the kind `text` when it has more than 50 different values, or long ones. A pipeline may read it
alone, fitted on a list or Series of texts, or beside others in a ColumnTransformer. The form has a large field for it;
line breaks and tabs are kept, and a browser's line breaks arrive as `\\n`. A text has at most `max_length` characters,
10,000 unless the schema says otherwise, so that one row stays far below
[`MAX_BODY_BYTES`](settings.md); a longer one is refused, and nothing that was typed is lost. A text shorter or longer
than any of the sample brings a warning. A missing text is read as the empty one by a pipeline that reads texts alone;
in a sample for a ColumnTransformer, fill the gaps before training.

| vectorizer | served by | |
|---|---|---|
| by words: `TfidfVectorizer`, `CountVectorizer` | onnx | 20 µs a short text, where scikit-learn takes 700 |
| the same with `analyzer="char"` | onnx | |
| a `FeatureUnion` of these | onnx | if all turn their texts to small letters, or none does |
| with `sublinear_tf=True` | sklearn | ONNX differs where a word comes twice |
| with `analyzer="char_wb"`; `HashingVectorizer` | sklearn | the converter does not know them |

ONNX's own small letters and tokens are not Python's (İ, accents, words beyond a to z), so texts are brought to small
letters before the graph sees them, and cut by the same classes of characters. The agreement is tested on each version's
own sample and on odd texts, as for every model. A `token_pattern` must be one that takes a time in proportion to any
text: `\\b\\w+\\b`, `[a-z]+` and the default are.
"""


def row(name: str) -> str:
    reason = cases.unfit().get(name)
    if reason:
        return f"| `{name}` | not served | not served | {cell(reason)} |"
    engines = cases.packaged(name).manifest["engines"]
    told = "" if engines["one"] == engines["many"] == "onnx" else cell(spoken(engines["reason"]))
    return f"| `{name}` | {engines['one']} | {engines['many']} | {told} |"


def cell(text: str) -> str:
    return text.replace("|", "/").replace("<", "‹").replace(">", "›")


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
    DOCUMENT.write_text(HEAD + "\n".join(map(row, cases.names())) + "\n" + TAIL)
