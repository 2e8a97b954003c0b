"""Lets several scopes share one start of a scanner that looks across objects, without one seeing another.

Each scope gets namespaces of its own in the copy; objects without a namespace that others name (cluster roles) keep
scopes apart. Bounded, since such scanners cost more than their input grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from model.resource import Resource
from model.values import dig, text
from scanners.copies import make_copies
from scanners.pieces import Piece, Start

SHARED: Final = 150
"""Objects of one start; a scope with more has one of its own."""


def share(scopes: Sequence[Piece]) -> Iterator[Start]:
    """The starts that they need: each scope is in one."""
    for together in _together(scopes):
        if len(together) == 1:
            yield Start(pieces=(together[0],), copies=make_copies(together[0].resources))
        else:
            rooms = (make_copies(piece.resources, room) for room, piece in enumerate(together, 1))
            yield Start(pieces=tuple(together), copies=tuple(copy for copies in rooms for copy in copies))


def _together(scopes: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Neighbouring scopes, as many as fit and cannot take each other's cluster roles for their own."""
    start: list[Piece] = []
    defined: set[str] = set()
    named: set[str] = set()
    size = 0
    for scope in scopes:
        resources = scope.resources
        own, others = _roles(resources), _bound(resources)
        clash = own & (defined | named) or others & defined
        if start and (clash or size + len(resources) > SHARED):
            yield start
            start, defined, named, size = [], set(), set(), 0
        start.append(scope)
        defined |= own
        named |= others
        size += len(resources)
    if start:
        yield start


def _roles(resources: Sequence[Resource]) -> set[str]:
    return {resource.ref.name for resource in resources if resource.ref.kind == "ClusterRole"}


def _bound(resources: Sequence[Resource]) -> set[str]:
    return {text(dig(dict(resource.value), "roleRef", "name")) for resource in resources}
