"""Which controls are about which subject of a resource: evaluated by us, never taken from a scanner's silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from model.control import Control, Subject
from model.finding import OBJECT
from model.programs import start_of
from model.resource import Resource
from model.values import Json, dig, text

RUN_TO_COMPLETION = frozenset({"Job", "CronJob"})
REPLICATED = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "DeploymentConfig"})
RUN_FIELDS = frozenset({"args", "command", "env", "resources", "securityContext", "source", "volumeMounts"})
"""What stands beside an image where a container is described."""
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet")
OF_KUBEADM = frozenset({"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"})
CONFIGURED: Mapping[tuple[str, str], frozenset[str]] = {
    ("apiserver.config.k8s.io", "AdmissionConfiguration"): frozenset({"kube-apiserver"}),
    ("apiserver.config.k8s.io", "AuthenticationConfiguration"): frozenset({"kube-apiserver"}),
    ("apiserver.config.k8s.io", "AuthorizationConfiguration"): frozenset({"kube-apiserver"}),
    ("apiserver.k8s.io", "AdmissionConfiguration"): frozenset({"kube-apiserver"}),
    ("kind.x-k8s.io", "Cluster"): frozenset(COMPONENTS),
    ("kubeadm.k8s.io", "ClusterConfiguration"): OF_KUBEADM,
    ("kubeadm.k8s.io", "InitConfiguration"): frozenset({"kubelet"}),
    ("kubeadm.k8s.io", "JoinConfiguration"): frozenset({"kubelet"}),
    ("kubelet.config.k8s.io", "KubeletConfiguration"): frozenset({"kubelet"}),
    ("kubeproxy.config.k8s.io", "KubeProxyConfiguration"): frozenset({"kube-proxy"}),
    ("kubescheduler.config.k8s.io", "KubeSchedulerConfiguration"): frozenset({"kube-scheduler"}),
}
"""The components that a configuration, by group and kind, is about."""
CONFIG_MAPS: Mapping[str, frozenset[str]] = {
    "kube-proxy": frozenset({"kube-proxy"}),
    "kubeadm-config": OF_KUBEADM,
    "kubelet-config": frozenset({"kubelet"}),
}
"""The same of ConfigMaps in which kubeadm keeps configurations, by name; until 1.23 kubelet-config-1.23."""


def _runs_linux(resource: Resource) -> bool:
    return not any(dig(dict(pod.spec), "os", "name") == "windows" for pod in resource.pods)


def _runs_long(resource: Resource) -> bool:
    return resource.ref.kind not in RUN_TO_COMPLETION and not any(
        text(pod.spec.get("restartPolicy")) in {"Never", "OnFailure"} for pod in resource.pods
    )


def _is_replicated(resource: Resource) -> bool:
    return resource.ref.kind in REPLICATED


def _runs(component: str) -> Callable[[Resource], bool]:
    def runs(resource: Resource) -> bool:
        return component in _programs(resource)

    return runs


@lru_cache(maxsize=1)  # each component asks for the same resource in turn
def _programs(resource: Resource) -> frozenset[str]:
    if not resource.pods:
        if resource.ref.kind == "ConfigMap":
            return CONFIG_MAPS.get(_config_map(resource), frozenset())
        return CONFIGURED.get((resource.ref.group, resource.ref.kind), frozenset())
    return frozenset([start.program for start in map(start_of, resource.containers) if start is not None])


def _config_map(resource: Resource) -> str:
    return resource.ref.name.partition("-1.")[0] if not resource.ref.group else ""


PREDICATES: Mapping[str, Callable[[Resource], bool]] = {
    "linux": _runs_linux,
    "long-running": _runs_long,
    "replicated": _is_replicated,
    **{f"component:{component}": _runs(component) for component in COMPONENTS},
}
"""What ``applies.when`` in the catalogue may name. Of a resource without pods they know group and kind; of a ConfigMap
its name as well."""


BUILT_IN_GROUPS = ("", "apps", "batch", "autoscaling", "policy", "extensions")
"""Kubernetes' own groups without a domain; the others end in ``k8s.io``."""


def seems_to_run_containers(resource: Resource) -> bool:
    """A custom resource without a pod that we know, in which something has an image and says how to run it."""
    group = resource.ref.group
    if resource.pods or group in BUILT_IN_GROUPS or group.endswith("k8s.io"):
        return False
    todo: list[Json] = [dict(resource.value)]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            if text(node.get("image")) and not RUN_FIELDS.isdisjoint(node):
                return True
            todo += node.values()
        elif isinstance(node, list):
            todo += node
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicable:
    """Ids of the controls about one shape of resource."""

    object: frozenset[str]
    """Of subject resource, pod and scope."""
    containers: Mapping[str, frozenset[str]]
    """By ContainerKind."""


class Applicability:
    """Answers for one set of controls; resources of the same shape share an answer."""

    def __init__(self, controls: Mapping[str, Control]) -> None:
        self._controls = controls
        self._answers: dict[tuple[str, str, bool, frozenset[str]], Applicable] = {}
        self._without_pods: dict[tuple[str, str], Mapping[str, frozenset[str]]] = {}

    def of(self, resource: Resource) -> Mapping[str, frozenset[str]]:
        """The ids of controls by subject: ``OBJECT`` and each ``Container.key``."""
        if resource.pods or (resource.ref.kind == "ConfigMap" and _config_map(resource) in CONFIG_MAPS):
            return self._of(resource)
        key = (resource.ref.group, resource.ref.kind)
        known = self._without_pods.get(key)
        if known is None:
            known = self._without_pods[key] = self._of(resource)
        return known

    def _of(self, resource: Resource) -> Mapping[str, frozenset[str]]:
        facts = frozenset(name for name in self._predicates if PREDICATES[name](resource))
        shape = (resource.ref.group, resource.ref.kind, bool(resource.pods), facts)
        answer = self._answers.get(shape)
        if answer is None:
            answer = self._answers[shape] = self._answer(*shape)
        subjects = {container.key: answer.containers[container.kind] for container in resource.containers}
        subjects[OBJECT] = answer.object
        return subjects

    @cached_property
    def _predicates(self) -> tuple[str, ...]:
        return tuple(sorted({name for control in self._controls.values() for name in control.applies.when}))

    def _answer(self, group: str, kind: str, bears_pods: bool, facts: frozenset[str]) -> Applicable:  # noqa: FBT001
        names = {"*", kind, f"{group}/{kind}"} | ({"workload"} if bears_pods else set())
        about = [
            control
            for control in self._controls.values()
            if not names.isdisjoint(control.applies.kinds) and facts.issuperset(control.applies.when)
        ]
        return Applicable(
            object=frozenset(control.id for control in about if control.subject is not Subject.CONTAINER),
            containers={
                place: frozenset(
                    control.id
                    for control in about
                    if control.subject is Subject.CONTAINER and place in control.applies.containers
                )
                for place in ("main", "init", "ephemeral")
            },
        )
