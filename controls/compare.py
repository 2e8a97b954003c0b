"""Base and head, side by side: a pure function of two audits. What belongs together has the same fingerprint."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from controls.assemble import worst_first
from controls.fingerprint import group_now
from model.audit import Audit, AuditedResource, Comparison, Result, ResultStatus, Score
from model.control import Subject
from model.errors import UsageError
from model.finding import ScanStatus
from model.resource import Failure, Source, Stage

ORDINAL = re.compile(r"-\d+$")
"""What ``controls.fingerprint.unique`` appends."""
LogicalSource = tuple[str, str, str]
Identity = tuple[LogicalSource, str, str, str, str]
"""Source, API group, kind, namespace, name."""
ResourceKey = tuple[Identity, int]
ResultKey = tuple[ResourceKey, str, int]
"""Resource, fingerprint without ordinal, ordinal in the resource."""


def require_comparable(base: Audit, head: Audit) -> None:
    """Raise UsageError unless both were judged by the same scanners, rule sets, catalogue and policy."""
    for what, ours, theirs in (
        ("version of hardening-gate", head.tool_version, base.tool_version),
        ("list of scanners", _line_up(head), _line_up(base)),
        ("Kubernetes version", head.kube_version, base.kube_version),
        ("catalogue of controls", head.catalogue, base.catalogue),
        ("policy", head.policy, base.policy),
    ):
        if ours != theirs:
            raise UsageError(
                f"the two audits cannot be compared: {what} differs ({theirs} in base, {ours} in head)",
                "Audit both sides with the same version, scanners and configuration.",
            )


def compare(base: Audit, head: Audit) -> Comparison:
    """What head does to base. Raises UsageError for audits that do not compare (``require_comparable``)."""
    require_comparable(base, head)
    keys_before, keys_after = pair(base, head)
    before, after = _Side.of(base, keys_before), _Side.of(head, keys_after)
    both = sorted(before.failed.keys() & after.failed.keys())
    appeared = [after.failed[key] for key in after.failed.keys() - before.present]
    vanished = [before.failed[key] for key in before.failed.keys() - after.present]
    changed = _changed(before, after)
    return Comparison(
        base=base,
        head=head,
        patch=sum((resource.score for resource in changed), Score()),
        base_comparable=_comparable(before, after),
        head_comparable=_comparable(after, before),
        introduced=_sorted(result for result in appeared if not before.blind_to(result, after)),
        newly_visible=_sorted(result for result in appeared if before.blind_to(result, after)),
        resolved=_sorted(result for result in vanished if not after.blind_to(result, before)),
        uncompared=_sorted(result for result in vanished if after.blind_to(result, before)),
        persisting=_sorted(after.failed[key] for key in after.failed.keys() & before.present),
        moved=tuple(
            (before.failed[key], after.failed[key])
            for key in both
            if before.failed[key].location.path != after.failed[key].location.path
        ),
        changed_resources=tuple(sorted(resource.id for resource in changed)),
    )


def comparable(base: Audit, head: Audit) -> tuple[Score, Score]:
    """The scores of the part that both sides could judge."""
    keys_before, keys_after = pair(base, head)
    before, after = _Side.of(base, keys_before), _Side.of(head, keys_after)
    return _comparable(before, after), _comparable(after, before)


def pair(base: Audit, head: Audit) -> tuple[dict[str, ResourceKey], dict[str, ResourceKey]]:
    """Keys by resource id of both sides: equal where a resource of head is one of base.

    Objects that share an identity (``dev/web.yaml`` and ``prod/web.yaml``) belong together by their file first, then by
    what they hold, and only then by their order.
    """
    before, after = _by_identity(base), _by_identity(head)
    keys: tuple[dict[str, ResourceKey], dict[str, ResourceKey]] = ({}, {})
    for identity in sorted(before.keys() | after.keys()):
        for number, couple in enumerate(_couples(before.get(identity, []), after.get(identity, []))):
            for side, resource in zip(keys, couple, strict=True):
                if resource is not None:
                    side[resource.id] = (identity, number)
    return keys


def _by_identity(audit: Audit) -> dict[Identity, list[AuditedResource]]:
    sources = {source.id: _logical(source) for source in audit.sources}
    found: dict[Identity, list[AuditedResource]] = {}
    for resource in audit.resources:
        ref = resource.ref
        identity = (sources[resource.source], group_now(ref), ref.kind, ref.namespace, ref.name)
        found.setdefault(identity, []).append(resource)
    return found


def _couples(
    olds: Sequence[AuditedResource], news: Sequence[AuditedResource]
) -> Iterator[tuple[AuditedResource | None, AuditedResource | None]]:
    """Who belongs together, each one once; None where the other side has nobody."""
    marks: tuple[Callable[[AuditedResource], str], ...] = (
        lambda resource: resource.location.path,
        lambda resource: resource.digest,
        lambda _: "",
    )
    for mark in marks:
        waiting: dict[str, deque[AuditedResource]] = {}
        for new in news:
            waiting.setdefault(mark(new), deque()).append(new)
        alone = []
        for old in olds:
            if waiting.get(mark(old)):
                yield old, waiting[mark(old)].popleft()
            else:
                alone.append(old)
        olds, news = alone, [new for queue in waiting.values() for new in queue]
    yield from ((old, None) for old in olds)
    yield from ((None, new) for new in news)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One audit, indexed by what survives from commit to commit."""

    failed: Mapping[ResultKey, Result]
    present: frozenset[ResultKey]
    """Of failed and waived results."""
    resources: Mapping[ResourceKey, AuditedResource]
    keys: Mapping[str, ResourceKey]
    """By id of this side."""
    verdicts: Mapping[ResourceKey, frozenset[tuple[ResultKey, str]]]
    """All that failed or is waived, with the status."""
    blind_sources: frozenset[LogicalSource]
    patchy_sources: frozenset[LogicalSource]
    """Sources of which some file is missing: what depends on the neighbours cannot be told."""
    blind_paths: frozenset[str]
    broken_scanners: frozenset[str]
    """Scanners that looked at nothing."""
    blind_scanners: frozenset[tuple[str, ResourceKey]]
    """A scanner that did not show a resource."""

    @classmethod
    def of(cls, audit: Audit, keys: Mapping[str, ResourceKey]) -> _Side:
        sources = {source.id: _logical(source) for source in audit.sources}
        rows = {key: result for key, result in _keyed(audit.results, keys) if result.status is not ResultStatus.PASSED}
        verdicts: dict[ResourceKey, set[tuple[ResultKey, str]]] = {}
        for key, result in rows.items():
            verdicts.setdefault(key[0], set()).add((key, result.status))
        whole = [failure for failure in audit.unscanned if failure.resource is None and failure.scanner is None]
        return cls(
            failed={key: result for key, result in rows.items() if result.status is ResultStatus.FAILED},
            present=frozenset(rows),
            resources={keys[resource.id]: resource for resource in audit.resources},
            keys=keys,
            verdicts={key: frozenset(found) for key, found in verdicts.items()},
            blind_sources=frozenset(
                sources[f.source] for f in whole if f.source in sources and f.stage is Stage.RENDER
            ),
            patchy_sources=frozenset(sources[f.source] for f in whole if f.source in sources),
            blind_paths=frozenset(failure.path for failure in whole),
            broken_scanners=frozenset(
                scanner.name for scanner in audit.scanners if scanner.status is ScanStatus.FAILED
            ),
            blind_scanners=_blind_scanners(audit.unscanned, keys),
        )

    def blind_to(self, result: Result, other: _Side) -> bool:
        """Whether this side could not have shown a result that the other side has."""
        key = other.keys[result.resource]
        source = key[0][0]
        if source in self.blind_sources or result.location.path in self.blind_paths:
            return True
        if result.subject is Subject.SCOPE and source in self.patchy_sources:
            return True
        accusers = {witness.scanner for witness in result.witnesses if witness.verdict is ResultStatus.FAILED}
        return all(
            scanner in self.broken_scanners or (key in self.resources and (scanner, key) in self.blind_scanners)
            for scanner in accusers
        )


