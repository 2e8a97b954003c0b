"""Requests and limits of containers, and of the pod as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from model.values import Json, dig
from scanners.native.engine import ContainerView, Flaw, Flaws, container_check

NOTHING = ("", 0, "0")


@container_check("cpu-limits")
def cpu_limits(container: ContainerView) -> Flaws:
    """A limit of the pod (Kubernetes 1.34) holds for all its containers."""
    return _missing(container, "limits", "cpu", "has no CPU limit")


@container_check("cpu-requests")
def cpu_requests(container: ContainerView) -> Flaws:
    """By the manifest: where it states a limit alone, Kubernetes reserves all of it."""
    return _missing(container, "requests", "cpu", "has no CPU request")


@container_check("memory-limits")
def memory_limits(container: ContainerView) -> Flaws:
    """A limit of the pod (Kubernetes 1.34) holds for all its containers."""
    return _missing(container, "limits", "memory", "has no memory limit")


@container_check("memory-requests")
def memory_requests(container: ContainerView) -> Flaws:
    """By the manifest: where it states a limit alone, Kubernetes reserves all of it."""
    return _missing(container, "requests", "memory", "has no memory request")


@container_check("ephemeral-storage-resources")
def ephemeral_storage_resources(container: ContainerView) -> Flaws:
    """Both, as the scheduler and the kubelet need them; a pod has no such limit of its own."""
    for kind, message in (("requests", "request"), ("limits", "limit")):
        if not _is_quantity(dig(container.value.get("resources"), kind, "ephemeral-storage")):
            path = container.at("resources", kind, "ephemeral-storage")
            yield Flaw(path, f"has no {message} for ephemeral storage")


def _missing(container: ContainerView, kind: str, name: str, message: str) -> Iterator[Flaw]:
    """A quantity that neither the container nor its pod states."""
    own, pod = container.value.get("resources"), container.pod.spec.get("resources")
    if not _is_quantity(dig(own, kind, name)) and not _is_quantity(dig(pod, kind, name)):
        is_limited = kind == "requests" and _is_quantity(dig(own, "limits", name))
        told = f"{message} of its own: Kubernetes reserves the whole limit" if is_limited else message
        yield Flaw(container.at("resources", kind, name), told)


def _is_quantity(value: Json) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value not in NOTHING
