"""gitignore globs on reported paths: what a waiver, or a gate of its own, is about."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import pathspec

from model.audit import Audit
from model.resource import SourceKind


@lru_cache(maxsize=1024)
def globs(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a path matches them, later ones winning as in ``.gitignore``; ``folder/**`` holds ``folder/`` itself."""
    return lru_cache(maxsize=65536)(pathspec.GitIgnoreSpec.from_lines(patterns, backend="re2").match_file)


def resources_under(audit: Audit, patterns: tuple[str, ...]) -> frozenset[str]:
    """Ids of the resources that lie there: by their file, or by the chart or kustomization that they come from."""
    matches = globs(patterns)
    sources = {
        source.id
        for source in audit.sources
        if source.kind is not SourceKind.MANIFESTS and (matches(source.path) or matches(f"{source.path}/"))
    }
    return frozenset(
        resource.id for resource in audit.resources if resource.source in sources or matches(resource.location.path)
    )
