"""A GitHub on loopback: keeps state, injects faults, judges every request and its own answers by the description."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.publishing.contract import Contract, Operation, contract

TOKEN = "ghs_c4n4ry5e81"
HEAD, OLD = "a" * 40, "b" * 40
BOT = ("github-actions[bot]", "Bot")
PERMISSIONS = {
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": "issues=write; pull_requests=write",
    "/repos/{owner}/{repo}/issues/comments/{comment_id}": "issues=write; pull_requests=write",
    "/repos/{owner}/{repo}/statuses/{sha}": "statuses=write",
    "/repos/{owner}/{repo}/code-scanning/sarifs": "security_events=write",
    "/orgs/{org}/teams/{team_slug}/memberships/{username}": "members=read",
}


Reply = tuple[int, Any, dict[str, str]]
"""Status, value and headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    """Below the base, without the query."""
    query: Mapping[str, str]
    headers: Message
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Instead of a good answer."""

    on: str
    """Method, a space, and the end of the path: ``POST /comments``."""
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b'{"message": "Server Error"}'
    is_done: bool = False
    """Whether what was asked takes place all the same."""
    hangs_up: bool = False
    """No answer at all."""
    cuts: int = 0
    """Bytes of the body that are announced and never come."""
    drips: float = 0
    """Seconds between two bytes of the body."""

    def fits(self, asked: Asked) -> bool:
        method, _, end = self.on.partition(" ")
        return asked.method == method and asked.path.endswith(end)


@dataclass(slots=True, kw_only=True)
class GitHub:
    """The state, open to tests."""

    contract: Contract
    url: str = ""
    """What GITHUB_API_URL would be."""
    prefix: str = ""
    proxied: str = ""
    """What a client asks this server for as its proxy."""
    login: tuple[str, str] = BOT
    """Who the token writes as."""
    is_person: bool = False
    """Whether the token may ask who it is."""
    denied: set[str] = field(default_factory=set)
    """Templates of endpoints that the token may not write to."""
    head: str = HEAD
    pulls: list[tuple[int, str, str, str, str]] = field(default_factory=list)
    """Open ones: number, repository and branch of the head, its commit, the tip of base."""
    labels: list[str] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    sarifs: list[dict[str, Any]] = field(default_factory=list)
    progress: list[dict[str, Any]] = field(default_factory=list)
    """What the coming questions about an upload are answered with; then it is complete."""
    teams: dict[str, dict[str, str]] = field(default_factory=dict)
    """``org/team`` to state by login."""
    page: int = 100
    """Rows of a page at most, so that a test needs no hundreds."""
    faults: list[Fault] = field(default_factory=list)
    before: Callable[[Asked], None] = lambda _: None
    """What happens elsewhere just before a request is served."""
    asked: list[Asked] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def comment(self, login: tuple[str, str], body: str) -> dict[str, Any]:
        """Somebody writes one."""
        made = {
            **self.contract.example("issue-comment"),
            "id": max((each["id"] for each in self.comments), default=100) + 1,
            "user": self.user(*login),
            "body": body,
        }
        self.comments.append(made)
        return made

    def user(self, login: str, kind: str = "User") -> dict[str, Any]:
        return {**self.contract.example("simple-user"), "login": login, "type": kind}

    def event(self, kind: str, label: str, login: str, second: int = 0) -> None:
        """Somebody sets or takes away a label."""
        made = {
            **self.contract.example("labeled-issue-event"),
            "event": kind,
            "label": {"name": label, "color": "ffffff"},
            "actor": self.user(login),
            "created_at": f"2026-01-01T00:00:{second:02}Z",
        }
        self.events.append(made)

    def bodies(self) -> list[str]:
        return [each["body"] for each in self.comments]

    def calls(self, method: str) -> list[str]:
        return [each.path for each in self.asked if each.method == method]

    def serve(self, asked: Asked, operation: Operation) -> Reply:
        """Status, value and headers of a good answer, or of a refusal that GitHub would give."""
        if asked.headers["Authorization"] != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}, {}
        needs = PERMISSIONS.get(operation.template, "")
        if operation.template in self.denied and (asked.method != "GET" or "read" in needs):
            headers = {"X-Accepted-GitHub-Permissions": needs, "X-RateLimit-Remaining": "0"}
            return 403, {"message": "Resource not accessible by integration"}, headers
        return HANDLERS[asked.method, operation.template](self, asked, operation.names)

    def listed(self, asked: Asked, rows: list[dict[str, Any]]) -> Reply:
        size = min(int(asked.query.get("per_page", "30")), self.page)
        number = int(asked.query.get("page", "1"))
        kept = rows[(number - 1) * size : number * size]
        if number * size >= len(rows):
            return 200, kept, {}
        path = asked.path
        following = urlencode({"per_page": size, "page": number + 1})
        first = urlencode({"per_page": size, "page": 1})
        link = f'<{self.url}{path}?{first}>; rel="first", <{self.url}{path}?{following}>; rel="next"'
        return 200, kept, {"Link": link}


def get_user(hub: GitHub, _: Asked, __: Mapping[str, str]) -> Reply:
    if not hub.is_person:
        return 403, {"message": "Resource not accessible by integration"}, {}
    login, kind = hub.login
    return 200, {**hub.contract.example("public-user"), "login": login, "type": kind}, {}


def get_pull(hub: GitHub, _: Asked, names: Mapping[str, str]) -> Reply:
    if names["pull_number"] != "7":
        return 404, hub.contract.example("basic-error"), {}
    pull = hub.contract.example("pull-request")
    label = hub.contract.least(
        hub.contract.whole["components"]["schemas"]["pull-request"]["properties"]["labels"]["items"]
    )
    labels = [{**label, "name": name} for name in hub.labels]
    return 200, {**pull, "number": 7, "head": {**pull["head"], "sha": hub.head}, "labels": labels}, {}


def get_pulls(hub: GitHub, asked: Asked, names: Mapping[str, str]) -> Reply:
    """Those that a head narrows them to, as ``owner:branch``."""
    rows = []
    for number, head, branch, sha, base in hub.pulls:
        pull = hub.contract.example("pull-request-simple")
        owner = head.partition("/")[0]
        if asked.query.get("head") not in {None, f"{owner}:{branch}"} or asked.query.get("state", "open") != "open":
            continue
        repository = {**pull["base"]["repo"], "full_name": f"{names['owner']}/{names['repo']}"}
        fork = {**repository, "full_name": head}
        rows.append(
            {
                **pull,
                "number": number,
                "head": {**pull["head"], "ref": branch, "sha": sha, "repo": fork},
                "base": {**pull["base"], "ref": "main", "sha": base, "repo": repository},
            }
        )
    return hub.listed(asked, rows)


def get_comments(hub: GitHub, asked: Asked, _: Mapping[str, str]) -> Reply:
    return hub.listed(asked, hub.comments)


def post_comment(hub: GitHub, asked: Asked, _: Mapping[str, str]) -> Reply:
    body = json.loads(asked.body)["body"]
    if len(body) > 65_536:
        return 422, {**hub.contract.example("validation-error"), "message": "Body is too long"}, {}
    return 201, hub.comment(hub.login, body), {}


def patch_comment(hub: GitHub, asked: Asked, names: Mapping[str, str]) -> Reply:
    for comment in hub.comments:
        if comment["id"] == int(names["comment_id"]):
            comment["body"] = json.loads(asked.body)["body"]
            return 200, comment, {}
    return 404, hub.contract.example("basic-error"), {}


def delete_comment(hub: GitHub, _: Asked, names: Mapping[str, str]) -> Reply:
    hub.comments[:] = [each for each in hub.comments if each["id"] != int(names["comment_id"])]
    return 204, None, {}


def get_events(hub: GitHub, asked: Asked, _: Mapping[str, str]) -> Reply:
    return hub.listed(asked, hub.events)


def post_status(hub: GitHub, asked: Asked, names: Mapping[str, str]) -> Reply:
    body = json.loads(asked.body)
    if len(body.get("description") or "") > 140:
        return 422, {**hub.contract.example("validation-error"), "message": "description is too long"}, {}
    hub.statuses.append({"sha": names["sha"], **body})
    known = {key: body[key] for key in ("state", "context", "description", "target_url") if key in body}
    return 201, {**hub.contract.example("status"), **known}, {}


def post_sarif(hub: GitHub, asked: Asked, _: Mapping[str, str]) -> Reply:
    body = json.loads(asked.body)
    packed = base64.b64decode(body["sarif"], validate=True)
    if len(packed) > 10_000_000:
        return 413, None, {}
    hub.sarifs.append({**body, "sarif": gzip.decompress(packed)})
    return 202, {"id": f"47177e22-5596-11eb-80a1-{len(hub.sarifs):012}", "url": f"{hub.url}/x"}, {}


def get_sarif(hub: GitHub, _: Asked, __: Mapping[str, str]) -> Reply:
    state = hub.progress.pop(0) if hub.progress else {"processing_status": "complete"}
    return (200, state, {}) if state else (404, hub.contract.example("basic-error"), {})


def get_membership(hub: GitHub, _: Asked, names: Mapping[str, str]) -> Reply:
    state = hub.teams.get(f"{names['org']}/{names['team_slug']}", {}).get(names["username"])
    if state is None:
        return 404, hub.contract.example("basic-error"), {}
    return 200, {**hub.contract.example("team-membership"), "state": state}, {}


HANDLERS: Mapping[tuple[str, str], Callable[[GitHub, Asked, Mapping[str, str]], Reply]] = {
    ("GET", "/user"): get_user,
    ("GET", "/repos/{owner}/{repo}/pulls"): get_pulls,
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}"): get_pull,
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments"): get_comments,
    ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments"): post_comment,
    ("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}"): patch_comment,
    ("DELETE", "/repos/{owner}/{repo}/issues/comments/{comment_id}"): delete_comment,
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}/events"): get_events,
    ("POST", "/repos/{owner}/{repo}/statuses/{sha}"): post_status,
    ("POST", "/repos/{owner}/{repo}/code-scanning/sarifs"): post_sarif,
    ("GET", "/repos/{owner}/{repo}/code-scanning/sarifs/{sarif_id}"): get_sarif,
    ("GET", "/orgs/{org}/teams/{team_slug}/memberships/{username}"): get_membership,
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: GitHub

    def handle_one(self) -> None:
        hub = self.hub
        self.path = self.path.removeprefix(hub.proxied)
        size = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        path = parts.path.removeprefix(hub.prefix)
        asked = Asked(
            method=self.command,
            path=path,
            query=dict(parse_qsl(parts.query)),
            headers=self.headers,
            body=self.rfile.read(size),
        )
        hub.before(asked)
        hub.asked.append(asked)
        fault = next((each for each in hub.faults if each.fits(asked)), None)
        if fault is None:
            self.reply(*self.judged(asked))
            return
        hub.faults.remove(fault)
        if fault.is_done:
            self.judged(asked)
        self.fail(fault)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_one  # noqa: N815 the names that the base class calls

    def judged(self, asked: Asked) -> tuple[int, bytes, dict[str, str]]:
        hub = self.hub
        operation = hub.contract.operation(asked.method, asked.path)
        if operation is None or not self.path.startswith(hub.prefix):
            hub.violations.append(f"{asked.method} {self.path} is not described")
            return 404, b"{}", {}
        headers = {key: str(value) for key, value in asked.headers.items()}
        wrong = list(hub.contract.wrong_request(operation, asked.query, headers, asked.body))
        status, value, more = hub.serve(asked, operation)
        wrong += hub.contract.wrong_answer(operation, status, value)
        hub.violations += [f"{asked.method} {asked.path}: {each}" for each in wrong]
        return status, b"" if value is None else json.dumps(value).encode(), more

    def reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        about = {"Content-Type": "application/json; charset=utf-8", **headers}
        if status != 204:
            about = {"Content-Length": str(len(body)), **about}
        for name, value in about.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def fail(self, fault: Fault) -> None:
        self.close_connection = True
        if fault.hangs_up:
            return
        size = str(len(fault.body) + fault.cuts)
        first = b"" if fault.drips else fault.body
        self.reply(fault.status, first, {"Content-Length": size, "Connection": "close", **fault.headers})
        for number in range(len(fault.body) if fault.drips else 0):
            time.sleep(fault.drips)
            self.wfile.write(fault.body[number : number + 1])

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:  # the client has hung up, which some tests want
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name of the base class
        pass


@contextmanager
def serve(description: str = "api.github.com", prefix: str = "") -> Iterator[GitHub]:
    """On a port of its own until the test is over."""
    hub = GitHub(contract=contract(description), prefix=prefix)

    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}{prefix}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
