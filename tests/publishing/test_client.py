from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from http_session import Route
from publishing import client as clients
from publishing.answer import Purpose
from publishing.api import Api
from publishing.client import Client, DoubtfulError
from publishing.failure import NotPublishedError, PublishError
from tests.publishing.conftest import FakeClock, client_of
from tests.publishing.server import TOKEN, Fault, GitHub, serve

PURPOSE = Purpose(what="the thing", needs="contents: read")
PULL = ("repos", "our", "repo", "pulls", 7)
STATUS = ("repos", "our", "repo", "statuses", "a" * 40)
COMMENTS = ("repos", "our", "repo", "issues", 7, "comments")
ON_PULL = "GET /pulls/7"
ON_STATUS = "POST /statuses/" + "a" * 40


def refused(client: Client, *segments: str | int) -> PublishError:
    with pytest.raises(NotPublishedError) as caught:
        client.get(PURPOSE, *segments or PULL)
    error = caught.value.error
    assert error.what == "the thing"
    assert error.remedy.endswith(".")
    assert TOKEN not in f"{error}{caught.value!r}"
    return error


def post(client: Client, *, is_repeatable: bool = True) -> None:
    client.write("POST", PURPOSE, *STATUS, body={"state": "success"}, is_repeatable=is_repeatable)


