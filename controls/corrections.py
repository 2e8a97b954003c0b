"""What a scanner is known to get wrong, verdict by verdict, with the reason; tests check it with the real binaries.

A corrected finding becomes a counted Drop, a corrected pass is no verdict at all. Nothing is corrected silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model.audit import ResultStatus
from model.resource import Container, Resource
from model.values import Json, dig, mapping, sequence, text

FAILED, PASSED = ResultStatus.FAILED, ResultStatus.PASSED

PSS_BASELINE_CAPABILITIES = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
"""What the baseline Pod Security Standard lets a container add."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a correction may look at."""

    resource: Resource
    container: Container | None
    """None where the verdict is about the object."""
    neighbours: frozenset[tuple[str, str, str]]
    """(kind, namespace, name) of the objects in the same scope."""

    @property
    def image(self) -> str:
        """The container's image reference."""
        return text(self.container.value.get("image")) if self.container else ""

    @property
    def security_context(self) -> dict[str, Json]:
        """The container's own security context."""
        return mapping(self.container.value.get("securityContext")) if self.container else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One verdict of one rule that is not to be trusted when ``holds``."""

    scanner: str
    rule: str
    verdict: ResultStatus
    holds: Callable[[Evidence], bool]
    reason: str
    control: str | None = None
    """Only as a witness for this control; None for all."""


def _always(_: Evidence) -> bool:
    return True


def _kind_is_not(*kinds: str) -> Callable[[Evidence], bool]:
    return lambda evidence: evidence.resource.ref.kind not in kinds


def _kind_is(*kinds: str) -> Callable[[Evidence], bool]:
    return lambda evidence: evidence.resource.ref.kind in kinds


def _bears_no_containers(evidence: Evidence) -> bool:
    return not evidence.resource.containers


def _role_is_elsewhere(evidence: Evidence) -> bool:
    role = dig(dict(evidence.resource.value), "roleRef")
    kind, name = text(dig(role, "kind")), text(dig(role, "name"))
    namespace = evidence.resource.ref.namespace if kind == "Role" else ""
    return (kind, namespace, name) not in evidence.neighbours


def _adds_only_what_baseline_allows(evidence: Evidence) -> bool:
    added = sequence(dig(evidence.security_context, "capabilities", "add"))
    return bool(added) and all(capability in PSS_BASELINE_CAPABILITIES for capability in added)


def _adds_only_net_bind_service(evidence: Evidence) -> bool:
    added = sequence(dig(evidence.security_context, "capabilities", "add"))
    return bool(added) and all(capability == "NET_BIND_SERVICE" for capability in added)


def _tag(image: str) -> str:
    """The tag of an image reference; the colon of a registry's port is none."""
    last = image.partition("@")[0].rsplit("/", 1)[-1]
    return last.partition(":")[2]


def _has_no_tag(evidence: Evidence) -> bool:
    return not _tag(evidence.image) and "@" not in evidence.image


def _is_pulled_always_by_default(evidence: Evidence) -> bool:
    """Kubernetes sets Always itself where the policy is unset and the tag is latest or absent."""
    unset = evidence.container is not None and not evidence.container.value.get("imagePullPolicy")
    return unset and "@" not in evidence.image and _tag(evidence.image) in {"", "latest"}


def _names_no_registry(evidence: Evidence) -> bool:
    first, slash, _ = evidence.image.partition("/")
    return not slash or ("." not in first and ":" not in first and first != "localhost")


def _container_allows_root(evidence: Evidence) -> bool:
    return evidence.security_context.get("runAsNonRoot") is False


def _has_no_namespace(evidence: Evidence) -> bool:
    return not evidence.resource.ref.namespace


def _proc_mount_is_default(evidence: Evidence) -> bool:
    return all(
        dig(dict(container.value), "securityContext", "procMount") in {None, "Default"}
        for container in evidence.resource.containers
    )


def _seccomp_is_unconfined(evidence: Evidence) -> bool:
    profiles = [dig(dict(pod.spec), "securityContext", "seccompProfile", "type") for pod in evidence.resource.pods]
    profiles += [
        dig(dict(container.value), "securityContext", "seccompProfile", "type")
        for container in evidence.resource.containers
    ]
    return "Unconfined" in profiles


CORRECTIONS: tuple[Correction, ...] = ()
"""Order matters only for the reason that is shown."""

_BY_VERDICT: Mapping[tuple[str, str, ResultStatus], tuple[Correction, ...]] = {
    key: tuple(row for row in CORRECTIONS if (row.scanner, row.rule, row.verdict) == key)
    for key in {(row.scanner, row.rule, row.verdict) for row in CORRECTIONS}
}

SUSPECT_PASSES: Mapping[str, frozenset[str]] = {
    scanner: frozenset(row.rule for row in CORRECTIONS if row.scanner == scanner and row.verdict is PASSED)
    for scanner in {row.scanner for row in CORRECTIONS}
}
"""Rules by scanner whose pass needs a second look."""


def why_not(
    scanner: str, rule: str, verdict: ResultStatus, evidence: Evidence, control: str | None = None
) -> str | None:
    """The reason why a verdict does not count; None when it does."""
    for row in _BY_VERDICT.get((scanner, rule, verdict), ()):
        if row.control in {None, control} and row.holds(evidence):
            return row.reason
    return None
