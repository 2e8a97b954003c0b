"""The end of a run that gives a verdict: reports, what GitHub is told, outputs for the next steps, exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from model.errors import ExitCode
from model.resource import Failure
from settings import ScanSettings
from verbs.console import Console
from verbs.outcome import Outcome, exit_code

Tell: TypeAlias = Callable[[int], tuple[Failure, ...]]
"""Tells the server what came out, and with which exit code; returns what it was not told."""


def conclude(outcome: Outcome, wanted: ScanSettings, console: Console, tell: Tell | None = None) -> int:
    """The exit code. Reports are written before anybody is asked for anything, and again with what was refused."""
    code = exit_code(outcome.verdict, warn_only=wanted.warn_only)
    outcome.write(wanted.reports, wanted.output, colour=wanted.colour)
    refused = () if tell is None else tell(code)
    if refused:
        outcome.with_failures(refused).rewrite(wanted.reports, wanted.output)
    if wanted.outputs:
        outcome.hand_over(wanted.outputs, wanted.output)
    if wanted.timings:
        console.write_timings(wanted.timings)
    return ExitCode.ENVIRONMENT if refused and wanted.require_publish and code == ExitCode.PASSED else code
