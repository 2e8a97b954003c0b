"""Frozen dataclasses for nouns that one run makes by the hundred thousand; everything else is a plain ``dataclass``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    from dataclasses import dataclass

    def record(*, frozen: bool, eq: bool = True, **options: bool) -> type:
        """As ``dataclass``; that nobody sets a field is left to the type checker.

        At run time a frozen dataclass writes each field by way of ``object.__setattr__``: a result takes 1.9 µs instead
        of 0.7, and there is one for every flaw of every object.
        """
        return dataclass(**options, eq=eq, unsafe_hash=frozen and eq)


__all__ = ["record"]
