"""What the difference between two scores is made of, in exact parts: nothing is left over, and nothing is rounded here.

With base ``E0 / P0`` and head ``E1 / P1`` (points earned of points possible) the difference is the sum, over all that
changed, of ``(earned more - possible more * E0 / P0) / P1``. So a finding costs its weight of the possible points of
head, and what is judged in addition counts by how much better than base it would be without any finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from controls.assemble import worst_first
from controls.comparison.sight import Sight
from model.audit import Audit, AuditedResource, Result, ResultStatus, Score
from model.comparison import Comparison, ControlDelta, Couple, Part, Share, SourceDelta

Lost = dict[tuple[int, str, str | None], list[Result]]
"""The failed results of one side by cell, which is what a score counts once: number of the couple, control, container
(by its key in head)."""
Names = Mapping[tuple[int, str | None], str]
"""Keys in head of renamed containers, by number of the couple and key in base."""
UNMAPPED = "unmapped/"
"""How controls begin that the catalogue does not know: gated by severity, and without weight (``model.control``)."""


def with_shares(comparison: Comparison) -> Comparison:
    """The same comparison, which now says what the difference of its scores is made of."""
    return replace(
        comparison,
        shares=attribute(comparison),
        by_control=by_control(comparison),
        by_source=by_source(comparison),
    )


def settled(comparison: Comparison) -> tuple[Couple, ...]:
    """Its couples, with scores that leave out each cell that failed where only one side could look.

    The other side may have passed it for want of the object that fails it: neither verdict is compared.
    """
    if not (comparison.newly_visible or comparison.uncompared):
        return comparison.couples
    books = _Books(comparison)
    couples = list(comparison.couples)
    before, after = Sight.of(comparison.base), Sight.of(comparison.head)
    for (number, _, container), results in books.only_after.items():
        couple = couples[number]
        olds = {new: old for old, new in couple.containers}
        there = _without(couple.base, results, before, olds.get(container or "", container))
        couples[number] = replace(couple, base=there, head=_unlost(couple.head, results))
    for (number, _, container), results in books.only_before.items():
        couple = couples[number]
        there = _without(couple.head, results, after, container)
        couples[number] = replace(couple, base=_unlost(couple.base, results), head=there)
    return tuple(couples)


def _unlost(here: AuditedResource | None, results: Sequence[Result]) -> AuditedResource | None:
    """The object without a cell that it failed."""
    return here and replace(here, score=here.score + Score(possible=-_weight(results)))


def _without(
    there: AuditedResource | None, results: Sequence[Result], sight: Sight, container: str | None
) -> AuditedResource | None:
    """The object without a cell that it passed, where anybody judged it; ``container``: its key there."""
    weight = _weight(results)
    if there is None or there.score.earned < weight or sight.hides_verdict(results[0], there, container):
        return there
    return replace(there, score=there.score + Score(earned=-weight, possible=-weight))


def difference(comparison: Comparison) -> Fraction | None:
    """Points of 100 between the scores of the comparable part; None where a side has none."""
    before, after = comparison.base_comparable, comparison.head_comparable
    if not (before.possible and after.possible):
        return None
    return 100 * (Fraction(after.earned, after.possible) - Fraction(before.earned, before.possible))


def attribute(comparison: Comparison) -> tuple[Share, ...]:
    """One share for each finding that appeared or vanished, and for each object that changes what is possible.

    They sum up to ``difference``; without one there are none. Sorted by part, then the weightiest, then worst first.
    """
    if difference(comparison) is None:
        return ()
    books = _Books(comparison)
    shares = (*books.findings(), *books.objects())
    order = list(Part)
    return tuple(
        sorted(
            shares,
            key=lambda each: (
                order.index(each.part),
                -abs(each.points),
                worst_first(each.result) if each.result else (),
                each.resource,
            ),
        )
    )


def by_control(comparison: Comparison) -> tuple[ControlDelta, ...]:
    """Controls that cost something on either side: what changed most first, then the dearest."""
    books = _Books(comparison)
    before, after = _by_control(books.before), _by_control(books.after)
    deltas = (
        ControlDelta(
            control=control,
            before=before[control],
            after=after[control],
            points=books.points(before[control] - after[control], 0),
        )
        for control in before.keys() | after.keys()
        if before[control] or after[control]
    )
    return tuple(sorted(deltas, key=lambda each: (-abs(each.after - each.before), -each.after, each.control)))


def by_source(comparison: Comparison) -> tuple[SourceDelta, ...]:
    """Sources of either side by their places; an object that moved from one to another counts where it is now."""
    books = _Books(comparison)
    sums = dict.fromkeys(comparison.sources, (Score(), Score()))
    by_base, by_head = ({pair[side]: pair for pair in sums} for side in (0, 1))
    for couple in books.couples.values():
        where = couple.head or couple.base
        assert where is not None
        pair = by_head[where.source] if couple.head else by_base[where.source]
        before, after = sums[pair]
        sums[pair] = (before + _score(couple.base), after + _score(couple.head))
    olds, news = ({each.id: each for each in side.sources} for side in (comparison.base, comparison.head))
    return tuple(
        SourceDelta(
            base=None if old is None else olds[old],
            head=None if new is None else news[new],
            before=before,
            after=after,
            points=books.points(after.earned - before.earned, after.possible - before.possible),
        )
        for (old, new), (before, after) in sorted(sums.items(), key=lambda row: (row[0][1] or row[0][0] or "", row[0]))
    )


class _Books:
    """Who lost what on either side, in the part that both could judge."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self.couples = {number: each for number, each in enumerate(comparison.couples) if each.is_comparable}
        names: Names = {(n, old): new for n, couple in self.couples.items() for old, new in couple.containers}
        olds = {each.base.id: number for number, each in self.couples.items() if each.base and each.base.score.possible}
        news = {each.head.id: number for number, each in self.couples.items() if each.head and each.head.score.possible}
        before, after = _lost(comparison.base, olds, names), _lost(comparison.head, news, {})
        self.only_before = _one_sided(before, after, comparison.uncompared)
        self.only_after = _one_sided(after, before, comparison.newly_visible)
        self.before = {cell: results for cell, results in before.items() if cell not in self.only_before}
        self.after = {cell: results for cell, results in after.items() if cell not in self.only_after}
        base, head = comparison.base_comparable, comparison.head_comparable
        self._possible = head.possible if base.possible else 0
        self._ratio = Fraction(base.earned, base.possible or 1)

    def points(self, earned: int | Fraction, possible: int) -> Fraction:
        """What it does to the score to earn so much more of so much more; 0 where there are no two scores."""
        return 100 * (earned - possible * self._ratio) / self._possible if self._possible else Fraction(0)

    def findings(self) -> Iterator[Share]:
        """Of all that appeared or vanished, and of what persists and counts differently."""
        parts = self._comparison
        new = {Part.INTRODUCED: parts.introduced, Part.NEWLY_VISIBLE: parts.newly_visible}
        gone = {Part.RESOLVED: parts.resolved, Part.UNCOMPARED: parts.uncompared}
        yield from self._of_side(self.after, self.before, new, -1)
        yield from self._of_side(self.before, self.after, gone, 1)

    def _of_side(self, here: Lost, there: Lost, parts: Mapping[Part, Sequence[Result]], sign: int) -> Iterator[Share]:
        """What a cell costs is shared by those of its findings that the other side has not; by all if it has them."""
        part_of = {_key(result): (part, result) for part, results in parts.items() for result in results}
        for cell, results in here.items():
            cost = 0 if cell in there else _weight(results)
            bearers = [result for result in results if _key(result) in part_of] or (results if cost else [])
            for result in bearers:
                part, _ = part_of.pop(_key(result), (Part.COUNTED, result))
                points = self.points(Fraction(sign * cost, len(bearers)), 0)
                yield Share(part=part, points=points, resource=result.resource, result=result)
        for part, result in part_of.values():  # not scored, or where only one side could be judged
            yield Share(part=part, points=Fraction(0), resource=result.resource, result=result)

    def objects(self) -> Iterator[Share]:
        """Of all objects on which more or less is possible than before."""
        before, after = (_by_number(cells) for cells in (self.before, self.after))
        for number, couple in self.couples.items():
            old, new = _score(couple.base), _score(couple.head)
            possible = new.possible - old.possible
            earned = new.earned + after[number] - old.earned - before[number]
            where = couple.head or couple.base
            if where and (possible or earned):
                points = self.points(earned, possible)
                yield Share(part=_part(couple, possible), points=points, resource=where.id)


