"""A job of GitHub's runner around the image: the mounts, variables and users a container action starts with."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.github.runner import payload, variables
from tests.revisions.workshop import Workshop
from tests.threats.program import BAD, POD, Run

RUNNER = 1001
"""The user of GitHub's hosted runners, who owns the checkout; the container is root."""
PATIENCE = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A folder with the checkout of a pull request's merge commit, the event, and what the runner mounts."""

    image: str
    folder: Path
    after: str = BAD
    """The manifest as the pull request leaves it."""

    def __post_init__(self) -> None:
        """Make the folders, once."""
        if self.workspace.exists():
            return
        shop = Workshop(self.workspace, "--initial-branch=main")
        base = shop.commit({"deploy/web.yaml": POD, "deploy/job.yaml": POD.replace("NAME", "job")})
        shop.git("checkout", "--quiet", "-b", "feature")
        head = shop.commit({"deploy/web.yaml": self.after, "README.md": "A shop.\n"})
        shop.git("checkout", "--quiet", "--detach", "main")
        shop.git("merge", "--quiet", "--no-ff", "--message=merge", "feature")
        event = payload("pull_request")
        event["pull_request"]["head"]["sha"], event["pull_request"]["base"]["sha"] = head, base
        for name in ("home", "workflow", "file_commands"):
            (self.folder / name).mkdir()
        (self.folder / "workflow" / "event.json").write_text(json.dumps(event), encoding="utf-8")
        (self.folder / "file_commands" / "output").touch(mode=0o600)
        self._give_to_runner()

    def _give_to_runner(self) -> None:
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, RUNNER, RUNNER, follow_symlinks=False)

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    @property
    def sha(self) -> str:
        """The merge commit."""
        return (self.workspace / ".git" / "HEAD").read_text(encoding="utf-8").strip()

    def command(self, *options: str, **inputs: str) -> Sequence[str]:
        """As the runner writes it, but for the network: nothing that is tested needs any."""
        settings = {
            "HOME": "/github/home",
            "INPUT_OUTPUT": "reports",
            **{f"INPUT_{name.upper().replace('_', '-')}": value for name, value in inputs.items()},
            **variables(
                "pull_request",
                GITHUB_EVENT_PATH="/github/workflow/event.json",
                GITHUB_OUTPUT="/github/file_commands/output",
                GITHUB_SHA=self.sha,
                GITHUB_WORKSPACE="/github/workspace",
            ),
        }
        mounts = ("home", "workflow", "file_commands", "workspace")
        return (
            *("docker", "run", "--rm", "--network=none", "--workdir=/github/workspace"),
            *(f"--volume={self.folder / name}:/github/{name}" for name in mounts),
            *(f"--env={name}={value}" for name, value in settings.items()),
            *options,
            self.image,
        )

    def run(self, *options: str, **inputs: str) -> Run:
        """The step, from its start to its end."""
        return finished(self.command(*options, **inputs))

    @contextmanager
    def running(self, *options: str, **inputs: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
        """The step and the name of its container, which is gone afterwards."""
        name = f"hardening-gate-test-{uuid.uuid4().hex}"
        with subprocess.Popen(
            self.command(f"--name={name}", *options, **inputs), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as step:
            try:
                yield name, step
            finally:
                subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)

    def outputs(self) -> dict[str, str]:
        """What the step told the next ones."""
        rows = (self.folder / "file_commands" / "output").read_text(encoding="utf-8").split("\n")
        return {row.partition("<<")[0]: rows[number + 1] for number, row in enumerate(rows) if "<<" in row}

    def comparison(self) -> Any:
        return json.loads((self.workspace / "reports" / "comparison.json").read_text(encoding="utf-8"))


def finished(command: Sequence[str]) -> Run:
    """What a command did, within bounds."""
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    seconds = time.monotonic() - start
    return Run(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode(), seconds=seconds)


def inside(image: str, *words: str) -> str:
    """What a program in the image prints when it is all that is started."""
    run = finished(("docker", "run", "--rm", "--network=none", f"--entrypoint={words[0]}", image, *words[1:]))
    assert run.code == 0, run.err
    return run.out
