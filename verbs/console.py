"""What people see while we work: steps on standard error, reports where they were asked for."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from model.errors import EnvironmentBrokenError
from reporting.text import Terminal, line, terminal

CLEAR_LINE = Terminal("\r\x1b[2K")


class Console:
    """Standard error for people; standard output carries only what was asked for."""

    def __init__(self, *, quiet: bool, verbose: bool, progress: bool, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._verbose = verbose and not quiet
        self._progress = progress and not quiet and not verbose
        self._seconds: dict[str, float] = {}

    @contextmanager
    def step(self, what: Terminal) -> Iterator[None]:
        """Announce a step on a terminal; with ``--verbose`` say afterwards how long it took."""
        started = time.monotonic()
        if self._progress:
            self._write(Terminal(CLEAR_LINE + line(what, Terminal(" …"))))
        try:
            yield
        finally:
            took = time.monotonic() - started
            self._seconds[what] = self._seconds.get(what, 0.0) + took
            if self._verbose:
                self._write(Terminal(line(terminal("{}: {} s", what, f"{took:.2f}")) + "\n"))
            elif self._progress:
                self._write(CLEAR_LINE)

    def write_timings(self, file: Path) -> None:
        """The seconds of each step so far, as JSON."""
        rounded = {step: round(seconds, 3) for step, seconds in self._seconds.items()}
        write_report(file, json.dumps(rounded, indent=1) + "\n")

    def _write(self, words: Terminal) -> None:
        self._stream.write(words)
        self._stream.flush()


def write_report(file: Path | None, text: str) -> None:
    """Write a report to a file, or to standard output. Raises EnvironmentBrokenError when that cannot be."""
    if file is None:
        _write_out(text)
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, text)
    except OSError as error:
        raise EnvironmentBrokenError(
            f"the report {file} cannot be written: {error.strerror}", "Name a file in a folder that can be written."
        ) from error


def _replace(file: Path, text: str) -> None:
    """Write whole or not at all: half a report must not be taken for one. Devices and pipes are written as they are."""
    if file.exists() and not file.is_file():
        file.write_text(text, encoding="utf-8", errors="replace")
        return
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", errors="replace")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _write_out(text: str) -> None:
    """To standard output; a reader that has seen enough (``| head``) changes no verdict."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise EnvironmentBrokenError(
            f"standard output cannot be written: {error.strerror}", "Free some space, or write to a file elsewhere."
        ) from error


def append(file: Path, text: str) -> None:
    """Append to a file of the runner. Raises EnvironmentBrokenError when that cannot be."""
    try:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise EnvironmentBrokenError(
            f"the outputs cannot be written to {file}: {error.strerror}", "See what GITHUB_OUTPUT names."
        ) from error
