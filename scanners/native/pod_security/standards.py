"""Whether the admission controller of a Kubernetes version lets a pod in, standard by standard, and why not.

It answers as that controller does, ``CheckPod`` by ``CheckPod``; what is wise is the concern of the controls. Source:
kubernetes/pod-security-admission, ``policy/check_*.go`` and ``policy/registry.go``, as of Kubernetes 1.37.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from model.pod_security import BASELINE_CAPABILITIES, RESTRICTED_CAPABILITIES, RESTRICTED_VOLUMES
from model.resource import Pod
from model.values import Json, dig, mapping, sequence, text

NEWEST = 37
"""Minor version of Kubernetes 1 whose checks are the last ones known."""
PROFILE_TYPES = frozenset({"RuntimeDefault", "Localhost"})
APPARMOR_PREFIX = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_PREFIX = "container.seccomp.security.alpha.kubernetes.io/"
SECCOMP_VALUES = frozenset({"runtime/default", "docker/default"})
SYSCTLS: Mapping[int, frozenset[str]] = {
    0: frozenset(
        {
            "kernel.shm_rmid_forced",
            "net.ipv4.ip_local_port_range",
            "net.ipv4.ip_unprivileged_port_start",
            "net.ipv4.ping_group_range",
            "net.ipv4.tcp_syncookies",
        }
    ),
    27: frozenset({"net.ipv4.ip_local_reserved_ports"}),
    29: frozenset(
        {
            "net.ipv4.tcp_fin_timeout",
            "net.ipv4.tcp_keepalive_intvl",
            "net.ipv4.tcp_keepalive_probes",
            "net.ipv4.tcp_keepalive_time",
        }
    ),
    32: frozenset({"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}),
    37: frozenset({"net.ipv4.tcp_notsent_lowat", "net.ipv4.tcp_slow_start_after_idle"}),
}
"""Safe ones by the minor version that added them."""
SELINUX_TYPES: Mapping[int, frozenset[str]] = {
    0: frozenset({"", "container_t", "container_init_t", "container_kvm_t"}),
    31: frozenset({"container_engine_t"}),
}
"""Allowed ones by the minor version that added them."""
USER_NAMESPACES = 35
"""The first minor version that lets a pod with ``hostUsers: false`` do more."""
CLOSED_VOLUMES = frozenset(
    {
        "awsElasticBlockStore",
        "azureDisk",
        "azureFile",
        "cephfs",
        "cinder",
        "fc",
        "flexVolume",
        "flocker",
        "gcePersistentDisk",
        "gitRepo",
        "glusterfs",
        "hostPath",
        "iscsi",
        "nfs",
        "photonPersistentDisk",
        "portworxVolume",
        "quobyte",
        "rbd",
        "scaleIO",
        "storageos",
        "vsphereVolume",
    }
)
"""All other sources that the API server knows; a volume without any becomes an ``emptyDir``."""
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HOOKS = ("postStart", "preStop")


class Level(StrEnum):
    """The standards, the most open one first."""

    PRIVILEGED = "privileged"
    BASELINE = "baseline"
    RESTRICTED = "restricted"


Forbids = Callable[[Pod], bool]


class Check(NamedTuple):
    """One check of the controller."""

    id: str
    reason: str
    """As the controller gives it."""
    versions: Sequence[tuple[int, Forbids]]
    """By the minor version from which on it counts, ascending."""
    overrides: str = ""
    """The check of baseline that it replaces."""


def refusals(pod: Pod, level: Level, minor: int) -> tuple[str, ...]:
    """The reasons why the controller of Kubernetes 1.``minor`` refuses a pod; none where it lets it in."""
    return tuple(reason for reason, forbids in _checks(level, min(minor, NEWEST)) if forbids(pod))


@cache
def _checks(level: Level, minor: int) -> Sequence[tuple[str, Forbids]]:
    """Those of baseline first, each by its id, as in the controller's own messages."""
    if level is Level.PRIVILEGED:
        return ()
    restricted = RESTRICTED if level is Level.RESTRICTED else ()
    counting = [(check, forbids) for check in restricted if (forbids := _as_of(check, minor)) is not None]
    overridden = {check.overrides for check, _ in counting}
    baseline = [(check, forbids) for check in BASELINE if (forbids := _as_of(check, minor)) is not None]
    kept = [(check, forbids) for check, forbids in baseline if check.id not in overridden]
    return tuple((check.reason, forbids) for check, forbids in (*kept, *counting))


def _as_of(check: Check, minor: int) -> Forbids | None:
    return next((forbids for since, forbids in reversed(check.versions) if since <= minor), None)


