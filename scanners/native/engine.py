"""Runs checks over resources: what a check is, what it looks at, and how its flaws become an opinion.

A check sees the objects of its scope, never those of another. One that finds no flaw has passed its subject explicitly;
a survey says itself which of its controls it has judged. It knows nothing of applicability, severity or score.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeVar

import orjson

from model.finding import OBJECT, Finding, Opinion
from model.resource import Container, Pod, Resource, ResourceRef
from model.values import FieldPath, Json, mapping
from scanners.native.traffic import is_passed_by

Step = str | int
Derived = TypeVar("Derived")


class Flaw(NamedTuple):
    """What a check found: the exact field, or the one that is missing."""

    path: FieldPath
    """From the root of the object."""
    message: str
    """In plain words, without values that may be secret."""
    about: tuple[str, ...] = ()
    """As ``Finding.about``."""


@dataclass(slots=True, eq=False)
class Neighbours:
    """The objects of one scope, by identity: two documents may share one; and the Kubernetes they are meant for."""

    kube_version: str = ""
    """``major.minor``; empty where nobody says: then the newest that a check knows."""
    _objects: dict[ResourceRef, list[Resource]] = field(default_factory=dict)
    _derived: dict[Callable[[Neighbours], Any], Any] = field(default_factory=dict)

    @classmethod
    def of(cls, resources: Iterable[Resource], kube_version: str = "") -> Neighbours:
        """All of them know each other."""
        neighbours = cls(kube_version=kube_version)
        for resource in resources:
            neighbours._objects.setdefault(resource.ref, []).append(resource)
        return neighbours

    def __iter__(self) -> Iterator[Resource]:
        """Every object, those of one identity together."""
        return (resource for resources in self._objects.values() for resource in resources)

    def named(self, ref: ResourceRef) -> Sequence[Resource]:
        """The objects of that identity, none where the scope does not hold it."""
        return self._objects.get(ref, ())

    def of_kind(self, kind: str) -> Sequence[Resource]:
        """The objects of that kind, of whatever API group, in order."""
        return self.derived(_by_kind).get(kind, ())

    def derived(self, build: Callable[[Neighbours], Derived]) -> Derived:
        """What ``build`` makes of these objects, made once for all checks that ask."""
        if build not in self._derived:
            self._derived[build] = build(self)
        made: Derived = self._derived[build]
        return made


def _by_kind(neighbours: Neighbours) -> Mapping[str, Sequence[Resource]]:
    kinds: dict[str, list[Resource]] = {}
    for resource in neighbours:
        kinds.setdefault(resource.ref.kind, []).append(resource)
    return kinds


@dataclass(slots=True, eq=False)
class Surroundings:
    """A pod as checks of its containers read it: no more of object and scope, so that equal pods share a verdict."""

    pod: Pod
    spec: Mapping[str, Json]
    security: Mapping[str, Json]
    """``spec.securityContext``, empty where it is absent or no mapping."""
    annotations: Mapping[str, Json]
    kube_version: str
    """As of ``Neighbours``."""
    is_passed_by: bool
    """Nobody sends it traffic (``scanners.native.traffic``)."""

    def at(self, *steps: Step) -> FieldPath:
        """The path of a field of the pod spec."""
        return (*self.pod.path, *steps)

    def at_metadata(self, *steps: Step) -> FieldPath:
        """The path of a field of the pod's metadata."""
        return (*self.pod.metadata_path, *steps)


@dataclass(slots=True, eq=False)
class PodView(Surroundings):
    """A pod as its own checks read it."""

    resource: Resource
    neighbours: Neighbours


@dataclass(slots=True, eq=False)
class ContainerView:
    """A container as checks read it."""

    container: Container
    pod: Surroundings
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
Verdicts = Mapping[str, Sequence[Flaw]]
"""The controls that a survey has judged, each with its flaws; a control that is not in it has no verdict."""
Survey = Callable[[Resource, Neighbours], Verdicts]
LoneSurvey = Callable[[Resource, str], Verdicts]
"""Sees the object and the Kubernetes version it is meant for, and no other object."""
View = TypeVar("View", ContainerView, PodView, Resource)


@dataclass(slots=True)
class Checks:
    """All checks, by what one verdict is about. Topic modules register theirs when they are imported."""

    container: dict[str, Callable[[ContainerView], Flaws]] = field(default_factory=dict)
    pod: dict[str, Callable[[PodView], Flaws]] = field(default_factory=dict)
    object: dict[str, Callable[[Resource], Flaws]] = field(default_factory=dict)
    surveys: dict[tuple[str, ...], Survey] = field(default_factory=dict)
    """By the controls that one look at the object may judge together."""
    lone_surveys: dict[tuple[str, ...], LoneSurvey] = field(default_factory=dict)
    """The same of looks at the object alone."""
    kinds: dict[str, frozenset[str]] = field(default_factory=dict)
    """``Kind`` or ``group/Kind`` by control, where a check of objects is about some kinds only."""
    fields: dict[str, frozenset[str]] = field(default_factory=dict)
    """By control, where a check of containers finds something only in one that has one of these fields."""

    @property
    def ids(self) -> frozenset[str]:
        """Control ids that have a check."""
        return frozenset((*self.container, *self.pod, *self.object, *self.surveyed))

    @property
    def surveyed(self) -> frozenset[str]:
        """Control ids that a survey may judge."""
        return frozenset(control for controls in (*self.surveys, *self.lone_surveys) for control in controls)


