"""Secrets that many workloads of a scope read: whoever breaks into one of them holds the secret of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from model.resource import Container, Pod, Resource, ResourceRef
from model.values import FieldPath, dig, sequence, text
from scanners.native.engine import Flaw, Neighbours, Verdicts, survey

CONTROL = "secret-shared-widely"
MANY = 5
"""Workloads that read one Secret, from which on it is a finding on each of them."""
Reference = tuple[FieldPath, str]
"""Where a Secret is named, and its name."""


@survey(CONTROL)
def secret_shared_widely(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """One finding a Secret, at the first place of the object that reads it."""
    if not resource.pods:
        return {}
    return {CONTROL: neighbours.derived(_flaws).get(id(resource), ())}


def _flaws(neighbours: Neighbours) -> Mapping[int, Sequence[Flaw]]:
    """By ``id`` of the resource."""
    read = [(resource, first) for resource in neighbours if resource.pods and (first := _first(resource))]
    users: dict[tuple[str, str], set[ResourceRef]] = {}
    for resource, first in read:
        for name in first:
            users.setdefault((resource.ref.namespace, name), set()).add(resource.ref)
    found: dict[int, list[Flaw]] = {}
    for resource, first in read:
        for name, path in first.items():
            number = len(users[resource.ref.namespace, name])
            if number >= MANY:
                message = f"reads the Secret {name[:80]}, as {number - 1} other workloads do"
                found.setdefault(id(resource), []).append(Flaw(path, message))
    return found


def _first(resource: Resource) -> Mapping[str, FieldPath]:
    """Where the object names each Secret first; those to pull images with are no part of it."""
    first: dict[str, FieldPath] = {}
    for pod in resource.pods:
        for path, name in _of_volumes(pod):
            first.setdefault(name, path)
        for container in pod.containers:
            for path, name in _of_environment(container):
                first.setdefault(name, path)
    return first


def _of_volumes(pod: Pod) -> Iterator[Reference]:
    for position, volume in enumerate(sequence(pod.spec.get("volumes"))):
        name = text(dig(volume, "secret", "secretName"))
        if name:
            yield (*pod.path, "volumes", position, "secret", "secretName"), name
        for number, source in enumerate(sequence(dig(volume, "projected", "sources"))):
            name = text(dig(source, "secret", "name"))
            if name:
                yield (*pod.path, "volumes", position, "projected", "sources", number, "secret", "name"), name


def _of_environment(container: Container) -> Iterator[Reference]:
    for position, variable in enumerate(sequence(container.value.get("env"))):
        name = text(dig(variable, "valueFrom", "secretKeyRef", "name"))
        if name:
            yield (*container.path, "env", position, "valueFrom", "secretKeyRef", "name"), name
    for position, source in enumerate(sequence(container.value.get("envFrom"))):
        name = text(dig(source, "secretRef", "name"))
        if name:
            yield (*container.path, "envFrom", position, "secretRef", "name"), name
