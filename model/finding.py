"""What scanners say, before anybody judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from model.record import record
from model.resource import Resource
from model.values import FieldPath

OBJECT = ""
"""The key under which an opinion speaks of the object itself; containers stand under ``Container.key``."""


@record(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule of one scanner that fired on a subject of one resource."""

    rule: str
    """The scanner's own id, verbatim."""
    container: str = OBJECT
    """``Container.key``, or ``OBJECT``."""
    field: FieldPath | None = None
    """From the root of the object; None where the scanner does not say."""
    about: tuple[str, ...] = ()
    """Names of what is at fault, where the list item that ``field`` leads to does not tell one flaw from another."""
    message: str
    """Free of values that may be secret."""
    severity: str = ""
    """The scanner's own, verbatim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Raw findings of a scanner that do not become witnesses, counted, with the reason."""

    scanner: str
    rule: str
    reason: str
    count: int = 1


@record(frozen=True, slots=True, kw_only=True)
class Opinion:
    """All that one scanner said about one resource. What is in neither list was not judged."""

    findings: tuple[Finding, ...] = ()
    passed: Mapping[str, frozenset[str]]
    """Rules passed explicitly, by ``OBJECT`` or ``Container.key``; share the sets, they are many."""
    drops: tuple[Drop, ...] = ()
    """Raw findings about this resource that the adapter could not turn into a Finding."""

    @property
    def raw_findings(self) -> int:
        """How many raw findings it accounts for."""
        return len(self.findings) + (sum(drop.count for drop in self.drops) if self.drops else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Why a scanner that supports a resource has not shown it."""

    reason: str
    remedy: str


class ScanStatus(StrEnum):
    """Whether a scanner could do its work."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The answer of one scanner about a set of resources, of one side or of both."""

    scanner: str
    version: str
    status: ScanStatus
    """``failed`` only when no resource at all could be looked at."""
    reason: str | None = None
    opinions: Mapping[Resource, Opinion]
    """Every resource that the scanner has shown in its output (resources are compared by identity)."""
    missing: Mapping[Resource, Missing]
    """Every resource that it supports and did not show."""
    drops: tuple[Drop, ...] = ()
    """Raw findings that belong to no resource of ours."""
    raw_findings: int
    """Failing verdicts in the scanner's own reports, once for each resource that shares the judged copy:
    equal to the findings and drops of all opinions, and the drops above."""

    @property
    def unaccounted(self) -> int:
        """How many raw findings became neither a Finding nor a Drop: 0, or the adapter has a defect."""
        told = sum(opinion.raw_findings for opinion in self.opinions.values())
        return self.raw_findings - told - sum(drop.count for drop in self.drops)
