from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from github import event
from model.errors import UsageError
from model.occasion import Label, Occasion, PullRequest, Push, Trigger
from tests.github.runner import BASE, FIXTURES, HEAD, MERGE, OLD, TIP, payload, variables


def read(fixture: str, **others: str) -> Occasion:
    occasion = event.read(variables(fixture, **others))
    assert occasion is not None
    return occasion


def refused(environment: dict[str, str]) -> UsageError:
    with pytest.raises(UsageError) as caught:
        event.read(environment)
    assert caught.value.exit_code == 2
    assert caught.value.remedy
    return caught.value


def changed(folder: Path, fixture: str, *steps: str, value: Any) -> dict[str, str]:
    """The variables of an event whose payload holds ``value`` at ``steps``."""
    whole = payload(fixture)
    part = whole
    for step in steps[:-1]:
        part = part[step]
    part[steps[-1]] = value
    return written(folder, fixture, json.dumps(whole))


def written(folder: Path, fixture: str, text: str | bytes) -> dict[str, str]:
    file = folder / "event.json"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return variables(fixture, GITHUB_EVENT_PATH=str(file))


def test_outside_of_a_workflow_there_is_no_occasion() -> None:
    assert event.read({}) is None
    assert event.read({"GITHUB_ACTIONS": "false", "GITHUB_EVENT_PATH": "/nowhere"}) is None


def test_a_pull_request_names_its_commits_its_base_and_its_labels() -> None:
    assert read("pull_request") == Occasion(
        event="pull_request",
        action="synchronize",
        repository="our-org/shop",
        server="https://github.test",
        sha=MERGE,
        ref="refs/pull/7/merge",
        default_branch="main",
        actor="alice",
        pull_request=PullRequest(
            number=7,
            head_sha=HEAD,
            base_sha=BASE,
            base_ref="main",
            head_repository="our-org/shop",
            is_fork=False,
            is_draft=False,
        ),
        labels=(Label(name="api"), Label(name="security")),
    )


def test_a_fork_is_one_when_its_repository_is_gone_too() -> None:
    fork, gone = read("pull_request_fork").pull_request, read("pull_request_deleted_fork").pull_request
    assert fork
    assert gone
    assert (fork.is_fork, fork.head_repository) == (True, "stranger/shop")
    assert (gone.is_fork, gone.head_repository) == (True, None)


def test_another_spelling_of_the_repository_makes_no_fork() -> None:
    pull = read("pull_request", GITHUB_REPOSITORY="Our-Org/Shop").pull_request
    assert pull
    assert not pull.is_fork


def test_a_draft_says_so() -> None:
    pull = read("pull_request_draft").pull_request
    assert pull
    assert pull.is_draft


def test_who_set_a_label_is_known_of_the_label_that_the_event_is_about() -> None:
    assert read("pull_request_labeled").labels == (Label(name="break-glass", set_by="carol"), Label(name="security"))


def test_an_action_in_free_words_is_not_kept(tmp_path: Path) -> None:
    environment = changed(tmp_path, "issue_comment", "action", value="Deploy *now*")
    occasion = event.read({**environment, "GITHUB_EVENT_NAME": "repository_dispatch"})
    assert occasion
    assert occasion.action is None


def test_a_label_of_an_issue_and_of_a_payload_that_is_about_something_else_is_none() -> None:
    assert read("issue_comment").labels == ()
    assert read("issue_comment").pull_request is None


@pytest.mark.parametrize("fixture", ["pull_request_target", "pull_request_review"])
def test_other_events_about_a_pull_request_show_it_as_well(fixture: str) -> None:
    pull = read(fixture).pull_request
    assert pull
    assert (pull.number, pull.is_fork, pull.is_draft) == (8, True, False)


def test_a_push_names_the_commit_before_unless_there_was_none() -> None:
    assert read("push").push == Push(before=BASE)
    assert read("push_forced").push == Push(before=OLD, forced=True)
    assert read("push_created").push == Push(before=None, created=True)


def test_a_merge_group_names_what_it_stands_on() -> None:
    assert read("merge_group").merge_group_base == BASE


def test_a_run_that_follows_another_names_what_that_was_about() -> None:
    assert read("workflow_run").trigger == Trigger(
        event="pull_request", head_sha=HEAD, head_repository="stranger/shop", head_branch="feature"
    )
    assert read("workflow_run_push").trigger == Trigger(
        event="push", head_sha=TIP, head_repository="our-org/shop", head_branch="main"
    )


@pytest.mark.parametrize("fixture", ["schedule", "workflow_dispatch", "release"])
def test_events_that_are_about_no_change_are_read_with_the_default_branch(fixture: str) -> None:
    occasion = read(fixture)
    assert (occasion.default_branch, occasion.pull_request, occasion.push) == ("main", None, None)


def test_only_events_that_give_strangers_nothing_are_not_for_the_trusted_commit_only() -> None:
    names = sorted(path.stem for path in FIXTURES.glob("*.json"))
    assert {read(name).event for name in names if not read(name).trusted_only} == {
        "merge_group",
        "pull_request",
        "push",
        "release",
        "schedule",
        "workflow_dispatch",
    }
    assert read("push", GITHUB_EVENT_NAME="some_new_event").trusted_only


