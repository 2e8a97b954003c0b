"""The composition root: settings → trees → scans → audits → comparison → verdict → reports → exit code.

It alone knows every room, and enters one only when a verb needs it: ``--help`` answers in a moment.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from types import FrameType

import settings
from model.errors import HardeningGateError

READABLE = 0o022
"""Unprivileged children must be able to read the copies that we make for them."""
PATIENCE = 0.7
"""Seconds that children and private folders get to go away after a signal."""


def main(argv: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Run one verb; the exit code is the answer (docs/usage.md, "Exit codes")."""
    os.umask(READABLE)
    words = sys.argv[1:] if argv is None else argv
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _leave)
    terminals = (sys.stdout.isatty(), sys.stderr.isatty())
    try:
        wanted = settings.parse(words, os.environ if environment is None else environment, terminals=terminals)
        return _run(wanted)
    except HardeningGateError as error:
        from reporting.text import line, terminal

        sys.stderr.write(
            f"{line(terminal('error: {}', error.message))}\n{line(terminal('  next: {}', error.remedy))}\n"
        )
        return error.exit_code


def _run(wanted: settings.Settings) -> int:
    match wanted:
        case settings.ScanSettings():
            from verbs.scan import scan

            return scan(wanted)
        case settings.CompareSettings():
            from verbs.compare import compare

            return compare(wanted)
        case settings.DoctorSettings():
            from verbs.doctor import doctor

            return doctor(wanted)


def _leave(number: int, _: FrameType | None) -> None:
    """End all children, then ourselves, within a second."""
    threading.Timer(PATIENCE, os._exit, (128 + number,)).start()
    if "process" in sys.modules:
        from process import kill_all

        kill_all()
    os._exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
