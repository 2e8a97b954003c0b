"""What ``doctor`` asks a child that is a container: whether the kernel keeps what ``--runner docker`` promises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from model.errors import EnvironmentBrokenError
from process import End, Finished, Limits, Sandbox
from verbs.health import Examination, Health, broken

MEBIBYTES = 256
BRIEF = Limits(seconds=10, memory=MEBIBYTES << 20)
COUNTED = {
    "memory": ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    "processes": ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"),
}
"""Files of both versions of control groups that say how much a container may use (cgroups(7))."""
HELD = {
    "core file size": "core files",
    "cpu time": "processor time",
    "file size": "file size",
    "open files": "open files",
}
"""Rows of ``/proc/self/limits`` (without ``Max``, proc(5)), and our words for them."""
DAEMON = "See that Docker's host has the cgroup controllers memory, pids and cpu, or use `--runner process`."
DEFECT = "Report this as a defect of hardening-gate, or use `--runner process`."


def contained(sandbox: Sandbox) -> Iterator[Examination]:
    """Of a container that reads its own state, its interfaces, a file that is ours alone, and one written for it."""
    with sandbox.folder("doctor") as folder:
        copy, ours = folder / "copy", sandbox.private("doctor") / "secret"
        for file in (copy, ours):
            file.write_text(file.name, encoding="utf-8")

        def read(*files: str | Path) -> Finished:
            return sandbox.run(("/bin/cat", "--", *files), cwd=folder, limits=BRIEF)

        try:
            yield held(
                read("/proc/self/limits").stdout.decode(),
                {word: read(*files).stdout.decode() for word, files in COUNTED.items()},
            )
            yield network(read("/proc/net/dev").stdout.decode())
            yield hidden(read(ours))
            yield shown(read(copy))
        except EnvironmentBrokenError as error:
            yield broken("containers", error)


def enclosed(user: Examination) -> Examination:
    """That a child is the user's own is worth a note of a process; a container holds none of the user's files."""
    if user.health is not Health.NOTED:
        return user
    return replace(
        user, health=Health.WELL, says="run as the user that you are, without rights, beside none of your files"
    )


def held(limits: str, counted: dict[str, str]) -> Examination:
    """From ``/proc/self/limits`` and the control groups; ``counted`` by our words."""
    soft = dict(re.findall(r"(?m)^Max (.+?)  +(\S+)", limits))
    missing = [word for name, word in HELD.items() if soft.get(name, "unlimited") == "unlimited"]
    missing += [word for word, text in counted.items() if not _is_bounded(text)]
    if missing:
        return Examination(
            what="limits", health=Health.WRONG, says=f"do not hold for {', '.join(missing)}", remedy=DAEMON
        )
    words = ", ".join((*HELD.values(), *counted, "time"))
    return Examination(what="limits", health=Health.WELL, says=f"hold for {words} and output")


def _is_bounded(text: str) -> bool:
    """An unlimited group says ``max``, or, of the first version, a number near 2^63."""
    return text.strip().isdecimal() and int(text) < 1 << 60


def network(interfaces: str) -> Examination:
    """From ``/proc/net/dev``."""
    names = [row.partition(":")[0].strip() for row in interfaces.splitlines() if ":" in row]
    if names == ["lo"]:
        return Examination(what="network", health=Health.WELL, says="none: a child has no interface but its loopback")
    return Examination(
        what="network", health=Health.WRONG, says=f"a child has interfaces: {', '.join(names) or '?'}", remedy=DEFECT
    )


def hidden(attempt: Finished) -> Examination:
    """Of a child that tried to read a file of ours."""
    if attempt.end is End.EXITED and attempt.exit_code == 1 and "No such file" in attempt.stderr:
        return Examination(what="secrets", health=Health.WELL, says="children find no file of this machine")
    return Examination(what="secrets", health=Health.WRONG, says="children find files of this machine", remedy=DEFECT)


def shown(attempt: Finished) -> Examination:
    """Of a child that tried to read what we have written for it."""
    if attempt.stdout == b"copy":
        return Examination(what="copies", health=Health.WELL, says="children can read the copies written for them")
    return Examination(
        what="copies",
        health=Health.WRONG,
        says=f"children cannot read the copies written for them: {attempt.stderr.strip()}",
        remedy="Set the umask to 022 before starting hardening-gate.",
    )
