"""A base tree under the paths of its head: what lies in ``base/chart`` is reported as ``chart`` is in head."""

from __future__ import annotations

from dataclasses import replace

from model.resource import Source, SourceKind, Tree

HERE = "."


def relocate(tree: Tree, prefix: str) -> Tree:
    """The same tree with every reported path below ``prefix`` (POSIX, ``.`` for the root)."""
    if prefix == HERE:
        return tree

    def moved(path: str) -> str:
        if path.startswith("/"):
            return path
        return prefix if path == HERE else f"{prefix}/{path}"

    ids = {source.id: _moved_id(source, moved(source.path)) for source in tree.sources}

    def moved_id(id_: str | None) -> str | None:
        """Of a source, or of a resource, which begins with that of its source."""
        if id_ is None:
            return None
        source, mark, rest = id_.partition("#")
        return f"{ids.get(source, source)}{mark}{rest}"

    return replace(
        tree,
        sources=tuple(
            replace(
                source,
                id=ids[source.id],
                path=moved(source.path),
                name=moved(source.name) if source.kind is SourceKind.KUSTOMIZE else source.name,
                values=tuple(map(moved, source.values)),
            )
            for source in tree.sources
        ),
        resources=tuple(
            replace(
                resource,
                id=f"{ids[resource.source]}{resource.id.removeprefix(resource.source)}",
                source=ids[resource.source],
                location=replace(resource.location, path=moved(resource.location.path)),
                printed=resource.printed and replace(resource.printed, files=tuple(map(moved, resource.printed.files))),
            )
            for resource in tree.resources
        ),
        failures=tuple(
            replace(
                failure,
                path=moved(failure.path),
                source=moved_id(failure.source),
                resource=moved_id(failure.resource),
            )
            for failure in tree.failures
        ),
        notes=tuple(replace(note, path=moved(note.path)) for note in tree.notes),
        excluded=tuple(replace(row, path=moved(row.path)) for row in tree.excluded),
    )


def _moved_id(source: Source, path: str) -> str:
    """The id with the new path in place of the old one (``manifests:PATH``, ``PATH?values=NAME``)."""
    kind = "" if source.kind is SourceKind.HELM else f"{source.kind}:"
    return f"{kind}{path}{source.id.removeprefix(kind).removeprefix(source.path)}"
