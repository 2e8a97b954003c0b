"""Runs checks over resources: what a check is, what it looks at, and how its flaws become an opinion.

A check sees the objects of its scope, never those of another. One that finds no flaw has passed its subject explicitly.
It knows nothing of applicability, severity or score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple, TypeVar

from model.finding import OBJECT, Finding, Opinion
from model.resource import Container, Pod, Resource, ResourceRef
from model.values import FieldPath, Json, mapping

Step = str | int


class Flaw(NamedTuple):
    """What a check found: the exact field, or the one that is missing."""

    path: FieldPath
    """From the root of the object."""
    message: str
    """In plain words, without values that may be secret."""


@dataclass(slots=True, eq=False)
class Neighbours:
    """The objects of one scope, by identity: two documents may share one."""

    _objects: dict[ResourceRef, list[Resource]] = field(default_factory=dict)

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> Neighbours:
        """All of them know each other."""
        neighbours = cls()
        for resource in resources:
            neighbours._objects.setdefault(resource.ref, []).append(resource)
        return neighbours

    def named(self, ref: ResourceRef) -> Sequence[Resource]:
        """The objects of that identity, none where the scope does not hold it."""
        return self._objects.get(ref, ())


@dataclass(frozen=True, slots=True, eq=False)
class PodView:
    """A pod as checks read it."""

    pod: Pod
    resource: Resource
    spec: Mapping[str, Json]
    security: Mapping[str, Json]
    """``spec.securityContext``, empty where it is absent or no mapping."""
    annotations: Mapping[str, Json]
    neighbours: Neighbours

    def at(self, *steps: Step) -> FieldPath:
        """The path of a field of the pod spec."""
        return (*self.pod.path, *steps)

    def at_metadata(self, *steps: Step) -> FieldPath:
        """The path of a field of the pod's metadata."""
        return (*self.pod.metadata_path, *steps)


@dataclass(frozen=True, slots=True, eq=False)
class ContainerView:
    """A container as checks read it."""

    container: Container
    pod: PodView
    value: Mapping[str, Json]
    security: Mapping[str, Json]
    """``securityContext`` of the container alone."""

    def at(self, *steps: Step) -> FieldPath:
        """The path of a field of the container."""
        return (*self.container.path, *steps)

    def setting(self, name: str) -> Json:
        """A field of the security context that the pod's provides where the container's does not."""
        own = self.security.get(name)
        return self.pod.security.get(name) if own is None else own

    def stated(self, name: str) -> Iterator[tuple[FieldPath, Json]]:
        """Where the container and its pod set the field, each for itself.

        The standards judge the pod's value even where all containers override it: debug containers inherit it.
        """
        if self.security.get(name) is not None:
            yield self.at("securityContext", name), self.security[name]
        if self.pod.security.get(name) is not None:
            yield self.pod.at("securityContext", name), self.pod.security[name]

    def at_setting(self, name: str) -> FieldPath:
        """Where ``setting`` found the field; the container's own security context where it is absent."""
        if self.security.get(name) is None and self.pod.security.get(name) is not None:
            return self.pod.at("securityContext", name)
        return self.at("securityContext", name)


Flaws = Iterator[Flaw]
View = TypeVar("View", ContainerView, PodView, Resource)


@dataclass(slots=True)
class Checks:
    """All checks, by what one verdict is about. Topic modules register theirs when they are imported."""

    container: dict[str, Callable[[ContainerView], Flaws]] = field(default_factory=dict)
    pod: dict[str, Callable[[PodView], Flaws]] = field(default_factory=dict)
    object: dict[str, Callable[[Resource], Flaws]] = field(default_factory=dict)

    @property
    def ids(self) -> frozenset[str]:
        """Control ids that have a check."""
        return frozenset((*self.container, *self.pod, *self.object))


CHECKS = Checks()


def container_check(control: str) -> Callable[[Callable[[ContainerView], Flaws]], Callable[[ContainerView], Flaws]]:
    """Register a check of one container, whichever list of the pod it stands in."""
    return _register(control, CHECKS.container)


def pod_check(control: str) -> Callable[[Callable[[PodView], Flaws]], Callable[[PodView], Flaws]]:
    """Register a check of one pod."""
    return _register(control, CHECKS.pod)


def object_check(control: str) -> Callable[[Callable[[Resource], Flaws]], Callable[[Resource], Flaws]]:
    """Register a check of one object of any kind."""
    return _register(control, CHECKS.object)


def _register(
    control: str, checks: dict[str, Callable[[View], Flaws]]
) -> Callable[[Callable[[View], Flaws]], Callable[[View], Flaws]]:
    def register(check: Callable[[View], Flaws]) -> Callable[[View], Flaws]:
        assert control not in checks, f"{control} has a check already"
        checks[control] = check
        return check

    return register


def look(resource: Resource, neighbours: Neighbours) -> Opinion:
    """What all checks say about one object among the others of its scope."""
    findings = list(_run(CHECKS.object, [resource], OBJECT))
    passed = {}
    pods = [_pod_view(pod, resource, neighbours) for pod in resource.pods]
    findings += _run(CHECKS.pod, pods, OBJECT)
    failed = frozenset(finding.rule for finding in findings)
    passed[OBJECT] = _rest("pod" if pods else "object", failed)
    for pod in pods:
        for container in pod.pod.containers:
            found = list(_run(CHECKS.container, [_container_view(container, pod)], container.key))
            passed[container.key] = _rest("container", frozenset(finding.rule for finding in found))
            findings += found
    return Opinion(findings=tuple(findings), passed=passed)


def _run(checks: Mapping[str, Callable[[View], Flaws]], views: Iterable[View], subject: str) -> Iterator[Finding]:
    for view in views:
        for control, check in checks.items():
            for flaw in check(view):
                yield Finding(rule=control, container=subject, field=flaw.path, message=flaw.message)


@cache
def _rest(subject: str, failed: frozenset[str]) -> frozenset[str]:
    """The checks of a kind of subject that did not fail; one set for all subjects with the same answer."""
    ran = {"container": (CHECKS.container,), "pod": (CHECKS.object, CHECKS.pod), "object": (CHECKS.object,)}[subject]
    return frozenset(control for checks in ran for control in checks) - failed


def _pod_view(pod: Pod, resource: Resource, neighbours: Neighbours) -> PodView:
    return PodView(
        pod=pod,
        resource=resource,
        spec=pod.spec,
        security=mapping(pod.spec.get("securityContext")),
        annotations=mapping(pod.metadata.get("annotations")),
        neighbours=neighbours,
    )


def _container_view(container: Container, pod: PodView) -> ContainerView:
    return ContainerView(
        container=container, pod=pod, value=container.value, security=mapping(container.value.get("securityContext"))
    )
