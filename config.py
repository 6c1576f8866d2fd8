"""Every setting, once: its name, type, default and one line of help.

Values come from the environment or a `.env` file. The two secrets may be given there; otherwise they are made at the
first start and kept in files only their owner can read.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import sys
from ipaddress import ip_address
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent
VERSION = "0.1.0"
PASSWORD = re.compile(r"(://[^:/@]*:)[^@]*@")
WEAK = re.compile("change-?me|secret|password|example|dev", re.IGNORECASE)


class Settings(BaseSettings):
    """The settings of one installation; a bad value stops the start and names the variable, never the value."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(5000, ge=1, le=65535, description="Port to listen on.")
    private_bind: str = Field(
        "",
        description="Address:port, or unix:/path, of a listener for clients that can send no token; none if empty.",
    )
    private_account: str = Field(
        "", description="Account in whose name the private listener answers: an analyst or a publisher."
    )
    workers: int = Field(2, ge=1, le=64, description="Web worker processes.")
    data_dir: Path = Field(ROOT / "instance", description="Folder of the database, the keys and uploads.")
    model_store: Path | None = Field(
        None,
        description="Folder of model artefacts; `model_store/` beside the code, or inside DATA_DIR if that is set.",
    )
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite inside DATA_DIR.")
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Key of browser sessions and second factors, at least 32 characters; made at first start.",
    )
    jwt_secret_key: SecretStr = Field(
        SecretStr(""),
        description="Key that signs access tokens, at least 32 characters; made at first start.",
    )
    default_model: str = Field("iris", description="Model that answers `POST /api/v1/predict`.")
    trusted_hosts: str = Field(
        "127.0.0.1,localhost,[::1]", description="Host names this server answers to, separated by commas."
    )
    cookie_secure: bool = Field(False, description="Send cookies over HTTPS only; set it behind TLS.")
    proxies: int = Field(
        0, ge=0, le=5, description="Trusted reverse proxies in front that set X-Forwarded headers."
    )
    access_token_minutes: int = Field(15, ge=1, le=1440, description="Life of an access token.")
    refresh_token_days: int = Field(30, ge=1, le=365, description="Life of a refresh token family.")
    session_idle_minutes: int = Field(
        60, ge=5, le=1440, description="A browser session ends after this long unused."
    )
    session_hours: int = Field(
        12, ge=1, le=168, description="A browser session ends after this long in any case."
    )
    max_body_bytes: int = Field(8 * 2**20, ge=1024, description="Largest request body.")
    max_upload_bytes: int = Field(
        2**30, ge=1024, description="Largest upload: the file of a batch, or the files of a submission."
    )
    publish_memory_mb: int = Field(
        2048,
        ge=64,
        le=2**20,
        description="Memory that inspecting a model may take, besides that of the libraries.",
    )
    publish_seconds: int = Field(
        300,
        ge=1,
        le=86400,
        description="Seconds that inspecting a model may take, once the libraries are there.",
    )
    max_rows: int = Field(10_000, ge=1, description="Most rows in one predict request.")
    rate_limit: int = Field(
        6000, ge=0, description="Predict requests a minute per account; 0 switches it off."
    )
    rate_limit_address: int = Field(
        60_000, ge=0, description="Requests of programs a minute per network address; 0 switches it off."
    )
    max_wait_seconds: float = Field(
        1,
        ge=0,
        le=60,
        description="A program that would wait longer for its turn is refused at once with 503; 0 refuses nobody.",
    )
    queue_url: str = Field(
        "",
        pattern="^$|^(postgresql|redis|rediss)[+a-z0-9]*://",
        description="Where batches wait: a PostgreSQL or Redis URL; empty means a SQLite file inside DATA_DIR.",
    )
    job_worker: bool = Field(
        True,
        description="Run a worker for batches and submissions beside the web workers; false where one runs apart.",
    )
    seal_seconds: float = Field(
        2, ge=0.2, le=60, description="The record is sealed this often, where something has come to it."
    )
    seal_key: SecretStr = Field(
        SecretStr(""),
        description="Ed25519 key that signs checkpoints, base64 of 32 random bytes; made at first need.",
    )
    anchor_file: Path | None = Field(
        None,
        description="File that the newest checkpoint is appended to once a day; best on another machine.",
    )
    anchor_email: str = Field(
        "",
        pattern="^$|^[^@\\s,;]+@[^@\\s,;]+$",
        description="Address that the newest checkpoint is sent to once a day.",
    )
    anchor_webhook: str = Field(
        "",
        pattern="^$|^https?://",
        description="Address that the newest checkpoint is posted to as JSON once a day.",
    )
    smtp_url: SecretStr = Field(
        SecretStr("smtp://localhost"),
        description="Mail server: smtp:// or smtps://, with account and password if it wants them.",
    )
    mail_from: str = Field("", description="Sender of e-mails; the receiver if empty.")
    metrics_token: SecretStr = Field(
        SecretStr(""),
        description="Bearer token for `/metrics` from other machines, at least 32 characters; empty: none may ask.",
    )
    demo: bool = Field(True, description="Publish the demo models when the registry is empty.")
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least severe log line written."
    )

    @field_validator("data_dir", "model_store", "anchor_file")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value and value.expanduser().absolute()

    @field_validator("secret_key", "jwt_secret_key", "metrics_token")
    @classmethod
    def _strong(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text and _poor(text):
            raise ValueError("needs at least 32 random characters, or to be left empty")
        return value

    @field_validator("private_bind")
    @classmethod
    def _private(cls, value: str) -> str:
        if not value or (value.startswith("unix:/") and len(value) < 100):
            return value
        host, _, port = value.rpartition(":")
        try:
            address = ip_address(host.removeprefix("[").removesuffix("]"))
        except ValueError:
            raise ValueError(
                "needs an IP address and a port, such as 127.0.0.1:5001, or unix:/path"
            ) from None
        if address.is_unspecified or address.is_global:
            raise ValueError(
                "has to be an address of this machine or of a private network: nobody shows a token there"
            )
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError("needs a port from 1 to 65535")
        return f"[{address}]:{int(port)}" if address.version == 6 else f"{address}:{int(port)}"

    @property
    def version(self) -> str:
        """The version of this software."""
        return VERSION

    @property
    def database(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'parecer.db'}"

    @property
    def store(self) -> Path:
        """The folder of model artefacts in force."""
        if self.model_store:
            return self.model_store
        return ROOT / "model_store" if self.data_dir == ROOT / "instance" else self.data_dir / "model_store"

    @property
    def jobs(self) -> Path:
        """The folder of batches."""
        return self.data_dir / "jobs"

    def told(self) -> dict[str, str]:
        """Name and value of what is set to something else than its default, without secrets and passwords."""
        found = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, SecretStr) or value == field.default:
                continue
            found[name.upper()] = PASSWORD.sub(r"\1***@", str(value))
        return found

    @property
    def erasures(self) -> Path:
        """The journal of erasures, which outlives a database that is restored."""
        return self.data_dir / "erasures.jsonl"

    @property
    def hosts(self) -> list[str]:
        """The host names in `trusted_hosts`, plus the address listened on."""
        named = [h.strip() for h in self.trusted_hosts.split(",") if h.strip()]
        return named if self.host in ("0.0.0.0", "::") else [*named, self.host]  # noqa: S104


