"""Label selectors of Kubernetes and Cilium: absent keys, unknown ones, prefixes, and values of every type."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.native.network.calico_language import calico_selector
from scanners.native.network.cilium import key_of
from scanners.native.network.selectors import EVERYTHING, NOTHING, label_selector
from scanners.native.network.truth import UNKNOWN, Label, Truth
from tests.scanners.native.test_checks import SHAPES

LABELS: dict[str, Label] = {"app": "web", "blind": UNKNOWN, "empty": ""}


def judged(selector: Any) -> Truth:
    return label_selector(selector, absent=NOTHING).holds(LABELS.get)


def expression(key: str, operator: str, *values: Any) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        ({"matchLabels": {}}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "api"}}, False),
        ({"matchLabels": {"absent": ""}}, False),
        ({"matchLabels": {"empty": None}}, True),
        ({"matchLabels": {"blind": "x"}}, None),
        ({"matchLabels": {"blind": "x", "app": "api"}}, False),
        (expression("app", "In", "web", "api"), True),
        (expression("app", "In"), False),
        (expression("absent", "In", ""), False),
        (expression("app", "NotIn", "web"), False),
        (expression("absent", "NotIn", "web"), True),
        (expression("blind", "NotIn", "web"), None),
        (expression("app", "Exists"), True),
        (expression("blind", "Exists"), None),
        (expression("absent", "DoesNotExist"), True),
        (expression("blind", "DoesNotExist"), None),
        (expression("app", "Equals", "web"), False),
    ],
)
def test_a_label_selector_asks_as_kubernetes_does(selector: Any, expected: Truth) -> None:
    assert judged(selector) is expected


def test_a_selector_that_is_not_given_is_what_its_place_says() -> None:
    assert label_selector(None, absent=EVERYTHING).is_all
    assert judged(None) is False
    assert judged("app") is False


@pytest.mark.parametrize(
    ("key", "label"),
    [("app", "app"), ("k8s:app", "app"), ("any:app", "app"), ("reserved:host", None), ("container:app", None)],
)
def test_keys_of_cilium_say_where_a_label_comes_from(key: str, label: str | None) -> None:
    assert key_of(key) == label


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_a_selector_may_hold_every_shape_of_value(shape: Any) -> None:
    for selector in (
        shape,
        {"matchLabels": shape},
        {"matchLabels": {"app": shape}},
        {"matchExpressions": shape},
        {"matchExpressions": [shape]},
        expression("app", "In", shape),
        {"matchExpressions": [{"key": shape, "operator": shape, "values": shape}]},
    ):
        assert judged(selector) in {True, False, None}


WORDS = st.sampled_from(["app", "tier", "blind", "absent"])
VALUES = st.sampled_from(["web", "front", "x"])


@given(WORDS, VALUES, st.dictionaries(WORDS, VALUES))
def test_the_same_wish_in_every_language_has_the_same_answer(key: str, value: str, labels: dict[str, Label]) -> None:
    labels = {**labels, "blind": UNKNOWN}
    plain = label_selector({"matchLabels": {key: value}}, absent=NOTHING).holds(labels.get)
    cilium = label_selector({"matchLabels": {f"k8s:{key}": value}}, absent=NOTHING, key_of=key_of)
    calico, negated = calico_selector(f"{key} == '{value}'"), calico_selector(f"!({key} not in {{'{value}'}})")
    assert label_selector(expression(key, "In", value), absent=NOTHING).holds(labels.get) is plain
    assert cilium.holds(labels.get) is plain
    assert calico is not None
    assert calico.holds(labels.get) is plain
    assert negated is not None
    assert negated.holds(labels.get) is plain
