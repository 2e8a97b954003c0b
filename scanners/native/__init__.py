"""Our own checks: pure Python, no process, every kind that bears pods. One module a topic; importing it registers."""

from __future__ import annotations

from collections.abc import Sequence

from model.finding import Opinion, Scan, ScanStatus
from model.resource import Resource
from scanners.base import ScanContext, Scope
from scanners.native import (
    capabilities,
    commands,
    host,
    identity,
    images,
    kernel,
    metadata,
    privileges,
    probes,
    requests,
    secrets,
    volumes,
)
from scanners.native.engine import CHECKS, Neighbours, look

__all__ = ["NAME", "RULES", "TOOL", "TOPICS", "scan", "supports"]

NAME: str = "native"
TOOL: str | None = None
VERSION = "2"
"""Of the rule set: moves when a verdict on the same object may change."""
TOPICS = (
    capabilities,
    commands,
    host,
    identity,
    images,
    kernel,
    metadata,
    privileges,
    probes,
    requests,
    secrets,
    volumes,
)
RULES = CHECKS.ids


def supports(resource: Resource) -> bool:  # noqa: ARG001 the Protocol's signature
    """Every object is looked at."""
    return True


def scan(scopes: Sequence[Scope], context: ScanContext) -> Scan:  # noqa: ARG001 the Protocol's signature
    """What our checks say about each object."""
    opinions: dict[Resource, Opinion] = {}
    for scope in scopes:
        neighbours = Neighbours.of(scope.resources)
        opinions |= {resource: look(resource, neighbours) for resource in scope.resources}
    return Scan(
        scanner=NAME,
        version=VERSION,
        status=ScanStatus.OK,
        opinions=opinions,
        missing={},
        raw_findings=sum(len(opinion.findings) for opinion in opinions.values()),
    )
