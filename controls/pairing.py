"""Which objects of base and head are the same: by identity first, then by what proves a move or a new name.

Pairing only decides which findings persist: a finding whose own part is new is introduced, whatever its object is
paired with. Who is equal to several is paired in their order; nobody is paired by likeness.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from controls.fingerprint import group_now
from controls.masking import SIGN, masked
from controls.matching import Matching
from model.audit import Audit, AuditedContainer, AuditedResource
from model.comparison import Couple
from model.resource import Source, SourceKind

FORMS = 3
"""Of what an object says (``controls.contents``)."""


class Change(NamedTuple):
    """What was done to the beginning, or to the end, of a name."""

    is_prefix: bool
    before: str
    after: str


def pair(base: Audit, head: Audit, counterparts: Mapping[str, str]) -> tuple[Couple, ...]:
    """Every object of either side, once: in the order of base, then those of head alone.

    ``counterparts``: ids of sources of head, by ids of base (``controls.source_pairing``).
    """
    olds, news = _by_source(base), _by_source(head)
    heads = {source.id: source for source in head.sources}
    found: list[tuple[AuditedResource, AuditedResource]] = []
    for source in base.sources:
        counterpart = heads.get(counterparts.get(source.id, ""))
        if counterpart is not None:
            matching = Matching(olds.pop(source.id, ()), news.pop(counterpart.id, ()))
            _match(matching, source, counterpart)
            found += matching.couples
            olds[source.id], news[counterpart.id] = matching.olds, matching.news
    rest = Matching([each for row in olds.values() for each in row], [each for row in news.values() for each in row])
    _match_moved(rest)
    found += rest.couples
    partners = {id(old): new for old, new in found}
    couples = [_couple(each, partners.get(id(each))) for each in base.resources]
    taken = {id(new) for _, new in found}
    return (*couples, *(Couple(base=None, head=each) for each in head.resources if id(each) not in taken))


def _by_source(audit: Audit) -> dict[str, Sequence[AuditedResource]]:
    found: dict[str, list[AuditedResource]] = {}
    for resource in audit.resources:
        found.setdefault(resource.source, []).append(resource)
    return dict(found)


# ---------------------------------------------------------------- the rules


def _identity(resource: AuditedResource) -> tuple[str, str, str, str]:
    ref = resource.ref
    return (group_now(ref), ref.kind, ref.namespace, resource.stem or ref.name)


def _match(matching: Matching[AuditedResource], old: Source, new: Source) -> None:
    """Inside one source. Objects that share an identity belong together by their file, by what they hold, in order."""
    matching.by(lambda each: (_identity(each), each.location.path, each.digest))
    matching.by(lambda each: (_identity(each), each.location.path))
    matching.by(lambda each: (_identity(each), each.digest))
    matching.by(_identity)
    if old.kind is new.kind is SourceKind.HELM and old.name != new.name:
        matching.by(lambda each: _without_charts(each, (old.name, new.name)), unambiguous=True)
    _match_renamed(matching)
    _match_unstated(matching)


def _without_charts(resource: AuditedResource, charts: Sequence[str]) -> Hashable:
    """Identity apart from the name that the chart has, or had, in it."""
    group, kind, namespace, name = _identity(resource)
    return (group, kind, namespace, masked(name, charts).replace(2 * SIGN, SIGN))


def _match_renamed(matching: Matching[AuditedResource]) -> None:
    """Another name or namespace, and nothing else; then all that was renamed in the same way, and may say more."""
    proven = [couple for form in range(FORMS) for couple in _match_contents(matching, form)]
    names = [(_identity(old)[2:], _identity(new)[2:]) for old, new in proven]
    namespaces = _one_to_one({(old[0], new[0]) for old, new in names if old[1] == new[1]})

    def elsewhere(resource: AuditedResource) -> Hashable:
        group, kind, namespace, name = _identity(resource)
        return (group, kind, namespaces[namespace], name) if namespace in namespaces else None

    matching.by(elsewhere, _identity)
    for change in _changes_of_all([(old[1], new[1]) for old, new in names if old[1] != new[1]]):
        matching.by(partial(_under_another_name, change=change), _identity)


def _match_contents(matching: Matching[AuditedResource], form: int) -> list[tuple[AuditedResource, AuditedResource]]:
    """Those that say the same."""

    def says(resource: AuditedResource, *more: str) -> Hashable:
        content = _content(resource, form)
        return content and (group_now(resource.ref), resource.ref.kind, content, *more)

    return [
        *matching.by(lambda each: says(each, each.ref.name)),
        *matching.by(lambda each: says(each, each.ref.namespace, each.location.path)),
        *matching.by(lambda each: says(each, each.ref.namespace)),
        *matching.by(says),
    ]


def _changes_of_all(names: Sequence[tuple[str, str]]) -> list[Change]:
    """How all names have changed, where that is the same for two of them at least: a new prefix, or a new suffix."""
    if len(set(names)) < 2:
        return []
    return sorted(set.intersection(*(set(_changes(old, new)) for old, new in names)))


def _changes(old: str, new: str) -> Iterator[Change]:
    end = len(posixpath.commonprefix((old[::-1], new[::-1])))
    if end:
        yield Change(is_prefix=True, before=old[:-end], after=new[:-end])
    start = len(posixpath.commonprefix((old, new)))
    if start:
        yield Change(is_prefix=False, before=old[start:], after=new[start:])


def _under_another_name(resource: AuditedResource, change: Change) -> Hashable:
    group, kind, namespace, name = _identity(resource)
    if change.is_prefix and name.startswith(change.before):
        return (group, kind, namespace, change.after + name.removeprefix(change.before))
    if not change.is_prefix and name.endswith(change.before):
        return (group, kind, namespace, name.removesuffix(change.before) + change.after)
    return None


def _content(each: AuditedResource | AuditedContainer, form: int) -> str | None:
    """What it says; None where the audit does not remember it."""
    return each.contents[min(form, len(each.contents) - 1)] if each.contents else None


def _one_to_one(pairs: set[tuple[str, str]]) -> Mapping[str, str]:
    """Those of which neither side stands in another pair."""
    left, right = Counter(old for old, _ in pairs), Counter(new for _, new in pairs)
    return {old: new for old, new in pairs if left[old] == right[new] == 1}


def _match_unstated(matching: Matching[AuditedResource]) -> None:
    """The only one of its name, where one side leaves the namespace to whoever applies it."""
    matching.by(_if_unstated, _if_stated, unambiguous=True)
    matching.by(_if_stated, _if_unstated, unambiguous=True)


def _if_unstated(resource: AuditedResource) -> Hashable:
    group, kind, namespace, name = _identity(resource)
    return None if namespace else (group, kind, name)


def _if_stated(resource: AuditedResource) -> Hashable:
    group, kind, namespace, name = _identity(resource)
    return (group, kind, name) if namespace else None


def _match_moved(matching: Matching[AuditedResource]) -> None:
    """From one source into another one, where nobody else could be meant."""
    matching.by(lambda each: (_identity(each), each.digest), unambiguous=True)
    matching.by(_identity, unambiguous=True)
    _match_unstated(matching)


def _couple(old: AuditedResource, new: AuditedResource | None) -> Couple:
    return Couple(base=old, head=new, containers=tuple(_renamed_containers(old, new)) if new else ())


def _renamed_containers(old: AuditedResource, new: AuditedResource) -> Iterator[tuple[str, str]]:
    """Keys in base and head of containers that are equal but for their name."""
    before, after = ({each.key for each in side.containers} for side in (old, new))
    if before == after:
        return
    matching = Matching(
        [each for each in old.containers if each.key not in after],
        [each for each in new.containers if each.key not in before],
    )
    for form in range(FORMS):
        matching.by(partial(_content, form=form))
    yield from ((one.key, other.key) for one, other in matching.couples)