def test_a_request_says_who_asks_in_which_version_and_nothing_of_this_machine(
    client: Client, hub: GitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("machine 127.0.0.1 login canary password canary\n")
    monkeypatch.setenv("NETRC", netrc)
    monkeypatch.setenv("http_proxy", "http://canary.invalid:1")
    assert client.get(PURPOSE, *PULL).number("number") == 7
    headers = dict(hub.asked[0].headers.items())
    assert headers["User-Agent"] == "hardening-gate"
    assert headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert "canary" not in str(headers)


def test_the_token_is_in_no_text_about_the_client(client: Client) -> None:
    route = Route(proxy="http://user:secret@proxy.example:1")
    assert TOKEN not in repr(client)
    assert "secret" not in repr(route)


@pytest.mark.threat("P15")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_not_followed(client: Client, hub: GitHub, other: GitHub, status: int) -> None:
    hub.faults.append(Fault(on=ON_PULL, status=status, headers={"Location": f"{other.url}/repos/our/repo/pulls/7"}))
    assert "where the token must not go" in refused(client).reason
    assert len(hub.asked) == 1


@pytest.mark.threat("P15")
@pytest.mark.parametrize(
    "target",
    [
        "//OTHER/x",
        "https://127.0.0.1/x",
        "http://x@HOST/x",
        "http://HOST.evil.example/x",
        "file:///etc/passwd",
        "",
        "\\\\OTHER\\x",
        "http://127.0.0.1:99999/x",
        "http://HOST/%2e%2e/x",
        "http://HOST",
        "/" + "x" * 5000,
    ],
)
def test_a_redirect_to_nonsense_another_scheme_or_port_is_not_followed(
    client: Client, hub: GitHub, other: GitHub, target: str
) -> None:
    host, elsewhere = (each.url.split("/")[2] for each in (hub, other))
    location = target.replace("HOST", host).replace("OTHER", elsewhere)
    hub.faults.append(Fault(on=ON_PULL, status=302, headers={"Location": location}))
    assert "where the token must not go" in refused(client).reason
    assert len(hub.asked) == 1


@pytest.mark.threat("P15")
def test_a_redirect_out_of_the_interface_of_the_same_host_is_not_followed() -> None:
    with serve("ghes-3.17", "/api/v3") as hub, Client(api=Api.at(hub.url), token=TOKEN) as client:
        for target in ("/login", "/api/v3/../../login", "/api/v30/x", "/api/v3"):
            hub.faults.append(Fault(on=ON_PULL, status=302, headers={"Location": target}))
            assert "where the token must not go" in refused(client).reason
        assert len(hub.asked) == 4


@pytest.mark.threat("P15")
def test_plain_http_is_not_taken_for_a_server_of_https() -> None:
    api = Api.at("https://github.example/api/v3/")
    assert api.join(f"{api.base}/x", "http://github.example/api/v3/x") is None
    assert api.join(f"{api.base}/x", "https://github.example:443/api/v3/y") is not None
    assert api.join(f"{api.base}/x", "https://github.example:8443/api/v3/y") is None
    assert api.join(f"{api.base}/x", "https://GITHUB.example/api/v3/y") is not None


def test_a_redirect_inside_is_followed_with_the_method_it_keeps(client: Client, hub: GitHub) -> None:
    hub.faults.append(Fault(on=ON_PULL, status=301, headers={"Location": f"{hub.url}/repos/new/repo/pulls/7"}))
    client.get(PURPOSE, *PULL)
    assert hub.asked[-1].path == "/repos/new/repo/pulls/7"
    moved = f"{hub.url}/repos/new/repo/statuses/{'b' * 40}"
    hub.faults.append(Fault(on=ON_STATUS, status=307, headers={"Location": moved}))
    post(client)
    assert hub.statuses[0]["sha"] == "b" * 40
    hub.faults.append(Fault(on=ON_STATUS, status=302, headers={"Location": moved}))
    with pytest.raises(NotPublishedError, match="a write with a redirect"):
        post(client)
    assert len(hub.statuses) == 1


@pytest.mark.threat("P11")
def test_the_body_of_a_redirect_is_bounded_too(client: Client, hub: GitHub) -> None:
    client.largest = 1000
    headers = {"Location": f"{hub.url}/repos/our/repo/pulls/7"}
    hub.faults.append(Fault(on=ON_PULL, status=302, headers=headers, body=b"x" * 100_000))
    assert "larger than 0.001 MB" in refused(client).reason


def test_redirects_end(client: Client, hub: GitHub) -> None:
    hub.faults += [Fault(on=ON_PULL, status=302, headers={"Location": f"{hub.url}/repos/our/repo/pulls/7"})] * 10
    assert "more than 5 redirects" in refused(client).reason
    assert len(hub.asked) == 6


@pytest.mark.threat("P15")
@pytest.mark.parametrize("link", ['<OTHER/repos/x?page=2>; rel="next"', '<//evil.example/x>; rel="next"'])
def test_a_next_page_on_another_host_is_not_asked(client: Client, hub: GitHub, other: GitHub, link: str) -> None:
    headers = {"Link": link.replace("OTHER", other.url)}
    hub.faults.append(Fault(on="GET /comments", status=200, headers=headers, body=b"[]"))
    with pytest.raises(NotPublishedError, match="names a next page outside of"):
        list(client.rows(PURPOSE, *COMMENTS))


def test_all_pages_are_read(client: Client, hub: GitHub) -> None:
    hub.page = 2
    for number in range(5):
        hub.comment(("somebody", "User"), str(number))
    assert [row.text("body") for row in client.rows(PURPOSE, *COMMENTS)] == list("01234")
    assert [each.query["per_page"] for each in hub.asked] == ["100", "2", "2"]


@pytest.mark.threat("P13")
def test_turning_pages_ends_with_the_patience(client: Client, hub: GitHub, clock: FakeClock) -> None:
    hub.page = 1
    for number in range(20):
        hub.comment(("somebody", "User"), str(number))
    hub.before = lambda _: clock.sleep(40)
    with pytest.raises(NotPublishedError, match="it takes longer than 300 s"):
        list(client.rows(PURPOSE, *COMMENTS))
    assert len(hub.asked) == 8


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_asked_again_and_then_given_up(
    client: Client, hub: GitHub, clock: FakeClock, status: int
) -> None:
    hub.faults += [Fault(on=ON_PULL, status=status)] * 3
    assert client.get(PURPOSE, *PULL).number("number") == 7
    assert clock.slept == [1, 2, 4]
    hub.faults += [Fault(on=ON_PULL, status=status)] * 9
    error = refused(client)
    assert (error.status, len(hub.asked)) == (status, 8)
    assert "Server Error" in error.reason


@pytest.mark.parametrize("fault", [Fault(on=ON_PULL, hangs_up=True), Fault(on=ON_PULL, status=200, body=b"{", cuts=5)])
def test_a_lost_connection_and_half_an_answer_are_asked_again(
    client: Client, hub: GitHub, clock: FakeClock, fault: Fault
) -> None:
    hub.faults.append(fault)
    assert client.get(PURPOSE, *PULL).number("number") == 7
    assert clock.slept == [1]


def test_half_an_answer_that_looks_whole_is_not_taken(client: Client, hub: GitHub) -> None:
    hub.comment(("somebody", "User"), "there")
    hub.faults.append(Fault(on="GET /comments", status=200, body=b"[]", cuts=100))
    assert [row.text("body") for row in client.rows(PURPOSE, *COMMENTS)] == ["there"]


@pytest.mark.parametrize("body", [b'{"number": ', b"\xff", b"[" * 100_000, b"<html>"])
def test_what_is_no_json_is_an_error_and_no_crash(client: Client, hub: GitHub, body: bytes) -> None:
    hub.faults += [Fault(on=ON_PULL, status=200, body=body)] * 9
    assert refused(client).reason == "the answer is no whole JSON"
    hub.faults.clear()
    hub.faults.append(Fault(on=ON_PULL, status=400, body=body))
    assert refused(client).reason == "the server answers with HTTP 400"


@pytest.mark.threat("P13")
@pytest.mark.parametrize("status", [403, 429])
def test_retry_after_is_obeyed(client: Client, hub: GitHub, clock: FakeClock, status: int) -> None:
    hub.faults.append(Fault(on=ON_STATUS, status=status, headers={"Retry-After": "17"}))
    post(client)
    assert clock.slept == [17]
    assert len(hub.statuses) == 1


@pytest.mark.threat("P13")
def test_the_primary_limit_is_waited_for_until_it_ends(client: Client, hub: GitHub, clock: FakeClock) -> None:
    reset = str(int(clock.epoch()) + 40)
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    hub.faults.append(Fault(on=ON_PULL, status=403, headers=headers))
    client.get(PURPOSE, *PULL)
    assert clock.slept == [41]


@pytest.mark.threat("P13")
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}, {"Retry-After": "0"}, {"Retry-After": "9" * 5000}])
def test_a_secondary_limit_without_a_time_is_waited_for_a_minute_then_longer(
    client: Client, hub: GitHub, clock: FakeClock, headers: dict[str, str]
) -> None:
    body = b'{"message": "You have exceeded a secondary rate limit."}'
    hub.faults += [Fault(on=ON_PULL, status=403, headers=headers, body=body)] * 2
    client.get(PURPOSE, *PULL)
    assert clock.slept == [60, 120]


