"""Base and head, side by side: a pure function of two audits.

Which objects belong together says `comparison.pairing`, what could not be seen says `comparison.sight`. A finding
persists where the same object and container had the same flaw before, whether it was waived or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from controls.assemble import worst_first
from controls.comparison.attribution import settled, with_shares
from controls.comparison.pairing import Key, pair, renamed_flaws
from controls.comparison.sight import Sight
from controls.comparison.source_pairing import pair_sources
from controls.fingerprint import of_container, parts
from model.audit import Audit, AuditedResource, Result, ResultStatus, Score
from model.comparison import Comparison, Couple
from model.control import Subject
from model.errors import UsageError
from model.finding import ScanStatus
from model.resource import Source


def require_comparable(base: Audit, head: Audit) -> None:
    """Raise UsageError unless both were judged by the same scanners, rule sets, catalogue and policy."""
    for what, ours, theirs in (
        ("version of hardening-gate", head.tool_version, base.tool_version),
        ("list of scanners", _line_up(head), _line_up(base)),
        ("Kubernetes version", head.kube_version, base.kube_version),
        ("catalogue of controls", head.catalogue, base.catalogue),
        ("policy", head.policy, base.policy),
        ("form of fingerprints", _form(head, base), _form(base, head)),
    ):
        if ours != theirs:
            raise UsageError(
                f"the two audits cannot be compared: {what} differs ({theirs} in base, {ours} in head)",
                "Audit both sides with the same version, scanners and configuration.",
            )


def compare(base: Audit, head: Audit) -> Comparison:
    """What head does to base. Raises UsageError for audits that do not compare (``require_comparable``)."""
    require_comparable(base, head)
    counterparts = pair_sources(base, head)
    couples = pair(base, head, counterparts)
    before = _Side.of_base(base, couples, counterparts)
    after = _Side.of_head(head, couples, counterparts)
    before, after = before.beside(after), after.beside(before)
    before = before.called(renamed_flaws(couples, before.present, after.present))
    couples = tuple(
        replace(couple, is_comparable=_is_comparable(before, after, number)) for number, couple in enumerate(couples)
    )
    changed = [each for number, each in enumerate(after.resources) if each and _is_changed(before, after, number)]
    appeared = [key for key in after.failed if key not in before.present]
    vanished = [key for key in before.failed if key not in after.present]
    return with_shares(
        _scored(
            Comparison(
                base=base,
                head=head,
                patch=sum((resource.score for resource in changed), Score()),
                base_comparable=Score(),
                head_comparable=Score(),
                introduced=_sorted(after.failed[key] for key in appeared if not before.hides(key, after)),
                newly_visible=_sorted(after.failed[key] for key in appeared if before.hides(key, after)),
                resolved=_sorted(before.failed[key] for key in vanished if not after.hides(key, before)),
                uncompared=_sorted(before.failed[key] for key in vanished if after.hides(key, before)),
                persisting=_sorted(result for key, result in after.failed.items() if key in before.present),
                unwaived=_sorted(
                    result for key, result in after.failed.items() if key in before.present and key not in before.failed
                ),
                moved=tuple(_moved(before, after)),
                changed_resources=tuple(sorted(resource.id for resource in changed)),
                couples=couples,
                sources=tuple(_sources(base, head, counterparts)),
            )
        )
    )


def _scored(comparison: Comparison) -> Comparison:
    """The same comparison, with the scores over what both sides could judge."""
    couples = settled(comparison)
    before, after = comparable(couples)
    return replace(comparison, couples=couples, base_comparable=before, head_comparable=after)


def comparable(couples: Iterable[Couple]) -> tuple[Score, Score]:
    """The scores of base and head over what both sides could judge."""
    both = [couple for couple in couples if couple.is_comparable]
    return (
        sum((couple.base.score for couple in both if couple.base), Score()),
        sum((couple.head.score for couple in both if couple.head), Score()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One audit, indexed by what survives from commit to commit."""

    resources: Sequence[AuditedResource | None]
    """By number of the couple."""
    present: Mapping[Key, Result]
    """Failed and waived results."""
    failed: Mapping[Key, Result]
    verdicts: Mapping[int, frozenset[tuple[Key, str]]]
    """Of failed and waived results, by number of the couple."""
    sources: Mapping[str, Source]
    counterparts: Mapping[str, str]
    """Ids of sources of the other side, by ids of this one."""
    containers: Mapping[int, Mapping[str, str]]
    """Keys on the other side of containers that have another one there, by number of the couple and key here."""
    sight: Sight
    unsettled: frozenset[str] = frozenset()
    """Ids of sources of which the other side could read more, or less, or something else."""

    @classmethod
    def of_base(cls, audit: Audit, couples: Sequence[Couple], counterparts: Mapping[str, str]) -> _Side:
        """The side that was: its containers are called in keys as head calls them."""
        containers = {number: dict(each.containers) for number, each in enumerate(couples) if each.containers}
        parts_of: Mapping[tuple[int, str | None], str] = {
            (number, of_container(old)): of_container(new)
            for number, names in containers.items()
            for old, new in names.items()
        }
        return cls._of(audit, [couple.base for couple in couples], counterparts, containers, parts_of)

    @classmethod
    def of_head(cls, audit: Audit, couples: Sequence[Couple], counterparts: Mapping[str, str]) -> _Side:
        """The side that is; ``counterparts`` as for base."""
        there = {new: old for old, new in counterparts.items()}
        containers = {
            number: {new: old for old, new in each.containers} for number, each in enumerate(couples) if each.containers
        }
        return cls._of(audit, [couple.head for couple in couples], there, containers, {})

    @classmethod
    def _of(
        cls,
        audit: Audit,
        resources: Sequence[AuditedResource | None],
        counterparts: Mapping[str, str],
        containers: Mapping[int, Mapping[str, str]],
        parts_of: Mapping[tuple[int, str | None], str],
    ) -> _Side:
        numbers = {resource.id: number for number, resource in enumerate(resources) if resource}
        rows = (row for row in audit.results if row.status is not ResultStatus.PASSED)
        present = dict(_keyed(rows, numbers, parts_of))
        return cls(
            resources=resources,
            present=present,
            failed=_failed(present),
            verdicts=_verdicts(present),
            sources={source.id: source for source in audit.sources},
            counterparts=counterparts,
            containers=containers,
            sight=Sight.of(audit),
        )

    def called(self, names: Mapping[Key, Key]) -> _Side:
        """The same side with some flaws under the keys that they have on the other one."""
        if not names:
            return self
        present = {names.get(key, key): result for key, result in self.present.items()}
        return replace(self, present=present, failed=_failed(present), verdicts=_verdicts(present))

    def beside(self, there: _Side) -> _Side:
        """The same side, which knows of which sources the other has read something else."""
        return replace(
            self,
            unsettled=frozenset(
                source.id
                for source in self.sources.values()
                if self.sight.missing(source, source.id)
                != there.sight.missing(source, self.counterparts.get(source.id))
            ),
        )

    def hides(self, key: Key, there: _Side) -> bool:
        """Whether this side could not have shown a result that the other side has."""
        result, here = there.present[key], self.resources[key[0]]
        if here is not None:
            container = there.containers.get(key[0], {}).get(result.container or "", result.container)
            return self.hides_neighbours(key, there) or self.sight.hides_verdict(result, here, container)
        resource = there.resources[key[0]]
        assert resource is not None
        return (
            self.hides_object(resource, there) or self.hides_neighbours(key, there) or self.sight.lacks_scanners(result)
        )

    def hides_neighbours(self, key: Key, there: _Side) -> bool:
        """Whether a verdict may differ for a neighbour alone that one of the sides could not read.

        Where the object itself is the same, whatever is said of it otherwise is for its neighbours.
        """
        here, twin = self.resources[key[0]], there.resources[key[0]]
        assert twin is not None
        if twin.source not in there.unsettled and (here is None or here.source not in self.unsettled):
            return False
        return there.present[key].subject is Subject.SCOPE or (here is not None and here.digest == twin.digest)

    def hides_object(self, resource: AuditedResource, there: _Side) -> bool:
        """Whether a resource that only the other side has may be here unseen."""
        counterpart = there.counterparts.get(resource.source)
        return self.sight.hides_object(resource, there.sources[resource.source], counterpart)


