"""Whose policy and which sources count, and what they say once the command line has had its word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from controls.catalogue import Catalogue
from controls.configuration import Configuration, require_framework
from controls.policy_changes import policy_changes, source_changes
from manifests.files import NotReadError, kind_of, read_file, reported
from manifests.text.parse import parse
from model.errors import UsageError
from model.policy import Policy, PolicyChange
from model.sources import SourceEntry
from model.verdict import Reason
from settings import CONFIG, DepsSettings, ScanSettings
from verbs.outcome import under
from verbs.sides import Sides
from verbs.sources import Sources, settle_sources

REMEDY = "Write one YAML mapping that starts with `version: 1`; see docs/usage.md."


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a run goes by."""

    policy: Policy
    objections: tuple[Reason, ...]
    """What is wrong with a configuration of head that does not count yet: that blocks."""
    sources: Sources
    changes: tuple[PolicyChange, ...] = ()
    """What head's configuration changes in that of base."""


def settle(wanted: ScanSettings, catalogue: Catalogue, sides: Sides) -> Settled:
    """The policy and the sources of this run.

    Raises UsageError for a configuration that counts and makes no sense.
    """
    for framework in wanted.frameworks:
        require_framework(framework)
    of_base, is_head = sides.policy_root, sides.policy == "head"
    head, base = _both(_Asked.of(wanted, sides.policy), catalogue, sides.head.root, of_base)
    policy = (head if is_head else base).policy
    base_root = sides.base.root if sides.base else None
    sources = settle_sources(head.sources, base.sources, sides.head.root, base_root, may_narrow=is_head)
    return Settled(
        policy=replace(
            policy,
            gate=under(policy.gate, wanted.gate),
            frameworks=wanted.frameworks or policy.frameworks,
            scanners=wanted.scanners or policy.scanners,
        ),
        objections=() if is_head else tuple(_objections(head.error)),
        sources=sources,
        changes=_changes(base, head, catalogue) if of_base is not None else (),
    )


def stated(
    wanted: DepsSettings, catalogue: Catalogue, head_root: Path, base_root: Path | None
) -> tuple[Policy, Sources]:
    """Policy and sources, as the configurations that count state them. Raises UsageError."""
    head, base = _both(_Asked.of(wanted, wanted.policy), catalogue, head_root, base_root)
    is_head = wanted.policy == "head"
    sources = settle_sources(head.sources, base.sources, head_root, base_root, may_narrow=is_head)
    return (head if is_head else base).policy, sources


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the command line says about the configuration."""

    file: Path
    is_named: bool
    policy: str

    @classmethod
    def of(cls, wanted: ScanSettings | DepsSettings, policy: str) -> _Asked:
        return cls(file=wanted.config or Path(CONFIG), is_named=wanted.config is not None, policy=policy)


def _both(asked: _Asked, catalogue: Catalogue, head_root: Path, base_root: Path | None) -> tuple[_Read, _Read]:
    """What the configurations of head and base say. Raises UsageError where the one that counts makes no sense."""
    if asked.policy == "base" and base_root is None:
        raise UsageError(
            "the policy of base counts, and base is no folder and no commit",
            "Name one with --base, or use --policy head.",
        )
    if not asked.file.is_absolute() and ".." in asked.file.parts:
        raise UsageError(
            f"the configuration {asked.file} lies outside of the tree", "Name a file relative to the root."
        )
    roots = [root for root in (head_root, base_root) if root is not None]
    if asked.is_named and asked.policy == "base" and not any(kind_of(root / asked.file) for root in roots):
        raise UsageError(
            f"the configuration {asked.file} is neither in base nor in head", "Name a file relative to the root."
        )
    head = _Read.of(head_root, asked, catalogue, is_optional=not asked.is_named or asked.policy == "base")
    base = _Read() if base_root is None else _Read.of(base_root, asked, catalogue, is_optional=True)
    error = (head if asked.policy == "head" else base).error
    if error is not None:
        raise error
    return head, base


def _changes(base: _Read, head: _Read, catalogue: Catalogue) -> tuple[PolicyChange, ...]:
    """Nothing where one of them makes no sense: that is told by itself."""
    if base.error or head.error:
        return ()
    return (
        *policy_changes(base.policy, head.policy, catalogue.controls),
        *source_changes(base.sources, head.sources),
    )


def _objections(error: UsageError | None) -> Iterator[Reason]:
    """A configuration that would break the gate after the merge."""
    if error is not None:
        yield Reason(rule="configuration", number=error.message, limit="a valid configuration", remedy=error.remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What the configuration of one side says, or why it says nothing."""

    policy: Policy = field(default_factory=Policy)
    sources: tuple[SourceEntry, ...] = ()
    error: UsageError | None = None

    @classmethod
    def of(cls, root: Path, asked: _Asked, catalogue: Catalogue, *, is_optional: bool) -> _Read:
        try:
            configuration = _configuration(root / asked.file, root, is_optional=is_optional)
            if configuration is None:
                return cls()
            return cls(policy=configuration.policy(catalogue.controls), sources=configuration.sources())
        except UsageError as error:
            return cls(error=error)


def _configuration(file: Path, root: Path, *, is_optional: bool) -> Configuration | None:
    """The configuration of a tree; None where it has none and needs none."""
    if kind_of(file) is None:
        if is_optional:
            return None
        raise UsageError(f"the configuration {reported(file)} does not exist", "Name a file relative to the root.")
    name = reported(file.relative_to(root)) if file.is_relative_to(root) else reported(file)
    try:
        parsed = parse(read_file(file))
    except NotReadError as error:
        raise UsageError(f"{name}: {error.reason}", error.remedy) from error
    for remark in parsed.broken:
        raise UsageError(f"{name}:{remark.line}: {remark.reason}", REMEDY)
    if len(parsed.documents) != 1:
        raise UsageError(f"{name}: holds {len(parsed.documents)} documents instead of one", REMEDY)
    document = parsed.documents[0]
    for path in document.duplicate_keys:
        mark, _ = document.marks.at(path)
        raise UsageError(f"{name}:{mark.line}: the key {path[-1]!r} stands there twice", "Keep one of them.")
    return Configuration(name, document.value, document.marks)
