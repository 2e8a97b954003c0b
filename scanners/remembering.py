"""Lets a scanner look once at what is equal, and not at all at what is remembered.

Remembered is what it said of a whole piece, as opinions: they hold no value of a manifest that may be secret. What has
a gap is not remembered: no piece of which an object was not shown, and nothing of a start that printed strays.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import starmap
from typing import Any

from cache import Cache, Key, source_digest
from model.finding import Drop, Finding, Missing, Opinion, Scan
from model.resource import Resource
from model.values import Json
from scanners import copies, runs, sharing
from scanners.base import ScanContext
from scanners.copies import Copy
from scanners.pieces import Piece, Start
from scanners.runs import Answer, Judged, answer, look_at_all


def pieces_of(
    scanner: str, context: ScanContext, command: Sequence[str], source: str, sets: Iterable[Iterable[Resource]]
) -> list[Piece]:
    """The pieces of these sets. ``command``: how the scanner is started; ``source``: the adapter's own file."""
    code = source_digest(source, *(module.__file__ for module in (copies, runs, sharing)), __file__)
    terms = ["opinions", scanner, context.toolbox.pin(scanner).version, *command, code]
    found = []
    for resources in sets:
        ordered = tuple(sorted(resources, key=_place))
        if ordered:
            found.append(Piece(resources=ordered, key=Key.of(*terms, list(map(_facts, ordered)))))
    return found


def judge(
    scanner: str,
    context: ScanContext,
    pieces: Sequence[Piece],
    starts: Callable[[Sequence[Piece]], Iterable[Start]],
    look: Callable[[Sequence[Copy]], Answer],
) -> Scan:
    """What the scanner says of all pieces. It is started for those that are new; ``starts`` groups them."""
    alike: dict[Key, list[Piece]] = defaultdict(list)
    for piece in pieces:
        alike[piece.key].append(piece)
    firsts = [group[0] for group in alike.values()]
    known = _recall(scanner, context, firsts)

    def look_and_remember(start: Start) -> Answer:
        said = look(start.copies)
        _remember(context.cache, start.pieces, said)
        return said

    unknown = tuple(starts([piece for piece in firsts if piece.key not in known]))
    answers = look_at_all(scanner, context, unknown, look_and_remember, lambda start: len(start.copies))
    return answer(scanner, context, _for_all(alike.values(), known, answers))


def _place(resource: Resource) -> tuple[str, str, str, str]:
    return resource.ref.kind, resource.ref.namespace, resource.ref.name, resource.digest


def _facts(resource: Resource) -> list[Json]:
    """All that the copy of an object, and the opinion about it, are made of."""
    ref = resource.ref
    containers: list[Json] = [[each.key, each.kind.value, *each.path] for each in resource.containers]
    return [resource.digest, ref.kind, ref.namespace, ref.name, containers]


# ---------------------------------------------------------------- memory


def _recall(scanner: str, context: ScanContext, pieces: Sequence[Piece]) -> dict[Key, tuple[Judged, ...]]:
    """What is remembered of the pieces; objects of one piece and of several share their sets of rules."""
    shared: dict[frozenset[str], frozenset[str]] = {}
    known = {}
    for piece in pieces:
        data = context.cache.get(piece.key)
        judged = _decoded(scanner, data, shared) if data is not None else ()
        if len(judged) == len(piece.resources):
            known[piece.key] = judged
    size = sum(map(len, known.values()))
    if size:
        context.progress(scanner, more=size, done=size)
    return known


def _remember(cache: Cache, pieces: Sequence[Piece], said: Answer) -> None:
    """Keep what was said of those pieces of which all was said."""
    if said.strays:
        return
    for piece in pieces:
        judged = [said.judged[resource] for resource in piece.resources if resource in said.judged]
        if len(judged) == len(piece.resources) and all(each.whole for each in judged):
            cache.put(piece.key, _encoded(judged))


def _for_all(
    groups: Iterable[Sequence[Piece]], known: Mapping[Key, Sequence[Judged]], answers: Sequence[Answer]
) -> Answer:
    """What was said of the first of equal pieces, said of all of them."""
    new = {resource: judged for said in answers for resource, judged in said.judged.items()}
    absent = {resource: why for said in answers for resource, why in said.missing.items()}
    judged: dict[Resource, Judged] = {}
    missing: dict[Resource, Missing] = {}
    for group in groups:
        first = group[0]
        old = known.get(first.key)
        for number, looked_at in enumerate(first.resources):
            equals = [piece.resources[number] for piece in group]
            if looked_at in absent:
                missing.update(dict.fromkeys(equals, absent[looked_at]))
            else:
                judged.update(dict.fromkeys(equals, old[number] if old else new[looked_at]))
    return Answer(judged=judged, missing=missing, strays=tuple(drop for said in answers for drop in said.strays))


# ---------------------------------------------------------------- opinions as JSON


def _encoded(judged: Sequence[Judged]) -> bytes:
    return json.dumps(list(map(_row, judged)), separators=(",", ":")).encode()


def _row(judged: Judged) -> list[Json]:
    """Raw findings, findings, drops, sets of rules, and which of them each subject has passed."""
    opinion = judged.opinion
    assert all(finding.field is None for finding in opinion.findings), "external scanners name no field"
    sets = list(dict.fromkeys(opinion.passed.values()))
    return [
        judged.raw_findings,
        [[finding.rule, finding.container, finding.message, finding.severity] for finding in opinion.findings],
        [[drop.rule, drop.reason, drop.count] for drop in opinion.drops],
        [list[Json](sorted(rules)) for rules in sets],
        {subject: sets.index(rules) for subject, rules in opinion.passed.items()},
    ]


def _decoded(scanner: str, data: bytes, shared: dict[frozenset[str], frozenset[str]]) -> tuple[Judged, ...]:
    """The same again; nothing where it has another shape."""

    def read(raw: int, findings: Any, drops: Any, sets: Any, passed: Any) -> Judged:  # noqa: ANN401 JSON
        rules = [shared.setdefault(each, each) for each in map(frozenset, sets)]
        return Judged(
            raw_findings=raw,
            opinion=Opinion(
                findings=tuple(
                    Finding(rule=rule, container=container, message=message, severity=severity)
                    for rule, container, message, severity in findings
                ),
                drops=tuple(
                    Drop(scanner=scanner, rule=rule, reason=reason, count=count) for rule, reason, count in drops
                ),
                passed={subject: rules[number] for subject, number in passed.items()},
            ),
        )

    try:
        return tuple(starmap(read, json.loads(data)))
    except (ValueError, TypeError, LookupError, AttributeError):
        return ()
