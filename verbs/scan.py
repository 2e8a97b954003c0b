"""``scan`` and ``action``: a tree, with a base also the comparison → verdict → reports, and what GitHub is told."""

from __future__ import annotations

import gc

from model.occasion import Occasion
from reporting.text import Terminal
from settings import Publishing, ScanSettings
from verbs.conclude import conclude
from verbs.console import Console
from verbs.emergency import unasked
from verbs.examine import examine
from verbs.outcome import Outcome
from verbs.sandboxes import open_sandbox
from verbs.sides import settle_sides


def scan(wanted: ScanSettings) -> int:
    """The exit code of auditing a tree, compared with a base where there is one."""
    gc.disable()  # many objects, hardly a cycle, and all of them live to the end: a tenth of the time
    console = Console(quiet=wanted.quiet, verbose=wanted.verbose, progress=wanted.progress)
    if wanted.publishing is not None and wanted.occasion is not None:
        return _announced(wanted, wanted.publishing, wanted.occasion, console)
    outcome, _ = _examined(wanted, console)
    return conclude(unasked(outcome, wanted.occasion), wanted, console)


def _announced(wanted: ScanSettings, publishing: Publishing, occasion: Occasion, console: Console) -> int:
    """The same, and GitHub is told; what speaks HTTP is imported for that only."""
    from publishing.code_scanning import judged
    from publishing.place import target
    from verbs.announce import announcing

    about, is_open = target(occasion), occasion.trusted_only
    with announcing(wanted, publishing, about, console, is_open_to_strangers=is_open) as announcement:
        outcome, commit = _examined(wanted, console)
        outcome = announcement.honoured(outcome, occasion)
        results_of = judged(occasion, commit)
        return conclude(outcome, wanted, console, lambda code: announcement.tell(outcome, results_of, code))


def _examined(wanted: ScanSettings, console: Console) -> tuple[Outcome, str | None]:
    """What came out, and the commit that was looked at or checked out."""
    with open_sandbox(wanted.runner, wanted.home, console.command) as sandbox:
        with console.step(Terminal("taking base and head out of git")):
            sides = settle_sides(wanted, sandbox)
        return examine(wanted, sides, sandbox, console), sides.commit