def _containers(pod: Pod) -> Iterator[tuple[Mapping[str, Json], Mapping[str, Json]]]:
    """Every container with its security context."""
    for container in pod.containers:
        yield container.value, mapping(container.value.get("securityContext"))


def _contexts(pod: Pod) -> Iterator[Mapping[str, Json]]:
    """The security contexts of the pod and of every container."""
    yield mapping(pod.spec.get("securityContext"))
    for _, context in _containers(pod):
        yield context


def _annotations(pod: Pod) -> Mapping[str, Json]:
    return mapping(pod.metadata.get("annotations"))


def _has_user_namespace(pod: Pod) -> bool:
    return pod.spec.get("hostUsers") is False


def _is_windows(pod: Pod) -> bool:
    return dig(dict(pod.spec), "os", "name") == "windows"


def _unless(excuse: Callable[[Pod], bool], forbids: Forbids) -> Forbids:
    return lambda pod: not excuse(pod) and forbids(pod)


def _sets_bad_type(name: str) -> Forbids:
    """A profile that is there and of none of the two types; one without a type is none of them."""

    def forbids(pod: Pod) -> bool:
        profiles = (context.get(name) for context in _contexts(pod))
        return any(profile is not None and text(dig(profile, "type")) not in PROFILE_TYPES for profile in profiles)

    return forbids


_sets_bad_apparmor_type = _sets_bad_type("appArmorProfile")
_sets_bad_seccomp_type = _sets_bad_type("seccompProfile")


def _apparmor(pod: Pod) -> bool:
    annotated = (text(value) for key, value in _annotations(pod).items() if key.startswith(APPARMOR_PREFIX))
    return _sets_bad_apparmor_type(pod) or any(
        value and value != "runtime/default" and not value.startswith("localhost/") for value in annotated
    )


def _capabilities_baseline(pod: Pod) -> bool:
    return any(name not in BASELINE_CAPABILITIES for _, context in _containers(pod) for name in _listed(context, "add"))


def _capabilities_restricted(pod: Pod) -> bool:
    return any(
        "ALL" not in _listed(context, "drop")
        or any(name not in RESTRICTED_CAPABILITIES for name in _listed(context, "add"))
        for _, context in _containers(pod)
    )


def _listed(context: Mapping[str, Json], field: str) -> list[str]:
    return [text(name) for name in sequence(dig(context.get("capabilities"), field))]


def _host_namespaces(pod: Pod) -> bool:
    return any(pod.spec.get(name) is True for name in ("hostNetwork", "hostPID", "hostIPC"))


def _host_path_volumes(pod: Pod) -> bool:
    return any(mapping(volume).get("hostPath") is not None for volume in sequence(pod.spec.get("volumes")))


def _host_ports(pod: Pod) -> bool:
    """In the network of the node, the API server makes every port one of the node before the controller looks."""
    ports = [mapping(port) for value, _ in _containers(pod) for port in sequence(value.get("ports"))]
    is_shared = pod.spec.get("hostNetwork") is True
    return any(port.get("hostPort") or (is_shared and port.get("containerPort")) for port in ports)


def _hosts_of_probes(pod: Pod) -> bool:
    for value, _ in _containers(pod):
        handlers = [value.get(name) for name in PROBES] + [dig(value.get("lifecycle"), name) for name in HOOKS]
        if any(dig(each, kind, "host") for each in handlers for kind in ("httpGet", "tcpSocket")):
            return True
    return False


def _privileged(pod: Pod) -> bool:
    return any(context.get("privileged") is True for _, context in _containers(pod))


def _proc_mount(pod: Pod) -> bool:
    return any(context.get("procMount") not in (None, "Default") for _, context in _containers(pod))


def _selinux(minor: int) -> Forbids:
    allowed = _up_to(SELINUX_TYPES, minor)

    def forbids(pod: Pod) -> bool:
        options = [mapping(context.get("seLinuxOptions")) for context in _contexts(pod)]
        return any(
            text(each.get("type")) not in allowed or each.get("user") or each.get("role") for each in options if each
        )

    return forbids


def _sysctls(minor: int) -> Forbids:
    allowed = _up_to(SYSCTLS, minor)

    def forbids(pod: Pod) -> bool:
        return any(
            text(mapping(each).get("name")) not in allowed
            for each in sequence(dig(pod.spec.get("securityContext"), "sysctls"))
        )

    return forbids


def _up_to(added: Mapping[int, frozenset[str]], minor: int) -> frozenset[str]:
    return frozenset(name for since, names in added.items() if since <= minor for name in names)


