"""API versions that Kubernetes is about to stop serving, or serves no more.

What it has served since 1.25 is read from its schemas; a table knows what went before, and when a successor came.
Custom resources get no verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from model.resource import Resource
from scanners.native.engine import Flaw, Verdicts, lone_survey
from scanners.native.pod_security.policies import KIND as POD_SECURITY_POLICY
from scanners.native.pod_security.policies import replacement
from scanners.native.schemas import (
    Release,
    Schemas,
    group_of,
    is_stable,
    last_served,
    named,
    release_of,
    releases,
    schemas_for,
)

DEPRECATED, REMOVED = "deprecated-api-version", "removed-api-version"
WHERE = ("apiVersion",)
NO_VERDICT: Verdicts = {}
NO_SUCCESSOR = "nothing takes its place"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """How one version of a kind comes to its end."""

    successor: str
    """The apiVersion to use instead; empty where there is none."""
    since: Release
    """The release that first served the successor, or that deprecated what has none."""
    removed: Release | None
    """The first release that does not serve the version any more; None while all do."""


def _rows(successor: str, since: int, removed: int | None, retired: Iterable[str]) -> dict[tuple[str, str], Retirement]:
    """``retired``: ``apiVersion Kind Kind …``; the numbers are minor versions of Kubernetes 1."""
    row = Retirement(successor=successor, since=(1, since), removed=None if removed is None else (1, removed))
    return {(words[0], kind): row for words in map(str.split, retired) for kind in words[1:]}


AUTHORIZATION = "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview"
RBAC = "ClusterRole ClusterRoleBinding Role RoleBinding"
RETIREMENTS: Mapping[tuple[str, str], Retirement] = {
    **_rows("networking.k8s.io/v1", 8, 16, ["extensions/v1beta1 NetworkPolicy"]),
    **_rows(
        "apps/v1",
        9,
        16,
        [
            "extensions/v1beta1 DaemonSet Deployment ReplicaSet",
            "apps/v1beta1 Deployment ReplicaSet StatefulSet",
            "apps/v1beta2 DaemonSet Deployment ReplicaSet StatefulSet",
        ],
    ),
    **_rows("", 11, 16, ["extensions/v1beta1 PodSecurityPolicy"]),
    **_rows(
        "admissionregistration.k8s.io/v1",
        16,
        22,
        ["admissionregistration.k8s.io/v1beta1 MutatingWebhookConfiguration ValidatingWebhookConfiguration"],
    ),
    **_rows("apiextensions.k8s.io/v1", 16, 22, ["apiextensions.k8s.io/v1beta1 CustomResourceDefinition"]),
    **_rows("apiregistration.k8s.io/v1", 10, 22, ["apiregistration.k8s.io/v1beta1 APIService"]),
    **_rows("authentication.k8s.io/v1", 6, 22, ["authentication.k8s.io/v1beta1 TokenReview"]),
    **_rows("authorization.k8s.io/v1", 6, 22, [f"authorization.k8s.io/v1beta1 {AUTHORIZATION}"]),
    **_rows("certificates.k8s.io/v1", 19, 22, ["certificates.k8s.io/v1beta1 CertificateSigningRequest"]),
    **_rows("coordination.k8s.io/v1", 14, 22, ["coordination.k8s.io/v1beta1 Lease"]),
    **_rows("networking.k8s.io/v1", 19, 22, ["extensions/v1beta1 Ingress", "networking.k8s.io/v1beta1 Ingress"]),
    **_rows("networking.k8s.io/v1", 19, 22, ["networking.k8s.io/v1beta1 IngressClass"]),
    **_rows("rbac.authorization.k8s.io/v1", 8, 22, [f"rbac.authorization.k8s.io/v1beta1 {RBAC}"]),
    **_rows("scheduling.k8s.io/v1", 14, 22, ["scheduling.k8s.io/v1beta1 PriorityClass"]),
    **_rows("storage.k8s.io/v1", 19, 22, ["storage.k8s.io/v1beta1 CSIDriver"]),
    **_rows("storage.k8s.io/v1", 17, 22, ["storage.k8s.io/v1beta1 CSINode"]),
    **_rows("storage.k8s.io/v1", 6, 22, ["storage.k8s.io/v1beta1 StorageClass"]),
    **_rows("storage.k8s.io/v1", 13, 22, ["storage.k8s.io/v1beta1 VolumeAttachment"]),
    **_rows("", 18, 20, ["settings.k8s.io/v1alpha1 PodPreset"]),
    **_rows("batch/v1", 21, 21, ["batch/v2alpha1 CronJob"]),
    **_rows("rbac.authorization.k8s.io/v1", 8, 23, [f"rbac.authorization.k8s.io/v1alpha1 {RBAC}"]),
    **_rows("scheduling.k8s.io/v1", 14, 23, ["scheduling.k8s.io/v1alpha1 PriorityClass"]),
    **_rows("batch/v1", 21, 25, ["batch/v1beta1 CronJob"]),
    **_rows("discovery.k8s.io/v1", 21, 25, ["discovery.k8s.io/v1beta1 EndpointSlice"]),
    **_rows("events.k8s.io/v1", 19, 25, ["events.k8s.io/v1beta1 Event"]),
    **_rows("autoscaling/v2", 23, 25, ["autoscaling/v2beta1 HorizontalPodAutoscaler"]),
    **_rows("policy/v1", 21, 25, ["policy/v1beta1 PodDisruptionBudget"]),
    **_rows("", 21, 25, ["policy/v1beta1 PodSecurityPolicy"]),
    **_rows("node.k8s.io/v1", 20, 25, ["node.k8s.io/v1beta1 RuntimeClass"]),
    **_rows("autoscaling/v2", 23, 26, ["autoscaling/v2beta2 HorizontalPodAutoscaler"]),
    **_rows("storage.k8s.io/v1", 24, 27, ["storage.k8s.io/v1beta1 CSIStorageCapacity"]),
    **_rows("", 19, None, ["v1 ComponentStatus"]),
    **_rows("discovery.k8s.io/v1", 33, None, ["v1 Endpoints"]),
}
"""By (apiVersion, kind), as of Kubernetes 1.37. Source: the "Deprecated API Migration Guide" on kubernetes.io; for
alpha versions the changelogs of 1.20, 1.21 and 1.23; for Endpoints and ComponentStatus the API's own descriptions."""


