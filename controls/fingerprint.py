"""The identity of a result across commits: no line, no message, no version and no file path in it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from model.audit import Result
from model.resource import ResourceRef, Source
from model.values import FieldPath, Json

MERGE_KEYS = ("name", "containerPort", "port", "mountPath", "ip", "topologyKey")
"""Fields by which Kubernetes itself tells the items of a list apart (``x-kubernetes-patch-merge-key``)."""
OTHER_KEYS = ("host", "path", "type")
"""Fields by which people tell them apart: rules and paths of an Ingress, a LimitRange."""

MOVED_GROUPS: Mapping[tuple[str, str], str] = {
    ("extensions", "Deployment"): "apps",
    ("extensions", "DaemonSet"): "apps",
    ("extensions", "ReplicaSet"): "apps",
    ("extensions", "Ingress"): "networking.k8s.io",
    ("extensions", "NetworkPolicy"): "networking.k8s.io",
    ("extensions", "PodSecurityPolicy"): "policy",
}
"""Where Kubernetes moved a kind (deprecation guide, v1.16 and v1.22): moving with it is not "all new"."""
RENAMED_GROUPS: Mapping[str, str] = {
    "certmanager.k8s.io": "cert-manager.io",
    "networking.x-k8s.io": "gateway.networking.k8s.io",
    "traefik.containo.us": "traefik.io",
}
"""Groups whose kinds their makers moved all together (cert-manager 0.11, Gateway API v1alpha2, Traefik 2.10)."""

CONTAINERS = frozenset({"containers", "initContainers", "ephemeralContainers"})
NAME = "name="
RESOURCE, CONTAINER, FLAW = 20, 12, 32
"""Hexadecimal digits of the parts of a fingerprint. Only the last one tells results apart in a comparison, which knows
resources and containers otherwise; it is as long as a collision is hard to make."""
ORDINAL = re.compile(r"-\d+$")
"""What ``unique`` appends."""

Item = tuple[str, ...]
"""The steps to a list item, positions replaced by names."""


def group_now(ref: ResourceRef) -> str:
    """The API group that serves the kind today."""
    return MOVED_GROUPS.get((ref.group, ref.kind)) or RENAMED_GROUPS.get(ref.group, ref.group)


class Fingerprints:
    """The identities of the results of one resource."""

    def __init__(self, source: Source, ref: ResourceRef, stem: str | None = None) -> None:
        name = stem or ref.name
        parts = (source.kind, source.name, source.environment, group_now(ref), ref.kind, ref.namespace, name)
        self._resource = _hex(parts)[:RESOURCE]

    def of(self, control: str, container: str | None, item: Item) -> str:
        """64 hexadecimal digits over what makes a result this result: of the resource, the container, and the flaw.

        ``item`` names the list item that is at fault (``named_item``), so that a second hostPath volume is a second
        result; a plain field adds nothing, so that moving a setting from container to pod resolves nothing. What is
        about a pod and points into a container is that container's.
        """
        for place, (step, name) in enumerate(pairwise(item)):
            if container is None and step in CONTAINERS and name.startswith(NAME):
                container, item = name.removeprefix(NAME), (*item[: place + 1], *item[place + 2 :])
        return f"{self._resource}{of_container(container)}{_of_flaw(control, item)}"


def parts(fingerprint: str, container: str | None) -> tuple[str | None, str]:
    """Which container of its resource a result is about, and which flaw of it; ordinals say nothing.

    A fingerprint of another making has no parts: it says what flaw it is as a whole.
    """
    whole = ORDINAL.sub("", fingerprint)
    if len(whole) != RESOURCE + CONTAINER + FLAW:
        return container and of_container(container), whole
    return whole[RESOURCE:-FLAW], whole[-FLAW:]


@lru_cache(maxsize=65536)
def of_container(name: str | None) -> str:
    """The part of a fingerprint that stands for a container; None for what is about none."""
    return _hex((name,))[:CONTAINER]


@lru_cache(maxsize=65536)
def _of_flaw(control: str, item: Item) -> str:
    return _hex((control, item))[:FLAW]


def _hex(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def named_item(value: Mapping[str, Json], subject: FieldPath, path: FieldPath | None, *, whole: bool = False) -> Item:
    """``(volumes, name=docker)``: the deepest list item on ``path`` below ``subject``; empty for a plain field.

    ``whole``: the path to its end, whatever it leads to.
    """
    if path is None or path[: len(subject)] != subject:
        return ()
    if not whole and not any(type(step) is int for step in path[len(subject) :]):
        return ()
    words: list[str] = []
    end = 0
    node: Json = dict(value)
    for depth, step in enumerate(path):
        item = _child(node, step)
        if depth >= len(subject):
            words.append(_name(item, step) if isinstance(step, int) else step)
            end = len(words) if whole or isinstance(step, int) else end
        node = item
    return tuple(words[:end])


def unique(results: Iterable[Result]) -> tuple[Result, ...]:
    """The same results; those that share a fingerprint get a structural ordinal, in their order."""
    seen: Counter[str] = Counter()
    distinct: list[Result] = []
    for result in results:
        seen[result.fingerprint] += 1
        ordinal = seen[result.fingerprint]
        distinct.append(result if ordinal == 1 else replace(result, fingerprint=f"{result.fingerprint}-{ordinal}"))
    return tuple(distinct)


def _child(node: Json, step: str | int) -> Json:
    if isinstance(node, dict) and isinstance(step, str):
        return node.get(step)
    if isinstance(node, list) and isinstance(step, int) and step < len(node):
        return node[step]
    return None


def _node_path(item: dict[str, Json]) -> str:
    """Of a volume, which directory of the node it mounts: another one is another flaw."""
    source = item.get("hostPath")
    path = source.get("path") if isinstance(source, dict) else None
    return f",hostPath={path}" if isinstance(path, str) else ""


def _name(item: Json, position: int | str) -> str:
    """What people call a list item; one that has no name is called by what it says, never by its place."""
    if isinstance(item, dict):
        for key in (*MERGE_KEYS, *OTHER_KEYS):
            if isinstance(item.get(key), str | int):
                return f"{key}={item[key]}{_node_path(item)}"
        if len(item) == 1:
            return next(iter(item))
    if item is None:
        return str(position)
    return item if isinstance(item, str) else _hex(item)[:FLAW]
