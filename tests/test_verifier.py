"""tools/verify_record.py, against trees, proofs and exports made by the recursive definitions of RFC 6962."""

from __future__ import annotations

import ast
import base64
import copy
import gzip
import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import verifier_cases as cases
from tests.verifier_cases import NAME, Desk, Log, Signer, dense, joined, small_desk, write_lines
from tools import verify_record as verifier

TOOL = Path(verifier.__file__)
VECTORS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
KEY = Signer().vkey
LOG = Log(cases.leaf_hash(str(number).encode()) for number in range(256))

Check = Callable[..., tuple[int, str]]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Check:
    """Runs the verifier on one object, a list of lines, or the bytes of a file; the exit code and all that it says."""

    def run(content: Any, *arguments: str, key: str | None = KEY) -> tuple[int, str]:
        path = tmp_path / "file"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            write_lines(path, content if isinstance(content, list) else [content])
        code = verifier.main([str(path), *(["--key", key] if key else []), *arguments])
        said = capsys.readouterr()
        return code, " ".join((said.out + said.err).split())

    return run


def anchor(desk: Desk, size: int | None = None) -> tuple[str, str]:
    """A checkpoint as printed on paper."""
    size = size or len(desk.entries)
    digits = desk.log.root(size).hex()
    return "--checkpoint", f"{size} " + " ".join(digits[at : at + 4] for at in range(0, 64, 4))


def note_file(tmp_path: Path, note: str | bytes, name: str = "note.txt") -> tuple[str, str]:
    path = tmp_path / name
    path.write_bytes(note.encode() if isinstance(note, str) else note)
    return "--checkpoint", str(path)


def refused(function: Callable[..., None], *arguments: Any) -> bool:
    try:
        function(*arguments)
    except verifier.Failed:
        return True
    return False


def flips(path: list[bytes]) -> list[list[bytes]]:
    """The path with each of its bytes changed."""
    whole = b"".join(path)
    changed = [whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :] for at in range(len(whole))]
    return [verifier.split(one) for one in changed]


# Trees and proofs


def test_roots_are_those_of_the_published_vectors() -> None:
    tree, naive = verifier.Tree(), Log(cases.leaf_hash(bytes.fromhex(leaf)) for leaf in VECTORS)
    for size, leaf in enumerate(VECTORS, 1):
        tree.add(verifier.leaf_hash(bytes.fromhex(leaf)))
        assert tree.root() == naive.root(size)
        assert ROOTS.get(size, tree.root().hex()) == tree.root().hex()


def test_a_growing_tree_has_the_roots_of_the_definition() -> None:
    tree = verifier.Tree()
    assert tree.root() == LOG.root(0)
    for size, leaf in enumerate(LOG.leaves, 1):
        tree.add(leaf)
        assert tree.root() == LOG.root(size)


def test_every_consistency_proof_up_to_256_holds() -> None:
    count = 0
    for new in range(1, 257):
        for old in range(1, new + 1):
            verifier.verify_consistency(old, new, LOG.root(old), LOG.root(new), LOG.consistency(old, new))
            count += 1
    assert count == 32_896


def test_every_inclusion_proof_up_to_64_holds() -> None:
    for size in range(1, 65):
        for index in range(size):
            verifier.verify_inclusion(
                index, size, LOG.leaves[index], LOG.inclusion(index, size), LOG.root(size)
            )


@pytest.mark.parametrize(("index", "size"), [(0, 2), (6, 7), (0, 8), (5, 8), (16, 17), (40, 57), (255, 256)])
def test_no_inclusion_path_holds_with_a_byte_changed(index: int, size: int) -> None:
    path, root = LOG.inclusion(index, size), LOG.root(size)
    for changed in flips(path):
        assert refused(verifier.verify_inclusion, index, size, LOG.leaves[index], changed, root)
    assert refused(verifier.verify_inclusion, index, size, LOG.leaves[index], path[:-1], root)
    assert refused(verifier.verify_inclusion, index, size, LOG.leaves[index], [*path, path[0]], root)


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 7), (4, 8), (6, 8), (16, 17), (40, 57), (255, 256)])
def test_no_consistency_path_holds_with_a_byte_changed(old: int, new: int) -> None:
    path, roots = LOG.consistency(old, new), (LOG.root(old), LOG.root(new))
    for changed in flips(path):
        assert refused(verifier.verify_consistency, old, new, *roots, changed)
    assert refused(verifier.verify_consistency, old, new, *roots, path[:-1])
    assert refused(verifier.verify_consistency, old, new, *roots, [*path, path[0]])


def test_a_proof_of_another_place_or_tree_is_refused() -> None:
    for size in range(2, 20):
        for index in range(size):
            path, leaf = LOG.inclusion(index, size), LOG.leaves[index]
            for other in set(range(-1, size + 2)) - {index}:
                assert refused(verifier.verify_inclusion, other, size, leaf, path, LOG.root(size))
            for other in set(range(1, 20)) - {size}:
                assert refused(verifier.verify_inclusion, index, other, leaf, path, LOG.root(other))


def test_a_consistency_proof_of_other_sizes_is_refused() -> None:
    for new in range(2, 20):
        for old in range(1, new):
            path = LOG.consistency(old, new)
            for other in set(range(20)) - {old}:
                assert refused(verifier.verify_consistency, other, new, LOG.root(other), LOG.root(new), path)
            for other in set(range(1, 20)) - {new}:
                assert refused(verifier.verify_consistency, old, other, LOG.root(old), LOG.root(other), path)


