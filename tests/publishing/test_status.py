from __future__ import annotations

import pytest

from publishing.client import Client
from publishing.failure import PublishError
from publishing.place import JobId
from publishing.status import LONGEST, State, Status, publish
from tests.publishing.conftest import REPOSITORY
from tests.publishing.server import HEAD, Fault, GitHub


def status(description: str = "blocked", job: str = "", target_url: str = "") -> Status:
    return Status(
        repository=REPOSITORY,
        sha=HEAD,
        job=JobId(text=job),
        state=State.FAILURE,
        description=description,
        target_url=target_url,
    )


def test_a_status_has_the_name_of_the_product_and_the_id(client: Client, hub: GitHub) -> None:
    assert publish(client, status()) is None
    assert publish(client, status(job="web", target_url="https://github.example/run/1")) is None
    plain, named = hub.statuses
    assert plain == {"sha": HEAD, "state": "failure", "context": "hardening-gate", "description": "blocked"}
    assert named["context"] == "hardening-gate/web"
    assert named["target_url"] == "https://github.example/run/1"


def test_a_description_is_one_line_that_github_takes(client: Client, hub: GitHub) -> None:
    assert publish(client, status("a\nb\x1b" + "ä" * 200)) is None
    text = hub.statuses[0]["description"]
    assert len(text) == LONGEST
    assert text.startswith("a b ä")
    assert text.endswith("…")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://a b", "https://x/" + "y" * 3000, "/run/1"])
def test_what_is_no_web_address_is_left_out(client: Client, hub: GitHub, url: str) -> None:
    assert publish(client, status(target_url=url)) is None
    assert "target_url" not in hub.statuses[0]


def test_a_server_error_is_asked_again(client: Client, hub: GitHub) -> None:
    hub.faults.append(Fault(on=f"POST /statuses/{HEAD}", status=502, is_done=True))
    assert publish(client, status()) is None
    assert {each["state"] for each in hub.statuses} == {"failure"}


def test_a_missing_permission_is_named(client: Client, hub: GitHub) -> None:
    hub.denied.add("/repos/{owner}/{repo}/statuses/{sha}")
    error = publish(client, status())
    assert isinstance(error, PublishError)
    assert (error.what, error.status) == ("the commit status", 403)
    assert "`statuses: write`" in error.remedy
    assert "fork" in error.remedy


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"state": "pending"}', b"null"])
def test_a_yes_to_something_else_is_none(client: Client, hub: GitHub, body: bytes) -> None:
    hub.faults.append(Fault(on=f"POST /statuses/{HEAD}", status=201, body=body))
    error = publish(client, status())
    assert isinstance(error, PublishError)
    assert "not what GitHub describes" in error.reason
