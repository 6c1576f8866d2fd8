"""The system calls that inspecting a model has no need of, and a filter that answers them with EPERM.

Numbers are those of the kernel's headers: asm/unistd_64.h for x86_64, asm-generic/unistd.h for aarch64.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

_NETWORK: Final = (
    "socket:41:198 socketpair:53:199 connect:42:203 bind:49:200 listen:50:201 accept:43:202 accept4:288:242 "
    "sendto:44:206 sendmsg:46:211 sendmmsg:307:269 recvfrom:45:207 recvmsg:47:212 recvmmsg:299:243"
)
_PROCESSES: Final = (
    "execve:59:221 execveat:322:281 fork:57:- vfork:58:- ptrace:101:117 process_vm_readv:310:270 "
    "process_vm_writev:311:271 process_madvise:440:440 kill:62:129 tkill:200:130 rt_sigqueueinfo:129:138 "
    "rt_tgsigqueueinfo:297:240 pidfd_open:434:434 pidfd_getfd:438:438 pidfd_send_signal:424:424 kcmp:312:272 "
    "setpriority:141:140 setrlimit:160:164 shmget:29:194 shmat:30:196 shmctl:31:195 semget:64:190 semop:65:193 "
    "semctl:66:191 msgget:68:186 msgsnd:69:189 msgrcv:70:188 msgctl:71:187 mq_open:240:180 mq_unlink:241:181"
)
#: io_uring could do all the rest behind the filter's back.
_KERNEL: Final = (
    "io_uring_setup:425:425 io_uring_enter:426:426 io_uring_register:427:427 bpf:321:280 perf_event_open:298:241 "
    "userfaultfd:323:282 keyctl:250:219 add_key:248:217 request_key:249:218 memfd_create:319:279 "
    "memfd_secret:447:447 mount:165:40 umount2:166:39 pivot_root:155:41 chroot:161:51 unshare:272:97 setns:308:268 "
    "move_mount:429:429 open_tree:428:428 fsopen:430:430 fsconfig:431:431 fsmount:432:432 fspick:433:433 "
    "mount_setattr:442:442 init_module:175:105 finit_module:313:273 delete_module:176:106 kexec_load:246:104 "
    "kexec_file_load:320:294 reboot:169:142 swapon:167:224 swapoff:168:225 syslog:103:116 acct:163:89 "
    "quotactl:179:60 sethostname:170:161 setdomainname:171:162 settimeofday:164:170 clock_settime:227:112 "
    "adjtimex:159:171 clock_adjtime:305:266 iopl:172:- ioperm:173:- personality:135:92 setuid:105:146 "
    "setgid:106:144 setreuid:113:145 setregid:114:143 setresuid:117:147 setresgid:119:149 setgroups:116:159 "
    "setfsuid:122:151 setfsgid:123:152 capset:126:91 inotify_init:253:- inotify_init1:294:26 fanotify_init:300:262"
)
#: What is written goes into a file that was opened before.
_WRITING: Final = (
    "creat:85:- openat2:437:437 truncate:76:45 rename:82:- renameat:264:38 renameat2:316:276 mkdir:83:- "
    "mkdirat:258:34 rmdir:84:- unlink:87:- unlinkat:263:35 link:86:- linkat:265:37 symlink:88:- symlinkat:266:36 "
    "mknod:133:- mknodat:259:33 chmod:90:- fchmod:91:52 fchmodat:268:53 fchmodat2:452:452 chown:92:- fchown:93:55 "
    "lchown:94:- fchownat:260:54 utime:132:- utimes:235:- futimesat:261:- utimensat:280:88 setxattr:188:5 "
    "lsetxattr:189:6 fsetxattr:190:7 removexattr:197:14 lremovexattr:198:15 fremovexattr:199:16 "
    "open_by_handle_at:304:265 name_to_handle_at:303:264"
)
#: They are answered by what they are asked for; see `_program`.
_JUDGED: Final = (
    "clone:56:220 clone3:435:435 prlimit64:302:261 tgkill:234:131 open:2:- openat:257:56 seccomp:317:277"
)
#: Machine → its place above, and its number in a filter.
_MACHINES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32: Final = 0x40000000
_CLONE_THREAD: Final = 0x10000
_NO_NEW_PRIVS, _MODE_FILTER, _ALL_THREADS = 38, 1, 1
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16


class _Step(NamedTuple):
    """One instruction of classic BPF: skip so many if true, so many if not."""

    code: int
    value: int
    true: int = 0
    false: int = 0


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def refuse_calls() -> bool:
    """From here on no connection, no other process and no file written by any thread of this process.

    False where the kernel takes no filter, or the machine is one whose calls we do not know.
    """
    known = _MACHINES.get(platform.machine())
    libc = ctypes.CDLL(None, use_errno=True)
    if known is None or libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    steps = list(_program(*known, os.getpid()))
    packed = b"".join(struct.pack("=HBBI", s.code, s.true, s.false, s.value) for s in steps)
    program = _Program(len(steps), packed)
    seccomp = _numbers(_JUDGED, known[0])["seccomp"]
    return bool(libc.syscall(seccomp, _MODE_FILTER, _ALL_THREADS, ctypes.byref(program)) == 0)


def _numbers(table: str, column: int) -> dict[str, int]:
    rows = (entry.split(":") for entry in table.split())
    return {name: int(numbers[column]) for name, *numbers in rows if numbers[column] != "-"}


def _program(column: int, machine: int, process: int) -> Iterator[_Step]:
    number = _numbers(_JUDGED, column)
    yield _Step(_LOAD, _MACHINE)
    yield _Step(_EQUAL, machine, true=1)
    yield _Step(_RETURN, _KILL)  # calls of another machine have other numbers
    yield _Step(_LOAD, _NUMBER)
    yield _Step(_AT_LEAST, _X32, false=1)
    yield _Step(_RETURN, _ERRNO | errno.EPERM)
    for denied in _numbers(f"{_NETWORK} {_PROCESSES} {_KERNEL} {_WRITING}", column).values():
        yield _Step(_EQUAL, denied, false=1)
        yield _Step(_RETURN, _ERRNO | errno.EPERM)
    yield _Step(_EQUAL, number["clone3"], false=1)
    yield _Step(
        _RETURN, _ERRNO | errno.ENOSYS
    )  # whose arguments no filter can see: libraries then call clone
    yield from _judged(number["clone"], 0, _Step(_ANY_BIT, _CLONE_THREAD, true=1))
    yield from _judged(number["tgkill"], 0, _Step(_EQUAL, process, true=1))  # as abort does
    writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
    yield from _judged(number["openat"], 2, _Step(_ANY_BIT, writes, false=1))
    if "open" in number:
        yield from _judged(number["open"], 1, _Step(_ANY_BIT, writes, false=1))
    yield _Step(_EQUAL, number["prlimit64"], false=6)  # to look at a limit, not to set one
    for half in (0, 4):
        yield _Step(_LOAD, _ARGUMENTS + 8 * 2 + half)
        yield _Step(_EQUAL, 0, true=1)
        yield _Step(_RETURN, _ERRNO | errno.EPERM)
    yield _Step(_RETURN, _ALLOW)


def _judged(number: int, argument: int, test: _Step) -> Iterator[_Step]:
    """Refuse a call unless `test`, which skips one step for what is good, finds its argument so."""
    yield _Step(_EQUAL, number, false=4)
    yield _Step(_LOAD, _ARGUMENTS + 8 * argument)
    yield test
    yield _Step(_RETURN, _ERRNO | errno.EPERM)
    yield _Step(_RETURN, _ALLOW)
