"""MLflow's client of a scoring server, which knows a host and a port, and shows no token."""

import re
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from cases import answer
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

REFUSED = re.compile(r"Invocation failed \(error code (\d+), response: (.*)\)", re.DOTALL)


def connected(case):
    """The client of a model; that of iris, the default model, as MLflow means it, others by the path after the port."""
    address, model = urlsplit(case["url"]), case.get("model", "iris")
    path = "" if model == "iris" else f"/models/{model}"
    return ScoringServerClient(address.hostname, f"{address.port}{path}")


def ask(case):
    told = connected(case).invoke(
        np.array(case["matrix"]) if "matrix" in case else pd.DataFrame(case["rows"])
    )
    scores = told.get("probabilities")
    return {
        "predict": told.get_predictions("ndarray").ravel().tolist(),
        "predict_proba": [list(row.values()) for row in scores] if scores else None,
        "prediction_id": told["prediction_ids"],
    }


def refusal(error):
    refused = REFUSED.fullmatch(str(error))
    return (int(refused[1]), refused[2]) if refused else None


def calls(given):
    client = connected(given)
    return {"ping": client.ping(), "version": client.get_version()}


if __name__ == "__main__":
    answer(ask, refusal, calls)
