"""The Merkle tree of RFC 6962 §2.1, kept in tiles of 256 hashes: extend it, tell its root, prove what is in it.

A tile of level 0 holds hashes of leaves, one of level n + 1 the roots of whole tiles of level n. So a tree is read and
written some KB at a time, however large it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

HASH = 32
WIDTH = 256
EMPTY = hashlib.sha256().digest()

#: (level, number) of a tile.
Place = tuple[int, int]


def leaf_hash(canonical: bytes) -> bytes:
    """SHA-256(0x00 ‖ canonical)."""
    return hashlib.sha256(b"\x00" + canonical).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def perfect(hashes: bytes) -> bytes:
    """The root over 2ⁿ hashes of 32 bytes."""
    sha = hashlib.sha256
    while len(hashes) > HASH:
        hashes = b"".join(
            [sha(b"\x01" + hashes[i : i + 2 * HASH]).digest() for i in range(0, len(hashes), 2 * HASH)]
        )
    return hashes


class Edge:
    """The right edge of a tree: the unfinished tile of each level, all that is needed to go on and to tell the root."""

    def __init__(self, size: int = 0, tiles: Sequence[bytes] = ()) -> None:
        self.size = size
        self.tiles = [bytearray(tile) for tile in tiles]

    def extend(self, hashes: Sequence[bytes]) -> dict[Place, bytes]:
        """Append leaves; returns the tiles that have changed, as they are now."""
        changed: dict[Place, bytes] = {}
        taken = 0
        while taken < len(hashes):
            number, there = divmod(self.size, WIDTH)
            part = hashes[taken : taken + WIDTH - there]
            taken += len(part)
            self.size += len(part)
            self._add(changed, 0, number, b"".join(part))
        return changed

    def _add(self, changed: dict[Place, bytes], level: int, number: int, hashes: bytes) -> None:
        if level == len(self.tiles):
            self.tiles.append(bytearray())
        tile = self.tiles[level]
        tile += hashes
        changed[level, number] = bytes(tile)
        if len(tile) == WIDTH * HASH:
            self.tiles[level] = bytearray()
            self._add(changed, level + 1, number // WIDTH, perfect(bytes(tile)))

    def root(self) -> bytes:
        """The root over all leaves so far; raises ValueError for tiles that hold something else than hashes."""
        root = b""
        for tile in self.tiles:
            end = len(tile)
            if end % HASH:
                raise ValueError(f"a tile of {end} bytes holds no whole hashes")
            while end:  # perfect subtrees, from the right
                length = (end // HASH & -(end // HASH)) * HASH
                part = perfect(bytes(tile[end - length : end]))
                root = node_hash(part, root) if root else part
                end -= length
        return root or EMPTY


def edge_places(size: int) -> list[Place]:
    """The unfinished tile of each level of a tree, lowest first; it may be empty."""
    places = []
    level, hashes = 0, size
    while hashes:
        places.append((level, hashes // WIDTH))
        level, hashes = level + 1, hashes // WIDTH
    return places


def around(index: int, size: int) -> list[Place]:
    """All tiles that the proof of one leaf in a tree of `size` may need: those above it, and the edge."""
    places = edge_places(size)
    return list(dict.fromkeys([*((level, index // WIDTH ** (level + 1)) for level, _ in places), *places]))


class Prover:
    """Proofs out of tiles, which `tile` gets by their place where they are not among `tiles`."""

    def __init__(self, tile: Callable[[Place], bytes], tiles: Mapping[Place, bytes] | None = None) -> None:
        self._get = tile
        self._tiles = dict(tiles or {})

    def root(self, size: int) -> bytes:
        """The root over the first `size` leaves."""
        return self._range(0, size) if size else EMPTY

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """PATH(index, D[size]) of RFC 6962 §2.1.1, the sibling of the leaf first."""
        path, low, high = [], 0, size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low = middle
        return path[::-1]

    def consistency(self, first: int, second: int) -> list[bytes]:
        """PROOF(first, D[second]) of RFC 6962 §2.1.2; empty where both are the same, or `first` is 0."""
        if not 0 < first < second:
            return []
        path, low, high, whole = [], 0, second, True
        while first != high:
            middle = low + _split(high - low)
            if first <= middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low, whole = middle, False
        return ([] if whole else [self._range(low, high)]) + path[::-1]

    def _range(self, low: int, high: int) -> bytes:
        """MTH(D[low:high]); `low` is a multiple of the largest power of two below its length."""
        length = high - low
        if length & (length - 1) == 0:
            return self._perfect(low, length)
        middle = low + _split(length)
        return node_hash(self._range(low, middle), self._range(middle, high))

    def _perfect(self, low: int, length: int) -> bytes:
        level = 0
        while length >= WIDTH:
            level, low, length = level + 1, low // WIDTH, length // WIDTH
        number, at = divmod(low, WIDTH)
        place = (level, number)
        if place not in self._tiles:
            self._tiles[place] = self._get(place)
        return perfect(self._tiles[place][at * HASH : (at + length) * HASH])


def climb(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that a leaf's hash and its path lead to (RFC 9162 §2.1.3.2); b"" for a path of another length."""
    here, last, found = index, size - 1, leaf
    for sibling in path:
        if not last:
            return b""
        if here & 1 or here == last:
            found = node_hash(sibling, found)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        here, last = here >> 1, last >> 1
    return b"" if last else found


def _split(length: int) -> int:
    """The largest power of two smaller than `length`."""
    return 1 << (length - 1).bit_length() - 1
