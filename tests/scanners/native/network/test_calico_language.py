"""The selector language of Calico: what it means, what is refused, and what long or deep texts cost."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.native.network.calico_language import DEPTH, calico_selector
from scanners.native.network.truth import UNKNOWN, Label, Truth

LABELS: dict[str, Label] = {"app": "web-1", "tier": "front", "blind": UNKNOWN}


def judged(text: str) -> Truth:
    selector = calico_selector(text)
    assert selector is not None, text
    return selector.holds(LABELS.get)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "all()",
        "all( )",
        "global()",
        "app == 'web-1'",
        'app=="web-1"',
        "app != 'api'",
        "absent != 'x'",
        "has(app)",
        "has( tier )",
        "!has(absent)",
        "!!has(app)",
        "app in {'api', 'web-1'}",
        "app in {'web-1',}",
        "app not in {'api'}",
        "absent not in {'api'}",
        "app notin {}",
        "app contains 'eb'",
        "app starts with 'web'",
        "app startswith 'web'",
        "app ends with '-1'",
        "app == 'api' || tier == 'front'",
        "app == 'api' && tier == 'back' || has(app)",
        "has(app) || app == 'api' && tier == 'back'",
        "(app == 'api' || has(app)) && tier == 'front'",
        "!(app == 'api' || tier == 'back')",
        "((has(app)))",
        "blind == 'x' || has(app)",
        "app == 'web-1'\n  && has(tier)",
    ],
)
def test_a_selector_matches(text: str) -> None:
    assert judged(text) is True


@pytest.mark.parametrize(
    "text",
    [
        "app == 'api'",
        "app != 'web-1'",
        "absent == 'x'",
        "has(absent)",
        "!all()",
        "app in {}",
        "app not in {'web-1'}",
        "absent contains ''",
        "absent starts with ''",
        "app ends with '-2'",
        "has(app) && (tier == 'back' || has(absent))",
        "!(has(app) || has(absent))",
        "blind == 'x' && has(absent)",
    ],
)
def test_a_selector_does_not_match(text: str) -> None:
    assert judged(text) is False


@pytest.mark.parametrize(
    "text", ["has(blind)", "blind != 'x'", "!(blind in {'x'})", "blind contains 'x'", "has(app) && has(blind)"]
)
def test_a_label_that_nobody_knows_leaves_the_answer_open(text: str) -> None:
    assert judged(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "app",
        "app ==",
        "app = 'web'",
        "app == web",
        "app == 'web",
        "== 'web'",
        "has()",
        "has(app",
        "has (app)",
        "()",
        "(has(app)",
        "has(app))",
        "has(app) &&",
        "has(app) & has(tier)",
        "has(app) has(tier)",
        "app in 'web'",
        "app in {'web'",
        "app in {web}",
        "!",
        "all",
        "app not 'x'",
        "app == 'web' trailing",
        "#",
    ],
)
def test_what_calico_refuses_is_no_selector(text: str) -> None:
    assert calico_selector(text) is None


def test_a_plain_comparison_tells_where_to_look_and_an_alternative_does_not() -> None:
    plain, either = (
        calico_selector("app == 'web' && (tier == 'front' && !has(x))"),
        calico_selector("a == 'b' || has(c)"),
    )
    assert plain is not None
    assert plain.required == (("app", "web"), ("tier", "front"))
    assert plain.keys == {"app", "tier", "x"}
    assert either is not None
    assert either.required == ()


TERMS = st.sampled_from(["has(app)", "app == 'api'", "has(blind)", "all()", "tier in {'front'}", "blind != 'x'"])


@given(TERMS, TERMS)
def test_a_negated_pair_is_the_pair_of_the_negated(one: str, other: str) -> None:
    assert judged(f"!({one} && {other})") is judged(f"!{one} || !{other}")
    assert judged(f"!({one} || {other})") is judged(f"!({one}) && !({other})")
    assert judged(f"!!({one})") is judged(one)


@given(st.text(alphabet="ab ()!&|={}'\",hasinot.", max_size=40))
def test_no_text_raises(text: str) -> None:
    selector = calico_selector(text)
    assert selector is None or selector.holds(LABELS.get) in {True, False, None}


@pytest.mark.parametrize(
    "text",
    [
        " && ".join(["has(app)"] * 10_000),
        " || ".join(["app == 'x'"] * 8_000),
        "!" * 100_000 + "has(app)",
        "(" * 100_000,
        "(" * 50_000 + "has(app)" + ")" * 50_000,
        "app in {" + "'a'," * 25_000 + "}",
        "a" * 100_000,
        "app == '" + "a" * 100_000,
        " " * 100_000 + "has(app)",
        "app starts" + " " * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_long_and_deep_texts_cost_no_more_than_their_length(text: str) -> None:
    start = time.process_time()
    selector = calico_selector(text)
    if selector is not None:
        selector.holds(LABELS.get)
    assert time.process_time() - start < 1


def test_parentheses_may_be_as_deep_as_people_write_them() -> None:
    text = "has(app)"
    for _ in range(DEPTH):
        text = f"(!{text} || has(absent))"
    selector = calico_selector(text)
    assert selector is not None
    assert selector.holds(LABELS.get) is True
    assert calico_selector(f"(({text}))") is None
