from __future__ import annotations

import json
from typing import Any

import pytest

from publishing.api import Api
from publishing.client import Client
from publishing.failure import NotPublishedError
from tests.publishing.contract import OPENAPI, contract
from tests.publishing.server import TOKEN, serve
from tests.publishing.test_client import COMMENTS, PURPOSE, STATUS
from tools import openapi_extract

SARIFS = ("repos", "our", "repo", "code-scanning", "sarifs")
GOOD = {"commit_sha": "a" * 40, "ref": "refs/heads/main", "sarif": "x"}


@pytest.mark.parametrize("name", openapi_extract.DESCRIPTIONS)
def test_what_is_committed_is_what_the_tool_extracts(name: str) -> None:
    whole = json.loads((OPENAPI / f"{name}.json").read_text(encoding="utf-8"))
    kept = {path: set(item) - {"parameters"} for path, item in whole["paths"].items()}
    assert kept == {path: set(methods) for path, methods in openapi_extract.ENDPOINTS.items()}
    source = {"package": openapi_extract.PACKAGE, "sha256": openapi_extract.SHA256, "file": f"generated/{name}.json"}
    assert whole["x-source"] == source
    assert openapi_extract.extract(whole, name) == whole


def test_another_archive_than_the_pinned_one_is_refused(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "other.tgz"
    archive.write_bytes(b"x")
    assert openapi_extract.main(str(archive)) == 2
    assert "Next step: npm pack" in capsys.readouterr().err


def test_only_what_people_read_is_left_out() -> None:
    told = {"title": "T", "properties": {"title": {"type": "string", "description": "d"}, "x-y": {}}, "x-github": {}}
    assert openapi_extract.without_prose(told) == {"properties": {"title": {"type": "string"}, "x-y": {}}}


@pytest.mark.parametrize(
    ("segments", "body", "objection"),
    [
        (STATUS, {"state": "good"}, "'good' is not one of"),
        (STATUS, {"state": "success", "contxt": "x"}, "contxt is not described"),
        (STATUS, {}, "'state' is a required property"),
        (COMMENTS, {"text": "x"}, "'body' is a required property"),
        (SARIFS, {**GOOD, "ref": "main"}, "does not match"),
        (SARIFS, {**GOOD, "commit_sha": "HEAD"}, "does not match"),
        (("repos", "our", "repo", "nowhere"), {}, "is not described"),
    ],
)
def test_a_wrong_request_is_objected_to(segments: tuple[str, ...], body: dict[str, Any], objection: str) -> None:
    with serve() as hub, Client(api=Api.at(hub.url), token=TOKEN) as client:
        operation = hub.contract.operation("POST", "/" + "/".join(map(str, segments)))
        if operation is None:
            with pytest.raises(NotPublishedError):
                client.write("POST", PURPOSE, *segments, body=body)
            assert objection in hub.violations[0]
            return
        headers = {"Content-Type": "application/json"}
        wrong = list(hub.contract.wrong_body(operation, headers, json.dumps(body).encode()))
        assert objection in str(wrong)


def test_the_servers_differ_where_their_descriptions_do() -> None:
    body = json.dumps({**GOOD, "validate": True}).encode()
    found = {}
    for name in openapi_extract.DESCRIPTIONS:
        operation = contract(name).operation("POST", "/repos/a/b/code-scanning/sarifs")
        assert operation is not None
        found[name] = list(contract(name).wrong_body(operation, {"Content-Type": "application/json"}, body))
    assert found["api.github.com"] == []
    assert found["ghes-3.17"] != []


@pytest.mark.parametrize(
    ("change", "objection"),
    [({"user": 5}, "is not valid"), ({"created_at": "yesterday"}, "date-time"), ({"url": "x"}, "'uri'")],
)
def test_a_wrong_answer_of_the_test_server_is_objected_to(change: dict[str, Any], objection: str) -> None:
    judge = contract("api.github.com")
    operation = judge.operation("POST", "/repos/a/b/issues/1/comments")
    assert operation is not None
    good = judge.example("issue-comment")
    assert list(judge.wrong_answer(operation, 201, good)) == []
    assert objection in str(list(judge.wrong_answer(operation, 201, {**good, **change})))
    assert "is not described" in str(list(judge.wrong_answer(operation, 299, good)))
