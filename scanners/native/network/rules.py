"""What network policies of all kinds say, in one vocabulary: whom they select, which way, and what they let through."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from model.resource import Resource
from model.values import FieldPath
from scanners.native.network.selectors import EVERYTHING, Selector

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
METADATA = (ipaddress.ip_address("169.254.169.254"), ipaddress.ip_address("fd00:ec2::254"))
"""Where the machines of clouds ask for their own credentials (AWS, Azure, GCP; the second one AWS over IPv6)."""
HTTP = 80
DNS = (53, 5353)
"""The second one is the port of OpenShift's DNS pods."""
FIRST_PORT, LAST_PORT = 1, 65535
TCP, UDP, ANY_PROTOCOL = "TCP", "UDP", "*"


class Direction(StrEnum):
    """Of traffic, as the pod sees it."""

    INGRESS = "ingress"
    EGRESS = "egress"


class Action(StrEnum):
    """What a rule does with what it matches."""

    ALLOW = "allow"
    DENY = "deny"
    PASS = "pass"  # noqa: S105 an action, no password
    """On to the next tier."""


class Reach(StrEnum):
    """Whom a peer stands for."""

    EVERYTHING = "everything"
    """Pods, nodes and every address."""
    ADDRESSES = "addresses"
    EVERY_POD = "every pod of the cluster"
    OWN_PODS = "pods of the own namespace"
    OTHER_PODS = "pods of other namespaces"
    NAMES = "names outside of the cluster"
    OTHERS = "others"
    """Nodes, the API server, Services."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Peer:
    """Who may be on the other side."""

    path: FieldPath
    """From the root of the object."""
    reach: Reach
    networks: tuple[Network, ...] = ()
    """Stated ones: an address that is reached because nothing is stated is in none."""
    excluded: tuple[Network, ...] = ()
    pods: Selector = EVERYTHING
    namespaces: Selector = EVERYTHING
    name: str = ""
    """Of a Service or an entity."""

    def reaches(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        """Whether the address is among them."""
        if any(address in network for network in self.excluded):
            return False
        is_any = self.reach is Reach.EVERYTHING and not self.networks
        return is_any or any(address in network for network in self.networks)

    @property
    def states_any_address(self) -> bool:
        """Whether its networks, taken together, hold every address of IPv4 or of IPv6."""
        return any(network.prefixlen == 0 for network in _collapsed(self.networks))


@lru_cache(maxsize=1024)
def _collapsed(networks: tuple[Network, ...]) -> tuple[Network, ...]:
    fours = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    sixes = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return (*ipaddress.collapse_addresses(fours), *ipaddress.collapse_addresses(sixes))


class Span(NamedTuple):
    """Ports next to each other."""

    protocol: str
    """In capitals, or ``*``."""
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports of a rule that names some."""

    spans: tuple[Span, ...]
    names: tuple[str, ...] = ()
    """Of ports that pods give a name."""

    def hold(self, protocol: str, number: int) -> bool:
        """Whether a port is among them by its number."""
        return any(
            span.protocol in {protocol, ANY_PROTOCOL} and span.first <= number <= span.last for span in self.spans
        )

    @property
    def are_all(self) -> bool:
        """Whether they are all ports of TCP: a rule that names them all names none."""
        last = FIRST_PORT - 1
        for span in sorted(self.spans, key=lambda span: span.first):
            if span.protocol in {TCP, ANY_PROTOCOL} and span.first <= last + 1:
                last = max(last, span.last)
        return last >= LAST_PORT


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule:
    """One rule of a policy."""

    path: FieldPath
    direction: Direction
    action: Action
    peers: tuple[Peer, ...]
    """Nobody, where there are none."""
    ports: Ports | None = None
    """None for every port and protocol."""

    @property
    def is_full(self) -> bool:
        """Whether it matches everything there is."""
        return self.has_all_ports and any(peer.reach is Reach.EVERYTHING for peer in self.peers)

    @property
    def has_all_ports(self) -> bool:
        """Whether no port is left out."""
        return self.ports is None or self.ports.are_all

    def has_port(self, protocol: str, number: int) -> bool:
        """Whether the port is one of the rule's."""
        return self.ports is None or self.ports.hold(protocol, number)

    def reaches_metadata(self) -> Peer | None:
        """The peer through which the metadata address of a cloud is matched."""
        if not self.has_port(TCP, HTTP):
            return None
        return next((peer for peer in self.peers if any(map(peer.reaches, METADATA))), None)


class Family(StrEnum):
    """Who enforces a policy, and how its rules combine with others."""

    KUBERNETES = "kubernetes"
    CILIUM = "cilium"
    CALICO = "calico"
    ADMIN = "admin"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Policy:
    """A policy, or one of the several that an object of Cilium holds."""

    resource: Resource
    family: Family
    path: FieldPath
    """Of what says whom it selects."""
    key: tuple[str, ...]
    """Policies of one family with the same key select the same pods."""
    pods: Selector
    namespaces: Selector | None
    """None: those of the policy's own namespace."""
    accounts: Selector = EVERYTHING
    """Of the labels of service accounts."""
    is_for_pods: bool = True
    """False where it is about nodes."""
    may_mean_nodes: bool = False
    """Whether what it selects may be nodes as well."""
    isolates: frozenset[Direction] = frozenset()
    """Where it lets nothing through but what some policy allows."""
    rules: tuple[Rule, ...] = ()
    tier: float = 0
    """Tiers are asked in this order."""
    order: float = 0
    """Policies of a tier are asked in this order."""
    ends_with_pass: bool = False
    """Whether its tier hands on what no rule of it matches."""

    @property
    def name(self) -> str:
        """For people."""
        return self.resource.ref.name[:80] or "a policy without a name"

    @property
    def selects_all(self) -> bool:
        """Every pod of its namespace, or of the cluster."""
        return self.pods.is_all and self.accounts.is_all and (self.namespaces is None or self.namespaces.is_all)

    def of(self, direction: Direction) -> tuple[Rule, ...]:
        """Its rules for that direction, in order."""
        return tuple(rule for rule in self.rules if rule.direction is direction)


@lru_cache(maxsize=8192)
def network(text: str) -> Network | None:
    """A CIDR, or an address as one of a single host; None for what is neither."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Those of the texts that are any."""
    return tuple(found for found in map(network, texts) if found is not None)


ANY_ADDRESS = networks(("0.0.0.0/0", "::/0"))