def load() -> Settings:
    """Read the settings, making the data folder and missing secrets.

    What cannot be used ends the program with status 2, after one line for each variable that never shows its value.
    """
    try:
        return _load()
    except ValidationError as error:
        told = [f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False)]
    except OSError as error:
        told = [f"DATA_DIR: needs to be a folder that this account can write to ({error.strerror})"]
    except ValueError as error:
        told = [str(error)]
    sys.stderr.write("".join(f"{line}\n" for line in told))
    raise SystemExit(2)


def _load() -> Settings:
    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not os.access(settings.data_dir, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    for name in ("secret_key", "jwt_secret_key"):
        if not getattr(settings, name).get_secret_value():
            kept = _kept_secret(settings.data_dir / "keys" / name)
            if _poor(kept):
                raise ValueError(
                    f"{name.upper()}: what is kept in DATA_DIR/keys/{name} needs at least 32 random characters; "
                    "delete that file to have one made"
                )
            setattr(settings, name, SecretStr(kept))
    if bool(settings.private_bind) != bool(settings.private_account):
        raise ValueError("PRIVATE_ACCOUNT: belongs to PRIVATE_BIND; set both, or neither")
    if settings.private_bind == f"{settings.host}:{settings.port}":
        raise ValueError("PRIVATE_BIND: has to differ from HOST and PORT, where tokens are asked for")
    if settings.secret_key == settings.jwt_secret_key:
        raise ValueError("SECRET_KEY and JWT_SECRET_KEY must differ")
    return settings


def _poor(secret: str) -> bool:
    rest = WEAK.sub("", secret)  # random text may hold such a word, too, but then much is left
    return len(secret) < 32 or len(rest) < 24 or len(set(rest)) < 8


def _kept_secret(path: Path) -> str:
    if not path.exists():  # a worker must be able to start on a full disk
        _keep_secret(path)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return path.read_text(errors="backslashreplace").strip()


def _keep_secret(path: Path) -> None:
    path.parent.mkdir(exist_ok=True, mode=0o700)
    # Two processes may start at once: the one that links its file first decides, the other reads it.
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        os.link(made, path)
    except FileExistsError:
        pass
    finally:
        made.unlink(missing_ok=True)