def test_nothing_else_of_the_payload_is_kept() -> None:
    assert "please" not in repr(read("issue_comment"))
    assert "read-only file system" not in repr(read("pull_request"))


def test_commits_of_sha256_repositories_are_commits() -> None:
    assert read("push", GITHUB_SHA="1" * 64).sha == "1" * 64


@pytest.mark.parametrize(
    ("fixture", "steps", "value"),
    [
        ("pull_request", ("pull_request", "head", "sha"), "--upload-pack=touch x"),
        ("pull_request", ("pull_request", "head", "sha"), "B" * 40),
        ("pull_request", ("pull_request", "head", "sha"), "b" * 40 + "\n"),
        ("pull_request", ("pull_request", "base", "sha"), "a" * 39),
        ("pull_request", ("pull_request", "base", "sha"), None),
        ("pull_request", ("pull_request", "base", "ref"), "-main"),
        ("pull_request", ("pull_request", "base", "ref"), "main\n::error::x"),
        ("pull_request", ("pull_request", "base", "ref"), "a..b"),
        ("pull_request", ("pull_request", "base", "ref"), "main.lock"),
        ("pull_request", ("pull_request", "base", "ref"), "a/.b"),
        ("pull_request", ("pull_request", "base", "ref"), "@"),
        ("pull_request", ("pull_request", "base", "ref"), "x@{1}"),
        ("pull_request", ("pull_request", "base", "ref"), "main\ud800"),
        ("pull_request", ("pull_request", "number"), "7"),
        ("pull_request", ("pull_request", "number"), True),
        ("pull_request", ("pull_request", "number"), 0),
        ("pull_request", ("pull_request", "draft"), "no"),
        ("pull_request", ("pull_request", "labels"), [{"name": 7}]),
        ("pull_request", ("pull_request", "labels"), [{"name": ""}]),
        ("pull_request", ("pull_request", "labels"), ["break-glass"]),
        ("pull_request_labeled", ("sender", "login"), "a b"),
        ("pull_request_fork", ("pull_request", "head", "repo", "full_name"), "../../x"),
        ("pull_request", ("action",), "open\ned"),
        ("push", ("before",), ""),
        ("push", ("before",), "HEAD~1"),
        ("push", ("forced",), 1),
        ("merge_group", ("merge_group", "base_sha"), "main"),
        ("workflow_run", ("workflow_run", "head_sha"), "main"),
        ("workflow_run", ("workflow_run", "event"), None),
        ("schedule", ("repository", "default_branch"), "main^{tree}"),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_refused_by_name(
    fixture: str, steps: tuple[str, ...], value: Any, tmp_path: Path
) -> None:
    error = refused(changed(tmp_path, fixture, *steps, value=value))
    assert ".".join(steps[:2]) in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_SHA", "HEAD"),
        ("GITHUB_SHA", ""),
        ("GITHUB_REF", "refs/heads/a b"),
        ("GITHUB_REPOSITORY", "our-org"),
        ("GITHUB_REPOSITORY", "our-org/shop/../x"),
        ("GITHUB_SERVER_URL", "https://user:password@github.test"),
        ("GITHUB_SERVER_URL", "file:///etc"),
        ("GITHUB_SERVER_URL", "https://github.test/?x"),
        ("GITHUB_EVENT_NAME", "Push"),
        ("GITHUB_EVENT_PATH", ""),
        ("GITHUB_ACTOR", "a\nb"),
    ],
)
def test_a_variable_that_is_not_what_it_should_be_is_refused_by_name(name: str, value: str) -> None:
    assert name in refused(variables("push", **{name: value})).message


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"x"', "{} {}", b"\xff\xfe{}", '{"a":' * 200_000, "1" * 5000],
    ids=["empty", "half", "list", "null", "text", "two", "no UTF-8", "deep", "long number"],
)
def test_a_file_that_holds_no_event_is_refused(text: str | bytes, tmp_path: Path) -> None:
    assert "event file" in refused(written(tmp_path, "push", text)).message


def test_a_file_that_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(FIXTURES / "push.json")
    for place in (tmp_path / "fifo", tmp_path / "link", tmp_path / "absent", tmp_path, Path("/dev/zero"), "a\0b"):
        assert "event file" in refused(variables("push", GITHUB_EVENT_PATH=str(place))).message


def test_a_file_of_any_size_is_not_read_to_its_end(tmp_path: Path) -> None:
    environment = written(tmp_path, "push", "{}")
    os.truncate(tmp_path / "event.json", 1 << 40)
    assert "larger" in refused(environment).message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=50) | st.sampled_from([BASE, "main", "0" * 40]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


def mutated(value: Any, data: st.DataObject) -> Any:
    """``value`` with one part of it, at any depth, replaced."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 4)):
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: mutated(value[key], data)}
    return data.draw(JSON)


@given(st.sampled_from(sorted(path.stem for path in FIXTURES.glob("*.json"))), st.data())
def test_whatever_a_payload_holds_it_is_an_occasion_or_a_refusal(fixture: str, data: st.DataObject) -> None:
    text = json.dumps(mutated(payload(fixture), data))
    with tempfile.TemporaryDirectory() as folder:
        environment = written(Path(folder), fixture, text)
        with suppress(UsageError):
            assert isinstance(event.read(environment), Occasion)
