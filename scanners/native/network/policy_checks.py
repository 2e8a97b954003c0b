"""What a network policy itself does wrong: it selects nothing, or lets more through than it seems to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from model.resource import Resource
from model.values import FieldPath, Json, dig, mapping, sequence
from scanners.native.engine import Flaw, Flaws, Neighbours, Verdicts, object_check, survey
from scanners.native.network.coverage import Coverages
from scanners.native.network.pods import POLICIES, Group, Selections
from scanners.native.network.rules import Action, Direction, Family, Peer, Policy, Reach, Rule
from scanners.native.selection import places_for

COME, GO = "lets in", "lets pods reach"
WAY = {Direction.INGRESS: COME, Direction.EGRESS: GO}
SELECTORS = ("podSelector", "namespaceSelector")


@object_check(
    "network-policy-selector",
    kinds=("/NetworkPolicy", "extensions/NetworkPolicy", "networking.k8s.io/NetworkPolicy"),
)
def network_policy_selector(resource: Resource) -> Flaws:
    """Neither whom it protects nor who may come is stated; an empty podSelector states that it is every pod."""
    spec = mapping(resource.value.get("spec"))
    peers = (
        peer
        for rules, field in (("ingress", "from"), ("egress", "to"))
        for rule in sequence(spec.get(rules))
        for peer in sequence(dig(rule, field))
    )
    if not any(_has_selector(each) for each in (spec, *peers)):
        yield Flaw(("spec", "podSelector"), "names neither pods nor namespaces")


def _has_selector(value: Json) -> bool:
    return any(dig(value, field) is not None for field in SELECTORS)


@survey(
    "network-policy-dangling",
    "network-policy-allow-all",
    "network-policy-internet",
    "network-policy-metadata",
    kinds=POLICIES,
)
def network_policy(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """A policy that may mean nodes, or pods whose labels no manifest shows, is not judged for what it selects."""
    found = neighbours.derived(Selections.of).of_resource.get(id(resource), [])
    allowed = [rule for policy, _ in found for rule in policy.rules if rule.action is Action.ALLOW]
    verdicts: dict[str, Sequence[Flaw]] = {
        "network-policy-allow-all": [flaw for rule in allowed for flaw in _allows_all(rule)],
        "network-policy-internet": list(_opens_any_address(found, neighbours)),
        "network-policy-metadata": list(_opens_metadata(found, neighbours)),
    }
    dangling = [flaw for policy, group in found for flaw in _selects_nothing(policy, group, neighbours)]
    if dangling or all(_is_decided(policy, group, neighbours) for policy, group in found):
        verdicts["network-policy-dangling"] = dangling
    return verdicts


def _is_decided(policy: Policy, group: Group, neighbours: Neighbours) -> bool:
    """Whether the scope shows if it selects anything."""
    if policy.selects_all or group.sure:
        return True
    is_unsure = bool(group.unsure) or policy.may_mean_nodes or not policy.is_for_pods
    is_far = policy.namespaces is not None and not neighbours.derived(Selections.of).pods.shapes
    return not (is_unsure or is_far)


def _selects_nothing(policy: Policy, group: Group, neighbours: Neighbours) -> Iterator[Flaw]:
    """Its own selector, and those of peers in its namespace.

    A policy that lies in a namespace is deployed beside its pods: where there are none, it selects none.
    """
    if not _is_decided(policy, group, neighbours):
        return
    if not policy.selects_all and not group.every:
        yield Flaw(policy.path, "selects none of the pods that are deployed with it")
    for rule in policy.rules:
        for peer in rule.peers:
            if policy.family is Family.KUBERNETES and _is_nobody(peer, policy, neighbours):
                yield Flaw(peer.path, f"{WAY[rule.direction]} pods that are not deployed with it")


def _is_nobody(peer: Peer, policy: Policy, neighbours: Neighbours) -> bool:
    """Whether the scope's pods carry the labels that it asks for, and none of them fits.

    A label that no pod here carries is one that others give themselves to be let in.
    """
    if peer.reach is not Reach.OWN_PODS or not peer.pods.keys:
        return False
    pods = neighbours.derived(Selections.of).pods
    places = places_for(policy.resource.ref.namespace)
    if not all(any(key in pods.keys.get(place, ()) for place in places) for key in peer.pods.keys):
        return False
    numbers = (number for place in places for number in pods.candidates(place, peer.pods.required))
    return all(peer.pods.holds(pods.shapes[number].label) is False for number in numbers)


def _allows_all(rule: Rule) -> Iterator[Flaw]:
    """Neither peers nor ports; or every pod there is, on every port."""
    if not rule.has_all_ports:
        return
    reached = {peer.reach: peer for peer in reversed(rule.peers)}
    if Reach.EVERYTHING in reached:
        yield Flaw(reached[Reach.EVERYTHING].path, f"{WAY[rule.direction]} everything")
    elif Reach.EVERY_POD in reached:
        path = reached[Reach.EVERY_POD].path
        yield Flaw(path, f"{WAY[rule.direction]} every pod of the cluster, on every port")


Found = Sequence[tuple[Policy, Group]]
"""The policies of one object, each with those that select the same pods."""


def _opens_any_address(found: Found, neighbours: Neighbours) -> Iterator[Flaw]:
    """Where it is stated: by a CIDR, by several that make up everything, by an entity, by a pattern of names."""
    for policy, group in found:
        for rule in policy.rules:
            paths = _any_address(rule) if rule.action is Action.ALLOW else ()
            if paths and not _is_denied(policy, rule, group, neighbours, _denies_any_address):
                yield from (Flaw(path, f"{WAY[rule.direction]} any address") for path in paths)


def _any_address(rule: Rule) -> tuple[FieldPath, ...]:
    """Of the peers that state it, or of the first of those that do together."""
    stated = [peer for peer in rule.peers if peer.states_any_address]
    if not stated:
        together = [peer for peer in rule.peers if peer.networks]
        networks = tuple(network for peer in together for network in peer.networks)
        whole = Peer(path=rule.path, reach=Reach.ADDRESSES, networks=networks)
        stated = together[:1] if whole.states_any_address else []
    return tuple(dict.fromkeys(peer.path for peer in stated))


def _denies_any_address(rule: Rule) -> bool:
    return rule.has_all_ports and any(
        peer.reach is Reach.EVERYTHING or (peer.states_any_address and not peer.excluded) for peer in rule.peers
    )


def _opens_metadata(found: Found, neighbours: Neighbours) -> Iterator[Flaw]:
    for policy, group in found:
        for rule in policy.of(Direction.EGRESS):
            peer = rule.reaches_metadata() if rule.action is Action.ALLOW else None
            if peer is not None and not _is_denied(policy, rule, group, neighbours, _denies_metadata):
                yield Flaw(peer.path, f"{GO} 169.254.169.254, where clouds hand out credentials of the node")


def _denies_metadata(rule: Rule) -> bool:
    return rule.reaches_metadata() is not None


def _is_denied(
    policy: Policy, rule: Rule, group: Group, neighbours: Neighbours, denies: Callable[[Rule], bool]
) -> bool:
    """Whether it, or others for all pods that it selects, deny before what the rule allows."""
    own = policy.of(rule.direction)
    earlier = own if policy.family is Family.CILIUM else own[: own.index(rule)]
    if any(each.action is Action.DENY and denies(each) for each in earlier):
        return True
    covered = neighbours.derived(Coverages.of)
    sides = (covered.of_shape(number).side(rule.direction) for number in group.every)
    return bool(group.every) and all(
        any(denies(each) and _comes_before(other, policy) for other, each in side.denied) for side in sides
    )


def _comes_before(denying: Policy, policy: Policy) -> bool:
    """Whether what ``denying`` denies stays denied, whatever ``policy`` allows."""
    if denying.family is Family.CILIUM:
        return True
    if denying.family is Family.ADMIN:
        return policy.family is not Family.ADMIN or denying.order < policy.order
    if denying.family is Family.CALICO:
        is_asked_earlier = (denying.tier, denying.order) < (policy.tier, policy.order)
        return policy.family in {Family.CALICO, Family.KUBERNETES} and is_asked_earlier
    return False
