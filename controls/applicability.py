"""Which controls are about which subject of a resource: evaluated by us, never taken from a scanner's silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from model.control import Control, Subject
from model.finding import OBJECT
from model.resource import Container, Resource
from model.values import Json, dig, sequence, text

RUN_TO_COMPLETION = frozenset({"Job", "CronJob"})
REPLICATED = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "DeploymentConfig"})
RUN_FIELDS = frozenset({"args", "command", "env", "resources", "securityContext", "source", "volumeMounts"})
"""What stands beside an image where a container is described."""
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "kubelet")


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
    return frozenset([_program(container).rsplit("/", 1)[-1] for container in resource.containers])


def _program(container: Container) -> str:
    """The first word of its command, or of its arguments where it has none; empty without either."""
    words = sequence(container.value.get("command")) or sequence(container.value.get("args"))
    return text(words[0]) if words else ""


PREDICATES: Mapping[str, Callable[[Resource], bool]] = {
    "linux": _runs_linux,
    "long-running": _runs_long,
    "replicated": _is_replicated,
    **{f"component:{component}": _runs(component) for component in COMPONENTS},
}
"""What ``applies.when`` in the catalogue may name. Of a resource without pods they know nothing but group and kind."""


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
        if resource.pods:
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
