"""What cannot be had from outside: a value that travels to the report, with reason and next step."""

from __future__ import annotations


class NotFetchedError(Exception):
    """Something that was not fetched: why, and what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
