"""What the team decided: thresholds, waivers, overrides. Read from configuration and command line, used by controls."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from model.control import Severity


class AllowIncomplete(StrEnum):
    """Which unscanned items may pass."""

    NONE = "none"
    EXISTING = "existing"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Thresholds; None is "no such rule"."""

    fail_under: float | None = None
    """Score of head, 0 to 100."""
    fail_under_patch: float | None = None
    max_drop: float | None = None
    """Points that head may lie under base."""
    fail_on: Severity | None = None
    fail_on_new: Severity | None = Severity.HIGH
    allow_incomplete: AllowIncomplete = AllowIncomplete.EXISTING


@dataclass(frozen=True, slots=True, kw_only=True)
class PathGate:
    """Thresholds of their own for what lies under some paths; they count beside those of the whole."""

    paths: tuple[str, ...]
    """gitignore globs on reported paths."""
    fail_under: float | None = None
    fail_under_patch: float | None = None
    max_drop: float | None = None
    fail_on: Severity | None = None
    fail_on_new: Severity | None = None


class UnusedWaivers(StrEnum):
    """What a waiver does that covers nothing, or is expired."""

    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An accepted risk."""

    control: str
    resource: str
    """``Kind/namespace/name`` with ``*`` globs, ``-`` for no namespace, or ``Kind/name``; empty for any."""
    container: str | None = None
    """``Container.key`` with ``*`` globs; None for the object and all containers."""
    path: str | None = None
    """A gitignore glob on the reported path."""
    reason: str
    owner: str
    expires: dt.date | None = None
    """The last day on which it covers, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """The way out in an emergency: with this label a pull request passes, and every report says so."""

    label: str
    """Upper and lower case are the same, as on GitHub."""
    teams: tuple[str, ...] = ()
    """``org/team``: who may set it; none: whoever may set labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All policy keys of the configuration, command line merged in."""

    gate: Gate = field(default_factory=Gate)
    gates: tuple[PathGate, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    unused_waivers: UnusedWaivers = UnusedWaivers.WARN
    severities: Mapping[str, Severity] = field(default_factory=dict)
    """Overrides by control id."""
    off: frozenset[str] = frozenset()
    """Controls switched off."""
    frameworks: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    """gitignore globs."""
    scanners: tuple[str, ...] = ("native", "polaris", "kube-score", "trivy")
    chart_repositories: tuple[str, ...] = ()
    """URL prefixes from which ``deps`` may fetch."""
    break_glass: BreakGlass | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """What head changes in the policy: one value, or one entry of a list."""

    key: str
    """Of the configuration, dotted."""
    before: str
    """In words; empty where base has none."""
    after: str
    weakens: bool
    """Less is demanded, looked at or blocked than before."""
