"""Finds out who of two sides belongs together, by rules that say when two are equal. It never guesses."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
Mark = Callable[[T], Hashable]
"""Equal marks belong together; None takes no part."""


class Matching(Generic[T]):
    """Who of two sides belongs together, each one once, rule by rule."""

    def __init__(self, olds: Sequence[T], news: Sequence[T]) -> None:
        self.olds = list(olds)
        """Those of base that are still alone."""
        self.news = list(news)
        self.couples: list[tuple[T, T]] = []

    def by(self, mark: Mark[T], head_mark: Mark[T] | None = None, *, unambiguous: bool = False) -> list[tuple[T, T]]:
        """Pair those of equal marks in their order; ``unambiguous``: only where each side has one of that mark.

        Gives the couples that this rule has made.
        """
        if not (self.olds and self.news):
            return []
        olds, news = _marked(self.olds, mark), _marked(self.news, head_mark or mark)
        found = [
            couple
            for key, row in olds.items()
            if key in news and not (unambiguous and len(row) + len(news[key]) > 2)
            for couple in zip(row, news[key], strict=False)
        ]
        taken = {id(each) for couple in found for each in couple}
        self.olds = [each for each in self.olds if id(each) not in taken]
        self.news = [each for each in self.news if id(each) not in taken]
        self.couples += found
        return found


def _marked(rows: Sequence[T], mark: Mark[T]) -> dict[Hashable, list[T]]:
    found: dict[Hashable, list[T]] = {}
    for each in rows:
        key = mark(each)
        if key is not None:
            found.setdefault(key, []).append(each)
    return found
