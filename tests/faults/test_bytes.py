"""Any byte of the record: whichever is changed, the entry it belongs to is named; while none is, nothing is said."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from tests.faults.conftest import Installation
from tests.faults.evidence import Evidence, all_named, opened, spread, told
from tests.faults.flips import Flipper, Place, columns
from webapp.db.base import transaction
from webapp.services import audit, outcomes, reviews, sealing
from webapp.services.verifying import findings

RECORDS, SAMPLED = 50, 4
#: Columns that hold something in every record, or its leaf.
OF_RECORDS = [
    name
    for name in columns()
    if name.startswith(("predictions.", "leaves."))
    and not name.endswith(
        (".seq", ".erasure", ".review", ".outcome", ".subject", ".label", ".value", ".score")
    )
]


@pytest.fixture
def evidence(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Evidence]:
    """60 records of each model, 50 of them with a review and an outcome, and as many checkpoints and events."""
    monkeypatch.setattr(findings, "MOST_NAMED", 10_000)
    with opened(installation) as evidence:
        alice, made = evidence.actor("alice"), []
        for n in range(RECORDS // 2):
            made += evidence.fill(2, subject=f"patient {n}")
            made += evidence.fill(2, model="diabetes", subject=None if n % 2 else "patiént")
            evidence.seal()
            with transaction() as current:
                audit.append(current, "print", alice.id, {"n": n}, about=alice.id)
            reviews.confirm(alice, made[-4], "looks right")
            reviews.override(evidence.desk.store, alice, made[-3], "virginica", "measured again")
            outcomes.report(evidence.desk.store, alice, made[-4], "setosa", "api")
            outcomes.report(evidence.desk.store, alice, made[-1], 150.5, "api")
            if n == RECORDS // 4:
                sealing.rotate(evidence.keys)
            evidence.seal()
        evidence.fill(200)
        evidence.seal()
        assert told(evidence.verify()) == ""
        yield evidence


def trial(evidence: Evidence, column: str, positions: int | None, seen: Counter[str]) -> list[str]:
    """Flip bytes of a column, of up to 50 records at once; returns what was not found."""
    chance, flipper, missed = random.Random(column), Flipper(evidence, column), []
    indices = {leaf.record_id: i for i, leaf in enumerate(evidence.leaves())}
    places = flipper.places(indices)
    alone = column.startswith(("logs", "tiles")) and column != "tiles.hashes"
    few = [[place] for place in places] if alone else [spread(places, RECORDS)]
    if column == "tiles.hashes" and positions is None:
        few = [places[i : i + RECORDS] for i in range(0, len(places), RECORDS)]
    for group in few:
        longest = max((place.length for place in group), default=0)
        at = range(longest)
        if positions is not None and longest > positions:
            at = sorted({0, longest - 1, *chance.sample(at, positions - 2)})
        for k in at:
            missed += flipped(evidence, flipper, [p for p in group if p.length > k], k, chance, seen)
    return [f"{column} {one}" for one in missed]


def flipped(
    evidence: Evidence,
    flipper: Flipper,
    group: Sequence[Place],
    k: int,
    chance: random.Random,
    seen: Counter[str],
) -> list[str]:
    """Flip byte `k` of each place; returns which of them were not found."""
    done = [(place, key) for place in group if (key := flipper.flip(place, k, chance)) is not None]
    evidence.behind.commit()
    found = evidence.verify()
    for place, key in reversed(done):
        flipper.restore(place, key)
    evidence.behind.commit()
    seen["flips"] += len(done)
    seen["refused by the database"] += len(group) - len(done)
    if found.n_altered < len({frozenset(p.names or str(p.key)) for p, _ in done}):
        return [f"byte {k}: {found.n_altered} of {len(done)} found"]
    return [
        f"byte {k}: {sorted(map(str, one))}"
        for one in all_named(found, [p.names for p, _ in done if p.names])
    ]


def test_a_changed_byte_of_any_column_names_its_entry(evidence: Evidence) -> None:
    seen: Counter[str] = Counter()
    missed = [one for column in columns() for one in trial(evidence, column, SAMPLED, seen)]
    assert missed == []
    assert seen["flips"] > 5_000
    assert told(evidence.verify()) == ""


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_every_byte_of_every_column_names_its_entry(evidence: Evidence) -> None:
    seen: Counter[str] = Counter()
    missed = [one for column in columns() for one in trial(evidence, column, None, seen)]
    print(f"\n{evidence.kind}: {len(columns())} columns, {dict(seen)}, {len(missed)} not found")
    assert missed == []


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_random_bytes_of_many_records_name_their_entries(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "MOST_NAMED", 10_000)
    with opened(installation) as evidence:
        evidence.fill(50_000, subject="patient 7")
        evidence.fill(50_000, model="diabetes")
        evidence.seal()
        seen: Counter[str] = Counter()
        missed = [one for n in range(100) for one in scattered(evidence, random.Random(n), seen)]
        print(f"\n{evidence.kind}: {evidence.verify().size} entries, {dict(seen)}, {len(missed)} not found")
        assert missed == []


def scattered(evidence: Evidence, chance: random.Random, seen: Counter[str]) -> list[str]:
    """Flip a byte in each of 100 records, anywhere in them or their leaves; returns what was not found."""
    chosen = sorted(chance.sample(range(5, 100_000), 100))
    leaves = evidence.leaves()
    done = []
    for index in chosen:
        column = chance.choice(OF_RECORDS)
        flipper = Flipper(evidence, column)
        place = flipper.place_of(leaves[index].record_id, index)
        key = flipper.flip(place, chance.randrange(place.length), chance)
        if key is None:
            seen["refused by the database"] += 1
            continue
        done.append((flipper, place, key))
    evidence.behind.commit()
    found = evidence.verify()
    for flipper, place, key in done:
        flipper.restore(place, key)
    evidence.behind.commit()
    seen["flips"] += len(done)
    return [str(one) for one in all_named(found, [place.names for _, place, _ in done])]
