"""What rights are worth: named objects, subresources, groups, and rules that are all-powerful only together."""

from __future__ import annotations

import pytest

from scanners.native.rbac.powers import POWERS, WAYS, administers, powers_of
from scanners.native.rbac.rules import GROUP, Rule


def powers(group: str, resources: str, verbs: str, *names: str) -> set[str]:
    rule = Rule((group,), tuple(resources.split()), tuple(verbs.split()), frozenset(names))
    return {f"{held.power.control}/{held.power.name}" for held in powers_of(rule)}


def test_powers_of_one_control_have_names_of_their_own() -> None:
    assert len({(power.control, power.name) for power in POWERS}) == len(POWERS)


def test_every_verb_on_every_resource_is_every_power_but_those_that_need_a_name() -> None:
    every = powers("*", "*", "*")
    assert every == {f"{power.control}/{power.name}" for power in POWERS if power.unnamed}


@pytest.mark.parametrize(
    ("group", "resources", "verbs"),
    [
        ("apps", "pods", "create"),
        ("", "deployments", "create"),
        ("extensions", "ingresses", "update"),
        ("", "events", "create"),
        ("authentication.k8s.io", "groups", "impersonate"),
        ("", "pods/exec", "list"),
        ("", "pods/status", "update"),
    ],
)
def test_a_right_that_kubernetes_does_not_know_is_no_power(group: str, resources: str, verbs: str) -> None:
    assert powers(group, resources, verbs) == set()


def test_reading_one_secret_and_listing_all_are_two_powers() -> None:
    assert powers("", "secrets", "get") == {"rbac-secrets-access/get"}
    assert powers("", "secrets", "watch") == {"rbac-secrets-access/list"}
    assert powers("", "secrets", "get list", "web") == set()


def test_a_name_makes_some_rights_harmless_and_others_not() -> None:
    assert powers("", "configmaps", "update", "web") == set()
    assert powers("", "configmaps", "update", "aws-auth") == {"rbac-aws-auth/aws-auth"}
    assert powers("", "configmaps", "update", "coredns") == {"rbac-configmaps/write"}
    assert powers("", "pods/exec", "create", "web-0") == {"rbac-pod-exec/exec"}
    assert powers("", "groups", "impersonate", "team") == set()
    assert powers("", "groups", "impersonate", "system:masters") == {"rbac-impersonation/groups"}
    assert powers(GROUP, "clusterroles", "bind", "view") == set()
    assert powers(GROUP, "clusterroles", "bind", "admin") == {"rbac-escalation/bind"}
    assert powers(GROUP, "clusterroles", "escalate", "view") == {"rbac-escalation/escalate"}


def test_rules_are_all_powerful_together() -> None:
    read = Rule(("*",), ("*",), ("get", "list", "watch"), frozenset())
    write = Rule(("*",), ("*",), ("create", "update", "patch", "delete"), frozenset())
    harmless = Rule(("",), ("*",), ("*",), frozenset())
    named = Rule(("*",), ("*",), ("*",), frozenset({"web"}))
    assert administers([harmless, read, write]) == 1
    assert administers([harmless, read]) is None
    assert administers([named]) is None
    assert administers([]) is None


def test_ways_to_the_cluster_stand_in_order_and_need_something() -> None:
    assert [way.steps for way in WAYS] == sorted(way.steps for way in WAYS)
    assert all(way.needs for way in WAYS)
    needs = {power.name: power for way in WAYS for power in way.needs}
    assert all(needs[power.name] == power for way in WAYS for power in way.needs)
