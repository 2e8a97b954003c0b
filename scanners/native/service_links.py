"""Variables with the address of every Service of the namespace, which Kubernetes puts into each container."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from model.resource import Resource
from model.values import mapping
from scanners.native.engine import Flaw, Neighbours, Verdicts, survey
from scanners.native.selection import places_for, places_of

CONTROL = "service-links"
MANY = 20
"""Services, from which on their variables are a finding: seven for each of their ports."""


@survey(CONTROL)
def service_links(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """``enableServiceLinks`` is true where it is not stated (core/v1, PodSpec)."""
    if not resource.pods:
        return {}
    known = neighbours.derived(_services)
    number = sum(known.get(place, 0) for place in places_for(resource.ref.namespace))
    if number < MANY:
        return {CONTROL: []}
    message = f"gets variables of {number} Services that are deployed with it"
    return {
        CONTROL: [
            Flaw((*pod.path, "enableServiceLinks"), message)
            for pod in resource.pods
            if pod.spec.get("enableServiceLinks") is not False
        ]
    }


def _services(neighbours: Neighbours) -> Mapping[str, int]:
    """How many with an address of their own there are, by place; headless ones get no variables."""
    found: Counter[str] = Counter()
    for resource in neighbours.of_kind("Service"):
        spec = mapping(resource.value.get("spec"))
        if not resource.ref.group and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
            found.update(places_of(resource.ref.namespace))
    return found
