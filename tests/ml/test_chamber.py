"""The process that inspects a model: what it cannot do, and how its end is told."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from config import ROOT
from tests.chambers import inspect
from tests.faults.hostile_models import allocates, good, never_ends, not_a_number, raises, sample
from tests.server import eventually
from webapp.errors import NotReady
from webapp.ml import chamber
from webapp.ml.chamber import Limits, Refused
from webapp.ml.intake import STAGES
from webapp.ml.loader import save_skops
from webapp.wording import Said

LIMITS = Limits(memory=2**29, seconds=60)


def refused(folder: Path, model: bytes, limits: Limits = LIMITS, *, data: bytes | None = None) -> Refused:
    with pytest.raises(Refused) as told:
        inspect(folder, model, data or sample(), target="y", limits=limits)
    return told.value


def test_a_model_comes_back_as_a_package_with_a_report(tmp_path: Path) -> None:
    X = [[float(i), float(i % 7)] for i in range(40)]
    model = save_skops(LogisticRegression().fit(X, [i % 2 for i in range(40)]))
    data = "a,b,y\n" + "\n".join(f"{i},{i % 7},{i % 2}" for i in range(40))
    stages: list[str] = []
    made = inspect(tmp_path, model, data.encode(), target="y", limits=LIMITS, tell=stages.append)
    assert stages == list(STAGES)
    assert made.package.files.keys() >= {"model.skops", "compiled.onnx", "reference.json", "rows.json"}
    assert made.report["types"]["sklearn.linear_model._logistic.LogisticRegression"] == 1
    assert made.report["conversion"]["done"] and made.report["parity"]["largest"] < 1e-5
    assert [one["name"] for one in made.report["engines"]] == ["sklearn", "onnx"]
    assert made.report["sandbox"]["seccomp"] is True


@pytest.mark.parametrize(
    ("estimator", "engine"),
    [
        (RandomForestClassifier(40, random_state=0), "pruned"),
        (MLPClassifier((256, 256), max_iter=500, random_state=0), "onnx-int8"),
    ],
)
def test_students_and_small_weights_are_made_behind_the_walls_too(
    tmp_path: Path, estimator: Any, engine: str
) -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    X = (X - X.mean()) / X.std()
    data = X.assign(y=y).to_csv(index=False).encode()
    model = save_skops(estimator.fit(X, y))
    made = inspect(tmp_path, model, data, target="y", engine=engine, limits=LIMITS)
    assert made.package.manifest["engines"]["picked"] == engine
    assert made.package.files.keys() >= {"model.skops", f"{engine}.onnx"}
    assert made.package.manifest["engines"]["options"] == made.report["engines"]


def test_a_graph_is_kept_as_it_was_given(tmp_path: Path) -> None:
    made = inspect(tmp_path, good(), sample(), target="y", limits=LIMITS)
    assert made.package.files["model.onnx"] == good()
    assert made.report["types"] == {"ReduceMax": 1, "Identity": 1}


def test_a_model_that_never_answers_is_ended_in_time(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "takes longer than 2 seconds" in refused(tmp_path, never_ends(), Limits(2**30, 2)).detail
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 2 + 1 + 20  # the imports


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (allocates(2**31), "needs more than 512 MB of memory"),
        (raises(), "fails on its own sample"),
        (not_a_number(), "not a finite number"),
    ],
    ids=["8 GB", "raises", "NaN"],
)
def test_a_bad_model_is_refused_with_the_reason(tmp_path: Path, model: bytes, words: str) -> None:
    told = refused(tmp_path, model)
    assert words in told.detail
    assert told.report["types"] and told.report["seconds"]["loading"] >= 0


def test_a_reason_can_still_be_said_in_another_language(tmp_path: Path) -> None:
    told = refused(tmp_path, b"not a model").detail
    assert isinstance(told, Said) and told.template.startswith("This is not a whole ONNX file")
    told = refused(tmp_path, good(), data=b"a,b").detail
    assert isinstance(told, Said)
    assert told == "The training data has no column 'y'; its columns are: a, b."
    assert isinstance(told.values["name"], Said)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import ctypes; ctypes.string_at(0)", "(SIGSEGV)"),
        ("import os; os.abort()", "(SIGABRT)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "which it does where memory runs out"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "takes longer than 60 seconds"),
        ("raise SystemExit(3)", "(status 3)"),
        ("pass", "kept its inspection from telling"),
        ("out.write(b'garbage' * 1000)", "kept its inspection from telling"),
        ("out.write((2**40).to_bytes(8))", "kept its inspection from telling"),
        ("out.write((100_000).to_bytes(8) + b'[' * 100_000)", "kept its inspection from telling"),
        ("tell({})", "kept its inspection from telling"),
        ("tell({'manifest': {}})", "kept its inspection from telling"),
        ("tell({'files': [['model.joblib', 0]]})", "kept its inspection from telling"),
        ("tell({'error': 'no'})", "kept its inspection from telling"),
        (
            "tell({'error': {'kind': 'refused', 'detail': ['{x.__class__}', {'x': 1}]}})",
            "kept its inspection",
        ),
        ("tell({'error': {'kind': 'refused', 'detail': ['{0}', {}]}})", "kept its inspection"),
        ("tell({'error': {'kind': 'refused', 'detail': ['x' * 10**6, {}]}})", "kept its inspection"),
        ("tell({'error': {'kind': 'refused', 'detail': ['', {}]}})", "kept its inspection"),
        ("tell({'error': {'kind': 'refused', 'detail': ['No {x}.', {'x': 'rows'}]}})", "No rows."),
        ("tell({'error': {'kind': 'failed', 'detail': 'SystemError'}})", "cannot be inspected (SystemError)"),
    ],
)
def test_whatever_a_process_leaves_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    _instead(monkeypatch, code)
    assert words in refused(tmp_path, good()).detail


def test_a_full_disk_is_nobodys_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _instead(monkeypatch, "tell({'error': {'kind': 'disk', 'detail': 'OSError'}})")
    with pytest.raises(NotReady):
        inspect(tmp_path, good(), sample(), target="y", limits=LIMITS)


def test_it_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", "secret")
    words = "' '.join(k for k in os.environ if k != 'LC_CTYPE')"
    _instead(monkeypatch, f"import os; tell({{'error': {{'kind': 'refused', 'detail': {words}}}}})")
    assert set(refused(tmp_path, good()).detail.split()) == set(chamber.ENVIRONMENT)


def test_who_no_longer_wants_it_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = _watched(monkeypatch)

    def go_on() -> None:
        if started:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        inspect(tmp_path, never_ends(), sample(), target="y", limits=LIMITS, go_on=go_on)
    assert [process.poll() for process in started] == [-signal.SIGKILL]


def test_it_ends_with_who_started_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from webapp.ml.chamber import Limits;"
        "from tests.chambers import inspect;"
        "from tests.faults.hostile_models import never_ends, sample;"
        "inspect(Path(sys.argv[1]), never_ends(), sample(), target='y', limits=Limits(2**30, 100),"
        " tell=lambda stage: print(stage, flush=True))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "reading\n"
        [child] = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        parent.kill()
    eventually(lambda: not Path(f"/proc/{child}").exists() or "Z" in _state(child), 10)


def _state(process: str) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def _instead(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Run this in place of an inspection."""
    before = (
        "import json, os, sys; told = json.load(sys.stdin); out = os.fdopen(told['files'][3], 'wb');"
        "from webapp.ml.chamber import parcel;"
        "tell = lambda header: parcel.write(out, header, {}) if 'files' not in header else out.write("
        "len(json.dumps(header)).to_bytes(8) + json.dumps(header).encode())"
    )
    monkeypatch.setattr(chamber, "COMMAND", (sys.executable, "-c", f"{before}\n{code}"))


