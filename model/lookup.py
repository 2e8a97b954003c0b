"""What the catalogue answers when somebody asks for an id: controls, with every rule by which scanners judge them."""

from __future__ import annotations

from dataclasses import dataclass

from model.control import Control


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A rule of a scanner that stands for a control."""

    scanner: str
    rule: str
    contains: str = ""
    """Only a finding whose text holds this fails the control; empty: whatever it says, or no other text fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A control and all that judge it, sorted."""

    control: Control
    judges: tuple[Judge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRule:
    """A scanner's rule that an id leads to."""

    scanner: str
    rule: str
    not_ours: str = ""
    """Why it is no control of ours; empty where it is one."""
    remark: str = ""
    """What is odd about the way in which it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A place in a framework that an id leads to."""

    framework: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that one id leads to; at least one of the three is there."""

    rules: tuple[KnownRule, ...]
    references: tuple[Reference, ...]
    entries: tuple[Entry, ...]
    """Every control that is meant, worst first."""
