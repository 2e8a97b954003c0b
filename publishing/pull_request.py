"""What the server confirms about an emergency label: that it is set, who set it last, and whether the team may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from model.verdict import Emergency, Unconfirmed
from publishing.answer import Purpose
from publishing.client import Client
from publishing.failure import NotPublishedError, as_value
from publishing.place import Repository

LABEL: Final = Purpose(what="the emergency label", needs="pull-requests: read")
TEAM: Final = Purpose(
    what="the team of the emergency label",
    needs="members: read",
    otherwise="The token of a workflow cannot have this permission of the organization: hand on one of an app.",
)


SETTERS: Final = "Let a member of a team that `break_glass` names set it, or merge as an owner."


@as_value
def confirm(
    client: Client, repository: Repository, number: int, label: str, teams: Sequence[str]
) -> Emergency | Unconfirmed | None:
    """Whether ``label`` (case does not matter) counts on the pull request; None where it does not bear it.

    Returns a PublishError if it cannot be told. ``teams``: ``org/team``, of whose members one must have set it; none:
    whoever may set labels.
    """
    row = client.get(LABEL, *repository.path, "pulls", number)
    names = (each.text("name") for each in row.rows("labels"))
    borne = next((name for name in names if name.casefold() == label.casefold()), None)
    if borne is None:
        return None
    login = _set_by(client, repository, number, label)
    if login is None:
        reason = "the server does not tell who set the label"
        return Unconfirmed(label=borne, set_by=None, reason=reason, remedy="Take the label away and set it again.")
    if not teams:
        return Emergency(label=borne, set_by=login)
    team = next((team for team in teams if _is_member(client, team, login)), None)
    if team is None:
        reason = f"{login} is in none of the teams, or the token does not see them"
        return Unconfirmed(label=borne, set_by=login, reason=reason, remedy=SETTERS)
    return Emergency(label=borne, set_by=login, team=team)


def _set_by(client: Client, repository: Repository, number: int, label: str) -> str | None:
    """Login of who set it last; None where it was taken away since, or an account is gone."""
    found: list[tuple[str, str | None]] = []
    for event in client.rows(LABEL, *repository.path, "issues", number, "events"):
        kind = event.text("event")
        if kind not in {"labeled", "unlabeled"} or event.text("label", "name").casefold() != label.casefold():
            continue
        actor = event.at("actor")
        login = actor.text("login") if actor is not None and kind == "labeled" else None
        found.append((event.text("created_at"), login))
    return max(reversed(found), key=lambda each: each[0])[1] if found else None


def _is_member(client: Client, team: str, login: str) -> bool:
    """Whether an active one. Raises NotPublishedError where the token may not ask."""
    organization, _, slug = team.partition("/")
    try:
        row = client.get(TEAM, "orgs", organization, "teams", slug, "memberships", login)
    except NotPublishedError as refused:
        if refused.error.status == 404:
            return False
        raise
    return row.text("state") == "active"