def _seccomp_annotations(pod: Pod) -> bool:
    annotations = _annotations(pod)
    keys = [SECCOMP_POD, *(f"{SECCOMP_PREFIX}{text(value.get('name'))}" for value, _ in _containers(pod))]
    values = [text(annotations[key]) for key in keys if key in annotations]
    return any(value not in SECCOMP_VALUES and not value.startswith("localhost/") for value in values)


def _seccomp_restricted(pod: Pod) -> bool:
    stated = dig(pod.spec.get("securityContext"), "seccompProfile") is not None
    unset = any(context.get("seccompProfile") is None for _, context in _containers(pod))
    return _sets_bad_seccomp_type(pod) or (unset and not stated)


def _windows_host_process(pod: Pod) -> bool:
    return any(dig(context.get("windowsOptions"), "hostProcess") is True for context in _contexts(pod))


def _may_escalate(pod: Pod) -> bool:
    return any(context.get("allowPrivilegeEscalation") is not False for _, context in _containers(pod))


def _may_be_root(pod: Pod) -> bool:
    stated = dig(pod.spec.get("securityContext"), "runAsNonRoot")
    own = [context.get("runAsNonRoot") for _, context in _containers(pod)]
    return stated is False or False in own or (None in own and stated is not True)


def _is_root(pod: Pod) -> bool:
    users = [context.get("runAsUser") for context in _contexts(pod)]
    return any(user == 0 and not isinstance(user, bool) for user in users)


def _restricted_volumes(pod: Pod) -> bool:
    for volume in sequence(pod.spec.get("volumes")):
        sources = {key for key, value in mapping(volume).items() if value is not None}
        if sources.isdisjoint(RESTRICTED_VOLUMES) and not sources.isdisjoint(CLOSED_VOLUMES):
            return True
    return False


BASELINE: Sequence[Check] = (
    Check("appArmorProfile", "forbidden AppArmor profile", [(0, _apparmor)]),
    Check("capabilities_baseline", "non-default capabilities", [(0, _capabilities_baseline)]),
    Check("hostNamespaces", "host namespaces", [(0, _host_namespaces)]),
    Check("hostPathVolumes", "hostPath volumes", [(0, _host_path_volumes)]),
    Check("hostPorts", "hostPort", [(0, _host_ports)]),
    Check("hostProbesAndHostLifecycle", "probe or lifecycle host", [(34, _hosts_of_probes)]),
    Check("privileged", "privileged", [(0, _privileged)]),
    Check("procMount", "procMount", [(0, _proc_mount), (USER_NAMESPACES, _unless(_has_user_namespace, _proc_mount))]),
    Check("seLinuxOptions", "seLinuxOptions", [(minor, _selinux(minor)) for minor in SELINUX_TYPES]),
    Check("seccompProfile_baseline", "seccompProfile", [(0, _seccomp_annotations), (19, _sets_bad_seccomp_type)]),
    Check("sysctls", "forbidden sysctls", [(minor, _sysctls(minor)) for minor in SYSCTLS]),
    Check("windowsHostProcess", "hostProcess", [(0, _windows_host_process)]),
)
"""In the order of their ids."""
RESTRICTED: Sequence[Check] = (
    Check(
        "allowPrivilegeEscalation",
        "allowPrivilegeEscalation != false",
        [(8, _may_escalate), (25, _unless(_is_windows, _may_escalate))],
    ),
    Check(
        "capabilities_restricted",
        "unrestricted capabilities",
        [(22, _capabilities_restricted), (25, _unless(_is_windows, _capabilities_restricted))],
        overrides="capabilities_baseline",
    ),
    Check("procMount_restricted", "procMount", [(USER_NAMESPACES, _proc_mount)], overrides="procMount"),
    Check("restrictedVolumes", "restricted volume types", [(0, _restricted_volumes)], overrides="hostPathVolumes"),
    Check(
        "runAsNonRoot",
        "runAsNonRoot != true",
        [(0, _may_be_root), (USER_NAMESPACES, _unless(_has_user_namespace, _may_be_root))],
    ),
    Check(
        "runAsUser",
        "runAsUser=0",
        [(23, _is_root), (USER_NAMESPACES, _unless(_has_user_namespace, _is_root))],
    ),
    Check(
        "seccompProfile_restricted",
        "seccompProfile",
        [(19, _seccomp_restricted), (25, _unless(_is_windows, _seccomp_restricted))],
        overrides="seccompProfile_baseline",
    ),
)
"""What the restricted standard asks beside, in the order of their ids."""