def test_a_path_must_end_where_the_tree_ends() -> None:
    leaf, sibling = LOG.leaves[1], LOG.leaves[0]
    assert refused(verifier.verify_inclusion, 0, 1, leaf, [sibling], LOG.root(2))
    assert refused(verifier.verify_consistency, 1, 2, LOG.root(1), LOG.root(4), LOG.consistency(1, 4))
    for claimed in range(3, 20):
        assert refused(
            verifier.verify_consistency, 1, claimed, LOG.root(1), LOG.root(2), LOG.consistency(1, 2)
        )
    assert refused(verifier.split, bytes(33))


def test_two_histories_of_one_size_are_refused() -> None:
    other = Log([*LOG.leaves[:9], bytes(32), *LOG.leaves[10:]])
    assert refused(verifier.verify_consistency, 12, 12, LOG.root(12), other.root(12), [])
    for new in range(12, 40):
        path = other.consistency(12, new)
        assert refused(verifier.verify_consistency, 12, new, LOG.root(12), other.root(new), path)
        assert refused(verifier.verify_consistency, 12, new, other.root(12), LOG.root(new), path)


# Texts


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"b":[{"a":1,"a":2}]}',
        "NaN",
        "[-Infinity]",
        "9" * 5000,
        "[" * 100_000,
        '"\n"',
        "",
        "{} {}",
    ],
)
def test_json_is_taken_strictly(text: str) -> None:
    with pytest.raises(verifier.Malformed):
        verifier.parse(text)


def test_bytes_have_one_spelling() -> None:
    assert verifier.from_base64("AA==") == b"\0" == verifier.from_hex("00", 1)
    for text in ("AB==", "AA", "AA==\n", "A A=", "AA==AA==", "\ud800", "é"):
        with pytest.raises(verifier.Malformed):
            verifier.from_base64(text)
    for text in ("0", "0000", "FF", " 00", "é", None, 0):
        with pytest.raises(verifier.Malformed):
            verifier.from_hex(text, 1)


def test_what_is_nested_too_deeply_is_not_shown() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert verifier.compact(nested) == "(nested too deeply to be shown)"


# Keys and checkpoints


def test_the_example_of_the_note_specification_verifies() -> None:
    """The example of golang.org/x/mod/sumdb/note, which c2sp.org/signed-note was made from."""
    key = verifier.read_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    line = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    signature = base64.b64decode(line)
    assert signature[:4] == key.id
    assert key.signed(text.encode(), signature[4:])
    assert not key.signed(text.replace("answer", "Answer").encode(), signature[4:])


@pytest.mark.parametrize("place", range(len(KEY)))
def test_a_key_with_a_wrong_character_is_refused(place: int) -> None:
    wrong = "b" if KEY[place] != "b" else "c"
    with pytest.raises(verifier.Malformed):
        verifier.read_key(KEY[:place] + wrong + KEY[place + 1 :])


def test_a_key_of_another_sort_is_refused() -> None:
    for typed in (b"\x04" + bytes(32), b"\x01" + bytes(31)):
        key_id = hashlib.sha256(b"x\n" + typed).digest()[:4]
        with pytest.raises(verifier.Malformed, match="no Ed25519 key"):
            verifier.read_key(f"x+{key_id.hex()}+{base64.b64encode(typed).decode()}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (NAME, "parecer/1a2b"),
        ("\n12\n", "\n0\n"),
        ("\n12\n", "\n012\n"),
        ("\n12\n", "\n" + "9" * 5000 + "\n"),
        ("=\n\n", "=\n"),
        ("=\n\n", "==\n\n"),
        ("=\n\n", "=\n\t\n\n"),
        ("— ", "- "),
        ("—", "— x\n—"),
        (NAME, "\ud800"),
        (NAME, f"{NAME}/1"),
    ],
)
def test_what_is_no_checkpoint_is_refused(old: str, new: str) -> None:
    note = small_desk().checkpoint()
    assert verifier.read_note(note).size == 12
    with pytest.raises(verifier.Malformed):
        verifier.read_note(note.replace(old, new, 1))


def test_a_checkpoint_is_whole() -> None:
    note = small_desk().checkpoint()
    lines = note.split("\n")
    for wrong in (note[:-1], note[:-1] + "x", note + "x", "\n".join([*lines[:2], "", *lines[3:]])):
        with pytest.raises(verifier.Malformed):
            verifier.read_note(wrong)
    with pytest.raises(verifier.Malformed, match="not 32 bytes"):
        verifier.read_note("\n".join([*lines[:2], "AAAA", *lines[3:]]))


def test_extension_lines_and_unknown_signatures_are_allowed() -> None:
    text = small_desk().checkpoint().partition("\n\n")[0] + "\nan extension\n"
    witness = Signer(7, "witness.example/w")
    note = verifier.read_note(cases.signed(text, witness, Signer(), Signer(9)))
    ring = verifier.Ring([verifier.read_key(KEY)])
    assert ring.vouch(note).startswith(NAME)


def test_a_claim_of_a_known_key_must_hold_wherever_it_stands() -> None:
    desk, ring = small_desk(), verifier.Ring([verifier.read_key(KEY)])
    good, bad = desk.checkpoint(), desk.checkpoint(3).splitlines()[-1] + "\n"
    text, _, line = good.partition("\n\n")
    for lines in (line + bad, bad + line, bad):
        with pytest.raises(verifier.Failed, match="does not verify"):
            ring.vouch(verifier.read_note(f"{text}\n\n{lines}"))