def _keyed(
    results: Iterable[Result], numbers: Mapping[str, int], parts_of: Mapping[tuple[int, str | None], str]
) -> Iterator[tuple[Key, Result]]:
    """Results by their own identity in their couple; ordinals across resources say nothing here."""
    seen: Counter[tuple[int, str | None, str]] = Counter()
    for result in results:
        number = numbers[result.resource]
        container, flaw = parts(result.fingerprint, result.container)
        own = (number, parts_of.get((number, container), container), flaw)
        seen[own] += 1
        yield (*own, seen[own]), result


def _failed(present: Mapping[Key, Result]) -> Mapping[Key, Result]:
    return {key: result for key, result in present.items() if result.status is ResultStatus.FAILED}


def _verdicts(present: Mapping[Key, Result]) -> Mapping[int, frozenset[tuple[Key, str]]]:
    found: dict[int, set[tuple[Key, str]]] = {}
    for key, result in present.items():
        found.setdefault(key[0], set()).add((key, result.status))
    return {number: frozenset(verdicts) for number, verdicts in found.items()}


def _is_comparable(before: _Side, after: _Side, number: int) -> bool:
    """Whether both sides could judge an object, or could have."""
    if before.sight.scanners != after.sight.scanners:
        return False
    old, new = before.resources[number], after.resources[number]
    if old is None:
        return new is not None and not before.hides_object(new, after)
    if new is None:
        return not after.hides_object(old, before)
    return before.sight.unseen.get(old.id) == after.sight.unseen.get(new.id)


