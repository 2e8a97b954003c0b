"""Values of environment variables that come from a ConfigMap or Secret which lacks them. No value is looked at.

What the scope does not hold may be made by somebody else, a Secret above all: there is no verdict on that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from model.resource import Container, Resource, ResourceRef
from model.values import FieldPath, Json, dig, mapping, sequence, text
from scanners.native.engine import Flaw, Neighbours, Verdicts, survey

CONTROL: Final = "env-value-from"
SOURCES: Final = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}


@survey(CONTROL)
def env_value_from(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """Judged where every object that is named lies in the scope; a reference that is optional may lead nowhere."""
    found, is_known = list[Flaw](), False
    for container in (each for pod in resource.pods for each in pod.containers):
        for path, kind, name, key in _references(container):
            ref = ResourceRef(group="", kind=kind, namespace=resource.ref.namespace, name=name)
            objects = neighbours.named(ref)
            is_known = is_known or bool(objects)
            if objects and not any(key in _keys(each) for each in objects):
                found.append(Flaw(path, f"takes a value from the {kind} {name[:80]}, which has no key {key[:80]}"))
    return {CONTROL: found} if is_known else {}


def _references(container: Container) -> Iterator[tuple[FieldPath, str, str, str]]:
    """Path, kind, name and key of each that must be there."""
    for position, variable in enumerate(sequence(container.value.get("env"))):
        for field, kind in SOURCES.items():
            reference = mapping(dig(variable, "valueFrom", field))
            name, key = text(reference.get("name")), text(reference.get("key"))
            if name and key and reference.get("optional") is not True:
                yield (*container.path, "env", position, "valueFrom", field, "key"), kind, name, key


def _keys(source: Resource) -> frozenset[str]:
    """What a ConfigMap or Secret holds."""
    places: tuple[Json, ...] = tuple(source.value.get(name) for name in ("data", "stringData", "binaryData"))
    return frozenset(key for place in places for key in mapping(place))
