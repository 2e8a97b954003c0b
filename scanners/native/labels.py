"""Labels of objects and of their pods."""

from __future__ import annotations

import re

from model.resource import Resource
from model.values import FieldPath, Json, dig, mapping, text
from scanners.native.engine import Flaw, Flaws, object_check

RECOMMENDED = "app.kubernetes.io/"
OWNERS = re.compile(r"(?:[a-z0-9.-]+/)?(?:contact|e-?mail|maintainers?|owners?|owned-by|team)", re.IGNORECASE)
"""Keys of labels and annotations under which people are to be found, whatever the prefix."""
WORKLOADS = ("DaemonSet", "Deployment", "DeploymentConfig", "ReplicaSet", "ReplicationController", "StatefulSet")
"""Kinds that are workloads even where the template of their pods is missing."""
INSTANCE = "app.kubernetes.io/instance"
VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?", re.ASCII)
"""k8s.io/apimachinery, ``IsValidLabelValue``; empty is fine."""


@object_check("instance-label")
def instance_label(resource: Resource) -> Flaws:
    """A name that is generated cannot be written down."""
    metadata = mapping(resource.value.get("metadata"))
    name = text(metadata.get("name"))
    if resource.pods and name and dig(metadata, "labels", INSTANCE) != name:
        yield Flaw(("metadata", "labels", INSTANCE), f"has no label {INSTANCE} that equals its name")


@object_check("common-labels")
def common_labels(resource: Resource) -> Flaws:
    """One of those that Kubernetes recommends (``app.kubernetes.io/…``), or who owns it; on the object or its pods."""
    if not resource.pods and resource.ref.kind not in WORKLOADS:
        return
    metadata = [mapping(resource.value.get("metadata")), *(pod.metadata for pod in resource.pods)]
    labels = [key for place in metadata for key in mapping(place.get("labels"))]
    if any(key.startswith(RECOMMENDED) or OWNERS.fullmatch(key) for key in labels):
        return
    if not any(OWNERS.fullmatch(key) for place in metadata for key in mapping(place.get("annotations"))):
        yield Flaw(
            ("metadata", "labels"), f"has none of the recommended labels {RECOMMENDED}name, …/instance, …/part-of"
        )


@object_check("label-values")
def label_values(resource: Resource) -> Flaws:
    """Of the object and of its pods; a number or a truth value is no text, which the API server refuses."""
    places: dict[FieldPath, Json] = {("metadata", "labels"): dig(dict(resource.value), "metadata", "labels")}
    places |= {(*pod.metadata_path, "labels"): pod.metadata.get("labels") for pod in resource.pods}
    for path, labels in places.items():
        for key, value in mapping(labels).items():
            if value is not None and not isinstance(value, str):
                yield Flaw((*path, key), f"gives the label {key[:80]} a value that is no text: put it in quotes")
            elif not VALUE.fullmatch(text(value)):
                yield Flaw((*path, key), f"gives the label {key[:80]} a value that Kubernetes does not accept")