def test_the_key_of_another_desk_does_not_vouch(check: Check) -> None:
    other = Signer(5, "parecer/ffffffffffffffff")
    proof = small_desk(other).proof(3)
    code, said = check(proof, key=other.vkey)
    assert code == 1 and "signed by none of the keys" in said


# Proof files


def test_a_proof_tells_what_was_asked_and_answered(check: Check) -> None:
    desk = small_desk()
    code, said = check(desk.proof(3), *anchor(desk))
    assert code == 0, said
    for part in (
        desk.id(3),
        "purchase, version 1",
        "6b" * 32,
        "2026-11-21 04:28:17.293149 UTC",
        "channel api",
    ):
        assert part in said
    for part in ('answer "yes"', "age = 3", 'city = "São Paulo"', "entry 4 of 12", Signer().id.hex()):
        assert part in said


def test_every_entry_has_a_proof_that_holds(check: Check) -> None:
    desk = small_desk()
    for size in (9, 12):
        for index in range(size):
            code, said = check(desk.proof(index, size), *anchor(desk, size))
            assert code == (3 if index in (1, 4, 7) else 0), (
                said
            )  # whoever hands a proof out may have left it out
            assert ("erased" in said) == (index in (1, 4, 7))


def test_a_proof_of_events_tells_facts_and_note(check: Check) -> None:
    desk = small_desk()
    code, said = check(desk.proof(5), *anchor(desk))
    assert code == 0 and "outcome, by user 1" in said and '"actual":"no"' in said


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("id", "pred_0"),
        ("index", 4),
        ("path", ""),
        ("path", "AAAA"),
        ("inputs", "{}"),
        ("output", '{"label":"no"}'),
        ("salts", "00" * 64),
        ("checkpoint", small_desk(Signer(2)).checkpoint()),
        ("checkpoint", small_desk().checkpoint(9)),
    ],
)
def test_a_changed_proof_fails(check: Check, member: str, value: Any) -> None:
    code, said = check(small_desk().proof(3) | {member: value})
    assert code == 1 and "ALTERED" in said


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": None},
        {"salts": None},
        {"salts": "zz"},
        {"salts": "AB" * 64},
        {"output": ["a"]},
        {"output": "\ud800"},
        {"leaf": "{}"},
        {"leaf": '{"a":1,"a":1}'},
        {"leaf": "[" * 100_000},
        {"index": "3"},
        {"index": True},
        {"index": 3.0},
        {"path": "?"},
        {"keys": KEY},
        {"keys": [1]},
        {"keys": [KEY[:-1]]},
        {"checkpoint": "nothing"},
        {"checkpoint": None},
        {"note": "x"},
        {"format": ["parecer-proof-1"]},
        {"format": "parecer-proof-9"},
    ],
)
def test_a_proof_that_is_no_proof_cannot_be_read(check: Check, change: dict[str, Any]) -> None:
    code, said = check(small_desk().proof(3) | change)
    assert code == 2 and "Cannot be read" in said


def test_no_byte_of_a_proof_file_can_be_changed(check: Check) -> None:
    desk, chance = small_desk(), random.Random(6962)
    proof, paper = desk.proof(3), anchor(desk)
    content = json.dumps(proof).encode()
    assert check(content, *paper)[0] == 0
    places = [*range(len(content)), *chance.choices(range(len(content)), k=500)]
    assert len(places) >= 2_000
    for at in places:
        changed = content[:at] + bytes([content[at] ^ chance.randrange(1, 256)]) + content[at + 1 :]
        if check(changed, *paper)[0] == 0:
            assert json.loads(changed) == proof, changed


def test_a_proof_may_stand_on_several_lines_or_lack_its_line_end(check: Check) -> None:
    desk = small_desk()
    for content in (json.dumps(desk.proof(3), indent=2), json.dumps(desk.proof(3))):
        assert check(content.encode(), *anchor(desk))[0] == 0
    assert check(content.encode() + b"\n{}", *anchor(desk))[0] == 2


def test_what_was_said_cannot_steer_the_terminal(check: Check) -> None:
    desk = Desk()
    hostile = "\x1b]0;x\x07\x9b2J\r\n\u202e\u2028\x00"
    parts = {"received": {hostile: hostile, "x": [hostile]}, hostile: hostile}
    desk.predict(
        0, inputs=dense(parts), output=dense({"label": hostile}), leaf={"model": hostile, "channel": hostile}
    )
    desk.event(hostile, {hostile: 1})
    harmless = r"\x1b]0;x\x07\x9b2J\r\n\u202e\u2028\x00"
    for document in (desk.proof(0), desk.proof(1), desk.consistency(1, 2) | {hostile: 1}):
        said = check(document)[1]
        assert said.isprintable() and harmless in said, said
    head = {"made": hostile, "origin": hostile}
    assert check([desk.export()[0] | head, *desk.export()[1:]])[1].isprintable()


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"a":NaN}', '{"received":' + "[" * 900 + "]" * 900 + "}", '{"a":1e999}']
)
def test_what_was_committed_to_is_shown_even_if_it_is_strange(check: Check, text: str) -> None:
    desk = Desk()
    desk.predict(0, inputs=text, output=text, leaf={"created": 10**4000})
    assert check(desk.proof(0), *anchor(desk))[0] == 0


# Consistency files, and checkpoints from outside


def test_a_consistency_proof_goes_from_an_old_checkpoint_to_a_new_one(check: Check) -> None:
    desk = small_desk()
    assert check(desk.consistency(5, 12), *anchor(desk, 12))[0] == 0
    code, said = check(desk.consistency(5, 12), *anchor(desk, 5))
    assert code == 3 and "the first 5 entries are as they were" in said and "7 entries unanchored" in said
    assert check(desk.consistency(5, 12))[0] == 3
    assert "need a consistency proof" in check(desk.consistency(5, 12), *anchor(desk, 7))[1]


