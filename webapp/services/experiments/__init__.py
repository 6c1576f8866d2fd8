"""Two versions on the same traffic: a challenger that answers unseen, or answers a share of the subjects."""

from webapp.services.experiments.results import Arm, Results, results
from webapp.services.experiments.running import ExperimentInfo, end, get, search, start

__all__ = ["Arm", "ExperimentInfo", "Results", "end", "get", "results", "search", "start"]
