"""Fields that Kubernetes does not know, and values that it cannot read: what the API server drops or refuses.

Objects whose schema is not known get no verdict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from model.resource import Resource
from model.values import Json, sequence
from scanners.native.engine import Flaw, Verdicts, lone_survey
from scanners.native.hardening import Place, home, is_lost, likely, setting_for, shown
from scanners.native.schemas import Node, Schemas, schemas_for, within

UNKNOWN, MISPLACED, TYPE = "unknown-field", "misplaced-security-field", "invalid-field-type"
NO_VERDICT: Verdicts = {}
CLEAN: Verdicts = {UNKNOWN: (), MISPLACED: (), TYPE: ()}
EXPLAINED = 100
"""Unknown fields of one object that are looked into; of any further ones it is only said that they are unknown."""
DIRECTIVE = re.compile(r"\$(?:patch|retainKeys|deleteFromPrimitiveList|setElementOrder)(?:/|$)")
"""Of a strategic merge patch: it is for who merges, not for the API server."""
RENAMED: Mapping[tuple[str, str], str] = {
    ("IngressSpec", "backend"): "networking.k8s.io/v1 calls it defaultBackend",
    ("IngressBackend", "serviceName"): "networking.k8s.io/v1 calls it service.name",
    ("IngressBackend", "servicePort"): "networking.k8s.io/v1 calls it service.port.number or service.port.name",
    ("HorizontalPodAutoscalerSpec", "metrics"): "autoscaling/v2 knows it",
}
"""Fields of other versions of a kind that many manifests still carry, by definition and name."""
WORDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "a mapping",
}


class Oddity(NamedTuple):
    """A field that the schema does not have, or whose value does not fit."""

    place: Place
    step: str | int
    value: Json
    node: Node | None
    """What stands there by the schema; None for a field that it does not have."""


@lone_survey(UNKNOWN, MISPLACED, TYPE)
def fields(resource: Resource, kube_version: str) -> Verdicts:
    """One walk through the object beside its schema."""
    schemas = schemas_for(kube_version)
    node = schemas.of(resource.api_version, resource.ref.kind)
    if node is None:
        return NO_VERDICT
    oddities = list(_oddities(Place(None, "", dict(resource.value), node)))
    return _verdicts(oddities, schemas) if oddities else CLEAN


def _verdicts(oddities: list[Oddity], schemas: Schemas) -> Verdicts:
    found: dict[str, list[Flaw]] = {control: [] for control in CLEAN}
    for oddity in oddities:
        if oddity.node is not None:
            found[TYPE].append(_unreadable(oddity, oddity.node, schemas))
        elif len(found[UNKNOWN]) + len(found[MISPLACED]) < EXPLAINED:
            control, flaw = _explained(oddity, schemas)
            found[control].append(flaw)
        else:
            found[UNKNOWN].append(_flaw(oddity, f"holds a field that Kubernetes {schemas.version} does not know"))
    return found


def _oddities(root: Place) -> Iterator[Oddity]:
    """Outer fields before inner ones. Null fits everywhere: for Kubernetes it is no value."""
    places = [root]
    for place in places:
        known, inner = place.node.fields, place.node.inner
        if known is None and (inner is None or _are_plain(inner, place.value)):
            continue
        for step, value in _children(place.value):
            node = inner if known is None else known.get(step)
            if node is None:
                if not DIRECTIVE.match(step):
                    yield Oddity(place, step, value, None)
                continue
            kind = type(value)
            if kind not in node.accepts:
                yield Oddity(place, step, value, node)
            elif kind is dict or kind is list:
                places.append(Place(place, step, value, node))
            elif node.refuses is not None and value is not None and node.refuses(value):
                yield Oddity(place, step, value, node)


def _are_plain(node: Node, value: Json) -> bool:
    """Whether all items of a list or map fit by their type alone, as labels and the data of a ConfigMap mostly do."""
    if node.refuses is not None or node.fields is not None or node.inner is not None:
        return False
    return node.accepts.issuperset(map(type, value.values() if isinstance(value, dict) else sequence(value)))


def _children(value: Json) -> Iterable[tuple[Any, Json]]:
    """The fields of a mapping by name, the items of a list by position."""
    return value.items() if isinstance(value, dict) else enumerate(sequence(value))


def _flaw(oddity: Oddity, message: str) -> Flaw:
    return Flaw(oddity.place.path(oddity.step), message)


def _unreadable(oddity: Oddity, node: Node, schemas: Schemas) -> Flaw:
    kind = type(oddity.value)
    if kind in node.accepts:
        message = f"holds {WORDS[kind]} that Kubernetes {schemas.version} cannot read as {node.wants}"
    else:
        message = f"holds {WORDS[kind]} where Kubernetes {schemas.version} wants {node.wants}"
    return _flaw(oddity, message)


def _explained(oddity: Oddity, schemas: Schemas) -> tuple[str, Flaw]:
    """Whether an unknown field is a lost hardening setting, and what was probably meant."""
    name = str(oddity.step)
    says = f"sets {name[:60]}, which Kubernetes {schemas.version} does not know here"
    setting = setting_for(name)
    found = home(oddity.place, setting) if setting is not None else None
    if setting is None or found is None:
        hint = _hint(oddity.place, name)
        return UNKNOWN, _flaw(oddity, f"{says}; {hint}" if hint else says)
    start, steps = found
    lost = is_lost(setting, oddity.value, start.value, steps)
    is_misspelt = start is oddity.place and len(steps) == 1
    meant = f"it is spelt {setting}" if is_misspelt else f"it belongs at {shown(start, steps)}"
    return MISPLACED if lost else UNKNOWN, _flaw(oddity, f"{says}; {meant}")


def _hint(place: Place, name: str) -> str:
    """A new name of the field, one of the same object that is spelt alike, or one of its name further out or in."""
    renamed = RENAMED.get((place.node.name, name))
    if renamed is not None:
        return renamed
    known = likely(place.node, name)
    if known is not None:
        return f"{known} is spelt alike"
    around = next((outer for outer in list(place.outwards())[1:] if name in (outer.node.fields or {})), None)
    if around is not None:
        return f"it is known at {shown(around, [name])}"
    below = _below(place.node, name)
    return f"it is known at {shown(place, [below, name])}" if below else ""


@cache
def _below_index(node: Node) -> Mapping[str, str]:
    """The fields of the objects right below one, each with the step to the first that has it."""
    found: dict[str, str] = {}
    for step, below in within(node):
        for name in below.fields or {}:
            found.setdefault(name, step)
    return found


def _below(node: Node, name: str) -> str | None:
    return _below_index(node).get(name)