def test_a_consistency_proof_between_two_histories_fails(check: Check) -> None:
    desk, other = small_desk(), small_desk()
    other.entries[2] = other.entries[3]
    mixed = other.consistency(5, 12) | {"from": desk.checkpoint(5)}
    code, said = check(mixed)
    assert code == 1 and "two histories" in said
    assert check(desk.consistency(5, 12) | {"path": ""})[0] == 1
    assert check(desk.consistency(5, 12) | {"from": desk.checkpoint(5, signers=[Signer(3)])})[0] == 1
    assert check(desk.consistency(5, 12) | {"from": "x"})[0] == 2
    assert check(desk.consistency(5, 12) | {"more": 1})[0] == 2
    assert check(desk.consistency(5, 12), *anchor(other, 12))[0] == 1


def test_a_consistency_proof_is_of_one_desk(check: Check) -> None:
    desk, name = small_desk(), "parecer/ffffffffffffffff"
    other = Signer(4, name)
    text = desk.checkpoint().partition("\n\n")[0].replace(NAME, name) + "\n"
    mixed = desk.consistency(5, 12) | {"to": cases.signed(text, other), "keys": [KEY, other.vkey]}
    code, said = check(mixed, key=None)
    assert code == 1 and "of two desks" in said


@pytest.mark.parametrize(("kept", "code"), [(12, 0), (9, 0), (3, 3)])
def test_a_proof_is_joined_to_a_checkpoint_of_another_size(
    check: Check, tmp_path: Path, kept: int, code: int
) -> None:
    desk = small_desk()
    proof = desk.proof(3, 10)
    bridge = write_lines(tmp_path / "bridge", [desk.consistency(min(kept, 10), max(kept, 10))])
    without = check(proof, *anchor(desk, kept))
    assert without[0] == 3 and "--consistency FILE" in without[1]
    assert check(proof, *anchor(desk, kept), "--consistency", bridge)[0] == code


def test_a_bridge_of_another_history_is_refused(check: Check, tmp_path: Path) -> None:
    desk, other = small_desk(), small_desk()
    other.entries[11] = other.entries[10]
    bridge = write_lines(tmp_path / "bridge", [other.consistency(9, 12)])
    assert check(desk.proof(3), *anchor(desk, 9), "--consistency", bridge)[0] == 1
    bridge = write_lines(tmp_path / "bridge", [desk.consistency(9, 12)])
    assert check(desk.proof(3), "--checkpoint", "9 " + "ab" * 32, "--consistency", bridge)[0] == 1
    bridge = write_lines(tmp_path / "bridge", [desk.consistency(9, 12) | {"path": ""}])
    assert check(desk.proof(3), *anchor(desk, 9), "--consistency", bridge)[0] == 1
    wrong = write_lines(tmp_path / "wrong", [desk.proof(3)])
    assert check(desk.proof(3), "--consistency", wrong)[0] == 2


def test_checkpoints_are_taken_as_people_keep_them(check: Check, tmp_path: Path) -> None:
    desk = small_desk()
    note, root = desk.checkpoint(), desk.log.root(12)
    pasted = note.replace("\n", " \r\n").replace("—", "--").replace("\r\n \r\n", "\r\n\r\n \r\n")
    for kept in (note, pasted, note.replace("—", "-"), "\ufeff" + note.rstrip(), f"12 {root.hex()}\n"):
        code, said = check(desk.export(), *note_file(tmp_path, kept))
        assert code == 0, said
    assert check(desk.export(), "--checkpoint", desk.checkpoint(signers=[Signer(), Signer(2)]))[0] == 0
    grouped = "-".join(root.hex()[at : at + 4] for at in range(0, 64, 4)).upper()
    for typed in (root.hex(), grouped, root.hex()[:32], base64.b64encode(root).decode(), " " * 300 + grouped):
        code, said = check(desk.export(), "--checkpoint", f"12 {typed}")
        assert code == 0, said


@pytest.mark.parametrize(("places", "groups"), [([0], "1"), ([13, 14], "4"), ([0, 5, 63, 32], "1, 2, 9, 16")])
@pytest.mark.parametrize("wrong", ["x", None])
def test_a_slip_on_paper_is_named(check: Check, places: list[int], groups: str, wrong: str | None) -> None:
    desk = small_desk()
    digits = list(desk.log.root(12).hex())
    for place in places:
        digits[place] = wrong or format(int(digits[place], 16) ^ 1, "x")
    code, said = check(desk.export(), "--checkpoint", "12 " + "".join(digits))
    assert code == 2 and f"mistyped in group {groups} of" in said


@pytest.mark.parametrize(
    "typed",
    [
        "12",
        "0 " + "0" * 64,
        "012 " + "0" * 64,
        "12 " + "0" * 31,
        "12 " + "0" * 65,
        "12 " + "x" * 64,
        "12 " + "0000 " * 6 + "000 " + "0000 " * 9,
        "9" * 5000 + " " + "0" * 64,
        "12 QUJD=",
        "12 QUJDRA==",
        "no-such-file",
        "x" * 5000,
        "\0",
        "",
    ],
)
def test_what_is_no_checkpoint_on_paper_cannot_be_read(check: Check, typed: str) -> None:
    code, said = check(small_desk().export(), "--checkpoint", typed)
    assert code == 2 and "Cannot be read: checkpoint" in said


