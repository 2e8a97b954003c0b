"""The one that speaks HTTP: GET only, allowed addresses only, no credentials, within bounds of bytes and time.

Redirects are followed by hand, each target checked like the first address. Nothing is decompressed: an archive's digest
is that of the bytes that were sent.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import requests
from urllib3.exceptions import HTTPError

from http_session import Route, Session
from registries.addresses import Address, NoAddressError
from registries.allowed import Allowed
from registries.refusal import NotFetchedError

REDIRECTS: Final = 5
MOVED: Final = frozenset({301, 302, 303, 307, 308})
TOTAL: Final = 500_000_000
"""Bytes of all bodies of one run."""
ANSWER: Final = 30.0
"""Seconds without a byte."""
BODY: Final = 300.0
"""Seconds for one body."""
CHUNK: Final = 1 << 16
AGAIN: Final = "run it again; if it stays so, ask who runs that server, or vendor the dependency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Case does not matter."""
    body: bytes
    address: Address
    """Whose answer it is, after redirects."""


@dataclass(slots=True, kw_only=True)
class Client:
    """Asks, and counts what it is told. A context manager."""

    allowed: Allowed
    route: Route = field(default_factory=Route)
    total: int = TOTAL
    body_seconds: float = BODY
    _session: Session = field(init=False)
    _received: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Open the way out."""
        self._session = Session(self.route)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        self._session.close()

    def get(  # noqa: PLR0913 a request has as many facts
        self,
        address: Address,
        *,
        limit: int,
        accept: str = "*/*",
        token: str = "",
        also: Address | None = None,
        refused: bool = False,
    ) -> Answer:
        """The answer of at most ``limit`` bytes. ``token`` goes to the origin of ``address`` only.

        ``also``: whose origin may be asked, too. With ``refused`` the status 401 is an answer.
        Raises NotFetchedError.
        """
        origin, why = address.origin, "the dependency needs"
        for _ in range(REDIRECTS + 1):
            if also is None or address.origin != also.origin:
                self.allowed.require(address, why)
            headers = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "hardening-gate"}
            if token and address.origin == origin:
                headers["Authorization"] = f"Bearer {token}"
            response = self._ask(address, headers)
            try:
                if response.status_code not in MOVED:
                    _require_success(response.status_code, address, refused=refused)
                    body = self._read(response, address, limit)
                    return Answer(status=response.status_code, headers=response.headers, body=body, address=address)
                address, why = _target(response, address), f"{address.shown} redirects to"
            finally:
                response.close()
        raise NotFetchedError(f"more than {REDIRECTS} redirects, the last one to {address.shown}", AGAIN)

    def _ask(self, address: Address, headers: Mapping[str, str]) -> requests.Response:
        url = str(address)
        try:
            return self._session.get(
                url,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(ANSWER, ANSWER),
                proxies=self.route.proxies(url, address.scheme) if address.scheme == "https" else {},
            )
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise _unreachable(address, error) from error

    def _read(self, response: requests.Response, address: Address, limit: int) -> bytes:
        """The body as it was sent, bounded before and while it is read."""
        parts, size, end = [], 0, time.monotonic() + self.body_seconds
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and int(announced) > limit:
            raise _too_large(address, limit)
        try:
            while part := response.raw.read1(CHUNK, decode_content=False):
                parts.append(part)
                size += len(part)
                self._received += len(part)
                if size > limit:
                    raise _too_large(address, limit)
                if self._received > self.total:
                    raise NotFetchedError(
                        f"more than {self.total / 1e6:g} MB in one run", "vendor some of the dependencies"
                    )
                if time.monotonic() > end:
                    raise NotFetchedError(f"{address.shown} takes longer than {self.body_seconds:g} s", AGAIN)
        except (HTTPError, OSError, ValueError) as error:
            raise _unreachable(address, error) from error
        return b"".join(parts)


def _target(response: requests.Response, address: Address) -> Address:
    location = response.headers.get("Location", "")
    try:
        return address.join(location)
    except NoAddressError as error:
        raise NotFetchedError(f"{address.shown} redirects to what is refused: {error}", AGAIN) from error


def _require_success(status: int, address: Address, *, refused: bool) -> None:
    if status == requests.codes.ok or (refused and status == requests.codes.unauthorized):
        return
    if status in {requests.codes.unauthorized, requests.codes.forbidden}:
        reason = f"{address.shown} asks for credentials (HTTP {status}), and none are ever sent"
        raise NotFetchedError(reason, "vendor the dependency, or fetch from a repository that is open")
    if status in {requests.codes.not_found, requests.codes.gone}:
        raise NotFetchedError(
            f"{address.shown} is not there (HTTP {status})", "correct the repository or the version, and lock it again"
        )
    raise NotFetchedError(f"{address.shown} answers with HTTP {status}", AGAIN)


def _too_large(address: Address, limit: int) -> NotFetchedError:
    return NotFetchedError(f"{address.shown} is larger than {limit / 1e6:g} MB", "vendor the dependency unpacked")


def _unreachable(address: Address, error: Exception) -> NotFetchedError:
    """By the kind of the error only: its text holds names of this machine and its proxy."""
    if isinstance(error, requests.exceptions.SSLError):
        return NotFetchedError(
            f"{address.shown}: its certificate is not trusted here", "name your own authority with REQUESTS_CA_BUNDLE"
        )
    if isinstance(error, requests.Timeout):
        return NotFetchedError(f"{address.shown} did not answer within {ANSWER:g} s", AGAIN)
    return NotFetchedError(
        f"{address.shown} cannot be reached ({type(error).__name__})",
        "see that this machine has a network, and run it again",
    )
