"""What confines a container in the kernel: seccomp, AppArmor, SELinux, sysctls, /proc."""

from __future__ import annotations

from model.values import Json, dig, mapping, sequence, text
from scanners.native.capabilities import plain_name
from scanners.native.engine import ContainerView, Flaw, Flaws, PodView, container_check, pod_check
from scanners.native.pod_security.standards import PROFILE_TYPES, SELINUX_TYPES, SYSCTLS

APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
ALLOWED_SELINUX_TYPES = frozenset().union(*SELINUX_TYPES.values())
SAFE_SYSCTLS = frozenset().union(*SYSCTLS.values())
"""What the newest Kubernetes allows: an older one may refuse the pod, which is no weakness of it."""


@container_check("seccomp-profile")
def seccomp_profile(container: ContainerView) -> Flaws:
    """PSS restricted, ``check_seccompProfile_restricted``: unset is not enough; pod and container each for itself."""
    stated = list(container.stated("seccompProfile"))
    if not stated:
        yield Flaw(container.at("securityContext", "seccompProfile", "type"), "sets no seccomp profile")
    for path, profile in stated:
        kind = dig(profile, "type")
        if not _is_profile(kind):
            yield Flaw(
                (*path, "type"), "turns seccomp off" if kind == "Unconfined" else "sets an unknown seccomp profile"
            )


@container_check("apparmor-profile")
def apparmor_profile(container: ContainerView) -> Flaws:
    """PSS baseline, ``check_appArmorProfile``: unset is the runtime's default and fine; each place for itself."""
    for path, profile in container.stated("appArmorProfile"):
        if not _is_profile(dig(profile, "type")):
            yield Flaw((*path, "type"), "takes the AppArmor profile away")
    name = f"{APPARMOR_ANNOTATION}{container.container.name}"
    value = container.pod.annotations.get(name)
    if value is not None and value != "" and not _is_annotated_profile(value):
        yield Flaw(container.pod.at_metadata("annotations", name), "an annotation takes its AppArmor profile away")


def _is_profile(kind: Json) -> bool:
    return text(kind) in PROFILE_TYPES


def _is_annotated_profile(value: Json) -> bool:
    return text(value) == "runtime/default" or text(value).startswith("localhost/")


@container_check("selinux-custom-options")
def selinux_custom_options(container: ContainerView) -> Flaws:
    """PSS baseline, ``check_seLinuxOptions``: of the pod and of the container, each for itself."""
    for path, context in (
        (container.at("securityContext", "seLinuxOptions"), container.security),
        (container.pod.at("securityContext", "seLinuxOptions"), container.pod.security),
    ):
        options = mapping(context.get("seLinuxOptions"))
        kind = options.get("type")
        if kind is not None and not (isinstance(kind, str) and kind in ALLOWED_SELINUX_TYPES):
            yield Flaw((*path, "type"), "sets an SELinux type that is no type for containers")
        for name in ("user", "role"):
            if options.get(name):
                yield Flaw((*path, name), f"sets an SELinux {name}")


@container_check("proc-mount-unmasked", fields=("securityContext",))
def proc_mount_unmasked(container: ContainerView) -> Flaws:
    """PSS restricted, ``check_procMount_restricted``: in a pod with user namespaces, too."""
    if container.security.get("procMount") not in (None, "", "Default"):
        yield Flaw(container.at("securityContext", "procMount"), "sees /proc without its masks")


@pod_check("unsafe-sysctls")
def unsafe_sysctls(pod: PodView) -> Flaws:
    """PSS baseline, ``check_sysctls``."""
    for position, sysctl in enumerate(sequence(pod.security.get("sysctls"))):
        name = text(mapping(sysctl).get("name"))
        if name.replace("/", ".") not in SAFE_SYSCTLS:
            path = pod.at("securityContext", "sysctls", position, "name")
            yield Flaw(path, f"sets the kernel parameter {name[:60]}, which is not a safe one")


@container_check("linux-hardening")
def linux_hardening(container: ContainerView) -> Flaws:
    """At least one of the kernel's means is in use; Unconfined is none, nor is a drop that ALL undoes."""
    profiles = [dig(container.setting(name), "type") for name in ("seccompProfile", "appArmorProfile")]
    confined = any(_is_profile(profile) for profile in profiles)
    annotated = _is_annotated_profile(container.pod.annotations.get(f"{APPARMOR_ANNOTATION}{container.container.name}"))
    capabilities = mapping(container.security.get("capabilities"))
    added = {plain_name(text(name)) for name in sequence(capabilities.get("add"))}
    dropped = sequence(capabilities.get("drop")) and "ALL" not in added
    if not (confined or annotated or dropped or mapping(container.setting("seLinuxOptions"))):
        yield Flaw(container.at("securityContext"), "uses none of seccomp, AppArmor, SELinux or dropped capabilities")