def test_another_root_on_paper_is_another_history(check: Check) -> None:
    desk = small_desk()
    for typed in ("12 " + "ab" * 32, "3 " + "ab" * 16):
        code, said = check(desk.export(), "--checkpoint", typed)
        assert code == 1 and "another root" in said


def test_a_checkpoint_file_is_checked_itself(check: Check, tmp_path: Path) -> None:
    desk, other = small_desk(), Desk(Signer(4, "parecer/ffffffffffffffff"))
    other.entries = desk.entries
    foreign = desk.checkpoint().replace(NAME, "parecer/ffffffffffffffff")
    assert "is of parecer/ffff" in check(desk.export(), *note_file(tmp_path, foreign))[1]
    text = desk.checkpoint().partition("\n\n")[0]
    wrong = desk.checkpoint(3).partition("\n\n")[2]
    code, said = check(desk.export(), *note_file(tmp_path, f"{text}\n\n{wrong}"))
    assert code == 1 and "does not verify" in said
    assert check(desk.export(), *note_file(tmp_path, b"\xff"))[0] == 2
    assert "too long" in check(desk.export(), *note_file(tmp_path, "\n" * 2**20 + desk.checkpoint()))[1]


# Exports


def test_an_export_tells_what_is_in_order(check: Check) -> None:
    desk = small_desk()
    code, said = check(desk.export(3, 9), *anchor(desk))
    assert code == 0, said
    assert "6 predictions and 3 events" in said and "erased 3: 3 by entry 10" in said
    assert f"3 signed by {NAME}+{Signer().id.hex()}" in said
    assert "the first 12 entries are as they were when the checkpoint was taken" in said


def test_without_key_or_anchor_it_is_never_plain_good(check: Check) -> None:
    desk = small_desk()
    assert check(desk.export())[0] == 3
    code, said = check(desk.export(), *anchor(desk), key=None)
    assert code == 3 and "shows damage, not forgery" in said
    code, said = check(desk.export(), *anchor(desk, 9), *anchor(desk, 4))
    assert code == 3 and "first 9 entries are as they were" in said and "3 entries unanchored" in said
    assert check(desk.proof(3), key=None)[0] == 3
    assert check(desk.proof(3))[0] == 3


def test_an_export_may_be_packed_or_without_personal_parts(check: Check) -> None:
    desk = small_desk()
    lines = "".join(json.dumps(line) + "\n" for line in desk.export(3)).encode()
    assert check(gzip.compress(lines), *anchor(desk))[0] == 0
    assert check(lines.rstrip().replace(b"\n", b"\r\n"), *anchor(desk))[0] == 0
    code, said = check(desk.export(3, personal=False), *anchor(desk))
    assert code == 0 and "only leaves are checked" in said
    leaky = desk.export(personal=False)
    leaky[3] = desk.entries[2]
    assert check(leaky, *anchor(desk))[0] == 1


def mutants() -> dict[str, list[Any]]:
    """Exports of the small desk with one thing wrong each; line 1 is entry 0, a checkpoint follows entries 3 and 11."""
    good = small_desk().export(4)
    found: dict[str, list[Any]] = {}
    entries = [number for number, line in enumerate(good) if "leaf" in line]
    for number in entries:
        found[f"line {number} deleted"] = good[:number] + good[number + 1 :]
        found[f"line {number} twice"] = [*good[: number + 1], *good[number:]]
        found[f"line {number} swapped"] = [
            *good[:number],
            good[number + 1],
            good[number],
            *good[number + 2 :],
        ]
        for member, value in good[number].items():
            if isinstance(value, str):
                changed = value.replace("1", "2", 1) if "1" in value else value.replace('"', "'", 1)
                changed = changed if changed != value else value + " "
                found[f"{member} of line {number} edited"] = _with(good, number, {member: changed})
                if member != "leaf":
                    found[f"{member} of line {number} gone"] = _with(good, number, {member: None})
        personal = {name: None for name in good[number] if name != "leaf"}
        if any(good[number][name] is not None for name in personal):
            found[f"line {number} emptied"] = _with(good, number, personal)
    for size in range(1, len(good)):
        found[f"cut to {size} lines"] = good[:size]
    other = Desk()
    other.predict(9, "w9")
    found["a line inserted"] = [*good[:3], other.entries[0], *good[3:]]
    found["an empty line inserted"] = [*good[:3], "", *good[3:]]
    found["a checkpoint twice"] = [*good[:6], *good[5:]]
    found["checkpoints swapped"] = [*good[:5], good[-1], *good[6:-1], good[5]]
    for number in (5, len(good) - 1):
        note = good[number]["checkpoint"]
        for old, new in (
            ("\n4\n", "\n3\n"),
            ("\n12\n", "\n13\n"),
            (note[-8], "A"),
            (NAME, NAME + "/2"),
            ("— ", "— x"),
        ):
            if old in note and old != new:
                changed = note.replace(old, new, 1)
                found[f"checkpoint at line {number}: {old!r} to {new!r}"] = _with(
                    good, number, {"checkpoint": changed}
                )
        forged = small_desk(Signer(2)).checkpoint(4 if number == 5 else 12)
        found[f"checkpoint at line {number} of another key"] = _with(good, number, {"checkpoint": forged})
    found["a wrong size in the head"] = _with(good, 0, {"size": 13})
    found["another origin in the head"] = _with(good, 0, {"origin": NAME + "/2"})
    return found


def _with(lines: list[Any], number: int, change: dict[str, Any]) -> list[Any]:
    changed = copy.copy(lines)
    changed[number] = lines[number] | change
    return changed


