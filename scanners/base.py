"""The port that every scanner satisfies: a module with these names is a scanner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cache import Cache
from model.finding import Scan
from model.progress import Progress, unseen
from model.resource import Resource, Tree
from process import Sandbox
from toolbox import Toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Resources that may see each other: one source of one side."""

    resources: tuple[Resource, ...]
    kube_version: str = ""
    """``major.minor`` that the source is meant for; empty for that of the run."""


def scopes_of(tree: Tree) -> tuple[Scope, ...]:
    """Each source is a scope: its objects may see each other, and no others."""
    members: dict[str, list[Resource]] = {source.id: [] for source in tree.sources}
    for resource in tree.resources:
        members[resource.source].append(resource)
    return tuple(
        Scope(resources=tuple(members[source.id]), kube_version=source.kube_version)
        for source in tree.sources
        if members[source.id]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanContext:
    """What a scanner may use besides the resources."""

    sandbox: Sandbox
    """The only way to start a process."""
    toolbox: Toolbox
    kube_version: str
    """``major.minor``."""
    timeout: float
    """Seconds for one start of the scanner."""
    jobs: int = 2
    """How many children may run at the same time."""
    cache: Cache = field(default_factory=Cache)
    """What was judged before is not judged again."""
    progress: Progress = unseen
    """Told, under the scanner's name, how many objects it is to look at and has looked at."""


class Scanner(Protocol):
    """A scanner; see ``scanners/polaris.py`` for a small one."""

    NAME: str
    """As on the command line, in the audit and in the catalogue."""
    TOOL: str | None
    """The binary it needs, by its name in ``tools/pins.json``; None where it needs none."""

    def supports(self, resource: Resource) -> bool:
        """Whether the scanner, given this resource, must show it in its output."""
        ...

    def scan(self, scopes: Sequence[Scope], context: ScanContext) -> Scan:
        """Look at all scopes; never let one see another. What it supports and did not show is ``missing``.

        Raises nothing for bad input, crashes or time-outs of the tool: they leave resources missing.
        """
        ...
