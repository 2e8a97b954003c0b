"""What we require of manifests. A rule of a scanner is an alias; the control is the thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a failed control is, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def weight(self) -> int:
        """Points at stake for one subject (docs/usage.md, "The score")."""
        return WEIGHTS[self]

    def at_least(self, other: Severity) -> bool:
        """Whether this is as bad as ``other`` or worse."""
        return RANKS[self] <= RANKS[other]


WEIGHTS: Mapping[Severity, int] = {
    Severity.CRITICAL: 16,
    Severity.HIGH: 8,
    Severity.MEDIUM: 4,
    Severity.LOW: 1,
    Severity.INFO: 0,
}
RANKS: Mapping[Severity, int] = {severity: rank for rank, severity in enumerate(Severity)}


class Subject(StrEnum):
    """What one verdict of a control is about."""

    RESOURCE = "resource"
    POD = "pod"
    CONTAINER = "container"
    SCOPE = "scope"
    """A resource seen together with the others of its scope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applies:
    """The predicate that says which subjects a control is about."""

    kinds: frozenset[str]
    """``Kind`` or ``group/Kind``; the word ``workload`` stands for every object that bears pods, ``*`` for all."""
    containers: frozenset[str] = frozenset()
    """Values of ContainerKind; empty where the subject is no container."""
    when: tuple[str, ...] = ()
    """Names of predicates in ``controls/applicability.py``; all must hold."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Control:
    """One requirement, with all that people ask about it."""

    id: str
    title: str
    category: str
    severity: Severity
    subject: Subject
    applies: Applies
    why: str
    remedy: str
    compliance: Mapping[str, tuple[str, ...]]
    """References by framework: ``cis-1.10``, ``cis-1.12``, ``nsa-cisa``, ``pss-baseline``, ``pss-restricted``,
    ``mitre``, ``owasp-2022``, ``owasp-2025``."""
    rules: Mapping[str, tuple[str, ...]]
    """Rule ids by scanner."""
    each_field: bool = False
    """Every field that is at fault is a result of its own, not just every item of a list."""
    unmapped: bool = False
    """Made at run time for a rule that the catalogue does not know: gated by severity, not scored."""
