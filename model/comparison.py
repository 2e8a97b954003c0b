"""What two audits say together: what belongs to what, what changed, what the difference of the scores is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from model.audit import Audit, AuditedResource, Result, Score
from model.policy import PolicyChange
from model.resource import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Couple:
    """An object on both sides, or on the only side that has it: None in base is new, None in head is gone.

    Its scores leave out what only one side could judge.
    """

    base: AuditedResource | None
    head: AuditedResource | None
    containers: tuple[tuple[str, str], ...] = ()
    """Keys of its renamed containers: in base, in head."""
    is_comparable: bool = True
    """Both sides could judge it, or could have: only then it counts in the scores that are compared."""


class Part(StrEnum):
    """Why a score changes."""

    INTRODUCED = "introduced"
    RESOLVED = "resolved"
    NEWLY_VISIBLE = "newly-visible"
    UNCOMPARED = "uncompared"
    COUNTED = "counted"
    """Findings that persist and cost on one side only: waived on the other, or not scored there."""
    ADDED = "added"
    """Objects, as if nothing had failed on them."""
    REMOVED = "removed"
    JUDGED = "judged"
    """Controls that are judged on an object now: more of them than before."""
    UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of the difference."""

    part: Part
    points: Fraction
    """Of 100; negative where it lowers the score. 0 for a finding that costs nothing more than others did already."""
    resource: str
    """``AuditedResource.id`` in head; in base of what is gone."""
    result: Result | None = None
    """The finding; None where the share is the object's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlDelta:
    """What a control costs on both sides, in the part that both could judge."""

    control: str
    before: int
    after: int
    """Weights lost."""
    points: Fraction
    """Of 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDelta:
    """A source on both sides, in the part that both could judge; None where that side has no such source."""

    base: Source | None
    head: Source | None
    before: Score
    after: Score
    points: Fraction
    """Of 100: what it adds to the difference of the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Base and head, and what lies between them. Tuples are sorted worst first, then by place."""

    base: Audit
    head: Audit
    patch: Score
    """Of the resources that the change adds or alters."""
    base_comparable: Score
    head_comparable: Score
    """Of the sources that both sides could judge."""
    introduced: tuple[Result, ...]
    resolved: tuple[Result, ...]
    persisting: tuple[Result, ...]
    """As head shows them."""
    moved: tuple[tuple[Result, Result], ...]
    """Persisting ones that stand in another file: (base, head)."""
    newly_visible: tuple[Result, ...]
    """Failed in head; base could not be judged there."""
    uncompared: tuple[Result, ...]
    """Failed in base; head could not be judged there."""
    changed_resources: tuple[str, ...]
    """``AuditedResource.id`` in head."""
    unwaived: tuple[Result, ...] = ()
    """Of ``persisting``, those that a waiver covered in base and that none covers in head: what was accepted there is
    not accepted here."""
    untouched: frozenset[str] = frozenset()
    """Fingerprints of ``newly_visible`` in files that are the same on both sides, as far as that is known."""
    couples: tuple[Couple, ...] = ()
    """Every object of either side, in one of them; in the order of base, then those of head alone."""
    sources: tuple[tuple[str | None, str | None], ...] = ()
    """The same for ``Source.id`` in base and in head."""
    policy_changes: tuple[PolicyChange, ...] = ()
    """What head's configuration changes, whether or not it counts yet."""
    policy_of: str = "base"
    """The side whose policy has judged: ``base`` or ``head``."""
    shares: tuple[Share, ...] = ()
    """What the difference of the two comparable scores is made of; they sum up to it."""
    by_control: tuple[ControlDelta, ...] = ()
    """What changed most first, then the dearest."""
    by_source: tuple[SourceDelta, ...] = ()
    """By their places."""
