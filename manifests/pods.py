"""The pods inside an object: of Kubernetes' own kinds by their place, of all others by their shape.

Values have any type that an attacker likes: what has the wrong one is as good as absent, and nothing raises.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from model.resource import Container, ContainerKind, Pod
from model.values import FieldPath, Json, mapping, sequence, text

WORKLOADS: Final = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job"})
WORKLOAD_GROUPS: Final = frozenset({"", "apps", "batch", "extensions"})
PLACES: Final[Mapping[tuple[str, str], FieldPath]] = {
    ("", "Pod"): (),
    ("", "PodTemplate"): ("template",),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("apps.openshift.io", "DeploymentConfig"): ("spec", "template"),
    **{(group, kind): ("spec", "template") for group in WORKLOAD_GROUPS for kind in WORKLOADS},
}
"""Where the metadata and spec of the pod stand."""

NO_PODS: Final = frozenset({"ConfigMap", "Secret", "CustomResourceDefinition", "ControllerRevision"})
NO_POD_GROUPS: Final = ("kyverno.io", "gatekeeper.sh")
"""Policies speak about pods; they bear none."""
TEMPLATE: Final = re.compile("template", re.IGNORECASE)

LISTS: Final = (
    ("initContainers", ContainerKind.INIT),
    ("containers", ContainerKind.MAIN),
    ("ephemeralContainers", ContainerKind.EPHEMERAL),
)
LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def find_pods(group: str, kind: str, value: Mapping[str, Json], *, has_containers: bool = True) -> tuple[Pod, ...]:
    """All pods of an object, their containers under keys unique in it.

    ``has_containers``: whether anything in it is called so, which is quicker to see than a search to be done in vain.
    """
    place = PLACES.get((group, kind))
    if place is not None and (pod := _dig(value, (*place, "spec"))):
        found = [((*place, "spec"), pod)]
    elif not has_containers or kind in NO_PODS or group.endswith(NO_POD_GROUPS):
        found = []
    else:
        found = sorted(_search(value), key=lambda each: tuple(f"{step:>9}" for step in each[0]))
    if not found:
        return ()
    keys = _Keys([spec for _, spec in found])
    return tuple(_pod(value, path, spec, keys) for path, spec in found)


def _item_name(value: Mapping[str, Json], path: FieldPath) -> str:
    """The name of the innermost list item that holds a pod: ``worker`` of ``replicatedJobs``; empty without one."""
    if int not in map(type, path):
        return ""
    node: Json = dict(value)
    name = ""
    for step in path:
        node = node[step] if isinstance(node, list) and isinstance(step, int) else mapping(node).get(str(step))
        if isinstance(step, int):
            name = text(mapping(node).get("name")) or text(mapping(node).get("groupName"))
    return name


def _dig(value: Mapping[str, Json], path: FieldPath) -> dict[str, Json]:
    found: Json = dict(value)
    for step in path:
        found = mapping(found).get(str(step))
    return mapping(found)


def _search(value: Mapping[str, Json]) -> Iterator[tuple[FieldPath, dict[str, Json]]]:
    """Mappings with a list of containers below a key that speaks of a template. The parser bounds the document."""
    todo: list[tuple[FieldPath, Json, bool]] = [((), dict(value), False)]
    while todo:
        path, node, in_template = todo.pop()
        if isinstance(node, dict):
            if in_template and any(isinstance(each, dict) for each in sequence(node.get("containers"))):
                yield path, node
                continue
            for key, child in node.items():
                if isinstance(child, (dict, list)):
                    todo.append(((*path, key), child, in_template or TEMPLATE.search(key) is not None))
        elif isinstance(node, list):
            todo += [((*path, index), child, in_template) for index, child in enumerate(node)]


def _pod(value: Mapping[str, Json], path: FieldPath, spec: dict[str, Json], keys: _Keys) -> Pod:
    metadata_path = (*path[:-1], "metadata") if path[-1:] == ("spec",) else (*path, "metadata")
    metadata: Json = dict(value)
    for step in metadata_path:
        metadata = (
            metadata[step] if isinstance(metadata, list) and isinstance(step, int) else mapping(metadata).get(str(step))
        )
    return Pod(
        spec=spec,
        metadata=mapping(metadata),
        path=path,
        metadata_path=metadata_path,
        containers=tuple(_containers(path, spec, keys, _item_name(value, path))),
    )


def _containers(path: FieldPath, spec: dict[str, Json], keys: _Keys, item: str) -> Iterator[Container]:
    for field, kind in LISTS:
        for index, value in enumerate(sequence(spec.get(field))):
            if isinstance(value, dict):
                name = text(value.get("name"))
                yield Container(
                    key=keys.next(name, f"{kind}-{index + 1}", item),
                    name=name,
                    kind=kind,
                    value=value,
                    path=(*path, field, index),
                    sidecar=kind is ContainerKind.INIT and value.get("restartPolicy") == "Always",
                )


class _Keys:
    """Gives each container a key: its name if that is a label and free, else a placeholder no container is named.

    Where pods of one object name their containers alike, the list item that holds the pod stands before the name, so
    that a key does not depend on the order of the list.
    """

    def __init__(self, specs: Sequence[dict[str, Json]]) -> None:
        self._names = Counter(
            name
            for spec in specs
            for name in {text(mapping(value).get("name")) for field, _ in LISTS for value in sequence(spec.get(field))}
        )
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def next(self, name: str, placeholder: str, item: str) -> str:
        """The key of the next container; ``item`` names what holds its pod."""
        if self._names[name] > 1 and LABEL.fullmatch(f"{item}-{name}") and not self._names[f"{item}-{name}"]:
            name = f"{item}-{name}"
        valid = LABEL.fullmatch(name) is not None
        key = name if valid else placeholder
        if (not valid and key in self._names) or key in self._taken:
            key = self._numbered(key)
        self._taken.add(key)
        return key

    def _numbered(self, base: str) -> str:
        base = base[:50].rstrip("-")
        while True:
            self._last[base] = number = self._last.get(base, 1) + 1
            key = f"{base}-{number}"
            if key not in self._taken and key not in self._names:
                return key
