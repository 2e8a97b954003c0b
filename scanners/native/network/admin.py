"""AdminNetworkPolicy, BaselineAdminNetworkPolicy, and ClusterNetworkPolicy, which takes the place of both.

They isolate nothing by selecting it: only what their rules name is allowed, denied, or left to the NetworkPolicies; the
baseline is asked where no NetworkPolicy selects the pod (network-policy-api.sigs.k8s.io, "API Specification").
"""

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
from scanners.native.network.selectors import EVERYTHING, NOTHING, Selector, label_selector
from scanners.native.numbers import whole

BASELINE = "BaselineAdminNetworkPolicy"
CLUSTER = "ClusterNetworkPolicy"
ADMIN_KINDS = ("AdminNetworkPolicy", BASELINE, CLUSTER)
GROUP = "policy.networking.k8s.io"
ACTIONS = {"accept": Action.ALLOW, "allow": Action.ALLOW, "deny": Action.DENY, "pass": Action.PASS}
PEERS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
LAST = 1001
"""Behind the highest priority there is."""


def admin_policies(resource: Resource) -> Iterator[Policy]:
    """The one policy of the object."""
    spec = mapping(resource.value.get("spec"))
    kind, subject = resource.ref.kind, mapping(spec.get("subject"))
    is_baseline = kind == BASELINE or (kind == CLUSTER and text(spec.get("tier")).lower() == "baseline")
    pods, namespaces, path = _subject(subject)
    priority = whole(spec.get("priority"))
    yield Policy(
        resource=resource,
        family=Family.BASELINE if is_baseline else Family.ADMIN,
        path=path,
        key=("*", json.dumps(subject, sort_keys=True)),
        pods=pods,
        namespaces=namespaces,
        rules=tuple(rule for direction in Direction for rule in _rules(spec, direction)),
        order=LAST if priority is None else priority,
    )


def _subject(subject: Mapping[str, Json]) -> tuple[Selector, Selector, FieldPath]:
    """Pods, namespaces, and where they stand."""
    path: FieldPath = ("spec", "subject")
    if subject.get("pods") is not None:
        pods = mapping(subject.get("pods"))
        return (
            label_selector(pods.get("podSelector"), absent=EVERYTHING),
            label_selector(pods.get("namespaceSelector"), absent=EVERYTHING),
            (*path, "pods"),
        )
    return EVERYTHING, label_selector(subject.get("namespaces"), absent=NOTHING), (*path, "namespaces")


def _rules(spec: Mapping[str, Json], direction: Direction) -> Iterator[Rule]:
    for position, entry in enumerate(sequence(spec.get(direction))):
        action = ACTIONS.get(text(dig(entry, "action")).lower())
        path: FieldPath = ("spec", direction.value, position)
        if action is not None:
            yield Rule(
                path=path,
                direction=direction,
                action=action,
                peers=_peers(mapping(entry), direction, path),
                ports=_ports(mapping(entry)),
            )


def _peers(rule: Mapping[str, Json], direction: Direction, path: FieldPath) -> tuple[Peer, ...]:
    """For ingress all namespaces are all there is: nobody outside of the cluster can be named.

    For egress all addresses are.
    """
    field = PEERS[direction]
    entries = enumerate(sequence(rule.get(field)))
    peers = tuple(peer for position, entry in entries for peer in _peer(entry, (*path, field, position)))
    is_everything = (
        any(peer.reach is Reach.EVERY_POD for peer in peers)
        if direction is Direction.INGRESS
        else any(peer.states_any_address and not peer.excluded for peer in peers)
    )
    if not is_everything:
        return peers
    first = next(peer for peer in peers if peer.reach is Reach.EVERY_POD or peer.states_any_address)
    return (*peers, Peer(path=first.path, reach=Reach.EVERYTHING, networks=first.networks))


def _peer(entry: Json, path: FieldPath) -> Iterator[Peer]:
    value = mapping(entry)
    if value.get("pods") is not None:
        yield _pods(mapping(value.get("pods")), (*path, "pods"))
    elif value.get("namespaces") is not None:
        namespaces = label_selector(value.get("namespaces"), absent=NOTHING)
        reach = Reach.EVERY_POD if namespaces.is_all else Reach.OTHER_PODS
        yield Peer(path=(*path, "namespaces"), reach=reach, namespaces=namespaces)
    elif value.get("networks") is not None:
        stated = networks(map(text, sequence(value.get("networks"))))
        yield Peer(path=(*path, "networks"), reach=Reach.ADDRESSES, networks=stated)
    elif value.get("domainNames") is not None:
        yield Peer(path=(*path, "domainNames"), reach=Reach.NAMES)
    elif value.get("nodes") is not None:
        yield Peer(path=(*path, "nodes"), reach=Reach.OTHERS)


def _pods(value: Mapping[str, Json], path: FieldPath) -> Peer:
    pods = label_selector(value.get("podSelector"), absent=EVERYTHING)
    namespaces = label_selector(value.get("namespaceSelector"), absent=EVERYTHING)
    reach = Reach.EVERY_POD if pods.is_all and namespaces.is_all else Reach.OTHER_PODS
    return Peer(path=path, reach=reach, pods=pods, namespaces=namespaces)


def _ports(rule: Mapping[str, Json]) -> Ports | None:
    """``portNumber``, ``portRange`` or ``namedPort``; of ClusterNetworkPolicy ``protocols`` with a destination port."""
    entries = [mapping(entry) for entry in sequence(rule.get("ports") or rule.get("protocols"))]
    if not entries:
        return None
    names = [text(entry.get("namedPort") or entry.get("destinationNamedPort")) for entry in entries]
    return Ports(
        spans=tuple(span for entry in entries for span in _spans(entry)), names=tuple(name for name in names if name)
    )


def _spans(entry: Mapping[str, Json]) -> Iterator[Span]:
    for name in ("tcp", "udp", "sctp"):
        if entry.get(name) is not None:
            yield _span(mapping(dig(entry.get(name), "destinationPort")), name.upper())
    number, span = mapping(entry.get("portNumber")), mapping(entry.get("portRange"))
    if number:
        port = whole(number.get("port")) or 0
        yield Span((text(number.get("protocol")) or TCP).upper(), port, port)
    if span:
        protocol = (text(span.get("protocol")) or TCP).upper()
        yield Span(protocol, whole(span.get("start")) or 0, whole(span.get("end")) or 0)


def _span(port: Mapping[str, Json], protocol: str) -> Span:
    number = whole(port.get("number"))
    if number is not None:
        return Span(protocol, number, number)
    span = mapping(port.get("range"))
    first, last = whole(span.get("start")), whole(span.get("end"))
    return Span(protocol, FIRST_PORT if first is None else first, LAST_PORT if last is None else last)
