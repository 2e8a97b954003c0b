"""Starts Helm on our copy of one chart, as often as asked, and says in words why it did not finish well."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cache import Cache, Key
from manifests import files
from manifests.files import NotReadError
from manifests.folder_digest import folder_digest
from manifests.helm.chart_copy import Copier
from manifests.helm.charts import Chart
from model.resource import Source
from process import End, Finished, Limits, Sandbox

OUTPUT: Final = 64 << 20
MEMORY: Final = 4 << 30
REASON: Final = 300
"""Characters of Helm's message that are kept."""

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_]?)|\x9b[0-?]*[ -/]*[@-~]")
CONTROLS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
VALUE = re.compile(r"\.?Values\.([A-Za-z_][\w.-]*\w)")
HINT = "Use --debug flag to render out invalid YAML"
SHORTEST_SECRET: Final = 4
"""Characters; shorter values of ``--set`` stay readable in errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What Helm is told besides the chart and its values."""

    kube_version: str
    api_versions: tuple[str, ...]
    name: str
    namespace: str
    timeout: float
    """Seconds for one chart."""
    chart_cache: Path | None = None
    """Where ``deps`` keeps the charts that it has fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A chart with one set of values."""

    chart: Chart
    source: Source
    values: tuple[Path, ...]
    sets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Helm:
    """The pinned binary, where it is started, and what it has printed before."""

    binary: Path
    version: str
    sandbox: Sandbox
    cache: Cache


class Bench:
    """Our copy of one chart and its values, and Helm that renders it as often as asked."""

    def __init__(self, rendering: Rendering, release: Release, helm: Helm, folder: Path) -> None:
        self._release, self._helm, self._folder = release, helm, folder
        self.rendering = rendering
        self.chart = folder / "chart"
        copier = Copier(release.chart_cache)
        copier.copy(rendering.chart, self.chart)
        self.values = [folder / f"values-{n}.yaml" for n, _ in enumerate(rendering.values)]
        for file, copy in zip(rendering.values, self.values, strict=True):
            _copy_values(copier, file, copy)

    def run(self) -> Finished:
        """What Helm makes of the copy as it is now."""
        return self._helm.sandbox.run(
            (self._helm.binary, *self._arguments),
            cwd=self._folder,
            limits=Limits(seconds=self._release.timeout, memory=MEMORY, output=OUTPUT, file_size=OUTPUT),
            environment={"TZ": "UTC"},
            about=self.rendering.source.id,
        )

    def key(self) -> Key:
        """Of all that Helm's output depends on, with the copy as it is now, where nothing in it is random."""
        return Key.of("helm", self._helm.version, list(self._arguments), folder_digest(self._folder))

    def recall(self, key: Key) -> bytes | None:
        """What is remembered of an equal rendering."""
        return self._helm.cache.get(key)

    def remember(self, key: Key, data: bytes) -> None:
        """Keep it; only for this run where a value was set, since it may be a secret of the workflow."""
        self._helm.cache.put(key, data, lasting=not self.rendering.sets)

    @property
    def _arguments(self) -> tuple[str, ...]:
        return _arguments(self._release, [path.name for path in self.values], self.rendering.sets)

    def output(self, finished: Finished) -> bytes:
        """What it printed. Raises NotReadError where it did not finish well."""
        if not is_well(finished):
            raise _explain(finished, self.rendering, self._release)
        return finished.stdout


def is_well(finished: Finished) -> bool:
    """Whether it ended by itself, without an error."""
    return finished.end is End.EXITED and finished.exit_code == 0


def _copy_values(copier: Copier, file: Path, target: Path) -> None:
    try:
        copier.copy_file(file, target)
    except NotReadError as error:
        raise NotReadError(f"the values file {files.reported(file.name)}: {error.reason}", error.remedy) from error


def _arguments(release: Release, values: Sequence[str], sets: Sequence[str]) -> tuple[str, ...]:
    """Schema validation is off: a ``$ref`` in ``values.schema.json`` would reach out (CVE-2025-55199)."""
    return (
        "template",
        f"--namespace={release.namespace}",
        f"--kube-version={release.kube_version}",
        "--include-crds",
        "--skip-schema-validation",
        *(f"--api-versions={version}" for version in release.api_versions),
        *(f"--values={name}" for name in values),
        *(f"--set={assignment}" for assignment in sets),
        "--",
        release.name,
        "./chart",
    )


def clean(message: str) -> str:
    """One line of plain text: no terminal codes, no control characters, beginning and end of what is too long."""
    line = CONTROLS.sub(" ", ESCAPES.sub("", message)).strip()
    return line if len(line) <= REASON else f"{line[: REASON // 3]} … {line[-REASON * 2 // 3 :]}"


def _explain(finished: Finished, rendering: Rendering, release: Release) -> NotReadError:
    chart = rendering.chart.path
    if finished.end is End.TIMED_OUT:
        return NotReadError(
            f"Helm did not finish within {release.timeout:g} s", "raise --timeout, or simplify the chart"
        )
    if finished.end is End.TOO_MUCH_OUTPUT:
        return NotReadError(f"the chart renders to more than {OUTPUT >> 20} MiB", "render less, or exclude the chart")
    if finished.end is End.DISK_FULL:
        return NotReadError("Helm filled the disk", "give the runner more space, or exclude the chart")
    if finished.end is not End.EXITED or "out of memory" in finished.stderr or "cannot allocate" in finished.stderr:
        reason = f"Helm was ended by its limits (exit code {finished.exit_code}, {MEMORY >> 30} GiB of memory)"
        return NotReadError(reason, "look for endless or huge loops in the templates, or exclude the chart")
    _, found, error = finished.stderr.rpartition("Error: ")
    message = clean(_without_set_values((error if found else finished.stderr).replace(HINT, ""), rendering.sets))
    reason = message or f"Helm failed with exit code {finished.exit_code} and said nothing"
    return NotReadError(reason, next(_remedies(message, chart)))


def _without_set_values(message: str, sets: Sequence[str]) -> str:
    """``--set`` may carry a secret of the workflow, and a template may print it by ``fail``."""
    values = {piece.partition("=")[2] for each in sets for piece in each.split(",")}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= SHORTEST_SECRET:
            message = message.replace(value, "…")
    return message


def _remedies(message: str, chart: str) -> Iterator[str]:
    """What fits the message, best first."""
    key = match[1] if (match := VALUE.search(message)) else "KEY"
    if "missing in charts/ directory" in message:
        yield (
            f"fetch it with 'hardening-gate deps {chart}', or vendor it: "
            f"run 'helm dependency build {chart}' and commit charts/"
        )
    if "kubeVersion" in message:
        yield "pass a version that the chart supports with --kube-version"
    if "execution error at" in message or "nil pointer evaluating" in message:
        yield f"pass the value that the chart asks for: --values {chart}=FILE, or --set {chart}={key}=VALUE"
    if "YAML parse error" in message:
        yield "correct the template that the message names"
    yield f"run 'helm template {chart}' to see the whole message, and correct the chart or its values"
