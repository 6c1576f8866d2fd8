"""What comes back from an inspection: one file, a header in JSON and then the bytes of the version's files.

Whoever wrote it may have been taken over by a model, so it is read as data: lengths first, nothing rebuilt from it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import IO, Any, Final

from webapp.errors import BadArtifact
from webapp.ml import reports
from webapp.ml.loader import MAX_FILE
from webapp.ml.packaging import Package
from webapp.ml.schema import Schema
from webapp.ml.store import describe

#: Files that a version inspected here may have. A pickle is none of them.
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,50}\.(skops|onnx|json)")
MAX_HEADER: Final = 32 * 2**20
#: A model, its ONNX form, and what else there is.
MAX_PARCEL: Final = 2 * MAX_FILE + MAX_HEADER
_LENGTH = 8


class Garbage(Exception):
    """What was written is not what an inspection writes."""


def write(file: IO[bytes], header: dict[str, Any], files: dict[str, bytes]) -> None:
    """`header` gets the member `files`: pairs of name and size."""
    told = header | {"files": [[name, len(data)] for name, data in files.items()]}
    text = json.dumps(told, allow_nan=False, ensure_ascii=False).encode()
    file.write(len(text).to_bytes(_LENGTH))
    for data in (text, *files.values()):
        file.write(data)
    file.flush()


def read(file: IO[bytes]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Header and files; raises Garbage."""
    left = os.fstat(file.fileno()).st_size
    file.seek(0)
    length = int.from_bytes(file.read(_LENGTH))
    left -= _LENGTH + length
    if not 0 < length <= MAX_HEADER or not 0 <= left <= MAX_PARCEL:
        raise Garbage
    try:
        header = json.loads(file.read(length))
        sizes = {str(name): int(size) for name, size in header["files"]}
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise Garbage from error
    if (
        not all(map(NAME.fullmatch, sizes))
        or min(sizes.values(), default=0) < 0
        or sum(sizes.values()) != left
    ):
        raise Garbage
    return header, {name: file.read(size) for name, size in sizes.items()}


def unpack(header: dict[str, Any], files: dict[str, bytes], *, format: str, source: str) -> Package:
    """The package of a header, all that serving hangs on made anew; raises Garbage.

    `format` is that of the file given, `source` its SHA-256: a graph is served as it was given.
    """
    manifest = header.get("manifest")
    model = files.get(f"model.{format}")
    if not isinstance(manifest, dict) or model is None:
        raise Garbage
    digest = hashlib.sha256(model).hexdigest()
    if manifest.get("digest") != digest or (format == "onnx" and digest != source):
        raise Garbage
    try:
        schema = Schema.from_dict(manifest["schema"])
        serving = {manifest["engines"][rows] for rows in ("one", "many")}
        if manifest["schema_hash"] != schema.digest or any(manifest[e]["file"] not in files for e in serving):
            raise Garbage
        engines = manifest["engines"] | {
            "options": reports.engines(manifest["engines"]["options"]),
            "reason": reports.sentence(manifest["engines"]["reason"]),
        }
        warnings = reports.sentences(manifest["warnings"])
    except (BadArtifact, LookupError, TypeError, AttributeError) as error:
        raise Garbage from error
    # never a pickle, whatever it says
    made = {
        "format": format,
        "trusted": False,
        "files": describe(files),
        "engines": engines,
        "warnings": warnings,
    }
    return Package(files, manifest | made, schema)
