"""All tables in one import."""

from webapp.db.audit import Event, Leaf
from webapp.db.changes import Change
from webapp.db.failures import Failure
from webapp.db.jobs import Job
from webapp.db.predictions import IdempotencyKey, Prediction
from webapp.db.registry import Alias, Model, ModelAccess, ModelVersion
from webapp.db.reviews import Outcome, Review
from webapp.db.rollups import Horizon, Rollup
from webapp.db.saved import SavedFilter
from webapp.db.users import LoginFailure, RecoveryCode, ResetLink, SecondFactor, TokenFamily, User

__all__ = [
    "Alias",
    "Change",
    "Event",
    "Failure",
    "Horizon",
    "IdempotencyKey",
    "Job",
    "Leaf",
    "LoginFailure",
    "Model",
    "ModelAccess",
    "ModelVersion",
    "Outcome",
    "Prediction",
    "RecoveryCode",
    "ResetLink",
    "Review",
    "Rollup",
    "SavedFilter",
    "SecondFactor",
    "TokenFamily",
    "User",
]
