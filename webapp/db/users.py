"""People, their tokens, and failed sign-ins."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.db.base import BigKey
from webapp.extensions import Base

ROLES = ("analyst", "publisher", "auditor", "admin")


class User(Base):
    """An account. Disabled ones stay: the record names them."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(String(200))
    #: True while the password is one that somebody else chose.
    must_change: Mapped[bool] = mapped_column(default=False)
    #: Sessions and tokens carry this number and die when it moves (password, role, disable).
    stamp: Mapped[int] = mapped_column(default=0)
    created_us: Mapped[int] = mapped_column(BigInteger)
    #: BCP 47 tag; empty: what the browser asks for.
    language: Mapped[str] = mapped_column(String(8), default="")
    #: light or dark; empty: what the system says.
    theme: Mapped[str] = mapped_column(String(8), default="")
    #: NULL: may sign in.
    disabled_us: Mapped[int | None] = mapped_column(BigInteger)


class TokenFamily(Base):
    """One sign-in: a browser session, or a line of refresh tokens of which only the newest is good."""

    __tablename__ = "token_families"

    id: Mapped[str] = mapped_column(String(43), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    #: jti of the refresh token that may still be exchanged; an older one seen again is theft.
    refresh_jti: Mapped[str] = mapped_column(String(43))
    created_us: Mapped[int] = mapped_column(BigInteger)
    expires_us: Mapped[int] = mapped_column(BigInteger)
    #: browser, program (signed in over the API) or token (made by hand); empty where it was not yet told apart.
    kind: Mapped[str] = mapped_column(String(8), default="")
    #: What its owner calls a token.
    name: Mapped[str] = mapped_column(String(80), default="")
    #: As the client called itself when it signed in, and from where.
    agent: Mapped[str] = mapped_column(String(200), default="")
    address: Mapped[str] = mapped_column(String(45), default="")
    #: When it was last seen, to the minute for pages and to the hour for programs; NULL: not since it was made.
    last_us: Mapped[int | None] = mapped_column(BigInteger)
    #: NULL: alive.
    revoked_us: Mapped[int | None] = mapped_column(BigInteger)

    user: Mapped[User] = relationship()


class SecondFactor(Base):
    """What the secret of somebody's app is derived from; see services/second_factor.py."""

    __tablename__ = "second_factors"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary(32))
    #: The sign-in that may confirm it.
    family: Mapped[str | None] = mapped_column(String(43))
    begun_us: Mapped[int] = mapped_column(BigInteger)
    #: NULL: begun, and not asked for yet.
    confirmed_us: Mapped[int | None] = mapped_column(BigInteger)
    #: Number of the 30 seconds whose code was accepted last; it and older ones are used up.
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)


class RecoveryCode(Base):
    """A code for who has lost the app, good once."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    #: SHA-256, hex.
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    #: NULL: not used.
    used_us: Mapped[int | None] = mapped_column(BigInteger)


class ResetLink(Base):
    """The link that sets an account's next password; an account has at most one."""

    __tablename__ = "reset_links"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    #: SHA-256 of the token in the link, hex.
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_us: Mapped[int] = mapped_column(BigInteger)


class LoginFailure(Base):
    """A wrong password; counted per name and address so that guessing is slow on every worker at once."""

    __tablename__ = "login_failures"
    __table_args__ = (Index(None, "account", "at_us"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    #: "n" and half a SHA-256 of the name as typed (it may be nobody's, or a password in the wrong field), "a" and
    #: half a SHA-256 of the address it came from, hex; a second row has the address first.
    account: Mapped[str] = mapped_column(String(64))
    at_us: Mapped[int] = mapped_column(BigInteger)
