"""Addresses and ports that a Service claims outside of the cluster's own network."""

from __future__ import annotations

from model.resource import Resource
from model.values import Json, dig, mapping, sequence, text
from scanners.native.engine import Flaw, Flaws, object_check

SERVICE = ("/Service",)
IN_CLUSTER = (".svc", ".cluster.local")
"""How names of Services end (the cluster's domain may be another one: then waive)."""


@object_check("service-external-ip", kinds=SERVICE)
def service_external_ip(resource: Resource) -> Flaws:
    """External addresses (CVE-2020-8554), or a name that is no Service's."""
    spec = _spec(resource)
    for position, _ in enumerate(sequence(spec.get("externalIPs"))):
        yield Flaw(("spec", "externalIPs", position), "claims an address outside of the cluster")
    name = text(spec.get("externalName")).strip().rstrip(".")
    if spec.get("type") == "ExternalName" and name and not name.endswith(IN_CLUSTER):
        yield Flaw(("spec", "externalName"), f"sends its callers to {name[:80]}, outside of the cluster")


@object_check("service-node-port", kinds=SERVICE)
def service_node_port(resource: Resource) -> Flaws:
    """Type LoadBalancer opens the same ports, unless ``allocateLoadBalancerNodePorts`` is false (core/v1)."""
    spec = _spec(resource)
    if spec.get("type") == "NodePort":
        yield Flaw(("spec", "type"), "opens a port on every node")
    elif spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False:
        yield Flaw(("spec", "type"), "opens a port on every node behind its load balancer")


def _spec(resource: Resource) -> dict[str, Json]:
    return mapping(dig(dict(resource.value), "spec"))
