"""The path of a notebook: from `pip install ./client` to a form that answers, and the notebook of the docs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from parecer_client import Client

from config import ROOT
from tests.client.environment import Environment, children_seconds, group_seconds
from tests.conftest import password
from tests.server import Server

NOTEBOOK = ROOT / "docs" / "notebooks" / "from-notebook-to-desk.ipynb"
PATH = """
import time; begun = time.monotonic()
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from parecer_client import Client
import os, sys
X, y = load_iris(return_X_y=True, as_frame=True)
X, X_test, y, y_test = train_test_split(X, y, random_state=0)
model = LogisticRegression(max_iter=500).fit(X, y)
desk = Client(os.environ["PARECER_URL"])
made = desk.publish(model, X, y, name="path", test=(X_test, y_test))
assert not {name.partition(".")[0] for name in sys.modules} & {"webapp", "config", "flask"}
"""
RUN = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""
ALONE = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("sklearn", "skops", "pyarrow"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from parecer_client import Client
import os, pandas
row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
desk = Client(os.environ["PARECER_URL"], progress=False)
print(desk.predict("iris", row)["label"], *desk.predict_frame("iris", pandas.DataFrame([row]))["label"])
"""


class Installed(NamedTuple):
    """An environment, and what installing the client took: seconds, and seconds of processor time."""

    environment: Environment
    seconds: float
    worked: float


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    environment = Environment(tmp_path_factory.mktemp("notebook"))
    before = children_seconds()
    seconds = environment.install(str(ROOT / "client"))
    yield Installed(environment, seconds, children_seconds() - before)


def signed_in(server: Server, name: str) -> requests.Session:
    """As a browser would be."""
    browser = requests.Session()
    page = browser.get(f"{server.address}/login", timeout=30).text
    csrf = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert csrf is not None
    form = {"csrf_token": csrf[1], "username": name, "password": password(name)}
    assert browser.post(f"{server.address}/login", data=form, timeout=30).ok
    return browser


def test_from_pip_to_a_live_form_takes_less_than_a_minute(
    installed: Installed, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    token, browser = server.login("paula"), signed_in(server, "alice")
    group, before = server.process.pid, children_seconds()
    at_work, begun = group_seconds(group), time.monotonic()
    done = installed.environment.run("-c", PATH, PARECER_URL=server.address, PARECER_TOKEN=token)
    assert done.returncode == 0, done.stderr
    assert f"{server.address}/models/path" in done.stdout and "inspecting" not in done.stdout
    form = browser.get(f"{server.address}/models/path/predict", timeout=30)
    rest = time.monotonic() - begun
    assert form.ok and "petal width (cm)" in form.text.lower()
    worked = installed.worked + children_seconds() - before + group_seconds(group) - at_work
    with capsys.disabled():
        print(
            f"\npip install ./client took {installed.seconds:.1f} s, from there to a live form {rest:.1f} s "
            f"({worked:.1f} s of processor time in all)"
        )
    assert (
        worked < 60
    )  # of one processor: how long it takes in all depends on what else runs, and on the network


def test_who_only_predicts_needs_no_scikit_learn(installed: Installed, server: Server) -> None:
    done = installed.environment.run(
        "-c", ALONE, PARECER_URL=server.address, PARECER_TOKEN=server.login("alice")
    )
    assert done.stdout.split() == ["setosa", "setosa"], done.stderr


def test_the_notebook_of_the_docs_runs(
    installed: Installed, server: Server, desk: Callable[[str], Client], tmp_path: Path
) -> None:
    installed.environment.install("nbclient", "ipykernel")
    token = server.login("paula")
    made = tmp_path / "made.ipynb"
    done = installed.environment.run(
        "-c", RUN, str(NOTEBOOK), str(made), PARECER_URL=server.address, PARECER_TOKEN=token
    )
    assert done.returncode == 0, done.stderr[-3000:]
    paula = desk("paula")
    assert paula.versions("wine-notebook")["live"].tolist() == [False, True]
    assert len(paula.history(model="wine-notebook", outcome=True)) == 45
    shown = json.dumps(json.loads(made.read_text())["cells"])
    assert f"{server.address}/models/wine-notebook" in shown and "text/html" in shown
    assert "did you mean" in shown and token not in shown


def test_the_notebook_is_kept_without_its_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
