"""The second stage for forks: a real repository over HTTP, a GitHub that judges every request, the whole program."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.github.runner import payload, variables
from tests.publishing.server import TOKEN, GitHub, serve
from tests.revisions.hosting import Host, hosting
from tests.revisions.workshop import Workshop
from tests.threats.program import BAD, POD, Run, gate

FORK = "stranger/shop"
CLAIM = "audit.json"


@dataclass(slots=True, kw_only=True)
class Fork:
    """A pull request of a stranger, and what its own run has left behind."""

    hub: GitHub
    host: Host
    origin: Workshop
    folder: Path
    main: str
    head: str
    merge: str

    @property
    def left(self) -> Path:
        """The artifact of the first stage."""
        return self.folder / "left"

    def claim(self, changed: str = POD) -> dict[str, Any]:
        """The audit of a tree that may be another one than that of the pull request."""
        tree = self.folder / "tree"
        (tree / "deploy").mkdir(parents=True, exist_ok=True)
        (tree / "deploy" / "web.yaml").write_text(changed, encoding="utf-8")
        out = self.folder / "claimed.json"
        gate("scan", ".", "--root", ".", "--scanners", "native", f"--format=json={out}", cwd=tree)
        value: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return value

    def leave(self, claim: dict[str, Any]) -> None:
        self.left.mkdir(exist_ok=True)
        (self.left / CLAIM).write_text(json.dumps(claim), encoding="utf-8")

    def event(self, **changes: Any) -> dict[str, Any]:
        value = payload("workflow_run")
        value["workflow_run"] |= {"head_sha": self.head, **changes}
        return dict(value)

    def publish(self, *options: str, event: dict[str, Any] | None = None, **inputs: str) -> Run:
        """The verb, or with inputs the action."""
        file, summary = self.folder / "event.json", self.folder / "summary"
        file.write_text(json.dumps(event or self.event()), encoding="utf-8")
        summary.touch()
        named = variables(
            "workflow_run",
            GITHUB_EVENT_PATH=str(file),
            GITHUB_SERVER_URL=self.host.url,
            GITHUB_API_URL=self.hub.url,
            GITHUB_STEP_SUMMARY=str(summary),
            GITHUB_OUTPUT=str(self.folder / "outputs"),
            GITHUB_SHA=self.main,
        )
        if inputs:
            given = {"token": TOKEN, "scanners": "native", "publish": str(self.left), **inputs}
            named |= {f"INPUT_{name.upper().replace('_', '-')}": value for name, value in given.items()}
            run = gate("action", cwd=self.folder, environment=named)
        else:
            words: tuple[str | Path, ...] = ("publish", self.left, "--scanners", "native", *options)
            run = gate(*words, cwd=self.folder, environment={**named, "GITHUB_TOKEN": TOKEN})
        assert TOKEN not in run.out + run.err
        return run

    @property
    def is_untold(self) -> bool:
        """Whether nothing at all was written."""
        return not (self.hub.comments or self.hub.statuses or self.hub.sarifs)


@pytest.fixture
def fork(tmp_path: Path) -> Iterator[Fork]:
    origin = Workshop(tmp_path / "git" / "our-org" / "shop", "--initial-branch=main")
    origin.git("config", "uploadpack.allowAnySHA1InWant", "true")
    main = origin.commit({"deploy/web.yaml": POD, ".hardening-gate.yaml": "version: 1\n"})
    origin.git("checkout", "--quiet", "-b", "stranger")
    head = origin.commit({"deploy/web.yaml": BAD, ".hardening-gate.yaml": "version: 1\ngate: {fail_on_new: none}\n"})
    origin.git("checkout", "--quiet", "--detach", "main")
    origin.git("merge", "--quiet", "--no-ff", "--message=merge", "stranger")
    merge = origin.git("rev-parse", "HEAD")
    origin.git("update-ref", "refs/pull/7/merge", merge)
    origin.git("update-ref", "refs/pull/7/head", head)
    origin.git("checkout", "--quiet", "main")
    origin.git("branch", "--quiet", "-D", "stranger")
    with serve() as hub, hosting(Host(place=tmp_path / "git")) as host:
        hub.head, hub.pulls = head, [(7, FORK, "feature", head, main)]
        made = Fork(hub=hub, host=host, origin=origin, folder=tmp_path, main=main, head=head, merge=merge)
        made.leave(made.claim(BAD))
        yield made
    assert hub.violations == []


def test_head_is_audited_again_and_only_then_comment_and_status_are_written(fork: Fork) -> None:
    run = fork.publish()
    assert run.code == 1, run.err
    assert [(each["state"], each["sha"]) for each in fork.hub.statuses] == [
        ("pending", fork.head),
        ("failure", fork.head),
    ]
    [comment] = fork.hub.bodies()
    assert comment.startswith(f"<!-- hardening-gate head={fork.head} -->\n### ❌ ")
    assert "Container runs privileged" in comment
    assert "Audited again in a job of this repository" in comment
    assert "says otherwise" not in comment
    assert [(each["ref"], each["commit_sha"]) for each in fork.hub.sarifs] == [("refs/pull/7/merge", fork.merge)]
    assert "Container runs privileged" in (fork.folder / "summary").read_text(encoding="utf-8")


def test_it_is_the_policy_of_base_that_counts(fork: Fork) -> None:
    """That of head lets everything new pass."""
    run = fork.publish()
    assert run.code == 1
    assert "gate.fail\\_on\\_new" in fork.hub.bodies()[0] or "gate.fail_on_new" in fork.hub.bodies()[0]


def test_the_action_does_the_same_by_its_inputs_and_hands_outputs_over(fork: Fork) -> None:
    run = fork.publish(upload_sarif="false", output="reports", paths="deploy")
    assert run.code == 1, run.err
    assert "verdict<<" in (fork.folder / "outputs").read_text(encoding="utf-8")
    assert (fork.folder / "reports" / "report.md").is_file()
    assert len(fork.hub.comments) == 1
    assert fork.hub.sarifs == []


def test_with_warn_only_the_job_passes_and_the_status_says_what_the_verdict_is(fork: Fork) -> None:
    run = fork.publish("--warn-only")
    assert run.code == 0, run.err
    assert fork.hub.statuses[-1]["state"] == "failure"


def test_a_conflict_leaves_no_merge_and_head_itself_is_judged(fork: Fork) -> None:
    fork.origin.git("update-ref", "-d", "refs/pull/7/merge")
    run = fork.publish()
    assert run.code == 1, run.err
    assert [(each["ref"], each["commit_sha"]) for each in fork.hub.sarifs] == [("refs/pull/7/head", fork.head)]


def test_a_merge_of_an_older_head_does_not_count(fork: Fork) -> None:
    fork.origin.git("update-ref", "refs/pull/7/merge", fork.main)
    run = fork.publish()
    assert run.code == 1, run.err
    assert fork.hub.sarifs[0]["ref"] == "refs/pull/7/head"


def test_without_trust_the_claim_is_repeated_as_such_and_the_status_stays_pending(fork: Fork) -> None:
    run = fork.publish("--trust", "none")
    assert run.code == 0, run.err
    assert [each["state"] for each in fork.hub.statuses] == ["pending", "pending"]
    assert "not checked" in fork.hub.statuses[-1]["description"]
    [comment] = fork.hub.bodies()
    assert comment.partition("\n")[2].startswith("**Reported by the run of the fork, and checked by nobody.**")
    assert "Container runs privileged" in comment
    assert fork.hub.sarifs == []
    assert fork.host.requested == []


def test_a_private_repository_is_fetched_with_the_token_which_nobody_else_sees(fork: Fork) -> None:
    fork.host.wanted = "basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    run = fork.publish()
    assert run.code == 1, run.err
    assert set(fork.host.seen) == {fork.host.wanted}
    assert not any(TOKEN in words or fork.host.wanted in words for words in fork.host.arguments)


def test_a_token_that_may_not_write_is_told_and_the_verdict_stays(fork: Fork) -> None:
    fork.hub.denied.add("/repos/{owner}/{repo}/issues/{issue_number}/comments")
    run = fork.publish()
    assert run.code == 1
    assert "::warning title=Not published%3A the comment::" in run.err


def test_the_checkout_of_the_trusted_job_is_not_looked_at_and_nothing_is_checked_out(fork: Fork) -> None:
    (fork.folder / "deploy").mkdir()
    (fork.folder / "deploy" / "web.yaml").write_text("not: [scanned", encoding="utf-8")
    before = sorted(path.name for path in fork.folder.iterdir())
    assert fork.publish().code == 1
    assert sorted(path.name for path in fork.folder.iterdir()) == sorted({*before, "event.json", "summary"})
