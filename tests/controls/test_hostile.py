"""Values of any type in any field: what judges them may find nothing, and must never raise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controls.applicability import PREDICATES, seems_to_run_containers
from controls.corrections import ALLOWED_BY_BASELINE, CORRECTIONS, Evidence
from tests.resources import resources

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab0:./-", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab0:./-", max_size=3), inner, max_size=2),
    max_leaves=4,
)
PROFILE = st.fixed_dictionaries({}, optional={"type": JSON, "user": JSON, "role": JSON})
CONTEXT = st.fixed_dictionaries(
    {},
    optional={
        "procMount": JSON,
        "runAsNonRoot": JSON,
        "runAsUser": JSON,
        "capabilities": st.fixed_dictionaries({}, optional={"add": JSON, "drop": JSON}) | JSON,
        "seccompProfile": PROFILE | JSON,
        "appArmorProfile": PROFILE | JSON,
        "seLinuxOptions": PROFILE | JSON,
    },
)
CONTAINER = st.fixed_dictionaries(
    {"name": st.just("app")},
    optional={
        "image": JSON,
        "imagePullPolicy": JSON,
        "command": JSON,
        "args": JSON,
        "readinessProbe": JSON,
        "securityContext": CONTEXT | JSON,
    },
)
SPEC = st.fixed_dictionaries(
    {"containers": st.lists(CONTAINER, max_size=2)},
    optional={
        "restartPolicy": JSON,
        "os": JSON,
        "hostUsers": JSON,
        "volumes": JSON,
        "securityContext": CONTEXT | JSON,
    },
)
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "p"},
    "spec": {"podSelector": {"matchLabels": {"a": "b"}, "matchExpressions": [[], {"key": [], "operator": "In"}]}},
}


@given(SPEC, JSON, JSON)
@pytest.mark.threat("Y14")
def test_no_predicate_and_no_correction_raises(spec: Any, labels: Any, role: Any) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "labels": labels}, "spec": spec}
    binding = {"apiVersion": "v1", "kind": "RoleBinding", "metadata": {"name": "b"}, "roleRef": role}
    custom = {"apiVersion": "x.example/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": [spec, role]}
    objects = resources("\n---\n".join(map(json.dumps, (pod, binding, custom, POLICY))))
    neighbours = {(each.ref.kind, each.ref.namespace, each.ref.name): each for each in objects}
    for resource in objects:
        assert seems_to_run_containers(resource) in {True, False}
        for predicate in PREDICATES.values():
            assert predicate(resource) in {True, False}
        for container in (None, *resource.containers):
            evidence = Evidence(resource=resource, container=container, neighbours=neighbours)
            for holds in (*(row.holds for row in CORRECTIONS), *ALLOWED_BY_BASELINE.values()):
                assert bool(holds(evidence)) in {True, False}
