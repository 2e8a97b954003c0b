"""What a scanner is known to get wrong, verdict by verdict, with the reason; tests check it with the real binaries.

A corrected finding becomes a counted Drop, a corrected pass is no verdict at all. Nothing is corrected silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from model.audit import ResultStatus
from model.pod_security import BASELINE_CAPABILITIES, RESTRICTED_CAPABILITIES
from model.resource import Container, ContainerKind, Resource
from model.selectors import selects
from model.values import Json, dig, mapping, sequence, text

FAILED, PASSED = ResultStatus.FAILED, ResultStatus.PASSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a correction may look at."""

    resource: Resource
    container: Container | None
    """None where the verdict is about the object."""
    neighbours: Mapping[tuple[str, str, str], Resource]
    """The objects of the same scope by (kind, namespace, name)."""

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


def _tag(image: str) -> str:
    """The tag of an image reference; the colon of a registry's port is none."""
    last = image.partition("@")[0].rsplit("/", 1)[-1]
    return last.partition(":")[2]


def _has_no_tag(evidence: Evidence) -> bool:
    return not _tag(evidence.image) and "@" not in evidence.image


def _is_pulled_always_by_default(evidence: Evidence) -> bool:
    unset = evidence.container is not None and not evidence.container.value.get("imagePullPolicy")
    return unset and "@" not in evidence.image and _tag(evidence.image) in {"", "latest"}


def _comes_from_docker_hub(evidence: Evidence) -> bool:
    first, slash, _ = evidence.image.partition("/")
    return not slash or first in {"docker.io", "index.docker.io"} or not ("." in first or ":" in first)


def _adds_only(*allowed: str) -> Callable[[Evidence], bool]:
    def holds(evidence: Evidence) -> bool:
        added = sequence(dig(evidence.security_context, "capabilities", "add"))
        return bool(added) and all(capability in allowed for capability in added)

    return holds


def _container_allows_root(evidence: Evidence) -> bool:
    return evidence.security_context.get("runAsNonRoot") is False


def _lacks_a_probe(evidence: Evidence) -> bool:
    container = evidence.container
    return container is None or not (container.value.get("readinessProbe") and container.value.get("livenessProbe"))


def _probes_differ(evidence: Evidence) -> bool:
    return all(
        container.value.get("readinessProbe") != container.value.get("livenessProbe")
        for container in evidence.resource.containers
        if container.value.get("readinessProbe")
    )


def _runs_as_exactly(number: int) -> Callable[[Evidence], bool]:
    return lambda evidence: any(
        dig(context, name) == number for context in _contexts(evidence) for name in ("runAsUser", "runAsGroup")
    )


def _contexts(evidence: Evidence) -> Iterator[Json]:
    """The security contexts of all pods and containers."""
    for pod in evidence.resource.pods:
        yield pod.spec.get("securityContext")
        yield from (container.value.get("securityContext") for container in pod.containers)


def _some_context_has(value: str, *steps: str) -> Callable[[Evidence], bool]:
    return lambda evidence: any(dig(context, *steps) == value for context in _contexts(evidence))


def _proc_mount_is_default(evidence: Evidence) -> bool:
    return all(dig(context, "procMount") in (None, "Default") for context in _contexts(evidence))


def _only_container_engine_type(evidence: Evidence) -> bool:
    options = [mapping(dig(context, "seLinuxOptions")) for context in _contexts(evidence)]
    types = {text(option.get("type")) for option in options} - {""}
    return types == {"container_engine_t"} and not any(option.get("user") or option.get("role") for option in options)


def _mounts_a_host_path(evidence: Evidence) -> bool:
    volumes = (volume for pod in evidence.resource.pods for volume in sequence(pod.spec.get("volumes")))
    return any(mapping(volume).get("hostPath") is not None for volume in volumes)


def _has_one_replica(evidence: Evidence) -> bool:
    """Stated as such, or left to the default of 1, and no autoscaler in the scope says otherwise."""
    ref = evidence.resource.ref
    replicas = dig(dict(evidence.resource.value), "spec", "replicas")
    if replicas not in {None, 0, 1} or ref.kind not in {"Deployment", "StatefulSet"}:
        return False
    targets = (
        mapping(dig(dict(other.value), "spec", "scaleTargetRef"))
        for (kind, namespace, _), other in evidence.neighbours.items()
        if kind in {"HorizontalPodAutoscaler", "ScaledObject"} and namespace == ref.namespace
    )
    return not any(target.get("name") == ref.name for target in targets)


def _deploys_no_tiller(evidence: Evidence) -> bool:
    words = [evidence.resource.ref.name]
    for pod in evidence.resource.pods:
        words += [text(label) for label in mapping(pod.metadata.get("labels")).values()]
    for container in evidence.resource.containers:
        words += [container.name, text(container.value.get("image"))]
    return not any(TILLER.search(word) for word in words)


