"""Everything known about one tree, which survives a round trip through JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from model.control import Severity, Subject
from model.finding import Drop, ScanStatus
from model.policy import Waiver
from model.record import record
from model.resource import Excluded, Failure, Location, Note, ResourceRef, Source, Stage


class ResultStatus(StrEnum):
    """What the judges said together."""

    FAILED = "failed"
    PASSED = "passed"
    WAIVED = "waived"


@record(frozen=True, slots=True, kw_only=True)
class Witness:
    """A scanner that judged this very subject."""

    scanner: str
    rule: str
    verdict: ResultStatus
    """``failed`` or ``passed``: a disagreement shows both."""
    message: str = ""


@record(frozen=True, slots=True, kw_only=True)
class Result:
    """One control on one subject, with everybody who judged it."""

    control: str
    severity: Severity
    status: ResultStatus
    resource: str
    """``AuditedResource.id``."""
    subject: Subject
    container: str | None
    """``Container.key``."""
    field: str | None
    """Dotted path from the root of the object."""
    message: str
    fingerprint: str
    """Identity across commits: no line, message, version or file path in it."""
    location: Location
    witnesses: tuple[Witness, ...]
    waiver: Waiver | None = None


@record(frozen=True, slots=True, kw_only=True)
class Score:
    """Weights earned and possible; a percentage only in the formatter. ``possible == 0`` is "n/a"."""

    earned: int = 0
    possible: int = 0

    def __add__(self, other: Score) -> Score:
        """The score of both parts together."""
        return Score(earned=self.earned + other.earned, possible=self.possible + other.possible)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedContainer:
    """What an audit remembers of a container."""

    key: str
    """``Container.key``."""
    contents: tuple[str, ...]
    """Digests of its list in the pod and of all that it says but its name (``controls.comparison.contents``)."""


@record(frozen=True, slots=True, kw_only=True)
class AuditedResource:
    """What an audit remembers of a resource."""

    id: str
    source: str
    ref: ResourceRef
    version: str
    """API version without the group."""
    digest: str
    location: Location
    score: Score
    stem: str | None = None
    """The name without its content hash, where the build says that it has one."""
    contents: tuple[str, ...] = ()
    """Digests of what it says but its name (``controls.comparison.contents``); none in an audit that remembers none."""
    containers: tuple[AuditedContainer, ...] = ()


ALL_OF_PODS = "*"
"""In place of a control id: every control about pods and containers."""


@record(frozen=True, slots=True, kw_only=True)
class NotJudged:
    """A control that applies to a subject that nobody could judge. Not in the score, never a pass."""

    resource: str
    """``AuditedResource.id``; ``*`` for a control that no scanner of this run has a rule for."""
    container: str | None
    control: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerState:
    """A scanner of this audit."""

    name: str
    version: str
    status: ScanStatus
    reason: str | None = None
    raw_findings: int = 0
    """As counted in the scanner's own report: each is a witness or among the dropped."""
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What was looked at, and what was not."""

    files: int
    documents: int
    resources: int
    excluded: tuple[Excluded, ...]
    not_judged: tuple[NotJudged, ...]
    notes: tuple[Note, ...]
    drops: tuple[Drop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Everything known about one tree."""

    tool_version: str
    catalogue: str
    """``sha256:`` digest of the catalogue."""
    policy: str
    """``sha256:`` digest of the policy that judged."""
    kube_version: str
    scanners: tuple[ScannerState, ...]
    sources: tuple[Source, ...]
    resources: tuple[AuditedResource, ...]
    results: tuple[Result, ...]
    """Failed and waived ones; passed ones only where asked for."""
    failures: tuple[Failure, ...]
    coverage: Coverage
    score: Score
    unused_waivers: tuple[Waiver, ...] = ()
    """Valid ones that covered nothing."""
    expired_waivers: tuple[Waiver, ...] = ()
    """No longer of use, whatever they name."""

    @property
    def names(self) -> dict[str, str]:
        """What people call each resource, by id: ``Kind/namespace/name``."""
        return {resource.id: str(resource.ref) for resource in self.resources}

    @property
    def unscanned(self) -> tuple[Failure, ...]:
        """Failures that leave something unjudged."""
        return tuple(failure for failure in self.failures if failure.stage is not Stage.PUBLISH)
