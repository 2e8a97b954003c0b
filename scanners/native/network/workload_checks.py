"""What network policies leave open of each workload, and whether those that close it forget DNS."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from model.resource import Pod, Resource
from scanners.native.engine import Flaw, Neighbours, Verdicts, survey
from scanners.native.network.coverage import Coverage, Side, Standing, coverage
from scanners.native.network.pods import label_of_namespace
from scanners.native.network.rules import DNS, UDP, Peer, Reach, Rule

DNS_NAMESPACES = ("kube-system", "openshift-dns")
OF_DNS = ("dns", "domain")
"""What the names of ports, Services and labels of a DNS server hold."""
REACHED_BY_NAME = frozenset(Reach) - {Reach.ADDRESSES}


@survey("network-policy-missing", "network-policy-dns")
def network_policies(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """Of every kind that bears pods; no verdict where it depends on labels that no manifest shows."""
    if not resource.pods:
        return {}
    covered = [(pod, coverage(pod, neighbours)) for pod in resource.pods]
    missing = [Flaw(_labels(pod), str(each)) for pod, each in covered if _is_open(each)]
    nameless = [
        Flaw(_labels(pod), f"{each.egress}, and nothing lets it ask a DNS server (UDP, port 53)")
        for pod, each in covered
        if _forgets_dns(each.egress)
    ]
    verdicts: dict[str, list[Flaw]] = {"network-policy-dns": nameless}
    if missing or all(_is_closed(each) for _, each in covered):
        verdicts["network-policy-missing"] = missing
    return verdicts


def _labels(pod: Pod) -> tuple[str | int, ...]:
    """What policies select the pod by."""
    return (*pod.metadata_path, "labels")


def _is_open(covered: Coverage) -> bool:
    return Standing.OPEN in {covered.ingress.standing, covered.egress.standing}


def _is_closed(covered: Coverage) -> bool:
    return {covered.ingress.standing, covered.egress.standing} == {Standing.ISOLATED}


def _forgets_dns(egress: Side) -> bool:
    """It may reach something that it has to look up, and no DNS server.

    What may reach nothing, or addresses alone, looks nothing up.
    """
    if egress.standing is not Standing.ISOLATED:
        return False
    reached = [peer.reach for rule in egress.allowed for peer in rule.peers]
    return not REACHED_BY_NAME.isdisjoint(reached) and not any(map(_reaches_dns, egress.allowed))


def _reaches_dns(rule: Rule) -> bool:
    """Where ports are stated, one of them is that of DNS; where none are, the peer may be its server."""
    if rule.ports is not None:
        is_named = any(word in name.lower() for name in rule.ports.names for word in OF_DNS)
        return bool(rule.peers) and (is_named or any(rule.ports.hold(UDP, port) for port in DNS))
    return any(map(_may_be_dns, rule.peers))


def _may_be_dns(peer: Peer) -> bool:
    if peer.reach in {Reach.EVERYTHING, Reach.EVERY_POD, Reach.ADDRESSES}:
        return True
    if peer.reach is Reach.OTHERS:
        return _speaks_of_dns([peer.name]) or peer.name in {"host", "remote-node"}
    if peer.reach is not Reach.OTHER_PODS:
        return False
    is_there = any(peer.namespaces.holds(partial(label_of_namespace, {}, name)) is not False for name in DNS_NAMESPACES)
    return is_there and (not peer.pods.required or _speaks_of_dns(value for _, value in peer.pods.required))


def _speaks_of_dns(words: Iterable[str]) -> bool:
    return any(part in word.lower() for word in words for part in OF_DNS)
