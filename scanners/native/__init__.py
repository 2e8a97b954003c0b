"""Our own checks: pure Python, no process, every kind that bears pods. One module a topic; importing it registers."""

from __future__ import annotations

from collections.abc import Sequence

from model.finding import Opinion, Scan, ScanStatus
from model.resource import Resource
from scanners.base import ScanContext, Scope
from scanners.native import (
    accounts,
    api_versions,
    autoscaling,
    capabilities,
    commands,
    configmaps,
    control_plane,
    dangling,
    disruption,
    fields,
    guarantees,
    host,
    identity,
    images,
    ingress,
    jobs,
    kernel,
    labels,
    metadata,
    network,
    ownership,
    policies,
    ports,
    privileges,
    probe_ports,
    probes,
    programs,
    quotas,
    rbac,
    references,
    requests,
    resolving,
    sandboxes,
    scheduling,
    secret_objects,
    secrets,
    service_links,
    services,
    shared_secrets,
    storage,
    volumes,
    workloads,
)
from scanners.native.engine import CHECKS, Memory, Neighbours, look
from scanners.native.pod_security import namespaces

__all__ = ["NAME", "RULES", "TOOL", "TOPICS", "scan", "supports"]

NAME: str = "native"
TOOL: str | None = None
VERSION = "4"
"""Of the rule set: moves when a verdict on the same object may change."""
TOPICS = (
    accounts,
    api_versions,
    autoscaling,
    capabilities,
    commands,
    configmaps,
    control_plane,
    dangling,
    disruption,
    fields,
    guarantees,
    host,
    identity,
    images,
    ingress,
    jobs,
    kernel,
    labels,
    metadata,
    namespaces,
    network,
    ownership,
    policies,
    ports,
    privileges,
    probe_ports,
    probes,
    programs,
    quotas,
    rbac,
    references,
    requests,
    resolving,
    sandboxes,
    scheduling,
    secret_objects,
    secrets,
    service_links,
    services,
    shared_secrets,
    storage,
    volumes,
    workloads,
)
RULES = CHECKS.ids


def supports(resource: Resource) -> bool:  # noqa: ARG001 the Protocol's signature
    """Every object is looked at."""
    return True


def scan(scopes: Sequence[Scope], context: ScanContext) -> Scan:
    """What our checks say about each object."""
    opinions: dict[Resource, Opinion] = {}
    memory = Memory()
    context.progress(NAME, more=sum(len(scope.resources) for scope in scopes))
    for scope in scopes:
        neighbours = Neighbours.of(scope.resources, scope.kube_version or context.kube_version)
        opinions |= {resource: look(resource, neighbours, memory) for resource in scope.resources}
        context.progress(NAME, done=len(scope.resources))
    return Scan(
        scanner=NAME,
        version=VERSION,
        status=ScanStatus.OK,
        opinions=opinions,
        missing={},
        raw_findings=sum(len(opinion.findings) for opinion in opinions.values()),
    )