def _part(couple: Couple, possible: int) -> Part:
    if couple.base is None:
        return Part.ADDED
    if couple.head is None:
        return Part.REMOVED
    return Part.JUDGED if possible > 0 else Part.UNJUDGED


def _lost(audit: Audit, numbers: Mapping[str, int], names: Names) -> Lost:
    """Failed results by what the score counts once; ``names``: keys in head of renamed containers."""
    cells: Lost = {}
    for result in audit.results:
        number = numbers.get(result.resource)
        if number is not None and result.status is ResultStatus.FAILED:
            container = names.get((number, result.container), result.container)
            cells.setdefault((number, result.control, container), []).append(result)
    return cells


def _one_sided(here: Lost, there: Lost, hidden: Iterable[Result]) -> Lost:
    """The cells that failed here and not there, with nothing in them that the other side could have shown."""
    keys = {_key(result) for result in hidden}
    return {
        cell: results
        for cell, results in here.items()
        if keys and cell not in there and all(_key(result) in keys for result in results)
    }


def _weight(results: Sequence[Result]) -> int:
    """Of a cell, however many flaws it has."""
    return 0 if results[0].control.startswith(UNMAPPED) else results[0].severity.weight


def _by_number(cells: Lost) -> Counter[int]:
    sums: Counter[int] = Counter()
    for (number, _, _), results in cells.items():
        sums[number] += _weight(results)
    return sums


def _by_control(cells: Lost) -> Counter[str]:
    sums: Counter[str] = Counter()
    for (_, control, _), results in cells.items():
        sums[control] += _weight(results)
    return sums


def _score(resource: AuditedResource | None) -> Score:
    return resource.score if resource else Score()


def _key(result: Result) -> tuple[str, str]:
    return (result.resource, result.fingerprint)
