"""Labels that may be unknown, and what can be said of them: yes, no, or nobody can tell from the manifests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import TypeAlias

from model.values import Json

Truth: TypeAlias = "bool | None"
"""None: it depends on a label that stands in no manifest of the scope."""


class Unknown(Enum):
    """A label that may be there, with any value."""

    UNKNOWN = "unknown"


UNKNOWN = Unknown.UNKNOWN
Label: TypeAlias = "str | Unknown | None"
"""The value of a label; None where it is absent."""
Lookup: TypeAlias = Callable[[str], Label]
"""The labels of one pod or namespace, by key."""


def every(truths: Iterable[Truth]) -> Truth:
    """Whether all hold: one that does not outweighs what is unknown."""
    is_unknown = False
    for truth in truths:
        if truth is False:
            return False
        is_unknown |= truth is None
    return None if is_unknown else True


def some(truths: Iterable[Truth]) -> Truth:
    """Whether one holds."""
    is_unknown = False
    for truth in truths:
        if truth is True:
            return True
        is_unknown |= truth is None
    return None if is_unknown else False


def opposite(truth: Truth) -> Truth:
    """What is unknown stays unknown."""
    return None if truth is None else not truth


def word(value: Json) -> str | None:
    """A label or a value to compare it with, as Kubernetes would store it; None for what is no scalar."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) else None
