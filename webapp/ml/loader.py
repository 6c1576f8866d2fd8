"""Model files from outside: sizes, then the names of types, and only then construction."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from webapp.errors import BadArtifact
from webapp.ml.allowed_types import ALLOWED, FUNCTIONS, LOADERS
from webapp.ml.token_patterns import is_linear
from webapp.ml.trees import reachable, refuse_broken_trees
from webapp.wording import said

MAX_FILE: Final = 500 * 2**20
MAX_MEMBERS: Final = 200_000
MAX_UNPACKED: Final = MAX_FILE  # it is stored anew, unpacked, and must pass again
MAX_SCHEMA: Final = 64 * 2**20
#: the layout of skops files since 0.16; older ones are rebuilt by code with weaker checks
PROTOCOL: Final = 2
MOST_REPORTED: Final = 100


def load_skops(data: bytes, report: dict[str, Any] | None = None) -> Any:
    """A scikit-learn estimator, data only. Raises BadArtifact, listing every type that is not on our list.

    Our own reading of the names comes first, because skops trusts some types without asking. They are counted in
    `report`: `types`, and `refused` of them.
    """
    from skops import io as skops_io  # heavy: brings scikit-learn

    document = _document(data)
    strangers = sorted(set(_strangers(document)))
    if report is not None:
        report["types"] = dict(Counter(_types(document)).most_common(MOST_REPORTED))
        report["refused"] = strangers[:MOST_REPORTED]
    if strangers:
        listed = ", ".join(strangers[:10])
        raise BadArtifact(
            said(
                "This file holds what is not allowed: {listed}. Publish without it, or as ONNX.",
                listed=listed,
            )
        )
    try:
        estimator = skops_io.loads(data, trusted=sorted(ALLOWED | FUNCTIONS))
        if not hasattr(estimator, "predict"):
            raise BadArtifact(said("The file holds no estimator: what it holds has no predict."))
        _refuse_file_readers(estimator)
        _refuse_slow_patterns(estimator)
        refuse_broken_trees(estimator)
    except BadArtifact:
        raise
    except Exception as error:  # whatever a file from outside makes skops or a half-built object raise
        raise BadArtifact(
            said("This skops file can not be rebuilt ({error}).", error=_said(error))
        ) from error
    return estimator


def save_skops(estimator: Any) -> bytes:
    """Raises BadArtifact for what skops can not write."""
    from skops import io as skops_io  # heavy: brings scikit-learn

    try:
        data: bytes = skops_io.dumps(estimator)
    except Exception as error:
        raise BadArtifact(said("skops can not store this model ({error}).", error=_said(error))) from error
    return data


def load_pickle(data: bytes, *, trusted: bool) -> Any:
    """An estimator from joblib or pickle, which run code: only for files the operator vouches for."""
    if not trusted:
        raise BadArtifact(
            said(
                "Pickle and joblib files can run code and are not accepted; save it with skops, or give "
                "--trust-pickle if you made it yourself."
            )
        )
    import joblib  # heavy, and only for what an operator trusted

    try:
        estimator = joblib.load(io.BytesIO(data))
        _refuse_slow_patterns(estimator)  # vouched for is the file, not the texts it will be sent
    except BadArtifact:
        raise
    except Exception as error:
        raise BadArtifact(
            said("This joblib or pickle file can not be read ({error}).", error=_said(error))
        ) from error
    return estimator


def save_joblib(estimator: Any) -> bytes:
    import joblib  # heavy, and only for what an operator trusted

    file = io.BytesIO()
    try:
        joblib.dump(estimator, file)
    except Exception as error:
        raise BadArtifact(said("joblib can not store this model ({error}).", error=_said(error))) from error
    return file.getvalue()


def refuse_other_files(start: bytes, format: str) -> None:
    """Raises BadArtifact for a file whose first bytes are not those of its format, skops or onnx."""
    pickled = start[:1] == b"\x80" and start[1:2] <= b"\x05" and len(start) > 1
    if pickled or start[:1] == b"x" or start[:2] == b"\x1f\x8b":  # or compressed, as joblib does
        raise BadArtifact(
            said(
                "This is a pickle or joblib file under another name. Those can run code and are not accepted; save the "
                "model with skops or as ONNX."
            )
        )
    if format == "skops" and start[:2] != b"PK":
        raise BadArtifact(_not_whole())
    if format == "onnx" and start[:2] == b"PK":
        raise BadArtifact(
            said("This is an archive, not an ONNX graph; skops files are called .skops, and graphs .onnx.")
        )


def _not_whole() -> str:
    return said("This is not a whole skops file; save the model with skops.io.dump and copy all of it.")


def _document(data: bytes) -> Any:
    """The tree that skops would build from, read only after the sizes."""
    if len(data) > MAX_FILE:
        raise BadArtifact(said("The file has more than {most} MB.", most=MAX_FILE >> 20))
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.infolist()
        schema_size = archive.getinfo("schema.json").file_size
    except (zipfile.BadZipFile, ValueError, OSError, KeyError, NotImplementedError) as error:
        raise BadArtifact(_not_whole()) from error
    unpacked = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or unpacked > MAX_UNPACKED or schema_size > MAX_SCHEMA:
        raise _too_large()
    if len({member.filename for member in members}) < len(members):
        raise BadArtifact(said("This skops file names a member twice; save the model again."))
    try:
        sizes = _unpacked(archive, MAX_UNPACKED)
        document = json.loads(archive.read("schema.json"))
        _refuse_repeats(document, sizes)
    except BadArtifact:
        raise
    except Exception as error:
        raise BadArtifact(
            said("This skops file is damaged ({error}).", error=type(error).__name__)
        ) from error
    if not isinstance(document, dict) or document.get("protocol") != PROTOCOL:
        raise BadArtifact(
            said("This skops file is of another format; save the model with skops 0.16 or later.")
        )
    return document


def _unpacked(archive: zipfile.ZipFile, most: int, *, within: bool = False) -> dict[str, int]:
    """Member → bytes of it and, since sparse matrices are archives themselves, of what is within.

    Counted, not believed: who reads a member whole holds what it inflates to, whatever size it claims. Raises
    BadArtifact beyond `most`.
    """
    sizes: dict[str, int] = {}
    for member in archive.infolist():
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadArtifact(
                said("This skops file is packed in a way that is not read; save the model again.")
            )
        claimed, member.file_size = member.file_size, sys.maxsize  # where reading would stop
        with archive.open(member) as file:
            data = file.read(most + 1)
        member.file_size = claimed
        if len(data) > most:
            raise _too_large()
        size = len(data)
        if not within and data.startswith(b"PK"):  # by which NumPy knows an archive, too
            size += sum(_unpacked(zipfile.ZipFile(io.BytesIO(data)), most - size, within=True).values())
        sizes[member.filename] = size
        most -= size
    return sizes


def _refuse_repeats(document: Any, sizes: dict[str, int]) -> None:
    """Raises BadArtifact for a small file that is read so often that all the copies are large."""
    read = set()
    for node in _nodes(document):
        name, saved = node.get("file"), node.get("__id__")
        if isinstance(name, str):
            known = type(saved) is int and saved != 0  # skops reads it once for all nodes with this id
            read.add((name, known, saved if known else id(node)))
    if sum(sizes.get(name, 0) for name, *_ in read) > MAX_UNPACKED:
        raise _too_large()


def _too_large() -> BadArtifact:
    return BadArtifact(
        said(
            "The file unpacks to more than {most} MB or {members} members.",
            most=MAX_UNPACKED >> 20,
            members=MAX_MEMBERS,
        )
    )


def _nodes(document: Any) -> Iterator[dict[str, Any]]:
    waiting = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            waiting.extend(node.values())
            yield node


def _types(document: Any) -> Iterator[str]:
    return (
        f"{node.get('__module__')}.{node.get('__class__')}"[:100]
        for node in _nodes(document)
        if "__class__" in node
    )


def _strangers(document: Any) -> Iterator[str]:
    for node in _nodes(document):
        yield from _stranger(node)


def _stranger(node: dict[str, Any]) -> Iterator[str]:
    if "__loader__" in node or "__class__" in node or "__module__" in node:
        name, loader = f"{node.get('__module__')}.{node.get('__class__')}", node.get("__loader__")
        if not isinstance(loader, str) or name not in LOADERS.get(loader, frozenset()):
            yield f"{name[:100]} (as {str(loader)[:40]})"


def _refuse_file_readers(estimator: Any) -> None:
    """Raises BadArtifact for a text vectorizer that takes its texts for files to open.

    Asked of the rebuilt object, because a file can spell one value in many ways.
    """
    for thing in reachable(estimator):
        reads = getattr(thing, "__dict__", {}).get("input", "content")
        if type(reads) is not str or reads != "content":  # a subclass of str may compare as it likes
            raise BadArtifact(
                said('A text vectorizer in this file may open files; save it with input="content".')
            )


def _refuse_slow_patterns(estimator: Any) -> None:
    """Raises BadArtifact for a text vectorizer that a crafted text could keep busy for ever."""
    for thing in reachable(estimator):
        pattern = getattr(thing, "__dict__", {}).get("token_pattern")
        if pattern is not None and (type(pattern) is not str or not is_linear(pattern)):
            raise BadArtifact(
                said(
                    "The token_pattern {pattern} may take for ever on some texts; train with one like \\b\\w+\\b "
                    "or [a-z]+: single characters or classes, of which only the last is repeated.",
                    pattern=repr(str(pattern)[:60]),
                )
            )


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
