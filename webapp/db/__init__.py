"""All tables in one import."""

from webapp.db.audit import Event, Leaf
from webapp.db.changes import Change
from webapp.db.experiments import Experiment
from webapp.db.failures import Failure
from webapp.db.jobs import Job
from webapp.db.keeping import Hold, Retention
from webapp.db.predictions import IdempotencyKey, Prediction
from webapp.db.registry import Alias, Model, ModelAccess, ModelVersion, PromotionRequest
from webapp.db.reviews import Outcome, Review
from webapp.db.rollups import Horizon, Rollup
from webapp.db.saved import SavedFilter
from webapp.db.seals import Anchor, Checkpoint, Log, Tile
from webapp.db.submissions import Submitted
from webapp.db.users import LoginFailure, RecoveryCode, ResetLink, SecondFactor, TokenFamily, User
from webapp.db.verifications import Verification

__all__ = [
    "Alias",
    "Anchor",
    "Change",
    "Checkpoint",
    "Event",
    "Experiment",
    "Failure",
    "Hold",
    "Horizon",
    "IdempotencyKey",
    "Job",
    "Leaf",
    "Log",
    "LoginFailure",
    "Model",
    "ModelAccess",
    "ModelVersion",
    "Outcome",
    "Prediction",
    "PromotionRequest",
    "RecoveryCode",
    "ResetLink",
    "Retention",
    "Review",
    "Rollup",
    "SavedFilter",
    "SecondFactor",
    "Submitted",
    "Tile",
    "TokenFamily",
    "User",
    "Verification",
]
