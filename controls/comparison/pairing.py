"""Which objects of base and head are the same: by identity first, then by what proves a move or a new name.

Pairing only decides which findings persist: a finding whose own part is new is introduced, whatever its object is
paired with. Who is equal to several is paired in their order; nobody is paired by likeness.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from controls.comparison.masking import SIGN, masked
from controls.comparison.matching import Matching
from controls.fingerprint import group_now
from model.audit import Audit, AuditedContainer, AuditedResource, Result
from model.comparison import Couple
from model.resource import Source, SourceKind

FORMS = 5
"""Of what an object says (``controls.comparison.contents``)."""


Key = tuple[int, str | None, str, int]
"""Of a result: number of its couple, container and flaw as in its fingerprint, ordinal among those that share all
that. A renamed container has the name of head."""
Pair = tuple[AuditedResource, AuditedResource]
"""Of base and of head."""


class Change(NamedTuple):
    """What was done to the beginning, or to the end, of a name."""

    is_prefix: bool
    before: str
    after: str


def pair(base: Audit, head: Audit, counterparts: Mapping[str, str]) -> tuple[Couple, ...]:
    """Every object of either side, once: in the order of base, then those of head alone.

    ``counterparts``: ids of sources of head, by ids of base (``controls.comparison.source_pairing``).
    """
    olds, news = _in_sources(base.resources), _in_sources(head.resources)
    heads = {source.id: source for source in head.sources}
    found: list[Pair] = []
    for source in base.sources:
        counterpart = heads.get(counterparts.get(source.id, ""))
        if counterpart is not None:
            matching = Matching(olds.pop(source.id, ()), news.pop(counterpart.id, ()))
            _match(matching, source, counterpart)
            found += matching.couples
            olds[source.id], news[counterpart.id] = matching.olds, matching.news
    found += _moved(
        Matching([each for row in olds.values() for each in row], [each for row in news.values() for each in row])
    )
    partners = {id(old): new for old, new in found}
    couples = [_couple(each, partners.get(id(each))) for each in base.resources]
    taken = {id(new) for _, new in found}
    return (*couples, *(Couple(base=None, head=each) for each in head.resources if id(each) not in taken))


def _in_sources(resources: Iterable[AuditedResource]) -> dict[str, Sequence[AuditedResource]]:
    found: dict[str, list[AuditedResource]] = {}
    for resource in resources:
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
    kept, alone = list(matching.couples), (matching.olds, matching.news)
    proven = [_match_contents(matching, form) for form in range(FORMS)]
    certain = [each for form, couples in enumerate(proven) if couples for each in _certain(couples, alone, form)]
    if certain:
        _match_relatives(matching, [*kept, *certain])
    _match_alike(matching, [couple for couples in proven for couple in couples])


def _match_alike(matching: Matching[AuditedResource], proven: Sequence[Pair]) -> None:
    """What was renamed as all of the ``proven`` ones: in another namespace, with a new prefix, or with a new suffix."""
    names = [(_identity(old)[2:], _identity(new)[2:]) for old, new in proven]
    namespaces = _one_to_one({(old[0], new[0]) for old, new in names if old[1] == new[1]})

    def elsewhere(resource: AuditedResource) -> Hashable:
        group, kind, namespace, name = _identity(resource)
        return (group, kind, namespaces[namespace], name) if namespace in namespaces else None

    matching.by(elsewhere, _identity)
    for change in _changes_of_all([(old[1], new[1]) for old, new in names if old[1] != new[1]]):
        matching.by(partial(_under_another_name, change=change), _identity)


def _certain(proven: Sequence[Pair], alone: tuple[Sequence[AuditedResource], ...], form: int) -> Iterator[Pair]:
    """Those who say what nobody else of either side said when all of them were ``alone``."""
    counts = [Counter(_says(each, form) for each in side) for side in alone]
    for old, new in proven:
        if [count[_says(old, form)] for count in counts] == [1, 1]:
            yield old, new


def _match_relatives(matching: Matching[AuditedResource], known: Sequence[Pair]) -> None:
    """A name that has become another one in all of the ``known`` couples has in ``name`` and ``name-…`` everywhere.

    Longer names go first. A name that somebody keeps, or that two others have become, says nothing.
    """
    renamed = _one_to_one({(_identity(old)[3], _identity(new)[3]) for old, new in known})
    there = {old: new for old, new in renamed.items() if old != new}
    back = {new: old for old, new in there.items()}

    def relative(resource: AuditedResource) -> Hashable:
        group, kind, namespace, name = _identity(resource)
        now = _renamed(name, there)
        return (group, kind, namespace, now) if now is not None and _renamed(now, back) == name else None

    if there:
        matching.by(relative, _identity)


def _renamed(name: str, names: Mapping[str, str]) -> str | None:
    """The name with its longest beginning that is one of the ``names`` as that is called now."""
    end = len(name)
    while end > 0:
        if name[:end] in names:
            return names[name[:end]] + name[end:]
        end = name.rfind("-", 0, end)
    return None


def _match_contents(matching: Matching[AuditedResource], form: int) -> list[Pair]:
    """Those that say the same."""
    return [
        *matching.by(lambda each: _says(each, form, each.ref.name)),
        *matching.by(lambda each: _says(each, form, each.ref.namespace, each.location.path)),
        *matching.by(lambda each: _says(each, form, each.ref.namespace)),
        *matching.by(lambda each: _says(each, form)),
    ]


def _says(resource: AuditedResource, form: int, *more: str) -> Hashable:
    """Its kind and what it says; None where that is not remembered."""
    content = _content(resource, form)
    return content and (group_now(resource.ref), resource.ref.kind, content, *more)


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


def _moved(matching: Matching[AuditedResource]) -> list[Pair]:
    """Who went from one source into another one, where nobody else could be meant, under the same name or a new one."""
    matching.by(lambda each: (_identity(each), each.digest), unambiguous=True)
    matching.by(_identity, unambiguous=True)
    _match_unstated(matching)
    groups = {key: _supported(couples) for key, couples in _by_sources(_equal_elsewhere(matching)).items()}
    found = [*matching.couples, *(couple for couples in groups.values() for couple in couples)]
    taken = {id(each) for couple in found for each in couple}
    olds, news = (
        _in_sources(each for each in side if id(each) not in taken) for side in (matching.olds, matching.news)
    )
    known = _by_sources(found)
    for key, proven in groups.items():
        relatives = Matching(olds.get(key[0], ()), news.get(key[1], ()))
        _match_relatives(relatives, known.get(key, ()))
        _match_alike(relatives, proven)
        olds[key[0]], news[key[1]] = relatives.olds, relatives.news
        found += relatives.couples
    return found


def _equal_elsewhere(matching: Matching[AuditedResource]) -> list[Pair]:
    """Of those that are still alone, who say what nobody else says on either side."""
    found = Matching(matching.olds, matching.news)
    for form in range(FORMS):
        found.by(partial(_says, form=form), unambiguous=True)
    return found.couples


def _by_sources(couples: Iterable[Pair]) -> dict[tuple[str, str], list[Pair]]:
    found: dict[tuple[str, str], list[Pair]] = {}
    for old, new in couples:
        found.setdefault((old.source, new.source), []).append((old, new))
    return found


def _supported(couples: Sequence[Pair]) -> list[Pair]:
    """Those of which it proves something to be equal, in another source: accounts say nothing but their names.

    They have containers, or two names at least have changed in the same way.
    """
    names = {(_identity(old)[3], _identity(new)[3]) for old, new in couples}
    votes = Counter(change for old, new in names for change in _changes(old, new))
    return [
        (old, new)
        for old, new in couples
        if old.containers or any(votes[change] > 1 for change in _changes(_identity(old)[3], _identity(new)[3]))
    ]


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


def renamed_flaws(
    couples: Sequence[Couple], before: Mapping[Key, Result], after: Mapping[Key, Result]
) -> dict[Key, Key]:
    """Keys in head of flaws in base whose list item has another name: a volume, a port, a variable, and nothing else.

    That is proven where the whole object is equal but for such names, and it must be the only flaw of its control that
    its container lacks on one side and has on the other.
    """
    equal = {number for number, couple in enumerate(couples) if _is_equal_inside(couple)}
    if not equal:
        return {}
    gone, new = (_lone(here, there, equal) for here, there in ((before, after), (after, before)))
    return {old: new[cell] for cell, old in gone.items() if cell in new}


def _is_equal_inside(couple: Couple) -> bool:
    old, new = couple.base, couple.head
    if old is None or new is None or old.digest == new.digest:
        return False
    content = _content(old, FORMS - 1)
    return content is not None and content == _content(new, FORMS - 1)


def _lone(here: Mapping[Key, Result], there: Mapping[Key, Result], numbers: Container[int]) -> dict[Hashable, Key]:
    """By couple, container and control: the only flaw that the other side has not."""
    cells: dict[Hashable, list[Key]] = {}
    for key, result in here.items():
        if key[0] in numbers and key not in there:
            cells.setdefault((*key[:2], result.control), []).append(key)
    return {cell: keys[0] for cell, keys in cells.items() if len(keys) == 1}
