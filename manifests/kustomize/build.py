"""Builds one kustomization through ``kustomize build``: from a copy, in the sandbox, without a network.

One that does not build is a Failure that says what to do; half of one is never taken for the whole.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cache import Cache, Key
from manifests.failures import failure
from manifests.files import NotReadError
from manifests.folder_digest import folder_digest
from manifests.helm.chart_copy import Copier
from manifests.helm.running import clean
from manifests.kustomize.kustomizations import Kustomization, closure, within_reach
from manifests.text.compose import Document
from manifests.text.parse import parse
from model.errors import EnvironmentBrokenError
from model.progress import Progress, unseen
from model.resource import Failure, Source, Stage
from model.values import Json, dig, mapping, text
from process import End, Finished, Limits, Sandbox
from toolbox import Toolbox

OUTPUT: Final = 64 << 20
MEMORY: Final = 2 << 30
GO: Final = {"GOGC": "400", "GOMAXPROCS": "1"}
"""Settings of Go's runtime: telling origins makes much garbage; collected seldom, a build takes two thirds of the time
for 10 MiB more."""
WORK: Final = "building kustomizations"
"""What people are told while it lasts."""
ORIGIN: Final = "config.kubernetes.io/origin"
POINT: Final = "must resolve to a file': "
"""What kustomize says before it comes to the point ends so."""
DETOUR: Final = "accumulating resources: "
OUTSIDE: Final = re.compile(r"security; (file '[^']*' is not in or below '[^']*')")
BUILD = ("build", "--", "top")
TREE, TOP = "tree", BUILD[-1]
"""Folders of the copy: what the repository holds, and our own kustomization above it, which asks for origins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Building:
    """A kustomization that makes a source."""

    kustomization: Kustomization
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltDocument:
    """What kustomize printed, and where it comes from."""

    document: Document
    file: Path | None
    """That defines it; None where kustomize does not say."""
    generated: bool
    """``file`` is a kustomization whose generator made it."""


