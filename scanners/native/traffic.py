"""Whether anybody sends traffic to a bare pod, as far as the Services of its scope say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from model.selectors import carries
from model.values import Json, mapping

if TYPE_CHECKING:
    from model.resource import Pod, Resource
    from scanners.native.engine import Neighbours

Label = tuple[str, str]


def is_passed_by(pod: Pod, resource: Resource, neighbours: Neighbours) -> bool:
    """A pod without a controller, beside Services of which none selects it.

    No release waits for it to be ready, and no Service. Where no Service selects anything, they may be elsewhere.
    """
    by_label = neighbours.derived(_selectors) if resource.ref.kind == "Pod" else {}
    if not by_label:
        return False
    labels = mapping(pod.metadata.get("labels"))
    candidates = (each for label in _labels(labels) for each in by_label.get(label, ()))
    return not any(_meet(resource.ref.namespace, place) and carries(labels, wanted) for place, wanted in candidates)


def _selectors(neighbours: Neighbours) -> Mapping[Label, Sequence[tuple[str, Mapping[str, Json]]]]:
    """Namespace and selector of each Service, by the first label that it asks for."""
    found: dict[Label, list[tuple[str, Mapping[str, Json]]]] = {}
    for service in neighbours.of_kind("Service"):
        wanted = mapping(mapping(service.value.get("spec")).get("selector"))
        first = next(_labels(wanted), None)
        if first is not None:
            found.setdefault(first, []).append((service.ref.namespace, wanted))
    return found


def _labels(labels: Mapping[str, Json]) -> Iterator[Label]:
    return ((key, value) for key, value in labels.items() if isinstance(value, str))


def _meet(one: str, other: str) -> bool:
    """An object that names no namespace may go where the other one goes."""
    return one == other or not one or not other
