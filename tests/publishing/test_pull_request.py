from __future__ import annotations

import pytest

from model.verdict import Emergency, Unconfirmed
from publishing.client import Client
from publishing.failure import PublishError
from publishing.pull_request import confirm
from tests.publishing.conftest import REPOSITORY
from tests.publishing.server import Fault, GitHub

TEAMS = ("our/dev", "our/sre")
MEMBERSHIP = "/orgs/{org}/teams/{team_slug}/memberships/{username}"


def ask(
    client: Client, label: str = "Emergency", teams: tuple[str, ...] = TEAMS
) -> Emergency | Unconfirmed | PublishError | None:
    return confirm(client, REPOSITORY, 7, label, teams)


def reason(outcome: object) -> str:
    assert isinstance(outcome, Unconfirmed)
    assert outcome.remedy
    return outcome.reason


@pytest.fixture(autouse=True)
def labelled(hub: GitHub) -> None:
    """The label is on, set by alice of the team ``sre``."""
    hub.labels = ["bug", "emergency"]
    hub.event("labeled", "emergency", "alice")
    hub.teams = {"our/sre": {"alice": "active", "eve": "pending"}}


def test_a_label_counts_that_a_member_of_the_team_has_set(client: Client) -> None:
    assert ask(client) == Emergency(label="emergency", set_by="alice", team="our/sre")


def test_without_teams_whoever_may_set_labels_may(client: Client, hub: GitHub) -> None:
    assert ask(client, teams=()) == Emergency(label="emergency", set_by="alice")
    assert all("/teams/" not in each.path for each in hub.asked)


def test_who_set_it_last_counts(client: Client, hub: GitHub) -> None:
    hub.event("unlabeled", "emergency", "alice", 1)
    hub.event("labeled", "EMERGENCY", "mallory", 2)
    hub.event("labeled", "bug", "alice", 3)
    outcome = ask(client)
    assert "mallory is in none of the teams" in reason(outcome)
    assert isinstance(outcome, Unconfirmed)
    assert outcome.set_by == "mallory"


def test_the_order_of_the_list_does_not_count_but_the_time(client: Client, hub: GitHub) -> None:
    hub.event("labeled", "emergency", "mallory", 9)
    hub.events.reverse()
    assert "mallory" in reason(ask(client))


def test_of_one_second_the_later_row_counts(client: Client, hub: GitHub) -> None:
    hub.event("unlabeled", "emergency", "alice")
    hub.event("labeled", "emergency", "mallory")
    assert "mallory" in reason(ask(client))


def test_the_last_event_is_found_on_the_last_page(client: Client, hub: GitHub) -> None:
    hub.page = 1
    hub.event("labeled", "emergency", "mallory", 5)
    assert "mallory" in reason(ask(client))


def test_a_label_that_the_pull_request_does_not_bear_does_not_count(client: Client, hub: GitHub) -> None:
    hub.labels = ["bug"]
    assert ask(client) is None
    hub.labels = ["emergency"]
    hub.event("unlabeled", "emergency", "alice", 1)
    assert "does not tell who" in reason(ask(client))


def test_an_account_that_is_gone_may_nothing(client: Client, hub: GitHub) -> None:
    hub.faults.append(
        Fault(
            on="GET /events",
            status=200,
            body=b'[{"event": "labeled", "label": {"name": "emergency"}, "actor": null, "created_at": "x"}]',
        )
    )
    assert "does not tell who" in reason(ask(client, teams=()))


def test_who_was_only_invited_is_no_member(client: Client, hub: GitHub) -> None:
    hub.event("labeled", "emergency", "eve", 1)
    assert "eve is in none of the teams" in reason(ask(client))


def test_a_bot_is_asked_for_by_its_whole_name(client: Client, hub: GitHub) -> None:
    hub.event("labeled", "emergency", "github-actions[bot]", 1)
    assert "github-actions[bot] is in none" in reason(ask(client))


def test_a_token_that_may_not_see_teams_is_an_error_that_says_so(client: Client, hub: GitHub) -> None:
    hub.denied.add(MEMBERSHIP)
    error = ask(client)
    assert isinstance(error, PublishError)
    assert "`members: read`" in error.remedy
    assert "The token of a workflow cannot have this" in error.remedy


def test_a_team_that_climbs_is_refused(client: Client, hub: GitHub) -> None:
    for team in ("../x", "our/..", "our"):
        error = ask(client, teams=(team,))
        assert isinstance(error, PublishError), team
    assert all("/orgs/" not in each.path for each in hub.asked)
