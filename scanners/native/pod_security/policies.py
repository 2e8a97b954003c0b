"""PodSecurityPolicy, gone since Kubernetes 1.25: the nearest Pod Security Standard, and the labels in its place.

Source: "Mapping PodSecurityPolicies to Pod Security Standards" on kubernetes.io.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from model.pod_security import BASELINE_CAPABILITIES, RESTRICTED_CAPABILITIES, RESTRICTED_VOLUMES
from model.resource import Resource
from model.values import Json, dig, mapping, sequence, text
from scanners.native.pod_security.namespaces import ENFORCE, PREFIX
from scanners.native.pod_security.standards import SELINUX_TYPES, Level

KIND: Final = "PodSecurityPolicy"
SECCOMP = "seccomp.security.alpha.kubernetes.io/allowedProfileNames"
APPARMOR = "apparmor.security.beta.kubernetes.io/allowedProfileNames"
SECCOMP_PROFILES = frozenset({"runtime/default", "docker/default"})
MOST = 3
"""Fields that a message names."""


def replacement(policy: Resource) -> str:
    """What to write instead of a policy: the strictest standard that it is not laxer than, and why no other."""
    stricter = {Level.BASELINE: list(_beyond_baseline(policy)), Level.RESTRICTED: list(_beyond_restricted(policy))}
    if stricter[Level.BASELINE]:
        level, why = Level.PRIVILEGED, stricter[Level.BASELINE]
    elif stricter[Level.RESTRICTED]:
        level, why = Level.BASELINE, stricter[Level.RESTRICTED]
    else:
        return f"the restricted Pod Security Standard comes nearest: label the namespaces {ENFORCE}: restricted"
    wanted = Level.BASELINE if level is Level.PRIVILEGED else Level.RESTRICTED
    fields = ", ".join(why[:MOST]) + (", …" if len(why) > MOST else "")
    labels = f"{ENFORCE}: {level} and {PREFIX}warn: {wanted}"
    return f"the {level} Pod Security Standard comes nearest, by {fields}: label the namespaces {labels}"


def _beyond_baseline(policy: Resource) -> Iterator[str]:
    """The fields that let in what baseline refuses."""
    spec = mapping(policy.value.get("spec"))
    yield from (name for name in ("privileged", "hostNetwork", "hostPID", "hostIPC") if spec.get(name) is True)
    yield from _adding(spec, BASELINE_CAPABILITIES)
    if not {"*", "hostPath"}.isdisjoint(_names(spec, "volumes")):
        yield "volumes"
    yield from (name for name in ("hostPorts", "allowedUnsafeSysctls") if sequence(spec.get(name)))
    if _opens_selinux(mapping(spec.get("seLinux"))):
        yield "seLinux"
    if set(_names(spec, "allowedProcMountTypes")) - {"Default"}:
        yield "allowedProcMountTypes"
    annotations = mapping(dig(dict(policy.value), "metadata", "annotations"))
    for key, allowed in ((SECCOMP, SECCOMP_PROFILES), (APPARMOR, frozenset({"runtime/default"}))):
        profiles = [name.strip() for name in text(annotations.get(key)).split(",") if name.strip()]
        if any(name not in allowed and not name.startswith("localhost/") for name in profiles):
            yield key.partition("/")[2]


def _beyond_restricted(policy: Resource) -> Iterator[str]:
    """The fields that let in what restricted refuses and baseline does not."""
    spec = mapping(policy.value.get("spec"))
    if spec.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    yield from _adding(spec, RESTRICTED_CAPABILITIES)
    if "ALL" not in _names(spec, "requiredDropCapabilities"):
        yield "requiredDropCapabilities"
    if set(_names(spec, "volumes")) - RESTRICTED_VOLUMES:
        yield "volumes"
    if dig(spec.get("runAsUser"), "rule") != "MustRunAsNonRoot":
        yield "runAsUser"
    if not text(mapping(dig(dict(policy.value), "metadata", "annotations")).get(SECCOMP)):
        yield "allowedProfileNames"


def _adding(spec: Mapping[str, Json], allowed: frozenset[str]) -> Iterator[str]:
    for field in ("allowedCapabilities", "defaultAddCapabilities"):
        if set(_names(spec, field)) - allowed:
            yield field


def _names(spec: Mapping[str, Json], field: str) -> list[str]:
    return [text(name) for name in sequence(spec.get(field))]


def _opens_selinux(selinux: Mapping[str, Json]) -> bool:
    """Hands out labels that no standard allows; RunAsAny has no opinion, and most clusters have no SELinux."""
    options = mapping(selinux.get("seLinuxOptions"))
    is_type = any(text(options.get("type")) in types for types in SELINUX_TYPES.values())
    return selinux.get("rule") == "MustRunAs" and not (is_type and not options.get("user") and not options.get("role"))