def _bears_no_containers(evidence: Evidence) -> bool:
    return not any(container.kind is ContainerKind.MAIN for container in evidence.resource.containers)


TILLER = re.compile(r"(?<![a-z0-9])tiller(?![a-z0-9])", re.IGNORECASE)
UNUSED_NUMBERS = frozenset({13, 23, 31, 32})
"""KCV ids below 48 that do not exist, or never run."""
TRIVYS_PODS = frozenset(
    {
        "CronJob",
        "DaemonSet",
        "Deployment",
        "DeploymentConfig",
        "Job",
        "Pod",
        "ReplicaSet",
        "ReplicationController",
        "StatefulSet",
    }
)
"""Kinds in which Trivy finds the pod."""


def _is_custom_workload(evidence: Evidence) -> bool:
    return evidence.resource.ref.kind not in TRIVYS_PODS


def _is_a_binding(evidence: Evidence) -> bool:
    return evidence.resource.ref.kind in {"RoleBinding", "ClusterRoleBinding"}


def _has_own_context(evidence: Evidence) -> bool:
    """The container, or all of them where Trivy names none."""
    containers = [evidence.container] if evidence.container else evidence.resource.containers
    return bool(containers) and all(container.value.get("securityContext") for container in containers)


def _takes_flags_in_args(evidence: Evidence) -> bool:
    """The flags of a control-plane component stand where Trivy does not read them."""
    return any(sequence(container.value.get("args")) for container in evidence.resource.containers)


def _is_no_bare_pod(evidence: Evidence) -> bool:
    return evidence.resource.ref.kind != "Pod"


def _binds_for_the_cluster(evidence: Evidence) -> bool:
    return evidence.resource.ref.kind == "ClusterRoleBinding"


def _has_no_namespace(evidence: Evidence) -> bool:
    return not evidence.resource.ref.namespace


def _role_is_elsewhere(evidence: Evidence) -> bool:
    """The role is not among our objects, and no built-in one that holds the right in question."""
    role = dig(dict(evidence.resource.value), "roleRef")
    kind, name = text(dig(role, "kind")), text(dig(role, "name"))
    namespace = evidence.resource.ref.namespace if kind == "Role" else ""
    return name not in {"cluster-admin", "admin", "edit"} and (kind, namespace, name) not in evidence.neighbours


class _Scope:
    """The objects of a scope: the same ones are equal, so that what all its pods ask is worked out once."""

    __slots__ = ("neighbours",)

    def __init__(self, neighbours: Mapping[tuple[str, str, str], Resource]) -> None:
        self.neighbours = neighbours

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Scope) and self.neighbours is other.neighbours

    def __hash__(self) -> int:
        return id(self.neighbours)


@lru_cache(maxsize=1)
def _network_policies(scope: _Scope) -> Mapping[str, Sequence[Resource]]:
    """Those of Kubernetes, by namespace."""
    found: dict[str, list[Resource]] = {}
    for (kind, namespace, _), neighbour in scope.neighbours.items():
        if kind == "NetworkPolicy" and neighbour.ref.group not in CALICO:
            found.setdefault(namespace, []).append(neighbour)
    return found


@lru_cache(maxsize=1)
def _has_policies_of_others(scope: _Scope) -> bool:
    return any(
        kind in POLICIES_OF_OTHERS or (kind == "NetworkPolicy" and neighbour.ref.group in CALICO)
        for (kind, _, _), neighbour in scope.neighbours.items()
    )


def _is_selected_by_a_network_policy(evidence: Evidence) -> bool:
    policies = _network_policies(_Scope(evidence.neighbours)).get(evidence.resource.ref.namespace, ())
    return any(
        selects(dig(dict(policy.value), "spec", "podSelector"), mapping(pod.metadata.get("labels")))
        for policy in policies
        for pod in evidence.resource.pods
    )


def _may_be_selected_by_policies_of_others(evidence: Evidence) -> bool:
    return _has_policies_of_others(_Scope(evidence.neighbours))


CALICO = frozenset({"crd.projectcalico.org", "projectcalico.org"})
POLICIES_OF_OTHERS = frozenset(
    {
        "AdminNetworkPolicy",
        "BaselineAdminNetworkPolicy",
        "CiliumClusterwideNetworkPolicy",
        "CiliumNetworkPolicy",
        "ClusterNetworkPolicy",
        "GlobalNetworkPolicy",
    }
)
"""Kinds that isolate pods, and that Polaris and kube-score do not read."""