def _watched(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that are started from now on."""
    started: list[subprocess.Popen[bytes]] = []
    start = chamber._start
    monkeypatch.setattr(chamber, "_start", lambda *args: started.append(start(*args)) or started[-1])
    return started


TRIES = """
import ctypes, errno, json, os, socket, sys
from pathlib import Path
from webapp.ml.chamber.cage import Cage

libc = ctypes.CDLL(None, use_errno=True)
cage, found = Cage(), {}
out = os.open(sys.argv[1] + "/out", os.O_WRONLY | os.O_CREAT)
landlock = cage.shut_files()
seccomp = cage.shut_rest(memory=2**30, seconds=10, written=2**20)

def attempt(name, work):
    try:
        work()
        found[name] = "done"
    except OSError as error:
        found[name] = errno.errorcode[error.errno]

def call(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")

attempt("socket", socket.socket)
attempt("pair", socket.socketpair)
attempt("fork", os.fork)
attempt("execve", lambda: os.execv("/bin/true", ["true"]))
attempt("vfork", lambda: os.posix_spawn("/bin/true", ["true"], {}))
attempt("kill", lambda: os.kill(os.getppid(), 0))
attempt("write", lambda: os.open(sys.argv[1] + "/made", os.O_WRONLY | os.O_CREAT))
attempt("append", lambda: os.open(sys.argv[1] + "/secret", os.O_RDWR))
attempt("unlink", lambda: os.unlink(sys.argv[1] + "/secret"))
attempt("rename", lambda: os.rename(sys.argv[1] + "/secret", sys.argv[1] + "/other"))
attempt("mkdir", lambda: os.mkdir(sys.argv[1] + "/folder"))
attempt("chmod", lambda: os.chmod(sys.argv[1] + "/secret", 0o777))
attempt("memfd", lambda: os.memfd_create("x"))
attempt("limit", lambda: call(302 if os.uname().machine == "x86_64" else 261, 0, 0, b"0" * 16, 0))
attempt("io_uring", lambda: call(425, 8, 0))
attempt("ptrace", lambda: call(101 if os.uname().machine == "x86_64" else 117, 16, os.getppid(), 0, 0))
if landlock:
    attempt("read", lambda: os.open(sys.argv[1] + "/secret", os.O_RDONLY))
    attempt("list", lambda: os.listdir(sys.argv[1]))
    attempt("key", lambda: os.open(str(Path(sys.argv[2]) / "pyproject.toml"), os.O_RDONLY))
try:
    bytearray(2**31)
except MemoryError:
    found["memory"] = "EPERM"
import threading
thread = threading.Thread(target=lambda: None)
thread.start(); thread.join()
import colorsys  # a library that was not there before
os.write(out, b"kept")
print(json.dumps([landlock, seccomp, found]))
"""


def test_the_kernel_refuses_whatever_an_inspection_has_no_need_of(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    command = [sys.executable, "-c", TRIES, str(tmp_path), str(ROOT)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    landlock, seccomp, found = json.loads(done.stdout)
    assert seccomp
    assert len(found) == (20 if landlock else 17)
    assert {name: told for name, told in found.items() if told not in ("EPERM", "EACCES")} == {}
    assert (tmp_path / "out").read_bytes() == b"kept"
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert {path.name for path in tmp_path.iterdir()} == {"out", "secret"}
