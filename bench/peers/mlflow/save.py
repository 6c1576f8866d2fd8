"""Save a trained estimator as an MLflow model that answers with every class's probability."""

from __future__ import annotations

import sys

import joblib
import mlflow.sklearn

TRUSTED = ["sklearn.tree._tree.Tree"]  # refused by default; these trees are our own

if __name__ == "__main__":
    source, target = sys.argv[1:]
    mlflow.sklearn.save_model(
        joblib.load(source), target, pyfunc_predict_fn="predict_proba", skops_trusted_types=TRUSTED
    )
