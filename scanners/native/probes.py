"""Health probes of containers."""

from __future__ import annotations

from collections.abc import Iterator

from model.values import mapping
from scanners.native.engine import ContainerView, Flaw, Flaws, container_check

HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")


@container_check("readiness-probe")
def readiness_probe(container: ContainerView) -> Flaws:
    """A probe without a handler is none. A bare pod that no Service selects serves nobody who could wait."""
    if not container.pod.is_passed_by:
        yield from _missing(container, "readinessProbe", "has no readiness probe")


@container_check("liveness-probe")
def liveness_probe(container: ContainerView) -> Flaws:
    """A probe without a handler is none."""
    return _missing(container, "livenessProbe", "has no liveness probe")


@container_check("probes-identical", fields=("livenessProbe",))
def probes_identical(container: ContainerView) -> Flaws:
    """The same request at the same times."""
    liveness, readiness = container.value.get("livenessProbe"), container.value.get("readinessProbe")
    if isinstance(liveness, dict) and liveness and liveness == readiness:
        yield Flaw(container.at("livenessProbe"), "has a liveness probe that equals its readiness probe")


def _missing(container: ContainerView, name: str, message: str) -> Iterator[Flaw]:
    probe = mapping(container.value.get(name))
    if not probe or all(probe.get(handler) is None for handler in HANDLERS):
        yield Flaw(container.at(name), message)
