"""A whole job as a runner has it, by act: the workflow that users copy, from `uses:` to the end, on the built image.

The containers share the network of this machine, so that they reach the GitHub of ``hub``. The job itself runs in the
image under test as well, which has the bash and git that its steps need. What act does not do as GitHub's runner does:
the workspace has a path of this machine, everybody is root, and the token of a fork's run is not taken its rights; the
hub refuses what it may not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import real_toolbox
from tests.container.hub import REPOSITORY, Hub
from tests.publishing.server import TOKEN
from tests.threats.program import ROOT

EXAMPLES = ROOT / "examples" / "workflows"
STANDINS = Path(__file__).with_name("standins")
OURS = "OWNER/hardening-gate@COMMIT"
PATIENCE = 180
LATER = """
      - if: always()
        env:
          OUTCOME: ${{ steps.gate.outcome }}
          OUTPUTS: ${{ toJSON(steps.gate.outputs) }}
        run: echo "later step sees $OUTCOME" && echo "$OUTPUTS" | tr -d '\\n' && echo
"""
"""What a user's own step after ours is told."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Log:
    """What a run of a workflow left behind."""

    code: int
    """Of the whole run, 0 when it is green."""
    text: str
    """All that was logged, with nothing masked."""
    entries: tuple[Mapping[str, Any], ...]
    seconds: float

    def __repr__(self) -> str:
        """As people read it."""
        return "\n".join(each["msg"].rstrip("\n") for each in self.entries)

    def said(self, command: str) -> list[Mapping[str, Any]]:
        """The workflow commands of that name that the runner has obeyed, in their order."""
        return [each for each in self.entries if each.get("command") == command]

    @property
    def lines(self) -> list[str]:
        """What steps printed."""
        return [each["msg"].rstrip("\n") for each in self.entries if each.get("raw_output")]

    @property
    def later(self) -> tuple[str, dict[str, str]]:
        """Outcome and outputs of our step, as a later one sees them."""
        at = next(number for number, line in enumerate(self.lines) if line.startswith("later step sees "))
        return self.lines[at].removeprefix("later step sees "), json.loads(self.lines[at + 1])

    @property
    def exit_codes(self) -> list[int]:
        """Of the steps that failed."""
        found = (re.search(r"exit with `FAILURE`: (\d+)", each["msg"]) for each in self.entries)
        return [int(each[1]) for each in found if each]

    @property
    def summary(self) -> str:
        """The summary of the job, as far as our step wrote it."""
        return "".join(each["content"] for each in self.said("summary"))

    @property
    def messages(self) -> list[tuple[str, Mapping[str, str], str]]:
        """Level, properties and text of each annotation."""
        levels = ("error", "warning", "notice")
        return [
            (each["command"], each["kvPairs"], each["arg"]) for each in self.entries if each.get("command") in levels
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A machine that runs workflows of the hub's repository."""

    image: str
    hub: Hub
    folder: Path

    def run(self, example: str, event: Mapping[str, Any], sha: str, *, run: str = "42", **changes: str) -> Log:
        """One of ``examples/workflows``, started by this event of this commit.

        ``changes``: inputs of our step that the example does not have.
        """
        mark = uuid.uuid4().hex
        place = self.folder / f"run-{mark}"
        for name in ("workspace", "temp", "home"):
            (place / name).mkdir(parents=True)
        (place / "temp").chmod(0o1777)
        text = followed((EXAMPLES / f"{example}.yml").read_text(encoding="utf-8"), mark, changes)
        (place / "workflow.yml").write_text(text, encoding="utf-8")
        (place / "event.json").write_text(json.dumps(event), encoding="utf-8")
        name = "workflow_run" if "workflow_run" in event else "pull_request"
        try:
            return finished(self._command(place, name, sha, run, uses(text)), place)
        finally:
            remove(mark)
            self._give_back()

    def _command(self, place: Path, event: str, sha: str, run: str, actions: Iterable[str]) -> tuple[str, ...]:
        variables = {
            "GITHUB_API_URL": self.hub.api.url,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_RUN_ID": run,
            "GITHUB_SERVER_URL": self.hub.git.url,
            "SHA_REF": sha,  # as act wants to be told what GITHUB_SHA is to be
        }
        empty = ("env-file", "secret-file", "var-file", "input-file")
        mounts = f"--volume={place / 'temp'}:/tmp --volume={self.hub.artifacts}:/artifacts"
        return (
            *(str(real_toolbox().path("act")), event, "--json", "--insecure-secrets"),
            *(f"--directory={place / 'workspace'}", f"--workflows={place / 'workflow.yml'}"),
            *(f"--eventpath={place / 'event.json'}", "--actor=alice", "--secret=GITHUB_TOKEN"),
            *(f"--env={name}={value}" for name, value in variables.items()),
            *(f"--{name}=/dev/null" for name in empty),
            *("--pull=false", "--network=host", "--rm", "--no-skip-checkout", "--no-cache-server"),
            *(f"--platform=ubuntu-latest={self.image}", f"--container-options={mounts}"),
            *("--action-offline-mode", f"--action-cache-path={place / 'cache'}"),
            *(f"--local-repository={action}={self._folder(action, place)}" for action in actions),
        )

    def _folder(self, action: str, place: Path) -> Path:
        """What stands for an action: a stand-in, or our own with the built image in the place of its Dockerfile."""
        if action != OURS:
            found = STANDINS / action.partition("@")[0].partition("/")[2]
            assert found.is_dir(), f"nothing stands in for {action}"
            return found
        made = place / "ours"
        made.mkdir()
        text = (ROOT / "action.yml").read_text(encoding="utf-8")
        assert text.count("\n  image: Dockerfile\n") == 1
        text = text.replace("\n  image: Dockerfile\n", f"\n  image: docker://{self.image}\n")
        (made / "action.yml").write_text(text, encoding="utf-8")
        return made

    def _give_back(self) -> None:
        """Whatever the containers' root has written, so that it can be read and removed."""
        if os.geteuid() != 0:
            owner = f"{os.geteuid()}:{os.getegid()}"
            words = ("--rm", "--network=none", f"--volume={self.folder}:/folder", "--entrypoint=chown")
            subprocess.run(("docker", "run", *words, self.image, "-R", owner, "/folder"), check=True)


def followed(text: str, mark: str, changes: Mapping[str, str]) -> str:
    """The workflow with a step of a user's after ours, more inputs of ours, and a name that no other run has.

    act names its containers and volumes after the workflow.
    """
    start, found, rest = text.partition(f"      - uses: {OURS}")
    assert found, "the example does not use the action"
    comment, _, rest = rest.partition("\n")
    inputs = "".join(f"          {name.replace('_', '-')}: {json.dumps(value)}\n" for name, value in changes.items())
    if inputs:
        assert not rest.lstrip().startswith("with:"), "the example has inputs of its own"
        inputs = f"        with:\n{inputs}"
    start = re.sub(r"(?m)^name: .*$", f"name: {mark}", start, count=1)
    return f"{start}{found}{comment}\n        id: gate\n{inputs}{rest}{LATER.removeprefix(chr(10))}"


def uses(text: str) -> list[str]:
    """The actions of a workflow."""
    return re.findall(r"(?m)^\s+(?:- )?uses: (\S+)", text)


def remove(mark: str) -> None:
    """What is left of a run that did not come to its own end."""
    for listing, removing in ((("ps", "--all"), ("rm", "--force")), (("volume", "ls"), ("volume", "rm"))):
        words = ("docker", *listing, "--quiet", f"--filter=name={mark}")
        left = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
        if left:
            subprocess.run(("docker", *removing, *left), capture_output=True, check=True)


def finished(command: tuple[str, ...], place: Path) -> Log:
    """What act did, within bounds; it is told nothing of this machine but where Docker is."""
    environment = {"HOME": str(place / "home"), "PATH": os.environ["PATH"], "GITHUB_TOKEN": TOKEN}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
    start = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, timeout=PATIENCE, check=False)
    seconds = time.monotonic() - start
    out, err = done.stdout.decode(), done.stderr.decode()
    entries = tuple(json.loads(line) for line in out.splitlines() if line.startswith("{"))
    return Log(code=done.returncode, text=out + err, entries=entries, seconds=seconds)
