"""A base tree under the paths of its head: what lies in ``base/chart`` is reported as ``chart`` is in head."""

from __future__ import annotations

from dataclasses import replace

from model.resource import Tree

HERE = "."


def relocate(tree: Tree, prefix: str) -> Tree:
    """The same tree with every reported path below ``prefix`` (POSIX, ``.`` for the root)."""
    if prefix == HERE:
        return tree

    def moved(path: str) -> str:
        return prefix if path == HERE else f"{prefix}/{path}"

    return replace(
        tree,
        sources=tuple(
            replace(source, path=moved(source.path), values=tuple(map(moved, source.values))) for source in tree.sources
        ),
        resources=tuple(
            replace(resource, location=replace(resource.location, path=moved(resource.location.path)))
            for resource in tree.resources
        ),
        failures=tuple(replace(failure, path=moved(failure.path)) for failure in tree.failures),
        notes=tuple(replace(note, path=moved(note.path)) for note in tree.notes),
        excluded=tuple(replace(row, path=moved(row.path)) for row in tree.excluded),
    )
