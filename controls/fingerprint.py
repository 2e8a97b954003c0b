"""The identity of a result across commits: no line, no message, no version and no file path in it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from model.audit import Result
from model.resource import Resource, ResourceRef, Source
from model.values import FieldPath, Json

MERGE_KEYS = ("name", "containerPort", "port", "mountPath", "ip", "topologyKey")
"""Fields by which Kubernetes itself tells the items of a list apart (``x-kubernetes-patch-merge-key``)."""


MOVED_GROUPS: Mapping[tuple[str, str], str] = {
    ("extensions", "Deployment"): "apps",
    ("extensions", "DaemonSet"): "apps",
    ("extensions", "ReplicaSet"): "apps",
    ("extensions", "Ingress"): "networking.k8s.io",
    ("extensions", "NetworkPolicy"): "networking.k8s.io",
    ("extensions", "PodSecurityPolicy"): "policy",
}
"""Where Kubernetes moved a kind (deprecation guide, v1.16 and v1.22): moving with it is not "all new"."""

MASKED_KEYS = frozenset({"helm.sh/chart", "app.kubernetes.io/version", "chart", "version"})
"""Labels and annotations that name a release."""
CHECKSUM = "checksum/"
"""How annotations begin that restart pods when a file has changed."""

Item = tuple[str, ...]
"""The steps to a list item, positions replaced by names."""


def group_now(ref: ResourceRef) -> str:
    """The API group that serves the kind today."""
    return MOVED_GROUPS.get((ref.group, ref.kind), ref.group)


class Fingerprints:
    """The identities of the results of one resource."""

    def __init__(self, source: Source, ref: ResourceRef) -> None:
        parts = (source.kind, source.name, source.environment, group_now(ref), ref.kind, ref.namespace, ref.name)
        self._resource = hashlib.sha256(json.dumps(parts).encode())

    def of(self, control: str, container: str | None, item: Item) -> str:
        """64 hexadecimal digits over what makes a result this result.

        ``item`` names the list item that is at fault (``named_item``), so that a second hostPath volume is a second
        result; a plain field adds nothing, so that moving a setting from container to pod resolves nothing.
        """
        own = self._resource.copy()
        own.update(_ending(control, container, item))
        return own.hexdigest()


@lru_cache(maxsize=65536)
def _ending(control: str, container: str | None, item: Item) -> bytes:
    return json.dumps((control, container, item)).encode()


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


def content_digest(resource: Resource) -> str:
    """``sha256:`` of what an object says, apart from what moves with every release: see MASKED_KEYS."""
    if not _has_masked(dict(resource.value)):
        return resource.digest
    masked = _without_masked(dict(resource.value))
    return f"sha256:{hashlib.sha256(json.dumps(masked, sort_keys=True).encode()).hexdigest()}"


def _has_masked(value: Json) -> bool:
    todo: list[Json] = [value]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            for key, item in node.items():
                if type(item) is dict or type(item) is list:
                    if key in {"labels", "annotations"} and any(map(_is_masked, item)):
                        return True
                    todo.append(item)
        elif isinstance(node, list):
            todo += node
    return False


def _is_masked(key: Json) -> bool:
    return isinstance(key, str) and (key in MASKED_KEYS or key.startswith(CHECKSUM))


def _without_masked(value: Json, parent: str = "") -> Json:
    if isinstance(value, dict):
        return {
            key: _without_masked(item, key)
            for key, item in value.items()
            if not (parent in {"labels", "annotations"} and _is_masked(key))
        }
    if isinstance(value, list):
        return [_without_masked(item) for item in value]
    return value


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


def _name(item: Json, position: int | str) -> str:
    if isinstance(item, dict):
        for key in MERGE_KEYS:
            if isinstance(item.get(key), str | int):
                return f"{key}={item[key]}"
    return item if isinstance(item, str) else str(position)
