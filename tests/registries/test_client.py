from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator

import pytest

from http_session import Route
from registries import client as clients
from registries.addresses import Address, parse
from registries.allowed import Allowed
from registries.client import Answer, Client
from registries.refusal import NotFetchedError
from tests.registries.site import Page, Site, moved


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    """May ask ``site`` below ``/ok``, and nobody else."""
    with Client(allowed=Allowed.of([f"{site.url}/ok"])) as opened:
        yield opened


def get(client: Client, site: Site, path: str = "/ok/a", limit: int = 1000) -> Answer:
    return client.get(parse(site.url + path), limit=limit)


def refused(client: Client, site: Site, path: str = "/ok/a", limit: int = 1000) -> NotFetchedError:
    with pytest.raises(NotFetchedError) as caught:
        get(client, site, path, limit)
    assert caught.value.remedy
    return caught.value


def test_an_allowed_address_is_asked_without_anything_that_tells_who_asks(
    client: Client, site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("machine 127.0.0.1 login canary password canary\n")
    monkeypatch.setenv("NETRC", netrc)
    site.pages["/ok/a"] = Page(body=b"x", headers={"Set-Cookie": "canary=1"})
    assert get(client, site).body == b"x"
    get(client, site)
    names = {name.lower() for headers in site.headers for name in headers}
    assert names == {"host", "accept", "accept-encoding", "user-agent"}
    assert "canary" not in str(site.headers)


@pytest.mark.threat("H6")
def test_what_is_not_allowed_is_never_asked(client: Client, site: Site) -> None:
    assert "does not allow" in refused(client, site, "/other").reason
    assert site.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_what_is_allowed_is_followed(client: Client, site: Site, status: int) -> None:
    site.pages["/ok/a"] = moved("b?signature=1", status)
    site.pages["/ok/b?signature=1"] = Page(body=b"there")
    assert get(client, site).body == b"there"


@pytest.mark.threat("P15")
def test_a_redirect_to_a_foreign_host_is_refused_before_it_is_asked(client: Client, site: Site, other: Site) -> None:
    site.pages["/ok/a"] = moved(f"{other.url}/ok/a?token=canary")
    error = refused(client, site)
    assert f"redirects to {other.url}/ok/a, which the policy does not allow" in error.reason
    assert "canary" not in error.reason
    assert other.asked == []


@pytest.mark.parametrize("target", ["/elsewhere", "/ok/../elsewhere", "//127.0.0.1:1/ok", "/ok%2f..%2felsewhere"])
def test_a_redirect_out_of_the_prefix_is_refused(client: Client, site: Site, target: str) -> None:
    site.pages["/ok/a"] = moved(target)
    refused(client, site)
    assert site.asked == ["/ok/a"]


@pytest.mark.parametrize(
    "target", ["http://192.0.2.1/ok", "file:///etc/passwd", "", "https://x@y/", "http://evil.com/ok"]
)
@pytest.mark.threat("P15")
def test_a_redirect_to_plain_http_files_or_nonsense_is_refused(client: Client, site: Site, target: str) -> None:
    site.pages["/ok/a"] = moved(target)
    assert "redirects" in refused(client, site).reason
    assert len(site.asked) <= 6


@pytest.mark.threat("P11")
def test_the_body_of_a_redirect_is_never_read(client: Client, site: Site) -> None:
    site.pages["/ok/a"] = Page(status=302, headers={"Location": "/ok/b"}, body=b"x" * (64 << 20))
    site.pages["/ok/b"] = Page(body=b"there")
    tracemalloc.start()
    try:
        assert get(client, site).body == b"there"
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_redirects_end(client: Client, site: Site) -> None:
    for number in range(6):
        site.pages[f"/ok/{number}"] = moved(f"/ok/{number + 1}")
    site.pages["/ok/6"] = Page(body=b"far")
    assert "more than 5 redirects" in refused(client, site, "/ok/0").reason
    assert get(client, site, "/ok/1").body == b"far"


@pytest.mark.threat("P15")
def test_a_token_stays_with_the_origin_it_is_for(site: Site, other: Site) -> None:
    site.pages["/a"] = moved(f"{other.url}/b")
    other.pages["/b"] = Page(body=b"x")
    with Client(allowed=Allowed.of([site.url, other.url])) as client:
        client.get(parse(f"{site.url}/a"), limit=10, token="canary")
    assert site.headers[0]["Authorization"] == "Bearer canary"
    assert "Authorization" not in other.headers[0]


@pytest.mark.threat("P11")
def test_a_body_is_bounded_whether_it_is_announced_or_not(client: Client, site: Site) -> None:
    site.pages["/ok/a"] = Page(body=b"x" * 1001)
    site.pages["/ok/b"] = Page(body=b"x" * 100_000, headers={"Content-Length": "", "Connection": "close"})
    site.pages["/ok/c"] = Page(body=b"x" * 1000)
    assert "larger than 0.001 MB" in refused(client, site, "/ok/a").reason
    assert "larger than 0.001 MB" in refused(client, site, "/ok/b").reason
    assert len(get(client, site, "/ok/c").body) == 1000


def test_a_run_is_bounded_as_a_whole(site: Site) -> None:
    site.pages["/a"] = Page(body=b"x" * 60)
    with Client(allowed=Allowed.of([site.url]), total=100) as client:
        get(client, site, "/a")
        assert "in one run" in refused(client, site, "/a").reason


def test_nothing_is_decompressed(client: Client, site: Site) -> None:
    site.pages["/ok/a"] = Page(body=b"\x1f\x8b no gzip", headers={"Content-Encoding": "gzip"})
    assert get(client, site).body == b"\x1f\x8b no gzip"


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "credentials"), (403, "credentials"), (404, "not there"), (500, "HTTP 500"), (206, "206")],
)
def test_other_answers_are_told(client: Client, site: Site, status: int, reason: str) -> None:
    site.pages["/ok/a"] = Page(status=status, headers={"WWW-Authenticate": "Basic"})
    assert reason in refused(client, site).reason


