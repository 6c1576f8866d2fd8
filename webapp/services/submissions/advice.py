"""What to do about a type that a skops file may not hold."""

from __future__ import annotations

from webapp.wording import said

#: Libraries whose models are known to convert to ONNX.
CONVERTED = frozenset({"xgboost", "lightgbm", "catboost", "torch", "keras", "tensorflow"})
FUNCTIONS = frozenset({"builtins", "functools", "operator", "os", "posix", "subprocess", "sys", "nt"})


def advice(name: str) -> str:
    """For a name such as `xgboost.sklearn.XGBClassifier (as ObjectNode)`."""
    library = name.partition(".")[0]
    if library in CONVERTED:
        return said(
            "Export the model to ONNX; {library} models are not read from skops files.", library=library
        )
    if library == "__main__":
        return said(
            "A class or function of your own cannot be read here: do its work on the data beforehand, use a "
            "transformer of scikit-learn, or export the model to ONNX."
        )
    if library in FUNCTIONS:
        return said(
            "Leave functions out of the model; a FunctionTransformer may use those of NumPy that are listed."
        )
    if library in ("sklearn", "numpy", "scipy"):
        return said(
            "This type is not on the list of those that are read; save a model without it, or as ONNX."
        )
    return said("Save a model without it, or export the model to ONNX.")
