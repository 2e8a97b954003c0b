"""Renders charts: constant, with the line behind every field; in the sandbox and without a network.

A chart that does not render is a Failure that says what to do; half a chart is never taken for a whole one.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from manifests.failures import failure
from manifests.files import NotReadError
from manifests.helm.actions import OPEN
from manifests.helm.charts import local_folders
from manifests.helm.constants import MENTION
from manifests.helm.marked_copy import MarkedCopy
from manifests.helm.masking import Mask
from manifests.helm.provenance import Provenance, trace, untraced
from manifests.helm.running import Bench, Release, Rendering, is_well
from manifests.helm.steady import Steady
from manifests.helm.templates import Templates, header
from manifests.text.chunks import Undecodable, chunks, decode
from manifests.text.compose import Budget, Document
from manifests.text.parse import Parsed, read
from model.errors import EnvironmentBrokenError
from model.progress import Progress, unseen
from model.resource import Failure, Note, Stage
from model.values import dig, text
from process import End, Sandbox
from toolbox import Toolbox

WORK: Final = "rendering charts"
"""What people are told while it lasts."""
MARKED: Final = 3
"""Renderings with marks that are tried; templates that do not render with marks go without."""
AGAIN: Final = 2
"""More renderings of a chart that is random: what all of them agree on is taken for constant."""


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
            bench = Bench(rendering, release, sandbox, helm, folder)
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


def _output(bench: Bench, steady: Steady) -> bytes:
    """What the chart prints with constants; with its own functions where it does not render otherwise."""
    finished = bench.run()
    if steady.changed and finished.end is End.EXITED and finished.exit_code != 0:
        steady.restore()
        finished = bench.run()
    return steady.as_written(bench.output(finished))


def _settle(bench: Bench, steady: Steady, rendered: Rendered) -> None:
    """Mask what may still be random, if it is, and tell what was made constant."""
    path = bench.rendering.chart.path
    if steady.names:
        reason = f"random values are replaced by constants: {', '.join(steady.names)}"
        rendered.notes.append(Note(path=path, reason=reason))
    if steady.open or _randomly_set(bench.rendering.sets):
        mask = _mask(bench, steady, rendered)
        rendered.notes += (Note(path=path, reason=reason) for reason in mask.reasons)


def _mask(bench: Bench, steady: Steady, rendered: Rendered) -> Mask:
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


def _provenance(bench: Bench, steady: Steady, output: bytes) -> Provenance:
    """Where the lines of the output were written, as far as a second, marked rendering proves it."""
    copy, templates = MarkedCopy(bench.chart), Templates(bench.rendering.chart)
    reported = [templates.original(bench.chart, name) for name in copy.texts]
    known = untraced(reported, [*copy.texts.values()])
    for _ in range(MARKED):
        finished = bench.run()
        if is_well(finished):
            marked = steady.as_written(finished.stdout)
            return trace(output.decode(errors="replace"), marked.decode(errors="replace"), copy.marker, known)
        if finished.end is not End.EXITED or not copy.unmark(finished.stderr):
            break
    return known


def _randomly_set(sets: Sequence[str]) -> bool:
    return any(OPEN in each and MENTION.search(each) for each in sets)


def _again(bench: Bench, steady: Steady) -> list[Document]:
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
