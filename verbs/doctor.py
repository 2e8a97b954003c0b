"""``doctor``: what works on this machine, what does not, and what to do. A child measures every answer."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from model.errors import EnvironmentBrokenError, ExitCode
from process import DEAD_PROXY, NOBODY, PROXIES, RESERVE, End, Finished, Limits, Sandbox, finds_strays, free_bytes
from reporting.text import line, terminal
from settings import DoctorSettings
from toolbox import Toolbox
from verbs.console import write_report
from verbs.doctor_containers import contained, enclosed, shown
from verbs.health import Examination, Health, broken
from verbs.sandboxes import open_sandbox

OLDEST_PYTHON = (3, 11)
BRIEF = Limits(seconds=10)
LIMITS = {
    "address space": "memory",
    "core file size": "core files",
    "cpu time": "processor time",
    "file size": "file size",
    "open files": "open files",
    "processes": "processes",
}
"""Rows of ``/proc/self/limits`` (without ``Max``, proc(5)), and our words for them."""


def doctor(wanted: DoctorSettings) -> int:
    """The verb: 0 when all is well, 4 when something is wrong."""
    seen = diagnose(Toolbox(wanted.home), lambda: open_sandbox(wanted.runner, wanted.home))
    write_report(None, "".join(f"{line(terminal('{}', row))}\n" for row in render(seen)))
    return exit_code(seen)


def diagnose(toolbox: Toolbox, open_sandbox: Callable[[], Sandbox] = Sandbox) -> tuple[Examination, ...]:
    """All examinations, also where children cannot be confined at all."""
    try:
        with open_sandbox() as sandbox:
            return examine(toolbox.seen_by(sandbox), sandbox)
    except EnvironmentBrokenError as error:
        return (_python(), broken("sandbox", error), *_tools_present(toolbox))


def examine(toolbox: Toolbox, sandbox: Sandbox) -> tuple[Examination, ...]:
    """Look at everything that a run relies on."""
    return (
        _python(),
        Examination(what="runner", health=Health.WELL, says=sandbox.runner.name),
        *(_tool(toolbox, name, sandbox) for name in toolbox.names),
        *(_isolation(sandbox) if sandbox.runner.is_container else _confinement(sandbox)),
        _space(free_bytes(sandbox.root), sandbox.root.parent),
    )


def exit_code(examinations: Sequence[Examination]) -> ExitCode:
    """0 when nothing is wrong, else 4."""
    return ExitCode.ENVIRONMENT if _countbroken(examinations) else ExitCode.PASSED


def render(examinations: Sequence[Examination]) -> tuple[str, ...]:
    """Lines for people: each examination, and under it what to do."""
    width = max(len(examination.what) for examination in examinations)
    lines = []
    for examination in examinations:
        lines.append(f"{examination.health:5}  {examination.what:{width}}  {examination.says}")
        if examination.remedy:
            lines.append(f"{'':5}  {'':{width}}  next: {examination.remedy}")
    wrong = _countbroken(examinations)
    return (*lines, "", f"{wrong} of {len(examinations)} wrong" if wrong else "all well")


def _countbroken(examinations: Sequence[Examination]) -> int:
    return sum(examination.health is Health.WRONG for examination in examinations)


def _python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Examination:
    words = ".".join(map(str, version))
    if version >= OLDEST_PYTHON:
        return Examination(what="python", health=Health.WELL, says=words)
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Examination(
        what="python", health=Health.WRONG, says=f"{words} is too old", remedy=f"Use Python {oldest} or newer."
    )


def _tools_present(toolbox: Toolbox) -> Iterator[Examination]:
    """What can be said about the tools where none may be started."""
    for name in toolbox.names:
        try:
            binary = toolbox.path(name)
        except EnvironmentBrokenError as error:
            yield broken(name, error)
        else:
            yield Examination(what=name, health=Health.NOTED, says=f"is there, not asked for its version: {binary}")


def _tool(toolbox: Toolbox, name: str, sandbox: Sandbox) -> Examination:
    start = time.monotonic()
    try:
        binary = toolbox.check(name, sandbox)
    except EnvironmentBrokenError as error:
        return broken(name, error)
    seconds = time.monotonic() - start
    return Examination(
        what=name, health=Health.WELL, says=f"{toolbox.pin(name).version}, answers in {seconds:.2f} s: {binary}"
    )


def _isolation(sandbox: Sandbox) -> Iterator[Examination]:
    """Ask a container what it may, and who it is."""
    with sandbox.folder("doctor") as folder:
        status = sandbox.run(("/bin/cat", "/proc/self/status"), cwd=folder, limits=BRIEF)
    yield enclosed(_user(status.stdout.decode(), expected_nobody=sandbox.unprivileged))
    yield from contained(sandbox)


def _confinement(sandbox: Sandbox) -> Iterator[Examination]:
    """Ask a child what it may: it reads its own state, our environment, and a file that we have written."""
    with sandbox.folder("doctor") as folder:
        copy = folder / "copy"
        copy.write_text("copy", encoding="utf-8")

        def read(*files: str | Path) -> Finished:
            return sandbox.run(("/bin/cat", "--", *files), cwd=folder, limits=BRIEF)

        try:
            status, limits, environ = (read(f"/proc/self/{name}") for name in ("status", "limits", "environ"))
            yield _user(status.stdout.decode(), expected_nobody=sandbox.unprivileged)
            yield _limits(limits.stdout.decode(), unprivileged=sandbox.unprivileged)
            yield _network(environ.stdout.decode())
            yield _secrets(read(f"/proc/{os.getpid()}/environ"))
            yield shown(read(copy))
        except EnvironmentBrokenError as error:
            yield broken("children", error)
    yield _leftovers()


def _user(status: str, *, expected_nobody: bool) -> Examination:
    """From ``/proc/self/status`` of a child (proc(5))."""
    field = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    users = {*field.get("Uid", "").split(), *field.get("Gid", "").split()}
    # Docker lists the group of the user among the others, too.
    is_nobody = users == {str(NOBODY)} and {*field.get("Groups", "?").split()} <= {str(NOBODY)}
    gains_nothing = field.get("NoNewPrivs", "").strip() == "1" and int(field.get("CapEff", "f"), 16) == 0
    if is_nobody and gains_nothing:
        return Examination(
            what="children",
            health=Health.WELL,
            says=f"run as user {NOBODY}, without groups, rights or ways to gain any",
        )
    if not expected_nobody and gains_nothing:
        return Examination(
            what="children",
            health=Health.NOTED,
            says="run as the user that you are: they can read the files that you can read",
        )
    return Examination(
        what="children",
        health=Health.WRONG,
        says=f"keep rights: users {sorted(users)}, groups {field.get('Groups', '?').strip() or 'none'}",
        remedy="Leave the container its default capabilities, or run it as an ordinary user.",
    )


def _limits(limits: str, *, unprivileged: bool) -> Examination:
    """From ``/proc/self/limits`` of a child."""
    soft = {name: value for name, value in re.findall(r"(?m)^Max (.+?)  +(\S+)", limits) if name in LIMITS}
    holding = [LIMITS[name] for name in sorted(soft) if soft[name] != "unlimited"]
    missing = [word for word in LIMITS.values() if word not in holding]
    if not missing:
        return Examination(what="limits", health=Health.WELL, says=f"hold for {', '.join(holding)}, time and output")
    says = f"hold for {', '.join([*holding, 'time', 'output'])}; not for {', '.join(missing)}"
    if missing == ["processes"] and not unprivileged:
        return Examination(what="limits", health=Health.NOTED, says=f"{says}, which are counted together with yours")
    return Examination(
        what="limits", health=Health.WRONG, says=says, remedy="Install util-linux 2.38 or newer, which has prlimit."
    )


def _network(environ: str) -> Examination:
    """From ``/proc/self/environ`` of a child; the port must be dead, too."""
    variables = dict(pair.split("=", 1) for pair in environ.split("\0") if "=" in pair)
    astray = [name for name in PROXIES if variables.get(name) != DEAD_PROXY]
    if astray:
        return Examination(
            what="network",
            health=Health.WRONG,
            says=f"children are not told to use the dead proxy: {', '.join(astray)}",
            remedy="Report this as a defect of hardening-gate.",
        )
    if _listens(DEAD_PROXY):
        return Examination(
            what="network",
            health=Health.WRONG,
            says=f"something listens at {DEAD_PROXY}, where the proxy of the children is meant to be dead",
            remedy="End the service that listens there.",
        )
    return Examination(
        what="network", health=Health.WELL, says="off for tools that honour proxy variables; the kernel forbids nothing"
    )


def _listens(url: str) -> bool:
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    with socket.socket() as attempt:
        attempt.settimeout(1)
        return attempt.connect_ex((address.hostname, address.port)) == 0


def _secrets(attempt: Finished) -> Examination:
    """Of a child that tried to print our environment."""
    if attempt.end is End.EXITED and attempt.exit_code == 1 and not attempt.stdout:
        return Examination(what="secrets", health=Health.WELL, says="children cannot read this process's environment")
    return Examination(
        what="secrets",
        health=Health.WRONG,
        says="children can read the environment of this process, tokens included",
        remedy="Run as root with default capabilities, or on a kernel that honours PR_SET_DUMPABLE; give no token.",
    )


def _leftovers() -> Examination:
    if finds_strays():
        return Examination(what="leftovers", health=Health.WELL, says="what children leave running is found and ended")
    return Examination(
        what="leftovers",
        health=Health.NOTED,
        says="a process that leaves its group is not found: this kernel has no /proc/PID/task/TID/children",
    )


def _space(free: int, where: Path) -> Examination:
    says = f"{free >> 20} MiB free in {where}"
    if free >= RESERVE:
        return Examination(what="space", health=Health.WELL, says=says)
    return Examination(
        what="space",
        health=Health.WRONG,
        says=says,
        remedy=f"Free at least {RESERVE >> 20} MiB there, or set TMPDIR to a folder that has them.",
    )
