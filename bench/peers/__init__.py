"""The peers: how each is started, asked and read. Their servers live in the folders beside this file."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import client, envs, processes
from bench.cases import Case, Row
from bench.target import Launch, Target

WORKERS = "2"


@dataclass(frozen=True, slots=True)
class Place:
    """What a peer's command line is made of."""

    bin: Path
    case: Case
    model: Path
    work: Path
    port: str

    def script(self, name: str) -> str:
        return str(self.bin / name)


@dataclass(frozen=True, slots=True)
class Peer:
    """Another server of the same models; `work` says what it does for each request."""

    name: str
    work: str
    command: Callable[[Place], list[str]]
    path: str = "/predict"
    body: Callable[[Row], object] = lambda row: {"inputs": row}
    label: Callable[[Case, Any], str] = lambda case, answer: str(answer["label"])
    settings: Callable[[Place], Mapping[str, str]] = lambda place: {}
    prepares: Callable[[Place], list[str]] | None = None
    signs_in: bool = False
    secret: str = field(default_factory=secrets.token_hex, repr=False)

    def prepare(self, case: Case, work: Path) -> None:
        place = self._place(case, work, 0)
        if self.prepares:
            processes.run(self.prepares(place), work / "log", cwd=work, env=self._environment(place))

    def launch(self, case: Case, work: Path, port: int) -> Launch:
        place = self._place(case, work, port)
        return Launch(self.command(place), self._environment(place), envs.home(self.name))

    def target(self, case: Case, base: str) -> Target:
        token = client.post(f"{base}/login", {"username": "bench"})["access_token"] if self.signs_in else None
        return Target(base + self.path, self.body, lambda answer: self.label(case, answer), token)

    def _place(self, case: Case, work: Path, port: int) -> Place:
        env = envs.environment(self.name)
        return Place(env / "bin", case, env / "models" / f"{case.name}.joblib", work, str(port))

    def _environment(self, place: Place) -> dict[str, str]:
        return {
            "PATH": f"{place.bin}:/usr/bin:/bin",
            "OMP_NUM_THREADS": "1",  # two workers on few cores: BLAS threads would only fight
            "BENCH_MODEL_FILE": str(place.model),
            "BENCH_PORT": place.port,
            "BENCH_WORK": str(place.work),
            "BENCH_SECRET": self.secret,
            **self.settings(place),
        }


def _gunicorn(place: Place, *options: str) -> list[str]:
    bind = f"127.0.0.1:{place.port}"
    return [place.script("gunicorn"), "serve:app", "-b", bind, "-w", WORKERS, "--no-control-socket", *options]


def _constant(place: Place) -> dict[str, str]:
    shares = {label: float(label == place.case.expected) for label in place.case.classes}
    return {"BENCH_ANSWER": json.dumps({"label": place.case.expected, "probabilities": shares})}


def _largest(case: Case, shares: list[float]) -> str:
    return case.classes[shares.index(max(shares))]


def _mlserver(place: Place) -> dict[str, str]:
    return {
        "MLSERVER_HOST": "127.0.0.1",
        "MLSERVER_HTTP_PORT": place.port,
        "MLSERVER_GRPC_PORT": str(processes.free_port()),
        "MLSERVER_METRICS_PORT": str(processes.free_port()),
        "MLSERVER_METRICS_DIR": str(place.work),
        "MLSERVER_DEBUG": "false",
        "MLSERVER_PARALLEL_WORKERS": WORKERS,
        "MLSERVER_MODEL_NAME": "bench",
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_sklearn.SKLearnModel",
        "MLSERVER_MODEL_URI": str(place.model),
    }


def _tensor(row: Row) -> object:
    tensor = {"name": "x", "shape": [1, len(row)], "datatype": "FP64", "data": row}
    return {"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}


def _mlflow_model(place: Place) -> str:
    return str(place.work / place.case.name)


BARE_FLASK = Peer(
    name="bare-flask",
    work="returns a constant, on gunicorn's own gevent worker",
    command=lambda place: _gunicorn(place, "-k", "gevent"),
    settings=_constant,
)
FASTAPI = Peer(
    name="fastapi",
    work="predict only: no sign-in, no record",
    command=lambda place: [
        place.script("uvicorn"), "serve:app", "--host", "127.0.0.1", "--port", place.port,
        "--workers", WORKERS, "--no-access-log",
    ],
)  # fmt: skip
NAIVE_FLASK = Peer(
    name="naive-flask",
    work="token and a record, committed for each request",
    command=lambda place: _gunicorn(place, "-k", "gthread", "--threads", "4"),
    signs_in=True,
)
MLSERVER = Peer(
    name="mlserver",
    work="predict only",
    command=lambda place: [place.script("mlserver"), "start", str(envs.home("mlserver"))],
    path="/v2/models/bench/infer",
    body=_tensor,
    label=lambda case, answer: _largest(case, answer["outputs"][0]["data"]),
    settings=_mlserver,
)
BENTOML = Peer(
    name="bentoml",
    work="predict only",
    command=lambda place: [
        place.script("bentoml"), "serve", "serve:Predictor", "--host", "127.0.0.1", "--port", place.port,
    ],
    settings=lambda place: {"BENTOML_HOME": str(place.work), "BENTOML_DO_NOT_TRACK": "true"},
)  # fmt: skip
LITSERVE = Peer(
    name="litserve",
    work="predict only",
    command=lambda place: [place.script("python"), "serve.py"],
)
MLFLOW = Peer(
    name="mlflow",
    work="predict only",
    command=lambda place: [
        place.script("mlflow"), "models", "serve", "-m", _mlflow_model(place), "--env-manager", "local",
        "-h", "127.0.0.1", "-p", place.port, "-w", WORKERS,
    ],
    path="/invocations",
    body=lambda row: {"inputs": [row]},
    label=lambda case, answer: _largest(case, answer["predictions"][0]),
    settings=lambda place: {
        "MLFLOW_TRACKING_URI": f"sqlite:///{place.work}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    },
    prepares=lambda place: [
        place.script("python"), str(envs.home("mlflow") / "save.py"), str(place.model), _mlflow_model(place),
    ],
)  # fmt: skip

PEERS = (BARE_FLASK, FASTAPI, NAIVE_FLASK, MLSERVER, BENTOML, LITSERVE, MLFLOW)
