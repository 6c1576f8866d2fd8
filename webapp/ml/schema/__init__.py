"""The one definition of a valid row and of an answer."""

from webapp.ml.schema.checks import ABSENT, unusual
from webapp.ml.schema.columns import check_columns
from webapp.ml.schema.definition import Schema
from webapp.ml.schema.differences import Change, differences
from webapp.ml.schema.features import Checked, Choice, Feature, Kind, Learned, Output, Scalar, Warning
from webapp.ml.schema.images import ImageSpec, Picture
from webapp.ml.schema.thresholds import Rule

__all__ = [
    "ABSENT",
    "Change",
    "Checked",
    "Choice",
    "Feature",
    "ImageSpec",
    "Kind",
    "Learned",
    "Output",
    "Picture",
    "Rule",
    "Scalar",
    "Schema",
    "Warning",
    "check_columns",
    "differences",
    "unusual",
]
