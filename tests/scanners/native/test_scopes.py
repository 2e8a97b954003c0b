"""Checks that look at several objects of a scope: when they give no verdict, hostile values, and many objects."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest

from model.finding import OBJECT
from model.resource import Resource
from scanners.native.engine import Neighbours, look
from tests.resources import resources
from tests.scanners.native.test_checks import SHAPES, places

LABELS = {"app": "web"}
POD = {
    "metadata": {"labels": LABELS},
    "spec": {
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "minDomains": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": LABELS},
            }
        ],
        "affinity": {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "topologyKey": "example.com/rack",
                        "namespaces": ["shop"],
                        "labelSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]},
                    }
                ],
                "preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": {"topologyKey": "a"}}],
            }
        },
        "containers": [
            {
                "name": "app",
                "image": "web:1",
                "ports": [{"name": "http", "containerPort": 80, "hostPort": 80, "protocol": "TCP"}],
                "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}},
            }
        ],
    },
}
SELECTOR = {"matchLabels": LABELS, "matchExpressions": [{"key": "app", "operator": "Exists"}]}


def thing(kind: str, api: str, spec: Any) -> dict[str, Any]:
    """An object named web."""
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "web", "labels": LABELS}, "spec": spec}


def workload(kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    return thing(kind, "apps/v1", {"replicas": 2, "selector": SELECTOR, "template": POD, **spec})


SERVICE = thing("Service", "v1", {"clusterIP": "None", "selector": LABELS, "ports": [{"name": "http", "port": 80}]})
BUDGET = thing("PodDisruptionBudget", "policy/v1", {"minAvailable": 1, "maxUnavailable": 1, "selector": SELECTOR})
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
AUTOSCALER = thing(
    "HorizontalPodAutoscaler", "autoscaling/v2", {"minReplicas": 2, "maxReplicas": 3, "scaleTargetRef": TARGET}
)
BACKEND = {"service": {"name": "web", "port": {"number": 80, "name": "http"}}}
INGRESS = thing(
    "Ingress",
    "networking.k8s.io/v1",
    {"defaultBackend": BACKEND, "rules": [{"http": {"paths": [{"backend": BACKEND}]}}]},
)
FORMER = thing("Ingress", "extensions/v1beta1", {"backend": {"serviceName": "web", "servicePort": "http"}})
OBJECTS = (
    workload(strategy={"type": "RollingUpdate"}),
    workload("StatefulSet", serviceName="web"),
    thing("DeploymentConfig", "apps.openshift.io/v1", {"selector": LABELS, "template": POD}),
    thing("ScaledObject", "keda.sh/v1alpha1", {"minReplicaCount": 1, "scaleTargetRef": {"name": "web"}}),
    thing("CronJob", "batch/v1", {"startingDeadlineSeconds": 9, "jobTemplate": {"spec": {"template": POD}}}),
    thing("LimitRange", "v1", {"limits": [{"type": "Container", "min": {"cpu": 1}}]}),
    thing("ResourceQuota", "v1", {"hard": {"cpu": 1}, "scopes": ["BestEffort"], "scopeSelector": {"a": 1}}),
    thing(
        "ServiceMonitor",
        "monitoring.coreos.com/v1",
        {"selector": SELECTOR, "namespaceSelector": {"any": False, "matchNames": ["shop"]}},
    ),
    SERVICE,
    BUDGET,
    AUTOSCALER,
    INGRESS,
    FORMER,
)


def read(*objects: dict[str, Any]) -> list[Resource]:
    return [resource for each in objects for resource in resources(json.dumps(each))]


def verdicts(control: str, *objects: dict[str, Any]) -> list[bool]:
    """Of those of the objects that got one: whether they passed."""
    found = read(*objects)
    neighbours = Neighbours.of(found)
    told = []
    for resource in found:
        opinion = look(resource, neighbours)
        if control in opinion.passed[OBJECT] or any(finding.rule == control for finding in opinion.findings):
            told.append(control in opinion.passed[OBJECT])
    return told


@pytest.mark.parametrize(
    ("control", "pointing", "others"),
    [
        ("service-dangling", SERVICE, workload()),
        ("hpa-target", AUTOSCALER, workload()),
        ("ingress-dangling", INGRESS, SERVICE),
        ("statefulset-service", workload("StatefulSet", serviceName="web"), SERVICE),
    ],
)
def test_what_points_out_of_a_scope_that_holds_nothing_of_the_sort_gets_no_verdict(
    control: str, pointing: dict[str, Any], others: dict[str, Any]
) -> None:
    stranger = copy.deepcopy(others)
    stranger["metadata"]["name"] = "api"
    for labels in (stranger["spec"]["selector"], stranger["spec"].get("template", POD)["metadata"]["labels"]):
        labels["app"] = "api"
    assert verdicts(control, pointing) == []
    assert verdicts(control, pointing, others) == [True]
    assert verdicts(control, pointing, stranger) == [False]


def test_an_object_passes_where_it_was_looked_at_and_nothing_was_wrong() -> None:
    for control, about in (
        ("deployment-replicas", workload(replicas=3)),
        ("hpa-static-replicas", workload()),
        ("pdb-blocks-eviction", BUDGET),
        ("pdb-exceeds-hpa", workload()),
        ("statefulset-service", workload("StatefulSet", serviceName="web")),
    ):
        assert verdicts(control, about, SERVICE) == [True], control


def test_a_check_of_several_objects_gives_no_verdict_on_other_kinds() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}
    for control in ("deployment-replicas", "service-dangling", "pod-disruption-budget-missing", "resource-quota"):
        assert verdicts(control, config) == []


@pytest.mark.parametrize(
    "number", range(len(OBJECTS)), ids=[f"{each['kind']}-{each['apiVersion']}" for each in OBJECTS]
)
def test_every_field_of_an_object_may_hold_every_shape_of_value_beside_its_neighbours(number: int) -> None:
    others = read(*OBJECTS[:number], *OBJECTS[number + 1 :])
    for path in places(OBJECTS[number]["spec"], ("spec",)):
        for shape in SHAPES:
            mine = read(changed(OBJECTS[number], path, shape))
            neighbours = Neighbours.of([*others, *mine])
            seen_from = () if "template" in path else others
            assert all(look(resource, neighbours).passed for resource in (*mine, *seen_from))


def changed(pristine: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The object with another value in one place."""
    copied = copy.deepcopy(pristine)
    parent: Any = copied
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    return copied


@pytest.mark.parametrize("field", ["labels", "namespace", "name"])
def test_metadata_may_hold_every_shape_of_value(field: str) -> None:
    for each in OBJECTS:
        for shape in (*SHAPES, {"app": 1}, {"app": []}):
            found = read({**each, "metadata": {"name": "web", field: shape}}, *OBJECTS)
            assert look(found[0], Neighbours.of(found)).passed


@pytest.mark.parametrize("namespace", ["", "shop-{}"], ids=["one-namespace", "many-namespaces"])
@pytest.mark.parametrize("name", ["web", "web-{}"], ids=["one-name", "many-names"])
def test_a_thousand_of_each_cost_seconds_not_minutes(name: str, namespace: str) -> None:
    found = []
    for number in range(1000):
        for each in (workload(), SERVICE, BUDGET, AUTOSCALER, INGRESS):
            named = copy.deepcopy(each)
            named["metadata"]["namespace"] = namespace.format(number)
            found += read(json.loads(json.dumps(named).replace('"web"', json.dumps(name.format(number)))))
    neighbours = Neighbours.of(found)
    start = time.process_time()
    for resource in found:
        look(resource, neighbours)
    assert time.process_time() - start < 8
