from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.errors import UsageError
from registries.addresses import NoAddressError, parse
from registries.allowed import Allowed
from registries.refusal import NotFetchedError

ALLOWED = Allowed.of(
    ["https://good.example/a", "oci://127.0.0.1:5000/team/", "oci://docker.io/shop", "http://[::1]:80/"]
)


def permitted(text: str) -> bool:
    try:
        return ALLOWED.permits(parse(text))
    except NoAddressError:
        return False


@pytest.mark.parametrize(
    "text",
    [
        "https://good.example/a",
        "https://good.example/a/",
        "HTTPS://GOOD.example:443/a/b",
        "https://good.example/a//b",
        "https://good.example/a/x-1.0%2Bup.tgz?sig=a%2Fb%2e",
        "oci://127.0.0.1:5000/team/web",
        "http://127.0.0.1:5000/v2/team/web/blobs/sha256:00",
        "oci://docker.io/shop/web",
        "https://registry-1.docker.io/v2/shop/web",
        "http://[::1]/anything",
    ],
)
def test_what_lies_below_a_prefix_is_allowed(text: str) -> None:
    assert permitted(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://good.example/ab",
        "https://good.example/",
        "https://good.example/A",
        "https://good.example/b/a",
        "https://good.example.evil.com/a",
        "https://evil.com/https://good.example/a",
        "https://good.example:444/a",
        "https://good.example:0/a",
        "https://good.example:99999/a",
        "https://good.example./a",
        "http://good.example/a",
        "ftp://good.example/a",
        "file:///good.example/a",
        "//good.example/a",
        "good.example/a",
        "https:good.example/a",
        "https:///good.example/a",
        "https://good.example@evil.com/a",
        "https://user:password@good.example/a",
        "https://good.example/a/../b",
        "https://good.example/a/.",
        "https://good.example/a/%2e%2e/b",
        "https://good.example/a/%2E./b",
        "https://good.example/a/..%2fb",
        "https://good.example/a/%252e%252e/b",
        "https://good.example/a%2fb",
        "https://good.example/%61",
        "https://good.example/a/%5c..%5cb",
        "https://good.example\\@evil.com/a",
        "https://good.example/a\\..\\b",
        "https://good.example/a#fragment",
        "https://good.example/a\n",
        "https://good.example /a",
        "https://good.example\t/a",
        "https://good.exampl\u0435/a",
        "https://good.example\u3002evil.com/a",
        "https://go\u017fd.example/a",
        "https://good.example/a/\u2025/b",
        "https://good.example/a/%00",
        "https://good.example/a/" + "x" * 5000,
        "oci://127.0.0.1:5000/teams",
        "oci://127.0.0.1:5001/team",
        "oci://127.0.0.1:5000/team/../other",
        "oci://docker.io/shops",
        "http://127.1:5000/v2/team",
        "http://2130706433:5000/v2/team",
        "http://[::ffff:127.0.0.1]/",
        "http://localhost.evil.com/",
        "",
    ],
)
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert not permitted(text)


@given(st.text(max_size=40))
@example("/../b")
@example("@evil.com/")
def test_no_text_behind_an_allowed_host_leads_to_another_host(tail: str) -> None:
    try:
        address = parse(f"https://good.example{tail}")
    except NoAddressError:
        return
    if ALLOWED.permits(address):
        assert address.host == "good.example"
        assert str(address).startswith(("https://good.example/a/", "https://good.example/a?")) or str(address) == (
            "https://good.example/a"
        )


@pytest.mark.parametrize(
    ("reference", "joined"),
    [
        ("x.tgz", "https://good.example/a/x.tgz"),
        ("/x.tgz", "https://good.example/x.tgz"),
        ("../x.tgz", "https://good.example/x.tgz"),
        ("//evil.com/x.tgz", "https://evil.com/x.tgz"),
        ("https://cdn.example/x.tgz?a=b", "https://cdn.example/x.tgz?a=b"),
        ("?b", "https://good.example/a/?b"),
        ("..%2fx", None),
        ("\\\\evil.com\\x", None),
        ("http://evil.com/", None),
        ("https://[", None),
        ("x\ny", None),
        ("javascript:alert(1)", None),
    ],
)
def test_a_reference_means_what_a_browser_takes_it_for_and_is_checked_again(reference: str, joined: str | None) -> None:
    base = parse("https://good.example/a/")
    if joined is None:
        with pytest.raises(NoAddressError):
            base.join(reference)
    else:
        assert str(base.join(reference)) == joined


@pytest.mark.parametrize(
    "entry",
    [
        "good.example",
        "https://",
        "http://good.example/",
        "https://user@good.example/",
        "https://good.example/../",
        "https://good.example/?a",
        "https://good.example/%41",
        "https://*.example/",
        "git+https://good.example/",
    ],
)
def test_an_entry_that_is_no_plain_prefix_is_a_wrong_configuration(entry: str) -> None:
    with pytest.raises(UsageError) as caught:
        Allowed.of([entry])
    assert "deps.allow" in caught.value.message
    assert caught.value.remedy


def test_nothing_is_allowed_by_default_and_the_refusal_says_what_to_add_without_a_signature() -> None:
    with pytest.raises(NotFetchedError) as caught:
        Allowed.of([]).require(parse("https://good.example/a?secret=1"), "the index names")
    assert caught.value.reason == "the index names https://good.example/a, which the policy does not allow"
    assert "add 'https://good.example/'" in caught.value.remedy
