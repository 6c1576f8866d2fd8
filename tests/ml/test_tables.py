from __future__ import annotations

import pytest

from webapp.errors import BadArtifact
from webapp.ml.tables import read_table


def test_a_workbook_is_told_from_a_table() -> None:
    with pytest.raises(
        BadArtifact, match="The training data is a workbook or an archive; save the table as CSV"
    ):
        read_table(b"PK\x03\x04\x14\x00", "y", "The training data")


def test_a_table_gives_features_and_target() -> None:
    X, y = read_table(b"a,y\n1,2\n3,4\n", "y", "The training data")
    assert X.to_dict("list") == {"a": [1, 3]} and y.tolist() == [2, 4]
