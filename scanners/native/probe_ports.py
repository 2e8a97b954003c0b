"""Ports that probes ask, against the ports that their container declares.

A name that the container does not declare makes the kubelet fail the probe; a number works, but tells that either the
probe or the list of ports is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

from model.values import Json, mapping, sequence, text
from scanners.native.engine import ContainerView, Flaw, Flaws, container_check
from scanners.native.numbers import whole

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HANDLERS = ("grpc", "httpGet", "tcpSocket")
HERE = frozenset({"", "127.0.0.1", "::1", "localhost"})
"""Hosts that are the pod itself; a probe of another one asks for a port of that."""
SPOKEN = (None, "", "TCP")
"""Protocols of a port that a probe can ask: TCP is the default."""


@container_check("probe-port-not-exposed", fields=PROBES)
def probe_port_not_exposed(container: ContainerView) -> Flaws:
    """As ``ResolveContainerPort`` of the kubelet: a name, or a number, which may be written as text."""
    declared = [mapping(port) for port in sequence(container.value.get("ports"))]
    spoken = [port for port in declared if port.get("protocol") in SPOKEN]
    names = {text(port.get("name")) for port in spoken} - {""}
    numbers = {whole(port.get("containerPort")) for port in spoken} - {None}
    for probe in PROBES:
        for handler in HANDLERS:
            asked = mapping(mapping(container.value.get(probe)).get(handler))
            port = _port(asked)
            if port is not None and port not in names and port not in numbers:
                path = container.at(probe, handler, "port")
                yield Flaw(path, f"asks port {str(port)[:40]}, which the container does not declare for TCP")


def _port(asked: Mapping[str, Json]) -> str | int | None:
    """None where it asks another host, or says nothing that is a port."""
    port = asked.get("port")
    if text(asked.get("host")) not in HERE:
        return None
    if isinstance(port, str):
        return int(port[:6]) if port.isascii() and port.isdecimal() else port or None
    return whole(port)
