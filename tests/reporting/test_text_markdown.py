from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.text_markdown import code, joined, markdown, prose, row
from tests.reporting.rendered import ATTACKS, Rendered

hostile = st.one_of(st.sampled_from(ATTACKS), st.text(), st.text("`|\\<>@#[]()!*_~+=.:&;w/$ \n-a1", max_size=30))
TABLE = "| a | b |\n|---|---|\n{}\n"


@pytest.mark.threat("O1")
def test_what_a_pull_request_says_stands_in_a_code_span() -> None:
    assert markdown("{} in {}:", "web.yaml", markdown("{}", "prod")) == "`web.yaml` in `prod`:"


@given(hostile, hostile)
@pytest.mark.threat("O1", "O3")
def test_no_name_gets_out_of_its_code_span(first: str, second: str) -> None:
    page = Rendered(f"{markdown('{}{} and {}', first, second, first)}\n")
    assert page.led_astray() == []
    assert page.outside.strip().replace(" ", "") == "and"
    assert page.tags == ["p", "code", "code", "code"]


@given(hostile, hostile)
@pytest.mark.threat("O2")
def test_no_name_breaks_a_table_or_what_it_stands_in(first: str, second: str) -> None:
    lines = row(markdown("{}<br>{}", first, second), markdown("{}", second))
    page = Rendered(f"<details><summary>more</summary>\n\n{TABLE.format(lines)}\n</details>\n")
    assert page.led_astray() == []
    assert page.columns == {(2,)}
    assert page.tags.count("tr") == 2
    assert page.tags.count("details") == 1


@given(hostile)
@pytest.mark.threat("O1", "O2", "O3")
def test_running_text_shows_what_was_written_and_means_nothing(text: str) -> None:
    for page in (Rendered(f"start {prose(text)} end\n"), Rendered(f"{prose(text)} end\n")):
        assert page.led_astray() == []
        assert page.tags == ["p"]


def test_running_text_is_read_as_the_catalogue_has_it() -> None:
    said = "Set securityContext.capabilities.drop: [ALL] in <each> container_a, *not* in pods/exec."
    assert Rendered(prose(said)).text.strip() == said
    assert prose("Set a.b: true (or more), and wait.") == "Set a.b: true (or more), and wait."


@pytest.mark.parametrize(
    ("untrusted", "shown"),
    [
        ("web", "`web`"),
        ("a`b", "``a`b``"),
        ("`a`", "`` `a` ``"),
        ("a|b", "`a¦b`"),
        ("", '`""`'),
        ("two\nlines", "`two lines`"),
        ("nginx@sha256:abc", "`nginx@sha256:abc`"),
        ("@admin", "`@\u200badmin`"),
    ],
)
@pytest.mark.threat("O1")
def test_a_code_span_is_as_plain_as_it_can_be(untrusted: str, shown: str) -> None:
    assert code(untrusted) == shown


@pytest.mark.threat("O1", "O5")
def test_a_code_span_is_of_bounded_length() -> None:
    assert len(code("x" * 10_000)) == 202


@pytest.mark.threat("O1")
def test_fences_never_touch() -> None:
    assert joined([code("a"), code("b")]) == "`a` `b`"
