"""Configurations that other objects carry as text: the ConfigMaps of kubeadm, and the patches of a kind cluster.

Text that is no YAML, or more of it than anybody writes, holds no configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from model.resource import Resource
from model.values import FieldPath, Json, mapping, sequence, text

OF_KUBEADM = re.compile(r"kube-proxy|kubeadm-config|kubelet-config(?:-1\.\d+)?")
"""Names of ConfigMaps in which kubeadm keeps them."""
KIND_GROUP = "kind.x-k8s.io"
LONGEST = 65_536
"""Characters."""
BRACKETS, STEPS = 500, 10
"""More of them, in the whole text and on one line, nest deeper than any configuration."""
FIELD = "kubeadmConfigPatches"
HOLDERS = frozenset({("", "ConfigMap"), (KIND_GROUP, "Cluster")})
"""Group and kind of the objects that carry such texts."""


class Configuration(NamedTuple):
    """A configuration, wherever it stands."""

    group: str
    kind: str
    value: dict[str, Json]
    path: FieldPath
    """Of the text that holds it, from the root of the object; empty where the object is the configuration."""
    is_whole: bool
    """False of a patch."""


def configurations(resource: Resource) -> Iterator[Configuration]:
    """The object itself, or those in its texts."""
    ref = resource.ref
    if ref.kind == "ConfigMap" and not ref.group:
        if OF_KUBEADM.fullmatch(ref.name):
            for key, value in mapping(resource.value.get("data")).items():
                yield from _read(text(value), ("data", key), is_whole=True)
    elif ref.group == KIND_GROUP:
        for path, patch in _patches(resource):
            yield from _read(patch, path, is_whole=False)
    else:
        yield Configuration(ref.group, ref.kind, dict(resource.value), (), is_whole=True)


def _patches(resource: Resource) -> Iterator[tuple[FieldPath, str]]:
    for position, patch in enumerate(sequence(resource.value.get(FIELD))):
        yield (FIELD, position), text(patch)
    for number, node in enumerate(sequence(resource.value.get("nodes"))):
        for position, patch in enumerate(sequence(mapping(node).get(FIELD))):
            yield ("nodes", number, FIELD, position), text(patch)


def _read(words: str, path: FieldPath, *, is_whole: bool) -> Iterator[Configuration]:
    if "kind" not in words or len(words) > LONGEST or "&" in words or _is_deep(words):
        return
    try:
        documents: list[Any] = list(yaml.load_all(words, Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: a date that no calendar has
        return
    for document in documents:
        value = mapping(document)
        group = text(value.get("apiVersion")).rpartition("/")[0]
        kind = text(value.get("kind"))
        yield Configuration(group or GROUPS.get(kind, ""), kind, value, path, is_whole)


def _is_deep(words: str) -> bool:
    """Whether reading it could need more of the stack than there is; an anchor could make little text much."""
    if words.count("[") + words.count("{") > BRACKETS:
        return True
    return any(line.count("- ") + line.count("? ") > STEPS for line in words.splitlines())


GROUPS = {
    "ClusterConfiguration": "kubeadm.k8s.io",
    "InitConfiguration": "kubeadm.k8s.io",
    "JoinConfiguration": "kubeadm.k8s.io",
    "KubeletConfiguration": "kubelet.config.k8s.io",
    "KubeProxyConfiguration": "kubeproxy.config.k8s.io",
}
"""A patch of kind may leave out the API version."""
