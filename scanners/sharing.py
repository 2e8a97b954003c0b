"""Lets several scopes share one start of a scanner that looks across objects, without one seeing another.

Each scope gets namespaces of its own in the copy; objects without a namespace that others name (cluster roles) keep
scopes apart. Bounded, since such scanners cost more than their input grows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from model.resource import Resource
from model.values import dig, text
from scanners.base import Scope
from scanners.copies import Copy, make_copies

SHARED: Final = 150
"""Objects of one start; a scope with more has one of its own."""


def share(scopes: Sequence[Scope], supports: Callable[[Resource], bool]) -> Iterator[tuple[Copy, ...]]:
    """The copies of each start."""
    for together in _together(scopes, supports):
        if len(together) == 1:
            yield make_copies(together[0])
        else:
            rooms = (make_copies(resources, room) for room, resources in enumerate(together, 1))
            yield tuple(copy for copies in rooms for copy in copies)


def _together(scopes: Sequence[Scope], supports: Callable[[Resource], bool]) -> Iterator[list[list[Resource]]]:
    """Neighbouring scopes, as many as fit and cannot take each other's cluster roles for their own."""
    start: list[list[Resource]] = []
    defined: set[str] = set()
    named: set[str] = set()
    size = 0
    for scope in scopes:
        resources = [resource for resource in scope.resources if supports(resource)]
        if not resources:
            continue
        own, others = _roles(resources), _bound(resources)
        clash = own & (defined | named) or others & defined
        if start and (clash or size + len(resources) > SHARED):
            yield start
            start, defined, named, size = [], set(), set(), 0
        start.append(resources)
        defined |= own
        named |= others
        size += len(resources)
    if start:
        yield start


def _roles(resources: Sequence[Resource]) -> set[str]:
    return {resource.ref.name for resource in resources if resource.ref.kind == "ClusterRole"}


def _bound(resources: Sequence[Resource]) -> set[str]:
    return {text(dig(dict(resource.value), "roleRef", "name")) for resource in resources}
