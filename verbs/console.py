"""What people see while we work: steps on standard error, reports where they were asked for."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from model.errors import EnvironmentBrokenError
from process import End, Finished
from reporting.text import Annotation, Terminal, line, terminal

CLEAR_LINE = Terminal("\r\x1b[2K")
TICK = 0.2
"""Seconds between two looks at how far the work is."""
COLUMNS = 80
"""Of a terminal that does not say how wide it is."""
MOST_WORDS = 24
"""Of a command that is shown."""
_SET = re.compile(r"(--set(?:-[a-z]+)?)(=|$)")
"""Helm's options whose value may be a secret of the workflow."""


class Console:
    """Standard error for people; standard output carries only what was asked for."""

    def __init__(self, *, quiet: bool, verbose: bool, progress: bool, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._quiet = quiet
        self._verbose = verbose and not quiet
        self._line = _Line(self._stream) if progress and not quiet and not verbose else None
        self._writing = threading.Lock()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def step(self, what: Terminal, pieces: str = "") -> Iterator[None]:
        """Show a step, and how many of its ``pieces`` are done, on a terminal; with ``--verbose`` how long it took."""
        started = time.monotonic()
        try:
            if self._line is None:
                yield
            else:
                with self._line.shown(what, pieces):
                    yield
        finally:
            took = time.monotonic() - started
            self._seconds[what] = self._seconds.get(what, 0.0) + took
            if self._verbose:
                self._say(terminal("{}: {} s", what, f"{took:.2f}"))

    def progress(self, what: str, /, *, more: int = 0, done: int = 0) -> None:
        """Keep count of the pieces of one work (the port ``model.progress.Progress``)."""
        if self._line is not None:
            self._line.count(what, more, done)

    def command(self, words: Sequence[str], about: str, finished: Finished) -> None:
        """With ``--verbose``: a command, the seconds it took, and how it ended (the port ``process.Observer``)."""
        if self._verbose:
            place = terminal(" ({})", about) if about else Terminal("")
            self._say(
                terminal(
                    "{}{}: {} s{}", shown_command(words), place, f"{finished.seconds:.2f}", _how_it_ended(finished)
                )
            )

    def detail(self, words: Terminal) -> None:
        """With ``--verbose``: how a part of the run went."""
        if self._verbose:
            self._say(words)

    def remark(self, words: str) -> None:
        """Something that people must know about this run; data, however it came to be."""
        if not self._quiet:
            self._say(terminal("note: {}", words))

    def warning(self, words: Annotation) -> None:
        """Something that is not as it should be, however quiet the run is; a command that the runner reads."""
        with self._writing:
            _write(self._stream, Terminal(f"{words}\n"))

    def write_timings(self, file: Path) -> None:
        """The seconds of each step so far, as JSON."""
        rounded = {step: round(seconds, 3) for step, seconds in self._seconds.items()}
        write_report(file, json.dumps(rounded, indent=1) + "\n")

    def _say(self, words: Terminal) -> None:
        """One whole line, whichever thread says it."""
        with self._writing:
            _write(self._stream, Terminal(line(words) + "\n"))


class _Line:
    """The one line of a terminal that says what is done. A thread of its own draws it, so that no work waits for it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._counting = threading.Lock()
        self._counts: dict[str, tuple[int, int]] = {}
        """Pieces done, and all, by the name of the work."""

    @contextmanager
    def shown(self, what: Terminal, pieces: str) -> Iterator[None]:
        """Keep the line current until the step ends, then leave none."""
        with self._counting:
            self._counts.clear()
        ended = threading.Event()
        drawing = threading.Thread(target=self._draw, args=(what, pieces, ended), name="progress", daemon=True)
        drawing.start()
        try:
            yield
        finally:
            ended.set()
            drawing.join()

    def count(self, what: str, more: int, done: int) -> None:
        """Add to one work."""
        with self._counting:
            before, total = self._counts.get(what, (0, 0))
            self._counts[what] = before + done, total + more

    def _draw(self, what: Terminal, pieces: str, ended: threading.Event) -> None:
        started, drawn = time.monotonic(), ""
        while True:
            words = self._words(what, pieces, int(time.monotonic() - started))[: _columns(self._stream) - 1]
            if words != drawn:
                _write(self._stream, Terminal(CLEAR_LINE + words))
                drawn = words
            if ended.wait(TICK):
                _write(self._stream, CLEAR_LINE)
                return

    def _words(self, what: Terminal, pieces: str, seconds: int) -> Terminal:
        with self._counting:
            counts = sorted(self._counts.items())
        works = [terminal("{} {}/{}", name, f"{done:,}", f"{all_:,}") for name, (done, all_) in counts if done < all_]
        said = terminal("{}{}", Terminal(" · ".join(works)), f" {pieces}" if pieces else "")
        said = said if works else terminal("{} …", what)
        return line(terminal("{} · {} s", said, seconds) if seconds else said)


def shown_command(words: Sequence[str]) -> Terminal:
    """A command as people would type it: the program's name alone, no value of ``--set``, bounded."""
    program, *arguments = words
    kept = [Path(program).name, *_masked(arguments)][:MOST_WORDS]
    left = len(words) - len(kept)
    shown = Terminal(" ".join(terminal("{}", shlex.quote(word)) for word in kept))
    return terminal("{} … and {} more words", shown, left) if left else shown


def _masked(arguments: Sequence[str]) -> Iterator[str]:
    """Arguments without what ``--set`` sets, in one word or in two."""
    is_value = False
    for word in arguments:
        option = _SET.match(word)
        if is_value:
            yield _key(word)
        elif option and option[2]:
            yield f"{option[0]}{_key(word[option.end() :])}"
        else:
            yield word
        is_value = not is_value and option is not None and not option[2]


def _key(assignment: str) -> str:
    key, equals, _ = assignment.partition("=")
    return f"{key}=…" if equals else "…"


def _how_it_ended(finished: Finished) -> str:
    if finished.end is not End.EXITED:
        return f", {finished.end}"
    return f", exit code {finished.exit_code}" if finished.exit_code else ""


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or COLUMNS
    except (OSError, ValueError):
        return COLUMNS


def _write(stream: TextIO, words: Terminal) -> None:
    """A terminal that has gone away changes no verdict: what is still in the buffer goes nowhere."""
    try:
        stream.write(words)
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_report(file: Path | None, text: Iterable[str]) -> None:
    """Write a report, in one piece or bit by bit, to a file or to standard output.

    Raises EnvironmentBrokenError when that cannot be.
    """
    pieces = (text,) if isinstance(text, str) else text
    if file is None:
        _write_out(pieces)
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, pieces)
    except OSError as error:
        raise EnvironmentBrokenError(
            f"the report {file} cannot be written: {error.strerror}", "Name a file in a folder that can be written."
        ) from error


def _replace(file: Path, pieces: Iterable[str]) -> None:
    """Write whole or not at all: half a report must not be taken for one. Devices and pipes are written as they are."""
    if file.exists() and not file.is_file():
        _write_file(file, pieces)
        return
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        _write_file(beside, pieces)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _write_file(file: Path, pieces: Iterable[str]) -> None:
    with file.open("w", encoding="utf-8", errors="replace") as stream:
        stream.writelines(pieces)


def _write_out(pieces: Iterable[str]) -> None:
    """To standard output; a reader that has seen enough (``| head``) changes no verdict."""
    try:
        sys.stdout.writelines(pieces)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise EnvironmentBrokenError(
            f"standard output cannot be written: {error.strerror}", "Free some space, or write to a file elsewhere."
        ) from error


def append(file: Path, text: str) -> None:
    """Append to a file of the runner, which waits for nobody. Raises EnvironmentBrokenError when that cannot be."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(file, flags, 0o600), "a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise EnvironmentBrokenError(
            f"the outputs cannot be written to {file}: {error.strerror}", "See what GITHUB_OUTPUT names."
        ) from error