@pytest.mark.threat("P13")
def test_a_limit_that_lasts_longer_than_the_patience_is_told_at_once(
    client: Client, hub: GitHub, clock: FakeClock
) -> None:
    hub.faults.append(Fault(on=ON_PULL, status=429, headers={"Retry-After": "3600"}))
    error = refused(client)
    assert (error.status, clock.slept) == (429, [])
    assert "the limit of requests is reached (HTTP 429), and another try makes no sense before 3600 s" in error.reason
    assert "permission" not in error.remedy


@pytest.mark.threat("P13")
def test_all_waiting_of_a_run_is_bounded(client: Client, hub: GitHub, clock: FakeClock) -> None:
    for _ in range(20):
        hub.faults[:] = [Fault(on=ON_PULL, status=429, headers={"Retry-After": "100"})] * 2
        with suppress(NotPublishedError):
            client.get(PURPOSE, *PULL)
    assert sum(clock.slept) <= 300
    assert len(hub.asked) < 60


@pytest.mark.threat("P13")
def test_between_two_writes_lies_a_second(client: Client, hub: GitHub, clock: FakeClock) -> None:
    for _ in range(3):
        post(client)
    client.get(PURPOSE, *PULL)
    assert clock.slept == [1, 1]
    assert len(hub.statuses) == 3


def test_a_write_that_must_not_be_repeated_is_not(client: Client, hub: GitHub) -> None:
    for fault in (Fault(on=ON_STATUS, status=502), Fault(on=ON_STATUS, hangs_up=True, is_done=True)):
        hub.faults.append(fault)
        with pytest.raises(DoubtfulError):
            post(client, is_repeatable=False)
    assert len(hub.calls("POST")) == 2
    hub.faults.append(Fault(on=ON_STATUS, status=429, headers={"Retry-After": "3"}))
    post(client, is_repeatable=False)
    assert len(hub.statuses) == 2


def test_a_server_that_is_not_there_is_no_doubt(clock: FakeClock) -> None:
    with serve() as gone:
        url = gone.url
    with Client(api=Api.at(url), token=TOKEN, clock=clock) as client:
        with pytest.raises(NotPublishedError, match="cannot be reached") as caught:
            post(client, is_repeatable=False)
        assert not isinstance(caught.value, DoubtfulError)
        assert clock.slept == [1, 2, 4]
        assert "127.0.0.1" not in caught.value.error.reason


def test_a_missing_permission_is_told_at_once_though_the_limit_is_reached_too(
    client: Client, hub: GitHub, clock: FakeClock
) -> None:
    hub.denied.add("/repos/{owner}/{repo}/statuses/{sha}")
    with pytest.raises(NotPublishedError) as caught:
        post(client)
    assert "`statuses: write`" in caught.value.error.remedy
    assert clock.slept == []


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("contents=read,issues=write; security_events=write", "`contents: read` and `issues: write` or `security-ev"),
        ("", "`contents: read`"),
        ("::error::x=write", "`contents: read`"),
        ("a=write; <img>=read", "`a: write`"),
    ],
)
def test_the_permissions_that_the_server_names_are_told(client: Client, hub: GitHub, header: str, words: str) -> None:
    headers = {"X-Accepted-GitHub-Permissions": header}
    hub.faults.append(Fault(on=ON_PULL, status=403, headers=headers, body=b"{}"))
    assert f"Give the token the permission {words}" in refused(client).remedy


