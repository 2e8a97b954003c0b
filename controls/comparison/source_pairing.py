"""Which sources of base and head are the same: by what they are called, by their folder, or by their objects."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

from controls.comparison.masking import masked
from controls.comparison.matching import Matching
from controls.fingerprint import group_now
from model.audit import Audit
from model.resource import Source, SourceKind

COMMON = 64
"""Sources of one side that hold an object of the same name: from then on the name tells nothing."""

Objects = Mapping[str, frozenset[Hashable]]
"""What each source holds, by its id."""


def pair_sources(base: Audit, head: Audit) -> Mapping[str, str]:
    """Ids of head by ids of base; a source without a counterpart is missing.

    Sources of one name (charts in several folders, several paths of raw manifests) belong together by their folder
    first. One that has another name and folder is the same if most of its objects are.
    """
    matching = Matching(base.sources, head.sources)
    matching.by(lambda each: (*_name(each), each.path))
    matching.by(_name, unambiguous=True)
    matching.by(lambda each: (each.kind, each.path, each.environment))
    matching.by(lambda each: (each.kind, each.path, each.values) if each.values else None)
    matching.by(lambda each: (each.kind, each.path), unambiguous=True)
    if matching.olds and matching.news:
        _match_by_objects(matching, base, head)
    matching.by(_name)
    return {old.id: new.id for old, new in matching.couples}


def _name(source: Source) -> tuple[str, str, str]:
    return (source.kind, source.name, source.environment)


def _match_by_objects(matching: Matching[Source], base: Audit, head: Audit) -> None:
    """All that they hold is the same, or most of it is called the same; folders of the same name go first."""
    before, after = _digests(base, matching.olds), _digests(head, matching.news)
    matching.by(lambda each: _whole(each, before, _folder(each)), lambda each: _whole(each, after, _folder(each)))
    matching.by(lambda each: _whole(each, before), lambda each: _whole(each, after))
    before, after = _names(base, matching.olds), _names(head, matching.news)
    friends = dict(_mostly_the_same(matching, before, after))
    matching.by(lambda each: friends.get(each.id), lambda each: each.id)


def _folder(source: Source) -> str:
    return posixpath.basename(source.path)


def _whole(source: Source, objects: Objects, *more: str) -> Hashable:
    held = objects.get(source.id)
    return (source.kind, held, *more) if held else None


def _digests(audit: Audit, sources: Iterable[Source]) -> Objects:
    kept = {source.id for source in sources}
    return _collected(
        (each.source, (each.id.partition("#")[2], each.digest)) for each in audit.resources if each.source in kept
    )


def _names(audit: Audit, sources: Iterable[Source]) -> Objects:
    """Group, kind and name of each object, apart from the name of the chart in it."""
    charts = {source.id: source.name if source.kind is SourceKind.HELM else "" for source in sources}
    return _collected(
        (each.source, (group_now(each.ref), each.ref.kind, masked(each.stem or each.ref.name, (charts[each.source],))))
        for each in audit.resources
        if each.source in charts
    )


def _collected(rows: Iterable[tuple[str, Hashable]]) -> Objects:
    found: dict[str, set[Hashable]] = {}
    for source, held in rows:
        found.setdefault(source, set()).add(held)
    return {source: frozenset(held) for source, held in found.items()}


def _mostly_the_same(matching: Matching[Source], before: Objects, after: Objects) -> Iterator[tuple[str, str]]:
    """Ids of base and head of those that share more than half of the objects of the larger one, the closest first."""
    order = [{each.id: place for place, each in enumerate(side)} for side in (matching.olds, matching.news)]
    ranked = [
        (-shared, _folder(old) != _folder(new), order[0][old.id] + order[1][new.id], old.id, new.id)
        for (old, new), shared in _shared(matching, before, after).items()
        if old.kind is new.kind and 2 * shared > max(len(before[old.id]), len(after[new.id]))
    ]
    taken: set[str] = set()
    for *_, old_id, new_id in sorted(ranked):
        sides = {f"base:{old_id}", f"head:{new_id}"}
        if not sides & taken:
            taken |= sides
            yield old_id, new_id


def _shared(matching: Matching[Source], before: Objects, after: Objects) -> Counter[tuple[Source, Source]]:
    """How many objects each two of them share."""
    holders = _holders(matching.olds, before)
    found: Counter[tuple[Source, Source]] = Counter()
    for held, news in _holders(matching.news, after).items():
        olds = holders.get(held, ())
        if len(olds) <= COMMON and len(news) <= COMMON:
            found.update((old, new) for old in olds for new in news)
    return found


def _holders(sources: Sequence[Source], objects: Objects) -> Mapping[Hashable, Sequence[Source]]:
    found: dict[Hashable, list[Source]] = {}
    for source in sources:
        for held in objects.get(source.id, ()):
            found.setdefault(held, []).append(source)
    return found
