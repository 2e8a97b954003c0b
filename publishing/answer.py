"""What came of one request, and what is to be done about it: take it, ask again later, or say why not. Pure functions.

The rules about waiting are those of GitHub's "best practices" and "rate limits for the REST API".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from publishing.failure import PublishError, one_line

BACKOFF: Final = (1.0, 2.0, 4.0)
"""Seconds before the second, third and fourth try after a server error or a lost connection."""
UNTOLD: Final = (60.0, 120.0, 240.0)
"""Seconds where a limit is hit and nobody says for how long: at least a minute, then more."""
ATTEMPTS: Final = 1 + len(BACKOFF)

_NUMBER: Final = re.compile(r"[0-9]{1,12}")
_PERMISSION: Final = re.compile(r"([a-z_]{1,50})=(read|write|admin)")
CLOSED: Final[Mapping[str, str]] = {
    "archived": "Take the repository out of the archive, or switch this off.",
    "is locked": "Unlock the conversation, or switch this off.",
}
"""What to do where no permission helps, by a word of GitHub's message."""
AGAIN: Final = "Run it again; if it stays so, look at the status page of the server."
READ: Final = "Read what the server says; if you cannot change it, switch this off."
REMEDIES: Final[Mapping[int, str]] = {
    401: "The token is not valid, or not any more: hand on `token: ${{ github.token }}`.",
    410: "Unlock the conversation, or switch this off; an old server may not know this version of its interface.",
    413: "It is too large for this server: give each part of the repository a job and `id` of its own.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """Why something is asked, for the line that people read if it fails."""

    what: str
    """Such as ``the comment``."""
    needs: str
    """What the token must be allowed, as ``permissions:`` of a workflow has it: ``pull-requests: write``."""
    otherwise: str = ""
    """What else may be the reason that something is forbidden, one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer of the server, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """Case does not matter."""
    value: object
    """The JSON; None for an empty body, and for what is no JSON beside an error."""
    address: str
    """Who answered, after redirects."""

    @property
    def is_success(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        """What GitHub says about an error, on one line; empty if nothing."""
        text = self.value.get("message") if isinstance(self.value, dict) else None
        details = self.value.get("errors") if isinstance(self.value, dict) else None
        rows = details if isinstance(details, list) else []
        words = [row.get("message") if isinstance(row, dict) else row for row in rows[:3]]
        return one_line("; ".join(word for word in (text, *words) if isinstance(word, str) and word))

    @property
    def is_limit(self) -> bool:
        """Whether it refuses for now only: a primary or secondary rate limit, never a missing permission."""
        if self.status not in {403, 429} or "not accessible" in self.message.lower():
            return False
        told = "Retry-After" in self.headers or self.headers.get("X-RateLimit-Remaining") == "0"
        return self.status == 429 or told or "rate limit" in self.message.lower() or "abuse" in self.message.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """No whole answer came."""

    reason: str
    remedy: str = AGAIN
    was_sent: bool
    """Whether the server may have done what was asked all the same."""
    may_pass: bool = True
    """Whether another try may help."""


def pause(outcome: Answer | Lost, attempt: int, epoch: float) -> float | None:
    """Seconds to wait before another try; None where none would help. ``attempt`` counts from 0."""
    if isinstance(outcome, Lost):
        return BACKOFF[attempt] if outcome.may_pass else None
    if outcome.is_limit:
        return _told(outcome.headers, epoch) or UNTOLD[attempt]
    if outcome.status in {500, 502, 503, 504}:
        return max(BACKOFF[attempt], _seconds(outcome.headers.get("Retry-After", "")) or 0)
    return None


def is_doubtful(outcome: Answer | Lost) -> bool:
    """Whether the request may have been carried out although it looks failed."""
    return outcome.was_sent if isinstance(outcome, Lost) else outcome.status >= 500


def refusal(purpose: Purpose, outcome: Answer | Lost, wait: float | None = None) -> PublishError:
    """The line for people. ``wait``: until another try, which nobody has the time for."""
    if isinstance(outcome, Lost):
        return PublishError(what=purpose.what, reason=outcome.reason, remedy=outcome.remedy)
    said = f": {outcome.message.rstrip('.')}" if outcome.message else ""
    reason = f"the server answers with HTTP {outcome.status}{said}"
    if outcome.is_limit:
        lasts = f", and another try makes no sense before {wait:.0f} s are over" if wait else ""
        reason = f"the limit of requests is reached (HTTP {outcome.status}){lasts}"
    return PublishError(
        what=purpose.what,
        status=outcome.status,
        reason=reason,
        remedy=_remedy(purpose, outcome, is_limit=outcome.is_limit),
    )


def _remedy(purpose: Purpose, answer: Answer, *, is_limit: bool) -> str:
    if is_limit:
        return "Run it again later; if it happens often, give each job fewer runs, or a token with a larger limit."
    if answer.status in {403, 404}:
        return _how_it_may(purpose, answer)
    return AGAIN if answer.status >= 500 else REMEDIES.get(answer.status, READ)


def _how_it_may(purpose: Purpose, answer: Answer) -> str:
    """GitHub has one status for whoever may not, and for places where nobody may."""
    for word, remedy in CLOSED.items():
        if answer.status == 403 and word in answer.message.lower():
            return remedy
    needs = _accepted(answer.headers) or f"`{purpose.needs}`"
    missing = f"Give the token the permission {needs}; a pull request from a fork cannot have it."
    return f"{missing} {purpose.otherwise}".strip()


def _accepted(headers: Mapping[str, str]) -> str:
    """The permissions that the server itself names (``a=write,b=read; c=write``), in the words of a workflow."""
    alternatives = []
    for each in headers.get("X-Accepted-GitHub-Permissions", "")[:500].split(";"):
        rows = [_PERMISSION.fullmatch(word.strip()) for word in each.split(",")]
        if all(rows):
            alternatives.append(" and ".join(f"`{row[1].replace('_', '-')}: {row[2]}`" for row in rows if row))
    return " or ".join(alternatives)


def _told(headers: Mapping[str, str], epoch: float) -> float | None:
    """How long the server says that its limit lasts."""
    if seconds := _seconds(headers.get("Retry-After", "")):
        return seconds
    reset = _seconds(headers.get("X-RateLimit-Reset", ""))
    if headers.get("X-RateLimit-Remaining") != "0" or reset is None:
        return None
    return max(1.0, reset - epoch + 1)


def _seconds(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None
