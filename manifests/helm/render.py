"""Renders charts: constant, with the line behind every field; in the sandbox and without a network.

A chart that does not render is a Failure that says what to do; half a chart is never taken for a whole one.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final

from cache import Cache, Key, source_digest
from manifests.failures import failure
from manifests.files import NotReadError
from manifests.helm import actions, marked_copy, marking
from manifests.helm.actions import OPEN
from manifests.helm.charts import local_folders
from manifests.helm.constants import MENTION
from manifests.helm.marked_copy import TOKEN, MarkedCopy
from manifests.helm.masking import Mask
from manifests.helm.provenance import Provenance, trace, untraced
from manifests.helm.running import Bench, Helm, Release, Rendering, is_well
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
    cache: Cache,
    progress: Progress = unseen,
) -> list[Rendered]:
    """What comes of all charts, ``jobs`` at the same time, in their order. Without Helm each is a Failure."""
    if not renderings:
        return []
    try:
        binary = toolbox.check("helm", sandbox)
    except EnvironmentBrokenError as error:
        return [_not_rendered(rendering, error) for rendering in renderings]
    helm = Helm(binary=binary, version=toolbox.pin("helm").version, sandbox=sandbox, cache=cache)
    progress(WORK, more=len(renderings))

    def render(rendering: Rendering) -> Rendered:
        own = replace(release, kube_version=rendering.source.kube_version)
        rendered = _render(rendering, own, helm)
        progress(WORK, done=1)
        return rendered

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        return list(pool.map(render, renderings))


def _not_rendered(rendering: Rendering, error: EnvironmentBrokenError) -> Rendered:
    reason = NotReadError(f"Helm cannot be used: {error.message}", error.remedy)
    return Rendered(rendering=rendering, failures=[chart_failure(rendering, rendering.chart.path, reason)])


def _render(rendering: Rendering, release: Release, helm: Helm) -> Rendered:
    """The documents of a chart, or the Failure that stands for them."""
    rendered = Rendered(rendering=rendering)
    try:
        with helm.sandbox.folder("chart") as folder:
            bench = Bench(rendering, release, helm, folder)
            steady = Steady(bench.chart, bench.values)
            key = bench.key()
            output = _output(bench, steady, key)
            _read_output(output, rendered)
            _settle(bench, steady, rendered)
            if rendered.documents:
                rendered.provenance = _provenance(bench, steady, output, key)
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


def _output(bench: Bench, steady: Steady, key: Key) -> bytes:
    """What the chart prints with constants; with its own functions where it does not render otherwise."""
    if (known := bench.recall(key)) is not None:
        return steady.as_written(known)
    finished = bench.run()
    if steady.changed and finished.end is End.EXITED and finished.exit_code != 0:
        steady.restore()
        finished = bench.run()
    output = bench.output(finished)
    if not _may_be_random(bench, steady):
        bench.remember(key, output)
    return steady.as_written(output)


def _settle(bench: Bench, steady: Steady, rendered: Rendered) -> None:
    """Mask what may still be random, if it is, and tell what was made constant."""
    path = bench.rendering.chart.path
    if steady.names:
        reason = f"random values are replaced by constants: {', '.join(steady.names)}"
        rendered.notes.append(Note(path=path, reason=reason))
    if _may_be_random(bench, steady):
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


def _provenance(bench: Bench, steady: Steady, output: bytes, key: Key) -> Provenance:
    """Where the lines of the output were written, as far as a second, marked rendering proves it."""
    key = Key.of("marked", key.digest, source_digest(*(module.__file__ for module in (actions, marked_copy, marking))))
    token, known_output = _recall_marked(bench, key)
    copy, templates = MarkedCopy(bench.chart, token), Templates(bench.rendering.chart)
    reported = [templates.original(bench.chart, name) for name in copy.texts]
    known = untraced(reported, [*copy.texts.values()])
    marked = known_output if token else _print_marked(bench, copy)
    if marked is None:
        return known
    if not token and not _may_be_random(bench, steady):
        bench.remember(key, copy.token.encode() + b"\n" + marked)
    text_of_marked = steady.as_written(marked).decode(errors="replace")
    return trace(output.decode(errors="replace"), text_of_marked, copy.marker, known)


def _recall_marked(bench: Bench, key: Key) -> tuple[str, bytes]:
    """The token of the marks in a marked rendering that is remembered, and that; nothing where none is."""
    token, _, output = (bench.recall(key) or b"").partition(b"\n")
    name = token.decode(errors="replace")
    return (name, output) if TOKEN.fullmatch(name) else ("", b"")


def _print_marked(bench: Bench, copy: MarkedCopy) -> bytes | None:
    """What the marked copy prints, without the marks of templates that do not render with them."""
    for _ in range(MARKED):
        finished = bench.run()
        if is_well(finished):
            return finished.stdout
        if finished.end is not End.EXITED or not copy.unmark(finished.stderr):
            break
    return None


def _may_be_random(bench: Bench, steady: Steady) -> bool:
    """Whether two renderings may differ: then none is remembered, since that they differ must be seen."""
    return steady.open or any(OPEN in each and MENTION.search(each) for each in bench.rendering.sets)


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
