"""Which version answers: tried, put forward, promoted, rolled back, each time with who, why and since when."""

from webapp.db.registry import CANDIDATE
from webapp.services.releases.approvals import approve, refuse, require_two, withdraw
from webapp.services.releases.moving import Released, drop_alias, promote, roll_back, set_alias
from webapp.services.releases.past import Release, history, live_at
from webapp.services.releases.standing import Request, Standing, standing

__all__ = [
    "CANDIDATE",
    "Release",
    "Released",
    "Request",
    "Standing",
    "approve",
    "drop_alias",
    "history",
    "live_at",
    "promote",
    "refuse",
    "require_two",
    "roll_back",
    "set_alias",
    "standing",
    "withdraw",
]
