"""The normalised copy that external scanners read: one object a file, names of ours, and the way back.

Every external scanner silently drops something: nameless objects, equal identities, null settings, documents behind an
odd separator. In the copy none of that is left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.resource import ContainerKind, Resource
from model.values import FieldPath, Json

UNNAMED = "unnamed"
HEADER = "# a normalised copy\n"
"""Makes the text YAML but not JSON: Trivy's JSON reader refuses negative numbers."""
INSPECTED = frozenset({ContainerKind.MAIN, ContainerKind.INIT})
"""No external scanner looks at ephemeral containers."""
Identity = tuple[str, str, str]
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Copy:
    """One object as scanners see it."""

    resource: Resource
    file: str
    text: str
    identity: Identity
    """(kind, namespace, name) in the copy, unique in its set."""
    renamed: bool
    """The name is not the object's own."""
    lines: Mapping[int, str]
    """``Container.key`` by the one line on which the container stands."""

    @property
    def inspected(self) -> tuple[str, ...]:
        """Keys of the containers that external scanners look at."""
        return tuple(container.key for container in self.resource.containers if container.kind in INSPECTED)


def make_copies(resources: Iterable[Resource], room: int = 0) -> tuple[Copy, ...]:
    """Copies of objects that may see each other; the first to bear an identity keeps it, later ones are renamed.

    ``room``: from 1 on, the objects get namespaces of their own, so that those of another room do not see them.
    """
    objects = tuple(resources)
    owners: dict[Identity, Resource] = {}
    for resource in objects:
        owners.setdefault(_identity(resource, room), resource)
    taken = set(owners)
    return tuple(
        _copy(resource, f"{f'r{room:03}' if room else ''}o{number:06}.yaml", _identity(resource, room), owners, taken)
        for number, resource in enumerate(objects, 1)
    )


def _identity(resource: Resource, room: int) -> Identity:
    namespace = f"room-{room}-{resource.ref.namespace}".rstrip("-") if room else resource.ref.namespace
    return resource.ref.kind, namespace, resource.ref.name or UNNAMED


def _copy(
    resource: Resource, file: str, own: Identity, owners: Mapping[Identity, Resource], taken: set[Identity]
) -> Copy:
    identity, attempt = own, 1
    while identity in taken and owners.get(identity) is not resource:
        attempt += 1
        identity = (*own[:2], f"{own[2]}-{attempt}")
    taken.add(identity)
    text, lines = _write(resource, identity)
    return Copy(
        resource=resource,
        file=file,
        text=text,
        identity=identity,
        renamed=identity[2] != resource.ref.name,
        lines=lines,
    )


def write_copies(copies: Sequence[Copy], folder: Path) -> None:
    """Write each copy into a folder that the scanner may read."""
    for copy in copies:
        (folder / copy.file).write_text(copy.text, encoding="utf-8")


def _write(resource: Resource, identity: Identity) -> tuple[str, dict[int, str]]:
    """JSON, which is YAML too, with each container on a line of its own."""
    value = _without_nulls(dict(resource.value))
    assert isinstance(value, dict)
    written = value.get("metadata")
    metadata = {**(written if isinstance(written, dict) else {}), "name": identity[2]}
    if identity[1] != resource.ref.namespace:
        metadata["namespace"] = identity[1]
    value["metadata"] = metadata
    keys = []
    for container in resource.containers:
        _put_name(value, container.path, container.key)
        keys.append((container.path, container.key))
    return _one_line_a_container(value, keys)


def _without_nulls(value: Json) -> Json:
    """A null setting is an absent one for Kubernetes, and blinds scanners."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _put_name(value: Json, path: FieldPath, name: str) -> None:
    node = _at(value, path)
    assert isinstance(node, dict), "a container is a mapping"
    node["name"] = name


def _at(value: Json, path: FieldPath) -> Json:
    for step in path:
        assert isinstance(value, (dict, list)), "containers lie in mappings and lists"
        value = value[step]  # type: ignore[index]
    return value


def _one_line_a_container(value: Json, containers: Sequence[tuple[FieldPath, str]]) -> tuple[str, dict[int, str]]:
    """The text, and the key of the container that stands on a line."""
    mark = _unused_mark(_dump(value))
    texts = []
    for number, (path, _) in enumerate(containers):
        siblings, position = _at(value, path[:-1]), path[-1]
        assert isinstance(siblings, list), "containers stand in lists"
        assert isinstance(position, int), "containers stand in lists"
        texts.append(_dump(siblings[position]))
        siblings[position] = f"{mark}{number}{mark}"
    pieces = re.split(f'"{mark}([0-9]+){mark}"', _dump(value))
    order = [int(number) for number in pieces[1::2]]
    lines = {2 * place + 3: containers[number][1] for place, number in enumerate(order)}
    pieces[1::2] = [f"\n{texts[number]}\n" for number in order]
    return "".join((HEADER, *pieces, "\n")), lines


def _unused_mark(text: str) -> str:
    number = 0
    while f"@{number}@" in text:
        number += 1
    return f"@{number}@"


def _dump(value: Json) -> str:
    """JSON on one line that every YAML reader takes: YAML knows no surrogates, and breaks lines at U+2028.

    Sorted: equal objects have equal copies, whichever key is written first.
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
