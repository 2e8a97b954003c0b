"""What the run of a fork may leave behind for the second stage, and what must become of it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.reporting.rendered import ATTACKS, Rendered
from tests.reporting.runner import commands
from tests.threats.program import BAD, CANARY, POD, Run
from tests.verbs.test_publish import CLAIM, FORK, Fork, fork

__all__ = ("fork",)


FAILURE = dict.fromkeys(("line", "scanner", "source", "resource", "digest")) | {"stage": "parse"}


def require_refusal(fork: Fork, run: Run, *words: str) -> None:
    """Exit 2, with the reason, and not one write."""
    assert run.code == 2, run.err
    assert all(word in run.err for word in words)
    assert "\n  next: " in run.err
    assert fork.is_untold
    assert CANARY not in run.out + run.err


def as_link(fork: Fork) -> None:
    (fork.folder / "secret").write_text(CANARY, encoding="utf-8")
    (fork.left / CLAIM).symlink_to(fork.folder / "secret")


def as_process(fork: Fork) -> None:
    (fork.left / CLAIM).symlink_to("/proc/self/environ")


def as_pipe(fork: Fork) -> None:
    os.mkfifo(fork.left / CLAIM)


def as_folder(fork: Fork) -> None:
    (fork.left / CLAIM).mkdir()


def as_nothing(fork: Fork) -> None:
    """There is none."""
    assert not (fork.left / CLAIM).exists()


def as_fifty_one_megabytes(fork: Fork) -> None:
    with (fork.left / CLAIM).open("wb") as file:
        file.truncate(51_000_000)


def as_depth(fork: Fork) -> None:
    (fork.left / CLAIM).write_text("[" * 1_000_000, encoding="utf-8")


def as_prose(fork: Fork) -> None:
    (fork.left / CLAIM).write_text(f"{CANARY}: not JSON", encoding="utf-8")


def as_another_schema(fork: Fork) -> None:
    (fork.left / CLAIM).write_text(json.dumps({"schema": CANARY}), encoding="utf-8")


def as_bytes(fork: Fork) -> None:
    (fork.left / CLAIM).write_bytes(b"\xff\xfe\x00{")


SHAPES = (
    as_link,
    as_process,
    as_pipe,
    as_folder,
    as_nothing,
    as_fifty_one_megabytes,
    as_depth,
    as_prose,
    as_another_schema,
    as_bytes,
)


@pytest.mark.threat("P8", "P11")
@pytest.mark.parametrize("forge", SHAPES, ids=lambda forge: forge.__name__)
def test_what_is_no_audit_in_a_regular_file_of_bounded_size_is_refused(
    fork: Fork, forge: Callable[[Fork], None]
) -> None:
    (fork.left / CLAIM).unlink()
    forge(fork)
    for trust in ("audit", "none"):
        run = fork.publish("--trust", trust)
        require_refusal(fork, run, "audit.json")
        assert run.seconds < 20


def lower(claim: dict[str, Any]) -> None:
    claim["score"]["earned"] = -1


def above(claim: dict[str, Any]) -> None:
    claim["score"]["earned"] = claim["score"]["possible"] + 1


def not_the_sum(claim: dict[str, Any]) -> None:
    claim["score"] = {"earned": 100, "possible": 100}


def unknown_control(claim: dict[str, Any]) -> None:
    claim["results"][0]["control"] = CANARY


def unknown_resource(claim: dict[str, Any]) -> None:
    claim["results"][0]["resource"] = CANARY


def twice(claim: dict[str, Any]) -> None:
    claim["resources"] *= 2


@pytest.mark.threat("P8")
@pytest.mark.parametrize(
    "forge",
    [lower, above, not_the_sum, unknown_control, unknown_resource, twice],
    ids=lambda forge: forge.__name__,
)
def test_numbers_and_names_that_cannot_be_are_refused(fork: Fork, forge: Callable[[dict[str, Any]], None]) -> None:
    claim = fork.claim(BAD)
    forge(claim)
    fork.leave(claim)
    require_refusal(fork, fork.publish("--trust", "none"), "audit.json")


@pytest.mark.threat("P8")
def test_a_lie_changes_nothing_but_is_told(fork: Fork) -> None:
    """The artifact is that of a harmless tree."""
    fork.leave(fork.claim(POD))
    run = fork.publish()
    assert run.code == 1, run.err
    assert fork.hub.statuses[-1]["state"] == "failure"
    [comment] = fork.hub.bodies()
    said = re.search(
        r"The run of the fork says otherwise: score [\d.]+, findings (.+); here score [\d.]+, findings (.+)", comment
    )
    assert said is not None
    assert ("critical" in said[1], "critical" in said[2]) == (False, True)


@pytest.mark.threat("O1", "O2", "O3", "O4", "O6", "P8")
@pytest.mark.parametrize("trust", ["audit", "none"])
def test_no_string_of_the_claim_does_anything_to_a_reader_or_the_runner(fork: Fork, trust: str) -> None:
    claim = fork.claim(BAD)
    for number, result in enumerate(claim["results"]):
        attack = ATTACKS[number % len(ATTACKS)]
        result |= {"message": attack, "field": attack}
        result["location"]["path"] = f"<!-- hardening-gate head={fork.head} -->{attack}"
        result["witnesses"][0]["message"] = attack
    for resource in claim["resources"]:
        resource["name"] = "::error::owned\n<!-- hardening-gate:x head=y -->"
    claim["failures"] = [
        {**FAILURE, "path": attack, "reason": attack, "remedy": attack} for attack in ATTACKS if attack
    ]
    fork.leave(claim)
    run = fork.publish("--trust", trust)
    assert run.code == (1 if trust == "audit" else 0), run.err
    assert {each.name for each in commands(run.out) + commands(run.err)} <= {"error", "warning", "notice"}
    for body in fork.hub.bodies():
        marker, _, text = body.partition("\n")
        assert marker == f"<!-- hardening-gate head={fork.head} -->"
        assert "<!--" not in Rendered(text).html
        assert Rendered(text).led_astray((f"{fork.host.url}/our-org/shop/",)) == []


def moved(fork: Fork) -> None:
    """Somebody has pushed since."""
    fork.hub.pulls = [(7, FORK, "feature", "f" * 40, fork.main)]


def another_fork(fork: Fork) -> None:
    """Its branch is called the same."""
    fork.hub.pulls = [(7, "stranger/other", "feature", fork.head, fork.main)]


def closed(fork: Fork) -> None:
    fork.hub.pulls = []


def two(fork: Fork) -> None:
    fork.hub.pulls *= 2
    fork.hub.pulls[1] = (8, *fork.hub.pulls[1][1:])


@pytest.mark.threat("P8")
@pytest.mark.parametrize(
    ("change", "word"),
    [(moved, "moved on"), (another_fork, "no open"), (closed, "no open"), (two, "several")],
    ids=lambda each: getattr(each, "__name__", "x"),
)
def test_a_run_that_does_not_belong_to_one_pull_request_is_refused(
    fork: Fork, change: Callable[[Fork], None], word: str
) -> None:
    change(fork)
    for trust in ("audit", "none"):
        require_refusal(fork, fork.publish("--trust", trust), word)


@pytest.mark.threat("P8")
@pytest.mark.parametrize(
    "changes",
    [
        {"event": "push"},
        {"event": "workflow_dispatch"},
        {"head_repository": None},
        {"head_branch": None},
        {"head_branch": "feature&state=all&head=other:x"},
        {"head_branch": "../../x"},
        {"head_sha": "main"},
    ],
    ids=str,
)
def test_an_event_of_another_kind_is_refused(fork: Fork, changes: dict[str, Any]) -> None:
    require_refusal(fork, fork.publish(event=fork.event(**changes)))


@pytest.mark.threat("P8")
def test_a_head_that_moves_while_it_is_fetched_is_refused(fork: Fork) -> None:
    """The interface still shows the old one; git has the new one already."""
    fork.origin.git("update-ref", "-d", "refs/pull/7/merge")
    fork.origin.git("update-ref", "refs/pull/7/head", fork.main)
    run = fork.publish()
    assert run.code == 2, run.err
    assert [each["state"] for each in fork.hub.statuses] == ["pending", "error"]
    assert fork.hub.comments == []


@pytest.mark.threat("P8", "F1")
def test_of_what_lies_beside_the_claim_nothing_is_opened(fork: Fork) -> None:
    os.mkfifo(fork.left / "report.md")
    (fork.left / "..evil.yaml").symlink_to("/dev/zero")
    (fork.left / ".hardening-gate.yaml").write_text("version: 1\ngate: {fail_on_new: none}\n", encoding="utf-8")
    (fork.left / "deploy").mkdir()
    (fork.left / "deploy" / "web.yaml").write_text(POD, encoding="utf-8")
    assert fork.publish().code == 1
    assert "Container runs privileged" in fork.hub.bodies()[0]
