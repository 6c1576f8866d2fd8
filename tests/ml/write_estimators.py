"""Writes docs/reference/estimators.md: `python -m tests.ml.write_estimators`."""

from __future__ import annotations

from tests.ml import estimator_cases as cases
from tests.ml.test_all_estimators import DOCUMENT

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


def row(name: str) -> str:
    reason = cases.unfit().get(name)
    if reason:
        return f"| `{name}` | not served | not served | {cell(reason)} |"
    engines = cases.packaged(name).manifest["engines"]
    told = "" if engines["one"] == engines["many"] == "onnx" else cell(engines["reason"])
    return f"| `{name}` | {engines['one']} | {engines['many']} | {told} |"


def cell(text: str) -> str:
    return text.replace("|", "/").replace("<", "‹").replace(">", "›")


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
    DOCUMENT.write_text(HEAD + "\n".join(map(row, cases.names())) + "\n")
