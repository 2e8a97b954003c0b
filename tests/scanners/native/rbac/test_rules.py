"""What a rule allows, as Kubernetes' authorizer reads it."""

from __future__ import annotations

from typing import Any

import pytest

from scanners.native.rbac.rules import Rule, rules_of


def rule(**fields: Any) -> Rule:
    (found,) = rules_of([fields])
    return found


@pytest.mark.parametrize(
    ("listed", "asked", "is_covered"),
    [
        ("pods", "pods", True),
        ("pods", "pods/exec", False),
        ("pods/exec", "pods/exec", True),
        ("pods/exec", "pods", False),
        ("*", "pods", True),
        ("*", "pods/exec", True),
        ("*/exec", "pods/exec", True),
        ("*/exec", "pods/attach", False),
        ("*/exec", "exec", False),
        ("pods/*", "pods/exec", False),
        ("pods/*", "pods", False),
        ("*/*", "pods/exec", False),
        ("Pods", "pods", False),
        ("pod", "pods", False),
    ],
)
def test_resources_match_as_in_kubernetes(listed: str, asked: str, is_covered: bool) -> None:  # noqa: FBT001 a row
    assert rule(apiGroups=[""], resources=[listed]).covers("", asked) is is_covered


@pytest.mark.parametrize(
    ("groups", "asked", "is_covered"),
    [([""], "", True), (["*"], "", True), (["*"], "apps", True), (["apps"], "", False), ([], "", False)],
)
def test_a_rule_gives_nothing_outside_of_its_groups(groups: list[str], asked: str, is_covered: bool) -> None:  # noqa: FBT001 a row
    assert rule(apiGroups=groups, resources=["pods"]).covers(asked, "pods") is is_covered


def test_the_place_of_a_resource_is_the_word_rather_than_the_wildcard() -> None:
    assert rule(apiGroups=[""], resources=["*", "*/exec", "pods/exec"]).place_of("pods/exec") == 2
    assert rule(apiGroups=[""], resources=["*", "*/exec"]).place_of("pods/exec") == 1
    assert rule(apiGroups=[""], resources=["services", "*"]).place_of("pods/exec") == 1
    assert rule(apiGroups=[""], resources=["services"]).place_of("pods/exec") is None


def test_a_wildcard_stands_for_every_verb_and_an_unknown_verb_for_none() -> None:
    wanted = frozenset({"get", "list"})
    assert rule(verbs=["get", "*"]).verbs_among(wanted) == ("*",)
    assert rule(verbs=["watch", "list", "get"]).verbs_among(wanted) == ("get", "list")
    assert rule(verbs=["GET", "g*"]).verbs_among(wanted) == ()


@pytest.mark.parametrize("value", [None, "pods", 1, {"pods": 1}, [None, 1, ["pods"], {"pods": 1}]])
def test_a_list_of_another_type_matches_nothing(value: Any) -> None:
    odd = rule(apiGroups=value, resources=value, verbs=value, resourceNames=value, nonResourceURLs=value)
    assert not odd.covers("", "pods")
    assert odd.verbs_among(frozenset({"get"})) == ()


def test_what_is_no_rule_keeps_its_place() -> None:
    found = list(rules_of([None, "rule", {"verbs": ["get"]}]))
    assert [each.verbs for each in found] == [(), (), ("get",)]
    assert list(rules_of({"verbs": ["get"]})) == []
