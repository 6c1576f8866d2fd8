"""The one definition of a valid row and of an answer."""

from webapp.ml.schema.checks import unusual
from webapp.ml.schema.definition import Schema
from webapp.ml.schema.features import Checked, Choice, Feature, Kind, Learned, Output, Scalar, Warning

__all__ = [
    "Checked",
    "Choice",
    "Feature",
    "Kind",
    "Learned",
    "Output",
    "Scalar",
    "Schema",
    "Warning",
    "unusual",
]
