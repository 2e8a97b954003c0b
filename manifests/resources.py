"""Documents to resources: lists flattened, identities unique and stable, pods and containers found.

A document that is no Kubernetes object is told, never dropped; it raises nothing for values of a wrong type.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from manifests.helm.provenance import Provenance
from manifests.pods import find_pods
from manifests.text.compose import Document
from model.resource import Location, Precision, Resource, ResourceRef
from model.values import FieldPath, Json, Mark, dig, mapping, text

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    value: Json
    marks: Mark
    path: FieldPath
    """From the root of the document."""


class Registry:
    """Makes the resources of one tree, so that their ids are unique in it."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}

    def resources(self, document: Document, origin: Origin) -> Iterator[Resource | NoObject]:
        """The objects of one document, in order. An empty document holds none."""
        for piece in _flatten(document):
            value = piece.value
            if value is None:
                continue
            if not isinstance(value, dict):
                yield NoObject(
                    line=_line(piece, origin), reason=f"a {_word(value)} is no Kubernetes object", half=False
                )
            elif reason := _missing(value):
                half = "apiVersion" in value or "kind" in value
                yield NoObject(line=_line(piece, origin), reason=reason, half=half)
            else:
                yield self._resource(piece, value, document, origin)

    def _resource(self, piece: _Piece, value: dict[str, Json], document: Document, origin: Origin) -> Resource:
        api_version, kind = text(value.get("apiVersion")), text(value.get("kind"))
        group = api_version.rpartition("/")[0]
        ref = ResourceRef(group=group, kind=kind, namespace=_name(value, "namespace"), name=_object_name(value))
        return Resource(
            id=self.unique(_identity(origin.source, ref)),
            source=origin.source,
            ref=ref,
            api_version=api_version,
            value=value,
            marks=None if origin.rendered else piece.marks,
            printed=origin.provenance.printed(piece.marks) if origin.provenance else None,
            location=_location(piece, origin, kind),
            digest=_digest(value),
            pods=find_pods(group, kind, value),
            duplicate_keys=tuple(
                path[len(piece.path) :] for path in document.duplicate_keys if path[: len(piece.path)] == piece.path
            ),
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
    todo = [_Piece(value=document.value, marks=document.marks, path=())]
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
    return _Piece(value=item, marks=marks, path=(*piece.path, "items", index))


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


def _name(value: Mapping[str, Json], key: str) -> str:
    """A name as written; Kubernetes refuses a number there, people still look for it."""
    name = dig(dict(value), "metadata", key)
    return str(name) if isinstance(name, (str, int, float)) and not isinstance(name, bool) else ""


def _object_name(value: Mapping[str, Json]) -> str:
    return _name(value, "name") or _name(value, "generateName")


def _line(piece: _Piece, origin: Origin) -> int | None:
    return None if origin.rendered else piece.marks.value_line


def _location(piece: _Piece, origin: Origin, kind: str) -> Location:
    start = origin.provenance.start(origin.path, piece.marks, kind) if origin.provenance else None
    if start:
        return start
    if origin.rendered:
        return Location(path=origin.path, line=1, column=1, precision=Precision.FILE)
    marks = piece.marks
    return Location(path=origin.path, line=marks.value_line, column=marks.value_column, precision=Precision.RESOURCE)


def _digest(value: Json) -> str:
    try:
        canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # a lone surrogate, which is no text
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"
