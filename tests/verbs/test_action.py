"""The action on checkouts as actions/checkout makes them: which base is found, by whose policy, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.github.runner import payload, variables
from tests.revisions.workshop import Workshop
from tests.threats.program import BAD, POD, Run, gate

CONFIG = ".hardening-gate.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A repository on a server: main, a branch that makes things worse, and GitHub's merge of it."""

    origin: Workshop
    start: str
    """Where the branch has left main."""
    main: str
    """The tip of main, which has gained a weak object of its own since."""
    head: str
    merge: str

    def event(self, fixture: str, **changes: Any) -> dict[str, Any]:
        """The payload with the commits of this repository."""
        value = payload(fixture)
        if "pull_request" in value:
            value["pull_request"]["head"]["sha"] = self.head
            value["pull_request"]["base"]["sha"] = self.main
        return {**value, **changes}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    origin = Workshop(tmp_path / "origin", "--initial-branch=main")
    origin.git("config", "uploadpack.allowAnySHA1InWant", "true")
    start = origin.commit({"deploy/web.yaml": POD, CONFIG: "version: 1\ngate: {fail_on_new: high}\n"})
    origin.git("checkout", "--quiet", "-b", "feature")
    head = origin.commit({"deploy/web.yaml": BAD})
    origin.git("checkout", "--quiet", "main")
    main = origin.commit({"deploy/other.yaml": BAD.replace("NAME", "other")})
    origin.git("checkout", "--quiet", "--detach", "main")
    origin.git("merge", "--quiet", "--no-ff", "--message=merge", "feature")
    merge = origin.git("rev-parse", "HEAD")
    origin.git("update-ref", "refs/pull/7/merge", merge)
    origin.git("checkout", "--quiet", "main")
    return Shop(origin=origin, start=start, main=main, head=head, merge=merge)


def checkout(shop: Shop, commit: str, *, depth: int | None) -> Workshop:
    """As actions/checkout does it: init, one fetch, detached."""
    place = Workshop(shop.origin.place.parent / "workspace")
    place.git("remote", "add", "origin", f"file://{shop.origin.place}")
    refs = ["+refs/heads/*:refs/remotes/origin/*", f"+{commit}:refs/remotes/pull/7/merge"]
    if depth is None:
        place.git("fetch", "--quiet", "--no-tags", "origin", *refs)
    else:
        place.git("fetch", "--quiet", "--no-tags", f"--depth={depth}", "origin", refs[1])
    place.git("checkout", "--quiet", "--force", "--detach", commit)
    return place


def act(
    place: Workshop,
    fixture: str,
    event: Mapping[str, Any],
    sha: str,
    *,
    cwd: Path | None = None,
    named: Mapping[str, str] | None = None,
    **inputs: str,
) -> Run:
    """The action in a workspace; reports go beside it."""
    folder = place.place.parent
    (folder / "event.json").write_text(json.dumps(event), encoding="utf-8")
    environment = {
        "INPUT_SCANNERS": "native",
        "INPUT_OUTPUT": str(folder / "reports"),
        **{f"INPUT_{name.upper().replace('_', '-')}": value for name, value in inputs.items()},
        **variables(
            fixture,
            GITHUB_EVENT_PATH=str(folder / "event.json"),
            GITHUB_OUTPUT=str(folder / "outputs"),
            GITHUB_SHA=sha,
            GITHUB_WORKSPACE=str(place.place),
        ),
        **(named or {}),
    }
    return gate("action", cwd=cwd or place.place, environment=environment)


def compared(place: Workshop) -> Any:
    return json.loads((place.place.parent / "reports" / "comparison.json").read_text(encoding="utf-8"))


def introduced(place: Workshop) -> set[str]:
    """Paths of what is new."""
    return {row["location"]["path"] for row in compared(place)["introduced"] or ()}


@pytest.mark.parametrize("depth", [1, 2, None])
def test_a_pull_request_is_compared_with_the_first_parent_of_its_merge(shop: Shop, depth: int | None) -> None:
    place = checkout(shop, shop.merge, depth=depth)
    run = act(place, "pull_request", shop.event("pull_request"), shop.merge)
    assert run.code == 1, run.err
    document = compared(place)
    assert introduced(place) == {"deploy/web.yaml"}
    assert document["base"]["coverage"]["files"] == 2
    assert document["remarks"][0].startswith(f"Compared with commit {shop.main[:12]}: ")
    assert run.out.startswith("BLOCKED")


