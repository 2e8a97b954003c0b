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
from reporting.markdown_findings import EVERYTHING, Detail, place, said
from reporting.numbers import count, percent
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

    def numbers(self) -> Iterator[Markdown]:
        """What the difference is made of, for somebody who sees it for the first time."""
        comparison = self.comparison
        if comparison is None:
            return
        before, after = comparison.base_comparable, comparison.head_comparable
        if (comparison.base.score, self.head.score) != (before, after):
            yield Markdown(
                f"The whole of base scores {percent(comparison.base.score)}, the whole of head"
                f" {percent(self.head.score)}."
            )
        pieces = tuple(pieces_of(comparison))
        if pieces:
            yield Markdown(f"The difference is made of: {', '.join(pieces)}.")
        if _lost_good(comparison):
            yield Markdown("(A score is a share: removing what scored well lowers it.)")
        if len(comparison.introduced) == len(comparison.resolved) >= MANY:
            yield Markdown(
                "As many findings vanished as came: something may have been renamed or moved, and nothing proves it."
            )
        if comparison.patch.possible:
            yield Markdown(
                f"The objects that the change adds or alters score {percent(comparison.patch)} by themselves, all of"
                f" head {percent(self.head.score)}."
            )

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
        told = Counter(_object(what, each) for what, found in kinds for each in found)
        lines = [line if number == 1 else Markdown(f"{line}, {number:,} times") for line, number in told.items()]
        return Markdown(f"Objects: {words}"), (*lines[: self.detail.rows], *self._more(len(lines), "object"))

    def by_control(self) -> Iterator[Markdown]:
        """What each control costs, on both sides where there are two."""
        comparison = self.comparison
        deltas = [(each.control, each.before, each.after) for each in comparison.by_control] if comparison else []
        rows = deltas or [(control, 0, lost) for control, lost in by_control(self.head)]
        if not rows:
            return
        weights = ", ".join(f"{severity} {weight}" for severity, weight in WEIGHTS.items())
        yield Markdown(
            f"The score is {self.head.score.earned:,} of {self.head.score.possible:,} points: each control is worth its"
            f" weight on each object, pod or container that it is about ({weights}). Points lost:"
        )
        yield Markdown("")
        yield Markdown("| Control | Base | Head | Change |" if comparison else "| Control | Points |")
        yield Markdown("|---|---|---|---|" if comparison else "|---|---|")
        for id_, before, after in rows[: self.detail.rows]:
            control = self.controls[id_]
            title = markdown("{} {}", said(control, control.title), control.id)
            change = f"{after - before:+,}" if after != before else ""
            numbers = (f"{before:,}", f"{after:,}", change) if comparison else (f"{after:,}",)
            yield row(title, *map(Markdown, numbers))
        yield from self._more(len(rows), "control")

    def by_source(self) -> Iterator[Markdown]:
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
        yield Markdown("| Source | Base | Head |" if self.comparison else "| Source | Score |")
        yield Markdown("|---|---|---|" if self.comparison else "|---|---|")
        for name, scores in rows[: self.detail.rows]:
            yield row(name, *scores)
        yield from self._more(len(rows), "source")

    def _more(self, number: int, noun: str) -> Iterator[Markdown]:
        if number > self.detail.rows:
            yield Markdown("")
            yield Markdown(f"… and {count(number - self.detail.rows, f'more {noun}')}: see {EVERYTHING}.")


def _lost_good(comparison: Comparison) -> bool:
    return sum(share.points for share in comparison.shares if share.part is Part.REMOVED) < 0


def _object(what: str, resource: AuditedResource) -> Markdown:
    return markdown(f"- {what}: {{}} in {{}}", str(resource.ref), place(resource.location.path))


def _sources(base: Source | None, head: Source | None) -> Markdown:
    """The source, and what it was called before where that is another place."""
    now = head or base
    assert now is not None
    if base is None or head is None or (base.path, base.environment) == (head.path, head.environment):
        return _source(now)
    return joined([_source(head), markdown("before: {}", _source(base))], "<br>")


def _source(source: Source) -> Markdown:
    kind = markdown(f"{KINDS[source.kind]} {{}}", place(source.path))
    return markdown("{} in {}", kind, source.environment) if source.environment else kind


def _side(source: Source | None, score: Score) -> Markdown:
    return Markdown("none") if source is None else _score(score)


def _score(score: Score) -> Markdown:
    return Markdown(percent(score))
