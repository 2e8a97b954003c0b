"""A GitHub on loopback with one repository and its pull request: git over HTTP, REST interface, artifacts of runs."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.github.runner import payload
from tests.publishing.server import TOKEN, GitHub, serve
from tests.revisions.hosting import Host, hosting
from tests.revisions.workshop import Workshop

REPOSITORY = "our-org/shop"
FORK = "stranger/shop"
AUTHORIZATION = "basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
"""Without which git gets nothing: the repository is a private one."""
CONFIG, POLICY = ".hardening-gate.yaml", "version: 1\ngate: {fail_on_new: high}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A pull request as the server has it, number 7."""

    base: str
    """The tip of main."""
    head: str
    merge: str
    is_fork: bool = False

    def event(self) -> dict[str, Any]:
        """The payload that starts the first run."""
        value: dict[str, Any] = payload("pull_request")
        value["pull_request"]["head"]["sha"] = self.head
        value["pull_request"]["base"]["sha"] = self.base
        if self.is_fork:
            value["pull_request"]["head"]["repo"].update(full_name=FORK, fork=True, id=2)
        return value

    def follow_up(self, run: str, conclusion: str) -> dict[str, Any]:
        """The payload of the run after it."""
        value: dict[str, Any] = payload("workflow_run")
        value["workflow_run"].update(id=int(run), head_sha=self.head, conclusion=conclusion)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """What a runner reaches of it."""

    api: GitHub
    git: Host
    shop: Workshop
    """The repository, with a work tree in which people work."""
    artifacts: Path
    """A folder for each run."""

    def propose(self, before: Path, after: Path, *, is_fork: bool = False) -> Proposal:
        """Main with the files of ``before``, a branch with those of ``after`` instead, and GitHub's merge of both."""
        base = self._commit(before)
        self.shop.git("checkout", "--quiet", "-b", "feature")
        return self._merged(base, self._commit(after), is_fork=is_fork)

    def amend(self, proposal: Proposal, after: Path) -> Proposal:
        """One more commit on the branch, which is one of this repository."""
        self.shop.git("checkout", "--quiet", "feature")
        return self._merged(proposal.base, self._commit(after), is_fork=False)

    def _commit(self, files: Path) -> str:
        """Exactly these files, links as links, beside the configuration."""
        self.shop.git("rm", "-r", "--quiet", "--ignore-unmatch", ".")
        shutil.copytree(files, self.shop.place, symlinks=True, dirs_exist_ok=True)
        return self.shop.commit({CONFIG: POLICY})

    def _merged(self, base: str, head: str, *, is_fork: bool) -> Proposal:
        self.shop.git("checkout", "--quiet", "--detach", "main")
        self.shop.git("merge", "--quiet", "--no-ff", "--message=merge", "feature")
        merge = self.shop.git("rev-parse", "HEAD")
        self.shop.git("update-ref", "refs/pull/7/head", head)
        self.shop.git("update-ref", "refs/pull/7/merge", merge)
        self.shop.git("checkout", "--quiet", "main")
        if is_fork:
            self.shop.git("branch", "--quiet", "-D", "feature")  # it lies elsewhere, and here are only refs/pull
        self.api.head = head
        self.api.pulls = [(7, FORK if is_fork else REPOSITORY, "feature", head, base)]
        return Proposal(base=base, head=head, merge=merge, is_fork=is_fork)


@contextmanager
def opened(folder: Path) -> Iterator[Hub]:
    """Serve until the end."""
    shop = Workshop(folder / "git" / REPOSITORY, "--initial-branch=main")
    shop.git("config", "uploadpack.allowAnySHA1InWant", "true")
    artifacts = folder / "artifacts"
    artifacts.mkdir()
    with serve() as api, hosting(Host(place=folder / "git", wanted=AUTHORIZATION)) as git:
        yield Hub(api=api, git=git, shop=shop, artifacts=artifacts)
