"""The one way to start git: the machine's own, with settings of ours only; refuses a git that is too old for that."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from model.errors import EnvironmentBrokenError
from process import PROXIES, End, Finished, Limits, Sandbox

FOLDERS = ("/usr/bin", "/usr/local/bin", "/bin")
"""Where git is looked for; PATH is not asked, it may lead into what we look at."""
OLDEST = (2, 31)
"""The first that takes settings from GIT_CONFIG_COUNT (its release notes), which keeps a token out of the arguments."""
LOCAL = Limits(seconds=120)
FETCHING = Limits(seconds=600, file_size=64 << 30)

SETTINGS: Mapping[str, str] = {
    "core.alternateRefsCommand": ":",  # else a fetch would ask the checkout for its refs, by another git
    "core.attributesFile": "/dev/null",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.packedGitLimit": "2g",  # of address space, which is limited
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",  # unpacking would renew the times of borrowed files
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "http.lowSpeedLimit": "1000",  # a server that says nothing for a minute has said all
    "http.lowSpeedTime": "60",
    "maintenance.auto": "false",
    "protocol.ext.allow": "never",
    "safe.bareRepository": "explicit",
    "safe.directory": "*",  # the checkout may be another user's; nothing of it runs
    "submodule.recurse": "false",
}
ENVIRONMENT: Mapping[str, str] = {
    "GIT_ALLOW_PROTOCOL": "",  # none, so that nothing is fetched unless that is meant
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_NO_LAZY_FETCH": "1",  # known from 2.45 on; before, it is the empty list of protocols that refuses
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_SSH_COMMAND": "/usr/bin/ssh -oBatchMode=yes",
    "GIT_SSH_VARIANT": "ssh",
    "GIT_TERMINAL_PROMPT": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """A git of this machine."""

    program: Path
    sandbox: Sandbox
    home: Path
    """A folder of ours, in which it works."""

    @classmethod
    def find(cls, sandbox: Sandbox, home: Path, folders: Sequence[str] = FOLDERS) -> Self:
        """The first in ``folders``. Raises EnvironmentBrokenError where there is none, or one that is too old."""
        program = next((Path(at, "git") for at in folders if os.access(f"{at}/git", os.X_OK)), None)
        if program is None:
            raise EnvironmentBrokenError(
                f"git is in none of {', '.join(folders)}; commits are read with it.",
                "Install git (Debian: `apt-get install git`).",
            )
        git = cls(program=program, sandbox=sandbox, home=home)
        answer = git.start("--version").stdout.decode(errors="replace").strip()
        found = re.match(r"git version (\d+)\.(\d+)", answer)
        if found is None or (int(found[1]), int(found[2])) < OLDEST:
            raise EnvironmentBrokenError(
                f"{program} says {answer[:60]!r}; commits are read with git {OLDEST[0]}.{OLDEST[1]} or newer.",
                "Install a newer git.",
            )
        return git

    def start(
        self,
        *words: str | Path,
        at: Path | None = None,
        stdin: bytes = b"",
        limits: Limits = LOCAL,
        settings: Iterable[tuple[str, str]] = (),
        environment: Mapping[str, str | None] | None = None,
    ) -> Finished:
        """Run it on the repository ``at`` and wait for its end; whether it did its work says the exit code.

        ``settings`` come on top of ours, in the environment, where no list of processes shows them. Raises
        EnvironmentBrokenError when it does not end by itself, within its limits.
        """
        told = _settings(itertools.chain(SETTINGS.items(), settings))
        repository = () if at is None else (f"--git-dir={at}",)
        done = self.sandbox.run_trusted(
            (self.program, *repository, *words),
            cwd=self.home,
            limits=limits,
            environment={**ENVIRONMENT, **told, **(environment or {})},
            stdin=stdin,
        )
        if done.end is not End.EXITED:
            raise EnvironmentBrokenError(
                f"`git {words[0]}` {done.end} after {done.seconds:.0f} s: {last_line(done)}",
                "See whether the repository is whole (`git fsck`) and its remote answers; run it again.",
            )
        return done

    def ask(self, *words: str, at: Path, stdin: bytes = b"", limits: Limits = LOCAL) -> bytes:
        """What it prints. Raises EnvironmentBrokenError when it fails."""
        done = self.start(*words, at=at, stdin=stdin, limits=limits)
        if done.exit_code != 0:
            raise failed(words[0], done)
        return done.stdout


def failed(word: str, done: Finished) -> EnvironmentBrokenError:
    """The error that says that ``git word`` did not do its work."""
    return EnvironmentBrokenError(
        f"`git {word}` fails: {last_line(done)}",
        "See whether the repository is whole (`git fsck`) and this git as new as the one that made it.",
    )


def last_line(done: Finished) -> str:
    """What git said last, without the credentials of a URL."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return re.sub(r"://[^/@\s']*@", "://", lines[-1][:400]) if lines else "it says nothing"


def proxies(network: Mapping[str, str]) -> dict[str, str | None]:
    """The variables of ``network``, and no proxy but those."""
    return {**dict.fromkeys((*PROXIES, "NO_PROXY", "no_proxy")), **network}


def _settings(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The variables that tell git settings, as -c would (git-config, GIT_CONFIG_COUNT)."""
    numbered = tuple(enumerate(pairs))
    keys = {f"GIT_CONFIG_KEY_{number}": key for number, (key, _) in numbered}
    values = {f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in numbered}
    return {"GIT_CONFIG_COUNT": str(len(numbered)), **keys, **values}
