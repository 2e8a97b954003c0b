"""CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy (cilium.io/v2), ``spec`` and each of ``specs``.

A rule isolates in each direction that has rules, unless ``enableDefaultDeny`` says otherwise; what is denied stays so,
whatever other policies allow (Cilium, "Policy Enforcement Modes", "Deny Policies").
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from model.resource import Resource
from model.values import FieldPath, Json, dig, mapping, sequence, text
from scanners.native.network.kubernetes import ORDER, TIER
from scanners.native.network.rules import (
    ANY_ADDRESS,
    ANY_PROTOCOL,
    FIRST_PORT,
    LAST_PORT,
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
from scanners.native.network.selectors import EVERYTHING, NOTHING, Selector, label_selector
from scanners.native.numbers import whole

CLUSTERWIDE = "CiliumClusterwideNetworkPolicy"
PREFIX = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
POD_SOURCES = frozenset({"any", "k8s"})
"""Where the labels of pods come from; other sources are the reserved ones, CIDRs and container runtimes."""
NAMESPACE = "io.kubernetes.pod.namespace"
NAMESPACE_LABELS = "io.cilium.k8s.namespace.labels."
ACCOUNT = "io.cilium.k8s.policy.serviceaccount"
CLUSTER = "io.cilium.k8s.policy.cluster"
ENTITIES = {
    "all": (Reach.EVERYTHING, ANY_ADDRESS),
    "world": (Reach.ADDRESSES, ANY_ADDRESS),
    "world-ipv4": (Reach.ADDRESSES, networks(["0.0.0.0/0"])),
    "world-ipv6": (Reach.ADDRESSES, networks(["::/0"])),
    "cluster": (Reach.EVERY_POD, ()),
}
"""The others are nodes, the API server, and pods that are no ordinary ones."""
EVERY_NAME = frozenset({"*", "**"})
LAYER_3 = ("Endpoints", "Entities", "CIDR", "CIDRSet", "Nodes", "Groups", "Services", "FQDNs")


def cilium_policies(resource: Resource) -> Iterator[Policy]:
    """One for each rule of the object."""
    if resource.value.get("spec") is not None:
        yield _policy(resource, ("spec",), mapping(resource.value.get("spec")))
    for position, spec in enumerate(sequence(resource.value.get("specs"))):
        yield _policy(resource, ("specs", position), mapping(spec))


def _policy(resource: Resource, path: FieldPath, spec: Mapping[str, Json]) -> Policy:
    is_for_nodes = spec.get("nodeSelector") is not None and spec.get("endpointSelector") is None
    selector = spec.get("endpointSelector")
    is_clusterwide = resource.ref.kind == CLUSTERWIDE
    place = _Place(is_clusterwide, path)
    return Policy(
        resource=resource,
        family=Family.CILIUM,
        path=(*path, "nodeSelector" if is_for_nodes else "endpointSelector"),
        key=("*" if is_clusterwide else resource.ref.namespace, json.dumps(selector, sort_keys=True)),
        pods=label_selector(selector, absent=NOTHING, key_of=key_of),
        namespaces=EVERYTHING if is_clusterwide else None,
        is_for_pods=not is_for_nodes,
        isolates=frozenset(direction for direction in Direction if _denies_by_default(spec, direction)),
        rules=tuple(rule for direction in Direction for rule in place.rules(spec, direction)),
        tier=TIER,
        order=ORDER,
    )


def key_of(key: str) -> str | None:
    """The label that a key means; ``k8s:app`` and ``any:app`` are ``app``."""
    source, colon, name = key.partition(":")
    if not colon:
        return key
    return name if source in POD_SOURCES else None


def _denies_by_default(spec: Mapping[str, Json], direction: Direction) -> bool:
    stated = dig(spec.get("enableDefaultDeny"), direction.value)
    if isinstance(stated, bool):
        return stated
    return bool(sequence(spec.get(direction)) or sequence(spec.get(f"{direction}Deny")))


class _Place(NamedTuple):
    """Whose rules are read: what a peer means depends on it."""

    is_clusterwide: bool
    path: FieldPath

    def rules(self, spec: Mapping[str, Json], direction: Direction) -> Iterator[Rule]:
        """Those that deny come first."""
        for field, action in ((f"{direction}Deny", Action.DENY), (direction.value, Action.ALLOW)):
            for position, entry in enumerate(sequence(spec.get(field))):
                path = (*self.path, field, position)
                yield Rule(
                    path=path,
                    direction=direction,
                    action=action,
                    peers=tuple(self._peers(mapping(entry), PREFIX[direction], path)),
                    ports=_ports(mapping(entry)),
                )

    def _peers(self, rule: Mapping[str, Json], prefix: str, path: FieldPath) -> Iterator[Peer]:
        """Ports alone are open to everybody; a rule that says nothing at all matches nothing."""
        if all(rule.get(f"{prefix}{field}") is None for field in LAYER_3):
            if rule.get("toPorts") is not None or rule.get("icmps") is not None:
                yield Peer(path=path, reach=Reach.EVERYTHING)
            return
        yield from self._endpoints(rule, f"{prefix}Endpoints", path)
        yield from _addresses(rule, prefix, path)
        for position, entity in enumerate(sequence(rule.get(f"{prefix}Entities"))):
            reach, known = ENTITIES.get(text(entity), (Reach.OTHERS, ()))
            where = (*path, f"{prefix}Entities", position)
            yield Peer(path=where, reach=reach, networks=known, name=text(entity))
        yield from _names(rule, path)
        for field in ("Nodes", "Groups", "Services"):
            for position, entry in enumerate(sequence(rule.get(f"{prefix}{field}"))):
                name = text(dig(entry, "k8sService", "serviceName"))
                yield Peer(path=(*path, f"{prefix}{field}", position), reach=Reach.OTHERS, name=name)

    def _endpoints(self, rule: Mapping[str, Json], field: str, path: FieldPath) -> Iterator[Peer]:
        """Of a policy that lies in a namespace those of that namespace, unless the selector names another one."""
        for position, entry in enumerate(sequence(rule.get(field))):
            pods = label_selector(entry, absent=EVERYTHING, key_of=key_of)
            is_elsewhere = self.is_clusterwide or any(map(_names_namespace, pods.keys))
            is_every = (pods.is_all and self.is_clusterwide) or _exists_namespace(entry)
            reach = Reach.EVERY_POD if is_every else Reach.OTHER_PODS if is_elsewhere else Reach.OWN_PODS
            yield Peer(path=(*path, field, position), reach=reach, pods=pods, namespaces=_namespaces(pods))


def _names_namespace(key: str) -> bool:
    return key == NAMESPACE or key.startswith(NAMESPACE_LABELS)


def _exists_namespace(entry: Json) -> bool:
    """``io.kubernetes.pod.namespace`` exists, and nothing else is asked: how a policy names all pods."""
    expressions = sequence(dig(entry, "matchExpressions"))
    if dig(entry, "matchLabels") or len(expressions) != 1:
        return False
    only = mapping(expressions[0])
    return key_of(text(only.get("key"))) == NAMESPACE and only.get("operator") == "Exists"


def _namespaces(pods: Selector) -> Selector:
    """As far as the endpoints' selector names theirs by ``matchLabels``."""
    named = dict(pods.required).get(NAMESPACE)
    if named is None:
        return EVERYTHING
    return label_selector({"matchLabels": {"kubernetes.io/metadata.name": named}}, absent=EVERYTHING)


