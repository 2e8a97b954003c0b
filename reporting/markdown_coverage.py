"""What was looked at and what was not, as parts of a comment: what is not scanned is never folded away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from model.audit import ALL_OF_PODS, Audit, Result, ResultStatus
from model.control import Control
from model.finding import ScanStatus
from model.policy import Waiver
from model.resource import Failure, Precision, Stage
from reporting.links import Place
from reporting.markdown_findings import EVERYTHING, Detail, said, where
from reporting.numbers import count, severities
from reporting.text_markdown import Markdown, code, joined, markdown

SENTENCE = 500
"""Characters of what a tool says about its failure."""
OWN_CHECKS = "native"
"""The scanner whose name says nothing to those who have not read the documentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageReport:
    """Of head; each part is lines, empty where there is nothing to say."""

    head: Audit
    controls: Mapping[str, Control]
    detail: Detail
    place: Place | None = None
    """Where the files of head are shown."""

    def not_scanned(self) -> Iterator[Markdown]:
        """What nobody has looked at; failures that share reason and remedy are one item."""
        failures = self.head.unscanned
        if not failures:
            return
        yield Markdown(f"#### Not scanned: {count(len(failures), 'item')}")
        yield Markdown("")
        yield Markdown("What follows does not count as passed: nobody has looked at it.")
        yield Markdown("")
        groups = _alike(failures)
        for (scanner, reason, remedy), members in groups[: self.detail.rows]:
            who = markdown(", by {}", scanner) if scanner else Markdown("")
            yield markdown("- {}{}: {}", self._paths(members), who, code(reason, SENTENCE))
            yield markdown("  - **Next:** {}", code(remedy, SENTENCE))
        left = sum(len(members) for _, members in groups[self.detail.rows :])
        if left:
            yield Markdown("")
            yield Markdown(f"… and {count(left, 'more item')}: see {self.detail.elsewhere}.")

    def not_published(self) -> Iterator[Markdown]:
        """What GitHub did not take: the verdict is the same, but somebody may look for it in vain."""
        failures = tuple(failure for failure in self.head.failures if failure.stage is Stage.PUBLISH)
        if not failures:
            return
        yield Markdown(f"#### Not published: {len(failures):,}")
        yield Markdown("")
        for failure in failures[: self.detail.rows]:
            yield markdown("- {}", code(failure.reason, SENTENCE))
            yield markdown("  - **Next:** {}", code(failure.remedy, SENTENCE))
        yield from self.detail.more(len(failures), "item")

    def _paths(self, members: Sequence[Failure]) -> Markdown:
        shown = [where(failure.path, failure.line, self.place) for failure in members[: self.detail.places]]
        left = len(members) - len(shown)
        return joined([*shown, *([Markdown(f"and {left:,} more")] if left else [])], ", ")

    def not_judged(self) -> Iterator[Markdown]:
        """Objects whose pods nobody could look at: they are not in the score."""
        rows = [each for each in self.head.coverage.not_judged if each.control == ALL_OF_PODS]
        if not rows:
            return
        yield Markdown(f"#### Not judged: the pods of {count(len(rows), 'object')}")
        yield Markdown("")
        names = self.head.names
        for each in rows[: self.detail.rows]:
            yield markdown("- {}: {}", names.get(each.resource, each.resource), each.reason)
        yield from self.detail.more(len(rows), "object")

    def waivers_to_mend(self) -> Iterator[Markdown]:
        """Expired ones and those without use."""
        expired = [_waiver(waiver, f"expired on {waiver.expires}") for waiver in self.head.expired_waivers]
        unused = [_waiver(waiver, "covers nothing") for waiver in self.head.unused_waivers]
        lines = [*expired, *unused]
        if not lines:
            return
        yield Markdown(f"#### Waivers to mend: {len(lines)}")
        yield Markdown("")
        yield from lines[: self.detail.rows]
        yield from self.detail.more(len(lines), "waiver")

    def waived(self) -> tuple[Markdown, tuple[Markdown, ...]]:
        """A summary, and a list of accepted risks; both empty without any."""
        results = [result for result in self.head.results if result.status is ResultStatus.WAIVED]
        if not results:
            return Markdown(""), ()
        names = self.head.names
        shown = [line for result in results[: self.detail.rows] for line in self._accepted(result, names)]
        return markdown(f"Accepted by a waiver: {severities(results)}"), (
            *shown,
            *self.detail.more(len(results), "finding"),
        )

    def _accepted(self, result: Result, names: Mapping[str, str]) -> Iterator[Markdown]:
        control, waiver = self.controls[result.control], result.waiver
        severity = result.severity.capitalize()
        yield markdown(f"- **{severity}: {{}}** {{}}", said(control, control.title), control.id)
        place = result.location
        line = None if place.precision is Precision.FILE else place.line
        yield markdown("  - {} {}", where(place.path, line, self.place), names[result.resource])
        if waiver:
            until = f"until {waiver.expires}" if waiver.expires else "for ever"
            yield markdown("  - {}, says {}, " + until, waiver.reason, waiver.owner)

    def looked_at(self) -> Iterator[Markdown]:
        """What the verdict is about."""
        coverage = self.head.coverage
        yield markdown(
            f"hardening-gate {{}} looked at {count(coverage.resources, 'object')} in {count(coverage.files, 'file')}"
            f" from {count(len(self.head.sources), 'source')}, for Kubernetes {{}}, with {{}}.",
            self.head.tool_version,
            self.head.kube_version,
            joined(self._scanners(), ", "),
        )
        apart = sum(each.control != ALL_OF_PODS for each in coverage.not_judged)
        if apart:
            yield Markdown(
                f"{count(apart, 'check')} that would apply could not be made, and count neither way: see {EVERYTHING}."
            )

    def _scanners(self) -> Iterator[Markdown]:
        for scanner in self.head.scanners:
            own = " (its own checks)" if scanner.name == OWN_CHECKS else ""
            status = "" if scanner.status is ScanStatus.OK else f" ({scanner.status})"
            yield markdown("{}" + own + status, f"{scanner.name} {scanner.version}".strip())

    def left_out(self) -> Iterator[Markdown]:
        """Paths that the configuration excludes."""
        excluded = self.head.coverage.excluded
        if not excluded:
            return
        yield Markdown(f"Not looked at, because the configuration leaves it out: {count(len(excluded), 'path')}.")
        yield Markdown("")
        for each in excluded[: self.detail.rows]:
            yield markdown("- {}, by the pattern {}", where(each.path), each.pattern)
        yield from self.detail.more(len(excluded), "path")

    def notes(self) -> tuple[Markdown, tuple[Markdown, ...]]:
        """A summary, and what is worth a look; both empty without any."""
        notes = self.head.coverage.notes
        shown = notes[: self.detail.rows]
        lines = (markdown("- {}: {}", where(note.path, note.line, self.place), note.reason) for note in shown)
        summary = f"Worth a look: {count(len(notes), 'note')}" if notes else ""
        return Markdown(summary), (*lines, *self.detail.more(len(notes), "note"))


def _alike(failures: Iterable[Failure]) -> list[tuple[tuple[str, str, str], list[Failure]]]:
    """By scanner, reason and remedy, in the order of the first of each."""
    groups: dict[tuple[str, str, str], list[Failure]] = {}
    for failure in failures:
        groups.setdefault((failure.scanner or "", failure.reason, failure.remedy), []).append(failure)
    return list(groups.items())


def _waiver(waiver: Waiver, state: str) -> Markdown:
    return markdown("- {} on {}, owner {}: {}", waiver.control, waiver.resource or "*", waiver.owner, Markdown(state))
