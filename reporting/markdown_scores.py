"""Scores as parts of a comment: what the difference is made of, the objects behind it, points by control and source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from model.audit import Audit, AuditedResource, Score
from model.comparison import Comparison, Part
from model.control import WEIGHTS, Control
from model.resource import Source, SourceKind
from reporting.difference import pieces_of
from reporting.links import Place
from reporting.markdown_findings import Detail, said, where
from reporting.numbers import percent
from reporting.tally import by_control, by_source
from reporting.text_markdown import Markdown, joined, markdown, row

KINDS: Mapping[SourceKind, str] = {
    SourceKind.HELM: "chart",
    SourceKind.KUSTOMIZE: "kustomization",
    SourceKind.MANIFESTS: "manifests in",
}
MANY = 5
"""Findings that come and go at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReport:
    """Each part is lines, empty where there is nothing to say."""

    head: Audit
    comparison: Comparison | None
    controls: Mapping[str, Control]
    detail: Detail
    place: Place | None = None
    """Where the files of head are shown."""

    def numbers(self) -> Iterator[Markdown]:
        """What somebody has to know about the difference who sees it for the first time."""
        comparison = self.comparison
        if comparison is None:
            return
        before, after = comparison.base_comparable, comparison.head_comparable
        if (comparison.base.score, self.head.score) != (before, after):
            yield Markdown(
                "The difference is that of what could be judged both before and after. Everything that could be judged"
                f" scored {percent(comparison.base.score)} before, and scores {percent(self.head.score)} now."
            )
        if comparison.patch.possible:
            yield Markdown(
                f"The objects that this change adds or alters score {percent(comparison.patch)}, all together"
                f" {percent(self.head.score)}."
            )
        if len(comparison.introduced) == len(comparison.resolved) >= MANY:
            yield Markdown(
                "As many findings vanished as came: something may have been renamed or moved, and nothing proves it."
            )

    def explained(self) -> tuple[Markdown, tuple[Markdown, ...]]:
        """A summary, and how the score comes about: parts of the difference, controls and sources."""
        blocks = [
            block for block in map(tuple, (self._scale(), self._parts(), self._controls(), self._sources())) if block
        ]
        lines = [line for block in blocks for line in (Markdown(""), *block)]
        changed = "what changed it, " if self.comparison else ""
        return Markdown(f"The score: {changed}by control and by source"), tuple(lines[1:])

    def _scale(self) -> Iterator[Markdown]:
        weights = ", ".join(f"{severity} {weight}" for severity, weight in WEIGHTS.items())
        score = self.head.score
        yield Markdown(
            f"The score is {score.earned:,} of {score.possible:,}, in percent: each control weighs ({weights}) on each"
            " object, pod or container that it is about, and a failed one loses its weight."
        )

    def _parts(self) -> Iterator[Markdown]:
        """The sum of these is the difference."""
        pieces = tuple(pieces_of(self.comparison)) if self.comparison else ()
        if not pieces:
            return
        yield Markdown("| What changed the score | Points |")
        yield Markdown("|---|--:|")
        for what, difference in pieces:
            yield row(Markdown(what), Markdown(difference))
        if self.comparison and _lost_good(self.comparison):
            yield Markdown("")
            yield Markdown("A score is a share: removing what scored well lowers it.")

    def objects(self) -> tuple[Markdown, tuple[Markdown, ...]]:
        """A summary, and a list of the objects that the change adds, removes and alters; both empty without any."""
        if self.comparison is None:
            return Markdown(""), ()
        couples = [
            couple for couple in self.comparison.couples if couple.is_comparable or (couple.base and couple.head)
        ]
        added = [couple.head for couple in couples if couple.head and not couple.base]
        removed = [couple.base for couple in couples if couple.base and not couple.head]
        altered = frozenset(self.comparison.changed_resources) - {resource.id for resource in added}
        changed = [couple.head for couple in couples if couple.head and couple.head.id in altered]
        kinds = (("added", added), ("removed", removed), ("altered", changed))
        words = ", ".join(f"{len(found):,} {what}" for what, found in kinds if found)
        if not words:
            return Markdown(""), ()
        told = Counter(self._object(what, each) for what, found in kinds for each in found)
        lines = [line if number == 1 else Markdown(f"{line}, {number:,} times") for line, number in told.items()]
        return Markdown(f"Objects: {words}"), (*lines[: self.detail.rows], *self.detail.more(len(lines), "object"))

    def _object(self, what: str, resource: AuditedResource) -> Markdown:
        place = self.place.at_base if self.place and what == "removed" else self.place
        return markdown(f"- {what}: {{}} in {{}}", str(resource.ref), where(resource.location.path, None, place))

    def _controls(self) -> Iterator[Markdown]:
        """What each control loses, on both sides where there are two."""
        comparison = self.comparison
        rows = (
            [(each.control, each.before, each.after) for each in comparison.by_control]
            if comparison
            else [(control, 0, lost) for control, lost in by_control(self.head)]
        )
        if not rows:
            return
        yield Markdown("| Control | Lost before | Lost now | |" if comparison else "| Control | Lost |")
        yield Markdown("|---|--:|--:|--:|" if comparison else "|---|--:|")
        for id_, before, after in rows[: self.detail.rows]:
            control = self.controls[id_]
            title = markdown("{} {}", said(control, control.title), control.id)
            change = f"{after - before:+,}" if after != before else ""
            numbers = (f"{before:,}", f"{after:,}", change) if comparison else (f"{after:,}",)
            yield row(title, *map(Markdown, numbers))
        yield from self.detail.more(len(rows), "control")

    def _sources(self) -> Iterator[Markdown]:
        """What each source scores, on both sides where there are two."""
        rows: list[tuple[Markdown, tuple[Markdown, ...]]]
        if self.comparison is None:
            rows = [(_source(source), (_score(score),)) for source, score in by_source(self.head)]
        else:
            rows = [
                (_sources(each.base, each.head), (_side(each.base, each.before), _side(each.head, each.after)))
                for each in self.comparison.by_source
            ]
        if not rows:
            return
        yield Markdown("| Source | Score before | Score now |" if self.comparison else "| Source | Score |")
        yield Markdown("|---|--:|--:|" if self.comparison else "|---|--:|")
        for name, scores in rows[: self.detail.rows]:
            yield row(name, *scores)
        yield from self.detail.more(len(rows), "source")


def _lost_good(comparison: Comparison) -> bool:
    return sum(share.points for share in comparison.shares if share.part is Part.REMOVED) < 0


def _sources(base: Source | None, head: Source | None) -> Markdown:
    """The source, and what it was called before where that is another place."""
    now = head or base
    assert now is not None
    if base is None or head is None or (base.path, base.environment) == (head.path, head.environment):
        return _source(now)
    return joined([_source(head), markdown("before: {}", _source(base))], "<br>")


def _source(source: Source) -> Markdown:
    kind = markdown(f"{KINDS[source.kind]} {{}}", where(source.path))
    return markdown("{} in {}", kind, source.environment) if source.environment else kind


def _side(source: Source | None, score: Score) -> Markdown:
    return Markdown("none") if source is None else _score(score)


def _score(score: Score) -> Markdown:
    return Markdown(percent(score))
