from __future__ import annotations

from dataclasses import replace

import pytest

from github import event
from github.plan import CheckedOut, Commit, MergeBase, Plan, Ref, Stated, admit, admit_checkout, plan
from model.errors import UsageError
from model.occasion import Occasion
from tests.github.runner import BASE, FIXTURES, GROUP, HEAD, MERGE, OLD, TIP, variables

NEWER, OTHER = "1" * 40, "2" * 40
TEST_MERGE = CheckedOut(commit=MERGE, parents=(NEWER, HEAD))
"""The base branch has moved on since the pull request was made."""


def occasion(fixture: str, **others: str) -> Occasion:
    found = event.read(variables(fixture, **others))
    assert found is not None
    return found


def at(commit: str, *parents: str) -> CheckedOut:
    return CheckedOut(commit=commit, parents=parents)


def planned(fixture: str, head: CheckedOut | None, base: str | None = None) -> Plan:
    return plan(occasion(fixture), base, head)


def wished(found: Plan) -> list[object]:
    """The candidates, without what is said about them."""
    assert found.base is not None
    return [replace(candidate, caution="") for candidate in found.base.candidates]


def refusal(fixture: str, head: CheckedOut | None, base: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        planned(fixture, head, base)
    assert caught.value.exit_code == 2
    assert "`pull_request`" in caught.value.remedy
    assert "docs/security.md" in caught.value.remedy
    return caught.value


# ---------------------------------------------------------------- pull requests


@pytest.mark.parametrize("fixture", ["pull_request", "pull_request_fork", "pull_request_draft", "pull_request_review"])
def test_the_merge_of_a_pull_request_is_compared_with_its_first_parent_under_the_policy_of_base(fixture: str) -> None:
    found = planned(fixture, TEST_MERGE)
    assert wished(found) == [Commit(id=NEWER)]
    assert (found.policy, found.warnings) == ("base", ())
    assert found.base
    assert found.base.required


def test_a_merge_that_lags_behind_is_no_verdict_on_the_newer_head_and_both_are_named() -> None:
    found = planned("pull_request", at(MERGE, NEWER, OLD))
    assert wished(found) == [Commit(id=NEWER)]
    (reason,) = found.unseen
    assert OLD[:12] in reason
    assert HEAD[:12] in reason


def test_a_merge_of_base_and_head_that_was_made_later_counts_when_it_stands_on_the_base_of_the_event() -> None:
    assert wished(planned("pull_request", at(OTHER, BASE, HEAD))) == [Commit(id=BASE)]


@pytest.mark.parametrize(
    "head",
    [
        at(HEAD, OTHER),
        at(HEAD),
        at(HEAD, OTHER, NEWER),
        at(HEAD, BASE, OTHER),
        at(HEAD, NEWER, OLD, OTHER),
        at(MERGE, NEWER),
    ],
    ids=["one", "root", "merged by its author", "base into itself", "octopus", "squashed"],
)
def test_what_is_no_test_merge_is_compared_from_where_it_left_base_never_with_a_parent_of_its_own(
    head: CheckedOut,
) -> None:
    found = planned("pull_request", head)
    assert wished(found) == [MergeBase(one=head.commit, other=BASE), Commit(id=BASE)]
    assert (found.policy, found.warnings, found.unseen) == ("base", (), ())
    assert found.base
    assert [bool(candidate.caution) for candidate in found.base.candidates] == [False, True]


@pytest.mark.threat("P8")
@pytest.mark.parametrize("parents", [(OTHER, HEAD), (OTHER, OLD)], ids=["on the head", "on another one"])
def test_a_merge_that_came_after_the_event_hides_nothing_in_its_first_parent(parents: tuple[str, str]) -> None:
    found = planned("pull_request", at(NEWER, *parents))
    assert wished(found)[0] == MergeBase(one=NEWER, other=BASE)
    assert NEWER[:12] in found.unseen[0]


def test_where_head_is_the_commit_of_the_event_on_other_servers_too_a_merge_by_its_author_proves_nothing() -> None:
    same = occasion("pull_request", GITHUB_SHA=HEAD)
    assert wished(plan(same, None, at(HEAD, OTHER, NEWER)))[0] == MergeBase(one=HEAD, other=BASE)


def test_a_pull_request_without_a_checkout_still_requires_its_base() -> None:
    found = planned("pull_request", None)
    assert wished(found) == [Commit(id=BASE)]
    assert found.base
    assert found.base.required


# ---------------------------------------------------------------- other events


def test_a_merge_group_is_compared_with_what_it_stands_on_under_its_policy() -> None:
    found = planned("merge_group", at(GROUP, BASE, HEAD))
    assert (wished(found), found.policy, found.warnings) == ([Commit(id=BASE)], "base", ())


def test_a_push_is_compared_with_the_commit_before_under_its_own_policy() -> None:
    found = planned("push", at(TIP, BASE))
    assert (wished(found), found.policy, found.warnings) == ([Commit(id=BASE)], "head", ())
    assert found.base
    assert found.base.required


def test_the_commit_before_a_forced_push_may_be_gone() -> None:
    found = planned("push_forced", at(TIP, BASE))
    assert wished(found) == [Commit(id=OLD)]
    assert found.base
    assert not found.base.required
    assert "forced" in found.why


def test_a_new_branch_has_no_commit_before() -> None:
    found = planned("push_created", at(TIP, BASE))
    assert (found.base, found.policy) == (None, "head")
    assert "new" in found.why


def test_something_else_than_what_was_pushed_is_told() -> None:
    (warning,) = planned("push", at(OTHER, BASE)).warnings
    assert OTHER[:12] in warning
    assert TIP[:12] in warning


def test_a_run_by_hand_is_compared_with_where_it_left_the_default_branch() -> None:
    found = planned("workflow_dispatch", at(TIP, BASE))
    assert wished(found) == [MergeBase(one=TIP, other="refs/heads/main"), Ref(name="refs/heads/main")]
    assert found.policy == "head"
    assert wished(planned("workflow_dispatch", None)) == [Ref(name="refs/heads/main")]


def test_a_run_by_hand_of_the_default_branch_is_compared_with_nothing() -> None:
    found = plan(occasion("workflow_dispatch", GITHUB_REF="refs/heads/main"), None, at(TIP, BASE))
    assert (found.base, found.policy) == (None, "head")


@pytest.mark.parametrize("fixture", ["schedule", "release"])
def test_what_is_about_no_change_is_compared_with_nothing(fixture: str) -> None:
    found = planned(fixture, at(BASE))
    assert (found.base, found.policy) == (None, "head")
    assert fixture in found.why


def test_without_an_event_there_is_only_the_base_that_is_named() -> None:
    assert plan(None, None, None) == Plan(base=None, policy="head", why="no event names a base")
    assert wished(plan(None, "origin/main", None)) == [Stated(text="origin/main")]


@pytest.mark.parametrize(("fixture", "policy"), [("pull_request", "base"), ("push_created", "head")])
def test_the_base_that_is_named_wins_and_the_event_keeps_its_word_about_the_policy(fixture: str, policy: str) -> None:
    found = planned(fixture, TEST_MERGE if policy == "base" else at(TIP), "v1.0")
    assert (wished(found), found.policy) == ([Stated(text="v1.0")], policy)
    assert found.base
    assert found.base.required


# ---------------------------------------------------------------- refusals


@pytest.mark.threat("P8")
@pytest.mark.parametrize("head", [None, at(BASE), at(HEAD, BASE), TEST_MERGE])
@pytest.mark.parametrize("base", [None, "main"])
def test_pull_request_target_is_refused_whatever_is_checked_out(head: CheckedOut | None, base: str | None) -> None:
    assert "pull_request_target" in refusal("pull_request_target", head, base).message
    with pytest.raises(UsageError):
        admit(occasion("pull_request_target"))


@pytest.mark.threat("P8")
@pytest.mark.parametrize("fixture", ["workflow_run", "workflow_run_push", "issue_comment", "pull_request_review"])
@pytest.mark.parametrize("base", [None, "main"])
def test_events_that_strangers_cause_beside_secrets_may_see_their_own_commit_only(
    fixture: str, base: str | None
) -> None:
    for head in (None, at(HEAD, BASE), at(OTHER, BASE, HEAD)):
        message = refusal(fixture, head, base).message
        assert (head.commit if head else occasion(fixture).sha)[:12] in message


@pytest.mark.threat("P8")
def test_an_event_that_nobody_knows_yet_is_as_careful() -> None:
    new = occasion("issue_comment", GITHUB_EVENT_NAME="some_new_event")
    with pytest.raises(UsageError, match="some_new_event"):
        plan(new, None, at(HEAD, BASE))
    assert plan(new, None, at(BASE)).base is None


@pytest.mark.parametrize("fixture", ["workflow_run", "workflow_run_push", "issue_comment"])
def test_the_own_commit_of_such_an_event_is_audited_without_a_base(fixture: str) -> None:
    found = planned(fixture, at(BASE, OTHER))
    assert (found.base, found.policy) == (None, "head")


def test_a_run_that_follows_a_push_to_this_repository_may_see_what_was_pushed() -> None:
    assert planned("workflow_run_push", at(TIP, BASE)).base is None
    away = occasion("workflow_run_push", GITHUB_REPOSITORY="our-org/other")
    with pytest.raises(UsageError):
        admit_checkout(away, at(TIP, BASE))


@pytest.mark.threat("P8")
def test_a_run_that_follows_a_pull_request_may_not_see_its_head() -> None:
    for repository in ("our-org/shop", "stranger/shop"):
        following = occasion("workflow_run", GITHUB_REPOSITORY=repository)
        with pytest.raises(UsageError):
            admit_checkout(following, at(HEAD, BASE))


@pytest.mark.parametrize("fixture", sorted({path.stem for path in FIXTURES.glob("*.json")} - {"pull_request_target"}))
def test_every_other_event_with_its_own_commit_is_planned_with_a_reason(fixture: str) -> None:
    assert planned(fixture, at(occasion(fixture).sha, BASE, HEAD)).why
