"""What a start does with settings it cannot use, and with the secrets it keeps."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import config

Load = Callable[..., config.Settings]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads from nothing but `tmp_path / "data"` and the variables given."""
    monkeypatch.chdir(tmp_path)

    def load(**given: str) -> config.Settings:
        for name in config.Settings.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in {"DATA_DIR": str(tmp_path / "data"), **given}.items():
            monkeypatch.setenv(name, value)
        return config.load()

    return load


def kept(tmp_path: Path, name: str = "jwt_secret_key") -> Path:
    return tmp_path / "data" / "keys" / name


def test_secrets_are_made_once_and_kept_for_their_owner_alone(load: Load, tmp_path: Path) -> None:
    assert load().jwt_secret_key == load().jwt_secret_key
    assert kept(tmp_path).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["change-me-" * 5, "my-Secret-password-for-development-1", "dev" * 20])
def test_a_secret_that_somebody_made_up_is_refused(load: Load, text: str) -> None:
    with pytest.raises(SystemExit):
        load(SECRET_KEY=text)


def test_the_token_for_metrics_is_no_word_either(load: Load) -> None:
    with pytest.raises(SystemExit):
        load(METRICS_TOKEN="metrics")
    assert load().metrics_token.get_secret_value() == ""  # none is made: other machines may not ask


def test_a_random_secret_may_hold_a_word(load: Load) -> None:
    text = "q3Xr8vT1kLz0pWdEv7NcYbHs5GmJ2fAu"
    assert load(SECRET_KEY=text).secret_key.get_secret_value() == text


@pytest.mark.parametrize("text", ["", "0" * 64, "Short-1"])
def test_a_kept_secret_is_judged_like_a_given_one(
    text: str, load: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load()
    kept(tmp_path).write_text(text)
    with pytest.raises(SystemExit) as stop:
        load()
    told = capsys.readouterr().err
    assert (stop.value.code, told.count("\n"), told[:15]) == (2, 1, "JWT_SECRET_KEY:")
    assert not text or text not in told


def test_a_kept_secret_that_others_could_read_is_shut(load: Load, tmp_path: Path) -> None:
    load()
    kept(tmp_path).chmod(0o644)
    load()
    assert kept(tmp_path).stat().st_mode & 0o777 == 0o600


def test_every_bad_variable_is_named_and_no_value_shown(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        load(PORT="seventy", SECRET_KEY="hunter2")
    told = capsys.readouterr().err
    assert stop.value.code == 2
    assert [line.partition(":")[0] for line in told.splitlines()] == ["PORT", "SECRET_KEY"]
    assert "seventy" not in told and "hunter2" not in told


@pytest.mark.parametrize("command", [["run.py"], ["-m", "gunicorn", "-c", "gunicorn.conf.py", "run:app"]])
def test_a_data_folder_that_is_none_stops_the_start_in_one_sentence(
    command: list[str], tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=config.ROOT,
        env={"DATA_DIR": str(plain)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr.count("\n"), ended.stderr[:9]) == (2, 1, "DATA_DIR:")


def test_a_data_folder_that_cannot_be_written_to_is_told(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load()
    monkeypatch.setattr("config.os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(SystemExit):
        load()
    assert capsys.readouterr().err.startswith("DATA_DIR:")


def test_a_database_is_for_its_owner_alone_whatever_the_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    given = {"DATA_DIR": str(tmp_path), "DEMO": "false"}
    command = [sys.executable, "run.py", "prepare"]
    subprocess.run(
        command, cwd=config.ROOT, env=given, umask=0o022, capture_output=True, check=True, timeout=60
    )
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("parecer.db*")}
    assert "parecer.db" in modes and set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    ("bind", "told"),
    [
        ("5001", "PRIVATE_BIND"),
        ("0.0.0.0:5001", "PRIVATE_BIND"),
        ("8.8.8.8:5001", "PRIVATE_BIND"),
        ("127.0.0.1:0", "PRIVATE_BIND"),
        ("unix:relative", "PRIVATE_BIND"),
        ("127.0.0.1:5000", "PRIVATE_BIND"),
    ],
)
def test_a_private_listener_is_on_an_address_of_its_own(
    load: Load, capsys: pytest.CaptureFixture[str], bind: str, told: str
) -> None:
    with pytest.raises(SystemExit):
        load(PRIVATE_BIND=bind, PRIVATE_ACCOUNT="alice")
    assert capsys.readouterr().err.startswith(told)


@pytest.mark.parametrize("half", [{"PRIVATE_BIND": "127.0.0.1:5001"}, {"PRIVATE_ACCOUNT": "alice"}])
def test_a_private_listener_needs_an_account(
    load: Load, capsys: pytest.CaptureFixture[str], half: dict[str, str]
) -> None:
    with pytest.raises(SystemExit):
        load(**half)
    assert capsys.readouterr().err.startswith("PRIVATE_ACCOUNT")


@pytest.mark.parametrize("bind", ["127.0.0.1:5001", "[::1]:5001", "10.1.2.3:80", "unix:/run/parecer.sock"])
def test_a_private_listener_may_be_local_or_in_a_private_network(load: Load, bind: str) -> None:
    assert load(PRIVATE_BIND=bind, PRIVATE_ACCOUNT="alice").private_bind == bind
