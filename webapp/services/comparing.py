"""Two versions of a model beside each other: what changed, how each was measured, and how alike they answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from webapp.errors import BadArtifact, InvalidInput, ModelFailed, NotFound, NotReady, Problem
from webapp.ml.packaging import CARD
from webapp.ml.schema import Change, differences
from webapp.ml.side_by_side import SideBySide, side_by_side
from webapp.services import model_cards, registry
from webapp.services.desk import Desk
from webapp.services.model_cards import ModelCard
from webapp.services.people import Actor
from webapp.wording import said

__all__ = ["Comparison", "Measure", "Pair", "SideBySide", "compare"]

#: They may read the rows that a version learned from, which can be about people.
MAY_SEE_ROWS: Final = frozenset({"publisher", "auditor", "admin"})


class Pair(NamedTuple):
    """What both versions have under one name; None where one has nothing."""

    name: str
    before: Any
    after: Any


class Measure(NamedTuple):
    """One metric of both, each with its interval of 95 % where it has one."""

    name: str
    before: float | None
    after: float | None
    before_interval: list[float] | None
    after_interval: list[float] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`before` and `after` as they were asked for; the rows are those kept with the version published first."""

    before: ModelCard
    after: ModelCard
    changes: list[Change]
    measures: list[Measure]
    #: Whether both were scored on the same rows; None where that is not known.
    same_rows: bool | None
    texts: list[Pair]
    software: list[Pair]
    #: Number of the version whose kept rows were answered.
    rows_of: str
    answers: SideBySide | None
    #: Why the answers are not compared, where they are not.
    reason: str = ""


def compare(
    desk: Desk, name: str, before: str | None, after: str | None, *, actor: Actor | None
) -> Comparison:
    """Compare two versions; raises InvalidInput (`#/from`, `#/to`) where one is not named, NotFound, NotReady."""
    _refuse_unnamed(before, after)
    pair = tuple(model_cards.read(desk.store, name, number, actor=actor) for number in (before, after))
    old, new = pair
    manifests = old.detail.manifest, new.detail.manifest
    rows_of = min(old.detail.version, new.detail.version, key=int)
    found, reason = _ask_both(desk, old, new, int(rows_of))
    if found and actor is not None and actor.role not in MAY_SEE_ROWS:
        found = found._replace(most=[one._replace(inputs={}) for one in found.most], why_left_out="")
    cards = [manifest.get("card") or {} for manifest in manifests]
    return Comparison(
        before=old,
        after=new,
        changes=differences(old.detail.schema, new.detail.schema),
        measures=_measures(*manifests),
        same_rows=_same_rows(*manifests),
        texts=_unlike(CARD, cards[0], cards[1]),
        software=_unlike({**old.software, **new.software}, old.software, new.software),
        rows_of=rows_of,
        answers=found,
        reason=reason,
    )


def _refuse_unnamed(before: str | None, after: str | None) -> None:
    told = said("is required; give the number of a version")
    lacking = [Problem(f"#/{word}", told) for word, given in (("from", before), ("to", after)) if not given]
    if lacking:
        raise InvalidInput(lacking)


def _measures(before: dict[str, Any], after: dict[str, Any]) -> list[Measure]:
    old, new = before.get("metrics") or {}, after.get("metrics") or {}
    reach = [one.get("intervals") or {} for one in (old, new)]
    return [
        Measure(name, old.get(name), new.get(name), reach[0].get(name), reach[1].get(name))
        for name in dict.fromkeys([*old, *new])
        if name != "n_rows" and _is_figure(old.get(name, new.get(name)))
    ]


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same_rows(before: dict[str, Any], after: dict[str, Any]) -> bool | None:
    old, new = before.get("metrics") or {}, after.get("metrics") or {}
    if (old.get("on"), old.get("n_rows")) != (new.get("on"), new.get("n_rows")):
        return False
    key = "test_sha256" if new.get("on") == "test data" else "data_sha256"
    digests = before.get(key), after.get(key)
    return digests[0] == digests[1] if all(digests) else None


def _unlike(names: Any, before: dict[str, Any], after: dict[str, Any]) -> list[Pair]:
    pairs = [Pair(name, before.get(name) or None, after.get(name) or None) for name in names]
    return [pair for pair in pairs if pair.before != pair.after]


def _ask_both(desk: Desk, before: ModelCard, after: ModelCard, rows_of: int) -> tuple[SideBySide | None, str]:
    old, new = before.detail, after.detail
    if old.schema.output.kind != new.schema.output.kind:
        return None, said("One version answers with a class, the other with a number.")
    key = old.manifest_hash, (new.manifest_hash,)
    found: SideBySide | None = desk.side_by_side.get(*key)
    if found is None:
        versions = int(old.version), int(new.version)
        try:
            found = desk.offload(_answer_both, desk, old.name, versions, rows_of, _error(old))
        except (ModelFailed, BadArtifact, NotFound, NotReady) as error:
            return None, error.detail
        desk.side_by_side.put(*key, found)
    return found, ""


def _error(detail: registry.ModelDetail) -> float | None:
    """The mean absolute error: numbers that differ by less are alike for whoever uses them."""
    mae = (detail.manifest.get("metrics") or {}).get("mae")
    return mae if isinstance(mae, float) else None


def _answer_both(
    desk: Desk, name: str, versions: tuple[int, int], rows_of: int, within: float | None
) -> SideBySide:
    """Runs beside the event loop; versions that serve nobody are loaded for this alone, and let go."""
    rows = json.loads(desk.store.read(name, rows_of, "rows.json"))
    before, after = (desk.runtime.borrow(name, version) for version in versions)
    return side_by_side(rows, before, after, within)
