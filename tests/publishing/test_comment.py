from __future__ import annotations

import pytest

from model.errors import UsageError
from publishing.client import Client
from publishing.comment import LONGEST, WORKFLOW, Author, CommentOutcome, Draft, upsert
from publishing.failure import PublishError
from publishing.place import JobId
from tests.publishing.conftest import REPOSITORY, FakeClock, client_of
from tests.publishing.server import BOT, HEAD, OLD, Asked, Fault, GitHub

MARK = f"<!-- hardening-gate head={HEAD} -->\n"
OLD_MARK = f"<!-- hardening-gate head={OLD} -->\n"


def draft(text: str = "82 → 88", head: str = HEAD, job: str = "", number: int = 7) -> Draft:
    return Draft(repository=REPOSITORY, number=number, head_sha=head, job=JobId(text=job), text=text)


def failed(outcome: CommentOutcome | PublishError) -> PublishError:
    assert isinstance(outcome, PublishError)
    assert outcome.what == "the comment"
    assert outcome.remedy
    return outcome


def test_the_first_run_creates_it_and_the_next_ones_update_it(client: Client, hub: GitHub) -> None:
    assert upsert(client, draft("first")) is CommentOutcome.CREATED
    assert upsert(client, draft("second")) is CommentOutcome.UPDATED
    assert hub.bodies() == [f"{MARK}second"]


def test_what_says_the_same_is_not_written(client: Client, hub: GitHub) -> None:
    hub.comment(BOT, f"{MARK}same\r\ntext".replace("\n", "\r\n").replace("\r\r", "\r"))
    assert upsert(client, draft("same\ntext\n")) is CommentOutcome.UNCHANGED
    assert hub.calls("PATCH") == []


def test_each_id_has_a_comment_of_its_own(client: Client, hub: GitHub) -> None:
    for job in ("", "web", "web-2"):
        upsert(client, draft(job, job=job))
    upsert(client, draft("again", job="web"))
    assert [body.partition("\n")[2] for body in hub.bodies()] == ["", "again", "web-2"]


@pytest.mark.parametrize("job", ["a--b", "-a", "a b", "a-->", "a\n", "x" * 65, "ä"])
def test_an_id_that_could_break_out_of_the_marker_cannot_be_built(job: str) -> None:
    with pytest.raises(UsageError):
        JobId(text=job)


@pytest.mark.threat("O4")
def test_a_comment_of_somebody_else_is_never_touched_whatever_it_says(client: Client, hub: GitHub) -> None:
    forged = [
        (("mallory", "User"), f"{MARK}all is well"),
        (("github-actions", "User"), f"{MARK}all is well"),
        (("github-actions[bot]", "User"), f"{MARK}all is well"),
        (("evil[bot]", "Bot"), f"{MARK}all is well"),
    ]
    for login, body in forged:
        hub.comment(login, body)
    assert upsert(client, draft("truth")) is CommentOutcome.CREATED
    assert upsert(client, draft("more truth")) is CommentOutcome.UPDATED
    assert hub.bodies() == [*(body for _, body in forged), f"{MARK}more truth"]
    assert hub.calls("DELETE") == []


@pytest.mark.threat("O4")
@pytest.mark.parametrize(
    "body",
    [
        f"Thanks for the report!\n{MARK}",
        f" {MARK}",
        f"> {MARK}",
        MARK.replace(" -->", " --> x"),
        MARK.replace("gate", "gate:other"),
        MARK.replace(HEAD, "main"),
    ],
)
def test_another_comment_of_the_same_bot_is_never_touched(client: Client, hub: GitHub, body: str) -> None:
    """Another step may print what a stranger wrote: the marker counts as the whole first line only."""
    hub.comment(BOT, body)
    assert upsert(client, draft("truth")) is CommentOutcome.CREATED
    assert hub.bodies() == [body, f"{MARK}truth"]


@pytest.mark.threat("O4")
def test_ours_is_found_on_the_third_page_behind_a_forged_one(client: Client, hub: GitHub) -> None:
    hub.page = 2
    hub.comment(("mallory", "User"), f"{MARK}spoof")
    for number in range(3):
        hub.comment(("somebody", "User"), f"talk {number}")
    ours = hub.comment(BOT, f"{OLD_MARK}before")
    assert upsert(client, draft("now")) is CommentOutcome.UPDATED
    assert ours["body"] == f"{MARK}now"
    assert len([each for each in hub.asked if each.path.endswith("/comments")]) == 3


def test_a_comment_of_an_account_that_is_gone_is_nobodys(client: Client, hub: GitHub) -> None:
    hub.comment(BOT, f"{MARK}x")["user"] = None
    assert upsert(client, draft()) is CommentOutcome.CREATED


def test_a_person_whose_token_it_is_is_asked_for(client: Client, hub: GitHub) -> None:
    hub.login, hub.is_person = ("carol", "User"), True
    hub.comment(BOT, f"{MARK}of the workflow")
    ours = hub.comment(hub.login, f"{OLD_MARK}before")
    assert upsert(client, draft("now")) is CommentOutcome.UPDATED
    assert ours["body"] == f"{MARK}now"


def test_who_we_are_is_not_guessed_when_the_server_is_broken(client: Client, hub: GitHub) -> None:
    hub.login, hub.is_person = ("carol", "User"), True
    hub.faults += [Fault(on="GET /user", status=503)] * 4
    assert failed(upsert(client, draft())).status == 503
    assert hub.comments == []


