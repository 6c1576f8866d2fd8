"""What a process that inspects a model is not allowed to do. Everything here only ever takes away."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from typing import Final

from webapp.ml.chamber.files import read_libraries_only
from webapp.ml.chamber.syscalls import refuse_calls

_DIE_WITH_PARENT, _NEW_NETWORK = 1, 0x40000000
MOST_OPEN: Final = 128
#: Seconds of processor time between being told and being killed.
GRACE: Final = 2


def die_with(parent: int) -> None:
    """End this process with the one that started it; raises SystemExit where that is gone already."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)


class Cage:
    """Shut in two steps around the imports, which open files and ask for processors."""

    def __init__(self) -> None:
        self._pages = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)

    def shut_files(self) -> int:
        """Leave only libraries to be read; see `read_libraries_only`."""
        ctypes.CDLL(None).unshare(_NEW_NETWORK)  # one without a way out, for whom the kernel lets have it
        os.chdir("/")
        return read_libraries_only()

    def shut_rest(self, *, memory: int, seconds: int, written: int) -> bool:
        """Limit memory (bytes beyond what is taken now), processor time and what is written; filter calls."""
        taken = int(os.pread(self._pages, 100, 0).split()[0]) * resource.getpagesize()
        os.close(self._pages)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(usage.ru_utime + usage.ru_stime) + 1
        for limit, soft, hard in (
            (resource.RLIMIT_AS, taken + memory, taken + memory),
            (resource.RLIMIT_CPU, spent + seconds, spent + seconds + GRACE),
            (resource.RLIMIT_FSIZE, written, written),
            (resource.RLIMIT_NOFILE, MOST_OPEN, MOST_OPEN),
            (resource.RLIMIT_CORE, 0, 0),
        ):
            resource.setrlimit(limit, (soft, hard))
        return refuse_calls()
