"""Reads an answer's JSON field by field: what is not of the type that GitHub describes is an error, never a guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from publishing.answer import Purpose
from publishing.failure import NotPublishedError, PublishError


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One JSON value. Every method raises NotPublishedError for what is not there."""

    value: object
    purpose: Purpose

    def at(self, *keys: str) -> Self | None:
        """What lies below these keys; None where one is absent or null."""
        value = self.value
        for key in keys:
            if not isinstance(value, dict):
                raise NotPublishedError(unexpected(self.purpose))
            if (value := value.get(key)) is None:
                return None
        return type(self)(value=value, purpose=self.purpose)

    def text(self, *keys: str) -> str:
        """The string below these keys."""
        found = self.at(*keys)
        if found is None or not isinstance(found.value, str):
            raise NotPublishedError(unexpected(self.purpose))
        return found.value

    def number(self, *keys: str) -> int:
        """The integer below these keys."""
        found = self.at(*keys)
        if found is None or not isinstance(found.value, int) or isinstance(found.value, bool):
            raise NotPublishedError(unexpected(self.purpose))
        return found.value

    def rows(self, *keys: str) -> tuple[Self, ...]:
        """The members of the list below these keys; none where it is absent or null."""
        found = self.at(*keys)
        if found is None:
            return ()
        if not isinstance(found.value, list):
            raise NotPublishedError(unexpected(self.purpose))
        return tuple(type(self)(value=each, purpose=self.purpose) for each in found.value)


def unexpected(purpose: Purpose) -> PublishError:
    """For an answer that is not what GitHub's description of its interface promises."""
    return PublishError(
        what=purpose.what,
        reason="the answer is not what GitHub describes",
        remedy="See that GITHUB_API_URL leads to GitHub's interface, and run it again.",
    )
