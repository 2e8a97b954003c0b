"""NetworkPolicy and GlobalNetworkPolicy of Calico (projectcalico.org/v3, crd.projectcalico.org/v1), and their tiers.

Policies of a tier are asked by ``order``; what none of them decides is denied at the end of the tier for the pods that
any of them selects (Calico, "Get started with tiered network policy"). Staged policies enforce nothing, so
they are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from model.resource import Resource
from model.values import FieldPath, Json, dig, mapping, sequence, text
from scanners.native.engine import Neighbours
from scanners.native.network.calico_language import calico_selector
from scanners.native.network.kubernetes import TIER
from scanners.native.network.rules import (
    ANY_ADDRESS,
    ANY_PROTOCOL,
    FIRST_PORT,
    LAST_PORT,
    TCP,
    UDP,
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
from scanners.native.network.selectors import NOTHING, Selector
from scanners.native.numbers import whole

GLOBAL = "GlobalNetworkPolicy"
GROUPS = ("crd.projectcalico.org", "projectcalico.org")
DEFAULT_TIER = "default"
ACTIONS = {"allow": Action.ALLOW, "deny": Action.DENY, "pass": Action.PASS, "next-tier": Action.PASS}
"""``Log`` decides nothing."""
FOR_NODES = ("applyOnForward", "doNotTrack", "preDNAT")
"""Of these the last two are about host endpoints only, the first one about them as well."""
NAMESPACE = "projectcalico.org/namespace"
ACCOUNT = "projectcalico.org/serviceaccount"
ORCHESTRATOR = "projectcalico.org/orchestrator"
NAMESPACE_LABELS, ACCOUNT_LABELS = "pcns.", "pcsa."
OF_PODS = (NAMESPACE, ACCOUNT, ORCHESTRATOR, NAMESPACE_LABELS, ACCOUNT_LABELS)
"""How keys begin that only pods have."""
NUMBERED = {"6": TCP, "17": UDP, "132": "SCTP"}
SIDES = {Direction.INGRESS: "source", Direction.EGRESS: "destination"}


def calico_policies(resource: Resource, neighbours: Neighbours) -> Iterator[Policy]:
    """The one policy of the object."""
    spec = mapping(resource.value.get("spec"))
    is_global = resource.ref.kind == GLOBAL
    stated = {name: text(spec.get(name)) for name in ("selector", "namespaceSelector", "serviceAccountSelector")}
    pods = _selector(stated["selector"])
    namespaces = _selector(stated["namespaceSelector"]) if is_global else None
    order, tier = spec.get("order"), neighbours.derived(_tiers).get(text(spec.get("tier")) or DEFAULT_TIER)
    isolates = _directions(spec)
    yield Policy(
        resource=resource,
        family=Family.CALICO,
        path=("spec", "selector"),
        key=("*" if is_global else resource.ref.namespace, *stated.values()),
        pods=pods,
        namespaces=namespaces,
        accounts=_selector(stated["serviceAccountSelector"]),
        is_for_pods=not (spec.get("doNotTrack") is True or spec.get("preDNAT") is True),
        may_mean_nodes=is_global and _may_mean_nodes(spec, stated, pods),
        isolates=isolates,
        rules=tuple(rule for direction in Direction if direction in isolates for rule in _rules(spec, direction)),
        tier=tier[0] if tier else _unknown_tier(text(spec.get("tier"))),
        order=order if isinstance(order, int | float) and not isinstance(order, bool) else math.inf,
        ends_with_pass=bool(tier and tier[1]),
    )


def _selector(stated: str) -> Selector:
    """One that Calico refuses selects nothing: the policy is never there."""
    return calico_selector(stated) or NOTHING


def _may_mean_nodes(spec: Mapping[str, Json], stated: Mapping[str, str], pods: Selector) -> bool:
    """Host endpoints have no namespace and no account; whether nodes carry the other labels, no manifest shows."""
    if any(spec.get(name) is True for name in FOR_NODES):
        return True
    is_about_pods = stated["namespaceSelector"] or stated["serviceAccountSelector"]
    return not is_about_pods and not any(key.startswith(OF_PODS) for key in pods.keys)


def _tiers(neighbours: Neighbours) -> Mapping[str, tuple[float, bool]]:
    """Place and whether it passes on at its end, by name; the default one is there without an object."""
    tiers: dict[str, tuple[float, bool]] = {DEFAULT_TIER: (TIER, False)}
    for resource in neighbours.of_kind("Tier"):
        if resource.ref.group in GROUPS:
            spec = mapping(resource.value.get("spec"))
            order = spec.get("order")
            place = order if isinstance(order, int | float) and not isinstance(order, bool) else math.inf
            tiers[resource.ref.name] = (place, text(spec.get("defaultAction")).lower() == "pass")
    return tiers


def _unknown_tier(name: str) -> float:
    """Tiers that no manifest shows are made to be asked before the default one."""
    return 0 if name else TIER


def _directions(spec: Mapping[str, Json]) -> frozenset[Direction]:
    """``types``; where none is stated, those that have rules; without rules ingress."""
    stated = {text(each).lower() for each in sequence(spec.get("types"))}
    ruled = {direction for direction in Direction if sequence(spec.get(direction))}
    chosen = {direction for direction in Direction if direction in stated} if stated else ruled
    return frozenset(chosen) if stated or ruled else frozenset({Direction.INGRESS})


def _rules(spec: Mapping[str, Json], direction: Direction) -> Iterator[Rule]:
    for position, entry in enumerate(sequence(spec.get(direction))):
        rule = mapping(entry)
        action = ACTIONS.get(text(rule.get("action")).lower())
        path: FieldPath = ("spec", direction.value, position)
        if action is not None:
            peer = _peer(mapping(rule.get(SIDES[direction])), (*path, SIDES[direction]), path)
            is_narrow = _narrows(rule, direction)
            peers = () if is_narrow and action is not Action.ALLOW else (peer,)
            yield Rule(path=path, direction=direction, action=action, peers=peers, ports=_ports(rule))


def _narrows(rule: Mapping[str, Json], direction: Direction) -> bool:
    """Whether it matches a part only of what its peer says: then it neither denies nor passes all of it."""
    own = SIDES[Direction.EGRESS if direction is Direction.INGRESS else Direction.INGRESS]
    match = {**rule, **{f"own {key}": value for key, value in mapping(rule.get(own)).items() if key != "ports"}}
    return any(match.get(name) for name in ("http", "icmp", "notICMP", "ipVersion", "own selector", "own nets"))


def _peer(entity: Mapping[str, Json], path: FieldPath, rule: FieldPath) -> Peer:
    """An entity that says nothing is everything; what it says in several fields holds together."""
    nets, excluded = sequence(entity.get("nets")), networks(map(text, sequence(entity.get("notNets"))))
    if nets:
        stated = networks(map(text, nets))
        return Peer(path=(*path, "nets"), reach=Reach.ADDRESSES, networks=stated, excluded=excluded)
    names = ("selector", "notSelector", "namespaceSelector")
    selector, others, namespaces = (text(entity.get(name)).strip() for name in names)
    if selector or others or namespaces:
        return _pods(path, selector, others, namespaces)
    if mapping(entity.get("serviceAccounts")) or mapping(entity.get("services")):
        name = text(dig(entity.get("services"), "name"))
        return Peer(path=path, reach=Reach.OTHERS, name=name)
    if sequence(entity.get("domains")):
        return Peer(path=(*path, "domains"), reach=Reach.NAMES)
    if excluded:
        return Peer(path=(*path, "notNets"), reach=Reach.ADDRESSES, networks=ANY_ADDRESS, excluded=excluded)
    return Peer(path=rule, reach=Reach.EVERYTHING)


def _pods(path: FieldPath, selector: str, others: str, namespaces: str) -> Peer:
    """Pods and network sets; ``global()`` as namespaces means what lies in none."""
    pods, places = _selector(selector), _selector(namespaces)
    is_global = namespaces.replace(" ", "").startswith("global(")
    if others or is_global:
        return Peer(path=path, reach=Reach.OTHERS)
    reach = Reach.OWN_PODS if not namespaces and not any(key.startswith(OF_PODS) for key in pods.keys) else None
    is_every = pods.is_all and bool(namespaces) and places.is_all
    field = "selector" if selector else "namespaceSelector"
    return Peer(
        path=(*path, field),
        reach=Reach.EVERY_POD if is_every else reach or Reach.OTHER_PODS,
        pods=pods,
        namespaces=places,
    )


def _ports(rule: Mapping[str, Json]) -> Ports | None:
    """Of the destination, in either direction; ``notPorts`` leave the others."""
    stated = rule.get("protocol")
    protocol = _protocol(stated)
    target = mapping(rule.get("destination"))
    entries = sequence(target.get("ports"))
    if entries:
        spans = tuple(span for entry in entries for span in _spans(entry, protocol))
        return Ports(spans=spans, names=tuple(text(entry) for entry in entries if not any(_spans(entry, protocol))))
    left_out = [span for entry in sequence(target.get("notPorts")) for span in _spans(entry, protocol)]
    if stated is None and not left_out:
        return None
    return Ports(spans=tuple(_others(left_out, protocol)))


def _protocol(stated: Json) -> str:
    """A name, or a number of IANA."""
    if isinstance(stated, bool) or not isinstance(stated, str | int):
        return ANY_PROTOCOL
    return NUMBERED.get(str(stated), str(stated).upper())


def _spans(entry: Json, protocol: str) -> Iterator[Span]:
    """A number, ``8000:9000``, or a name, which is none."""
    if isinstance(entry, str):
        first, colon, last = entry.partition(":")
        if all(word.isascii() and word.isdecimal() for word in (first, last or "0")):
            yield Span(protocol, int(first[:6]), int((last if colon else first)[:6] or "0"))
    else:
        number = whole(entry)
        if number is not None:
            yield Span(protocol, number, number)


def _others(left_out: list[Span], protocol: str) -> Iterator[Span]:
    """The ports between those that are left out."""
    free = FIRST_PORT
    for span in sorted(left_out, key=lambda span: span.first):
        if free < span.first:
            yield Span(protocol, free, span.first - 1)
        free = max(free, span.last + 1)
    if free <= LAST_PORT:
        yield Span(protocol, free, LAST_PORT)