@dataclass(slots=True, kw_only=True)
class Built:
    """What came of it."""

    building: Building
    documents: list[BuiltDocument] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many at the same time, and for how long."""

    jobs: int
    timeout: float
    """Seconds for one kustomization."""
    progress: Progress = unseen
    cache: Cache = field(default_factory=Cache)
    """What was built before is not built again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Builds kustomizations; ``known`` are those that discovery has read."""

    sandbox: Sandbox
    kustomize: Path
    version: str
    known: Mapping[Path, Kustomization]
    timeout: float
    """Seconds for one kustomization."""
    cache: Cache

    def build(self, building: Building) -> Built:
        """The documents, or the Failure that stands for them."""
        built = Built(building=building)
        try:
            _refuse_component(building.kustomization)
            parts = closure(building.kustomization, self.known)
            self._read(self._output(building.kustomization, parts), parts, built)
        except NotReadError as error:
            built.documents.clear()
            built.failures.append(not_built(building, error, self.known))
        return built

    def _output(self, top: Kustomization, parts: Sequence[Kustomization]) -> bytes:
        with self.sandbox.folder("kustomize") as folder:
            _copy(top, parts, folder)
            key = Key.of("kustomize", self.version, *BUILD, folder_digest(folder))
            if (known := self.cache.get(key)) is not None:
                return known
            finished = self.sandbox.run(
                (self.kustomize, *BUILD),
                cwd=folder,
                limits=Limits(seconds=self.timeout, memory=MEMORY, output=OUTPUT, file_size=OUTPUT),
                environment=GO,
                about=top.path,
            )
        if finished.end is not End.EXITED or finished.exit_code != 0:
            raise _explain(finished, folder, top, self.timeout)
        self.cache.put(key, finished.stdout)
        return finished.stdout

    def _read(self, output: bytes, parts: Sequence[Kustomization], built: Built) -> None:
        root = parts[0].root
        own = {path for part in parts for path in (part.file, *part.files)}
        parsed = parse(output)
        if parsed.broken:
            reason = f"what kustomize printed cannot be read: {parsed.broken[0].reason}"
            raise NotReadError(reason, "see 'kustomize build', and correct what it prints")
        for document in parsed.documents:
            file, generated = _take_origin(document.value, root)
            known = file if file in own else None
            built.documents.append(BuiltDocument(document=document, file=known, generated=generated))


def build_all(
    buildings: Sequence[Building],
    known: Mapping[Path, Kustomization],
    sandbox: Sandbox,
    toolbox: Toolbox,
    pace: Pace,
) -> list[Built]:
    """What comes of all kustomizations, in their order. Without kustomize each is a Failure."""
    if not buildings:
        return []
    try:
        binary = toolbox.check("kustomize", sandbox)
    except EnvironmentBrokenError as error:
        reason = NotReadError(f"kustomize cannot be used: {error.message}", error.remedy)
        return [Built(building=each, failures=[not_built(each, reason, known)]) for each in buildings]
    builder = Builder(
        sandbox=sandbox,
        kustomize=binary,
        version=toolbox.pin("kustomize").version,
        known=known,
        timeout=pace.timeout,
        cache=pace.cache,
    )
    pace.progress(WORK, more=len(buildings))

    def build(building: Building) -> Built:
        built = builder.build(building)
        pace.progress(WORK, done=1)
        return built

    with ThreadPoolExecutor(max_workers=max(1, pace.jobs)) as pool:
        return list(pool.map(build, buildings))


def not_built(building: Building, error: NotReadError, known: Mapping[Path, Kustomization]) -> Failure:
    """A Failure of the kustomization; it stands for all that it is made of."""
    top = building.kustomization
    touched = dict.fromkeys(path for part in within_reach(top, known) for path in (part.file, *part.files))
    return failure(Stage.RENDER, top.path, error, touched, source=building.source.id)


def _refuse_component(top: Kustomization) -> None:
    if top.is_component:
        raise NotReadError("it is a component, which builds nothing alone", "scan a kustomization that uses it")


def _copy(top: Kustomization, parts: Sequence[Kustomization], folder: Path) -> None:
    """Regular files only, at the places that the kustomizations name."""
    copier = Copier()
    for path in dict.fromkeys(path for part in parts for path in (part.file, *part.files)):
        target = folder / TREE / path.relative_to(top.root)
        _make_folders(folder, target.parent)
        try:
            copier.copy_file(path, target)
        except NotReadError as error:
            raise NotReadError(f"{path.name}: {error.reason}", error.remedy) from error
    own = folder / TOP
    _make_folders(folder, own)
    place = os.path.relpath(folder / TREE / top.folder.relative_to(top.root), own)
    text_of_top = json.dumps({"resources": [place], "buildMetadata": ["originAnnotations"]})
    (own / "kustomization.yaml").write_text(text_of_top, encoding="utf-8", errors="surrogateescape")


def _make_folders(top: Path, folder: Path) -> None:
    for path in (*reversed(folder.relative_to(top).parents), folder.relative_to(top)):
        (top / path).mkdir(exist_ok=True)
        if path != Path():
            (top / path).chmod(0o755)


def _take_origin(value: Json, root: Path) -> tuple[Path | None, bool]:
    """Where an object comes from; what we had kustomize write there goes away again."""
    metadata = mapping(dig(value, "metadata"))
    annotations = mapping(metadata.get("annotations"))
    if ORIGIN not in annotations:
        return None, False
    told = parse(text(annotations.pop(ORIGIN)).encode()).documents
    if not annotations:
        del metadata["annotations"]
    origin = mapping(told[0].value if told else None)
    generated = "configuredIn" in origin
    name = text(origin.get("configuredIn")) or text(origin.get("path"))
    inside = os.path.normpath(os.path.join("/", TOP, name))  # noqa: PTH118 not a path of this machine
    prefix = f"/{TREE}/"
    return (root / inside.removeprefix(prefix) if name and inside.startswith(prefix) else None), generated


def _explain(finished: Finished, folder: Path, top: Kustomization, timeout: float) -> NotReadError:
    if finished.end is End.TIMED_OUT:
        return NotReadError(f"kustomize did not finish within {timeout:g} s", "raise --timeout, or build on less")
    if finished.end is End.TOO_MUCH_OUTPUT:
        return NotReadError(f"it builds to more than {OUTPUT >> 20} MiB", "build less, or exclude it")
    if finished.end is End.DISK_FULL:
        return NotReadError("kustomize filled the disk", "give the runner more space, or exclude it")
    if finished.end is not End.EXITED:
        reason = f"kustomize was ended by its limits (exit code {finished.exit_code}, {MEMORY >> 30} GiB of memory)"
        return NotReadError(reason, "look for endless or huge patches, or exclude it")
    _, found, error = finished.stderr.rpartition("Error: ")
    message = _in_the_tree(error if found else finished.stderr, folder)
    if outside := OUTSIDE.search(message):
        return NotReadError(outside[1], "move the file into the folder of the kustomization, or make it a base")
    message = clean(message.rpartition(POINT)[2].replace(f"{DETOUR}{DETOUR[:12]}", DETOUR[:12]))
    reason = message or f"kustomize failed with exit code {finished.exit_code} and said nothing"
    return NotReadError(reason, f"run 'kustomize build {top.path}' to see the whole message, and correct it")


def _in_the_tree(message: str, folder: Path) -> str:
    """A message of kustomize about the copy, as if it were about the tree."""
    for place in (f"{folder}/{TREE}/", f"{folder}/", f"../{TREE}/"):
        message = message.replace(place, "")
    return message
