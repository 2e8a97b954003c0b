"""Renders one chart with one set of values through ``helm template``, in the sandbox and without a network.

A chart that does not render is a Failure that says what to do; half a chart is never taken for a whole one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from manifests import files
from manifests.failures import failure
from manifests.files import NotReadError
from manifests.helm.actions import OPEN
from manifests.helm.chart_copy import Copier
from manifests.helm.charts import Chart, local_folders
from manifests.helm.constants import MENTION
from manifests.helm.marked_copy import MarkedCopy
from manifests.helm.masking import Mask
from manifests.helm.provenance import Provenance, trace, untraced
from manifests.helm.steady import Steady
from manifests.helm.templates import Templates, header
from manifests.text.chunks import Undecodable, chunks, decode
from manifests.text.compose import Budget, Document
from manifests.text.parse import Parsed, read
from model.errors import EnvironmentBrokenError
from model.progress import Progress, unseen
from model.resource import Failure, Note, Source, Stage
from model.values import dig, text
from process import End, Finished, Limits, Sandbox
from toolbox import Toolbox

OUTPUT: Final = 64 << 20
MEMORY: Final = 4 << 30
REASON: Final = 300
"""Characters of Helm's message that are kept."""

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_]?)|\x9b[0-?]*[ -/]*[@-~]")
CONTROLS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
VALUE = re.compile(r"\.?Values\.([A-Za-z_][\w.-]*\w)")
HINT = "Use --debug flag to render out invalid YAML"
WORK: Final = "rendering charts"
"""What people are told while it lasts."""
MARKED: Final = 3
"""Renderings with marks that are tried; templates that do not render with marks go without."""
AGAIN: Final = 2
"""More renderings of a chart that is random: what all of them agree on is taken for constant."""
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


@dataclass(slots=True, kw_only=True)
class Rendered:
    """What came of it."""

    rendering: Rendering
    documents: list[tuple[Document, str]] = field(default_factory=list)
    """Each with the reported path of its template."""
    failures: list[Failure] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    provenance: Provenance | None = None
    """Where the documents' lines were written."""


def render_all(  # noqa: PLR0913 what is rendered, by what, and who is told
    renderings: Sequence[Rendering],
    release: Release,
    sandbox: Sandbox,
    toolbox: Toolbox,
    jobs: int,
    *,
    progress: Progress = unseen,
) -> list[Rendered]:
    """What comes of all charts, ``jobs`` at the same time, in their order. Without Helm each is a Failure."""
    if not renderings:
        return []
    try:
        helm = toolbox.check("helm", sandbox)
    except EnvironmentBrokenError as error:
        return [_not_rendered(rendering, error) for rendering in renderings]
    progress(WORK, more=len(renderings))

    def render(rendering: Rendering) -> Rendered:
        own = replace(release, kube_version=rendering.source.kube_version)
        rendered = _render(rendering, own, sandbox, helm)
        progress(WORK, done=1)
        return rendered

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        return list(pool.map(render, renderings))


def _not_rendered(rendering: Rendering, error: EnvironmentBrokenError) -> Rendered:
    reason = NotReadError(f"Helm cannot be used: {error.message}", error.remedy)
    return Rendered(rendering=rendering, failures=[chart_failure(rendering, rendering.chart.path, reason)])


def _render(rendering: Rendering, release: Release, sandbox: Sandbox, helm: Path) -> Rendered:
    """The documents of a chart, or the Failure that stands for them."""
    rendered = Rendered(rendering=rendering)
    try:
        with sandbox.folder("chart") as folder:
            bench = _Bench(rendering, release, sandbox, helm, folder)
            steady = Steady(bench.chart, bench.values)
            output = _output(bench, steady)
            _read_output(output, rendered)
            _settle(bench, steady, rendered)
            if rendered.documents:
                rendered.provenance = _provenance(bench, steady, output)
    except NotReadError as error:
        rendered.documents.clear()
        rendered.failures.append(chart_failure(rendering, rendering.chart.path, error))
    return rendered


def is_test(value: object) -> bool:
    """Whether a rendered object is a Helm test and nothing else: not applied by an installation."""
    hooks = text(dig(value, "metadata", "annotations", "helm.sh/hook")).split(",") if isinstance(value, dict) else []
    return bool(hooks) and all(hook.strip() in {"test", "test-success", "test-failure"} for hook in hooks)


def chart_failure(rendering: Rendering, path: str, error: NotReadError) -> Failure:
    """A Failure of the chart, at it or at one of its templates: it stands for the chart and its values."""
    touched = (rendering.chart.folder, *local_folders(rendering.chart), *rendering.values)
    return failure(Stage.RENDER, path, error, touched, source=rendering.source.id)


# ---------------------------------------------------------------- running Helm


