"""What a verification finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from webapp.wording import pack, unpack

#: Altered entries that are named; the others are counted.
MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class Altered:
    """Something that is not as it was sealed: its place in the tree, if it has one, its id, and what is wrong."""

    index: int | None
    id: str
    what: str


class Outside(NamedTuple):
    """A checkpoint from outside, and whether the tree agrees with it; `what` says why not.

    `excuse` is why that may mean no harm: slip (it was probably mistyped), restore (entries were lost, as the record
    says), or nothing.
    """

    size: int
    holds: bool
    what: str
    excuse: str = ""


class Begun(NamedTuple):
    """A key, the first checkpoint it has signed, and whether a key before it has signed that one too."""

    key: str
    size: int
    vouched: bool


@dataclass(slots=True)
class Findings:
    """All of them; counts of leaves unless said otherwise."""

    origin: str = ""
    size: int = 0
    unsealed: int = 0
    predictions: int = 0
    events: int = 0
    #: Records whose contents were let go of, each by an erasure that is on the record.
    erased: int = 0
    n_altered: int = 0
    altered: list[Altered] = field(default_factory=list)
    #: Signed checkpoints that agree with the tree, and the keys that signed them, as hex ids.
    checkpoints: int = 0
    keys: list[str] = field(default_factory=list)
    begun: list[Begun] = field(default_factory=list)
    outside: list[Outside] = field(default_factory=list)
    seconds: float = 0.0
    #: Leaves verified and leaves merely hashed, a second, both measured in this run.
    rate: float = 0.0
    bare_rate: float = 0.0

    def blame(self, index: int | None, name: str, what: str) -> None:
        """Note something that is altered."""
        self.n_altered += 1
        if len(self.altered) < MOST_NAMED:
            self.altered.append(Altered(index, name, what))

    @property
    def sound(self) -> bool:
        """Whether nothing was found to be altered."""
        return not self.n_altered and all(held.holds for held in self.outside)

    @property
    def undecided(self) -> bool:
        """Whether all that does not agree is checkpoints from outside that have an excuse."""
        wrong = [held for held in self.outside if not held.holds]
        return not self.n_altered and bool(wrong) and all(held.excuse for held in wrong)

    @property
    def anchored(self) -> int:
        """How many leaves are as a checkpoint from outside has them."""
        return max((held.size for held in self.outside if held.holds), default=0) if self.sound else 0

    @property
    def unanchored(self) -> int:
        """How many leaves nothing from outside speaks for."""
        return self.size + self.unsealed - self.anchored

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, sentences as they can be said in any language."""
        plain = asdict(self)
        plain["altered"] = [(a.index, pack(a.id), pack(a.what)) for a in self.altered]
        plain["begun"] = [tuple(one) for one in self.begun]
        plain["outside"] = [(o.size, o.holds, pack(o.what), o.excuse) for o in self.outside]
        return plain

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Findings:
        """What `to_dict` made."""
        plain = dict(plain)
        plain["altered"] = [
            Altered(index, unpack(name), unpack(what)) for index, name, what in plain["altered"]
        ]
        plain["begun"] = [Begun(*one) for one in plain.get("begun", [])]
        plain["outside"] = [Outside(o[0], o[1], unpack(o[2]), *o[3:]) for o in plain["outside"]]
        return cls(**plain)