CORRECTIONS: tuple[Correction, ...] = (
    *(
        Correction(
            scanner="polaris",
            rule=rule,
            verdict=FAILED,
            holds=_role_is_elsewhere,
            reason="Polaris fails every binding whose role is not among the files, harmless built-in ones included",
        )
        for rule in (
            "clusterrolebindingClusterAdmin",
            "clusterrolebindingPodExecAttach",
            "rolebindingClusterAdminClusterRole",
            "rolebindingClusterAdminRole",
            "rolebindingClusterRolePodExecAttach",
            "rolebindingRolePodExecAttach",
        )
    ),
    *(
        Correction(
            scanner="polaris",
            rule=rule,
            verdict=FAILED,
            holds=_bears_no_containers,
            reason="Polaris fails a pod without containers, whatever it sets",
        )
        for rule in ("hostProcess", "procMount")
    ),
    Correction(
        scanner="polaris",
        rule="missingNetworkPolicy",
        verdict=FAILED,
        holds=_is_selected_by_a_network_policy,
        reason="Polaris overlooks policies whose selector names several labels, none, or an expression",
    ),
    *(
        Correction(
            scanner=scanner,
            rule=rule,
            verdict=FAILED,
            holds=_may_be_selected_by_policies_of_others,
            reason="it reads the policies of Kubernetes only, not those of Cilium, Calico or administrators",
        )
        for scanner, rule in (("polaris", "missingNetworkPolicy"), ("kube-score", "pod-networkpolicy"))
    ),
    *(
        Correction(
            scanner="polaris",
            rule=rule,
            verdict=FAILED,
            holds=_has_one_replica,
            reason="with one replica there is nothing to spread, and a disruption budget could only block a drain",
        )
        for rule in ("missingPodDisruptionBudget", "topologySpreadConstraint")
    ),
    Correction(
        scanner="polaris",
        rule="pullPolicyNotAlways",
        verdict=FAILED,
        holds=_is_pulled_always_by_default,
        reason="Kubernetes sets Always itself where the policy is unset and the tag is latest or absent",
    ),
    Correction(
        scanner="polaris",
        rule="tagNotSpecified",
        verdict=PASSED,
        holds=_has_no_tag,
        reason="Polaris takes the port of a registry for a tag",
    ),
    Correction(
        scanner="kube-score",
        rule="container-image-tag",
        verdict=PASSED,
        holds=_has_no_tag,
        reason="kube-score takes the port of a registry for a tag",
    ),
    Correction(
        scanner="kube-score",
        rule="container-image-pull-policy",
        verdict=FAILED,
        holds=_is_pulled_always_by_default,
        reason="kube-score takes the port of a registry for a tag; Kubernetes sets Always itself for latest or no tag",
    ),
    Correction(
        scanner="kube-score",
        rule="container-seccomp-profile",
        verdict=PASSED,
        holds=_some_context_has("Unconfined", "seccompProfile", "type"),
        reason="kube-score accepts any profile, Unconfined too",
    ),
    Correction(
        scanner="kube-score",
        rule="container-security-context-user-group-id",
        verdict=PASSED,
        holds=_runs_as_exactly(10_000),
        reason="kube-score takes 10000 itself for high enough",
    ),
    Correction(
        scanner="kube-score",
        rule="pod-probes-identical",
        verdict=FAILED,
        holds=_probes_differ,
        reason="kube-score takes all named ports for the same one",
    ),
    Correction(
        scanner="kube-score",
        rule="pod-probes",
        verdict=PASSED,
        holds=_lacks_a_probe,
        reason="kube-score is content when any one container of the pod has the probes",
    ),
    Correction(
        scanner="trivy",
        rule="KSV-0002",
        verdict=PASSED,
        holds=_some_context_has("Unconfined", "appArmorProfile", "type"),
        reason="Trivy reads the AppArmor annotation only, not the field",
    ),
    Correction(
        scanner="trivy",
        rule="KSV-0006",
        verdict=PASSED,
        holds=_mounts_a_host_path,
        reason="Trivy knows the one path /var/run/docker.sock only",
    ),
    Correction(
        scanner="trivy",
        rule="KSV-0012",
        verdict=PASSED,
        holds=_container_allows_root,
        reason="Trivy does not look at the container once the pod sets runAsNonRoot",
    ),
    *(
        Correction(
            scanner="trivy",
            rule=rule,
            verdict=FAILED,
            control=control,
            holds=_adds_only(*allowed),
            reason=reason,
        )
        for rule in ("KSV-0022", "KSV-0106")
        for control, allowed, reason in (
            (
                "capabilities-added",
                BASELINE_CAPABILITIES,
                "Trivy rejects any added capability; the baseline Pod Security Standard allows these",
            ),
            (
                "capabilities-beyond-restricted",
                RESTRICTED_CAPABILITIES,
                "Trivy rejects any added capability; the restricted Pod Security Standard allows NET_BIND_SERVICE",
            ),
        )
    ),
    Correction(
        scanner="trivy",
        rule="KSV-0025",
        verdict=FAILED,
        holds=_only_container_engine_type,
        reason="the Pod Security Standards allow container_engine_t since Kubernetes 1.31",
    ),
    Correction(
        scanner="trivy",
        rule="KSV-0027",
        verdict=FAILED,
        holds=_proc_mount_is_default,
        reason="Trivy rejects any procMount, Default too",
    ),
    Correction(
        scanner="trivy",
        rule="KSV-0036",
        verdict=PASSED,
        holds=_is_no_bare_pod,
        reason="Trivy judges bare pods only by this rule",
    ),
    *(
        Correction(
            scanner="trivy",
            rule=rule,
            verdict=PASSED,
            holds=_is_custom_workload,
            reason="Trivy does not find the pod inside a custom resource",
        )
        for rule in ("KSV-0102", "KSV-0105", "KSV-0106")
    ),
    Correction(
        scanner="trivy",
        rule="KSV-0102",
        verdict=FAILED,
        holds=_deploys_no_tiller,
        reason="Trivy finds tiller inside of other words, such as distiller",
    ),
    Correction(
        scanner="trivy",
        rule="KSV-0054",
        verdict=PASSED,
        holds=_is_a_binding,
        reason="Trivy looks at roles only by this rule",
    ),
    Correction(
        scanner="trivy",
        rule="KSV-0118",
        verdict=FAILED,
        holds=_has_own_context,
        reason="Trivy wants a security context on the pod even where the container has its own",
    ),
    *(
        Correction(
            scanner="trivy",
            rule=f"KCV-{number:04}",
            verdict=PASSED,
            holds=_takes_flags_in_args,
            reason="Trivy reads the flags of a component in its command only, not in its arguments",
        )
        for number in range(1, 48)
        if number not in UNUSED_NUMBERS
    ),
    Correction(
        scanner="trivy",
        rule="KSV-0110",
        verdict=FAILED,
        holds=_has_no_namespace,
        reason="a manifest without a namespace goes where it is applied to, not to the default one",
    ),
    *(
        Correction(
            scanner="trivy",
            rule=rule,
            verdict=PASSED,
            holds=_binds_for_the_cluster,
            reason="a misspelt kind keeps this rule from ever looking at a ClusterRoleBinding",
        )
        for rule in ("KSV-0122", "KSV-0123", "KSV-01011")
    ),
    Correction(
        scanner="trivy",
        rule="KSV-0125",
        verdict=FAILED,
        holds=_comes_from_docker_hub,
        reason="an image of Docker Hub with an organisation is no more untrusted than one without, which Trivy passes",
    ),
)

