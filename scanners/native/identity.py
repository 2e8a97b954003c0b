"""Users and groups that processes run as."""

from __future__ import annotations

from model.values import Json, sequence
from scanners.native.engine import ContainerView, Flaw, Flaws, PodView, Surroundings, container_check, pod_check
from scanners.native.pod_security.standards import USER_NAMESPACES
from scanners.native.schemas import release_of

HIGHEST_COMMON_ID = 10_000
"""Users and groups of a node lie at or below it."""


@container_check("run-as-non-root")
def run_as_non_root(container: ContainerView) -> Flaws:
    """PSS restricted, ``check_runAsNonRoot``: unset is not enough; pod and container each for itself."""
    if _is_root_of_nothing(container.pod):
        return
    stated = list(container.stated("runAsNonRoot"))
    if not stated:
        yield Flaw(container.at("securityContext", "runAsNonRoot"), "may start as root: runAsNonRoot is not set")
    for path, value in stated:
        if value is not True:
            yield Flaw(path, "may start as root: runAsNonRoot is not true")


@container_check("run-as-root-uid")
def run_as_root_uid(container: ContainerView) -> Flaws:
    """PSS restricted, ``check_runAsUser``: of the container and of the pod, each for itself."""
    if _is_root_of_nothing(container.pod):
        return
    for path, user in container.stated("runAsUser"):
        if is_number(user, 0):
            yield Flaw(path, "selects user 0, which is root")


@container_check("run-as-high-uid")
def run_as_high_uid(container: ContainerView) -> Flaws:
    """Unset counts: the image's user is then the one."""
    if not _is_high(container.setting("runAsUser")):
        yield Flaw(container.at_setting("runAsUser"), f"runs with a user id that is not above {HIGHEST_COMMON_ID}")


@container_check("run-as-high-gid")
def run_as_high_gid(container: ContainerView) -> Flaws:
    """Unset counts: the image's group is then the one."""
    if not _is_high(container.setting("runAsGroup")):
        yield Flaw(container.at_setting("runAsGroup"), f"runs with a group id that is not above {HIGHEST_COMMON_ID}")


@pod_check("root-group")
def root_group(pod: PodView) -> Flaws:
    """Group 0 as primary, file system or supplemental group, of the pod or of a container."""
    for name in ("runAsGroup", "fsGroup"):
        if is_number(pod.security.get(name), 0):
            yield Flaw(pod.at("securityContext", name), f"{name} is 0, the group of root")
    for position, group in enumerate(sequence(pod.security.get("supplementalGroups"))):
        if is_number(group, 0):
            yield Flaw(pod.at("securityContext", "supplementalGroups", position), "is a member of group 0")
    for container in pod.pod.containers:
        context = container.value.get("securityContext")
        if isinstance(context, dict) and is_number(context.get("runAsGroup"), 0):
            yield Flaw(
                (*container.path, "securityContext", "runAsGroup"), f"container {container.key} runs with group 0"
            )


def is_number(value: Json, number: int) -> bool:
    """Whether a value is that integer; ``false`` is not 0."""
    return not isinstance(value, bool) and value == number


def _is_root_of_nothing(pod: Surroundings) -> bool:
    """In a user namespace, root is nobody on the node; both checks let such pods in since Kubernetes 1.35."""
    if pod.spec.get("hostUsers") is not False:
        return False
    return not pod.kube_version or release_of(pod.kube_version) >= (1, USER_NAMESPACES)


def _is_high(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > HIGHEST_COMMON_ID
