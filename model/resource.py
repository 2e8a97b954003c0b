"""Kubernetes objects and where they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from model.record import record
from model.values import FieldPath, Json, Mark


class SourceKind(StrEnum):
    """How resources of a source come to be."""

    HELM = "helm"
    KUSTOMIZE = "kustomize"
    MANIFESTS = "manifests"


class Precision(StrEnum):
    """How close a location is to the field it speaks of."""

    EXACT = "exact"
    """The field itself."""
    ENCLOSING = "enclosing"
    """The nearest existing parent of a field that is absent."""
    RESOURCE = "resource"
    """The first line of the object."""
    FILE = "file"
    """Only the file is known."""


@record(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a person should look."""

    path: str
    """POSIX, relative to the root."""
    line: int
    column: int
    """1-based; lines end at ``\\n`` only, as GitHub counts them."""
    precision: Precision


@record(frozen=True, slots=True, kw_only=True)
class ResourceRef:
    """Identity of an object. The API version is no part of it: ``v1beta1`` to ``v1`` is not "all new"."""

    group: str
    kind: str
    namespace: str
    """Empty where the manifest names none."""
    name: str

    def __str__(self) -> str:
        """``Kind/namespace/name``, as waivers and people write it."""
        return f"{self.kind}/{self.namespace or '-'}/{self.name}"


class ContainerKind(StrEnum):
    """Which list of the pod a container stands in."""

    MAIN = "main"
    INIT = "init"
    EPHEMERAL = "ephemeral"


@record(frozen=True, slots=True, kw_only=True, eq=False)
class Container:
    """One container of a pod."""

    key: str
    """Unique in its resource and a valid DNS label: the name, or a placeholder where that is missing or taken."""
    name: str
    """As written; may be empty."""
    kind: ContainerKind
    value: Mapping[str, Json]
    path: FieldPath
    """From the root of the object."""
    sidecar: bool
    """An init container with ``restartPolicy: Always``."""


@record(frozen=True, slots=True, kw_only=True, eq=False)
class Pod:
    """A pod spec inside an object: the pod itself, or a template of a workload."""

    spec: Mapping[str, Json]
    metadata: Mapping[str, Json]
    path: FieldPath
    """Of the spec, from the root of the object."""
    metadata_path: FieldPath
    containers: tuple[Container, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The line of a template that printed a line."""

    file: int
    """Index of the template."""
    line: int
    """1-based."""
    text: str
    """What stands on it literally, each action as ``\\0``; empty where the printed line is not written there."""

    def column(self, step: str | int) -> int | None:
        """1-based, of a key or list item that is written on it; 1 where an action before it hides the column."""
        found = (
            re.search(rf"(?<![\w.-])[\"']?{re.escape(step)}[\"']?\s*:", self.text) if isinstance(step, str) else None
        )
        if isinstance(step, int):
            found = re.search(r"[^\s\0]", self.text)
        if found is None:
            return None
        return 1 if "\0" in self.text[: found.start()] else found.start() + 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Printed:
    """The way from a rendered object to the lines of its templates."""

    marks: Mark
    """In the rendered text."""
    lines: Mapping[int, Written]
    """By line of the rendered text; those whose origin is proven."""
    files: tuple[str, ...]
    """The templates, POSIX, relative to the root."""

    def locate(self, path: FieldPath) -> Location | None:
        """The template line of ``path``, or of its nearest existing parent whose line is known."""
        for depth in range(len(path), 0, -1):
            mark, found = self.marks.at(path[:depth])
            written = self.lines.get(mark.line)
            if found == depth and written is not None:
                column = written.column(path[depth - 1])
                exact = column is not None and depth == len(path)
                precision = Precision.EXACT if exact else Precision.ENCLOSING
                path_ = self.files[written.file]
                return Location(path=path_, line=written.line, column=column or 1, precision=precision)
        return None


@record(frozen=True, slots=True, kw_only=True, eq=False)
class Resource:
    """One Kubernetes object, read from one document."""

    id: str
    """Unique in the audit, stable when lines move."""
    source: str
    """``Source.id``."""
    ref: ResourceRef
    api_version: str
    """As written, ``group/version`` or ``version``."""
    value: Mapping[str, Json]
    marks: Mark | None
    """None where the text was rendered: its lines are not the user's."""
    printed: Printed | None = None
    """Of a rendered object: where its lines were written, as far as that is proven."""
    location: Location
    """Of the object's first line."""
    digest: str
    """``sha256:`` of the canonical JSON: equal objects share it."""
    pods: tuple[Pod, ...] = ()
    duplicate_keys: tuple[FieldPath, ...] = ()
    """Keys that a mapping holds twice; the last one counts, as for Kubernetes."""
    scored: bool = True
    """False for Helm tests: shown, not scored."""
    stem: str | None = None
    """The name without the hash of its content, where the build says that it has one."""

    @property
    def containers(self) -> tuple[Container, ...]:
        """All containers of all pods."""
        if len(self.pods) == 1:
            return self.pods[0].containers
        return tuple(container for pod in self.pods for container in pod.containers)

    def locate(self, path: FieldPath | None) -> Location:
        """The line of ``path``, or of its nearest existing parent."""
        if path is not None and self.printed is not None:
            return self.printed.locate(path) or self.location
        if path is None or self.marks is None:
            return self.location
        line, column, depth = self.marks.place(path)
        if depth == 0 and path:
            return self.location
        precision = Precision.EXACT if depth == len(path) else Precision.ENCLOSING
        return Location(path=self.location.path, line=line, column=column, precision=precision)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A chart with one set of values, a kustomization, or the raw manifests of one PATH: a scope."""

    id: str
    kind: SourceKind
    path: str
    """POSIX, relative to the root."""
    name: str
    """Logical: the chart's name, the kustomization's folder; constant for raw manifests. Part of fingerprints."""
    environment: str = ""
    values: tuple[str, ...] = ()
    """Values files, relative to the root."""
    kube_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """A path that the policy leaves out."""

    path: str
    pattern: str


class Stage(StrEnum):
    """Where something went wrong."""

    RENDER = "render"
    PARSE = "parse"
    SCAN = "scan"
    PUBLISH = "publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Something expected that could not be read, rendered or scanned. It is never counted as passed."""

    stage: Stage
    path: str
    line: int | None = None
    scanner: str | None = None
    """The scanner that did not see it; None when nobody could."""
    source: str | None = None
    """``Source.id`` of what is missing, where it has one."""
    resource: str | None = None
    """``Resource.id`` of what is missing, where it has one."""
    digest: str | None = None
    """``sha256:`` of what could not be read, rendered or scanned: tells whether a change touched it."""
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something worth a look that was not expected to be a manifest."""

    path: str
    line: int | None = None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """All that was found under the paths of one side."""

    sources: tuple[Source, ...]
    resources: tuple[Resource, ...]
    failures: tuple[Failure, ...]
    notes: tuple[Note, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    files: int = 0
    documents: int = 0
    reads: frozenset[str] = frozenset()
    """Reported paths of what the sources are made of: files, folders of sources, and with ``/`` at the end folders of
    which everything is part of one."""