CHECKS = Checks()


def container_check(
    control: str, *, fields: Iterable[str] = ()
) -> Callable[[Callable[[ContainerView], Flaws]], Callable[[ContainerView], Flaws]]:
    """Register a check of one container, whichever list of the pod it stands in.

    ``fields``: without any of them the container passes, so that nobody needs to look.
    """
    if fields:
        CHECKS.fields[control] = frozenset(fields)
    return _register(control, CHECKS.container)


def pod_check(control: str) -> Callable[[Callable[[PodView], Flaws]], Callable[[PodView], Flaws]]:
    """Register a check of one pod."""
    return _register(control, CHECKS.pod)


def object_check(
    control: str, *, kinds: Iterable[str] = ()
) -> Callable[[Callable[[Resource], Flaws]], Callable[[Resource], Flaws]]:
    """Register a check of one object: of these ``kinds`` (``Kind`` or ``group/Kind``), or of any."""
    _restrict(control, kinds)
    return _register(control, CHECKS.object)


def survey(*controls: str, kinds: Iterable[str] = ()) -> Callable[[Survey], Survey]:
    """Register one look at an object that judges several controls, or, where it cannot know, none."""

    def register(look_at: Survey) -> Survey:
        assert CHECKS.ids.isdisjoint(controls), f"{sorted(CHECKS.ids.intersection(controls))} have a check already"
        CHECKS.surveys[controls] = look_at
        _restrict(controls[0], kinds)
        return look_at

    return register


def lone_survey(*controls: str, kinds: Iterable[str] = ()) -> Callable[[LoneSurvey], LoneSurvey]:
    """The same of a look that needs no other object: equal objects are looked at once."""

    def register(look_at: LoneSurvey) -> LoneSurvey:
        assert CHECKS.ids.isdisjoint(controls), f"{sorted(CHECKS.ids.intersection(controls))} have a check already"
        CHECKS.lone_surveys[controls] = look_at
        _restrict(controls[0], kinds)
        return look_at

    return register


def _restrict(control: str, kinds: Iterable[str]) -> None:
    if kinds:
        CHECKS.kinds[control] = frozenset(kinds)


def _register(
    control: str, checks: dict[str, Callable[[View], Flaws]]
) -> Callable[[Callable[[View], Flaws]], Callable[[View], Flaws]]:
    def register(check: Callable[[View], Flaws]) -> Callable[[View], Flaws]:
        assert control not in checks, f"{control} has a check already"
        checks[control] = check
        return check

    return register


class Said(NamedTuple):
    """What checks of an object alone have said."""

    findings: tuple[Finding, ...]
    judged: tuple[str, ...]
    """Controls of surveys that have a verdict."""


class SaidOfContainers(NamedTuple):
    """What checks of the containers of one pod have said."""

    findings: tuple[Finding, ...]
    passed: Mapping[str, frozenset[str]]
    """By ``Container.key``."""


@dataclass(slots=True, eq=False)
class Memory:
    """What was said of equal objects and equal pods: most are the same in base and head, and many in environments."""

    objects: dict[tuple[str, str, tuple[FieldPath, ...]], Said] = field(default_factory=dict)
    """By Kubernetes version, digest, and keys that the digest does not show."""
    pods: dict[tuple[str, bool, FieldPath, tuple[str, ...], bytes], SaidOfContainers] = field(default_factory=dict)
    """By what ``Surroundings`` say beside the pod, path, keys of the containers, digest of what their checks see."""


def look(resource: Resource, neighbours: Neighbours, memory: Memory | None = None) -> Opinion:
    """What all checks say about one object among the others of its scope; ``memory`` is that of one run."""
    memory = memory or Memory()
    said = _of_object(resource, neighbours.kube_version, memory)
    findings = list(said.findings)
    pods = [_pod_view(pod, resource, neighbours) for pod in resource.pods]
    for pod in pods:
        findings += _run(_OF_PODS, pod, OBJECT)
    judged: list[str] = []
    for look_at in _about(resource.ref.group, resource.ref.kind).surveys:
        _take(look_at(resource, neighbours), findings, judged)
    failed = frozenset([finding.rule for finding in findings])
    passed = {OBJECT: _rest("pod" if pods else "object", failed, (*said.judged, *judged))}
    for pod in pods:
        of_containers = _of_containers(pod, memory)
        findings += of_containers.findings
        passed |= of_containers.passed
    return Opinion(findings=tuple(findings), passed=passed)


