"""The document about estimators tells the truth; that each answers as itself is tested over the API."""

from __future__ import annotations

from pathlib import Path

from tests.ml import estimator_cases as cases

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "estimators.md"


def test_the_document_tells_of_every_estimator_and_why_some_are_not_served() -> None:
    lines = [line.split("|") for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    told = {cells[1].strip(" `"): [cell.strip() for cell in cells[2:-1]] for cells in lines}
    assert set(told) == set(cases.names())
    assert {name for name, cells in told.items() if cells[0] == "not served"} == set(cases.unfit())
    assert all(cells[2] for cells in told.values() if "onnx" not in cells)
