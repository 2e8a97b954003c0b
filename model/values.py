"""What a YAML or JSON document is made of once read: plain values, paths into them, and where they stood."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A value as Kubernetes reads it: JSON types only, every key a string."""

_PLAIN_KEY = re.compile(r"[A-Za-z_$][\w$-]*")

FieldPath: TypeAlias = tuple[str | int, ...]
"""The way from the root of an object to a field: keys and 0-based list positions."""


class Mark(NamedTuple):
    r"""Where a field stood in its file: 1-based lines (``\\n`` counted) and 1-based columns in characters."""

    line: int
    """Of the key (a list item or a document has none: then of the value)."""
    column: int
    value_line: int
    value_column: int
    children: dict[str | int, Mark] | Marks | None
    """Of a mapping by key, of a list by position; None for a scalar."""

    def at(self, path: FieldPath) -> tuple[Mark, int]:
        """The mark of the deepest existing field on ``path``, and how many steps of it exist."""
        children = self.children
        if not (children is None or isinstance(children, dict)):
            return children.at(path) or (self, 0)
        mark = self
        for depth, step in enumerate(path):
            child = mark.children.get(step) if mark.children else None
            if child is None:
                return mark, depth
            mark = child
        return mark, len(path)

    def place(self, path: FieldPath) -> tuple[int, int, int]:
        """Line and column of what ``at`` gives, and how many steps of ``path`` exist."""
        children = self.children
        if children is None or isinstance(children, dict):
            mark, depth = self.at(path)
            return mark.line, mark.column, depth
        line, column, depth = children.place(path)
        return (line, column, depth) if depth else (self.line, self.column, 0)


class Marks(Mapping[str | int, Mark]):
    """Children of a mark that know a way of their own to what lies further inside."""

    @abstractmethod
    def at(self, path: FieldPath) -> tuple[Mark, int] | None:
        """As ``Mark.at``; None where the first step leads nowhere."""

    @abstractmethod
    def place(self, path: FieldPath) -> tuple[int, int, int]:
        """As ``Mark.place``; three zeros where the first step leads nowhere."""


def mapping(value: Json) -> dict[str, Json]:
    """``value`` if it is a mapping, else an empty one: a field of the wrong type is as good as absent."""
    return value if isinstance(value, dict) else {}


def sequence(value: Json) -> list[Json]:
    """``value`` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Json) -> str:
    """``value`` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def dig(value: Json, *steps: str) -> Json:
    """The field under nested mappings, None where one of them is absent or no mapping."""
    for step in steps:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


@lru_cache(maxsize=65536)
def dotted(path: FieldPath) -> str:
    """``spec.containers[0].image``: the path as people write it (unusual keys are quoted)."""
    words: list[str] = []
    for step in path:
        if isinstance(step, int):
            words.append(f"[{step}]")
        elif not _PLAIN_KEY.fullmatch(step):
            words.append(f"[{json.dumps(step, ensure_ascii=False)}]")
        else:
            words.append(f".{step}" if words else step)
    return "".join(words)
