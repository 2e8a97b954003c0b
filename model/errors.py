"""The one root of what can go wrong for the user; every error ends with the next step."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process says to the workflow that started it (docs/usage.md)."""

    PASSED = 0
    BLOCKED = 1
    USAGE = 2
    INCOMPLETE = 3
    ENVIRONMENT = 4


class HardeningGateError(Exception):
    """Ends the run before a verdict: one sentence what, one what to do, and an exit code."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(HardeningGateError):
    """Wrong options, paths or configuration: nothing was scanned."""


class EnvironmentBrokenError(HardeningGateError):
    """A tool or a base that was asked for cannot be had: nothing was scanned."""

    exit_code = ExitCode.ENVIRONMENT
