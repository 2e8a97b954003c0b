"""Which binaries, of which version, and where they lie: the tool cache only, never PATH.

A binary counts as the pinned one only when it says so itself, asked in the sandbox. A release that is known to be
compromised is never started as a tool, whatever the pins say; one that lies about its version cannot be told by asking.
"""

from __future__ import annotations

import json
import re
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
    is_for_users: bool = True
    """If not, only the tests or the releases of this project start it: no user has to have it."""

    @property
    def label(self) -> str:
        """``helm 4.2.4``."""
        return f"{self.name} {self.version}"

    @property
    def remedy(self) -> str:
        """How to get exactly this one."""
        return f"Run `make tools` (or `python3 tools/build.py {self.name}`); in a container, rebuild its image."


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """Releases of a tool that are known to be compromised."""

    name: str
    versions: tuple[str, ...]
    advisories: tuple[str, ...]
    why: str

    def names_one(self, text: str) -> bool:
        """Whether the text has one of the versions as a whole number."""
        return any(re.search(rf"(?<![\d.]){re.escape(version)}(?!\.?\d)", text) for version in self.versions)

    def refusal(self, what: str) -> EnvironmentBrokenError:
        """The error that names what it is known as."""
        return EnvironmentBrokenError(
            f"{what} is a release of {self.name} that is known to be compromised "
            f"({', '.join(self.advisories)}: {self.why}).",
            f"Remove it, replace every credential that it could read, pin another version of {self.name} in "
            "tools/pins.json, then run `make tools`; in a container, use an image of another release.",
        )


class Toolbox:
    """The pinned binaries below ``${HARDENING_GATE_HOME:-${XDG_CACHE_HOME:-~/.cache}/hardening-gate}/tools``.

    ``elsewhere``: the folder of the tools as children find it, where that is another one than for us: then only
    ``check``, which starts one, can tell whether it is there.
    """

    def __init__(self, home: Path, *, pins: Path = PINS, elsewhere: Path | None = None) -> None:
        self.home = home.absolute()
        self._elsewhere = elsewhere
        self._file = pins
        self._pins, self._denied = _read_pins(pins)
        self._checked: set[str] = set()

    def seen_by(self, sandbox: Sandbox) -> Toolbox:
        """The same tools, where the children of this sandbox find them."""
        return Toolbox(self.home, pins=self._file, elsewhere=sandbox.runner.tools)

    @property
    def names(self) -> tuple[str, ...]:
        """All tools that users may need, sorted."""
        return tuple(sorted(name for name, pin in self._pins.items() if pin.is_for_users))

    def pin(self, name: str) -> Pin:
        """The pin of a tool that the product knows."""
        if name not in self._pins:
            raise EnvironmentBrokenError(
                f"No tool named {name} is pinned.",
                f"Name one of {', '.join(self.names)}, or add it to tools/pins.json.",
            )
        return self._pins[name]

    def path(self, name: str) -> Path:
        """``tools/NAME@VERSION/NAME``. Raises EnvironmentBrokenError when it is denied or, as far as we see, absent."""
        pin = self.pin(name)
        self._refuse_denied(name, pin.version, f"The pinned {pin.label}")
        binary = (self._elsewhere or self.home / "tools") / f"{name}@{pin.version}" / name
        if self._elsewhere is not None:
            return binary
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

        Raises EnvironmentBrokenError when it is absent, cannot be started, or says something else, above all that it
        is a release that is known to be compromised.
        """
        binary, pin = self.path(name), self.pin(name)
        if name not in self._checked:
            with sandbox.folder(f"version-of-{name}") as folder:
                answer = sandbox.run((binary, *pin.version_arguments), cwd=folder, limits=PATIENCE)
            self._refuse_denied(name, answer.stdout.decode("utf-8", "replace"), f"{binary}, by its own answer,")
            if not _fits(answer, pin):
                raise EnvironmentBrokenError(
                    f"{binary} is not {pin.label}: asked for its version, it {_said(answer)}.",
                    f"Remove it. {pin.remedy}",
                )
            self._checked.add(name)
        return binary

    def _refuse_denied(self, name: str, text: str, what: str) -> None:
        """Raise EnvironmentBrokenError when the text names a release of the tool that is denied."""
        for denied in self._denied:
            if denied.name == name and denied.names_one(text):
                raise denied.refusal(what)


def _read_pins(file: Path) -> tuple[dict[str, Pin], tuple[Denied, ...]]:
    """The pins by name, and what is denied. Raises EnvironmentBrokenError for a file that does not say both."""
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        pins = [
            Pin(
                name=row["name"],
                version=row["version"],
                version_arguments=tuple(row["version_arguments"]),
                version_answer=row["version_answer"],
                is_for_users="purpose" not in row,
            )
            for row in table["tools"]
        ]
        denied = tuple(
            Denied(
                name=row["name"],
                versions=tuple(row["versions"]),
                advisories=tuple(row["advisories"]),
                why=row["why"],
            )
            for row in table["denied"]
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise EnvironmentBrokenError(
            f"{file} does not say which tools are pinned: {error}.",
            "Restore it (`git checkout -- tools/pins.json`); in a container, rebuild its image.",
        ) from error
    return {pin.name: pin for pin in pins}, denied


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
