"""What an object says about itself: namespace, keys, owner, service account."""

from __future__ import annotations

from model.resource import Resource, ResourceRef
from model.values import dig, mapping, sequence, text
from scanners.native.engine import Flaw, Flaws, PodView, object_check, pod_check

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""As kubeadm labels its static pods."""


@object_check("duplicate-keys")
def duplicate_keys(resource: Resource) -> Flaws:
    """Kubernetes keeps the last one; strict clients refuse the object."""
    for path in resource.duplicate_keys:
        yield Flaw(path, f"holds the key {str(path[-1])[:60]} twice")


@object_check("default-namespace")
def default_namespace(resource: Resource) -> Flaws:
    """Written down as such; without a namespace the object goes where it is applied to."""
    if resource.ref.namespace == "default":
        yield Flaw(("metadata", "namespace"), "lives in the default namespace")


@object_check("kube-system-namespace")
def kube_system_namespace(resource: Resource) -> Flaws:
    """Beside the control plane, whose own pods say by kubeadm's labels that they are part of it."""
    if resource.ref.namespace == "kube-system" and not _is_component(resource):
        yield Flaw(("metadata", "namespace"), "lives in kube-system, beside the control plane")


def _is_component(resource: Resource) -> bool:
    labels = [dig(dict(resource.value), "metadata", "labels"), *(pod.metadata.get("labels") for pod in resource.pods)]
    return any(dig(each, "tier") == "control-plane" and dig(each, "component") in COMPONENTS for each in labels)


@object_check("naked-pod", kinds=("/Pod",))
def naked_pod(resource: Resource) -> Flaws:
    """A pod that no controller owns: an exported one names its owner."""
    owners = sequence(dig(dict(resource.value), "metadata", "ownerReferences"))
    if not any(mapping(owner).get("controller") is True for owner in owners):
        yield Flaw(("kind",), "is a bare pod that nobody restarts on another node")


@pod_check("deprecated-service-account-field")
def deprecated_service_account_field(pod: PodView) -> Flaws:
    """The old alias beside or instead of ``serviceAccountName``."""
    if pod.spec.get("serviceAccount"):
        yield Flaw(pod.at("serviceAccount"), "uses the deprecated field serviceAccount")


@pod_check("service-account-token-automount")
def service_account_token_automount(pod: PodView) -> Flaws:
    """The pod's own word wins; unset mounts the token, unless its service account in the same scope says no."""
    own = pod.spec.get("automountServiceAccountToken")
    if own is not False and (own is not None or not _account_withholds_token(pod)):
        yield Flaw(pod.at("automountServiceAccountToken"), "mounts a token of the Kubernetes API")


def _account_withholds_token(pod: PodView) -> bool:
    name = text(pod.spec.get("serviceAccountName")) or text(pod.spec.get("serviceAccount")) or "default"
    namespace = pod.resource.ref.namespace
    accounts = pod.neighbours.named(ResourceRef(group="", kind="ServiceAccount", namespace=namespace, name=name))
    return bool(accounts) and all(each.value.get("automountServiceAccountToken") is False for each in accounts)