_BY_VERDICT: Mapping[tuple[str, str, ResultStatus], tuple[Correction, ...]] = {
    key: tuple(row for row in CORRECTIONS if (row.scanner, row.rule, row.verdict) == key)
    for key in {(row.scanner, row.rule, row.verdict) for row in CORRECTIONS}
}

SUSPECT_PASSES: Mapping[str, frozenset[str]] = {
    scanner: frozenset(row.rule for row in CORRECTIONS if row.scanner == scanner and row.verdict is PASSED)
    for scanner in {row.scanner for row in CORRECTIONS}
}
"""Rules by scanner whose pass needs a second look."""


def _leaves_seccomp_unset(evidence: Evidence) -> bool:
    return not any(dig(context, "seccompProfile", "type") for context in _contexts(evidence))


def _has_a_user_namespace(evidence: Evidence) -> bool:
    return all(pod.spec.get("hostUsers") is False for pod in evidence.resource.pods)


ALLOWED_BY_BASELINE: Mapping[str, Callable[[Evidence], bool]] = {
    "proc-mount-unmasked": _has_a_user_namespace,
    "seccomp-profile": _leaves_seccomp_unset,
}
"""Controls that are stricter than the baseline Pod Security Standard, and what that allows."""
BASELINE_ALLOWS = "the baseline Pod Security Standard allows it, only the restricted one does not"


def may_be_wrong(scanner: str, rule: str, verdict: ResultStatus) -> bool:
    """Whether any correction is about this verdict: most are not, and need no evidence."""
    return (scanner, rule, verdict) in _BY_VERDICT


def why_not(
    scanner: str, rule: str, verdict: ResultStatus, evidence: Evidence, control: str | None = None
) -> str | None:
    """The reason why a verdict does not count; None when it does."""
    for row in _BY_VERDICT.get((scanner, rule, verdict), ()):
        if row.control in {None, control} and row.holds(evidence):
            return row.reason
    return None
