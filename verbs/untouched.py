"""Newly visible findings in files that the change has not touched: base has them too, though nobody could see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from manifests.failures import digest
from manifests.files import Kind, NotReadError, entries, kind_of, read_file
from model.audit import Result
from model.comparison import Comparison
from model.resource import Source, SourceKind
from verbs.sides import Side, Sides

TEMPLATES = "templates"


def untouched(comparison: Comparison, sides: Sides) -> frozenset[str]:
    """Fingerprints of those on objects that base could not show; none where it is stored, whose files nobody has."""
    if sides.base is None:
        return frozenset()
    sources = {source.id: source for source in comparison.head.sources}
    source_of = {resource.id: sources[resource.source] for resource in comparison.head.resources}
    judged = {each.head.id for each in comparison.couples if each.head and each.base}
    equal: dict[str, bool] = {}
    found = []
    for result in comparison.newly_visible:
        if result.resource in judged:
            continue  # base has the object: a neighbour could not be read, and may have gone with what was mended
        source = source_of[result.resource]
        if source.kind is SourceKind.KUSTOMIZE:
            continue  # any of its files may decide
        paths = tuple(_paths(result, source))
        for path in paths:
            if path not in equal:
                equal[path] = _is_equal(path, sides.base, sides.head)
        if all(equal[path] for path in paths):
            found.append(result.fingerprint)
    return frozenset(found)


def _paths(result: Result, source: Source) -> Iterator[str]:
    """What decides about it: its own file, and of its chart all but other templates."""
    yield result.location.path
    if source.kind is SourceKind.HELM:
        yield from source.values
        yield f"{source.path}/"


def _is_equal(path: str, base: Side, head: Side) -> bool:
    """Whether both sides have the same bytes there, or nothing; what cannot be read is not known to be the same."""
    prefix = "" if base.prefix == "." else f"{base.prefix}/"
    if not path.startswith(prefix):
        return False
    try:
        if path.endswith("/"):
            folders = (base.root / path.removeprefix(prefix), head.root / path)
            return _shared_files(folders[0]) == _shared_files(folders[1])
        return _content(base.root / path.removeprefix(prefix)) == _content(head.root / path)
    except NotReadError:
        return False


def _shared_files(chart: Path) -> dict[str, str]:
    """Digests of the files of a chart that any of its templates may use, by path."""
    found = {}
    todo = [chart]
    while todo:
        for entry in entries(todo.pop()):
            path = entry.path.relative_to(chart)
            is_template = path.parts[0] == TEMPLATES and not entry.name.startswith("_")
            if entry.kind is Kind.FOLDER:
                todo.append(entry.path)
            elif not is_template:
                found[path.as_posix()] = digest([entry.path])
    return found


def _content(file: Path) -> bytes | None:
    return read_file(file) if kind_of(file) is Kind.FILE else None
