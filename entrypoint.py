"""The composition root: settings → trees → scans → audits → comparison → verdict → reports → exit code.

It alone knows every room, and enters one only when a verb needs it: ``--help`` answers in a moment.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

import settings
from model.errors import EnvironmentBrokenError, HardeningGateError

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
        return _tell(error, words)
    except Exception as error:  # noqa: BLE001 the last resort: Python's own exit code would read as "blocked"
        return _tell(_defect(error), words)


def _tell(error: HardeningGateError, words: Sequence[str]) -> int:
    """Say what went wrong and what to do; the action says it to the next steps as well."""
    from reporting.text import line, terminal

    rows = (line(terminal("error: {}", error.message)), line(terminal("  next: {}", error.remedy)))
    sys.stderr.write("".join(f"{row}\n" for row in rows))
    outputs = settings.outputs_file(words, os.environ)
    if outputs is not None:
        from verbs.console import append

        try:
            append(outputs, "verdict=error\n")
        except HardeningGateError as unwritten:  # the step says more than its outputs: its code is that of the cause
            sys.stderr.write(f"{line(terminal('error: {}', unwritten.message))}\n")
    return error.exit_code


def _defect(error: Exception) -> EnvironmentBrokenError:
    """A defect of ours, told by its kind and place: the message of an exception may hold values of a manifest."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return EnvironmentBrokenError(
        f"hardening-gate has a defect and stopped without a verdict: "
        f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}",
        "Report this line and, if you can, the manifest; nothing was decided.",
    )


def _run(wanted: settings.Settings) -> int:  # noqa: PLR0911 one for each verb
    match wanted:
        case settings.ScanSettings():
            from verbs.scan import scan

            return scan(wanted)
        case settings.PublishSettings():
            from verbs.publish import publish

            return publish(wanted)
        case settings.CompareSettings():
            from verbs.compare import compare

            return compare(wanted)
        case settings.DepsSettings():
            from verbs.deps import deps

            return deps(wanted)
        case settings.DoctorSettings():
            from verbs.doctor import doctor

            return doctor(wanted)
        case settings.InitSettings():
            from verbs.init import init

            return init(wanted)
        case settings.ExplainSettings():
            from verbs.explain import explain

            return explain(wanted)
        case settings.ControlsSettings():
            from verbs.controls import controls

            return controls(wanted)


def _leave(number: int, _: FrameType | None) -> None:
    """End all children, then ourselves, within a second."""
    threading.Timer(PATIENCE, os._exit, (128 + number,)).start()
    if "process" in sys.modules:
        from process import kill_all

        kill_all()
    os._exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