def test_nothing_is_written_into_the_checkout(shop: Shop) -> None:
    place = checkout(shop, shop.merge, depth=1)
    before = sorted(str(path) for path in place.place.rglob("*"))
    assert act(place, "pull_request", shop.event("pull_request"), shop.merge).code == 1
    assert sorted(str(path) for path in place.place.rglob("*")) == before


def test_the_head_of_a_pull_request_is_compared_with_where_it_left_its_base(shop: Shop) -> None:
    place = checkout(shop, shop.head, depth=None)
    run = act(place, "pull_request", shop.event("pull_request"), shop.merge)
    assert run.code == 1, run.err
    assert introduced(place) == {"deploy/web.yaml"}
    assert compared(place)["base"]["coverage"]["files"] == 1
    assert f"Compared with commit {shop.start[:12]}: " in run.out


def test_a_sparse_or_changed_work_tree_is_no_excuse_for_what_the_commit_holds(shop: Shop) -> None:
    place = checkout(shop, shop.merge, depth=1)
    (place.place / "deploy" / "web.yaml").write_text(POD, encoding="utf-8")
    (place.place / "deploy" / "other.yaml").unlink()
    assert act(place, "pull_request", shop.event("pull_request"), shop.merge).code == 1
    assert act(place, "pull_request", shop.event("pull_request"), shop.merge, head="worktree").code == 0


def test_a_merge_of_an_older_head_gives_no_verdict_on_the_newer_one(shop: Shop) -> None:
    place = checkout(shop, shop.merge, depth=1)
    event = shop.event("pull_request")
    event["pull_request"]["head"]["sha"] = "9" * 40
    run = act(place, "pull_request", event, shop.merge)
    assert run.code == 3, run.err
    assert "older head" in run.out


def test_a_base_that_cannot_be_had_ends_the_run_before_it_scans(shop: Shop) -> None:
    place = checkout(shop, shop.merge, depth=1)
    place.git("remote", "set-url", "origin", f"file://{shop.origin.place}-gone")
    run = act(place, "pull_request", shop.event("pull_request"), shop.merge)
    assert (run.code, run.out) == (4, "")
    assert "fetch-depth" in run.err


@pytest.mark.parametrize("depth", [1, None])
def test_a_merge_group_is_compared_with_what_it_stands_on(shop: Shop, depth: int | None) -> None:
    place = checkout(shop, shop.merge, depth=depth)
    event = shop.event("merge_group")
    event["merge_group"].update(base_sha=shop.main, head_sha=shop.merge)
    assert act(place, "merge_group", event, shop.merge).code == 1
    assert introduced(place) == {"deploy/web.yaml"}


@pytest.mark.parametrize("depth", [1, None])
def test_a_push_is_compared_with_the_commit_before(shop: Shop, depth: int | None) -> None:
    place = checkout(shop, shop.merge, depth=depth)
    assert act(place, "push", shop.event("push", before=shop.main, after=shop.merge), shop.merge).code == 1
    assert introduced(place) == {"deploy/web.yaml"}


@pytest.mark.parametrize(
    ("fixture", "changes"),
    [
        ("push_created", {}),
        ("push_forced", {"before": "e" * 40}),
        ("schedule", {}),
        ("release", {}),
    ],
)
def test_without_a_base_nothing_claims_a_comparison(shop: Shop, fixture: str, changes: Mapping[str, Any]) -> None:
    place = checkout(shop, shop.merge, depth=1)
    run = act(place, fixture, shop.event(fixture, **changes), shop.merge)
    assert run.code == 0, run.err
    document = compared(place)
    assert (document["verdict"], document["base"], document["introduced"]) == ("not-compared", None, None)
    assert document["remarks"][0].startswith("Not compared: ")
    outputs = (place.place.parent / "outputs").read_text(encoding="utf-8").split("\n")
    said = {row.partition("<<")[0]: outputs[number + 1] for number, row in enumerate(outputs) if "<<" in row}
    assert (said["verdict"], said["delta"], said["introduced"]) == ("not-compared", "", "")


def test_a_branch_that_is_run_by_hand_is_compared_with_where_it_left_the_default_branch(shop: Shop) -> None:
    place = checkout(shop, shop.head, depth=None)
    event = shop.event("workflow_dispatch")
    assert act(place, "workflow_dispatch", event, shop.head).code == 1
    assert introduced(place) == {"deploy/web.yaml"}
    assert act(place, "workflow_dispatch", event, shop.head, base="origin/main...").code == 1
    assert compared(place)["base"]["coverage"]["files"] == 1
    act(place, "workflow_dispatch", event, shop.head, base="main")
    assert compared(place)["base"]["coverage"]["files"] == 2