def _is_changed(before: _Side, after: _Side, number: int) -> bool:
    """Whether an object of head is new, altered, or judged differently."""
    old, new = before.resources[number], after.resources[number]
    assert new is not None
    return (
        old is None
        or old.digest != new.digest
        or old.score != new.score
        or before.verdicts.get(number) != after.verdicts.get(number)
    )


def _moved(before: _Side, after: _Side) -> Iterator[tuple[Result, Result]]:
    """What failed on both sides, and stands in another file now."""
    couples = ((before.failed[key], new) for key, new in after.failed.items() if key in before.failed)
    moved = (each for each in couples if each[0].location.path != each[1].location.path)
    yield from sorted(moved, key=lambda each: worst_first(each[1]))


def _sources(base: Audit, head: Audit, counterparts: Mapping[str, str]) -> Iterator[tuple[str | None, str | None]]:
    """Every source of either side, once."""
    yield from ((source.id, counterparts.get(source.id)) for source in base.sources)
    taken = set(counterparts.values())
    yield from ((None, source.id) for source in head.sources if source.id not in taken)


def _line_up(audit: Audit) -> str:
    return ", ".join(
        f"{scanner.name} {scanner.version}" for scanner in audit.scanners if scanner.status is not ScanStatus.SKIPPED
    )


def _form(audit: Audit, other: Audit) -> str:
    """Audits of earlier versions remember no content; the parts of their fingerprints mean nothing to later ones."""
    sides = audit.resources and other.resources
    return "three parts" if not sides or any(resource.contents for resource in audit.resources) else "whole"


def _sorted(results: Iterable[Result]) -> tuple[Result, ...]:
    return tuple(sorted(results, key=worst_first))
