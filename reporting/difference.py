"""What the difference of two scores is made of, in words and numbers of ours, the same in every report for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction

from model.comparison import Comparison, Part
from reporting.numbers import count, points

PARTS: Mapping[Part, tuple[str, str]] = {
    Part.INTRODUCED: ("finding", "introduced"),
    Part.RESOLVED: ("finding", "resolved"),
    Part.NEWLY_VISIBLE: ("finding", "newly visible"),
    Part.UNCOMPARED: ("finding", "lost from sight"),
    Part.COUNTED: ("finding", "waived or not scored on one side"),
    Part.ADDED: ("object", "added, findings aside"),
    Part.REMOVED: ("object", "removed, findings aside"),
    Part.JUDGED: ("object", "with more checks than before"),
    Part.UNJUDGED: ("object", "with fewer checks than before"),
}
"""What is counted, and what became of it."""


def pieces_of(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """``5 findings resolved`` and ``+7.10``, points of 100; what changes nothing is left out."""
    numbers = Counter(share.part for share in comparison.shares)
    sums = dict.fromkeys(PARTS, Fraction())
    for share in comparison.shares:
        sums[share.part] += share.points
    for part, (noun, what) in PARTS.items():
        if sums[part]:
            yield f"{count(numbers[part], noun)} {what}", points(sums[part])