PASSED: Verdicts = {DEPRECATED: (), REMOVED: ()}


@lone_survey(DEPRECATED, REMOVED)
def api_versions(resource: Resource, kube_version: str) -> Verdicts:
    """A version that is gone fails both: whoever follows one of the two controls learns of it."""
    verdicts = _judged(resource.api_version, resource.ref.kind, kube_version)
    if resource.ref.kind != POD_SECURITY_POLICY:
        return verdicts
    instead = replacement(resource)
    return {
        control: [Flaw(flaw.path, flaw.message.replace(NO_SUCCESSOR, instead)) for flaw in flaws]
        for control, flaws in verdicts.items()
    }


@lru_cache(maxsize=4096)
def _judged(api_version: str, kind: str, kube_version: str) -> Verdicts:
    target = release_of(kube_version) if kube_version else releases()[-1]
    row = RETIREMENTS.get((api_version, kind))
    if row is not None:
        return _by_table(f"{kind} of {api_version}", row, target)
    schemas = schemas_for(kube_version)
    if schemas.of(api_version, kind) is None:
        return _unserved(api_version, kind, schemas) if target >= schemas.release else NO_VERDICT
    successor = schemas.versions(group_of(api_version), kind)[0]
    if is_stable(api_version) or successor == api_version:
        return PASSED
    if target < schemas.release:  # when the successor came is not known
        return NO_VERDICT
    message = f"uses {kind} of {api_version}, which is deprecated in Kubernetes {schemas.version}: use {successor}"
    return {DEPRECATED: (Flaw(WHERE, message),), REMOVED: ()}


def _by_table(name: str, row: Retirement, target: Release) -> Verdicts:
    advice = f"use {row.successor}" if row.successor else NO_SUCCESSOR
    if row.removed is not None and target >= row.removed:
        return _gone(f"uses {name}, which Kubernetes no longer serves as of {named(row.removed)}: {advice}")
    if target < row.since:
        return PASSED
    end = f" and gone in {named(row.removed)}" if row.removed else ""
    message = f"uses {name}, which is deprecated since Kubernetes {named(row.since)}{end}: {advice}"
    return {DEPRECATED: (Flaw(WHERE, message),), REMOVED: ()}


def _unserved(api_version: str, kind: str, schemas: Schemas) -> Verdicts:
    """What an older release served is gone; what none did is a custom resource, or still to come."""
    last = last_served(api_version, kind, schemas.release)
    if last is None:
        return NO_VERDICT
    gone = next(release for release in releases() if release > last)
    successors = schemas.versions(group_of(api_version), kind)
    advice = f"use {successors[0]}" if successors else NO_SUCCESSOR
    return _gone(f"uses {kind} of {api_version}, which Kubernetes no longer serves as of {named(gone)}: {advice}")


def _gone(message: str) -> Verdicts:
    return {DEPRECATED: (Flaw(WHERE, message),), REMOVED: (Flaw(WHERE, message),)}
