"""Accepted risks: whether a waiver covers a result on a day, and which waivers cover nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from controls.paths import globs
from model.policy import Waiver
from model.resource import ResourceRef


class Waivers:
    """The waivers of one policy on one day (UTC); remembers which were of use."""

    def __init__(self, waivers: Sequence[Waiver], today: dt.date) -> None:
        self.expired = tuple(waiver for waiver in waivers if waiver.expires and waiver.expires < today)
        self._valid = tuple(waiver for waiver in waivers if not waiver.expires or waiver.expires >= today)
        self.controls = frozenset(waiver.control for waiver in self._valid)
        """Those that some valid waiver names."""
        self._used: set[Waiver] = set()

    def covering(self, control: str, ref: ResourceRef, container: str | None, *paths: str) -> Waiver | None:
        """The first valid waiver for this result, which stands in one of ``paths``."""
        for waiver in self._valid:
            if waiver.control == control and _covers(waiver, ref, container, paths):
                self._used.add(waiver)
                return waiver
        return None

    def use(self, waivers: Iterable[Waiver | None]) -> None:
        """Remember that these were of use; a waiver that covers an object covers its twin on the other side."""
        self._used.update(filter(None, waivers))

    @property
    def unused(self) -> tuple[Waiver, ...]:
        """Valid waivers that covered nothing."""
        return tuple(waiver for waiver in self._valid if waiver not in self._used)


def _covers(waiver: Waiver, ref: ResourceRef, container: str | None, paths: Sequence[str]) -> bool:
    return (
        _names(waiver.resource, ref)
        and (waiver.container is None or (container is not None and _matches(waiver.container, container)))
        and (waiver.path is None or any(map(globs((waiver.path,)), paths)))
    )


def _names(pattern: str, ref: ResourceRef) -> bool:
    if not pattern:
        return True
    parts = pattern.split("/")
    kind, name = parts[0], parts[-1]
    namespace = parts[1] if len(parts) == 3 else "*"
    return all(
        _matches(wanted, actual)
        for wanted, actual in ((kind, ref.kind), (namespace, ref.namespace or "-"), (name, ref.name))
    )


def _matches(pattern: str, name: str) -> bool:
    """Whether a glob matches a whole name: ``*`` stands for any characters. Linear in the length of the name."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == first
    *middle, last = rest
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    position, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True
