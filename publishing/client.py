"""Speaks to GitHub's REST interface: one origin, one token, bounded bytes, tries and time; it says why it gave up.

The token is sent to addresses below the base only, and no request ever goes anywhere else.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError

from http_session import Route, Session
from publishing.answer import AGAIN, ATTEMPTS, Answer, Lost, Purpose, is_doubtful, pause, refusal
from publishing.api import Api
from publishing.clock import Clock, SystemClock
from publishing.deadline import within
from publishing.failure import NotPublishedError, PublishError
from publishing.shape import Row

VERSION: Final = "2022-11-28"
"""Of the interface: the one that github.com and every supported GitHub Enterprise Server speak."""
REDIRECTS: Final = 5
MOVED: Final = frozenset({301, 302, 303, 307, 308})
AS_IT_WAS: Final = frozenset({307, 308})
"""A redirect that keeps method and body; the others are followed by GET only."""
LARGEST: Final = 40_000_000
"""Bytes of one answer: a hundred comments of the longest kind are 26 MB."""
PAGE: Final = 100
"""Rows of a page, the most that GitHub gives."""
PAGES: Final = 100
CHUNK: Final = 1 << 16
CONNECT: Final = 10.0
ANSWER: Final = 30.0
"""Seconds without a byte."""
BODY: Final = 60.0
"""Seconds for one body."""
EXCHANGE: Final = 180.0
"""Seconds for a request and its answer, however evenly their bytes come: the largest file at a megabit a second."""
BETWEEN: Final = 1.0
"""Seconds between two writes, as GitHub asks for."""
PATIENCE: Final = 300.0
"""Seconds from the first request on, in which the client asks at all: waits, tries again and turns pages."""

_TOKEN: Final = re.compile(r"[!-~]{1,4096}")
_NEXT: Final = re.compile(r'<([^<>]*)>\s*;[^<>]*\brel="next"')
_TRUST: Final = "Name your own authority with REQUESTS_CA_BUNDLE."
_NETWORK: Final = "See that the runner reaches the server (proxy, firewall), and run it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    address: str
    body: bytes | None = field(default=None, repr=False)
    purpose: Purpose
    is_repeatable: bool = True


class DoubtfulError(NotPublishedError):
    """The request must not be sent twice, and may have been carried out: look before you ask again."""


@dataclass(slots=True, kw_only=True)
class Client:
    """Asks and waits. A context manager; one for a run. Every method raises NotPublishedError."""

    api: Api
    token: str = field(repr=False)
    route: Route = field(default_factory=Route)
    version: str = VERSION
    clock: Clock = field(default_factory=SystemClock)
    patience: float = PATIENCE
    largest: int = LARGEST
    _session: Session = field(init=False, repr=False)
    _started: float | None = field(init=False, default=None)
    _wrote: float | None = field(init=False, default=None)
    _unreached: Lost | None = field(init=False, default=None)
    """Why there was no way to the server at all, after all tries: then nothing more is tried."""

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

    @property
    def left(self) -> float:
        """Seconds of patience."""
        return self.patience if self._started is None else self.patience - (self.clock.elapsed() - self._started)

    @contextmanager
    def apart(self, patience: float) -> Iterator[None]:
        """Requests with a patience of their own, before work of another kind; what follows begins anew.

        It may then reach a server that these have not reached.
        """
        whole, self.patience = self.patience, patience
        try:
            yield
        finally:
            self.patience, self._started, self._unreached = whole, None, None

    def get(self, purpose: Purpose, *segments: str | int) -> Row:
        """What lies at an address below the base."""
        request = _Request(method="GET", address=self.api.address(*segments), purpose=purpose)
        return Row(value=self._send(request).value, purpose=purpose)

    def rows(self, purpose: Purpose, *segments: str | int, query: Mapping[str, str] | None = None) -> Iterator[Row]:
        """What a list holds, page by page, as the ``Link`` headers lead; a list without an end is refused.

        ``query`` narrows it.
        """
        address = self.api.address(*segments, query={**(query or {}), "per_page": PAGE})
        for _ in range(PAGES):
            answer = self._send(_Request(method="GET", address=address, purpose=purpose))
            yield from Row(value=answer.value, purpose=purpose).rows()
            following = _NEXT.search(answer.headers.get("Link", "")[:8192])
            if following is None:
                return
            address = self._inside(answer.address, following[1], purpose, "names a next page")
            if self.left <= 0:
                raise NotPublishedError(_endless(purpose, f"it takes longer than {self.patience:g} s"))
        raise NotPublishedError(_endless(purpose, f"it has more than {PAGES} pages"))

    def write(
        self,
        method: str,
        purpose: Purpose,
        *segments: str | int,
        body: Mapping[str, object] | None = None,
        is_repeatable: bool = True,
    ) -> Row:
        """What comes of POST, PATCH or DELETE, sent at least a second after the write before.

        With ``is_repeatable`` false it is sent again only where the server cannot have carried it out; where it may
        have, DoubtfulError.
        """
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        address = self.api.address(*segments)
        request = _Request(method=method, address=address, body=data, purpose=purpose, is_repeatable=is_repeatable)
        return Row(value=self._send(request).value, purpose=purpose)

    def wait(self, seconds: float) -> bool:
        """Wait, where the patience lasts; whether it did."""
        if seconds > self.left:
            return False
        self.clock.sleep(seconds)
        return True

    def _send(self, request: _Request) -> Answer:
        """A good answer, after as many tries as it takes and the patience lasts."""
        if not _TOKEN.fullmatch(self.token):
            reason = (
                "there is no token" if not self.token else "the token holds what no token can, such as a line break"
            )
            raise NotPublishedError(_error(request.purpose, reason, "Hand on `token: ${{ github.token }}`."))
        if self._unreached is not None:
            raise NotPublishedError(refusal(request.purpose, self._unreached))
        if self._started is None:
            self._started = self.clock.elapsed()
        if self.left <= 0:
            reason = f"the {self.patience:g} s in which the server is asked are over"
            raise NotPublishedError(_error(request.purpose, reason, AGAIN))
        for attempt in range(ATTEMPTS):
            self._space(request)
            outcome = self._follow(request)
            if isinstance(outcome, Answer) and outcome.is_success:
                return outcome
            if is_doubtful(outcome) and not request.is_repeatable:
                raise DoubtfulError(refusal(request.purpose, outcome))
            seconds = pause(outcome, attempt, self.clock.epoch()) if attempt + 1 < ATTEMPTS else None
            if seconds is None or not self.wait(seconds):
                if isinstance(outcome, Lost) and not outcome.was_sent:
                    self._unreached = outcome
                raise NotPublishedError(refusal(request.purpose, outcome, seconds))
        raise AssertionError("the last try returns or raises")

    def _space(self, request: _Request) -> None:
        """Keep the second between two writes, which is short and needs no patience."""
        if request.method == "GET":
            return
        if self._wrote is not None and (early := self._wrote + BETWEEN - self.clock.elapsed()) > 0:
            self.clock.sleep(early)
        self._wrote = self.clock.elapsed()

    def _follow(self, request: _Request) -> Answer | Lost:
        """One try, redirects included. Raises NotPublishedError for one that leads elsewhere."""
        address = request.address
        for _ in range(REDIRECTS + 1):
            outcome = self._once(request, address)
            if isinstance(outcome, Lost) or outcome.status not in MOVED:
                return outcome
            if request.method != "GET" and outcome.status not in AS_IT_WAS:
                reason = f"the server answers a write with a redirect (HTTP {outcome.status})"
                remedy = "If the repository has another name now, let the workflow run there."
                raise NotPublishedError(_error(request.purpose, reason, remedy, outcome.status))
            address = self._inside(address, outcome.headers.get("Location", ""), request.purpose, "redirects")
        raise NotPublishedError(_error(request.purpose, f"more than {REDIRECTS} redirects", _NETWORK))

    def _inside(self, current: str, target: str, purpose: Purpose, does: str) -> str:
        address = self.api.join(current, target)
        if address is None:
            reason = f"the server {does} outside of {self.api.base}, where the token must not go"
            raise NotPublishedError(_error(purpose, reason, "Ask who runs that server, or set GITHUB_API_URL right."))
        return address

    def _once(self, request: _Request, address: str) -> Answer | Lost:
        """One exchange."""
        try:
            return within(EXCHANGE, lambda: self._exchange(request, address))
        except TimeoutError:
            return Lost(reason=f"the server did not come to an end within {EXCHANGE:g} s", was_sent=True)

    def _exchange(self, request: _Request, address: str) -> Answer | Lost:
        try:
            response = self._ask(request, address)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return _lost(error)
        try:
            return self._answer(response, address)
        except (HTTPError, OSError, ValueError) as error:
            return _lost(error)
        finally:
            response.close()

    def _ask(self, request: _Request, address: str) -> requests.Response:
        headers = {
            "Accept": "application/vnd.github+json",
            "Accept-Encoding": "identity",
            "User-Agent": "hardening-gate",
            "X-GitHub-Api-Version": self.version,
            "Authorization": f"Bearer {self.token}",
        }
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        scheme = address.partition(":")[0]
        return self._session.request(
            request.method,
            address,
            data=None if request.body is None else io.BytesIO(request.body),  # in blocks, each with time of its own
            headers=headers,
            stream=True,
            allow_redirects=False,
            timeout=(CONNECT, ANSWER),
            proxies=self.route.proxies(address, scheme),
        )

    def _answer(self, response: requests.Response, address: str) -> Answer | Lost:
        body = self._body(response)
        if isinstance(body, Lost):
            return body
        if response.status_code >= 400:  # what it says is shown to people, and it may repeat what it was sent
            body = body.replace(self.token.encode(), b"(the token)")
        value = None
        try:
            value = json.loads(body) if body else None
        except (ValueError, RecursionError):
            if 200 <= response.status_code < 300:
                return Lost(reason="the answer is no whole JSON", was_sent=True)
        headers = CaseInsensitiveDict(response.headers)
        return Answer(status=response.status_code, headers=headers, value=value, address=address)

    def _body(self, response: requests.Response) -> bytes | Lost:
        """The body as it was sent, bounded; urllib3 raises where it is shorter than announced."""
        parts, size, end = [], 0, self.clock.elapsed() + BODY
        too_large = Lost(
            reason=f"the answer is larger than {self.largest / 1e6:g} MB",
            was_sent=True,
            may_pass=False,
            remedy=_NETWORK,
        )
        while part := response.raw.read1(CHUNK, decode_content=False):
            parts.append(part)
            size += len(part)
            if size > self.largest:
                return too_large
            if self.clock.elapsed() > end:
                return Lost(reason=f"the answer takes longer than {BODY:g} s", was_sent=True)
        return b"".join(parts)


def _error(purpose: Purpose, reason: str, remedy: str, status: int | None = None) -> PublishError:
    return PublishError(what=purpose.what, status=status, reason=reason, remedy=remedy)


def _endless(purpose: Purpose, reason: str) -> PublishError:
    return _error(purpose, f"the list cannot be read to its end: {reason}", "Run it again, or switch this off here.")


def _lost(error: Exception) -> Lost:
    """By the kind of the error only: its text holds names of this machine and its proxy."""
    if isinstance(error, requests.exceptions.SSLError):
        reason = "the server's certificate is not trusted here"
        return Lost(reason=reason, remedy=_TRUST, was_sent=False, may_pass=False)
    if type(error) is OSError:  # what requests raises for these files, before it connects
        reason = "the file of trusted certificates cannot be read"
        return Lost(reason=reason, remedy=_TRUST, was_sent=False, may_pass=False)
    reason = f"the server cannot be reached, or hung up ({type(error).__name__})"
    if isinstance(error, requests.Timeout):
        reason = f"the server did not answer within {ANSWER:g} s"
    return Lost(reason=reason, remedy=_NETWORK, was_sent=not _never_left(error))


def _never_left(error: Exception) -> bool:
    """Whether no connection was made, so that nothing can have arrived."""
    cause = error.args[0] if error.args else None
    inner = cause.reason if isinstance(cause, MaxRetryError) else None
    return isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError) or isinstance(
        inner, NewConnectionError | ConnectTimeoutError
    )