MUTANTS = mutants()


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_of_an_export_is_found(check: Check, name: str) -> None:
    code, said = check(MUTANTS[name])
    assert code in (1, 2), said
    assert check(MUTANTS[name], key=None)[0] in (1, 2)


def test_a_shortened_export_with_an_honest_end_is_found_by_the_checkpoint_kept_outside(check: Check) -> None:
    desk, short = small_desk(), small_desk()
    del short.entries[10:]
    assert check(short.export())[0] == 3
    code, said = check(short.export(), *anchor(desk))
    assert code == 1 and "beyond the 10 entries" in said


def test_an_older_export_is_joined_to_a_newer_checkpoint(check: Check, tmp_path: Path) -> None:
    desk, short = small_desk(), small_desk()
    del short.entries[10:]
    bridge = write_lines(tmp_path / "bridge", [desk.consistency(10, 12)])
    assert check(short.export(), *anchor(desk), "--consistency", bridge)[0] == 0


def test_a_rewritten_history_is_found_only_from_outside(check: Check) -> None:
    desk, forged = small_desk(), Desk()
    for seq in range(12):
        forged.predict(seq)
    assert check(forged.export())[0] == 3
    assert check(forged.export(), *anchor(desk))[0] == 1
    assert check(forged.export(), *anchor(desk, 3))[0] == 1


def test_a_forgery_under_another_key_is_found_by_the_key_from_outside(check: Check) -> None:
    forged = small_desk(Signer(2))
    assert check(forged.export(4), key=None)[0] == 3
    code, said = check(forged.export(4))
    assert code == 1 and "signed by none of the keys" in said


def test_what_is_altered_is_named(check: Check) -> None:
    desk = small_desk()
    desk.entries[3]["output"] = "{}"
    desk.entries[8]["inputs"] = "{}"
    code, said = check(desk.export())
    assert code == 1 and "altered 2" in said
    assert f"entry 4, {desk.id(3)}: output does not agree with the leaf" in said
    assert f"entry 9, {desk.id(8)}: inputs do not agree with the leaf" in said


def test_twenty_findings_are_named_and_the_rest_counted(check: Check) -> None:
    desk = Desk()
    for seq in range(50):
        desk.predict(seq)
        desk.entries[seq]["inputs"] = "{}"
    said = check(desk.export())[1]
    assert "altered 50" in said and "and 30 more" in said and said.count("inputs do not agree") == 20


def test_an_altered_leaf_is_placed_between_two_checkpoints(check: Check) -> None:
    lines = small_desk().export(3, 6, 9)
    lines[6] = lines[6] | {"leaf": lines[6]["leaf"].replace('"user":1', '"user":3')}
    code, said = check(lines)
    assert (
        code == 1
        and "entries 4 to 6: their leaves are not those" in said
        and "2 later checkpoints likewise" in said
    )


def test_a_checkpoint_out_of_place_and_a_wrong_size_are_named(check: Check) -> None:
    lines = small_desk().export(3)
    assert "size 3 comes after 4 entries" in check([*lines[:4], lines[5], lines[4], *lines[6:]])[1]
    assert "should have 13 entries and has 12" in check(_with(lines, 0, {"size": 13}))[1]
    assert "does not end with its checkpoint of size 12" in check(lines[:-1])[1]


def test_a_checkpoint_of_another_desk_is_found(check: Check) -> None:
    name = "parecer/ffffffffffffffff"
    other = Signer(4, name)
    text = small_desk().checkpoint(3).partition("\n\n")[0].replace(NAME, name) + "\n"
    lines = small_desk().export(2, 3, at_3=cases.signed(text, other))
    lines[0]["keys"] = [KEY, other.vkey]
    assert f"size 3 is of {name}, after one of {NAME}" in check(lines, key=None)[1]


def test_an_event_has_no_series(check: Check) -> None:
    desk = Desk()
    desk.event("publish", {})
    desk.entries[0]["leaf"] = desk.entries[0]["leaf"].replace('"writer_seq":0', '"writer_seq":1')
    assert "an event has a place in a series" in check(desk.export())[1]


def test_gaps_are_told_by_writer(check: Check) -> None:
    desk = Desk()
    for seq in (0, 1, 5, 6):
        desk.predict(seq, "w\x1b")
    desk.predict(2, "late")
    code, said = check(desk.export(), *anchor(desk))
    assert code == 1 and "gaps 2" in said
    assert r"writer w\x1b: 2 to 4 are not there" in said and "writer late: 0 to 1 are not there" in said


@pytest.mark.parametrize("seq", [-1, 0, 2**63, 10**4299])
def test_a_place_in_a_series_is_taken_once(check: Check, seq: int) -> None:
    desk = Desk()
    desk.predict(0)
    desk.predict(seq)
    desk.predict(1)
    code, said = check(desk.export())
    assert code == 1 and ("of no known format" if seq else "was taken before") in said


def test_what_is_missing_without_an_erasure_is_altered(check: Check) -> None:
    for index in (0, 1, 2, 5):
        desk = Desk()
        desk.event("publish", {"model": "purchase"})
        desk.predict(0)
        record = desk.predict(1)
        desk.event("erasure", {"records": [record], "reason": "asked for"})
        desk.event("erasure", {"records": [], "events": []})
        desk.event("review", {"record": desk.id(1), "action": "confirmed"}, dense({"reason": ""}))
        desk.erase(index, *(["note", "note_salt"] if index == 5 else []))
        code, said = check(desk.export(), *anchor(desk))
        assert code == (0 if index == 2 else 1), said
        assert (f"entry {index + 1}, {desk.id(index)}" in said) == (index != 2)
        assert ("1 id is listed by an erasure, but not erased here" in said) == (index != 2)


