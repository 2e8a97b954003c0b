"""Secret objects: what they hold, and which containers get them. Values are looked at and never repeated."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping

from model.resource import Resource
from model.values import Json, dig, mapping, sequence, text
from scanners.native.engine import ContainerView, Flaw, Flaws, PodView, Step, container_check, object_check, pod_check

ELSEWHERE = re.compile(r"^(?:ENC\[|vault:|ref\+|secretref\+|<[^>]*>$|\$\{?\w+\}?$|\{\{)")
"""Values that somebody replaces before the cluster sees them, or that a key outside of it has sealed."""
LONGEST = 200
"""Characters of a value that are looked at: what stands for another value is short."""
FILLED_BY_KUBERNETES = "kubernetes.io/service-account-token"
FILLERS = frozenset({"ExternalSecret", "SealedSecret", "VaultDynamicSecret", "VaultPKISecret", "VaultStaticSecret"})
"""Owners that take the values from a store, or from a text that only the cluster can open."""


@object_check("external-secret-storage", kinds=("/Secret",))
def external_secret_storage(resource: Resource) -> Flaws:
    """A Secret whose manifest holds the values themselves; one that others fill has none."""
    if resource.value.get("type") == FILLED_BY_KUBERNETES:
        return
    owners = sequence(dig(dict(resource.value), "metadata", "ownerReferences"))
    if any(text(dig(owner, "kind")) in FILLERS for owner in owners):
        return
    for field, decode in (("data", _decoded), ("stringData", str)):
        values = [decode(text(value)[:LONGEST]) for value in mapping(resource.value.get(field)).values()]
        if any(value.strip() and not ELSEWHERE.match(value) for value in values):
            yield Flaw((field,), "holds values of its own: no secret store provides them")


def _decoded(value: str) -> str:
    """Base64 undone where it is base64; the cut may leave a group that is not whole."""
    try:
        return base64.b64decode(value[: len(value) // 4 * 4], validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return value


@container_check("secrets-as-env", fields=("env", "envFrom"))
def secrets_as_env(container: ContainerView) -> Flaws:
    """One key of a Secret, or all of them."""
    for position, entry in enumerate(sequence(container.value.get("env"))):
        if mapping(dig(entry, "valueFrom", "secretKeyRef")):
            path = container.at("env", position, "valueFrom", "secretKeyRef")
            yield Flaw(path, f"reads a Secret into the variable {text(dig(entry, 'name'))[:60]}")
    for position, entry in enumerate(sequence(container.value.get("envFrom"))):
        if mapping(dig(entry, "secretRef")):
            yield Flaw(container.at("envFrom", position, "secretRef"), "reads a whole Secret into its environment")


@pod_check("workload-mounts-secret")
def workload_mounts_secret(pod: PodView) -> Flaws:
    """Volumes of a Secret or a ConfigMap that some container mounts; one that nobody mounts reaches nobody."""
    mounted = {
        text(dig(mount, "name"))
        for container in pod.pod.containers
        for mount in sequence(container.value.get("volumeMounts"))
    }
    for position, volume in enumerate(sequence(pod.spec.get("volumes"))):
        fields = mapping(volume)
        if text(fields.get("name")) in mounted:
            for steps, kind in _objects(fields):
                yield Flaw(pod.at("volumes", position, *steps), f"mounts a {kind}")


def _objects(volume: Mapping[str, Json]) -> Iterator[tuple[tuple[Step, ...], str]]:
    """The Secrets and ConfigMaps of one volume, those inside a projected one as well."""
    for field, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
        if mapping(volume.get(field)):
            yield (field,), kind
        for position, source in enumerate(sequence(dig(volume.get("projected"), "sources"))):
            if mapping(dig(source, field)):
                yield ("projected", "sources", position, field), kind
