"""The same rights written in another way get the same verdicts, and the same identities of what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.scanners.native.rbac.objects import Object, account, binding, deployment, found, role

GROUPS = ("", "*", "apps", "rbac.authorization.k8s.io")
RESOURCES = (
    "*",
    "*/exec",
    "clusterroles",
    "configmaps",
    "deployments",
    "groups",
    "pods",
    "pods/exec",
    "secrets",
    "users",
)
VERBS = ("*", "bind", "create", "delete", "escalate", "get", "impersonate", "list", "update")


def some(values: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


RULES = st.lists(
    st.fixed_dictionaries(
        {"apiGroups": some(GROUPS), "resources": some(RESOURCES), "verbs": some(VERBS)},
        optional={"resourceNames": some(("aws-auth", "cluster-admin", "web"))},
    ),
    min_size=1,
    max_size=4,
)


def flaws(rules: Sequence[Object], *subjects: Object) -> Mapping[str, set[tuple[str, tuple[str, ...]]]]:
    """Controls that failed and what tells the flaws apart, by object."""
    bound = subjects or (account(),)
    cluster = [deployment(), role("web", *rules), binding("web", *bound)]
    local = [role("web", *rules, namespace="shop"), binding("web", *bound, namespace="shop", kind="Role")]
    return {name: {(each.rule, each.about) for each in told} for name, told in found([*cluster, *local]).items()}


def split(rule: Mapping[str, Any]) -> list[Object]:
    """A rule for each verb on each resource of each group."""
    return [
        {**rule, "apiGroups": [group], "resources": [resource], "verbs": [verb]}
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


@given(RULES, st.randoms(use_true_random=False))
def test_the_order_of_rules_and_of_what_stands_in_them_changes_nothing(rules: list[Object], chance: Any) -> None:
    shuffled = [{field: chance.sample(values, len(values)) for field, values in rule.items()} for rule in rules]
    chance.shuffle(shuffled)
    assert flaws(shuffled) == flaws(rules)


@given(RULES)
def test_a_rule_split_into_many_is_the_same(rules: list[Object]) -> None:
    assert flaws([part for rule in rules for part in split(rule)]) == flaws(rules)


@given(RULES, RULES)
def test_a_rule_more_takes_no_flaw_away(rules: list[Object], more: list[Object]) -> None:
    few, many = flaws(rules), flaws([*rules, *more])
    assert all(few[name] <= many[name] for name in few)


def test_another_verb_resource_or_subject_is_another_flaw() -> None:
    def only(resource: str, verb: str, *subjects: Object) -> Mapping[str, set[tuple[str, tuple[str, ...]]]]:
        return flaws([{"apiGroups": ["", "apps"], "resources": [resource], "verbs": [verb]}], *subjects)

    before = only("secrets", "get")
    assert only("secrets", "list")["ClusterRole/web"].isdisjoint(before["ClusterRole/web"])
    assert only("secrets", "update")["ClusterRole/web"].isdisjoint(before["ClusterRole/web"])
    assert only("services", "update") != only("endpoints", "update")
    other = only("secrets", "get", account("api"))["ClusterRoleBinding/web"]
    assert other.isdisjoint(before["ClusterRoleBinding/web"])
    assert len(other) == len(before["ClusterRoleBinding/web"]) == 1
