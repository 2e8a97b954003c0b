"""What policies of all kinds leave open of a pod, in words; hostile values; and what many of them cost."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.resource import Resource
from scanners.native.engine import Neighbours, look
from scanners.native.network.coverage import coverage
from scanners.native.network.pods import POLICIES, Selections
from tests.resources import resources
from tests.scanners.native.test_checks import SHAPES, places

ISOLATED = {"policyTypes": ["Ingress", "Egress"]}
WEB = {"matchLabels": {"app": "web"}}


def thing(api: str, kind: str, spec: Any, name: str = "web", namespace: str = "shop") -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def workload(namespace: str = "shop", name: str = "web", **labels: str) -> dict[str, Any]:
    template = {"metadata": {"labels": labels or {"app": "web"}}, "spec": {"containers": [{"name": "app"}]}}
    return thing("apps/v1", "Deployment", {"template": template}, name, namespace)


def policy(spec: Any, name: str = "web", namespace: str = "shop") -> dict[str, Any]:
    return thing("networking.k8s.io/v1", "NetworkPolicy", spec, name, namespace)


def cilium(spec: Any, kind: str = "CiliumNetworkPolicy", name: str = "web") -> dict[str, Any]:
    return thing("cilium.io/v2", kind, spec, name)


def calico(spec: Any, kind: str = "NetworkPolicy", name: str = "web") -> dict[str, Any]:
    return thing("projectcalico.org/v3", kind, spec, name)


def admin(spec: Any, kind: str = "AdminNetworkPolicy", name: str = "admin") -> dict[str, Any]:
    return thing("policy.networking.k8s.io/v1alpha1", kind, spec, name, "")


def read(*objects: dict[str, Any]) -> list[Resource]:
    return [resource for each in objects for resource in resources(json.dumps(each))]


def told(*objects: dict[str, Any]) -> str:
    """What is said of the first object."""
    found = read(*objects)
    return str(coverage(found[0].pods[0], Neighbours.of(found)))


def test_a_workload_that_nobody_selects_is_open() -> None:
    said = "is selected by no network policy: ingress and egress are open"
    assert told(workload()) == said
    assert told(workload(), policy({"podSelector": {"matchLabels": {"app": "api"}}})) == said


def test_policies_are_named_with_the_direction_that_they_isolate() -> None:
    both = policy({"podSelector": {}, **ISOLATED}, "default-deny")
    web = policy({"podSelector": WEB, "ingress": [{}]}, "allow-web")
    said = "ingress is isolated by allow-web and default-deny; egress is isolated by default-deny"
    assert told(workload(), both, web) == said
    assert told(workload(), web) == "ingress is isolated by allow-web; egress is open to everything"


def test_of_many_policies_three_are_named() -> None:
    many = [policy({"podSelector": {}}, f"p{number}") for number in range(5)]
    assert told(workload(), *many).startswith("ingress is isolated by p0, p1, p2 and 2 more; ")


def test_a_manifest_without_a_namespace_meets_policies_of_any_and_the_reverse() -> None:
    deny = {"podSelector": {}, **ISOLATED}
    closed = "ingress is isolated by web; egress is isolated by web"
    assert told(workload(""), policy(deny)) == closed
    assert told(workload(), policy(deny, namespace="")) == closed
    assert told(workload("test"), policy(deny)).startswith("is selected by no network policy")


def test_labels_of_a_namespace_that_is_not_there_leave_it_open_who_is_selected() -> None:
    spec = {"namespaceSelector": "team == 'shop'", "types": ["Ingress", "Egress"]}
    everywhere = calico(spec, "GlobalNetworkPolicy", "all")
    assert told(workload(), everywhere) == "ingress may be isolated by all; egress may be isolated by all"
    found = read(workload(), everywhere)
    opinion = look(found[0], Neighbours.of(found))
    assert not any("network-policy-missing" in rules for rules in opinion.passed.values())
    assert not any(finding.rule == "network-policy-missing" for finding in opinion.findings)


@pytest.mark.parametrize(
    ("key", "value", "is_selected"),
    [
        ("k8s:io.kubernetes.pod.namespace", "shop", True),
        ("io.kubernetes.pod.namespace", "test", False),
        ("k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name", "shop", True),
        ("k8s:io.cilium.k8s.namespace.labels.team", "shop", True),
        ("io.cilium.k8s.policy.serviceaccount", "default", True),
        ("io.cilium.k8s.policy.serviceaccount", "web", False),
        ("reserved:host", "", False),
    ],
)
def test_cilium_adds_labels_of_its_own(key: str, value: str, is_selected: bool) -> None:  # noqa: FBT001
    place = thing("v1", "Namespace", {}, "shop", "")
    place["metadata"]["labels"] = {"team": "shop"}
    spec = {"endpointSelector": {"matchLabels": {key: value}}, "ingress": [{}], "egress": [{}]}
    said = told(workload(), cilium(spec, "CiliumClusterwideNetworkPolicy"), place)
    assert said.startswith("ingress is isolated") is is_selected


@pytest.mark.parametrize(
    ("spec", "is_selected"),
    [
        ({"selector": "projectcalico.org/namespace == 'shop'"}, True),
        ({"selector": "projectcalico.org/serviceaccount == 'web'"}, False),
        ({"selector": "projectcalico.org/orchestrator == 'k8s'"}, True),
        ({"selector": "pcns.team in {'shop'}"}, True),
        ({"serviceAccountSelector": "projectcalico.org/name == 'default'"}, True),
        ({"serviceAccountSelector": "role == 'builder'"}, False),
        ({"namespaceSelector": "has(team)"}, True),
        ({"namespaceSelector": "!has(team)"}, False),
        ({"namespaceSelector": "all()", "doNotTrack": True}, False),
    ],
)
def test_calico_adds_labels_of_its_own(spec: Any, is_selected: bool) -> None:  # noqa: FBT001
    place = thing("v1", "Namespace", {}, "shop", "")
    place["metadata"]["labels"] = {"team": "shop"}
    account = thing("v1", "ServiceAccount", {}, "default")
    both = calico({**spec, "types": ["Ingress", "Egress"]}, "GlobalNetworkPolicy")
    said = told(workload(), both, place, account)
    assert said.startswith("ingress is isolated") is is_selected


def test_a_tier_of_calico_hands_on_what_it_does_not_decide_where_it_says_so() -> None:
    first = {"tier": "security", "types": ["Ingress", "Egress"], "selector": "all()"}
    passes = {"order": 1, "defaultAction": "Pass"}
    tier = {"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": {"name": "security"}, "spec": passes}
    denying = {**first, "ingress": [{"action": "Deny"}]}
    assert told(workload(), calico(first), tier).endswith("ingress is open to everything; egress is open to everything")
    assert told(workload(), calico(first)).startswith("ingress is isolated by web; egress is isolated")
    assert told(workload(), calico(denying), tier).startswith("ingress is isolated by web; egress is open")


def test_the_first_rule_of_an_administrator_about_everything_decides() -> None:
    every_namespace: dict[str, Any] = {"namespaces": {}}

    def rule(action: str) -> dict[str, Any]:
        return {"action": action, "from": [every_namespace]}

    def of(priority: int, *actions: str) -> dict[str, Any]:
        spec = {"priority": priority, "subject": every_namespace, "ingress": [rule(action) for action in actions]}
        return admin(spec, name=f"admin-{priority}")

    deny = policy({"podSelector": {}, **ISOLATED})
    allowed = "ingress is open to everything: admin-1 lets it through before others are asked; "
    assert told(workload(), of(2, "Deny"), of(1, "Allow"), deny).startswith(allowed)
    assert told(workload(), of(1, "Deny"), of(2, "Allow")).startswith("ingress is isolated by admin-1; ")
    assert told(workload(), of(1, "Pass", "Allow"), of(2, "Allow"), deny).startswith("ingress is isolated by web; ")
    assert told(workload(), of(1, "Pass")).startswith("ingress is open to everything; ")


def test_a_policy_of_the_core_group_or_of_another_maker_is_none() -> None:
    spec = {"podSelector": {}, **ISOLATED}
    for api in ("v1", "example.com/v1"):
        said = told(workload(), thing(api, "NetworkPolicy", spec))
        assert said.startswith("is selected by no network policy")


KINDS: tuple[dict[str, Any], ...] = (
    policy(
        {
            "podSelector": WEB,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [
                        {"podSelector": WEB},
                        {"namespaceSelector": WEB},
                        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}},
                    ],
                    "ports": [{"port": 80, "endPort": 90, "protocol": "TCP"}, {"port": "http"}],
                }
            ],
            "egress": [{"to": [{"ipBlock": {"cidr": "::/0"}}], "ports": [{"port": 53, "protocol": "UDP"}]}],
        }
    ),
    cilium(
        {
            "endpointSelector": WEB,
            "enableDefaultDeny": {"ingress": True},
            "ingress": [{"fromEndpoints": [WEB], "fromEntities": ["world"], "toPorts": [{"ports": [{"port": "80"}]}]}],
            "ingressDeny": [{"fromCIDRSet": [{"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}], "icmps": [{}]}],
            "egress": [
                {
                    "toCIDR": ["10.0.0.0/8"],
                    "toFQDNs": [{"matchPattern": "*"}],
                    "toServices": [{"k8sService": {"serviceName": "dns"}}],
                    "toPorts": [{"ports": [{"port": "80", "endPort": 90, "protocol": "ANY"}]}],
                }
            ],
            "egressDeny": [{"toEntities": ["all"]}],
        }
    ),
    calico(
        {
            "selector": "app == 'web'",
            "namespaceSelector": "all()",
            "serviceAccountSelector": "all()",
            "order": 1,
            "tier": "default",
            "types": ["Ingress", "Egress"],
            "ingress": [
                {
                    "action": "Allow",
                    "protocol": "TCP",
                    "source": {"selector": "all()", "namespaceSelector": "global()", "notNets": ["10.0.0.0/8"]},
                    "destination": {"ports": [80, "8000:9000", "http"], "notPorts": [81]},
                }
            ],
            "egress": [{"action": "Deny", "destination": {"nets": ["0.0.0.0/0"], "notNets": ["10.0.0.0/8"]}}],
        },
        "GlobalNetworkPolicy",
    ),
    admin(
        {
            "priority": 1,
            "subject": {"pods": {"namespaceSelector": WEB, "podSelector": WEB}},
            "ingress": [{"action": "Deny", "from": [{"namespaces": WEB}, {"pods": {"podSelector": WEB}}]}],
            "egress": [
                {
                    "action": "Allow",
                    "to": [{"networks": ["0.0.0.0/0"]}, {"nodes": {}}, {"domainNames": ["a"]}],
                    "ports": [{"portNumber": {"port": 80}}, {"portRange": {"start": 1, "end": 2}}, {"namedPort": "a"}],
                }
            ],
        }
    ),
)


@pytest.mark.parametrize("pristine", KINDS, ids=lambda each: each["kind"])
def test_every_field_of_a_policy_may_hold_every_shape_of_value(pristine: dict[str, Any]) -> None:
    (pod,) = read(workload())
    for path in places(pristine["spec"], ("spec",)):
        for shape in (*SHAPES, "9" * 5000):
            (changed,) = read(_changed(pristine, path, shape))
            neighbours = Neighbours.of([pod, changed])
            assert look(pod, neighbours).passed
            assert look(changed, neighbours).passed


def _changed(pristine: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    copied = copy.deepcopy(pristine)
    parent: Any = copied
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    return copied


def test_every_kind_that_checks_name_is_read() -> None:
    for named in POLICIES:
        group, _, kind = named.partition("/")
        neighbours = Neighbours.of(read(thing(f"{group}/v1", kind, {})))
        assert len(neighbours.derived(Selections.of).groups) == 1, named


LABELS = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["web", "api"]), min_size=1)
SELECTORS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"matchLabels": LABELS},
    optional={
        "matchExpressions": st.lists(
            st.fixed_dictionaries(
                {
                    "key": st.sampled_from(["app", "tier", "x"]),
                    "operator": st.sampled_from(["NotIn", "In", "Exists", "DoesNotExist"]),
                    "values": st.just(["web"]),
                }
            ),
            max_size=2,
        )
    },
) | st.just({})
PLACES = st.sampled_from(["", "shop", "test"])


@given(st.lists(st.tuples(PLACES, LABELS), max_size=5), st.lists(st.tuples(PLACES, SELECTORS), max_size=5))
def test_finding_pods_by_label_finds_those_that_asking_all_of_them_finds(pods: Any, policies: Any) -> None:
    found = read(
        *(workload(place, f"w{number}", **labels) for number, (place, labels) in enumerate(pods)),
        *(policy({"podSelector": each}, f"p{number}", place) for number, (place, each) in enumerate(policies)),
    )
    neighbours = Neighbours.of(found)
    selections = neighbours.derived(Selections.of)
    for pairs in selections.of_resource.values():
        for one, group in pairs:
            asked = {
                number
                for number, shape in enumerate(selections.pods.shapes)
                if _may_meet(one.resource.ref.namespace, shape.namespace) and one.pods.holds(shape.label)
            }
            assert set(group.every) == asked


def _may_meet(one: str, other: str) -> bool:
    return not one or not other or one == other


def _town(policies: int, workloads: int, kind: str) -> Iterator[dict[str, Any]]:
    for number in range(workloads):
        yield workload(f"shop-{number % 50}", f"w{number}", app=f"web-{number % policies}", id=str(number))
    for number in range(policies):
        name = f"web-{number}"
        if kind == "calico":
            spec = {"selector": f"app == '{name}' && !has(x)", "types": ["Ingress", "Egress"]}
            yield calico(spec, "GlobalNetworkPolicy", name)
        elif kind == "cilium":
            selector = {"matchLabels": {"k8s:app": name}}
            yield cilium({"endpointSelector": selector, "egress": [{}]}, "CiliumClusterwideNetworkPolicy", name)
        elif kind == "admin":
            pods = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": name}}}
            yield admin({"priority": 1, "subject": {"pods": pods}}, name=name)
        elif kind == "all":
            yield policy({"podSelector": {}, "egress": [{}]}, name, f"shop-{number % 50}")
        else:
            yield policy({"podSelector": {"matchLabels": {"app": name}}}, name, f"shop-{number % 50}")


@pytest.mark.parametrize("kind", ["plain", "all", "calico", "cilium", "admin"])
def test_five_hundred_policies_and_five_thousand_workloads_cost_a_second_or_two(kind: str) -> None:
    found = read(*_town(500, 5000, kind))
    neighbours = Neighbours.of(found)
    start = time.process_time()
    for resource in found:
        for pod in resource.pods:
            coverage(pod, neighbours)
    assert time.process_time() - start < 3