@pytest.mark.threat("S5")
def test_a_pull_request_is_judged_by_the_policy_of_its_base_and_what_it_changes_is_shown(shop: Shop) -> None:
    shop.origin.git("checkout", "--quiet", "feature")
    head = shop.origin.commit({CONFIG: "version: 1\ngate: {fail_on_new: none}\nexclude: ['deploy/**']\n"})
    shop.origin.git("checkout", "--quiet", "--detach", "main")
    shop.origin.git("merge", "--quiet", "--no-ff", "--message=merge", "feature")
    merge = shop.origin.git("rev-parse", "HEAD")
    shop.origin.git("update-ref", "refs/pull/7/merge", merge)
    place = checkout(shop, merge, depth=1)
    event = shop.event("pull_request")
    event["pull_request"]["head"]["sha"] = head
    run = act(place, "pull_request", event, merge)
    assert run.code == 1, run.err
    assert [(row["key"], row["weakens"]) for row in compared(place)["policy_changes"]] == [
        ("gate.fail_on_new", True),
        ("exclude", True),
    ]
    assert act(place, "pull_request", event, merge, policy="head").code == 0


@pytest.mark.threat("S5")
def test_a_branch_from_before_the_policy_is_judged_by_the_policy_of_today(shop: Shop) -> None:
    shop.origin.git("checkout", "--quiet", "main")
    tip = shop.origin.commit({CONFIG: "version: 1\ngate: {fail_on_new: none, fail_under: 100}\n"})
    place = checkout(shop, shop.head, depth=None)
    event = shop.event("pull_request")
    event["pull_request"]["base"]["sha"] = tip
    assert act(place, "pull_request", event, shop.merge).code == 1
    assert [row["rule"] for row in compared(place)["reasons"]] == ["fail_under"]


@pytest.mark.threat("S5")
def test_a_base_that_the_pull_request_brings_along_is_refused(shop: Shop) -> None:
    shop.origin.git("checkout", "--quiet", "--detach", shop.merge)
    merge = shop.origin.commit({"before/web.yaml": BAD})
    shop.origin.git("update-ref", "refs/pull/7/merge", merge)
    place = checkout(shop, merge, depth=1)
    run = act(place, "pull_request", shop.event("pull_request"), merge, base="before")
    assert (run.code, run.out) == (2, "")
    assert "part of the pull request" in run.err


def test_a_checkout_in_a_folder_of_the_workspace_is_found_by_the_paths(shop: Shop) -> None:
    place = checkout(shop, shop.merge, depth=1)
    workspace = place.place.parent
    run = act(place, "pull_request", shop.event("pull_request"), shop.merge, cwd=workspace, paths="workspace/deploy")
    assert run.code == 1, run.err
    assert introduced(place) == {"deploy/web.yaml"}


def test_a_path_that_the_change_deletes_is_resolved_and_no_error(shop: Shop) -> None:
    shop.origin.git("checkout", "--quiet", "--detach", "main")
    shop.origin.git("rm", "--quiet", "-r", "deploy")
    gone = shop.origin.commit({"x.yaml": BAD.replace("NAME", "x").replace("image: a", "image: b")})
    place = checkout(shop, gone, depth=None)
    run = act(place, "push", shop.event("push", before=shop.main), gone, paths="deploy x.yaml", fail_on_new="none")
    assert run.code == 0, run.err
    assert {row["location"]["path"] for row in compared(place)["resolved"]} == {"deploy/other.yaml", "deploy/web.yaml"}


def test_paths_of_base_are_told_from_where_those_of_head_are(shop: Shop) -> None:
    place = checkout(shop, shop.merge, depth=None)
    report = place.place.parent / "comparison.json"
    words = ("--base", shop.main, "--scanners", "native", "--format", f"comparison={report}")
    for cwd, path in ((place.place.parent, "workspace"), (place.place, "."), (place.place / "deploy", ".")):
        run = gate("scan", path, *words, cwd=cwd)
        assert run.code == 1, run.err
        document = json.loads(report.read_text(encoding="utf-8"))
        assert {row["location"]["path"] for row in document["introduced"]} <= {
            "deploy/web.yaml",
            "workspace/deploy/web.yaml",
        }
        assert document["moved"] == []


