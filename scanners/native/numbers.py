"""Numbers as Kubernetes reads them: counts, counts or percentages, quantities. What is none of these is None."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from model.values import Json

AMOUNT = re.compile(r"(-?\d{1,9})(%?)", re.ASCII)
QUANTITY = re.compile(
    r"([+-]?(?:\d{1,30}\.?\d{0,30}|\.\d{1,30}))(?:[eE]([+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i)?)", re.ASCII
)
SUFFIXES = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
"""Powers of ten (k8s.io/apimachinery, ``resource.Quantity``)."""
BINARY_SUFFIXES = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
"""Powers of two."""


class Amount(NamedTuple):
    """``IntOrString``: a count, or a share of one."""

    number: int
    is_percent: bool

    def of(self, total: int) -> int:
        """How many of ``total``; a share is rounded up, as for disruption budgets."""
        return -(-self.number * total // 100) if self.is_percent else self.number


def whole(value: Json) -> int | None:
    """An integer; ``true`` is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def amount(value: Json) -> Amount | None:
    """A count, or a share such as ``50%``."""
    number = whole(value)
    if number is not None:
        return Amount(number, is_percent=False)
    found = AMOUNT.fullmatch(value) if isinstance(value, str) else None
    return Amount(int(found[1]), is_percent=bool(found[2])) if found else None


def quantity(value: Json) -> Decimal | None:
    """``500m``, ``1Gi``, ``1e3`` or a plain number, exact up to 28 digits."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    found = QUANTITY.fullmatch(str(value))
    if found is None:
        return None
    number, exponent, suffix = found.groups()
    if suffix in BINARY_SUFFIXES:
        return Decimal(number) * (1 << BINARY_SUFFIXES[suffix])
    return Decimal(number).scaleb(int(exponent) if exponent else SUFFIXES.get(suffix, 0))
