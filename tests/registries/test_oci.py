from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from model.chart import PinnedChart
from registries import oci
from registries.allowed import Allowed
from registries.client import Client
from registries.fetching import Fetcher
from registries.oci import LAYER
from registries.refusal import NotFetchedError
from tests.registries.site import Page, Site, index, moved, pack, sha256

DATA = pack("web", "1.0.0+up1")
BLOB = f"/v2/team/web/blobs/sha256:{sha256(DATA)}"
MANIFEST = "/v2/team/web/manifests/1.0.0_up1"


def manifest(*layers: object, **more: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "layers": layers, **more}).encode()


def layer(**other: Any) -> dict[str, Any]:
    return {"mediaType": LAYER, "digest": f"sha256:{sha256(DATA)}", "size": len(DATA), **other}


def offer(site: Site, body: bytes | None = None) -> None:
    body = manifest(layer()) if body is None else body
    site.pages[MANIFEST] = Page(body=body, headers={"Docker-Content-Digest": f"sha256:{sha256(body)}"})
    site.pages[BLOB] = Page(body=DATA)


def fetch(site: Site, *allowed: str, path: str = "team") -> bytes:
    chart = PinnedChart(name="web", version="1.0.0+up1", repository=f"oci://{site.host}/{path}")
    with Client(allowed=Allowed.of(allowed or [f"oci://{site.host}/team"])) as client:
        return Fetcher(client, [chart]).fetch(chart)


def refused(site: Site, *allowed: str, path: str = "team") -> str:
    with pytest.raises(NotFetchedError) as caught:
        fetch(site, *allowed, path=path)
    assert caught.value.remedy
    return caught.value.reason


def test_a_chart_is_fetched_by_its_tag_and_the_digest_of_its_layer(site: Site) -> None:
    offer(site)
    assert fetch(site) == DATA
    assert site.asked == [MANIFEST, BLOB]
    assert site.headers[0]["Accept"] == oci.MANIFEST


def test_what_stands_beside_the_chart_in_its_manifest_does_not_matter(site: Site) -> None:
    provenance = {"mediaType": "application/vnd.cncf.helm.chart.provenance.v1.prov", "digest": "x", "size": -1}
    offer(site, manifest(provenance, layer(), 7))
    assert fetch(site) == DATA


def test_a_repository_that_is_not_allowed_is_never_asked(site: Site) -> None:
    offer(site)
    assert "does not allow" in refused(site, f"oci://{site.host}/tea", "https://ghcr.io/")
    assert site.asked == []


def test_a_manifest_of_another_digest_than_stated_is_refused(site: Site) -> None:
    offer(site)
    site.pages[MANIFEST] = Page(body=manifest(layer()), headers={"Docker-Content-Digest": f"sha256:{'0' * 64}"})
    assert "the manifest" in refused(site)


def test_a_blob_of_another_digest_is_refused(site: Site) -> None:
    offer(site)
    site.pages[BLOB] = Page(body=DATA + b"x")
    assert "another digest" in refused(site)


@pytest.mark.parametrize(
    "body",
    [
        manifest(),
        manifest(layer(), layer()),
        manifest(layer(mediaType="application/vnd.oci.image.layer.v1.tar+gzip")),
        manifest(layer(digest="sha512:00")),
        manifest(layer(digest=f"sha256:{'0' * 63}/")),
        manifest(layer(digest=None)),
        manifest(layer(size="1")),
        json.dumps({"manifests": [layer()]}).encode(),
        b"[" * 5000,
        b"null",
        b"<html>",
    ],
)
def test_a_manifest_that_is_none_of_a_chart_is_refused(site: Site, body: bytes) -> None:
    offer(site, body)
    assert refused(site)
    assert site.asked == [MANIFEST]


def test_a_chart_that_is_too_large_is_refused_before_it_is_fetched(site: Site) -> None:
    offer(site, manifest(layer(size=20_000_001)))
    assert "larger than 20 MB" in refused(site)
    assert site.asked == [MANIFEST]


def test_a_layer_that_is_larger_than_it_says_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(site, manifest(layer(size=1)))
    monkeypatch.setattr(oci, "ARCHIVE_BYTES", 100)
    assert "larger than" in refused(site)


def guarded(page: Page, challenge: str) -> Callable[[Mapping[str, str]], Page]:
    def answer(headers: Mapping[str, str]) -> Page:
        if headers.get("Authorization") == "Bearer t0ken":
            return page
        return Page(status=401, headers={"WWW-Authenticate": challenge})

    return answer