def _addresses(rule: Mapping[str, Json], prefix: str, path: FieldPath) -> Iterator[Peer]:
    for position, entry in enumerate(sequence(rule.get(f"{prefix}CIDR"))):
        where = (*path, f"{prefix}CIDR", position)
        yield Peer(path=where, reach=Reach.ADDRESSES, networks=networks([text(entry)]))
    for position, entry in enumerate(sequence(rule.get(f"{prefix}CIDRSet"))):
        yield Peer(
            path=(*path, f"{prefix}CIDRSet", position, "cidr"),
            reach=Reach.ADDRESSES,
            networks=networks([text(dig(entry, "cidr"))]),
            excluded=networks(map(text, sequence(dig(entry, "except")))),
        )


def _names(rule: Mapping[str, Json], path: FieldPath) -> Iterator[Peer]:
    """A pattern of a star alone is every address that some name leads to."""
    for position, entry in enumerate(sequence(rule.get("toFQDNs"))):
        pattern = text(dig(entry, "matchPattern"))
        reached = ANY_ADDRESS if pattern in EVERY_NAME else ()
        yield Peer(path=(*path, "toFQDNs", position), reach=Reach.NAMES, networks=reached, name=pattern)


def _ports(rule: Mapping[str, Json]) -> Ports | None:
    """Of ``toPorts``; a rule that names types of ICMP lets no port through."""
    entries = [mapping(port) for each in sequence(rule.get("toPorts")) for port in sequence(dig(each, "ports"))]
    if not entries:
        return Ports(spans=()) if sequence(rule.get("icmps")) else None
    words = [text(entry.get("port")) for entry in entries]
    return Ports(
        spans=tuple(span for entry in entries for span in _spans(entry)),
        names=tuple(word for word in words if word and not word.isdecimal()),
    )


def _spans(entry: Mapping[str, Json]) -> Iterator[Span]:
    """The port is a string; 0 means all, and so does the protocol ``ANY``."""
    protocol = (text(entry.get("protocol")) or "ANY").upper().replace("ANY", ANY_PROTOCOL)
    stated = entry.get("port")
    word = text(stated)
    first = int(word[:6]) if word.isascii() and word.isdecimal() else whole(stated)
    if first == 0:
        yield Span(protocol, FIRST_PORT, LAST_PORT)
    elif first is not None:
        yield Span(protocol, first, whole(entry.get("endPort")) or first)
