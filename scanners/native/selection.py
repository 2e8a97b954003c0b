"""Who selects whom inside a scope: pods by their labels, workloads by the autoscaler that targets them.

An object that names no namespace goes where it is applied to, which may be where the others go: it meets all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from model.resource import Resource
from model.selectors import holds
from model.values import Json, dig, mapping, sequence, text
from scanners.native.engine import Neighbours
from scanners.native.numbers import whole

REPLICATED = frozenset({"Deployment", "DeploymentConfig", "ReplicaSet", "ReplicationController", "StatefulSet"})
"""Kinds that say in ``spec.replicas`` how many pods they want; 1 where they say nothing."""
ANYWHERE = "*"
"""No namespace is called so."""
LABELLED_LATER = frozenset(
    {
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "batch.kubernetes.io/job-name",
        "controller-revision-hash",
        "controller-uid",
        "job-name",
        "pod-template-hash",
        "statefulset.kubernetes.io/pod-name",
    }
)
"""Labels that Kubernetes gives to pods itself."""
TEMPLATED = REPLICATED | {"DaemonSet", "Job"}
"""Kinds whose ``spec.template`` is one of pods, even where it is not complete."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Template:
    """Pods that look alike."""

    resource: Resource
    """Whose pods they are."""
    labels: Mapping[str, Json]


@dataclass(slots=True, kw_only=True, eq=False)
class Templates:
    """The pods of a scope by namespace and label."""

    every: list[Template] = field(default_factory=list)
    _in: dict[str, set[int]] = field(default_factory=dict)
    """Positions in ``every`` by place."""
    _by_label: dict[tuple[str, str, str], set[int]] = field(default_factory=dict)
    """Positions in ``every`` by place, key and value."""

    @classmethod
    def of(cls, neighbours: Neighbours) -> Templates:
        """Of all objects that bear pods."""
        templates = cls()
        for resource in neighbours:
            for labels in _labels(resource):
                templates.add(Template(resource=resource, labels=labels))
        return templates

    def add(self, template: Template) -> None:
        """Write one down under its places and labels."""
        number = len(self.every)
        self.every.append(template)
        for place in places_of(template.resource.ref.namespace):
            self._in.setdefault(place, set()).add(number)
            for key, value in template.labels.items():
                if isinstance(value, str):
                    self._by_label.setdefault((place, key, value), set()).add(number)

    def carry(self, namespace: str, wanted: Mapping[str, Json]) -> bool:
        """Whether some pods have all of these labels."""
        return any(self._carrying(place, wanted) for place in places_for(namespace))

    def selected(self, namespace: str, selector: Json) -> Iterator[Template]:
        """The pods that a label selector matches."""
        if not isinstance(selector, dict):
            return
        plain = mapping(selector.get("matchLabels"))
        expressions = [mapping(expression) for expression in sequence(selector.get("matchExpressions"))]
        for number in sorted(number for place in places_for(namespace) for number in self._carrying(place, plain)):
            if all(holds(expression, self.every[number].labels) for expression in expressions):
                yield self.every[number]

    def _carrying(self, place: str, wanted: Mapping[str, Json]) -> set[int]:
        found = [self._by_label.get((place, key, text(value)), set()) for key, value in wanted.items()]
        return set.intersection(*sorted(found, key=len)) if found else self._in.get(place, set())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Autoscaler:
    """A HorizontalPodAutoscaler or a ScaledObject of KEDA."""

    resource: Resource
    minimum: int
    """Of pods that it leaves."""


def autoscaler_of(workload: Resource, neighbours: Neighbours) -> Autoscaler | None:
    """The autoscaler of the scope that targets the workload."""
    ref = workload.ref
    known = neighbours.derived(_autoscalers)
    found = (known.get((place, ref.kind, ref.name)) for place in places_for(ref.namespace))
    return next((autoscaler for autoscaler in found if autoscaler is not None), None)


def replicas(workload: Resource, neighbours: Neighbours) -> int | None:
    """How many pods the workload has at least while it is in use; None where it does not say."""
    if workload.ref.kind not in REPLICATED:
        return None
    autoscaler = autoscaler_of(workload, neighbours)
    if autoscaler is not None:
        return max(autoscaler.minimum, 1)
    stated = dig(dict(workload.value), "spec", "replicas")
    return 1 if stated is None else whole(stated)


def has_one_replica(workload: Resource, neighbours: Neighbours) -> bool:
    """Whether it states that it never has a second pod.

    One that leaves ``spec.replicas`` open is meant to be scaled by somebody.
    """
    stated = whole(dig(dict(workload.value), "spec", "replicas"))
    return stated is not None and stated <= 1 and autoscaler_of(workload, neighbours) is None


def places_of(namespace: str) -> tuple[str, ...]:
    """The keys under which an object of that namespace is written down."""
    return (namespace, ANYWHERE)


def places_for(namespace: str) -> tuple[str, ...]:
    """The keys under which an object of that namespace finds those that it may meet."""
    return (namespace, "") if namespace else (ANYWHERE,)


def _labels(resource: Resource) -> Iterator[Mapping[str, Json]]:
    if resource.pods:
        for pod in resource.pods:
            yield mapping(pod.metadata.get("labels"))
    elif resource.ref.kind in TEMPLATED:
        template = dig(dict(resource.value), "spec", "template")
        if isinstance(template, dict):
            yield mapping(dig(template, "metadata", "labels"))
        elif template is None:  # a part of one, such as a patch: its pods carry at least what it selects them by
            yield mapping(dig(dict(resource.value), "spec", "selector", "matchLabels"))


def _autoscalers(neighbours: Neighbours) -> Mapping[tuple[str, str, str], Autoscaler]:
    """The first one by place, and by kind and name of the target."""
    found: dict[tuple[str, str, str], Autoscaler] = {}
    for kind, least, default in (("HorizontalPodAutoscaler", "minReplicas", 1), ("ScaledObject", "minReplicaCount", 0)):
        for resource in neighbours.of_kind(kind):
            spec = mapping(resource.value.get("spec"))
            target = mapping(spec.get("scaleTargetRef"))
            minimum = whole(spec.get(least))
            autoscaler = Autoscaler(resource=resource, minimum=default if minimum is None else minimum)
            for place in places_of(resource.ref.namespace):
                key = place, text(target.get("kind")) or "Deployment", text(target.get("name"))
                found.setdefault(key, autoscaler)
    return found
