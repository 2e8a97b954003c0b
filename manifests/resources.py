"""Documents to resources: lists flattened, identities unique and stable, pods and containers found.

A document that is no Kubernetes object is told, never dropped; it raises nothing for values of a wrong type.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import orjson

from manifests.helm.provenance import Provenance
from manifests.pods import find_pods
from manifests.text.compose import Document
from model.record import record
from model.resource import Location, Pod, Precision, Resource, ResourceRef
from model.values import FieldPath, Json, Mark, mapping, text

LIST: Final = "List"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a document comes from."""

    source: str
    """``Source.id``."""
    path: str
    """As reports show it."""
    rendered: bool = False
    """Its lines are not the user's."""
    provenance: Provenance | None = None
    """Of a rendered document: where its lines were written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoObject:
    """A document, or an item of a list, that is no Kubernetes object."""

    line: int | None
    reason: str
    half: bool
    """It has ``apiVersion`` or ``kind``: somebody meant it to be one."""


class _Piece(NamedTuple):
    value: Json
    marks: Mark
    path: FieldPath
    """From the root of the document."""


@record(frozen=True, slots=True, kw_only=True, eq=False)
class Object:
    """A Kubernetes object as its document says it, wherever the document may stand."""

    ref: ResourceRef
    api_version: str
    value: dict[str, Json]
    marks: Mark
    digest: str
    pods: tuple[Pod, ...]
    duplicate_keys: tuple[FieldPath, ...]


def objects(document: Document) -> Iterator[Object | NoObject]:
    """The objects of one document, in order. An empty document holds none."""
    for piece in _flatten(document):
        value = piece.value
        if value is None:
            continue
        line = piece.marks.value_line
        if not isinstance(value, dict):
            yield NoObject(line=line, reason=f"a {_word(value)} is no Kubernetes object", half=False)
        elif reason := _missing(value):
            yield NoObject(line=line, reason=reason, half="apiVersion" in value or "kind" in value)
        else:
            yield _object(piece, value, document)


def _object(piece: _Piece, value: dict[str, Json], document: Document) -> Object:
    api_version, kind = text(value.get("apiVersion")), text(value.get("kind"))
    group = api_version.rpartition("/")[0]
    metadata = mapping(value.get("metadata"))
    canonical = _canonical(value)
    name = _name(metadata, "name") or _name(metadata, "generateName")
    return Object(
        ref=ResourceRef(group=group, kind=kind, namespace=_name(metadata, "namespace"), name=name),
        api_version=api_version,
        value=value,
        marks=piece.marks,
        digest=f"sha256:{hashlib.sha256(canonical).hexdigest()}",
        pods=find_pods(group, kind, value, has_containers=b'"containers"' in canonical),
        duplicate_keys=tuple(
            [path[len(piece.path) :] for path in document.duplicate_keys if path[: len(piece.path)] == piece.path]
        ),
    )


class Registry:
    """Makes the resources of one tree, so that their ids are unique in it."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}

    def resources(self, document: Document, origin: Origin) -> Iterator[Resource | NoObject]:
        """The objects of one document, in order. An empty document holds none."""
        return self.placed(objects(document), origin)

    def placed(self, found: Iterable[Object | NoObject], origin: Origin) -> Iterator[Resource | NoObject]:
        """The objects of one document as resources of a source; they share what does not depend on the place."""
        for each in found:
            if isinstance(each, Object):
                yield self._resource(each, origin)
            else:
                yield replace(each, line=None) if origin.rendered else each

    def _resource(self, found: Object, origin: Origin) -> Resource:
        return Resource(
            id=self.unique(_identity(origin.source, found.ref)),
            source=origin.source,
            ref=found.ref,
            api_version=found.api_version,
            value=found.value,
            marks=None if origin.rendered else found.marks,
            printed=origin.provenance.printed(found.marks) if origin.provenance else None,
            location=_location(found, origin),
            digest=found.digest,
            pods=found.pods,
            duplicate_keys=found.duplicate_keys,
        )

    def unique(self, identity: str) -> str:
        """``identity``, with ``~2`` for the next one that is the same; a name may end in ``~2`` itself."""
        count = self._count[identity] = self._count.get(identity, 0) + 1
        if count == 1:
            return identity
        while (copy := f"{identity}~{count}") in self._count:
            count += 1
        self._count[copy] = 1
        return copy


def _identity(source: str, ref: ResourceRef) -> str:
    kind = f"{ref.kind}.{ref.group}" if ref.group else ref.kind
    return f"{source}#{kind}/{ref.namespace or '-'}/{ref.name}"


def _flatten(document: Document) -> Iterator[_Piece]:
    """The document, or the items of the lists that it is made of."""
    todo = [_Piece(document.value, document.marks, ())]
    while todo:
        piece = todo.pop()
        items = _items(piece.value)
        if items is None:
            yield piece
            continue
        todo += reversed([_item(piece, index, item) for index, item in enumerate(items)])


def _items(value: Json) -> list[Json] | None:
    """The items of a list kind: ``v1 List`` and every ``SomethingList`` that has items."""
    if isinstance(value, dict) and not _missing(value) and text(value["kind"]).endswith(LIST):
        items = value.get("items")
        return items if isinstance(items, list) else None
    return None


def _item(piece: _Piece, index: int, item: Json) -> _Piece:
    """An item of a list; of a typed list it may leave out what the list says already."""
    whole = mapping(piece.value)
    kind = text(whole["kind"]).removesuffix(LIST)
    if kind and isinstance(item, dict):
        item = {"apiVersion": whole["apiVersion"], "kind": kind, **item}
    marks = (piece.marks.children or {}).get("items", piece.marks)
    marks = (marks.children or {}).get(index, marks)
    return _Piece(item, marks, (*piece.path, "items", index))


def _missing(value: Mapping[str, Json]) -> str | None:
    """Why a mapping is no object."""
    for key in ("apiVersion", "kind"):
        if key not in value:
            return f"it has no {key}"
        if not text(value[key]):
            return f"its {key} is no text, or empty"
    return None


def _word(value: Json) -> str:
    return "list" if isinstance(value, list) else "single value"


def _name(metadata: Mapping[str, Json], key: str) -> str:
    """A name as written; Kubernetes refuses a number there, people still look for it."""
    name = metadata.get(key)
    return str(name) if isinstance(name, (str, int, float)) and not isinstance(name, bool) else ""


def _location(found: Object, origin: Origin) -> Location:
    marks = found.marks
    start = origin.provenance.start(origin.path, marks, found.ref.kind) if origin.provenance else None
    if start:
        return start
    if origin.rendered:
        return Location(path=origin.path, line=1, column=1, precision=Precision.FILE)
    return Location(path=origin.path, line=marks.value_line, column=marks.value_column, precision=Precision.RESOURCE)


def _canonical(value: Json) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # a lone surrogate, which is no text
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