def test_a_token_that_is_not_valid_is_told(hub: GitHub) -> None:
    with Client(api=Api.at(hub.url), token="expired") as client:
        error = refused(client)
    assert error.status == 401
    assert "github.token" in error.remedy


def test_what_the_server_says_is_told_on_one_short_line(client: Client, hub: GitHub) -> None:
    body = b'{"message": "no\\n::error::x\\u001b[31m\\u202e", "errors": [{"message": "why"}, 5, "so"]}'
    hub.faults.append(Fault(on=ON_PULL, status=422, body=body))
    assert refused(client).reason == "the server answers with HTTP 422: no ::error::x [31m ; why; so"
    hub.faults.append(Fault(on=ON_PULL, status=422, body=b'{"message": "%s"}' % (b"x" * 10_000)))
    assert len(refused(client).reason) < 400


@pytest.mark.threat("P11")
def test_a_body_is_bounded_whether_it_is_announced_or_not(client: Client, hub: GitHub, clock: FakeClock) -> None:
    client.largest = 1000
    body = b'"' + b"x" * 100_000 + b'"'
    for headers in ({}, {"Content-Length": "", "Connection": "close"}):
        hub.faults.append(Fault(on=ON_PULL, status=200, headers=headers, body=body))
        assert "larger than 0.001 MB" in refused(client).reason
    assert clock.slept == []


@pytest.fixture
def impatient(hub: GitHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """On the machine's clock, and gives up in a fifth of a second."""
    monkeypatch.setattr(clients, "ANSWER", 0.2)
    monkeypatch.setattr(clients, "BODY", 0.2)
    with Client(api=Api.at(hub.url), token=TOKEN, patience=0.5) as opened:
        yield opened


def test_a_server_that_says_nothing_and_one_that_drips_are_given_up(impatient: Client, hub: GitHub) -> None:
    start = time.monotonic()
    hub.faults += [Fault(on=ON_PULL, status=200, drips=1)] * 9
    refused(impatient)
    hub.faults[:] = [Fault(on=ON_PULL, status=200, drips=0.05, body=b" " * 100)] * 9
    assert "takes longer than" in refused(impatient).reason
    assert time.monotonic() - start < 5


@contextmanager
def talking(talk: Callable[[socket.socket], None]) -> Iterator[Client]:
    """A client of a server that does what it likes with its first connection."""

    def serve_one() -> None:
        with suppress(OSError), listening.accept()[0] as connection:
            talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve_one)
        thread.start()
        with Client(api=Api.at(f"http://127.0.0.1:{listening.getsockname()[1]}"), token=TOKEN, patience=0.5) as opened:
            yield opened
        thread.join()


def test_a_server_whose_headers_never_end_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "EXCHANGE", 0.3)

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not over.wait(0.02):
            connection.sendall(b"x")

    over = threading.Event()
    with talking(drip) as client:
        assert "did not come to an end within 0.3 s" in refused(client).reason
        over.set()


