"""NetworkPolicy of Kubernetes itself (networking.k8s.io/v1): it allows only, and isolates what it selects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from model.resource import Resource
from model.values import FieldPath, Json, dig, mapping, sequence, text
from scanners.native.network.rules import (
    FIRST_PORT,
    LAST_PORT,
    TCP,
    Action,
    Direction,
    Family,
    Peer,
    Policy,
    Ports,
    Reach,
    Rule,
    Span,
    networks,
)
from scanners.native.network.selectors import EVERYTHING, NOTHING, label_selector
from scanners.native.numbers import whole

TIER, ORDER = 1_000_000, 1000
"""Where Calico puts these policies between its own."""
PEERS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}


def kubernetes_policies(resource: Resource) -> Iterator[Policy]:
    """The one policy of the object."""
    spec = mapping(resource.value.get("spec"))
    selector, isolates = spec.get("podSelector"), directions(spec)
    yield Policy(
        resource=resource,
        family=Family.KUBERNETES,
        path=("spec", "podSelector"),
        key=(resource.ref.namespace, json.dumps(selector, sort_keys=True)),
        pods=label_selector(selector, absent=EVERYTHING),
        namespaces=None,
        isolates=isolates,
        rules=tuple(rule for direction in Direction if direction in isolates for rule in _rules(spec, direction)),
        tier=TIER,
        order=ORDER,
    )


def directions(spec: Mapping[str, Json]) -> frozenset[Direction]:
    """``policyTypes``; where none is stated, ingress, and egress where there are rules for it."""
    stated = {text(each).lower() for each in sequence(spec.get("policyTypes"))}
    if not stated:
        return frozenset(Direction) if sequence(spec.get("egress")) else frozenset({Direction.INGRESS})
    return frozenset(direction for direction in Direction if direction in stated)


def _rules(spec: Mapping[str, Json], direction: Direction) -> Iterator[Rule]:
    for position, entry in enumerate(sequence(spec.get(direction))):
        path: FieldPath = ("spec", direction.value, position)
        yield Rule(
            path=path,
            direction=direction,
            action=Action.ALLOW,
            peers=tuple(_peers(mapping(entry), PEERS[direction], path)),
            ports=_ports(mapping(entry)),
        )


def _peers(rule: Mapping[str, Json], field: str, path: FieldPath) -> Iterator[Peer]:
    """An empty list of peers is as good as none: everybody."""
    entries = sequence(rule.get(field))
    if not entries:
        yield Peer(path=path, reach=Reach.EVERYTHING)
    for position, entry in enumerate(entries):
        yield _peer(mapping(entry), (*path, field, position))


def _peer(entry: Mapping[str, Json], path: FieldPath) -> Peer:
    block = entry.get("ipBlock")
    if block is not None:
        return Peer(
            path=(*path, "ipBlock", "cidr"),
            reach=Reach.ADDRESSES,
            networks=networks([text(dig(block, "cidr"))]),
            excluded=networks(map(text, sequence(dig(block, "except")))),
        )
    pods = label_selector(entry.get("podSelector"), absent=EVERYTHING)
    if entry.get("namespaceSelector") is not None:
        namespaces = label_selector(entry.get("namespaceSelector"), absent=NOTHING)
        is_every = namespaces.is_all and pods.is_all
        return Peer(
            path=(*path, "namespaceSelector"),
            reach=Reach.EVERY_POD if is_every else Reach.OTHER_PODS,
            pods=pods,
            namespaces=namespaces,
        )
    return Peer(path=(*path, "podSelector"), reach=Reach.OWN_PODS, pods=pods)


def _ports(rule: Mapping[str, Json]) -> Ports | None:
    entries = [mapping(entry) for entry in sequence(rule.get("ports"))]
    if not entries:
        return None
    named = [text(entry.get("port")) for entry in entries if isinstance(entry.get("port"), str)]
    return Ports(spans=tuple(span for entry in entries for span in _spans(entry)), names=tuple(named))


def _spans(entry: Mapping[str, Json]) -> Iterator[Span]:
    """The protocol is TCP where none is stated, and the ports are all of them."""
    protocol = (text(entry.get("protocol")) or TCP).upper()
    first = whole(entry.get("port"))
    if first is not None:
        last = whole(entry.get("endPort"))
        yield Span(protocol, first, first if last is None else last)
    elif entry.get("port") is None:
        yield Span(protocol, FIRST_PORT, LAST_PORT)
