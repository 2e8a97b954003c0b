"""The service accounts that pods run under, and that bindings name: the default one, or one that is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from model.resource import Resource, ResourceRef
from model.values import Json, mapping, sequence, text
from scanners.native.engine import Flaw, Flaws, Neighbours, Step, Verdicts, survey
from scanners.native.selection import places_for, places_of

DEFAULT: Final = "default"
USES_DEFAULT: Final = "default-service-account"
NOT_FOUND: Final = "service-account-not-found"
GROUP = "rbac.authorization.k8s.io"
BINDINGS = frozenset({"ClusterRoleBinding", "RoleBinding"})


@survey(USES_DEFAULT, NOT_FOUND)
def service_accounts(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """Of workloads and bindings.

    The default account does no harm where nobody gets its token. Every namespace has one; whether another one is there
    is known only beside Service accounts of the same scope.
    """
    if resource.ref.group == GROUP and resource.ref.kind in BINDINGS:
        return {USES_DEFAULT: tuple(_bound(resource))}
    if not resource.pods:
        return {}
    verdicts: dict[str, Sequence[Flaw]] = {USES_DEFAULT: tuple(_default(resource, neighbours))}
    names = [(*_named(pod.spec), pod.path) for pod in resource.pods]
    known = neighbours.derived(_accounts)
    strangers = [(name, (*path, field)) for name, field, path in names if name != DEFAULT]
    if known or not strangers:
        verdicts[NOT_FOUND] = [
            Flaw(path, f"runs under the service account {name[:80]}, which is not defined beside it")
            for name, path in strangers
            if not any(name in known.get(place, ()) for place in places_for(resource.ref.namespace))
        ]
    return verdicts


def _bound(binding: Resource) -> Flaws:
    for position, subject in enumerate(sequence(binding.value.get("subjects"))):
        fields = mapping(subject)
        if fields.get("kind") == "ServiceAccount" and fields.get("name") == DEFAULT:
            yield Flaw(("subjects", position, "name"), "gives rights to every pod that names no service account")


def _default(resource: Resource, neighbours: Neighbours) -> Flaws:
    for pod in resource.pods:
        name, field = _named(pod.spec)
        mounts = pod.spec.get("automountServiceAccountToken")
        if name == DEFAULT and (mounts is True or (mounts is not False and not _withholds(resource, neighbours))):
            yield Flaw((*pod.path, field), "runs under the default service account of its namespace")


def _named(spec: Mapping[str, Json]) -> tuple[str, Step]:
    """The account, and the field that names it or should."""
    for field in ("serviceAccountName", "serviceAccount"):
        if text(spec.get(field)):
            return text(spec[field]), field
    return DEFAULT, "serviceAccountName"


def _withholds(resource: Resource, neighbours: Neighbours) -> bool:
    """Whether the scope has the default account give its token to nobody."""
    ref = ResourceRef(group="", kind="ServiceAccount", namespace=resource.ref.namespace, name=DEFAULT)
    accounts = neighbours.named(ref)
    return bool(accounts) and all(each.value.get("automountServiceAccountToken") is False for each in accounts)


def _accounts(neighbours: Neighbours) -> Mapping[str, frozenset[str]]:
    """Names by place."""
    found: dict[str, set[str]] = {}
    for account in neighbours.of_kind("ServiceAccount"):
        for place in places_of(account.ref.namespace):
            found.setdefault(place, set()).add(account.ref.name)
    return {place: frozenset(names) for place, names in found.items()}