@pytest.mark.threat("S6")
def test_a_submodule_in_the_place_of_manifests_is_not_scanned(shop: Shop) -> None:
    shop.origin.git("checkout", "--quiet", "--detach", "main")
    shop.origin.git("rm", "--quiet", "-r", "deploy")
    shop.origin.git("update-index", "--add", "--cacheinfo", f"160000,{shop.main},deploy")
    shop.origin.git("commit", "--quiet", "--message=x")
    gone = shop.origin.git("rev-parse", "HEAD")
    place = checkout(shop, gone, depth=None)
    run = act(place, "push", shop.event("push", before=shop.main), gone)
    assert run.code == 3, run.err
    assert "head has a submodule" in run.out


@pytest.mark.threat("S5")
def test_a_base_where_branches_have_parted_has_the_policy_of_today(shop: Shop) -> None:
    shop.origin.git("checkout", "--quiet", "main")
    tip = shop.origin.commit({CONFIG: "version: 1\ngate: {fail_on_new: none, fail_under: 100}\n"})
    place = checkout(shop, shop.head, depth=None)
    event = shop.event("pull_request")
    event["pull_request"]["base"]["sha"] = tip
    assert act(place, "pull_request", event, shop.merge, base="origin/main...").code == 1
    assert [row["rule"] for row in compared(place)["reasons"]] == ["fail_under"]


def test_a_path_that_no_side_has_is_named_as_it_was_written(shop: Shop) -> None:
    place = checkout(shop, shop.merge, depth=1)
    run = act(place, "pull_request", shop.event("pull_request"), shop.merge, paths="nothing")
    assert (run.code, run.out) == (2, "")
    assert "the path nothing exists on neither side" in run.err


@pytest.mark.parametrize("name", ["^main", "^main...", "-x"])
def test_what_is_no_name_of_a_revision_is_refused(shop: Shop, name: str) -> None:
    place = checkout(shop, shop.merge, depth=None)
    run = gate("scan", f"--base={name}", "--scanners", "native", cwd=place.place)
    assert (run.code, run.out) == (2, "")


@pytest.mark.threat("S5")
def test_a_stored_audit_as_base_of_a_pull_request_leaves_the_policy_with_its_base_branch(shop: Shop) -> None:
    shop.origin.git("checkout", "--quiet", "feature")
    head = shop.origin.commit({CONFIG: "version: 1\ngate: {fail_on_new: none}\n"})
    shop.origin.git("checkout", "--quiet", "--detach", "main")
    shop.origin.git("merge", "--quiet", "--no-ff", "--message=merge", "feature")
    merge = shop.origin.git("rev-parse", "HEAD")
    shop.origin.git("update-ref", "refs/pull/7/merge", merge)
    place = checkout(shop, merge, depth=1)
    event = shop.event("pull_request")
    event["pull_request"]["head"]["sha"] = head
    audit = place.place.parent / "audit.json"
    words = ("--scanners", "native", "--root", ".", "--format", f"json={audit}")
    shop.origin.git("checkout", "--quiet", "main")
    assert gate("scan", ".", *words, cwd=shop.origin.place).code == 0
    assert act(place, "pull_request", event, merge, base=str(audit)).code == 1
    assert introduced(place) == {"deploy/web.yaml"}


@pytest.mark.threat("S5")
def test_a_merge_group_brings_no_base_of_its_own_either(shop: Shop) -> None:
    shop.origin.git("checkout", "--quiet", "--detach", shop.merge)
    group = shop.origin.commit({"before/web.yaml": BAD})
    shop.origin.git("update-ref", "refs/pull/7/merge", group)
    place = checkout(shop, group, depth=1)
    event = shop.event("merge_group")
    event["merge_group"].update(base_sha=shop.main, head_sha=group)
    assert act(place, "merge_group", event, group, base="before").code == 2


@pytest.mark.threat("P9")
def test_a_cache_that_the_checkout_brings_along_is_refused_wherever_the_root_is(shop: Shop) -> None:
    place = checkout(shop, shop.merge, depth=None)
    words = ("--root", "deploy", "--base", shop.main, "--cache", "cache", "--scanners", "native")
    run = gate("scan", "deploy", *words, cwd=place.place)
    assert (run.code, run.out) == (2, "")
    assert "lies inside of the scanned tree" in run.err
