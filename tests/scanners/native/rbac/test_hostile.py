"""Values of every shape in every place, and scopes with very many objects: nothing raises, nothing takes minutes."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest

from model.resource import Resource
from scanners.native.engine import Neighbours, look
from tests.resources import resources
from tests.scanners.native.rbac.objects import Object, account, binding, deployment, role, rule
from tests.scanners.native.test_checks import SHAPES, places

GATHERS = {
    "clusterRoleSelectors": [{"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}]
}
SCOPE: tuple[Object, ...] = (
    deployment(volumes=[{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]),
    role("web", rule("secrets", "get", resourceNames=["web"], nonResourceURLs=["*"]), namespace="shop"),
    role("part", rule("*", "*", "*"), labels={"a": "b"}),
    role("all", rule("pods", "get"), aggregationRule=GATHERS),
    binding("web", account(), {"kind": "Group", "name": "system:authenticated"}, namespace="shop", kind="Role"),
    binding("all", {"kind": "User", "name": "system:serviceaccount:shop:web"}),
)


def read(objects: Sequence[Object]) -> Sequence[Resource]:
    return resources("---\n".join(json.dumps(each) + "\n" for each in objects))


def seconds(found: Sequence[Resource]) -> float:
    """To look at all of them."""
    started = time.process_time()
    neighbours = Neighbours.of(found)
    for resource in found:
        look(resource, neighbours)
    return time.process_time() - started


@pytest.mark.parametrize("number", range(1, len(SCOPE)), ids=[each["kind"] for each in SCOPE[1:]])
def test_every_field_of_a_role_or_binding_may_hold_every_shape_of_value(number: int) -> None:
    for path in places(SCOPE[number]):
        if path[0] not in {"apiVersion", "kind"}:
            for shape in (*SHAPES, "*", ["*"], {"matchLabels": {"a": []}}, "system:serviceaccount:"):
                changed = copy.deepcopy(SCOPE[number])
                parent: Any = changed
                for step in path[:-1]:
                    parent = parent[step]
                parent[path[-1]] = shape
                found = read([*SCOPE[:number], changed, *SCOPE[number + 1 :]])
                neighbours = Neighbours.of(found)
                assert all(look(resource, neighbours).passed for resource in found)


def test_ten_thousand_bindings_cost_seconds() -> None:
    everybody = {"kind": "Group", "name": "system:authenticated"}
    bindings = [binding("wide", account(f"web-{number}"), everybody, name=f"b{number}") for number in range(10_000)]
    workloads = [deployment(f"web-{number}", serviceAccountName=f"web-{number}") for number in range(1000)]
    assert seconds(read([role("wide", rule("nodes", "get")), *bindings, *workloads])) < 8


def test_a_binding_of_ten_thousand_subjects_costs_seconds() -> None:
    subjects = [account(f"web-{number}") for number in range(10_000)]
    assert seconds(read([deployment(), binding("cluster-admin", *subjects)])) < 8


def test_a_thousand_roles_that_gather_each_other_cost_seconds() -> None:
    every = {"clusterRoleSelectors": [{}, {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}]}
    roles = [role(f"r{number}", aggregationRule=every) for number in range(1000)]
    bindings = [binding(f"r{number}", account(), name=f"b{number}") for number in range(1000)]
    assert seconds(read([*roles, *bindings, deployment()])) < 8


def test_a_chain_of_roles_that_gather_the_next_costs_seconds() -> None:
    roles = [
        role(
            f"r{number}",
            labels={"n": str(number)},
            aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"n": str(number + 1)}}]},
        )
        for number in range(2000)
    ]
    assert seconds(read(roles)) < 8
