"""What the gate decides, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from model.audit import Result


class VerdictWord(StrEnum):
    """The verdict in one word."""

    PASSED = "passed"
    BLOCKED = "blocked"
    INCOMPLETE = "incomplete"
    NOT_COMPARED = "not-compared"
    NOTHING_TO_SCAN = "nothing-to-scan"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One rule of the gate that blocks: number, limit and what would satisfy it."""

    rule: str
    number: str
    limit: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """The label for emergencies is set, and the server has confirmed by whom: it lets pass what would be stopped."""

    label: str
    set_by: str
    """Login."""
    team: str | None = None
    """``org/team`` that has this member; None where whoever may set labels may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """The label for emergencies is set, and does not count."""

    label: str
    set_by: str | None
    """Login; None where nobody tells."""
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate decides."""

    word: VerdictWord
    exit_code: int
    reasons: tuple[Reason, ...]
    blocking: tuple[Result, ...]
    """Results that a rule of the gate names."""
    remarks: tuple[str, ...] = ()
    """What was compared with what, and what people must know about it: sentences without a full stop."""
    emergency: Emergency | None = None
    """Why it passes in spite of its reasons."""
