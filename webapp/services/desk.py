"""What one process holds ready: loaded models, the group commit, the counters of what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from webapp.db.changes import Watch
from webapp.db.commits import GroupCommit
from webapp.ml.runtime import Runtime
from webapp.ml.store import Store
from webapp.services.anchors import Places
from webapp.services.answers import AnswerCache
from webapp.services.failures import Tally
from webapp.services.journal import Journal
from webapp.services.meters import Meters
from webapp.services.queue import Workshop
from webapp.services.quota import Quota
from webapp.services.repeats import Repeats
from webapp.services.resolving import Resolver
from webapp.services.sealing import Seals
from webapp.services.sign_ins import Seen

#: Work longer than this, in seconds, is taken off the event loop.
SLOW = 0.002


def inline(work: Callable[..., Any], *args: Any) -> Any:
    """Run `work` here and now."""
    return work(*args)


@dataclass(slots=True)
class Desk:
    """The parts of a serving process, built once by the application."""

    store: Store
    runtime: Runtime
    commits: GroupCommit
    watch: Watch
    resolver: Resolver
    quota: Quota
    #: Of each network address, whoever asks.
    addresses: Quota
    answers: AnswerCache
    failures: Tally
    workshop: Workshop
    seen: Seen
    seals: Seals
    anchors: Places
    journal: Journal
    repeats: Repeats
    meters: Meters = field(default_factory=Meters)
    #: How two versions answer the same rows, by the digests of their manifests.
    side_by_side: AnswerCache = field(default_factory=lambda: AnswerCache(50))
    max_rows: int = 10_000
    default_model: str = ""
    #: Runs slow work where it does not hold up other requests.
    offload: Callable[..., Any] = inline

    @property
    def quotas(self) -> dict[str, Quota]:
        """The quotas by the names of their policies."""
        return {quota.name: quota for quota in (self.quota, self.addresses)}
