"""Volumes that reach the node, and the root filesystem."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from model.pod_security import RESTRICTED_VOLUMES
from model.values import Json, mapping, sequence, text
from scanners.native.engine import ContainerView, Flaw, Flaws, PodView, Surroundings, container_check, pod_check

WINDOWS_DRIVE = re.compile(r"[A-Za-z]:(?=[\\/]|$)")
SENSITIVE = (
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/lib/rancher",
    "/var/log",
    "/var/run",
    "/windows",
)
SOCKETS = frozenset(
    {
        "containerd.sock",
        "cri-dockerd.sock",
        "crio.sock",
        "docker.sock",
        "dockershim.sock",
        "buildkitd.sock",
        "podman.sock",
        "containerd-containerd",
        "docker_engine",
    }
)
"""By the name of the file; the last two are pipes of Windows."""
CLOUD_PLACES = (
    "/etc/cloud.conf",
    "/etc/gce.conf",
    "/etc/kubernetes",
    "/etc/kubernetes/azure.json",
    "/etc/kubernetes/cloud-config",
    "/etc/kubernetes/cloud.conf",
)
"""Where the cloud providers' agents keep their access; the folder brings the files along."""
CLOUD_FOLDERS = re.compile(r"/\.(?:aws|azure|oci|config/gcloud)(?:/|$)|^/gcloud(?:/|$)")
"""Where their command lines keep it, in whatever home."""
READ_ONLY_TYPES = frozenset({"configMap", "downwardAPI", "image", "projected", "secret"})
"""Volumes that no container can write a link into (since Kubernetes 1.9.6)."""
FIXED_SUBPATH = (1, 23)
"""The first minor version without CVE-2021-25741 from its start (1.22.2 and patches of older ones have the remedy)."""
VERSION = re.compile(r"v?(\d{1,3})\.(\d{1,3})")
SOCKET_FOLDERS = frozenset(
    {
        f"{run}{folder}"
        for run in ("/run", "/var/run")
        for folder in ("", "/containerd", "/crio", "/podman", "/buildkit", "/k3s/containerd")
    }
)
"""Who mounts one of them has the socket in it as well."""


@pod_check("host-path-volume")
def host_path_volume(pod: PodView) -> Flaws:
    """PSS baseline, ``check_hostPathVolumes``."""
    for position, _, _ in _host_paths(pod):
        yield Flaw(pod.at("volumes", position, "hostPath"), "mounts a directory of the node")


@pod_check("sensitive-host-path")
def sensitive_host_path(pod: PodView) -> Flaws:
    """A system directory of the node, something inside it, or a directory that holds one."""
    for position, _, path in _host_paths(pod):
        if path and any(_is_inside(path, place) or _is_inside(place, path) for place in SENSITIVE):
            yield Flaw(
                pod.at("volumes", position, "hostPath", "path"), f"mounts {path[:80]}, a system path of the node"
            )


@pod_check("writable-host-path")
def writable_host_path(pod: PodView) -> Flaws:
    """Mounted without ``readOnly`` by some container."""
    names = {name: position for position, name, _ in _host_paths(pod)}
    for container in pod.pod.containers:
        for number, mount in enumerate(sequence(container.value.get("volumeMounts"))):
            mounted = mapping(mount)
            if text(mounted.get("name")) in names and mounted.get("readOnly") is not True:
                path = (*container.path, "volumeMounts", number, "readOnly")
                yield Flaw(path, f"container {container.key} may write to a directory of the node")


@pod_check("runtime-socket-mount")
def runtime_socket_mount(pod: PodView) -> Flaws:
    """The socket itself, by its name, wherever it lies, or the directory that runtimes put it in."""
    for position, _, path in _host_paths(pod):
        if posixpath.basename(path) in SOCKETS or path in SOCKET_FOLDERS:
            yield Flaw(pod.at("volumes", position, "hostPath", "path"), "mounts the socket of the container runtime")


@pod_check("cloud-credentials-mount")
def cloud_credentials_mount(pod: PodView) -> Flaws:
    """The file, its folder, or a folder of credentials; what lies further up is the matter of sensitive-host-path."""
    for position, _, path in _host_paths(pod):
        if path in CLOUD_PLACES or CLOUD_FOLDERS.search(path):
            steps = ("volumes", position, "hostPath", "path")
            yield Flaw(pod.at(*steps), f"mounts {path[:80]}, where a node of a cloud keeps its access")


@container_check("subpath-symlink-escape", fields=("volumeMounts",))
def subpath_symlink_escape(container: ContainerView) -> Flaws:
    """Only where the cluster's kubelets may be old, and of volumes that can be written."""
    version = VERSION.match(container.pod.kube_version)
    if version is None or (int(version[1]), int(version[2])) >= FIXED_SUBPATH:
        return
    harmless = _names_of_read_only_volumes(container.pod)
    for position, mount in enumerate(sequence(container.value.get("volumeMounts"))):
        mounted = mapping(mount)
        for field in ("subPath", "subPathExpr"):
            if text(mounted.get(field)) and text(mounted.get("name")) not in harmless:
                path = container.at("volumeMounts", position, field)
                yield Flaw(path, "mounts a part of a volume, which CVE-2021-25741 leads out of")


def _names_of_read_only_volumes(pod: Surroundings) -> set[str]:
    volumes = [mapping(volume) for volume in sequence(pod.spec.get("volumes"))]
    return {
        text(volume.get("name")) for volume in volumes if any(volume.get(kind) is not None for kind in READ_ONLY_TYPES)
    }


@pod_check("restricted-volume-types")
def restricted_volume_types(pod: PodView) -> Flaws:
    """PSS restricted, ``check_restrictedVolumes``: a volume without any source counts as emptyDir."""
    for position, volume in enumerate(sequence(pod.spec.get("volumes"))):
        kinds = sorted(key for key, value in mapping(volume).items() if key != "name" and value is not None)
        for kind in kinds:
            if kind not in RESTRICTED_VOLUMES:
                yield Flaw(pod.at("volumes", position, kind), f"mounts a volume of type {kind[:40]}")


@container_check("read-only-root-filesystem")
def read_only_root_filesystem(container: ContainerView) -> Flaws:
    """Unset is writable."""
    if container.security.get("readOnlyRootFilesystem") is not True:
        yield Flaw(container.at("securityContext", "readOnlyRootFilesystem"), "may write to its root filesystem")


def _host_paths(pod: PodView) -> Iterator[tuple[int, str, str]]:
    """Position, name and normal path of each hostPath volume; an empty path where it states none."""
    for position, volume in enumerate(sequence(pod.spec.get("volumes"))):
        fields: Mapping[str, Json] = mapping(volume)
        if fields.get("hostPath") is not None:
            yield position, text(fields.get("name")), _normal(text(mapping(fields["hostPath"]).get("path")))


def _normal(path: str) -> str:
    r"""Absolute, without dots; ``C:\Windows`` becomes ``/windows``."""
    if WINDOWS_DRIVE.match(path) or path.startswith("\\"):
        path = WINDOWS_DRIVE.sub("", path).replace("\\", "/").lower()
        return posixpath.normpath("/" + path.lstrip("/"))
    return posixpath.normpath("/" + path.lstrip("/")) if path else ""


def _is_inside(path: str, place: str) -> bool:
    """Whether ``path`` is ``place`` or lies below it; nothing counts as below ``/``, which is everything."""
    return path == place or (place != "/" and path.startswith(f"{place}/"))
