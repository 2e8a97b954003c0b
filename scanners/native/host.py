"""What a pod shares with its node: namespaces, ports, addresses, Windows host processes."""

from __future__ import annotations

from collections.abc import Iterator

from model.values import Json, dig, mapping, sequence
from scanners.native.engine import ContainerView, Flaw, Flaws, PodView, container_check, pod_check

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HOOKS = ("postStart", "preStop")
HANDLERS = ("httpGet", "tcpSocket")
PRIVILEGED_PORTS = range(1, 1024)


@pod_check("host-network")
def host_network(pod: PodView) -> Flaws:
    """PSS baseline, ``check_hostNamespaces``."""
    return _shares(pod, "hostNetwork", "shares the network of the node")


@pod_check("host-pid")
def host_pid(pod: PodView) -> Flaws:
    """PSS baseline, ``check_hostNamespaces``."""
    return _shares(pod, "hostPID", "sees the processes of the node")


@pod_check("host-ipc")
def host_ipc(pod: PodView) -> Flaws:
    """PSS baseline, ``check_hostNamespaces``."""
    return _shares(pod, "hostIPC", "shares the memory segments of the node")


def _shares(pod: PodView, name: str, what: str) -> Iterator[Flaw]:
    if pod.spec.get(name) is True:
        yield Flaw(pod.at(name), what)


@pod_check("host-aliases")
def host_aliases(pod: PodView) -> Flaws:
    """Entries in /etc/hosts."""
    if sequence(pod.spec.get("hostAliases")):
        yield Flaw(pod.at("hostAliases"), "overrides DNS with entries in /etc/hosts")


@container_check("host-port", fields=("ports",))
def host_port(container: ContainerView) -> Flaws:
    """PSS baseline, ``check_hostPorts``: 0 is "none"."""
    for position, port in enumerate(sequence(container.value.get("ports"))):
        if mapping(port).get("hostPort"):
            yield Flaw(container.at("ports", position, "hostPort"), "binds a port of the node")


@container_check("privileged-ports", fields=("ports",))
def privileged_ports(container: ContainerView) -> Flaws:
    """Ports that ask for root or for NET_BIND_SERVICE."""
    for position, port in enumerate(sequence(container.value.get("ports"))):
        number = mapping(port).get("containerPort")
        if isinstance(number, int) and not isinstance(number, bool) and number in PRIVILEGED_PORTS:
            yield Flaw(container.at("ports", position, "containerPort"), f"listens on port {number}, below 1024")


@container_check("probe-host", fields=(*PROBES, "lifecycle"))
def probe_host(container: ContainerView) -> Flaws:
    """PSS baseline, ``check_hostProbesAndHostLifecycle``."""
    handlers: list[tuple[tuple[str, ...], Json]] = [((name,), container.value.get(name)) for name in PROBES]
    lifecycle = mapping(container.value.get("lifecycle"))
    handlers += [(("lifecycle", name), lifecycle.get(name)) for name in HOOKS]
    for steps, value in handlers:
        for handler in HANDLERS:
            if dig(value, handler, "host"):
                yield Flaw(container.at(*steps, handler, "host"), "asks a host other than the pod itself")


@container_check("windows-host-process")
def windows_host_process(container: ContainerView) -> Flaws:
    """PSS baseline, ``check_windowsHostProcess``: set on the pod or on the container."""
    if dig(dict(container.security), "windowsOptions", "hostProcess") is True:
        yield Flaw(container.at("securityContext", "windowsOptions", "hostProcess"), "runs on the Windows node itself")
    elif dig(dict(container.pod.security), "windowsOptions", "hostProcess") is True:
        yield Flaw(
            container.pod.at("securityContext", "windowsOptions", "hostProcess"), "runs on the Windows node itself"
        )
