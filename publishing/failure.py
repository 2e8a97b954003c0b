"""What could not be published, as a value: which thing, how the server answered, why, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LONGEST: Final = 300
"""Characters of what a server says that are repeated."""
_UNPRINTABLE: Final = re.compile(
    r"[\x00-\x20\x7f-\xa0\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishError:
    """One thing that is not where people look for it. The verdict does not depend on it."""

    what: str
    """Such as ``the comment``."""
    status: int | None = None
    """Of HTTP; None where no answer came, or where none was asked for."""
    reason: str
    remedy: str


class NotPublishedError(Exception):
    """Carries the value up to the door of this room, where ``as_value`` hands it out; nobody else sees it."""

    def __init__(self, error: PublishError) -> None:
        super().__init__(error.reason)
        self.error = error


def as_value(publish: Callable[P, T]) -> Callable[P, T | PublishError]:
    """A function of the room's door: what was raised inside is returned."""

    @wraps(publish)
    def door(*args: P.args, **kwargs: P.kwargs) -> T | PublishError:
        try:
            return publish(*args, **kwargs)
        except NotPublishedError as refused:
            return refused.error

    return door


def one_line(text: str, longest: int = LONGEST) -> str:
    """What somebody else wrote, without line breaks and invisible characters, cut to ``longest`` characters."""
    kept = _UNPRINTABLE.sub(" ", text[: 4 * longest]).strip()
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"
