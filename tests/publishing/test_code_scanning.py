from __future__ import annotations

import base64
import json
import random

import pytest

from model.occasion import Occasion, PullRequest
from publishing.client import Client
from publishing.code_scanning import Judged, Uploaded, judged, upload
from publishing.failure import PublishError
from tests.publishing.conftest import REPOSITORY, FakeClock
from tests.publishing.server import HEAD, Fault, GitHub

MERGE = "c" * 40
MAIN = Judged(ref="refs/heads/main", commit_sha=HEAD)
SARIF = b'{"version": "2.1.0", "runs": []}'


def occasion(event: str = "pull_request", ref: str | None = "refs/pull/7/merge", *, pull: bool = True) -> Occasion:
    about = PullRequest(
        number=7,
        head_sha=HEAD,
        base_sha="d" * 40,
        base_ref="main",
        head_repository="our/repo",
        is_fork=False,
        is_draft=False,
    )
    return Occasion(
        event=event,
        repository="our/repo",
        server="https://github.example",
        sha=MERGE,
        ref=ref,
        pull_request=about if pull else None,
    )


def failed(outcome: object) -> PublishError:
    assert isinstance(outcome, PublishError)
    assert outcome.what == "code scanning"
    return outcome


def test_the_file_arrives_as_it_was_with_its_ref_and_commit(client: Client, hub: GitHub, clock: FakeClock) -> None:
    assert upload(client, REPOSITORY, MAIN, SARIF) == Uploaded(is_processed=True)
    (sent,) = hub.sarifs
    assert sent == {"ref": "refs/heads/main", "commit_sha": HEAD, "sarif": SARIF}
    assert clock.slept == [2]


def test_the_merge_of_a_pull_request_and_its_head_have_a_ref_each() -> None:
    assert judged(occasion(), MERGE) == Judged(ref="refs/pull/7/merge", commit_sha=MERGE)
    assert judged(occasion(), HEAD) == Judged(ref="refs/pull/7/head", commit_sha=HEAD)
    assert judged(occasion("push", "refs/heads/main", pull=False), MERGE) == Judged(
        ref="refs/heads/main", commit_sha=MERGE
    )


def test_a_commit_or_ref_that_the_event_does_not_name_is_refused() -> None:
    assert "not the one that the event is about" in failed(judged(occasion(), "e" * 40)).reason
    assert "names no branch" in failed(judged(occasion("push", None, pull=False), MERGE)).reason
    assert "names no branch" in failed(judged(occasion("push", "refs/notes/x", pull=False), MERGE)).reason


def test_it_is_asked_until_the_file_is_processed(client: Client, hub: GitHub, clock: FakeClock) -> None:
    hub.progress += [{}, {"processing_status": "pending"}, {"processing_status": "complete", "errors": None}]
    assert upload(client, REPOSITORY, MAIN, SARIF) == Uploaded(is_processed=True)
    assert clock.slept == [2, 3, 5]


@pytest.mark.threat("P13")
def test_asking_ends(client: Client, hub: GitHub, clock: FakeClock) -> None:
    hub.progress += [{"processing_status": "pending"}] * 50
    assert upload(client, REPOSITORY, MAIN, SARIF) == Uploaded(is_processed=False)
    assert clock.slept == [2, 3, 5, 10, 20, 40, 80]
    assert upload(client, REPOSITORY, MAIN, SARIF) == Uploaded(is_processed=False)
    assert sum(clock.slept) <= 300


def test_what_could_not_be_processed_is_told_with_the_reason(client: Client, hub: GitHub) -> None:
    reasons = ["rejecting SARIF, as there are more runs\nthan allowed", "and more"]
    hub.progress.append({"processing_status": "failed", "errors": reasons})
    error = failed(upload(client, REPOSITORY, MAIN, SARIF))
    assert "rejecting SARIF, as there are more runs than allowed; and more" in error.reason
    hub.progress.append({"processing_status": "failed", "errors": None})
    assert "does not say why" in failed(upload(client, REPOSITORY, MAIN, SARIF)).reason


def test_a_file_that_github_would_refuse_is_not_sent(client: Client, hub: GitHub) -> None:
    noise = random.Random(1).randbytes(10_100_000)
    assert "10.1 MB, more than 10 MB" in failed(upload(client, REPOSITORY, MAIN, noise)).reason
    assert hub.asked == []


def test_a_missing_permission_or_a_feature_that_is_off_is_told(client: Client, hub: GitHub) -> None:
    hub.denied.add("/repos/{owner}/{repo}/code-scanning/sarifs")
    error = failed(upload(client, REPOSITORY, MAIN, SARIF))
    assert error.status == 403
    assert "`security-events: write`" in error.remedy
    assert "codeql-action/upload-sarif" in error.remedy


def test_an_upload_without_a_name_cannot_be_asked_for(client: Client, hub: GitHub, clock: FakeClock) -> None:
    hub.faults.append(Fault(on="POST /sarifs", status=202, body=b"{}"))
    assert upload(client, REPOSITORY, MAIN, SARIF) == Uploaded(is_processed=False)
    hub.faults.append(Fault(on="POST /sarifs", status=202, body=b'{"id": "../../user"}'))
    assert "not what GitHub describes" in failed(upload(client, REPOSITORY, MAIN, SARIF)).reason
    assert clock.slept == [1]
    assert hub.calls("GET") == []


def test_a_question_that_is_refused_is_told_and_not_taken_for_waiting(
    client: Client, hub: GitHub, clock: FakeClock
) -> None:
    hub.faults.append(Fault(on="GET /sarifs/47177e22-5596-11eb-80a1-000000000001", status=403, body=b"{}"))
    assert failed(upload(client, REPOSITORY, MAIN, SARIF)).status == 403
    assert clock.slept == [2]


def test_the_same_file_makes_the_same_request(client: Client, hub: GitHub) -> None:
    """The head of a gzip file may tell the time."""
    upload(client, REPOSITORY, MAIN, SARIF)
    assert base64.b64decode(json.loads(hub.asked[0].body)["sarif"])[4:8] == bytes(4)