def test_a_note_does_not_outlive_its_facts(check: Check) -> None:
    desk = Desk()
    review = desk.event("review", {"record": "pred_0", "action": "confirmed"}, dense({"reason": ""}))
    desk.event("erasure", {"records": [], "events": [review]})
    desk.erase(0, "facts", "salt")
    assert "facts are missing, but not its note" in check(desk.export())[1]
    desk.erase(0)
    assert check(desk.export(), *anchor(desk))[0] == 0


def test_an_erasure_that_was_tampered_with_excuses_nothing(check: Check) -> None:
    desk = small_desk()
    desk.erase(2)
    listed = json.loads(desk.entries[9]["facts"])
    desk.entries[9]["facts"] = dense(listed | {"records": [*listed["records"], desk.id(2)]})
    code, said = check(desk.export())
    assert code == 1 and f"entry 3, {desk.id(2)}" in said and f"entry 10, {desk.id(9)}" in said


@pytest.mark.parametrize(
    "facts", [{"records": "pred_1"}, {"records": [1]}, {"records": [], "events": {}}, {}]
)
def test_an_erasure_without_a_list_is_malformed(check: Check, facts: dict[str, Any]) -> None:
    desk = Desk()
    desk.event("erasure", facts)
    assert "list no ids" in check(desk.export())[1]


def test_an_export_goes_on_over_a_change_of_keys(check: Check) -> None:
    old, new = Signer(), Signer(2)
    desk = small_desk(old, new)
    lines = desk.export(
        3,
        6,
        at_3=desk.checkpoint(3, signers=[old]),
        at_6=desk.checkpoint(6),
        at_12=desk.checkpoint(signers=[new]),
    )
    assert check(lines, *anchor(desk), "--key", new.vkey)[0] == 0
    code, said = check(lines, *anchor(desk), key=new.vkey)
    assert code == 0 and "(not given with --key)" in said
    assert check(lines, *anchor(desk), key=old.vkey)[0] == 0  # which has signed along with the new one
    alone = {"at_3": desk.checkpoint(3, signers=[old]), "at_12": desk.checkpoint(signers=[new])}
    code, said = check(desk.export(3, **alone), *anchor(desk), key=old.vkey)
    assert code == 1 and "give the new one too" in said


def test_a_change_of_epoch_needs_a_restore_on_the_record(check: Check) -> None:
    desk = small_desk()
    desk.event("restore", {"from": "2026-11-20"})
    desk.predict(5)
    second = {"at_14": desk.checkpoint(epoch=2), "at_13": desk.checkpoint(13, epoch=2)}
    code, said = check(desk.export(9, 13, origin=NAME + "/2", **second), *anchor(desk))
    assert code == 0 and "restored from a copy, by entry 13" in said
    early = second | {"at_9": desk.checkpoint(9, epoch=2)}
    assert check(desk.export(9, 13, origin=NAME + "/2", **early))[0] == 1
    late = desk.export(13, origin=NAME + "/2", at_14=second["at_14"])
    assert check(late)[0] == 1
    back = desk.export(13, at_13=second["at_13"])
    assert check(back)[0] == 1


# Files that are none


def big_gzip(line: bytes, times: int) -> bytes:
    return gzip.compress(line * times, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"1",
        b"nothing",
        b"{}",
        b"[" * 100_000,
        b'{"format":' + b"[" * 100_000,
        b'{"format":NaN}',
        b'{"format":1,"format":2}',
        b'{"format":' + b"9" * 5000 + b"}",
        b'{"format":"\\ud800"}',
        b"\x1f\x8b",
        b"\x1f\x8b" + b"x" * 100,
        gzip.compress(b"{}" * 1000)[:-9],
        big_gzip(b"a" * 2**20, 70),
        big_gzip(b"\n" * 2**20, 1),
        b"\0" * (2**26 + 2),
        small_desk().checkpoint().encode(),
        KEY.encode(),
    ],
    ids=lambda content: f"{len(content)} bytes",  # what is packed holds the time
)
@pytest.mark.parametrize("head", [b"", b"export"])
def test_a_file_that_is_none_is_refused_in_words(check: Check, content: bytes, head: bytes) -> None:
    if head:
        unpacked = json.dumps(small_desk().export()[0]).encode() + b"\n"
        content = gzip.compress(unpacked) + content if content[:1] == b"\x1f" else unpacked + content
    code, said = check(content)
    assert code == 2 or (code == 1 and head and not content.strip(unpacked)), said
    assert "Traceback" not in said and len(said) < 2_000


def test_no_line_is_held_beyond_its_limit(check: Check) -> None:
    for head in (b"", json.dumps(small_desk().export()[0]).encode() + b"\n"):
        code, said = check(gzip.compress(head) + big_gzip(b"a" * 2**20, 65))
        assert code == 2 and "longer than 64 MB" in said


@pytest.mark.parametrize(
    "change",
    [
        {"size": 0},
        {"size": -1},
        {"size": True},
        {"size": 2**63},
        {"size": "12"},
        {"keys": {}},
        {"keys": [None]},
        {"origin": None},
        {"personal": 1},
        {"made": 5},
        {"more": 5},
    ],
)
def test_a_head_that_is_none_is_refused(check: Check, change: dict[str, Any]) -> None:
    assert check(_with(small_desk().export(), 0, change))[0] == 2


