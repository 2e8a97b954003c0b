"""Whole jobs with the built image, from the workflow that users copy to what stands on the pull request afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

from tests.container.hub import REPOSITORY, Hub, Proposal, opened
from tests.container.job import Log, Runner
from tests.publishing.server import PERMISSIONS, TOKEN
from tests.reporting.rendered import ATTACKS, Rendered
from tests.reporting.runner import commands
from tests.threats.program import CANARY, POD, ROOT, write
from tests.threats.test_output import CONTROLS, SECRETS, hostile

pytestmark = pytest.mark.container

SHOP = ROOT / "examples" / "shop"
OUTPUTS = set(yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["outputs"])
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with opened(tmp_path) as hub:
        yield hub
    assert hub.api.violations == []


@pytest.fixture
def runner(image: str, hub: Hub, tmp_path: Path) -> Runner:
    return Runner(image=image, hub=hub, folder=tmp_path)


def states(hub: Hub) -> list[tuple[str, str]]:
    return [(each["sha"], each["state"]) for each in hub.api.statuses]


def sarif(hub: Hub, proposal: Proposal) -> Any:
    """The last upload, valid and about the merge."""
    taken = hub.api.sarifs[-1]
    assert (taken["ref"], taken["commit_sha"]) == ("refs/pull/7/merge", proposal.merge)
    Sarif.model_validate_json(taken["sarif"])
    return json.loads(taken["sarif"])["runs"][0]


def told(hub: Hub, log: Log) -> str:
    """Everything that leaves the step, but for the files of the workspace."""
    sent = b"".join(asked.body for asked in hub.api.asked).decode()
    return sent + "".join(each["sarif"].decode() for each in hub.api.sarifs) + log.text


def test_a_pull_request_that_makes_it_better_passes_and_is_told_so(runner: Runner, hub: Hub) -> None:
    proposal = hub.propose(SHOP / "base", SHOP / "better")
    log = runner.run("pull-request", proposal.event(), proposal.merge)
    assert (log.code, log.exit_codes) == (0, []), log
    outcome, outputs = log.later
    assert (outcome, set(outputs)) == ("success", OUTPUTS)
    assert (outputs["verdict"], outputs["unscanned"]) == ("passed", "0")
    assert (float(outputs["delta"]) > 0, int(outputs["resolved"]) > 10) == (True, True)
    assert states(hub) == [(proposal.head, "pending"), (proposal.head, "success")]
    [comment] = hub.api.comments
    assert comment["user"]["login"] == "github-actions[bot]"
    assert f"{outputs['base-score']} → {outputs['score']} (+{outputs['delta'].lstrip('+')})" in comment["body"]
    assert sarif(hub, proposal)["automationDetails"]["id"] == "hardening-gate/"
    assert comment["body"].partition("\n")[2].partition("\n")[0] in log.summary
    assert [each for each in log.messages if each[1]["title"].startswith("Not published: ")] == []
    assert TOKEN not in told(hub, log)


def test_a_worse_one_is_blocked_and_once_mended_the_same_comment_says_so(runner: Runner, hub: Hub) -> None:
    worse = hub.propose(SHOP / "base", SHOP / "worse")
    log = runner.run("pull-request", worse.event(), worse.merge)
    assert (log.code, log.exit_codes) == (1, [1]), log
    outcome, outputs = log.later
    assert (outcome, outputs["verdict"]) == ("failure", "blocked")
    [first] = hub.api.comments
    number, text = first["id"], first["body"]
    assert text.startswith(f"<!-- hardening-gate head={worse.head} -->\n")
    assert f"{outputs['introduced']} introduced" in text
    assert "Container runs privileged" in text
    assert "Container runs privileged" in log.summary
    assert {(each.get("file"), level) for level, each, _ in log.messages} >= {("manifests/payments.yaml", "error")}
    assert "privileged-container" in {each["ruleId"] for each in sarif(hub, worse)["results"]}

    mended = hub.amend(worse, SHOP / "better")
    log = runner.run("pull-request", mended.event(), mended.merge, run="43")
    assert (log.code, log.later[1]["verdict"]) == (0, "passed"), log
    [second] = hub.api.comments
    assert (second["id"], second["body"] == text) == (number, False)
    assert second["body"].startswith(f"<!-- hardening-gate head={mended.head} -->\n")
    assert "Container runs privileged" not in second["body"]
    assert states(hub) == [
        *((worse.head, state) for state in ("pending", "failure")),
        *((mended.head, state) for state in ("pending", "success")),
    ]
    assert {each["target_url"].rpartition("/")[2] for each in hub.api.statuses} == {"42", "43"}
    assert [each["commit_sha"] for each in hub.api.sarifs] == [worse.merge, mended.merge]
    assert TOKEN not in told(hub, log)


@pytest.mark.threat("O1", "O2", "O3", "O4", "O6", "O8", "O9")
def test_of_a_hostile_one_nothing_comes_through(runner: Runner, hub: Hub, tmp_path: Path) -> None:
    before, after = write(tmp_path / "before", {"web.yaml": POD}), hostile(tmp_path / "after")
    write(after, {"secrets.yaml": SECRETS, "bomb.yaml": BOMB, "web.yaml": POD})
    for number, text in enumerate(ATTACKS):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": text, "labels": {"app": text}}}
        pod["spec"] = {"hostNetwork": True, "containers": [{"name": text, "image": text}]}
        write(after, {f"names/{number}.json": json.dumps(pod)})
    for name, target in (("environ.yaml", "/proc/self/environ"), ("docker.yaml", "/var/run/docker.sock"), ("up", "/")):
        (after / name).symlink_to(target)
    proposal = hub.propose(before, after)
    log = runner.run("pull-request", proposal.event(), proposal.merge)
    assert (log.code, log.exit_codes) == (1, [3]), log
    outcome, outputs = log.later
    assert (outcome, set(outputs), outputs["verdict"]) == ("failure", OUTPUTS, "incomplete")
    assert {each["command"] for each in log.entries if "command" in each} <= {
        *("error", "warning", "notice", "set-output", "summary"),
    }
    assert {each["name"] for each in log.said("set-output")} == OUTPUTS
    assert commands("\n".join(log.lines)) == []
    marker, _, text = hub.api.bodies()[0].partition("\n")
    assert (len(hub.api.comments), marker) == (1, f"<!-- hardening-gate head={proposal.head} -->")
    for shown in (text, log.summary):
        assert Rendered(shown).led_astray((f"{hub.git.url}/{REPOSITORY}/",)) == []
        assert CONTROLS.findall(shown) == []
    assert states(hub) == [(proposal.head, "pending"), (proposal.head, "failure")]
    assert all(each["description"].isprintable() for each in hub.api.statuses)
    assert sarif(hub, proposal)["results"]
    for name in ("bomb.yaml", "environ.yaml", "docker.yaml"):
        assert name in log.summary.partition("Not scanned")[2]
    for secret in (CANARY, TOKEN, "root:x:0:0"):
        assert secret not in told(hub, log)


def test_what_the_token_of_a_fork_may_not_stays_in_summary_and_artifact_until_the_second_stage_tells_it(
    runner: Runner, hub: Hub
) -> None:
    proposal = hub.propose(SHOP / "base", SHOP / "worse", is_fork=True)
    hub.api.denied |= set(PERMISSIONS)
    log = runner.run("fork-check", proposal.event(), proposal.merge)
    assert (log.code, log.exit_codes, log.later[1]["verdict"]) == (1, [1], "blocked"), log
    assert (hub.api.comments, hub.api.statuses, hub.api.sarifs) == ([], [], [])
    refused = [text for _, each, text in log.messages if each["title"].startswith("Not published: ")]
    for permission, text in zip(("statuses", "pull-requests", "security-events"), refused, strict=True):
        assert f"{permission}: write" in text
        assert "403" in text
    for words in ("Container runs privileged", "statuses: write"):
        assert words in log.summary
    [artifact] = [path for path in hub.artifacts.rglob("*") if path.is_file()]
    assert artifact == hub.artifacts / "42" / "hardening-gate" / "audit.json"
    assert [each["stage"] for each in json.loads(artifact.read_text(encoding="utf-8"))["failures"]] == ["publish"] * 3
    assert TOKEN not in told(hub, log) + artifact.read_text(encoding="utf-8")

    hub.api.denied.clear()
    log = runner.run("fork-report", proposal.follow_up("42", "failure"), proposal.base, run="43")
    assert (log.code, log.later[0], log.later[1]["verdict"]) == (0, "success", "blocked"), log  # it only warns
    [comment] = hub.api.bodies()
    assert comment.startswith(f"<!-- hardening-gate head={proposal.head} -->\n")
    for words in ("Container runs privileged", "Audited again in a job of this repository"):
        assert words in comment
    assert "says otherwise" not in comment
    assert states(hub) == [(proposal.head, "pending"), (proposal.head, "failure")]
    assert sarif(hub, proposal)["results"]
    assert TOKEN not in told(hub, log)


def test_each_of_several_jobs_keeps_its_own(runner: Runner, hub: Hub, tmp_path: Path) -> None:
    folders = ("deploy/shop", "charts/ingress", "charts/monitoring")
    before = write(tmp_path / "before", {f"{folder}/web.yaml": POD for folder in folders})
    change = {f"{folder}/web.yaml": POD.replace("image: a", "image: b:latest") for folder in folders[:1]}
    after = write(tmp_path / "after", {**{f"{folder}/web.yaml": POD for folder in folders}, **change})
    proposal = hub.propose(before, after)
    log = runner.run("several-jobs", proposal.event(), proposal.merge)
    assert log.code == 0, log
    marks = sorted(body.partition(" head=")[0] for body in hub.api.bodies())
    assert marks == ["<!-- hardening-gate:platform", "<!-- hardening-gate:shop"]
    last = {each["context"]: each["state"] for each in hub.api.statuses}
    assert last == {"hardening-gate/platform": "success", "hardening-gate/shop": "success"}
    categories = {json.loads(each["sarif"])["runs"][0]["automationDetails"]["id"] for each in hub.api.sarifs}
    assert categories == {"hardening-gate/platform/", "hardening-gate/shop/"}
    assert TOKEN not in told(hub, log)
