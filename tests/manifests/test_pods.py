from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.pods import LABEL, find_pods
from model.resource import ContainerKind, Resource
from model.values import Json
from tests.resources import resources

APP: dict[str, Json] = {"containers": [{"name": "app"}]}
TEMPLATE: dict[str, Json] = {"metadata": {"labels": {"a": "b"}}, "spec": APP}


@pytest.mark.parametrize(
    ("group", "kind", "value", "path"),
    [
        ("", "Pod", {"spec": APP}, ("spec",)),
        ("", "PodTemplate", {"template": TEMPLATE}, ("template", "spec")),
        ("", "ReplicationController", {"spec": {"template": TEMPLATE}}, ("spec", "template", "spec")),
        ("apps", "Deployment", {"spec": {"template": TEMPLATE}}, ("spec", "template", "spec")),
        ("", "Deployment", {"spec": {"template": TEMPLATE}}, ("spec", "template", "spec")),
        ("batch", "Job", {"spec": {"template": TEMPLATE}}, ("spec", "template", "spec")),
        (
            "batch",
            "CronJob",
            {"spec": {"jobTemplate": {"spec": {"template": TEMPLATE}}}},
            ("spec", "jobTemplate", "spec", "template", "spec"),
        ),
        ("apps.openshift.io", "DeploymentConfig", {"spec": {"template": TEMPLATE}}, ("spec", "template", "spec")),
        ("serving.knative.dev", "Service", {"spec": {"template": TEMPLATE}}, ("spec", "template", "spec")),
        ("argoproj.io", "Rollout", {"spec": {"template": TEMPLATE}}, ("spec", "template", "spec")),
        ("x.io", "Y", {"spec": {"podTemplate": APP}}, ("spec", "podTemplate")),
        (
            "batch.volcano.sh",
            "Job",
            {"spec": {"tasks": [{"template": TEMPLATE}]}},
            ("spec", "tasks", 0, "template", "spec"),
        ),
    ],
)
def test_the_pod_of_every_kind_that_bears_one_is_found(
    group: str, kind: str, value: dict[str, Json], path: tuple[str | int, ...]
) -> None:
    (pod,) = find_pods(group, kind, value)
    assert (pod.path, pod.spec) == (path, APP)
    assert [container.path for container in pod.containers] == [(*path, "containers", 0)]


def test_the_metadata_stands_beside_the_spec() -> None:
    (pod,) = find_pods("x.io", "Y", {"spec": {"groups": [{"template": TEMPLATE}]}})
    assert pod.metadata == {"labels": {"a": "b"}}
    assert pod.metadata_path == ("spec", "groups", 0, "template", "metadata")


def test_all_pods_of_a_custom_resource_are_found_and_their_containers_kept_apart() -> None:
    worker: dict[str, Json] = {"template": {"spec": {"containers": [{"name": "ray"}, {"name": "log"}]}}}
    value: dict[str, Json] = {"spec": {"workerGroupSpecs": [worker, worker], "headGroupSpec": worker}}
    pods = find_pods("ray.io", "RayCluster", value)
    assert [pod.path[1:3] for pod in pods] == [
        ("headGroupSpec", "template"),
        ("workerGroupSpecs", 0),
        ("workerGroupSpecs", 1),
    ]
    keys = [container.key for pod in pods for container in pod.containers]
    assert keys == ["ray", "log", "ray-2", "log-2", "ray-3", "log-3"]


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("", "ConfigMap"),
        ("", "Secret"),
        ("kyverno.io", "ClusterPolicy"),
        ("constraints.gatekeeper.sh", "Required"),
    ],
)
def test_what_only_speaks_of_pods_bears_none(group: str, kind: str) -> None:
    assert find_pods(group, kind, {"spec": {"template": TEMPLATE}, "data": {"template": TEMPLATE}}) == ()


def test_containers_outside_of_a_template_are_no_pod() -> None:
    assert find_pods("monitoring.coreos.com", "Prometheus", {"spec": APP}) == ()


def test_init_and_ephemeral_containers_and_sidecars_are_told_apart() -> None:
    spec: dict[str, Json] = {
        "initContainers": [{"name": "a", "restartPolicy": "Always"}, {"name": "b"}],
        "containers": [{"name": "c", "restartPolicy": "Always"}],
        "ephemeralContainers": [{"name": "d"}],
    }
    (pod,) = find_pods("", "Pod", {"spec": spec})
    assert [(each.key, each.kind, each.sidecar) for each in pod.containers] == [
        ("a", ContainerKind.INIT, True),
        ("b", ContainerKind.INIT, False),
        ("c", ContainerKind.MAIN, False),
        ("d", ContainerKind.EPHEMERAL, False),
    ]


def test_missing_taken_and_impossible_names_get_placeholders_that_no_container_has() -> None:
    names: list[Json] = [None, "main-1", "x", "x", "A b", "x" * 64, "x-2", 7]
    spec: dict[str, Json] = {"containers": [{"name": name} for name in names]}
    (pod,) = find_pods("", "Pod", {"spec": spec})
    keys = [container.key for container in pod.containers]
    assert keys == ["main-1-2", "main-1", "x", "x-3", "main-5", "main-6", "x-2", "main-8"]
    assert [container.name for container in pod.containers] == ["", "main-1", "x", "x", "A b", "x" * 64, "x-2", ""]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["spec", "template", "containers", "initContainers", "name", "jobTemplate", "metadata", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(
    st.sampled_from([("", "Pod"), ("apps", "Deployment"), ("batch", "CronJob"), ("x.io", "Y"), ("", "PodTemplate")]),
    st.dictionaries(st.sampled_from(["spec", "template", "metadata"]), ANY),
)
def test_values_of_any_type_raise_nothing_and_keys_are_unique_labels(
    kind: tuple[str, str], value: dict[str, Json]
) -> None:
    keys = [container.key for pod in find_pods(*kind, value) for container in pod.containers]
    assert len(set(keys)) == len(keys)
    assert all(LABEL.fullmatch(key) for key in keys)


def test_containers_of_equal_name_in_several_pods_are_told_apart_by_what_holds_the_pod_not_by_order() -> None:
    def jobs(*names: str) -> Resource:
        template = "template: {spec: {template: {spec: {containers: [{name: main, image: a}]}}}}"
        rows = ", ".join(f"{{name: {name}, {template}}}" for name in names)
        text = f"apiVersion: x.example/v1\nkind: JobSet\nmetadata: {{name: x}}\nspec: {{jobs: [{rows}]}}"
        return resources(text)[0]

    assert [container.key for container in jobs("a", "b").containers] == ["a-main", "b-main"]
    assert [container.key for container in jobs("b", "a").containers] == ["b-main", "a-main"]
    twelve = jobs(*(f"j{number}" for number in range(12)))
    assert [pod.path[2] for pod in twelve.pods] == list(range(12))