def test_a_server_that_is_not_there_is_told() -> None:
    with Client(allowed=Allowed.of(["http://127.0.0.1:1/"])) as nobody, pytest.raises(NotFetchedError, match="reached"):
        nobody.get(parse("http://127.0.0.1:1/"), limit=1)


def test_a_server_that_breaks_off_is_told(client: Client, site: Site) -> None:
    site.pages["/ok/a"] = Page(body=b"half", headers={"Content-Length": "400", "Connection": "close"})
    assert "cannot be reached" in refused(client, site).reason


def test_a_server_that_says_nothing_is_left(client: Client, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_: object) -> Page:
        time.sleep(0.5)
        return Page(body=b"late")

    site.pages["/ok/a"] = slow
    monkeypatch.setattr(clients, "ANSWER", 0.1)
    assert "did not answer" in refused(client, site).reason


def test_a_server_that_drips_is_left(site: Site) -> None:
    site.pages["/a"] = Page(body=b"x" * 100)
    with Client(allowed=Allowed.of([site.url]), body_seconds=-1.0) as client:
        assert "takes longer" in refused(client, site, "/a").reason


def test_the_proxy_is_for_https_only_and_spares_whom_it_should() -> None:
    seen: list[object] = []
    route = Route(proxy="http://proxy.example:3128", no_proxy="spared.example")
    with Client(allowed=Allowed.of([]), route=route) as client:

        def get(_: str, **options: object) -> None:
            seen.append(options["proxies"])
            raise OSError

        client._session.get = get  # type: ignore[method-assign, assignment]
        for text in ("https://a.example/", "https://spared.example/", "http://127.0.0.1/"):
            with pytest.raises(NotFetchedError):
                client.get(parse(text), limit=1, also=parse(text))
    assert seen == [{"https": "http://proxy.example:3128"}, {}, {}]


def test_an_address_of_one_who_was_vouched_for_is_asked(site: Site) -> None:
    site.pages["/token"] = Page(body=b"x")
    home: Address = parse(site.url)
    with Client(allowed=Allowed.of([])) as client:
        assert client.get(parse(f"{site.url}/token"), limit=9, also=home).body == b"x"
