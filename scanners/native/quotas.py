"""Bounds of a namespace: defaults and limits for its containers, and what all of them may use together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from model.resource import Resource
from model.values import Json, dig, mapping, sequence
from scanners.native.engine import Flaw, Flaws, Neighbours, Verdicts, object_check, survey
from scanners.native.selection import places_for, places_of

RANGE_FIELDS = ("type", "min", "max", "default", "defaultRequest")
BOUNDED = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
ALIASES = {"cpu": "requests.cpu", "memory": "requests.memory"}
"""Short names of the same quota (kubernetes.io/docs, "Resource Quotas")."""


@object_check("limit-range", kinds=("LimitRange",))
def limit_range(resource: Resource) -> Flaws:
    """Some entry gives bounds and defaults alike: only one of type Container can."""
    entries = [mapping(entry) for entry in sequence(dig(dict(resource.value), "spec", "limits"))]
    lacks = [[field for field in RANGE_FIELDS if not entry.get(field)] for entry in entries]
    if not entries:
        yield Flaw(("spec", "limits"), "limits nothing")
    elif all(lacks):
        position = min(range(len(entries)), key=lambda number: len(lacks[number]))
        path = ("spec", "limits", position, lacks[position][0])
        yield Flaw(path, f"has no {' and no '.join(lacks[position])} for containers")


@survey("resource-quota", kinds=("ResourceQuota",))
def resource_quota(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """Together with the other quotas of its namespace that hold for all pods."""
    together = neighbours.derived(_bounded_for_all_pods)
    bounded = set(_bounded(resource)).union(*(together.get(place, ()) for place in places_for(resource.ref.namespace)))
    missing = [name for name in BOUNDED if name not in bounded]
    flaw = [Flaw(("spec", "hard", missing[0]), f"does not bound {' and '.join(missing)}")] if missing else []
    return {"resource-quota": flaw}


def _bounded(quota: Resource) -> Iterator[str]:
    hard: dict[str, Json] = mapping(dig(dict(quota.value), "spec", "hard"))
    return (ALIASES.get(name, name) for name, value in hard.items() if value is not None)


def _bounded_for_all_pods(neighbours: Neighbours) -> Mapping[str, set[str]]:
    """What quotas without scopes bound, by place."""
    found: dict[str, set[str]] = {}
    for quota in neighbours.of_kind("ResourceQuota"):
        spec = mapping(quota.value.get("spec"))
        if not spec.get("scopes") and not spec.get("scopeSelector"):
            for place in places_of(quota.ref.namespace):
                found.setdefault(place, set()).update(_bounded(quota))
    return found
