"""One request to the desk: who asks, what is tried again, and how an answer becomes a value or an error."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Mapping
from typing import IO, Any
from urllib.parse import quote, urlsplit

import requests

from parecer_client.errors import NotReachable, NotSignedIn, ParecerError, told
from parecer_client.tokens import Token

ATTEMPTS = 5
#: Seconds: before the second attempt (twice that before each further one), at most before any, for one answer.
FIRST_WAIT, LONGEST_WAIT, TIMEOUT = 0.5, 60.0, 120.0
CONNECT_TIMEOUT = 10.0
RENEW = "Sign in again with Client.login(…), or ask the operator for a new token (flask token create)."


class Transport:
    """Requests to one desk, in the name of `token`. May be used by several threads."""

    def __init__(self, url: str, token: Token | None = None) -> None:
        self.url, self.token = _address(url), token
        self._session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=16)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The JSON at `path` of `/api/v1`."""
        return self.send("GET", path, query=query, repeat=True).json()

    def post(self, path: str, body: Any, *, once: bool = False) -> Any:
        """The JSON that answers `body`. With `once` it carries a key by which the desk knows it when it comes again."""
        headers = {"Content-Type": "application/json"}
        if once:
            headers["Idempotency-Key"] = secrets.token_hex(16)
        data = json.dumps(body, allow_nan=False).encode()
        return self.send("POST", path, data=data, headers=headers, repeat=once).json()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        data: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool = False,
    ) -> requests.Response:
        """A good answer; raises ParecerError.

        What the desk refused before doing anything (429, or no connection) is tried again; a broken connection or a
        503 only where `repeat` says that doing it twice is doing it once.
        """
        renewed = False
        for attempt in range(1, ATTEMPTS + 1):
            shown = self.token.shown if self.token else None
            try:
                answer = self._once(method, path, query, data, headers)
            except requests.RequestException as error:
                failure, again = self._unreachable(error), repeat or _never_sent(error)
            else:
                if answer.ok and not answer.is_redirect:
                    return answer
                failure = self._failure(answer)
                if answer.status_code == 401 and self.token and not renewed and self.token.renew(shown):
                    renewed = True
                    _rewind(data)
                    continue
                again = answer.status_code == 429 or (answer.status_code in (502, 503, 504) and repeat)
            wait = failure.retry_after or FIRST_WAIT * 2 ** (attempt - 1) * random.uniform(1, 1.25)  # noqa: S311
            if not again or attempt == ATTEMPTS or wait > LONGEST_WAIT:
                raise failure
            time.sleep(wait)
            _rewind(data)
        raise failure

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        data: bytes | IO[bytes] | None,
        headers: Mapping[str, str] | None,
    ) -> requests.Response:
        return self._session.request(
            method,
            f"{self.url}/api/v1{path}",
            params=dict(query or {}),
            data=data,
            headers={"Accept": "application/json", **(headers or {})},
            auth=self.token,
            timeout=(CONNECT_TIMEOUT, TIMEOUT),
            allow_redirects=False,  # a POST would become a GET on the way, and a token go to another address
        )

    def _unreachable(self, error: requests.RequestException) -> ParecerError:
        if isinstance(error, requests.exceptions.SSLError):
            return NotReachable(f"The certificate of {self.url} does not hold: {error}")
        if isinstance(error, requests.exceptions.ReadTimeout):
            return NotReachable(
                f"{self.url} gave no answer in {TIMEOUT:.0f} s; look in the history before sending again."
            )
        return NotReachable(f"No desk answers at {self.url}: is it running, and is this its address?")

    def _failure(self, answer: requests.Response) -> ParecerError:
        if answer.is_redirect:
            place = urlsplit(answer.headers.get("Location", ""))
            return ParecerError(
                f"{self.url} sends to another address; give Client({f'{place.scheme}://{place.netloc}'!r}).",
                status=answer.status_code,
            )
        try:
            body = answer.json()
        except ValueError:
            body = None
        failure = told(answer.status_code, body, _seconds(answer.headers.get("Retry-After")))
        if isinstance(failure, NotSignedIn) and self.token is not None:
            failure.message = f"The token does not hold, or no longer. {RENEW}"
        return failure


def part(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")


def _address(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{url!r} is no address of a desk; give one such as http://127.0.0.1:5000")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/api/v1')}"


def _never_sent(error: requests.RequestException) -> bool:
    return isinstance(error, requests.exceptions.ConnectTimeout) or "NewConnectionError" in repr(error)


def _rewind(data: bytes | IO[bytes] | None) -> None:
    if data is not None and not isinstance(data, bytes):
        data.seek(0)


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdigit() else None
