"""From a built resource back to the file that defines it: the lines of fields that nothing has changed since."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from manifests import files
from manifests.files import NotReadError
from manifests.helm.charts import below
from manifests.resources import Origin, Registry
from manifests.text.parse import parse
from model.resource import Location, Precision, Resource, ResourceRef
from model.values import Json, Mark, mapping, sequence, text

KEYS: Final = ("name", "containerPort", "port", "mountPath", "path", "key")
"""Fields by which items of a list are told apart."""
GENERATORS: Final = ("configMapGenerator", "secretGenerator")
HASHED: Final = re.compile(r"(?P<stem>.+)-[bcdfghkmt2456789]{10}")
"""How kustomize names what it generates: the alphabet is that of ``encode`` in its ``api/hasher``."""


class Origins:
    """Reads the files that resources come from, each once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._objects = cache(self._read_objects)
        self._generators = cache(self._read_generators)

    def place(self, resource: Resource, file: Path | None, *, generated: bool) -> Resource:
        """The resource at ``file``, with its lines as far as they say the same; ``generated``: by its generators."""
        if file is None:
            return resource
        if generated:
            place = self._at(file, self._generator(file, resource.ref.name))
            return replace(resource, location=place, marks=None, stem=_stem(resource.ref))
        original = _same(resource, self._objects(file))
        if original is None or original.marks is None:
            return replace(resource, location=self._at(file, None), marks=None)
        marks = _unchanged(dict(resource.value), dict(original.value), original.marks)
        return replace(resource, location=original.location, marks=marks)

    def _generator(self, file: Path, name: str) -> Mark | None:
        """The entry whose name is the longest in ``name``, which may have a prefix, a suffix and a hash."""
        inside = [(own, mark) for own, mark in self._generators(file) if own and own in name]
        return max(inside, key=lambda each: len(each[0]))[1] if inside else None

    def _at(self, file: Path, mark: Mark | None) -> Location:
        path = below(self._root, file)
        if mark is None:
            return Location(path=path, line=1, column=1, precision=Precision.FILE)
        return Location(path=path, line=mark.value_line, column=mark.value_column, precision=Precision.RESOURCE)

    def _read_objects(self, file: Path) -> tuple[Resource, ...]:
        origin, registry = Origin(source="", path=below(self._root, file)), Registry()
        try:
            documents = parse(files.read_file(file)).documents
        except NotReadError:  # it was copied a moment ago; then there is no line to show
            return ()
        found = (each for document in documents for each in registry.resources(document, origin))
        return tuple(each for each in found if isinstance(each, Resource))

    def _read_generators(self, file: Path) -> tuple[tuple[str, Mark], ...]:
        try:
            documents = parse(files.read_file(file)).documents
        except NotReadError:
            return ()
        return tuple(
            (text(mapping(row).get("name")), document.marks.at((key, position))[0])
            for document in documents
            for key in GENERATORS
            for position, row in enumerate(sequence(mapping(document.value).get(key)))
        )


def _stem(ref: ResourceRef) -> str | None:
    """The name of a generated object without its hash; None where it has none (``disableNameSuffixHash``)."""
    found = HASHED.fullmatch(ref.name) if ref.kind in {"ConfigMap", "Secret"} and not ref.group else None
    return found["stem"] if found else None


def _same(resource: Resource, objects: Sequence[Resource]) -> Resource | None:
    """The object that was built into ``resource``: of its kind, by name, or by a name inside of a name."""
    ref = resource.ref
    alike = [each for each in objects if (each.ref.group, each.ref.kind) == (ref.group, ref.kind)]
    named = [each for each in alike if each.ref.name == ref.name]
    if named:
        return next((each for each in named if each.ref.namespace == ref.namespace), named[0])
    inside = [each for each in alike if each.ref.name and each.ref.name in ref.name]
    return max(inside, key=lambda each: len(each.ref.name), default=alike[0] if len(alike) == 1 else None)


def _unchanged(built: Json, original: Json, marks: Mark) -> Mark:
    """The marks of ``original`` in the shape of ``built``, without what a patch has changed or moved."""
    if isinstance(built, dict) and isinstance(original, dict):
        pairs: Mapping[str | int, str | int] = {key: key for key in built if key in original}
    elif isinstance(built, list) and isinstance(original, list):
        pairs = _items(built, original)
    else:
        return marks
    children: dict[str | int, Mark] = {}
    for key, old in pairs.items():
        mark = (marks.children or {}).get(old)
        value, before = _child(built, key), _child(original, old)
        if mark is not None and (value == before or (isinstance(value, dict | list) and type(value) is type(before))):
            children[key] = _unchanged(value, before, mark)
    return marks._replace(children=children)


def _items(built: Sequence[Json], original: Sequence[Json]) -> dict[str | int, str | int]:
    """Positions in ``built`` and ``original`` of what is the same item: by its key, else by being equal."""
    places: dict[str, int] = {}
    for position, item in enumerate(original):
        places.setdefault(_key(item), position)
    return {position: places[_key(item)] for position, item in enumerate(built) if _key(item) in places}


def _key(item: Json) -> str:
    row = mapping(item)
    return next((f"{key}={row[key]}" for key in KEYS if key in row), repr(item))


def _child(value: Json, key: str | int) -> Json:
    return value[key]  # type: ignore[index]
