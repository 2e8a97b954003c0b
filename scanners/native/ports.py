"""Ports that containers declare: what Kubernetes refuses, and names that lead a Service astray."""

from __future__ import annotations

import re
from collections.abc import Iterator

from model.resource import Container, ContainerKind
from model.values import Json, mapping, sequence, text
from scanners.native.engine import ContainerView, Flaw, Flaws, container_check
from scanners.native.numbers import whole

LONGEST_NAME = 15
NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
"""A service name of IANA (RFC 6335): no dash at an end, no two in a row, at least one letter."""
NUMBERS = range(1, 65536)
PROTOCOLS = (None, "", "TCP", "UDP", "SCTP")
"""TCP where nothing is said."""


@container_check("container-ports", fields=("ports",))
def container_ports(container: ContainerView) -> Flaws:
    """As ``ValidateContainerPorts`` in Kubernetes; and of two ports of a name in one pod, a Service finds the first."""
    own: set[str] = set()
    elsewhere = _names_before(container)
    for position, entry in enumerate(sequence(container.value.get("ports"))):
        port, path = mapping(entry), container.at("ports", position)
        yield from (Flaw((*path, field), message) for field, message in _invalid(port))
        name = text(port.get("name"))
        if name and name in own:
            yield Flaw((*path, "name"), f"names two ports {name[:40]}")
        elif name and (name, _protocol(port)) in elsewhere:
            yield Flaw((*path, "name"), f"names a port {name[:40]}, as another container of the pod does")
        own.add(name)


def _invalid(port: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """Field and message of what Kubernetes refuses in one entry."""
    if whole(port.get("containerPort")) not in NUMBERS:
        yield "containerPort", "declares a port whose containerPort is no number from 1 to 65535"
    if port.get("hostPort") not in (None, 0) and whole(port.get("hostPort")) not in NUMBERS:
        yield "hostPort", "declares a port whose hostPort is no number from 1 to 65535"
    if port.get("protocol") not in PROTOCOLS:
        yield "protocol", "declares a port whose protocol is neither TCP nor UDP nor SCTP"
    name = port.get("name")
    if name in (None, ""):
        return
    if len(text(name)) > LONGEST_NAME:
        yield "name", f"declares a port whose name is longer than {LONGEST_NAME} characters"
    elif not NAME.fullmatch(text(name)):
        yield "name", "declares a port whose name is not made of small letters, digits and single dashes"


def _names_before(container: ContainerView) -> set[tuple[str, str]]:
    """Names and protocols of ports in containers that run beside this one and come before it."""
    if not _keeps_running(container.container):
        return set()
    found: set[tuple[str, str]] = set()
    for other in container.pod.pod.containers:
        if other is container.container:
            break
        if _keeps_running(other):
            ports = map(mapping, sequence(other.value.get("ports")))
            found |= {(text(port.get("name")), _protocol(port)) for port in ports}
    return found


def _keeps_running(container: Container) -> bool:
    return container.kind is ContainerKind.MAIN or container.sidecar


def _protocol(port: dict[str, Json]) -> str:
    return text(port.get("protocol")) or "TCP"