_OF_PODS = CHECKS.pod.items()


@lru_cache(maxsize=1024)
def _about_containers(fields: frozenset[str]) -> Sequence[tuple[str, Callable[[ContainerView], Flaws]]]:
    """The checks that may find something in a container with these fields."""
    return tuple(
        (control, check)
        for control, check in CHECKS.container.items()
        if control not in CHECKS.fields or not CHECKS.fields[control].isdisjoint(fields)
    )


class _About(NamedTuple):
    """The checks and surveys that have anything to say about a kind; the others pass it, or are silent."""

    checks: Sequence[tuple[str, Callable[[Resource], Flaws]]]
    surveys: Sequence[Survey]
    lone_surveys: Sequence[LoneSurvey]


@cache
def _about(group: str, kind: str) -> _About:
    def is_about(control: str) -> bool:
        return CHECKS.kinds.get(control) is None or not CHECKS.kinds[control].isdisjoint({kind, f"{group}/{kind}"})

    return _About(
        tuple((control, check) for control, check in CHECKS.object.items() if is_about(control)),
        tuple(look_at for controls, look_at in CHECKS.surveys.items() if is_about(controls[0])),
        tuple(look_at for controls, look_at in CHECKS.lone_surveys.items() if is_about(controls[0])),
    )


def _of_object(resource: Resource, kube_version: str, memory: Memory) -> Said:
    """What the checks that need nothing but the object say."""
    key = (kube_version, resource.digest, resource.duplicate_keys)
    said = memory.objects.get(key)
    if said is None:
        about = _about(resource.ref.group, resource.ref.kind)
        findings, judged = _run(about.checks, resource, OBJECT), list[str]()
        for look_at in about.lone_surveys:
            _take(look_at(resource, kube_version), findings, judged)
        said = memory.objects[key] = Said(tuple(findings), tuple(judged))
    return said


def _of_containers(pod: PodView, memory: Memory) -> SaidOfContainers:
    """What the checks of all its containers say."""
    containers = pod.pod.containers
    try:
        seen = hashlib.sha256(orjson.dumps((pod.spec, pod.annotations))).digest()
    except orjson.JSONEncodeError:  # a lone surrogate, which is no text
        return _look_at_containers(pod)
    key = (pod.kube_version, pod.is_passed_by, pod.pod.path, tuple([container.key for container in containers]), seen)
    said = memory.pods.get(key)
    if said is None:
        said = memory.pods[key] = _look_at_containers(pod)
    return said


def _look_at_containers(pod: Surroundings) -> SaidOfContainers:
    findings: list[Finding] = []
    passed: dict[str, frozenset[str]] = {}
    for container in pod.pod.containers:
        checks = _about_containers(frozenset(container.value))
        found = _run(checks, _container_view(container, pod), container.key)
        passed[container.key] = _rest("container", frozenset([finding.rule for finding in found]), ())
        findings += found
    return SaidOfContainers(tuple(findings), passed)


def _run(checks: Iterable[tuple[str, Callable[[View], Flaws]]], view: View, subject: str) -> list[Finding]:
    return [
        Finding(rule=control, container=subject, field=flaw.path, message=flaw.message, about=flaw.about)
        for control, check in checks
        for flaw in check(view)
    ]


def _take(verdicts: Verdicts, findings: list[Finding], judged: list[str]) -> None:
    """Add what a survey has found, and the controls that it has judged."""
    judged += verdicts
    for control, flaws in verdicts.items():
        if flaws:
            findings += [
                Finding(rule=control, field=flaw.path, message=flaw.message, about=flaw.about) for flaw in flaws
            ]


@cache
def _rest(subject: str, failed: frozenset[str], judged: tuple[str, ...]) -> frozenset[str]:
    """The checks of a kind of subject that did not fail; one set for all subjects with the same answer."""
    ran = {"container": (CHECKS.container,), "pod": (CHECKS.object, CHECKS.pod), "object": (CHECKS.object,)}[subject]
    return frozenset(control for checks in ran for control in checks).union(judged) - failed


def _pod_view(pod: Pod, resource: Resource, neighbours: Neighbours) -> PodView:
    return PodView(
        pod,
        pod.spec,
        mapping(pod.spec.get("securityContext")),
        mapping(pod.metadata.get("annotations")),
        neighbours.kube_version,
        is_passed_by(pod, resource, neighbours),
        resource,
        neighbours,
    )


def _container_view(container: Container, pod: Surroundings) -> ContainerView:
    return ContainerView(container, pod, container.value, mapping(container.value.get("securityContext")))
