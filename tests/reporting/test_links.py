"""Links of a comment lead to files of the audited commit and to the run, whatever a path or a variable says."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controls.compare import compare
from controls.gate import decide
from model.audit import Audit
from model.policy import Policy
from model.resource import Precision, SourceKind
from reporting.links import LONGEST, Place, run_page
from reporting.markdown import render
from tests.audits import MANIFESTS, audit, failure, location, resource, result
from tests.reporting.rendered import ATTACKS, Rendered
from tests.reporting.test_sarif import CONTROL

SHA, OLD = "1a2b3c4d" * 5, "9f8e7d6c" * 5
PLACE = Place(server="https://github.com", repository="our-org/shop", sha=SHA, base_sha=OLD)
FILES = f"https://github.com/our-org/shop/blob/{SHA}/"
RUN = "https://github.com/our-org/shop/actions/runs/17"
ESCAPES = (
    "../../../evil/x/y.yaml",
    "a/../../../../../evil/x.yaml",
    "/etc/passwd",
    "//evil.example/x",
    "a//b",
    "./a",
    "a/.",
    "..",
    "",
    "x" * (LONGEST + 1),
    "\udcff.yaml",
)
ODD = ("a) [x](javascript:alert(1", "a b/c#d?e=f&g.yaml", "ä/\U0001f980.yaml", "%2e%2e/x", "..\\x", "a|b`c`.yaml")
hostile = st.one_of(st.sampled_from((*ATTACKS, *ESCAPES, *ODD)), st.text(max_size=40), st.text("./\\%#?[]()<>`| a"))


def report(head: Audit, base: Audit | None = None, *, place: Place | None = PLACE, run_url: str = RUN) -> str:
    comparison = compare(base, head) if base else None
    verdict = decide(Policy(), head, comparison, named_explicitly=False)
    return render(head, comparison, verdict, {CONTROL.id: CONTROL}, place=place, run_url=run_url)


def test_a_place_is_a_link_to_its_line_in_the_audited_commit() -> None:
    text = report(audit([resource()], [result(location=location(line=12))]), audit([resource()]))
    assert f"  - [`web.yaml:12`]({FILES}web.yaml#L12) `Deployment/-/web`" in text
    assert f"Full report: [workflow run]({RUN}).\n" in text


def test_a_place_of_which_only_the_file_is_known_links_to_no_line() -> None:
    place = replace(location("chart/a.yaml"), precision=Precision.FILE)
    assert f"[`chart/a.yaml`]({FILES}chart/a.yaml) " in report(audit([resource()], [result(location=place)]))


def test_what_is_resolved_links_to_base_and_to_nothing_where_base_is_no_commit() -> None:
    base, head = audit([resource()], [result()]), audit([resource(earned=2)])
    assert f"[`web.yaml:1`](https://github.com/our-org/shop/blob/{OLD}/web.yaml#L1)" in report(head, base)
    assert "  - `web.yaml:1` " in report(head, base, place=replace(PLACE, base_sha=""))


def test_what_was_not_scanned_is_linked_too() -> None:
    assert f"- [`broken.yaml:3`]({FILES}broken.yaml#L3): " in report(audit([resource()], failures=[failure(line=3)]))


def test_without_a_place_and_a_run_there_is_no_link() -> None:
    head = audit([resource()], [result()], [failure()])
    assert Rendered(report(head, place=None, run_url="")).links == []


@pytest.mark.parametrize("path", ESCAPES)
@pytest.mark.threat("O3")
def test_a_path_that_leads_out_or_nowhere_is_no_link(path: str) -> None:
    assert PLACE.file(path, 1) is None


@pytest.mark.parametrize("path", ODD)
@pytest.mark.threat("O3")
def test_an_odd_path_is_encoded_and_still_itself(path: str) -> None:
    address = PLACE.file(path, 7)
    assert address is not None
    parts = urlsplit(address)
    assert (unquote(parts.path), parts.query, parts.fragment) == (f"/our-org/shop/blob/{SHA}/{path}", "", "L7")


@pytest.mark.parametrize(
    "place",
    [
        replace(PLACE, server="javascript:alert(1)//"),
        replace(PLACE, server="https://u:p@github.com"),
        replace(PLACE, server="https://github.com) [x](https://evil.example"),
        replace(PLACE, repository="our-org/shop/../../evil/x"),
        replace(PLACE, repository="our-org/.."),
        replace(PLACE, repository="shop"),
        replace(PLACE, sha="main"),
        replace(PLACE, sha=""),
    ],
)
@pytest.mark.threat("O3")
def test_a_server_a_repository_or_a_commit_that_is_none_makes_no_link(place: Place) -> None:
    assert place.file("a.yaml", 1) is None


def test_a_server_of_an_enterprise_with_a_port_is_one() -> None:
    enterprise = replace(PLACE, server="https://git.example:8443/", repository="x_corp/a.b-c")
    assert enterprise.file("a.yaml", None) == f"https://git.example:8443/x_corp/a.b-c/blob/{SHA}/a.yaml"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "https://github.com/our-org/shop",
        f"{RUN}/../../evil",
        f"{RUN})[x](https://evil.example",
        f"{RUN}\n",
        "ftp://github.com/our-org/shop/actions/runs/17",
        "https://github.com/our-org/../actions/runs/17",
    ],
)
@pytest.mark.threat("O3")
def test_only_the_page_of_a_run_is_the_page_of_a_run(url: str) -> None:
    assert run_page(url) is None
    assert Rendered(report(audit([resource()]), place=None, run_url=url)).links == []


@given(path=hostile, name=hostile)
@pytest.mark.threat("O1", "O3")
def test_every_link_of_a_report_leads_to_a_file_of_the_commit_or_to_the_run(path: str, name: str) -> None:
    source = replace(MANIFESTS, id="s", kind=SourceKind.HELM, path=path, name=name)
    bearer = resource(id="r", source="s", location=location(path), digest="sha256:x")
    gone = resource("gone", source="s", location=location(path))
    head = audit([bearer], [result(of=bearer, message=name)], [failure(path, line=2)], sources=(source,))
    base = audit([gone], [result(of=gone, message=name)], sources=(source,))
    for text in (report(head), report(head, base)):
        page = Rendered(text)
        assert page.led_astray(links=(FILES, FILES.replace(SHA, OLD), RUN)) == []
        for link in page.links:
            assert urljoin(link, link.partition("#")[0]).startswith((FILES, FILES.replace(SHA, OLD), RUN))