@pytest.mark.parametrize(
    "line", [{}, {"leaf": 5}, {"checkpoint": 5}, {"checkpoint": "x"}, [], 5, None, {"leaf": "\ud800"}]
)
def test_a_line_that_is_none_is_placed(check: Check, line: Any) -> None:
    code, said = check([*small_desk().export()[:3], line])
    assert code == 2 and "line 4:" in said


def test_fuzzed_exports_are_never_passed_nor_crash(check: Check) -> None:
    desk, chance = small_desk(), random.Random(9162)
    lines, paper = desk.export(4), anchor(desk)
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    assert check(content, *paper)[0] == 0
    for _ in range(600):
        at, kind = chance.randrange(len(content)), chance.randrange(3)
        if kind == 0:
            changed = content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
        elif kind == 1:
            changed = content[:at] + content[at + chance.randrange(1, 300) :]
        else:
            changed = content[:at] + chance.randbytes(3) + content[at:]
        if check(changed, *paper)[0] in (0, 3):
            decoded = [json.loads(line) for line in changed.decode().split("\n") if line]
            assert decoded[1:] == lines[1:] and decoded[0] | {"made": ""} == lines[0] | {"made": ""}


@pytest.mark.parametrize(
    "value", [None, 5, -1, 1.5, True, [], {}, "", "x", [[]], 10**4000, "\ud800", ["\ud800"]]
)
def test_a_member_of_another_type_never_crashes(check: Check, value: Any) -> None:
    desk = small_desk()
    for index in (3, 5):
        proof = desk.proof(index)
        for member in proof.keys() - {"keys"}:
            if proof[member] != value:
                assert check(proof | {member: value}, *anchor(desk))[0] in (
                    (0, 1, 2) if value is None else (1, 2)
                )
        for member in desk.entries[index]:
            assert check(_with(desk.export(), index + 1, {member: value}))[0] in (1, 2)
    for member in ("from", "to", "path"):
        assert check(desk.consistency(3, 9) | {member: value})[0] in (1, 2)


@pytest.mark.parametrize(
    "change", [{"user": "2"}, {"user": True}, {"user": 1.0}, {"format": 3}, {"id": "x"}, {"extra": 1}]
)
def test_a_leaf_of_another_shape_is_altered(check: Check, change: dict[str, Any]) -> None:
    desk = Desk()
    desk.predict(0, leaf=change)
    code, said = check(desk.export(), *anchor(desk))
    assert code == 1 and "entry 1: the leaf" in said


def test_a_leaf_out_of_order_is_altered(check: Check) -> None:
    desk = Desk()
    desk.predict(0)
    leaf = json.loads(desk.entries[0]["leaf"])
    desk.entries[0]["leaf"] = json.dumps(dict(reversed(leaf.items())), separators=(",", ":"))
    assert check(desk.export(), *anchor(desk))[0] == 1


# The command


@pytest.mark.parametrize("given", ["x", KEY[:-1], "parecer/x+00000000+AAAA", "\0", "", "+", "++"])
def test_a_key_that_is_none_cannot_be_read(check: Check, given: str) -> None:
    assert check(small_desk().export(), "--key", given)[0] == 2


def test_keys_may_come_from_a_file(check: Check, tmp_path: Path) -> None:
    desk, path = small_desk(), tmp_path / "keys"
    path.write_text(f"{Signer(3).vkey}\r\n\r\n{KEY}\n")
    assert check(desk.export(), *anchor(desk), key=str(path))[0] == 0
    path.write_text("\n")
    assert check(desk.export(), key=str(path))[0] == 2


def test_a_file_that_is_not_there_cannot_be_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        assert verifier.main([str(path)]) == 2
        assert "Cannot be read" in capsys.readouterr().err
    assert verifier.main(["\0"]) == 2


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def test_it_runs_alone_and_in_any_encoding(tmp_path: Path) -> None:
    desk = small_desk()
    path = write_lines(tmp_path / "proof", [desk.proof(3)])
    done = run(
        path, "--key", KEY, *anchor(desk), cwd=tmp_path, env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 0 and r"S\xe3o Paulo" in done.stdout and not done.stderr
    assert run("--help", cwd=tmp_path).returncode == 0
    assert run(cwd=tmp_path).returncode == 2


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "proof", [small_desk().proof(3)])
    with subprocess.Popen(
        [sys.executable, str(TOOL), path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout and child.stderr
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 2


def test_memory_does_not_grow_with_an_export(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    paper = cases.write_large_export(path, 200_000)
    # Not getrusage: a child's peak there begins with that of its parent.
    script = (
        "import pathlib, re, sys; sys.path.insert(0, sys.argv.pop(1)); import verify_record as v;"
        "status = pathlib.Path('/proc/self/status');"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', status.read_text())[1]);"
        "before = peak(); code = v.main(sys.argv[1:]); print(code, peak() - before)"
    )
    command = [sys.executable, "-c", script, str(TOOL.parent), str(path), "--key", KEY, "--checkpoint", paper]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    code, grown = done.stdout.split()[-2:]
    assert code == "0", done
    assert int(grown) < 12 * 1024


def test_it_needs_nothing_but_python_and_cryptography() -> None:
    tree = ast.parse(TOOL.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "." * node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    rooms = {name.split(".")[0] for name in names}
    assert rooms - sys.stdlib_module_names == {"cryptography"}


def test_the_paths_of_files_are_those_of_the_definition() -> None:
    desk = small_desk()
    assert desk.proof(3)["path"] == joined(desk.log.inclusion(3, 12))
