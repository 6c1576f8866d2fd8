"""How a request shows who is asking. Neither class tells its secrets when it is printed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import requests
from requests.auth import AuthBase

#: A token is renewed when fewer seconds than this are left, so that none ends on its way.
MARGIN = 15.0


class Token(AuthBase):
    """An access token that somebody made; it lasts until it ends.

    It is given to `requests` as its `auth`, which keeps a `.netrc` from being sent in its place.
    """

    def __init__(self, access: str) -> None:
        self._access = access

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._access}"
        return request

    def renew(self, stale: str | None = None) -> bool:
        """Whether there is another token now than `stale`; this kind cannot be renewed."""
        return False

    @property
    def shown(self) -> str:
        """The token that is shown now, to be compared only."""
        return self._access


class SignIn(Token):
    """Tokens of a sign-in, renewed by themselves. `refresh` trades a refresh token for the next pair."""

    def __init__(self, grant: dict[str, Any], refresh: Callable[[str], dict[str, Any]]) -> None:
        self._refresh, self._lock = refresh, threading.Lock()
        self._take(grant)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if time.monotonic() > self._ends:
            self.renew(self._access)
        return super().__call__(request)

    def renew(self, stale: str | None = None) -> bool:
        """Trade in the refresh token, once for all threads that saw `stale` fail."""
        with self._lock:
            if (
                stale is None or stale == self._access
            ):  # a refresh token is good once; using it again ends the sign-in
                self._take(self._refresh(self._renewal))
        return True

    def _take(self, grant: dict[str, Any]) -> None:
        lasts = float(grant["expires_in"])
        self._access, self._renewal = grant["access_token"], grant["refresh_token"]
        self._ends = time.monotonic() + lasts - min(MARGIN, lasts / 2)