class _Bench:
    """Our copy of one chart and its values, and Helm that renders it as often as asked."""

    def __init__(self, rendering: Rendering, release: Release, sandbox: Sandbox, helm: Path, folder: Path) -> None:
        self._release, self._sandbox, self._helm, self._folder = release, sandbox, helm, folder
        self.rendering = rendering
        self.chart = folder / "chart"
        copier = Copier(release.chart_cache)
        copier.copy(rendering.chart, self.chart)
        self.values = [folder / f"values-{n}.yaml" for n, _ in enumerate(rendering.values)]
        for file, copy in zip(rendering.values, self.values, strict=True):
            _copy_values(copier, file, copy)

    def run(self) -> Finished:
        """What Helm makes of the copy as it is now."""
        release = self._release
        return self._sandbox.run(
            _command(self._helm, release, [path.name for path in self.values], self.rendering.sets),
            cwd=self._folder,
            limits=Limits(seconds=release.timeout, memory=MEMORY, output=OUTPUT, file_size=OUTPUT),
            environment={"TZ": "UTC"},
            about=self.rendering.source.id,
        )

    def output(self, finished: Finished) -> bytes:
        """What it printed. Raises NotReadError where it did not finish well."""
        if not _is_well(finished):
            raise _explain(finished, self.rendering, self._release)
        return finished.stdout


def _is_well(finished: Finished) -> bool:
    return finished.end is End.EXITED and finished.exit_code == 0


def _copy_values(copier: Copier, file: Path, target: Path) -> None:
    try:
        copier.copy_file(file, target)
    except NotReadError as error:
        raise NotReadError(f"the values file {files.reported(file.name)}: {error.reason}", error.remedy) from error


def _command(helm: Path, release: Release, values: Sequence[str], sets: Sequence[str]) -> tuple[str | Path, ...]:
    """Schema validation is off: a ``$ref`` in ``values.schema.json`` would reach out (CVE-2025-55199)."""
    return (
        helm,
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


# ---------------------------------------------------------------- what it printed


def _output(bench: _Bench, steady: Steady) -> bytes:
    """What the chart prints with constants; with its own functions where it does not render otherwise."""
    finished = bench.run()
    if steady.changed and finished.end is End.EXITED and finished.exit_code != 0:
        steady.restore()
        finished = bench.run()
    return steady.as_written(bench.output(finished))


def _settle(bench: _Bench, steady: Steady, rendered: Rendered) -> None:
    """Mask what may still be random, if it is, and tell what was made constant."""
    path = bench.rendering.chart.path
    if steady.names:
        reason = f"random values are replaced by constants: {', '.join(steady.names)}"
        rendered.notes.append(Note(path=path, reason=reason))
    if steady.open or _randomly_set(bench.rendering.sets):
        mask = _mask(bench, steady, rendered)
        rendered.notes += (Note(path=path, reason=reason) for reason in mask.reasons)


def _mask(bench: _Bench, steady: Steady, rendered: Rendered) -> Mask:
    """Make constant what differs between renderings: two show whether anything does, more show what."""
    first = [document for document, _ in rendered.documents]
    others = [_again(bench, steady)]
    mask = Mask()
    mask.documents(first, others)
    if mask.reasons:
        others += [_again(bench, steady) for _ in range(AGAIN)]
        masked = mask.documents(first, others)
        rendered.documents = [(new, old[1]) for new, old in zip(masked, rendered.documents, strict=True)]
    return mask


def _provenance(bench: _Bench, steady: Steady, output: bytes) -> Provenance:
    """Where the lines of the output were written, as far as a second, marked rendering proves it."""
    copy, templates = MarkedCopy(bench.chart), Templates(bench.rendering.chart)
    reported = [templates.original(bench.chart, name) for name in copy.texts]
    known = untraced(reported, [*copy.texts.values()])
    for _ in range(MARKED):
        finished = bench.run()
        if _is_well(finished):
            marked = steady.as_written(finished.stdout)
            return trace(output.decode(errors="replace"), marked.decode(errors="replace"), copy.marker, known)
        if finished.end is not End.EXITED or not copy.unmark(finished.stderr):
            break
    return known


def _randomly_set(sets: Sequence[str]) -> bool:
    return any(OPEN in each and MENTION.search(each) for each in sets)


def _again(bench: _Bench, steady: Steady) -> list[Document]:
    """The documents of another rendering."""
    rendered = Rendered(rendering=bench.rendering)
    _read_output(steady.as_written(bench.output(bench.run())), rendered)
    return [document for document, _ in rendered.documents]


def _read_output(output: bytes, rendered: Rendered) -> None:
    try:
        printed = decode(output)
    except Undecodable as error:
        raise NotReadError("the rendered text is not valid UTF-8", "correct the template that prints it") from error
    templates, budget = Templates(rendered.rendering.chart), Budget()
    template = None
    for chunk in chunks(printed):
        template = header(chunk.text) or template
        path = templates.locate(template)
        parsed = Parsed()
        read(chunk, parsed, budget)
        rendered.documents += [(document, path) for document in parsed.documents]
        for remark in parsed.broken:
            reason = f"the rendered text cannot be read: {remark.reason}"
            remedy = "correct the template; 'helm template' shows what it renders"
            rendered.failures.append(chart_failure(rendered.rendering, path, NotReadError(reason, remedy)))


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
