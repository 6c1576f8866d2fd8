"""What sealing costs predictions, and what a proof and a verification take. One server, one run."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench import client, processes
from bench.cases import Case
from bench.load import drive
from bench.processes import BenchError
from bench.servers import BIN, PARECER, ROOT, Parecer, serving
from bench.target import Launch

#: The worker as it is, and one that does everything but seal.
ON = [str(BIN / "flask"), "--app", "run", "worker"]
OFF = [
    sys.executable,
    "-c",
    "import webapp.services.jobs.working as w; w.apart = lambda desk: []; "
    "from flask.cli import main; import sys; sys.argv = ['flask', '--app', 'run', 'worker']; main()",
]
WARM_S = 3.0
SEALED_WITHIN_S = 60.0
ROWS, ASKED = 2_000, 200


class _Alone(Parecer):
    """The web server without the worker that usually runs beside it."""

    def launch(self, case: Case, work: Path, port: int) -> Launch:
        launch = super().launch(case, work, port)
        return replace(launch, env={**launch.env, "JOB_WORKER": "false"})


@dataclass(frozen=True, slots=True)
class Cost:
    """Requests a second with sealing on and off, a pair a round; `lag_ms` is how long after the end of the traffic
    its last record could be proved."""

    on: list[float]
    off: list[float]
    lag_ms: list[int]

    @property
    def ratio(self) -> float:
        """On over off, the median of the rounds."""
        return statistics.median(a / b for a, b in zip(self.on, self.off, strict=True))


def cost(case: Case, rounds: int, seconds: float, work: Path) -> Cost:
    """Traffic at its peak with the sealing worker and with the other one, in turn, the order changing each round."""
    server = _Alone(password=PARECER.password)
    server.prepare(case, work)
    found = Cost([], [], [])
    with serving(server, case, work) as up:
        bodies = [server.inputs(case, row) for row in case.rows]
        asked = [{"inputs": row} for row in bodies]
        drive(up.target, asked, WARM_S)
        env = server.launch(case, work, processes.free_port()).env
        for n in range(rounds):
            for sealing in (True, False) if n % 2 else (False, True):
                with processes.running(ON if sealing else OFF, work / "log", cwd=ROOT, env=env):
                    time.sleep(WARM_S)  # what was left by the other is sealed by now
                    (found.on if sealing else found.off).append(drive(up.target, asked, seconds).rate)
                    if sealing:
                        found.lag_ms.append(_lag_ms(up.base, server))
    return found


def _lag_ms(base: str, server: Parecer) -> int:
    headers = {"Authorization": f"Bearer {server.token(base)}"}
    newest = client.get(f"{base}/api/v1/predictions?limit=1", headers)["data"][0]["id"]
    begun = time.monotonic()
    while time.monotonic() - begun < SEALED_WITHIN_S:
        try:
            client.get(f"{base}/api/v1/predictions/{newest}/proof", headers)
            return round((time.monotonic() - begun) * 1000)
        except OSError:
            time.sleep(0.02)
    raise BenchError(f"the newest record was not sealed within {SEALED_WITHIN_S:.0f} s")


def proof(case: Case, records: int, work: Path) -> dict[str, Any]:
    """At so many records: bytes and milliseconds of a proof over the API, and `flask audit verify`."""
    PARECER.prepare(case, work)
    with serving(PARECER, case, work) as up:
        rows = [PARECER.inputs(case, case.rows[i % len(case.rows)]) for i in range(ROWS)]
        for _ in range(-(-records // ROWS)):
            client.post(up.target.url, {"instances": rows}, up.target.headers)
        env = PARECER.launch(case, work, processes.free_port()).env
        _run(["audit", "checkpoint"], env, work)
        asked = []
        for offset in (0, records // 3, records * 2 // 3):  # at the edge of the tree, and inside of it
            address = f"{up.base}/api/v1/predictions?limit=20&offset={offset}"
            asked += [line["id"] for line in client.get(address, up.target.headers)["data"]]
        took, sizes = [], []
        for n in range(ASKED):
            begun = time.perf_counter()
            found = client.get(
                f"{up.base}/api/v1/predictions/{asked[n % len(asked)]}/proof", up.target.headers
            )
            took.append((time.perf_counter() - begun) * 1000)
            sizes.append(len(found["path"]) * 3 // 4)
        (work / "checkpoint").write_text(found["checkpoint"])
        told = json.loads(
            _run(["audit", "verify", "--json", "--checkpoint", str(work / "checkpoint")], env, work)
        )
    took.sort()
    return {
        "records": records,
        "path_bytes": max(sizes),
        "file_bytes": len(json.dumps(found)),
        "p50_ms": took[len(took) // 2],
        "p95_ms": took[int(len(took) * 0.95)],
        "verify_s": told["seconds"],
        "verify_rate": told["rate"],
        "bare_rate": told["bare_rate"],
        "sound": told["sound"],
    }


def _run(words: list[str], env: Mapping[str, str], work: Path) -> str:
    command = [str(BIN / "flask"), "--app", "run", *words]
    with (work / "log").open("ab") as log:
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=log, check=False
        )
    if done.returncode:
        raise BenchError(f"{' '.join(command)} failed with status {done.returncode}")
    return done.stdout.decode()