def test_a_slow_line_is_no_reason_to_give_up_a_large_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time without a byte counts, not that of all of them."""
    monkeypatch.setattr(clients, "CONNECT", 0.3)
    size = 6_000_000

    def take(connection: socket.socket) -> None:
        left = size
        while left > 0:
            left -= len(connection.recv(100_000))
            time.sleep(0.02)
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")

    with talking(take) as client:
        client.write("POST", PURPOSE, *STATUS, body={"sarif": "x" * size}, is_repeatable=False)


def test_when_the_patience_is_over_nothing_more_is_asked(client: Client, hub: GitHub, clock: FakeClock) -> None:
    client.get(PURPOSE, *PULL)
    clock.time += 301
    assert "the 300 s in which the server is asked are over" in refused(client).reason
    assert len(hub.asked) == 1


def test_what_comes_before_work_of_another_kind_has_its_own_patience(clock: FakeClock) -> None:
    with serve() as hub, client_of(hub, clock) as client:
        hub.faults.append(Fault(on=ON_PULL, status=403, body=b'{"message": "secondary rate limit"}'))
        with client.apart(5):
            assert "the limit of requests" in refused(client).reason
        assert (clock.slept, client.left) == ([], 300)
        client.api = Api.at("http://127.0.0.1:1")
        with client.apart(5):
            refused(client)
        client.api = Api.at(hub.url)
        client.get(PURPOSE, *PULL)


def test_a_token_that_the_server_repeats_is_left_out(client: Client, hub: GitHub) -> None:
    said = f'{{"message": "bad {TOKEN}", "errors": ["{TOKEN}"]}}'.encode()
    hub.faults.append(Fault(on=ON_PULL, status=422, body=said))
    assert "bad (the token); (the token)" in refused(client).reason


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("Repository was archived so is read-only.", "Take the repository out of the archive"),
        ("Unable to create comment because issue is locked.", "Unlock the conversation"),
    ],
)
def test_where_no_permission_helps_none_is_asked_for(client: Client, hub: GitHub, message: str, remedy: str) -> None:
    hub.faults.append(Fault(on=ON_PULL, status=403, body=f'{{"message": "{message}"}}'.encode()))
    error = refused(client)
    assert error.remedy.startswith(remedy)
    assert "permission" not in error.remedy


@pytest.mark.parametrize(("status", "word"), [(413, "too large"), (422, "Read what the server says")])
def test_what_the_server_does_not_like_is_no_matter_of_permissions(
    client: Client, hub: GitHub, status: int, word: str
) -> None:
    hub.faults.append(Fault(on=ON_PULL, status=status, body=b'{"message": "It does not fit."}'))
    with pytest.raises(NotPublishedError) as caught:
        client.get(Purpose(what="the thing", needs="x: read", otherwise="It may be locked."), *PULL)
    assert caught.value.error.reason == f"the server answers with HTTP {status}: It does not fit"
    assert word in caught.value.error.remedy
    assert "locked" not in caught.value.error.remedy


def test_a_proxy_is_asked_and_its_password_is_in_no_error(hub: GitHub) -> None:
    def ask(route: Route) -> None:
        with Client(
            api=Api.at(f"http://github.example{hub.prefix}"), token=TOKEN, route=route, clock=FakeClock()
        ) as client:
            client.get(PURPOSE, *PULL)

    hub.proxied = "http://github.example"
    ask(Route(proxy=f"http://{hub.url.split('/')[2]}"))
    assert len(hub.asked) == 1
    with pytest.raises(NotPublishedError) as caught:
        ask(Route(proxy="http://user:secret@127.0.0.1:1"))
    assert "secret" not in str(caught.value.error)


def test_a_host_that_needs_no_proxy_is_asked_directly(hub: GitHub, other: GitHub) -> None:
    route = Route(proxy=other.url, no_proxy="127.0.0.1")
    with Client(api=Api.at(hub.url), token=TOKEN, route=route) as client:
        client.get(PURPOSE, *PULL)
    assert len(hub.asked) == 1


def test_certificates_that_are_not_there_are_told_at_once(clock: FakeClock) -> None:
    route = Route(certificates="/nowhere/ca.pem")
    with Client(api=Api.at("https://127.0.0.1:1"), token=TOKEN, route=route, clock=clock) as client:
        error = refused(client)
    assert error.reason == "the file of trusted certificates cannot be read"
    assert "REQUESTS_CA_BUNDLE" in error.remedy
    assert clock.slept == []


def test_a_server_that_cannot_prove_who_it_is_is_told_at_once(hub: GitHub, clock: FakeClock) -> None:
    with Client(api=Api.at(hub.url.replace("http:", "https:")), token=TOKEN, clock=clock) as client:
        assert "certificate is not trusted" in refused(client).reason
    assert (hub.asked, clock.slept) == ([], [])


@pytest.mark.parametrize("token", ["", "a\n", "a b", "ä", "x" * 5000])
def test_what_is_no_token_is_told_before_anything_is_asked(hub: GitHub, clock: FakeClock, token: str) -> None:
    with Client(api=Api.at(hub.url), token=token, clock=clock) as client:
        assert "token" in refused(client).reason
    assert hub.asked == []


@pytest.mark.parametrize("name", ["..", ".", ""])
def test_a_name_of_dots_never_climbs(client: Client, hub: GitHub, name: str) -> None:
    assert "consists of dots" in str(_raised(client, name))
    assert hub.asked == []


def test_a_name_is_escaped(client: Client) -> None:
    assert client.api.address("a/../b", "c?d#e", "x[bot]").endswith("/a%2F..%2Fb/c%3Fd%23e/x%5Bbot%5D")


def _raised(client: Client, name: str) -> PublishError:
    with pytest.raises(NotPublishedError) as caught:
        client.get(PURPOSE, "repos", name, "repo")
    return caught.value.error
