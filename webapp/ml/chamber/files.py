"""Landlock: from a moment on, this process may read its libraries and nothing else on the disk."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import Final

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every machine
_ASK_VERSION, _BENEATH, _NO_NEW_PRIVS = 1, 1, 38
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
#: Version of Landlock → how many kinds of access to files it knows.
_KINDS: Final = {1: 13, 2: 14, 3: 15, 4: 15}
_ALL_KINDS: Final = 16
_TCP, _SCOPES = 0b11, 0b11
#: Where the linker, the time zones, the processors and what is loaded are found.
SYSTEM: Final = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/null",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/self/maps",
    "/sys/devices/system",
)
CODE: Final = Path(__file__).resolve().parents[2]


def read_libraries_only() -> int:
    """The version of Landlock that now holds for this thread and those it starts; 0 where there is none."""
    libc = ctypes.CDLL(None, use_errno=True)
    version: int = libc.syscall(_CREATE, None, ctypes.c_size_t(0), _ASK_VERSION)
    if version < 1 or libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
        return 0
    handled = (1 << _KINDS.get(version, _ALL_KINDS)) - 1
    members = [handled, *([_TCP] if version >= 4 else []), *([_SCOPES] if version >= 6 else [])]
    attributes = struct.pack(f"={len(members)}Q", *members)
    rules = libc.syscall(_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return 0
    try:
        for path in _readable():
            _allow(libc, rules, path)
        return version if libc.syscall(_RESTRICT, rules, 0) == 0 else 0
    finally:
        os.close(rules)


def _readable() -> list[Path]:
    """Folders and files of the system and of the libraries; of our own only the code, beside which keys may lie."""
    root = CODE.parent
    paths = {Path(p).resolve() for p in sys.path if p} - {root}
    installed = {Path(p) / "lib" for p in (sys.prefix, sys.base_prefix)}
    beneath = [p for p in paths if not root.is_relative_to(p)]
    return [p for p in (*map(Path, SYSTEM), *beneath, *installed, CODE) if p.exists()]


def _allow(libc: ctypes.CDLL, rules: int, path: Path) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        access = _READ_FILE | (_READ_DIR if path.is_dir() else 0)
        libc.syscall(_ADD, rules, _BENEATH, struct.pack("=Qi", access, handle), 0)
    finally:
        os.close(handle)
