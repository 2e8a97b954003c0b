"""What differs between several renderings of one chart, masked so that the rest can be compared from run to run.

It cannot mask what differs in shape; it says where that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from manifests.text.compose import Document
from model.values import FieldPath, Json, dotted

MASK: Final = "masked"
NUMBER: Final = 1


@dataclass(slots=True)
class Mask:
    """Takes several renderings apart, and remembers what it found."""

    masked: bool = False
    """Scalars that differ were found."""
    shapeless: str = ""
    """The first field that differs in shape."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """What people should know."""
        found = []
        if self.masked:
            found.append("it renders differently each time: what differs is masked")
        if self.shapeless:
            found.append(f"it renders differently each time, in a way that cannot be masked: {self.shapeless}")
        return tuple(found)

    def documents(self, first: Sequence[Document], others: Sequence[Sequence[Document]]) -> list[Document]:
        """The documents of the first rendering, with masks where the others have something else."""
        if any(len(other) != len(first) for other in others):
            self.shapeless = "the number of documents"
            return list(first)
        return [
            replace(document, value=self._value(document.value, [other[n].value for other in others], ()))
            for n, document in enumerate(first)
        ]

    def _value(self, value: Json, others: Sequence[Json], path: FieldPath) -> Json:
        if isinstance(value, dict):
            maps = [other for other in others if isinstance(other, dict) and other.keys() == value.keys()]
            if len(maps) == len(others):
                return {key: self._value(each, [m[key] for m in maps], (*path, key)) for key, each in value.items()}
        elif isinstance(value, list):
            lists = [other for other in others if isinstance(other, list) and len(other) == len(value)]
            if len(lists) == len(others):
                return [self._value(each, [m[n] for m in lists], (*path, n)) for n, each in enumerate(value)]
        elif all(type(other) is type(value) and other == value for other in others):
            return value
        elif not any(isinstance(other, (dict, list)) for other in others):
            self.masked = True
            return _scalar(value, others)
        self.shapeless = self.shapeless or dotted(path)
        return value


def _scalar(value: Json, others: Sequence[Json]) -> Json:
    """A constant of the same type; of text, only what lies between equal words at both ends."""
    if all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in (value, *others)):
        return NUMBER
    if all(isinstance(each, bool) for each in (value, *others)):
        return False
    words = [each.split("-") if isinstance(each, str) else [] for each in (value, *others)]
    start = _equal(words)
    end = _equal([each[start:][::-1] for each in words])
    first = words[0]
    return "-".join((*first[:start], MASK, *first[len(first) - end :]))


def _equal(texts: Sequence[Sequence[str]]) -> int:
    """How many words all have in common at their beginning."""
    shortest = min(map(len, texts))
    return next((n for n in range(shortest) if len({text[n] for text in texts}) > 1), shortest)
