"""Base and head, side by side: a pure function of two audits. What belongs together has the same fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controls.assemble import worst_first
from controls.fingerprint import group_now
from model.audit import Audit, AuditedResource, Comparison, Result, ResultStatus, Score
from model.control import Subject
from model.errors import UsageError
from model.finding import ScanStatus
from model.resource import Failure, Source, Stage

LogicalSource = tuple[str, str, str]
ResourceKey = tuple[LogicalSource, str, str, str, str, int]


def require_comparable(base: Audit, head: Audit) -> None:
    """Raise UsageError unless both were judged by the same scanners, rule sets, catalogue and policy."""
    for what, ours, theirs in (
        ("version of hardening-gate", head.tool_version, base.tool_version),
        ("catalogue of controls", head.catalogue, base.catalogue),
        ("policy", head.policy, base.policy),
        ("Kubernetes version", head.kube_version, base.kube_version),
        ("scanners", _line_up(head), _line_up(base)),
    ):
        if ours != theirs:
            raise UsageError(
                f"the two audits cannot be compared: {what} differs ({theirs} in base, {ours} in head)",
                "Audit both sides with the same version, scanners and configuration.",
            )


def compare(base: Audit, head: Audit) -> Comparison:
    """What head does to base. Raises UsageError for audits that do not compare (``require_comparable``)."""
    require_comparable(base, head)
    before, after = _Side.of(base), _Side.of(head)
    both = before.failed.keys() & after.failed.keys()
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
            for key in sorted(both)
            if before.failed[key].location.path != after.failed[key].location.path
        ),
        changed_resources=tuple(sorted(resource.id for resource in changed)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One audit, indexed by what survives from commit to commit."""

    failed: Mapping[str, Result]
    """By fingerprint."""
    present: frozenset[str]
    """Fingerprints of failed and waived results."""
    sources: Mapping[str, LogicalSource]
    """By id of this side."""
    resources: Mapping[ResourceKey, AuditedResource]
    keys: Mapping[str, ResourceKey]
    """By id of this side."""
    verdicts: Mapping[str, frozenset[tuple[str, str]]]
    """By resource id: (fingerprint, status) of all that failed or is waived."""
    blind_sources: frozenset[LogicalSource]
    patchy_sources: frozenset[LogicalSource]
    """Sources of which some file is missing: what depends on the neighbours cannot be told."""
    blind_paths: frozenset[str]
    blind_scanners: frozenset[tuple[str, ResourceKey]]
    """A scanner that did not show a resource."""

    @classmethod
    def of(cls, audit: Audit) -> _Side:
        sources = {source.id: _logical(source) for source in audit.sources}
        keys = _resource_keys(audit.resources, sources)
        verdicts: dict[str, set[tuple[str, str]]] = {}
        for result in audit.results:
            if result.status is not ResultStatus.PASSED:
                verdicts.setdefault(result.resource, set()).add((result.fingerprint, result.status))
        whole = [failure for failure in audit.unscanned if failure.resource is None]
        return cls(
            failed={result.fingerprint: result for result in audit.results if result.status is ResultStatus.FAILED},
            present=frozenset(
                result.fingerprint for result in audit.results if result.status is not ResultStatus.PASSED
            ),
            sources=sources,
            resources={keys[resource.id]: resource for resource in audit.resources},
            keys=keys,
            verdicts={id_: frozenset(rows) for id_, rows in verdicts.items()},
            blind_sources=frozenset(
                sources[f.source] for f in whole if f.source in sources and f.stage is Stage.RENDER
            ),
            patchy_sources=frozenset(sources[f.source] for f in whole if f.source in sources),
            blind_paths=frozenset(failure.path for failure in whole),
            blind_scanners=_blind_scanners(audit.unscanned, keys),
        )

    def blind_to(self, result: Result, other: _Side) -> bool:
        """Whether this side could not have shown a result that the other side has."""
        key = other.keys[result.resource]
        if key[0] in self.blind_sources or result.location.path in self.blind_paths:
            return True
        if result.subject is Subject.SCOPE and key[0] in self.patchy_sources:
            return True
        accusers = {witness.scanner for witness in result.witnesses if witness.verdict is ResultStatus.FAILED}
        return key in self.resources and all((scanner, key) in self.blind_scanners for scanner in accusers)


def _line_up(audit: Audit) -> str:
    return ", ".join(
        f"{scanner.name} {scanner.version}" for scanner in audit.scanners if scanner.status is not ScanStatus.SKIPPED
    )


def _logical(source: Source) -> LogicalSource:
    return (source.kind, source.name, source.environment)


def _resource_keys(
    resources: Iterable[AuditedResource], sources: Mapping[str, LogicalSource]
) -> dict[str, ResourceKey]:
    """Keys by id; objects of the same identity are told apart by their order."""
    seen: dict[tuple[LogicalSource, str, str, str, str], int] = {}
    keys: dict[str, ResourceKey] = {}
    for resource in resources:
        ref = resource.ref
        plain = (sources[resource.source], group_now(ref), ref.kind, ref.namespace, ref.name)
        seen[plain] = seen.get(plain, 0) + 1
        keys[resource.id] = (*plain, seen[plain])
    return keys


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
        or before.verdicts.get(old.id) != after.verdicts.get(resource.id)
    ]


def _comparable(side: _Side, other: _Side) -> Score:
    """The score of the part that the other side could judge as well."""
    return sum(
        (
            resource.score
            for key, resource in side.resources.items()
            if key[0] not in side.blind_sources | other.blind_sources
            and resource.location.path not in side.blind_paths | other.blind_paths
        ),
        Score(),
    )


def _sorted(results: Iterable[Result]) -> tuple[Result, ...]:
    return tuple(sorted(results, key=worst_first))
