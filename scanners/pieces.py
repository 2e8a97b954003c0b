"""What a scanner is asked about as a whole, and what one start of it looks at; it starts nothing."""

from __future__ import annotations

from dataclasses import dataclass

from cache import Key
from model.resource import Resource
from scanners.copies import Copy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """Objects that are judged together and see no others: a scope, or one object."""

    resources: tuple[Resource, ...]
    """At least one; in an order that depends on nothing but themselves."""
    key: Key
    """Of all that the scanner's answer depends on: equal pieces share it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Start:
    """One start of a scanner: the pieces that share it, and what it reads."""

    pieces: tuple[Piece, ...]
    copies: tuple[Copy, ...]
