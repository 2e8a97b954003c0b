"""The whole action against a GitHub on loopback that judges every request: what people find, and what they are told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from publishing.place import target
from settings import ScanSettings, parse
from tests.github.runner import variables
from tests.publishing.server import TOKEN, Asked, Fault, GitHub, serve
from tests.revisions.workshop import Workshop
from tests.threats.program import ROOT, Run
from tests.verbs.test_action import CONFIG, Shop, act, checkout, shop
from verbs.announce import announcing
from verbs.console import Console

__all__ = ("shop",)

QUIET: Mapping[str, Any] = {"upload_sarif": "false"}
"""Code scanning makes everybody wait."""
COMMENTS = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
STATUSES = "/repos/{owner}/{repo}/statuses/{sha}"
SARIFS = "/repos/{owner}/{repo}/code-scanning/sarifs"


@pytest.fixture
def hub(shop: Shop) -> Iterator[GitHub]:
    with serve() as opened:
        opened.head = shop.head
        yield opened
    assert opened.violations == []


def step(shop: Shop, hub: GitHub, place: Workshop | None = None, fixture: str = "pull_request", **inputs: str) -> Run:
    """The action on the merge of the pull request, told of this server."""
    place = place or checkout(shop, shop.merge, depth=1)
    folder = place.place.parent
    (folder / "summary").touch()
    names = {"GITHUB_API_URL": hub.url, "GITHUB_RUN_ID": "42", "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    given: dict[str, Any] = {"token": TOKEN, **QUIET, **inputs}
    run = act(place, fixture, shop.event(fixture), shop.merge, named=names, **given)
    assert TOKEN not in run.out + run.err
    return run


def summary(shop: Shop) -> str:
    return (shop.origin.place.parent / "summary").read_text(encoding="utf-8")


def audit(shop: Shop) -> Any:
    return json.loads((shop.origin.place.parent / "reports" / "audit.json").read_text(encoding="utf-8"))


def warnings(run: Run) -> list[str]:
    return [line for line in run.err.splitlines() if line.startswith("::warning ")]


def test_a_worse_pull_request_is_told_wherever_people_look(shop: Shop, hub: GitHub) -> None:
    run = step(shop, hub, upload_sarif="true")
    assert (run.code, warnings(run)) == (1, [])
    [comment] = hub.bodies()
    assert comment.startswith(f"<!-- hardening-gate head={shop.head} -->\n### ")
    assert "Container runs privileged" in comment
    assert [(each["state"], each["sha"], each["context"]) for each in hub.statuses] == [
        ("pending", shop.head, "hardening-gate"),
        ("failure", shop.head, "hardening-gate"),
    ]
    assert ", blocked because it brings 1 new finding " in hub.statuses[1]["description"]
    assert hub.statuses[1]["target_url"] == "https://github.test/our-org/shop/actions/runs/42"
    [sarif] = hub.sarifs
    assert (sarif["ref"], sarif["commit_sha"]) == ("refs/pull/7/merge", shop.merge)
    assert json.loads(sarif["sarif"])["runs"][0]["automationDetails"]["id"] == "hardening-gate/"
    assert "Container runs privileged" in summary(shop)
    assert [line for line in run.out.splitlines() if line.startswith("::error file=deploy/web.yaml,line=4,")]
    assert audit(shop)["failures"] == []


def test_a_second_run_updates_the_comment_and_leaves_one(shop: Shop, hub: GitHub) -> None:
    place = checkout(shop, shop.merge, depth=1)
    step(shop, hub, place)
    hub.comment(("mallory", "User"), hub.bodies()[0])
    step(shop, hub, place, fail_on_new="none")
    assert len(hub.comments) == 2
    assert [each["user"]["login"] for each in hub.comments] == ["github-actions[bot]", "mallory"]
    assert hub.bodies()[0] != hub.bodies()[1]
    assert [each["state"] for each in hub.statuses] == ["pending", "failure", "pending", "success"]


def test_jobs_with_an_id_keep_theirs_apart(shop: Shop, hub: GitHub) -> None:
    place = checkout(shop, shop.merge, depth=1)
    for name in ("staging", "prod"):
        step(shop, hub, place, id=name, upload_sarif="true" if name == "prod" else "false")
    assert [body.partition(" head=")[0] for body in hub.bodies()] == [
        "<!-- hardening-gate:staging",
        "<!-- hardening-gate:prod",
    ]
    assert {each["context"] for each in hub.statuses} == {"hardening-gate/staging", "hardening-gate/prod"}
    assert json.loads(hub.sarifs[0]["sarif"])["runs"][0]["automationDetails"]["id"] == "hardening-gate/prod/"
    written = json.loads((place.place.parent / "reports" / "results.sarif").read_text(encoding="utf-8"))
    assert written["runs"][0]["automationDetails"]["id"] == "hardening-gate/prod/"


def test_an_id_that_could_break_out_is_refused_before_anything_is_told(shop: Shop, hub: GitHub) -> None:
    run = step(shop, hub, id="a --> b")
    assert (run.code, hub.asked) == (2, [])
    assert "the id is not usable" in run.err


@pytest.mark.parametrize("off", ["comment", "status", "annotations", "summary"])
def test_each_of_them_can_be_switched_off(shop: Shop, hub: GitHub, off: str) -> None:
    switched: dict[str, Any] = {off: "false"}
    run = step(shop, hub, **switched)
    assert (run.code, warnings(run)) == (1, [])
    told = {
        "comment": hub.comments,
        "status": hub.statuses,
        "annotations": [line for line in run.out.splitlines() if line.startswith("::error")],
        "summary": summary(shop),
    }
    assert {name for name, value in told.items() if not value} == {off}
    assert not hub.sarifs


@pytest.mark.parametrize(("limit", "code"), [("high", 1), ("none", 0)])
def test_what_a_token_may_not_is_one_warning_each_and_changes_no_verdict(
    shop: Shop, hub: GitHub, limit: str, code: int
) -> None:
    hub.denied |= {COMMENTS, STATUSES, SARIFS}
    run = step(shop, hub, fail_on_new=limit, upload_sarif="true")
    assert run.code == code
    assert [line.partition("::the")[0] for line in warnings(run)] == [
        "::warning title=Not published%3A the commit status",
        "::warning title=Not published%3A the comment",
        "::warning title=Not published%3A code scanning",
    ] or len(warnings(run)) == 3
    for line, permission in zip(
        warnings(run), ("statuses: write", "pull-requests: write", "security-events: write"), strict=True
    ):
        assert permission in line
        assert "403" in line
    failures = audit(shop)["failures"]
    assert [each["stage"] for each in failures] == ["publish"] * 3
    assert audit(shop)["coverage"]["unscanned"] == []
    outputs = (shop.origin.place.parent / "outputs").read_text(encoding="utf-8")
    assert "\n0\n" in outputs.partition("unscanned")[2][:60]
    assert "statuses: write" in summary(shop)


@pytest.mark.parametrize(("limit", "code"), [("high", 1), ("none", 4)])
def test_with_require_publish_a_passed_run_fails_and_a_blocked_one_stays_blocked(
    shop: Shop, hub: GitHub, limit: str, code: int
) -> None:
    hub.denied.add(COMMENTS)
    assert step(shop, hub, fail_on_new=limit, require_publish="true").code == code


def test_a_server_that_cannot_be_reached_is_given_up_once(shop: Shop, hub: GitHub) -> None:
    nowhere = GitHub(contract=hub.contract, url="http://127.0.0.1:9")
    run = step(shop, nowhere, upload_sarif="true")
    assert run.code == 1
    assert len(warnings(run)) == 3
    assert run.seconds < 30
    assert (shop.origin.place.parent / "reports" / "report.md").exists()


def test_an_error_takes_the_word_of_an_earlier_run_back(shop: Shop, hub: GitHub) -> None:
    run = step(shop, hub, base="v9")
    assert run.code == 4
    assert [each["state"] for each in hub.statuses] == ["pending", "error"]
    assert hub.statuses[1]["description"].startswith("No verdict: ")
    assert hub.comments == []


def test_the_run_of_an_older_head_leaves_the_comment_to_the_newer_one(shop: Shop, hub: GitHub) -> None:
    hub.head = "f" * 40
    run = step(shop, hub)
    assert (run.code, hub.comments, warnings(run)) == (1, [], [])
    assert "newer head" in run.err


def test_a_push_has_no_comment_and_its_results_are_those_of_the_branch(shop: Shop, hub: GitHub) -> None:
    place = checkout(shop, shop.main, depth=2)
    event = {**shop.event("push"), "before": shop.start, "after": shop.main}
    names = {"GITHUB_API_URL": hub.url, "GITHUB_REF": "refs/heads/main"}
    run = act(place, "push", event, shop.main, named=names, token=TOKEN)
    assert warnings(run) == []
    assert (hub.comments, len(hub.statuses)) == ([], 2)
    assert {each["sha"] for each in hub.statuses} == {shop.main}
    assert [(each["ref"], each["commit_sha"]) for each in hub.sarifs] == [("refs/heads/main", shop.main)]


def test_a_commit_that_was_not_judged_has_no_verdict(shop: Shop, hub: GitHub) -> None:
    """Such as that of a schedule, where the workflow checks out another branch."""
    place = checkout(shop, shop.merge, depth=1)
    names = {"GITHUB_API_URL": hub.url}
    run = act(place, "schedule", shop.event("schedule"), shop.main, named=names, token=TOKEN)
    assert run.code == 0
    assert [(each["state"], each["sha"]) for each in hub.statuses] == [("pending", shop.main), ("error", shop.main)]
    assert "another commit was judged" in hub.statuses[1]["description"]
    assert hub.sarifs == []


def with_a_way_out(shop: Shop, teams: str = "") -> Workshop:
    """A checkout whose base lets a label pass."""
    origin = shop.origin
    origin.git("checkout", "--quiet", "main")
    origin.commit({CONFIG: f"version: 1\nbreak_glass: {{label: break-glass{teams}}}\n"})
    base = origin.git("rev-parse", "HEAD")
    origin.git("checkout", "--quiet", "--detach", "main")
    origin.git("merge", "--quiet", "--no-ff", "--message=merge", "feature")
    object.__setattr__(shop, "merge", origin.git("rev-parse", "HEAD"))
    object.__setattr__(shop, "main", base)
    origin.git("checkout", "--quiet", "main")
    return checkout(shop, shop.merge, depth=2)


TEAM = ", teams: [our-org/sre]"


@pytest.mark.parametrize(
    ("teams", "setter", "code"),
    [("", "eve", 0), (TEAM, "alice", 0), (TEAM, "eve", 1)],
)
def test_the_label_for_emergencies_counts_when_the_server_confirms_who_set_it(
    shop: Shop, hub: GitHub, teams: str, setter: str, code: int
) -> None:
    place = with_a_way_out(shop, teams)
    hub.labels, hub.teams = ["Break-Glass"], {"our-org/sre": {"alice": "active"}}
    hub.event("labeled", "break-glass", setter)
    run = step(shop, hub, place)
    assert (run.code, hub.statuses[-1]["state"]) == (code, "failure" if code else "success")
    assert setter in hub.bodies()[0]
    assert ("passed in an emergency" in hub.bodies()[0]) == (code == 0)


def test_a_label_that_only_the_event_shows_lets_nothing_pass(shop: Shop, hub: GitHub) -> None:
    place = with_a_way_out(shop)
    hub.faults += [Fault(on="GET /pulls/7", status=404, body=b"{}")]
    event = {**shop.event("pull_request")}
    event["pull_request"]["labels"] = [{"name": "break-glass"}]
    names = {"GITHUB_API_URL": hub.url}
    run = act(place, "pull_request", event, shop.merge, named=names, token=TOKEN, **QUIET)
    assert run.code == 1
    assert "nobody has confirmed it" in run.out


def test_findings_that_lie_outside_of_the_changed_lines_are_counted_and_not_annotated(shop: Shop, hub: GitHub) -> None:
    """The volume is new in line 6; the container in line 5, which mounts no secret, is as it was."""
    run = step(shop, hub)
    told = [line for line in run.out.splitlines() if line.startswith("::") and "file=" in line]
    assert told
    assert all("line=4," in line for line in told)


def test_a_limit_before_the_scan_holds_nobody_up_and_what_comes_out_is_told(shop: Shop, hub: GitHub) -> None:
    limited = b'{"message": "You have exceeded a secondary rate limit."}'
    hub.faults.append(Fault(on=f"POST /statuses/{shop.head}", status=403, body=limited))
    run = step(shop, hub)
    assert (run.code, warnings(run)) == (1, [])
    assert [each["state"] for each in hub.statuses] == ["failure"]
    assert run.seconds < 30


def test_the_status_fails_as_the_step_does_where_publishing_is_required(shop: Shop, hub: GitHub) -> None:
    hub.denied.add(COMMENTS)
    assert step(shop, hub, fail_on_new="none", require_publish="true").code == 4
    assert hub.statuses[-1]["state"] == "error"
    assert hub.statuses[-1]["description"] == "Not published, which is required: the comment"


@pytest.mark.parametrize(("limit", "state"), [("high", "failure"), ("none", "error")])
def test_what_cannot_be_handed_over_makes_no_block_look_like_less(
    shop: Shop, hub: GitHub, limit: str, state: str
) -> None:
    place = checkout(shop, shop.merge, depth=1)
    (place.place.parent / "outputs").mkdir()
    assert step(shop, hub, place, fail_on_new=limit).code == 4
    assert hub.statuses[-1]["state"] == state
    words = "blocked because" if limit == "high" else "Passed, but not to the end: the outputs cannot be written"
    assert words in hub.statuses[-1]["description"]


def test_what_cannot_be_handed_over_after_all_was_told_is_told_once(shop: Shop, hub: GitHub) -> None:
    hub.denied.add(STATUSES)
    place = checkout(shop, shop.merge, depth=1)
    (place.place.parent / "outputs").mkdir()
    run = step(shop, hub, place)
    assert run.code == 4
    assert len(warnings(run)) == 1
    assert len(hub.bodies()) == 1


def test_a_defect_leaves_no_status_that_waits_for_ever(shop: Shop, hub: GitHub) -> None:
    place = checkout(shop, shop.merge, depth=1)
    (place.place.parent / "event.json").write_text(json.dumps(shop.event("pull_request")), encoding="utf-8")
    named = {"GITHUB_EVENT_PATH": str(place.place.parent / "event.json"), "GITHUB_API_URL": hub.url}
    environment = {**variables("pull_request", **named), "INPUT_TOKEN": TOKEN}
    wanted = parse(("action",), environment, terminals=(False, False))
    assert isinstance(wanted, ScanSettings)
    assert wanted.publishing is not None
    assert wanted.occasion is not None
    about, console = target(wanted.occasion), Console(quiet=True, verbose=False, progress=False)
    with (
        pytest.raises(ZeroDivisionError),
        announcing(wanted, wanted.publishing, about, console, is_open_to_strangers=False),
    ):
        raise ZeroDivisionError
    assert [(each["state"], each["description"]) for each in hub.statuses] == [
        ("pending", "Looking at base and head"),
        ("error", "No verdict: hardening-gate has a defect, see the log"),
    ]


def test_a_server_that_repeats_the_token_is_not_quoted(shop: Shop, hub: GitHub) -> None:
    repeated = json.dumps({"message": f"bad header: Bearer {TOKEN}"}).encode()
    hub.faults += [Fault(on="GET /user", status=400, body=repeated), Fault(on="POST /x", status=400)]
    run = step(shop, hub)
    hub.faults.clear()
    assert "bad header: Bearer (the token)" in run.err
    assert TOKEN not in json.dumps(audit(shop)) + summary(shop)


def test_where_the_server_does_not_tell_of_the_label_people_hear_of_it(shop: Shop, hub: GitHub) -> None:
    place = with_a_way_out(shop)
    hub.labels = ["break-glass"]
    hub.faults.append(Fault(on="GET /events", status=404, body=b"{}"))
    run = step(shop, hub, place)
    assert run.code == 1
    assert "nobody knows whether the label break-glass is set: the server answers with HTTP 404" in run.err


@pytest.mark.threat("P16")
def test_a_job_that_is_cancelled_while_it_publishes_ends_at_once_and_tells_nothing_more(
    shop: Shop, hub: GitHub
) -> None:
    place = checkout(shop, shop.merge, depth=1)
    asked, go_on = Event(), Event()

    def stand_still(request: Asked) -> None:
        if request.path == "/user":
            asked.set()
            go_on.wait(30)

    hub.before = stand_still
    code, seconds, err = cancelled(place, shop, hub, asked)
    go_on.set()
    assert (code, err) == (143, "")
    assert seconds < 1.5
    assert hub.comments == []


def cancelled(place: Workshop, shop: Shop, hub: GitHub, when: Event) -> tuple[int, float, str]:
    """Exit code, seconds after the signal and standard error of a step that is cancelled."""
    folder = place.place.parent
    (folder / "event.json").write_text(json.dumps(shop.event("pull_request")), encoding="utf-8")
    environment = {
        **os.environ,
        **variables("pull_request", GITHUB_EVENT_PATH=str(folder / "event.json"), GITHUB_SHA=shop.merge),
        "GITHUB_API_URL": hub.url,
        "INPUT_TOKEN": TOKEN,
        "INPUT_SCANNERS": "native",
        "INPUT_UPLOAD-SARIF": "false",
    }
    with subprocess.Popen(
        [sys.executable, ROOT / "entrypoint.py", "action"],
        cwd=place.place,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert when.wait(60)
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        return process.returncode, time.monotonic() - start, err


def all_of(folder: Path) -> Mapping[str, str]:
    return {str(path): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}


def test_no_report_holds_the_token(shop: Shop, hub: GitHub) -> None:
    step(shop, hub)
    folder = shop.origin.place.parent
    for name, text in {**all_of(folder / "reports"), "summary": summary(shop)}.items():
        assert TOKEN not in text, name
