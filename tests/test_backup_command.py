"""What operators type to back up and restore, and what they are told; a backup with one wrong byte is refused."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask

from config import ROOT
from webapp import preparation
from webapp.db.base import transaction
from webapp.errors import AppError
from webapp.extensions import db
from webapp.services import audit, sealing
from webapp.services.backups import manifest, restoring
from webapp.services.backups.place import Unusable
from webapp.services.backups.serving import Serving
from webapp.services.sealing.notes import Signer
from webapp.services.verifying import claims

PLACES = 100


def run(app: Flask, *words: str | Path, typed: str | None = None) -> tuple[int, str]:
    app.extensions["desk"].commits.close()
    result = app.test_cli_runner().invoke(args=[str(w) for w in words], input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere" / "backup"


@pytest.fixture
def backup(app: Flask, folder: Path) -> Path:
    status, said = run(app, "backup", folder)
    assert status == 0, said
    return folder


def happen(n: int = 1) -> None:
    with transaction() as current:
        for _ in range(n):
            audit.append(current, "print", None, {})


def test_a_backup_says_what_to_keep_elsewhere(app: Flask, backup: Path) -> None:
    shutil.rmtree(backup)
    happen(5)
    status, said = run(app, "backup", backup)
    made = json.loads((backup / "manifest.json").read_text())
    claim = claims.read(made["checkpoint"])
    assert status == 0
    assert f"\n  {made['origin']}\n" in said
    assert f"  {claim.size} {claims.groups(bytes.fromhex(claim.digits))}\n" in said
    assert "The secret keys are not in it" in said
    status, said = run(app, "backup", backup.with_name("more"), "--with-keys")
    assert "whoever has it can sign" in said


def test_a_restore_shows_both_and_asks(app: Flask, backup: Path) -> None:
    happen(3)
    sealing.seal(app.extensions["desk"].seals.keys)
    status, said = run(app, "restore", backup, typed="n\n")
    assert status == 1 and "Aborted" in said
    assert "would be lost: 4." in said  # and the event of the backup itself
    assert "No checkpoint from outside was given" in said
    assert sorted(p.name for p in app.extensions["installation"].data_dir.glob("*restor*")) == []
    status, said = run(app, "restore", backup, typed="y\n")
    assert status == 0, said
    assert "/2\n" in said and "verification says so" in said
    assert run(app, "audit", "verify", "--checkpoint", _printed(said))[0] == 0


def _printed(said: str) -> str:
    return next(line.strip() for line in said.splitlines() if line.startswith("  ") and line.count(" ") > 10)


def test_a_checkpoint_from_outside_is_taken_from_a_file(app: Flask, backup: Path, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text(json.loads((backup / "manifest.json").read_text())["checkpoint"])
    status, said = run(app, "restore", backup, "--yes", "--checkpoint", note)
    assert status == 0 and "No checkpoint from outside" not in said


def test_what_does_not_hold_is_refused_in_a_sentence(app: Flask, backup: Path) -> None:
    for given, why in (("5 " + "0" * 64, "5 entries does not agree"), ("nonsense", "is no checkpoint")):
        status, said = run(app, "restore", backup, "--yes", "--checkpoint", given)
        assert status == 1 and why in said.splitlines()[-1]
        assert said.splitlines()[-1].startswith("Error: ")


def test_nothing_is_restored_under_a_server(app: Flask, backup: Path) -> None:
    held = Serving(app.extensions["installation"].data_dir)
    status, said = run(app, "restore", backup, "--yes")
    held.leave()
    assert (status, said.count("\n")) == (1, 1) and "stop its web server" in said


def test_nobody_serves_a_restore_that_was_cut_short(app: Flask) -> None:
    folder = app.extensions["installation"].data_dir
    (folder / "restoring").write_text('{"stamp": "x", "decided": true}')
    for line in ("user list", "worker", "backup /tmp/none"):
        status, said = run(app, *line.split())
        assert status == 1 and "python run.py prepare" in said
    environment = {**os.environ, "DATA_DIR": str(folder), "PORT": "1"}
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "run:app"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    told = "A restore was cut short here. Finish it with: python run.py prepare"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, told)
    preparation.prepare(app, folder / "prepare.lock", demos=False)
    assert run(app, "user", "list")[0] == 0


def refusal(app: Flask, folder: Path) -> str:
    """Why a backup is refused; empty where it is not."""
    place, keys = app.extensions["installation"], app.extensions["desk"].seals.keys
    try:
        restoring.examine(place, keys, folder, [], preparation.revisions(), lambda *_: None)
    except AppError as error:
        return error.detail
    return ""


@contextmanager
def flipped(path: Path, offset: int) -> Iterator[None]:
    whole = path.read_bytes()
    data = bytearray(whole)
    data[offset] ^= 1 << random.randrange(8)
    path.write_bytes(data)
    yield
    path.write_bytes(whole)


def test_one_flipped_byte_anywhere_is_refused(app: Flask, backup: Path) -> None:
    assert refusal(app, backup) == ""
    files = sorted(p for p in backup.rglob("*") if p.is_file())
    places = [(f, n) for f in files for n in (0, f.stat().st_size // 2, f.stat().st_size - 1)]
    signature = backup / "manifest.sig"
    places += [(signature, n) for n in range(signature.stat().st_size)]
    for path in (backup / "manifest.json", backup / "parecer.db"):
        places += [(path, random.randrange(path.stat().st_size)) for _ in range(PLACES)]
    through = []
    for path, offset in places:
        with flipped(path, offset):
            why = refusal(app, backup)
            if not why or why.count("\n"):
                through.append((path.name, offset, why))
    assert through == []
    print(f"{len(places)} flipped bytes, all refused")
    assert refusal(app, backup) == ""


def test_missing_cut_strange_and_linked_files_are_refused(app: Flask, backup: Path) -> None:
    files = sorted(p for p in backup.rglob("*") if p.is_file())
    for path in files:
        whole = path.read_bytes()
        path.unlink()
        assert refusal(app, backup), path
        path.write_bytes(whole[:-1])
        assert refusal(app, backup), path
        path.unlink()
        path.symlink_to("/etc/hostname")
        assert refusal(app, backup), path
        path.unlink()
        path.write_bytes(whole)
    (backup / "stranger").touch()
    assert "'stranger' does not belong" in refusal(app, backup)
    (backup / "stranger").unlink()
    (backup / "loop").symlink_to(backup)
    assert "'loop' is a link" in refusal(app, backup)
    (backup / "loop").unlink()
    os.mkfifo(backup / "pipe")
    assert "'pipe' is a link, or no regular file" in refusal(app, backup)
    (backup / "pipe").unlink()
    assert refusal(app, backup) == ""
    assert "There is no folder" in refusal(app, backup / "none")
    assert "is no backup" in refusal(app, backup / "keys")


def sign(backup: Path, made: manifest.Manifest, signer: Signer) -> None:
    (backup / "manifest.json").write_bytes(made.text())
    (backup / "manifest.sig").write_bytes(manifest.sign(made.text(), made.origin, signer))


def test_another_key_is_refused_whatever_it_signs(app: Flask, backup: Path) -> None:
    made, [real] = manifest.read(backup)
    other = Signer(real.name, Ed25519PrivateKey.generate())
    sign(backup, made, other)
    assert "signature of manifest.json does not hold" in refusal(app, backup)
    # As somebody would who makes it fit throughout.
    (backup / f"keys/sealing/{other.key.id.hex()}.vkey").write_text(other.key.text() + "\n")
    files = {
        **made.files,
        f"keys/sealing/{other.key.id.hex()}.vkey": manifest.hashed(backup / "manifest.json"),
    }
    sign(backup, replace(made, files=files), other)
    assert "none of the keys that this installation knows" in refusal(app, backup)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "keys/../../evil", "a//b", "./a", "a/", "", "-x", "a\nb"]
)
def test_names_that_lead_elsewhere_are_refused(app: Flask, backup: Path, name: str) -> None:
    made, _ = manifest.read(backup)
    signer = app.extensions["desk"].seals.keys.signer(sealing.key_name(made.origin))
    sign(backup, replace(made, files={**made.files, name: (0, "0" * 64)}), signer)
    assert "cannot be read" in refusal(app, backup)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"format": "parecer-backup-2"}', "[" * 100_000])
def test_what_is_no_manifest_is_refused(app: Flask, backup: Path, text: str) -> None:
    (backup / "manifest.json").write_text(text)
    assert refusal(app, backup)


def test_a_backup_that_changes_while_it_is_read_is_refused(
    app: Flask, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, keys = app.extensions["installation"], app.extensions["desk"].seals.keys
    candidate = restoring.examine(place, keys, backup, [], preparation.revisions(), lambda *_: None)
    with flipped(backup / "parecer.db", 5000), pytest.raises(Unusable, match="SHA-256 is another"):
        restoring.restore(place, keys, candidate, "", preparation.migrate, lambda *_: None)
    assert not list(place.data_dir.glob("*restor*"))


def test_a_backup_for_another_database_is_refused(app: Flask, backup: Path) -> None:
    made, _ = manifest.read(backup)
    signer = app.extensions["desk"].seals.keys.signer(sealing.key_name(made.origin))
    files = {**made.files, "database.dump": (0, "0" * 64)}
    sign(backup, replace(made, database="postgresql", files=files), signer)
    assert "is of a postgresql database" in refusal(app, backup)


def test_without_the_client_tools_it_is_said_what_to_install(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from webapp.services.backups import postgres

    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AppError, match="apt install postgresql-client"):
        postgres.tool("pg_dump")


def test_a_new_machine_is_told_what_lost_secrets_mean(app: Flask, backup: Path) -> None:
    place = app.extensions["installation"]
    app.extensions["installation"] = replace(place, secret_key="another")
    for path in (place.data_dir / "keys", place.store):
        shutil.rmtree(path)
    db.session.remove()
    db.engine.dispose()
    for path in place.data_dir.glob("parecer.db*"):
        path.unlink()
    status, said = run(app, "restore", backup, "--yes")
    assert status == 0, said
    assert "nothing.\n" in said
    assert "everybody signs in again" in said and "signed by another key from now on" in said
    assert "is not known on this machine" in said
    status, said = run(app, "audit", "verify")
    assert status == 3 and "no key before it has signed that one" in said


def test_a_damaged_database_can_be_restored_over(app: Flask, backup: Path) -> None:
    place = app.extensions["installation"]
    db.session.remove()
    db.engine.dispose()
    for path in place.data_dir.glob("parecer.db-*"):
        path.unlink()
    place.file.write_bytes(b"SQLite format 3\0" + os.urandom(100_000))
    status, said = run(app, "restore", backup, "--yes")
    assert status == 0, said
    assert "a database that cannot be read" in said and "cannot be told" in said
    assert run(app, "audit", "verify")[0] == 3


def test_a_signature_is_written_one_way_only(app: Flask, backup: Path) -> None:
    digits = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    text = (backup / "manifest.sig").read_text()
    line = text.rstrip("\n").rsplit(" ", 1)[1]
    other = line[:-2] + digits[digits.index(line[-2]) ^ 1] + "="  # in bits that stand for nothing
    assert base64.b64decode(other, validate=True) == base64.b64decode(line)
    (backup / "manifest.sig").write_text(text.replace(line, other))
    assert refusal(app, backup)
