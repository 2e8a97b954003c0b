"""Which binaries, of which version, and where they lie: the tool cache only, never PATH.

A binary counts as the pinned one only when it says so itself, asked in the sandbox.
"""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from errno import EACCES
from pathlib import Path

from model.errors import EnvironmentBrokenError
from process import End, Finished, Limits, Sandbox

PINS = Path(__file__).resolve().parent / "tools" / "pins.json"
PATIENCE = Limits(seconds=30, output=1 << 20)
"""A cold disk may take seconds to bring in Trivy's 160 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A tool as ``tools/pins.json`` pins it."""

    name: str
    version: str
    """Without a leading ``v``."""
    version_arguments: tuple[str, ...] = ("version",)
    version_answer: str = ""
    """A line of the answer starts so."""
    is_for_tests: bool = False
    """Only the tests of this project start it: no user has to have it."""

    @property
    def label(self) -> str:
        """``helm 4.2.4``."""
        return f"{self.name} {self.version}"

    @property
    def remedy(self) -> str:
        """How to get exactly this one."""
        return f"Run `make tools` (or `python3 tools/build.py {self.name}`); in a container, rebuild its image."


class Toolbox:
    """The pinned binaries below ``${HARDENING_GATE_HOME:-${XDG_CACHE_HOME:-~/.cache}/hardening-gate}/tools``."""

    def __init__(self, home: Path, *, pins: Path = PINS) -> None:
        self.home = home.absolute()
        self._pins = _read_pins(pins)
        self._checked: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """All tools that users may need, sorted."""
        return tuple(sorted(name for name, pin in self._pins.items() if not pin.is_for_tests))

    def pin(self, name: str) -> Pin:
        """The pin of a tool that the product knows."""
        if name not in self._pins:
            raise EnvironmentBrokenError(
                f"No tool named {name} is pinned.",
                f"Name one of {', '.join(self.names)}, or add it to tools/pins.json.",
            )
        return self._pins[name]

    def path(self, name: str) -> Path:
        """The binary, ``tools/NAME@VERSION/NAME``. Raises EnvironmentBrokenError, with remedy, when it is absent."""
        pin = self.pin(name)
        binary = self.home / "tools" / f"{name}@{pin.version}" / name
        try:
            mode = binary.stat().st_mode
        except OSError as error:
            remedy = (
                "Set HARDENING_GATE_HOME to a folder that this user may read." if error.errno == EACCES else pin.remedy
            )
            raise EnvironmentBrokenError(f"{pin.label} is not at {binary}: {error.strerror}.", remedy) from error
        if not stat.S_ISREG(mode) or not mode & stat.S_IXUSR:
            raise EnvironmentBrokenError(f"{pin.label} is no program: {binary}.", f"Remove it. {pin.remedy}")
        return binary

    def check(self, name: str, sandbox: Sandbox) -> Path:
        """The binary, once it has said that it is the pinned version; asked once.

        Raises EnvironmentBrokenError when it is absent, cannot be started, or says something else.
        """
        binary, pin = self.path(name), self.pin(name)
        if name not in self._checked:
            with sandbox.folder(f"version-of-{name}") as folder:
                answer = sandbox.run((binary, *pin.version_arguments), cwd=folder, limits=PATIENCE)
            if not _fits(answer, pin):
                raise EnvironmentBrokenError(
                    f"{binary} is not {pin.label}: asked for its version, it {_said(answer)}.",
                    f"Remove it. {pin.remedy}",
                )
            self._checked.add(name)
        return binary


def _read_pins(file: Path) -> dict[str, Pin]:
    """The pins by name. Raises EnvironmentBrokenError for a file that is none."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["tools"]
        pins = [
            Pin(
                name=row["name"],
                version=row["version"],
                version_arguments=tuple(row["version_arguments"]),
                version_answer=row["version_answer"],
                is_for_tests=row.get("purpose") == "tests",
            )
            for row in rows
        ]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise EnvironmentBrokenError(
            f"{file} does not say which tools are pinned: {error}.",
            "Restore it (`git checkout -- tools/pins.json`); in a container, rebuild its image.",
        ) from error
    return {pin.name: pin for pin in pins}


def _fits(answer: Finished, pin: Pin) -> bool:
    """Whether the answer is that of the pinned version and no longer number: 0.74.0 is not 0.74.01."""
    return (
        answer.end is End.EXITED
        and answer.exit_code == 0
        and any(
            line.startswith(pin.version_answer) and not line[len(pin.version_answer) :][:1].isdigit()
            for line in answer.stdout.decode("utf-8", "replace").splitlines()
        )
    )


def _said(answer: Finished) -> str:
    """``said "v9"``, or how else it ended."""
    if answer.end is not End.EXITED:
        return f"ended so: {answer.end}"
    words = (answer.stdout.decode("utf-8", "replace").strip() or answer.stderr.strip() or "nothing").splitlines()[0]
    return f'said "{words[:80]}" with exit code {answer.exit_code}'