def test_an_app_that_cannot_say_its_name_keeps_one_comment(client: Client, hub: GitHub) -> None:
    hub.login = ("our-app[bot]", "Bot")
    assert upsert(client, draft("first")) is CommentOutcome.CREATED
    assert upsert(client, draft("second")) is CommentOutcome.UPDATED
    assert hub.bodies() == [f"{MARK}second"]
    assert upsert(client, draft("third"), Author(login="our-app[bot]", kind="Bot")) is CommentOutcome.UPDATED
    assert len(hub.calls("POST")) == 2


@pytest.mark.threat("P14")
def test_duplicates_of_ours_are_removed_and_the_first_is_kept(client: Client, hub: GitHub) -> None:
    for number in range(3):
        hub.comment(BOT, f"{OLD_MARK}{number}")
    hub.comment(("mallory", "User"), f"{MARK}spoof")
    first = hub.comments[0]["id"]
    upsert(client, draft("now"))
    assert (hub.comments[0]["id"], hub.bodies()[0]) == (first, f"{MARK}now")
    assert hub.bodies()[1:] == [f"{MARK}spoof"]


@pytest.mark.threat("P14")
def test_a_run_for_an_older_head_writes_nothing(client: Client, hub: GitHub) -> None:
    hub.comment(BOT, f"{MARK}newer")
    assert upsert(client, draft("older", head=OLD)) is CommentOutcome.STALE
    hub.comments.clear()
    assert upsert(client, draft("older", head=OLD)) is CommentOutcome.STALE
    assert hub.comments == []


@pytest.mark.threat("P14")
def test_of_two_runs_that_overlap_the_one_of_the_newer_head_wins(hub: GitHub, client: Client) -> None:
    """While the older one reads the list, a push comes, and the newer run does all of its work."""
    hub.head = OLD

    def push(asked: Asked) -> None:
        if hub.head == OLD and asked.path.endswith("/comments"):
            hub.head = HEAD
            with client_of(hub, FakeClock()) as newer:
                assert upsert(newer, draft("newer")) is CommentOutcome.CREATED

    hub.before = push
    assert upsert(client, draft("older", head=OLD)) is CommentOutcome.STALE
    assert hub.bodies() == [f"{MARK}newer"]


@pytest.mark.threat("P14")
def test_two_first_runs_that_create_at_once_leave_one_comment(hub: GitHub, client: Client) -> None:
    raced: list[bool] = []

    def race(asked: Asked) -> None:
        if asked.method == "POST" and not raced:
            raced.append(True)
            with client_of(hub, FakeClock()) as twin:
                upsert(twin, draft("twin"))

    hub.before = race
    upsert(client, draft("mine"))
    assert hub.bodies() == [f"{MARK}mine"]


@pytest.mark.parametrize("fault", ["hangs up", "server error", "half an answer"])
def test_a_comment_that_was_made_without_an_answer_is_not_made_twice(client: Client, hub: GitHub, fault: str) -> None:
    kinds = {
        "hangs up": Fault(on="POST /comments", is_done=True, hangs_up=True),
        "server error": Fault(on="POST /comments", is_done=True, status=502),
        "half an answer": Fault(on="POST /comments", is_done=True, status=201, body=b'{"id"', cuts=10),
    }
    hub.faults.append(kinds[fault])
    assert upsert(client, draft()) is CommentOutcome.CREATED
    assert len(hub.bodies()) == 1
    assert len(hub.calls("POST")) == 1


def test_a_comment_that_was_not_made_is_tried_once_more(client: Client, hub: GitHub) -> None:
    hub.faults.append(Fault(on="POST /comments", status=502))
    assert upsert(client, draft()) is CommentOutcome.CREATED
    assert len(hub.bodies()) == 1


def test_a_missing_permission_is_named_and_tried_once(client: Client, hub: GitHub) -> None:
    hub.denied.add("/repos/{owner}/{repo}/issues/{issue_number}/comments")
    error = failed(upsert(client, draft()))
    assert error.status == 403
    assert "Resource not accessible by integration" in error.reason
    assert "`issues: write` or `pull-requests: write`" in error.remedy
    assert len(hub.calls("POST")) == 1


def test_a_pull_request_that_is_not_there_is_told(client: Client, hub: GitHub) -> None:
    error = failed(upsert(client, draft(number=8)))
    assert error.status == 404
    assert "`pull-requests: write`" in error.remedy
    assert hub.comments == []


def test_a_text_that_github_would_refuse_is_not_sent(client: Client, hub: GitHub) -> None:
    assert upsert(client, draft("𝄞" * LONGEST)) is CommentOutcome.CREATED
    assert len(hub.bodies()[0].encode()) <= 262_144
    assert "more than 65000" in failed(upsert(client, draft("x" * (LONGEST + 1)))).reason


@pytest.mark.threat("P13")
def test_more_comments_than_anybody_reads_end_in_a_word_and_not_in_a_new_comment(client: Client, hub: GitHub) -> None:
    hub.page = 1
    hub.comments = [hub.comment(("mallory", "User"), "x")] * 101
    assert "more than 100 pages" in failed(upsert(client, draft(), WORKFLOW)).reason
    assert hub.calls("POST") == []


def test_an_answer_that_is_something_else_is_told(client: Client, hub: GitHub) -> None:
    hub.faults.append(Fault(on="GET /pulls/7", status=200, body=b'{"head": []}'))
    assert "not what GitHub describes" in failed(upsert(client, draft())).reason
