"""kubeadm's configurations, as the flags that kubeadm makes of them (``kubeadm/app/phases``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from model.values import Json, dig, mapping, text
from scanners.native.control_plane.components import API_SERVER, CONTROLLER_MANAGER, ETCD, SCHEDULER
from scanners.native.control_plane.flags import Line, line_of_arguments, version_of
from scanners.native.control_plane.kubelet import FLAGS as KUBELET
from scanners.native.control_plane.settings import Check

PKI = "/etc/kubernetes/pki"
OF_API_SERVER: Mapping[str, str] = {
    "authorization-mode": "Node,RBAC",
    "client-ca-file": f"{PKI}/ca.crt",
    "enable-admission-plugins": "NodeRestriction",
    "kubelet-client-certificate": f"{PKI}/apiserver-kubelet-client.crt",
    "kubelet-client-key": f"{PKI}/apiserver-kubelet-client.key",
    "secure-port": "6443",
    "service-account-key-file": f"{PKI}/sa.pub",
    "tls-cert-file": f"{PKI}/apiserver.crt",
    "tls-private-key-file": f"{PKI}/apiserver.key",
}
"""What kubeadm sets by itself, of the flags that we ask about."""
OF_LOCAL_ETCD: Mapping[str, str] = {
    "etcd-cafile": f"{PKI}/etcd/ca.crt",
    "etcd-certfile": f"{PKI}/apiserver-etcd-client.crt",
    "etcd-keyfile": f"{PKI}/apiserver-etcd-client.key",
}
NOTHING: Mapping[str, str] = {}
EXTERNAL_ETCD = {"caFile": "etcd-cafile", "certFile": "etcd-certfile", "keyFile": "etcd-keyfile"}
OF_CONTROLLER_MANAGER: Mapping[str, str] = {
    "bind-address": "127.0.0.1",
    "root-ca-file": f"{PKI}/ca.crt",
    "service-account-private-key-file": f"{PKI}/sa.key",
    "use-service-account-credentials": "true",
}
OF_KUBELET: Mapping[str, str] = {"config": "/var/lib/kubelet/config.yaml"}
OF_SCHEDULER: Mapping[str, str] = {"bind-address": "127.0.0.1"}
OF_ETCD: Mapping[str, str] = {
    "cert-file": f"{PKI}/etcd/server.crt",
    "client-cert-auth": "true",
    "key-file": f"{PKI}/etcd/server.key",
    "peer-cert-file": f"{PKI}/etcd/peer.crt",
    "peer-client-cert-auth": "true",
    "peer-key-file": f"{PKI}/etcd/peer.key",
    "peer-trusted-ca-file": f"{PKI}/etcd/ca.crt",
    "trusted-ca-file": f"{PKI}/etcd/ca.crt",
}


def lines(
    kind: str, value: dict[str, Json], version: tuple[int, int], *, is_whole: bool = True
) -> Iterator[tuple[Mapping[str, Check], Line]]:
    """The checks of each component that a configuration is about, with the flags that it gets.

    ``is_whole``: False of a patch, which says nothing of what it does not name.
    """
    if kind == "ClusterConfiguration":
        made = _of_cluster(value, version_of(text(value.get("kubernetesVersion")), version))
    else:
        path = ("nodeRegistration", "kubeletExtraArgs")
        made = iter([(KUBELET, line_of_arguments(dig(value, *path), path, OF_KUBELET, version))])
    for checks, line in made:
        yield checks, line if is_whole else replace(line, presets=NOTHING, is_whole=False)


def _of_cluster(value: dict[str, Json], version: tuple[int, int]) -> Iterator[tuple[Mapping[str, Check], Line]]:
    external = mapping(dig(value, "etcd", "external"))
    etcd = {flag: text(external.get(field)) for field, flag in EXTERNAL_ETCD.items()} if external else OF_LOCAL_ETCD
    path = ("apiServer", "extraArgs")
    line = line_of_arguments(dig(value, *path), path, {**OF_API_SERVER, **etcd}, version)
    if "authorization-config" in line.given:  # kubeadm then leaves the mode alone
        presets = {name: preset for name, preset in line.presets.items() if name != "authorization-mode"}
        line = replace(line, presets=presets)
    yield API_SERVER, line
    for field, checks, ours in (
        ("controllerManager", CONTROLLER_MANAGER, OF_CONTROLLER_MANAGER),
        ("scheduler", SCHEDULER, OF_SCHEDULER),
    ):
        yield checks, line_of_arguments(dig(value, field, "extraArgs"), (field, "extraArgs"), ours, version)
    if not external:
        local = ("etcd", "local", "extraArgs")
        yield ETCD, line_of_arguments(dig(value, *local), local, OF_ETCD, version)
