from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from model.chart import PinnedChart
from registries import http_index
from registries.allowed import Allowed
from registries.client import Client
from registries.fetching import Fetcher
from registries.http_index import IndexRefusedError, find, read_index
from registries.refusal import NotFetchedError
from tests.registries.site import Page, Site, index, moved, offer, pack, sha256


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with Client(allowed=Allowed.of([site.url])) as opened:
        yield opened


def fetch(client: Client, site: Site, name: str = "db", version: str = "1.0.0") -> bytes:
    chart = PinnedChart(name=name, version=version, repository=site.url)
    return Fetcher(client, [chart]).fetch(chart)


def refused(client: Client, site: Site, name: str = "db", version: str = "1.0.0") -> str:
    with pytest.raises(NotFetchedError) as caught:
        fetch(client, site, name, version)
    assert caught.value.remedy
    return caught.value.reason


def serve_index(site: Site, **entry: Any) -> None:
    row = {"version": "1.0.0", "urls": ["db.tgz"], "digest": sha256(site_archive(site)), **entry}
    site.pages["/index.yaml"] = Page(body=json.dumps({"entries": {"db": [row]}}).encode())


def site_archive(site: Site) -> bytes:
    data = pack("db")
    site.pages["/db.tgz"] = Page(body=data)
    return data


def test_the_archive_of_exactly_this_version_is_fetched(client: Client, site: Site) -> None:
    one, two = pack("db", "1.0.0"), pack("db", "1.0.1")
    site.pages = {
        "/index.yaml": Page(
            body=index(("db", "1.0.1", "two.tgz", sha256(two)), ("db", "1.0.0", f"{site.url}/sub/one.tgz", sha256(one)))
        ),
        "/sub/one.tgz": Page(body=one),
        "/two.tgz": Page(body=two),
    }
    assert fetch(client, site) == one
    assert fetch(client, site, version="v1.0.1") == two
    assert "but not this version" in refused(client, site, version="1.0")
    assert "no chart of this name" in refused(client, site, name="d")


def test_an_index_is_asked_for_once_also_when_it_is_not_there(client: Client, site: Site) -> None:
    charts = [PinnedChart(name=name, version="1.0.0", repository=site.url) for name in ("a", "b")]
    fetcher = Fetcher(client, charts)
    for chart in charts:
        with pytest.raises(NotFetchedError, match="not there"):
            fetcher.fetch(chart)
    assert site.asked == ["/index.yaml"]


def test_an_archive_of_another_digest_is_refused(client: Client, site: Site) -> None:
    serve_index(site, digest="0" * 64)
    assert "another digest than stated" in refused(client, site)


@pytest.mark.parametrize("digest", ["", "md5:00", "0" * 40, None, ["0" * 64, 1]])
def test_an_archive_without_a_sha256_is_not_even_fetched(client: Client, site: Site, digest: object) -> None:
    serve_index(site, digest=digest)
    if isinstance(digest, list):  # the first word counts, and the archive has another digest
        assert "another digest" in refused(client, site)
    else:
        assert "no SHA-256" in refused(client, site)
        assert site.asked == ["/index.yaml"]


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1/db.tgz", "https://elsewhere.example/db.tgz", "//127.0.0.1:1/db.tgz", "file:///etc/passwd"]
)
def test_an_index_cannot_send_us_to_other_hosts(client: Client, site: Site, url: str) -> None:
    serve_index(site, urls=[url])
    assert "allow" in (reason := refused(client, site)) or "refused" in reason
    assert site.asked == ["/index.yaml"]


def test_an_index_that_moves_is_read_where_it_went_and_its_links_start_from_the_repository(
    client: Client, site: Site
) -> None:
    serve_index(site)
    site.pages["/moved/index.yaml"] = site.pages["/index.yaml"]
    site.pages["/index.yaml"] = moved("/moved/index.yaml")
    assert fetch(client, site) == site_archive(site)


def test_an_archive_that_is_too_large_is_refused(client: Client, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_index(site)
    monkeypatch.setattr(http_index, "ARCHIVE_BYTES", 100)
    assert "larger than" in refused(client, site)


def test_an_index_that_is_too_large_is_refused(client: Client, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(site, "db")
    monkeypatch.setattr(http_index, "INDEX_BYTES", 100)
    assert "larger than" in refused(client, site)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\nentries: {db: *b}\n", "aliases"),
        ("entries: {db: " + "[" * 5000, "deeper than"),
        ("x: " + "{a: " * 5000, "deeper than"),
        ("entries: [", "no YAML"),
        ("<!DOCTYPE html><html>", "no chart"),
        ("\0", "no YAML"),
        ("", "no chart"),
        ("entries: 3\n", "no chart"),
        ("entries: {db: {version: 1.0.0}}\n", "no chart"),
        ("entries: {db: [1, [2], {version: {a: b}}]}\n", "not this version"),
        ("entries: {db: [{version: 1.0.0, digest: %s}]}\n" % ("0" * 64), "not where it lies"),
    ],
)
def test_an_index_that_attacks_or_is_none_is_refused(client: Client, site: Site, text: str, reason: str) -> None:
    site.pages["/index.yaml"] = Page(body=text.encode())
    assert reason in refused(client, site)


def test_an_index_of_endless_values_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_index, "EVENTS", 100)
    with pytest.raises(IndexRefusedError, match="more than 100 values"):
        read_index(b"x: [" + b"1," * 200 + b"]", {"db"})


def test_only_what_was_asked_for_is_kept() -> None:
    rows = {
        f"c{number}": [{"version": "1", "urls": ["u"], "digest": "d", "maintainers": [{"name": "x"}]}]
        for number in range(9)
    }
    data = yaml.safe_dump({"apiVersion": "v1", "entries": rows, "generated": "now"}).encode()
    assert [(name, len(entries)) for name, entries in read_index(data, {"c3", "c9"}).items()] == [("c3", 1)]


def test_an_exact_version_wins_over_one_that_only_means_the_same() -> None:
    data = index(("db", "v1.0.0", "v", "1" * 64), ("db", "1.0.0", "plain", "2" * 64))
    entries = read_index(data, {"db"})["db"]
    assert find(PinnedChart(name="db", version="1.0.0", repository="https://x"), entries) == ("plain", "2" * 64)
    assert find(PinnedChart(name="db", version="v1.0.0", repository="https://x"), entries) == ("v", "1" * 64)


@pytest.mark.parametrize("repository", ["https://u:p@x/", "https://x/?a=b", "https://x/../y", "http://x.example/"])
def test_a_repository_whose_address_can_be_read_in_two_ways_is_refused(client: Client, repository: str) -> None:
    chart = PinnedChart(name="db", version="1.0.0", repository=repository)
    with pytest.raises(NotFetchedError, match="address is refused"):
        Fetcher(client, [chart]).fetch(chart)