def guard(site: Site, realm: str) -> None:
    offer(site)
    challenge = f'Bearer realm="{realm}",service="a b",scope="repository:team/web:pull"'
    for path in (MANIFEST, BLOB):
        page = site.pages[path]
        assert isinstance(page, Page)
        site.pages[path] = guarded(page, challenge)


TOKEN = "/token?service=a%20b&scope=repository%3Ateam%2Fweb%3Apull"


@pytest.mark.parametrize("answer", [{"token": "t0ken"}, {"access_token": "t0ken"}])
def test_an_anonymous_token_is_asked_for_once(site: Site, answer: Mapping[str, str]) -> None:
    guard(site, f"{site.url}/token")
    site.pages[TOKEN] = Page(body=json.dumps(answer).encode())
    assert fetch(site) == DATA
    assert site.asked == [MANIFEST, TOKEN, MANIFEST, BLOB]
    assert "Authorization" not in site.headers[1]


def test_a_token_of_another_host_needs_that_host_to_be_allowed(site: Site, other: Site) -> None:
    guard(site, f"{other.url}/token")
    other.pages[TOKEN] = Page(body=b'{"token": "t0ken"}')
    assert "does not allow" in refused(site)
    assert other.asked == []
    assert fetch(site, f"oci://{site.host}/team", f"{other.url}/token") == DATA


@pytest.mark.parametrize("body", [b"{}", b'{"token": 7}', b'{"token": "a\\r\\nX: y"}', b"[]"])
def test_what_is_no_token_is_not_sent(site: Site, body: bytes) -> None:
    guard(site, f"{site.url}/token")
    site.pages[TOKEN] = Page(body=body)
    assert "gives no token" in refused(site)


@pytest.mark.parametrize(
    "challenge",
    ['Basic realm="x"', "", "Bearer", 'Bearer realm="http://192.0.2.1/"', 'Bearer realm="file:///etc/passwd"'],
)
def test_a_registry_that_wants_credentials_gets_none(site: Site, challenge: str) -> None:
    site.pages[MANIFEST] = Page(status=401, headers={"WWW-Authenticate": challenge})
    assert refused(site)
    assert site.asked == [MANIFEST]


def test_a_token_that_does_not_help_ends_it(site: Site) -> None:
    guard(site, f"{site.url}/token")
    site.pages[TOKEN] = Page(body=b'{"token": "other"}')
    assert "credentials" in refused(site)
    assert len(site.asked) == 3


def test_storage_behind_a_registry_stands_in_the_list_too_and_gets_no_token(site: Site, other: Site) -> None:
    guard(site, f"{site.url}/token")
    site.pages[TOKEN] = Page(body=b'{"token": "t0ken"}')
    site.pages[BLOB] = moved(f"{other.url}/storage/x?signature=canary")
    other.pages["/storage/x?signature=canary"] = Page(body=DATA)
    reason = refused(site)
    assert f"redirects to {other.url}/storage/x, which the policy does not allow" in reason
    assert other.asked == []
    assert fetch(site, f"oci://{site.host}/team", f"{other.url}/storage") == DATA
    assert "Authorization" not in other.headers[0]


def test_an_index_may_name_an_oci_reference_and_its_digest_counts(site: Site) -> None:
    offer(site)
    chart = PinnedChart(name="web", version="1.0.0+up1", repository=f"{site.url}/charts")
    reference = f"oci://{site.host}/team/web:1.0.0_up1"
    with Client(allowed=Allowed.of([site.url])) as client:
        site.pages["/charts/index.yaml"] = Page(body=index(("web", "1.0.0+up1", reference, sha256(DATA))))
        assert Fetcher(client, [chart]).fetch(chart) == DATA
        site.pages["/charts/index.yaml"] = Page(body=index(("web", "1.0.0+up1", reference, "0" * 64)))
        with pytest.raises(NotFetchedError, match="another digest"):
            Fetcher(client, [chart]).fetch(chart)
        tagless = reference.rpartition(":")[0]
        site.pages["/charts/index.yaml"] = Page(body=index(("web", "1.0.0+up1", tagless, sha256(DATA))))
        with pytest.raises(NotFetchedError, match="without a tag"):
            Fetcher(client, [chart]).fetch(chart)


@pytest.mark.parametrize("path", ["../team", "team/../../x", "user@team#", "%2e%2e"])
def test_a_path_that_leads_elsewhere_is_refused(site: Site, path: str) -> None:
    assert refused(site, path=path)
    assert site.asked == []
