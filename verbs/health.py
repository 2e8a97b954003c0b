"""What ``doctor`` says of one thing that it has looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from model.errors import EnvironmentBrokenError


class Health(StrEnum):
    """How well something is."""

    WELL = "ok"
    NOTED = "note"
    """Weaker than in the container, but nothing to repair."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """One thing that was looked at."""

    what: str
    health: Health
    says: str
    remedy: str = ""


def broken(what: str, error: EnvironmentBrokenError) -> Examination:
    """Something that could not even be asked."""
    return Examination(what=what, health=Health.WRONG, says=error.message, remedy=error.remedy)
