"""Who owns the workloads of a namespace, as far as their labels say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from model.resource import Resource
from model.values import dig, mapping, text
from scanners.native.engine import Flaw, Neighbours, Verdicts, survey

CONTROL = "namespace-boundaries"
PART_OF = "app.kubernetes.io/part-of"
INSTANCE = "app.kubernetes.io/instance"
MOST = 3
"""Neighbours that a message names."""


class _Owner(NamedTuple):
    application: str
    instance: str
    """One installation has one owner, however many parts it has; empty where no label says."""


@survey(CONTROL)
def namespace_boundaries(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """Applications by the recommended label ``part-of``; without it, or without a namespace, nobody can say."""
    owner = _owner(resource)
    if owner is None:
        return {}
    strangers = neighbours.derived(_strangers)[resource.ref.namespace, owner.instance]
    others = [application for application in strangers if application != owner.application]
    if not others:
        return {CONTROL: ()}
    named = ", ".join(application[:60] for application in others[:MOST])
    return {CONTROL: (Flaw(("metadata", "namespace"), f"shares its namespace with another application: {named}"),)}


def _strangers(neighbours: Neighbours) -> Mapping[tuple[str, str], Sequence[str]]:
    """By namespace and instance: the first applications that are not of that instance alone.

    One more than a message names, as one of them may be the reader's own.
    """
    found: dict[tuple[str, str], Sequence[str]] = {}
    for namespace, instances_of in _applications(neighbours).items():
        ordered = sorted(instances_of)
        for instance in set().union(*instances_of.values()):
            own = {instance} if instance else set()
            foreign = (application for application in ordered if instances_of[application] != own)
            found[namespace, instance] = tuple(islice(foreign, MOST + 1))
    return found


def _applications(neighbours: Neighbours) -> Mapping[str, Mapping[str, set[str]]]:
    """By namespace and application: the instances that it is part of."""
    found: dict[str, dict[str, set[str]]] = {}
    for resource in neighbours:
        owner = _owner(resource)
        if owner is not None:
            applications = found.setdefault(resource.ref.namespace, {})
            applications.setdefault(owner.application, set()).add(owner.instance)
    return found


def _owner(resource: Resource) -> _Owner | None:
    if not resource.pods or not resource.ref.namespace:
        return None
    labels = mapping(dig(dict(resource.value), "metadata", "labels"))
    application = text(labels.get(PART_OF))
    return _Owner(application, text(labels.get(INSTANCE))) if application else None
