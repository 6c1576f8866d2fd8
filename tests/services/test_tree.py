"""The tree, against RFC 6962's own definitions written out plainly, and its test vectors."""

from __future__ import annotations

import hashlib
import random

import pytest

from webapp.services.sealing.tree import (
    EMPTY,
    WIDTH,
    Edge,
    Place,
    Prover,
    around,
    climb,
    edge_places,
    leaf_hash,
)

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def H(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def MTH(D: list[bytes]) -> bytes:
    """§2.1, over leaf hashes."""
    if len(D) == 1:
        return D[0]
    k = split(len(D))
    return H(b"\x01" + MTH(D[:k]) + MTH(D[k:]))


def PATH(m: int, D: list[bytes]) -> list[bytes]:
    """§2.1.1."""
    if len(D) == 1:
        return []
    k = split(len(D))
    return [*PATH(m, D[:k]), MTH(D[k:])] if m < k else [*PATH(m - k, D[k:]), MTH(D[:k])]


def SUBPROOF(m: int, D: list[bytes], b: bool) -> list[bytes]:
    """§2.1.2."""
    if m == len(D):
        return [] if b else [MTH(D)]
    k = split(len(D))
    if m <= k:
        return [*SUBPROOF(m, D[:k], b), MTH(D[k:])]
    return [*SUBPROOF(m - k, D[k:], False), MTH(D[:k])]


class Grown:
    """A tree that was extended some leaves at a time, and its tiles."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.edge = Edge()
        self.tiles: dict[Place, bytes] = {}
        self.hashes: list[bytes] = []

    def grow(self, size: int, step: int = 0) -> Grown:
        while len(self.hashes) < size:
            more = min(step or self.random.randint(1, 700), size - len(self.hashes))
            new = [leaf_hash(b"%d" % (len(self.hashes) + i)) for i in range(more)]
            # As the next process would: from nothing but the tiles.
            self.edge = Edge(
                len(self.hashes), [self.tiles.get(p, b"") for p in edge_places(len(self.hashes))]
            )
            self.hashes += new
            self.tiles |= self.edge.extend(new)
        return self

    def prover(self) -> Prover:
        return Prover(self.tiles.__getitem__)


@pytest.mark.parametrize("size", ROOTS)
def test_the_roots_are_those_of_the_rfc(size: int) -> None:
    edge = Edge()
    edge.extend([leaf_hash(leaf) for leaf in LEAVES[:size]])
    assert edge.root().hex() == ROOTS[size]


def test_every_size_has_the_root_that_the_definition_gives() -> None:
    grown = Grown()
    assert grown.edge.root() == grown.prover().root(0) == EMPTY
    for size in range(1, 600):
        grown.grow(size, step=1)
        assert grown.edge.root() == grown.prover().root(size) == MTH(grown.hashes)


@pytest.mark.parametrize("size", [WIDTH - 1, WIDTH, WIDTH + 1, WIDTH**2 - 1, WIDTH**2, WIDTH**2 + 1, 70_001])
def test_tiles_of_several_levels_give_the_same_root(size: int) -> None:
    grown = Grown(size).grow(size)
    assert grown.edge.root() == grown.prover().root(size) == MTH(grown.hashes)
    assert all(
        len(tile) == WIDTH * 32
        for (level, n), tile in grown.tiles.items()
        if (n + 1) * WIDTH ** (level + 1) <= size
    )


def test_every_proof_up_to_130_leaves_is_that_of_the_definition() -> None:
    grown = Grown().grow(130)
    for n in range(1, 131):
        for m in range(n):
            path = grown.prover().inclusion(m, n)
            assert path == PATH(m, grown.hashes[:n])
            assert climb(m, n, grown.hashes[m], path) == MTH(grown.hashes[:n])
            assert climb(m, n, grown.hashes[m], [*path, b""]) == b""
            assert n == 1 or climb(m, n, grown.hashes[m], path[:-1]) != MTH(grown.hashes[:n])
            assert grown.prover().consistency(m + 1, n) == SUBPROOF(m + 1, grown.hashes[:n], True)


def test_proofs_in_a_large_tree_are_those_of_the_definition() -> None:
    grown = Grown(3).grow(66_500)
    for m, n in [
        (0, 66_500),
        (255, 256),
        (256, 66_000),
        (65_535, 65_536),
        (65_536, 66_500),
        (66_499, 66_500),
    ]:
        assert grown.prover().inclusion(m, n) == PATH(m, grown.hashes[:n])
        assert grown.prover().consistency(m + 1, n) == SUBPROOF(m + 1, grown.hashes[:n], True)


def test_a_proof_reads_a_few_tiles_only() -> None:
    grown, read = Grown(4).grow(200_000), []
    Prover(lambda place: read.append(place) or grown.tiles[place]).inclusion(1234, 200_000)
    assert len(read) == len(set(read)) <= 6


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65_536, 66_500, 200_000])
def test_what_a_proof_reads_is_known_beforehand(size: int) -> None:
    grown = Grown(5).grow(size)
    for index in {0, size // 3, size // 2, size - 1}:
        places = around(index, size)
        tiles = {place: grown.tiles[place] for place in places if place in grown.tiles}
        path = Prover({}.__getitem__, tiles).inclusion(index, size)
        assert path == Prover(grown.tiles.__getitem__).inclusion(index, size)
        assert len(places) <= 2 * 3
