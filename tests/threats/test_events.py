"""Workflows that would hand secrets to the pull requests of strangers, started as the runner starts them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.github.runner import payload, variables
from tests.threats.program import BAD, POD, Run, gate, write

COMMON = {
    "INPUT_SCANNERS": "native",
    "INPUT_TOKEN": "ghs_c4n4ry",
    "INPUT_OUTPUT": "reports",
    **{f"INPUT_{name.upper()}": "false" for name in ("comment", "status", "upload-sarif", "annotations")},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A checkout with a trusted tip, and a branch that a stranger has pushed."""

    folder: Path
    trusted: str
    strange: str

    def check_out(self, commit: str) -> None:
        git(self.folder, "checkout", "--quiet", "--detach", commit)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    folder = tmp_path / "workspace"
    write(folder, {"deploy/web.yaml": POD})
    git(folder, "init", "--quiet", "--initial-branch=main")
    trusted = commit(folder)
    write(folder, {"deploy/web.yaml": BAD})
    return Shop(folder=folder, trusted=trusted, strange=commit(folder))


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.test", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=x")
    return git(folder, "rev-parse", "HEAD")


def started(verb: str, shop: Shop, fixture: str, *options: str, paths: str = ".", **changes: Mapping[str, Any]) -> Run:
    """``verb`` in the checkout, by this event; ``changes`` replace parts of its payload, options are of ``scan``."""
    event = shop.folder.parent / "event.json"
    event.write_text(json.dumps({**payload(fixture), **changes}), encoding="utf-8")
    environment = variables(
        fixture,
        GITHUB_EVENT_PATH=str(event),
        GITHUB_WORKSPACE=str(shop.folder),
        GITHUB_OUTPUT=str(shop.folder.parent / "outputs"),
        GITHUB_SHA=shop.trusted,
    )
    if verb == "scan":
        words = ("scan", *paths.split(), "--scanners", "native", *options)
        return gate(*words, cwd=shop.folder, environment=environment)
    inputs = {"INPUT_" + name.removeprefix("--").upper(): value for name, value in batched(options)}
    return gate("action", cwd=shop.folder, environment={**COMMON, "INPUT_PATHS": paths, **inputs, **environment})


def batched(options: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(options[::2], options[1::2], strict=True)


def require_refusal(run: Run, event: str) -> None:
    assert (run.code, run.out) == (2, ""), run.err
    assert run.err.startswith("error: ")
    assert event in run.err
    assert "\n  next: " in run.err
    assert "`pull_request`" in run.err
    assert "ghs_c4n4ry" not in run.err


@pytest.mark.threat("P8")
@pytest.mark.parametrize("checked_out", ["trusted", "strange"])
@pytest.mark.parametrize("options", [(), ("--base", "HEAD")])
def test_pull_request_target_is_refused_and_the_next_steps_are_told(
    shop: Shop, checked_out: str, options: tuple[str, ...]
) -> None:
    shop.check_out(getattr(shop, checked_out))
    for verb in ("action", "scan"):
        require_refusal(started(verb, shop, "pull_request_target", *options), "pull_request_target")
    assert (shop.folder.parent / "outputs").read_text(encoding="utf-8") == "verdict=error\n"
    assert not (shop.folder / "reports").exists()


@pytest.mark.threat("P8")
@pytest.mark.parametrize("fixture", ["workflow_run", "issue_comment", "pull_request_review"])
@pytest.mark.parametrize("verb", ["action", "scan"])
def test_a_strangers_commit_is_refused_where_secrets_are(shop: Shop, fixture: str, verb: str) -> None:
    shop.check_out(shop.strange)
    require_refusal(started(verb, shop, fixture), fixture)
    require_refusal(started(verb, shop, fixture, "--base", shop.trusted), fixture)


@pytest.mark.threat("P8")
@pytest.mark.parametrize("verb", ["action", "scan"])
def test_a_strangers_commit_is_refused_where_it_is_named_beside_a_trusted_checkout(shop: Shop, verb: str) -> None:
    shop.check_out(shop.trusted)
    require_refusal(started(verb, shop, "workflow_run", "--head", shop.strange), "workflow_run")


@pytest.mark.threat("P8")
@pytest.mark.parametrize(("verb", "paths"), [("action", "pull"), ("scan", "pull"), ("scan", "deploy pull/deploy")])
def test_a_strangers_commit_is_refused_where_it_is_a_checkout_of_its_own(shop: Shop, verb: str, paths: str) -> None:
    shop.check_out(shop.trusted)
    git(shop.folder, "clone", "--quiet", ".", "pull")
    git(shop.folder / "pull", "checkout", "--quiet", "--detach", shop.strange)
    require_refusal(started(verb, shop, "workflow_run", paths=paths), "workflow_run")


@pytest.mark.threat("P8")
@pytest.mark.parametrize("fixture", ["workflow_run", "issue_comment"])
@pytest.mark.parametrize("verb", ["action", "scan"])
def test_the_trusted_commit_of_such_an_event_is_audited(shop: Shop, fixture: str, verb: str) -> None:
    shop.check_out(shop.trusted)
    run = started(verb, shop, fixture)
    assert run.code == 0, run.err
    assert run.out


@pytest.mark.threat("P8")
@pytest.mark.parametrize("verb", ["action", "scan"])
def test_a_folder_that_git_does_not_know_is_refused_where_secrets_are(tmp_path: Path, verb: str) -> None:
    write(tmp_path / "workspace", {"deploy/web.yaml": POD})
    shop = Shop(folder=tmp_path / "workspace", trusted="a" * 40, strange="b" * 40)
    require_refusal(started(verb, shop, "workflow_run"), "workflow_run")


@pytest.mark.threat("P8")
@pytest.mark.parametrize("verb", ["action", "scan"])
def test_a_run_after_a_push_to_the_same_repository_may_see_what_was_pushed(shop: Shop, verb: str) -> None:
    shop.check_out(shop.strange)
    followed = payload("workflow_run_push")["workflow_run"] | {"head_sha": shop.strange}
    run = started(verb, shop, "workflow_run_push", workflow_run=followed)
    assert run.code == 0, run.err
    away = followed | {"head_repository": {"full_name": "stranger/shop"}}
    require_refusal(started(verb, shop, "workflow_run_push", workflow_run=away), "workflow_run")
