"""Newly visible findings in files that the change has not touched: base has them too, though nobody could see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from manifests.files import Kind, NotReadError, kind_of, read_file
from model.audit import Result
from model.comparison import Comparison
from model.resource import Source, SourceKind
from verbs.sides import Side, Sides

VALUES = "values.yaml"


def untouched(comparison: Comparison, sides: Sides) -> frozenset[str]:
    """Fingerprints; none where base is a stored audit, whose files nobody has."""
    if sides.base is None:
        return frozenset()
    sources = {source.id: source for source in comparison.head.sources}
    source_of = {resource.id: sources[resource.source] for resource in comparison.head.resources}
    equal: dict[str, bool] = {}
    found = []
    for result in comparison.newly_visible:
        paths = tuple(_paths(result, source_of[result.resource]))
        for path in paths:
            if path not in equal:
                equal[path] = _is_equal(path, sides.base, sides.head)
        if all(equal[path] for path in paths):
            found.append(result.fingerprint)
    return frozenset(found)


def _paths(result: Result, source: Source) -> Iterator[str]:
    """Files that decide about it: its own, and the values of its chart. Of a kustomization, anything may."""
    if source.kind is SourceKind.KUSTOMIZE:
        yield ""
        return
    yield result.location.path
    if source.kind is SourceKind.HELM:
        yield f"{source.path}/{VALUES}"
        yield from source.values


def _is_equal(path: str, base: Side, head: Side) -> bool:
    """Whether both sides have the same bytes there, or nothing; what cannot be read is not known to be the same."""
    if not path:
        return False
    prefix = "" if base.prefix == "." else f"{base.prefix}/"
    if not path.startswith(prefix):
        return False
    try:
        return _content(base.root / path.removeprefix(prefix)) == _content(head.root / path)
    except NotReadError:
        return False


def _content(file: Path) -> bytes | None:
    return read_file(file) if kind_of(file) is Kind.FILE else None
