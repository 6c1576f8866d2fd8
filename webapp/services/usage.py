"""How much each version of a model has been asked, from the counts that the dashboard is drawn from."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from webapp.services import registry
from webapp.services.filters import END_US, Filters
from webapp.services.people import Actor
from webapp.services.rollups.bins import Counts, add, latency_of
from webapp.services.rollups.levels import SECOND, WEEK, levels
from webapp.services.rollups.reading import Reader

#: The end of a longest bucket, after all that is on the record.
_END_US = -(-END_US // (WEEK * SECOND)) * WEEK * SECOND


@dataclass(slots=True)
class Usage:
    """What a version has answered, of what the asker may see.

    `answers` is exact. `latency_us`, the sum over them, is put together from bins, and so within LATENCY_ERROR.
    `last_us` is the start of the bucket that holds the last one: a minute or a quarter of an hour, or an hour where
    only one's own records are seen; None without an answer.
    """

    version: str
    answers: int = 0
    last_us: int | None = None
    _latencies: Counts = field(default_factory=dict)

    @property
    def latency_us(self) -> int:
        """Taken up to ready, of all answers together."""
        return sum(latency_of(bin) * n for bin, n in self._latencies.items())


def usage(actor: Actor, model: str, version: str | None = None) -> list[Usage]:
    """One line a version, newest first, or that of `version` alone; raises NotFound.

    Its cost grows with the weeks in which the model was asked, not with its records.
    """
    listed = [info.number for info in registry.list_versions(model, actor=actor)]
    if version is not None:
        listed = [str(registry.find_version(model, version, None, actor).number)]
    found = {number: Usage(number) for number in listed}
    reader = Reader(actor, Filters(model=model, version=int(listed[0]) if version is not None else None))
    names = {id: str(number) for id, (_, number) in reader.scope.versions.items()}
    longest = levels(reader.scope.user_id)[-1]
    latest: defaultdict[int, list[str]] = defaultdict(list)
    for start, version_id, _, cell in reader.parts(0, _END_US, longest):
        one = found[names[version_id]]
        one.answers += cell.predictions
        one.last_us = max(one.last_us or 0, start // (longest * SECOND) * longest * SECOND)
        add(one._latencies, cell.latencies)
    for one in found.values():
        if one.last_us is not None:
            latest[one.last_us].append(one.version)
    for start, versions in latest.items():
        until = start + longest * SECOND
        for part in reader.parts(start, until, reader.grain(start)):
            number = names[part.version_id]
            if number in versions:
                found[number].last_us = max(found[number].last_us or 0, part.start_us)
    return list(found.values())