def _keyed(results: Iterable[Result], keys: Mapping[str, ResourceKey]) -> Iterator[tuple[ResultKey, Result]]:
    """Results by their resource and their own identity in it; ordinals across resources say nothing here."""
    seen: Counter[tuple[ResourceKey, str]] = Counter()
    for result in results:
        own = (keys[result.resource], ORDINAL.sub("", result.fingerprint))
        seen[own] += 1
        yield (*own, seen[own]), result


def _line_up(audit: Audit) -> str:
    return ", ".join(
        f"{scanner.name} {scanner.version}" for scanner in audit.scanners if scanner.status is not ScanStatus.SKIPPED
    )


def _logical(source: Source) -> LogicalSource:
    return (source.kind, source.name, source.environment)


def _blind_scanners(failures: Iterable[Failure], keys: Mapping[str, ResourceKey]) -> frozenset[tuple[str, ResourceKey]]:
    return frozenset(
        (failure.scanner, keys[failure.resource])
        for failure in failures
        if failure.scanner is not None and failure.resource is not None and failure.resource in keys
    )


def _changed(before: _Side, after: _Side) -> list[AuditedResource]:
    """Resources of head that are new, altered, or judged differently."""
    return [
        resource
        for key, resource in after.resources.items()
        if (old := before.resources.get(key)) is None
        or old.digest != resource.digest
        or old.score != resource.score
        or before.verdicts.get(key) != after.verdicts.get(key)
    ]


def _comparable(side: _Side, other: _Side) -> Score:
    """The score of the part that the other side could judge as well."""
    if side.broken_scanners != other.broken_scanners:
        return Score()
    return sum(
        (
            resource.score
            for (identity, _), resource in side.resources.items()
            if identity[0] not in side.blind_sources | other.blind_sources
            and resource.location.path not in side.blind_paths | other.blind_paths
        ),
        Score(),
    )


def _sorted(results: Iterable[Result]) -> tuple[Result, ...]:
    return tuple(sorted(results, key=worst_first))
