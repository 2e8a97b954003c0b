from __future__ import annotations

from dataclasses import replace

import pytest

from model.occasion import PullRequest, Trigger
from publishing.client import Client
from publishing.failure import PublishError
from publishing.proposal import Refused, find
from tests.publishing.conftest import REPOSITORY
from tests.publishing.server import Fault, GitHub

SHA, OTHER, BASE = "1" * 40, "2" * 40, "3" * 40
FORK = "stranger/shop"
RUN = Trigger(event="pull_request", head_sha=SHA, head_repository=FORK, head_branch="feature")


def reason(outcome: object) -> str:
    assert isinstance(outcome, Refused)
    assert outcome.remedy
    return outcome.reason


def test_branch_repository_and_commit_lead_to_it(client: Client, hub: GitHub) -> None:
    hub.pulls = [(7, FORK, "feature", SHA, BASE), (8, FORK, "other", SHA, BASE)]
    assert find(client, REPOSITORY, RUN) == PullRequest(
        number=7,
        head_sha=SHA,
        base_sha=BASE,
        base_ref="main",
        head_repository=FORK,
        is_fork=True,
        is_draft=False,
    )
    assert [(each.path.rpartition("/")[2], each.query["head"]) for each in hub.asked] == [("pulls", "stranger:feature")]


def test_names_of_repositories_have_no_case(client: Client, hub: GitHub) -> None:
    hub.pulls = [(7, "Stranger/Shop", "feature", SHA, BASE)]
    run = replace(RUN, head_repository="Stranger/SHOP")
    assert isinstance(find(client, REPOSITORY, run), PullRequest)


def test_all_pages_are_read(client: Client, hub: GitHub) -> None:
    hub.page = 2
    hub.pulls = [(number, f"stranger/shop-{number}", "feature", SHA, BASE) for number in range(1, 6)]
    hub.pulls.append((9, FORK, "feature", SHA, BASE))
    found = find(client, REPOSITORY, RUN)
    assert isinstance(found, PullRequest)
    assert found.number == 9


def test_one_of_this_very_repository_is_no_fork(client: Client, hub: GitHub) -> None:
    ours = f"{REPOSITORY.owner}/{REPOSITORY.name}"
    hub.pulls = [(7, ours, "feature", SHA, BASE)]
    found = find(client, REPOSITORY, replace(RUN, head_repository=ours))
    assert isinstance(found, PullRequest)
    assert not found.is_fork


def test_another_repository_of_the_same_owner_is_another_one(client: Client, hub: GitHub) -> None:
    hub.pulls = [(6, "stranger/other", "feature", SHA, BASE), (7, FORK, "feature", SHA, BASE)]
    found = find(client, REPOSITORY, RUN)
    assert isinstance(found, PullRequest)
    assert found.number == 7


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (replace(RUN, event="push"), "started by push"),
        (replace(RUN, head_repository=None), "fork of the run is gone"),
        (replace(RUN, head_branch=None), "fork of the run is gone"),
        (replace(RUN, head_branch="main"), "no open pull request"),
        (replace(RUN, head_repository="stranger/other"), "no open pull request"),
        (replace(RUN, head_sha=OTHER), f"moved on from {OTHER[:12]} to {SHA[:12]}"),
    ],
    ids=["event", "fork", "branch", "another-branch", "another-fork", "moved"],
)
def test_what_fits_none_is_refused(client: Client, hub: GitHub, run: Trigger, words: str) -> None:
    hub.pulls = [(7, FORK, "feature", SHA, BASE)]
    assert words in reason(find(client, REPOSITORY, run))


def test_two_of_one_commit_are_refused(client: Client, hub: GitHub) -> None:
    hub.pulls = [(7, FORK, "feature", SHA, BASE), (8, FORK, "feature", SHA, BASE)]
    assert "several pull requests: 7, 8" in reason(find(client, REPOSITORY, RUN))


def test_where_nobody_answers_that_is_told(client: Client, hub: GitHub) -> None:
    hub.faults.append(Fault(on="GET /pulls", status=403, body=b"{}"))
    found = find(client, REPOSITORY, RUN)
    assert isinstance(found, PublishError)
    assert "pull-requests: read" in found.remedy
