"""What was looked at and what was not, as parts of a comment: what is not scanned is never folded away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from model.audit import ALL_OF_PODS, Audit, Result, ResultStatus
from model.control import Control
from model.finding import ScanStatus
from model.policy import Waiver
from model.resource import Failure
from reporting.markdown_findings import BREAK, EVERYTHING, Detail, place, said
from reporting.numbers import count, severities
from reporting.text_markdown import Markdown, code, joined, markdown, row

SENTENCE = 500
"""Characters of what a tool says about its failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageReport:
    """Of head; each part is lines, empty where there is nothing to say."""

    head: Audit
    controls: Mapping[str, Control]
    detail: Detail

    def not_scanned(self) -> Iterator[Markdown]:
        """Failures; those that share reason and remedy stand in one row."""
        if not self.head.failures:
            return
        yield Markdown(f"#### Not scanned: {count(len(self.head.failures), 'item')}")
        yield Markdown("")
        yield Markdown("| What | Why | What to do |")
        yield Markdown("|---|---|---|")
        groups = _alike(self.head.failures)
        for (scanner, reason, remedy), members in groups[: self.detail.rows]:
            who = markdown(" by {}", scanner) if scanner else Markdown("")
            what = markdown("{}{}", self._paths(members), who)
            yield row(what, code(reason, SENTENCE), code(remedy, SENTENCE))
        left = groups[self.detail.rows :]
        if left:
            yield Markdown("")
            yield Markdown(f"… and {count(sum(len(members) for _, members in left), 'more item')}: see {EVERYTHING}.")

    def _paths(self, members: Sequence[Failure]) -> Markdown:
        shown = [place(failure.path, failure.line) for failure in members[: self.detail.places]]
        if len(members) > len(shown):
            shown.append(Markdown(f"… and {len(members) - len(shown):,} more"))
        return joined(shown, BREAK)

    def not_judged(self) -> Iterator[Markdown]:
        """Objects whose pods nobody could look at."""
        rows = [each for each in self.head.coverage.not_judged if each.control == ALL_OF_PODS]
        if not rows:
            return
        yield Markdown(f"#### Not judged: the pods of {count(len(rows), 'object')}")
        yield Markdown("")
        names = self.head.names
        for each in rows[: self.detail.rows]:
            yield markdown("- {}: {}", names.get(each.resource, each.resource), each.reason)
        yield from self._more(len(rows), "object")

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
        yield from self._more(len(lines), "waiver")

    def waived(self) -> tuple[Markdown, tuple[Markdown, ...]]:
        """A summary, and a table of accepted risks; both empty without any."""
        results = [result for result in self.head.results if result.status is ResultStatus.WAIVED]
        if not results:
            return Markdown(""), ()
        names = self.head.names
        lines = (
            Markdown("| Finding | Where | Reason | Owner | Last day |"),
            Markdown("|---|---|---|---|---|"),
            *(self._accepted(result, names) for result in results[: self.detail.rows]),
            *self._more(len(results), "finding"),
        )
        return markdown(f"Waived: {severities(results)}"), lines

    def _accepted(self, result: Result, names: Mapping[str, str]) -> Markdown:
        control = self.controls[result.control]
        where = [place(result.location.path, result.location.line), code(names[result.resource])]
        waiver = result.waiver
        last_day = str(waiver.expires) if waiver and waiver.expires else "none"
        return row(
            markdown("{}<br>{}", said(control, control.title), control.id),
            joined(where, BREAK),
            code(waiver.reason if waiver else ""),
            code(waiver.owner if waiver else ""),
            markdown(last_day),
        )

    def looked_at(self) -> Iterator[Markdown]:
        """What the verdict is about."""
        coverage = self.head.coverage
        yield markdown(
            f"Looked at {count(coverage.resources, 'object')} in {count(coverage.files, 'file')} from"
            f" {count(len(self.head.sources), 'source')}, for Kubernetes {{}}, by hardening-gate {{}} with {{}}.",
            self.head.kube_version,
            self.head.tool_version,
            joined(self._scanners(), ", "),
        )
        apart = sum(each.control != ALL_OF_PODS for each in coverage.not_judged)
        if apart:
            yield Markdown(f"Nobody could judge {count(apart, 'control')} where they apply: see {EVERYTHING}.")

    def _scanners(self) -> Iterator[Markdown]:
        for scanner in self.head.scanners:
            status = "" if scanner.status is ScanStatus.OK else f" ({scanner.status})"
            yield markdown("{}" + status, f"{scanner.name} {scanner.version}".strip())

    def left_out(self) -> Iterator[Markdown]:
        """Paths that the configuration excludes."""
        excluded = self.head.coverage.excluded
        if not excluded:
            return
        yield Markdown(f"Left out by the configuration: {count(len(excluded), 'path')}.")
        yield Markdown("")
        for each in excluded[: self.detail.rows]:
            yield markdown("- {}, pattern {}", place(each.path), each.pattern)
        yield from self._more(len(excluded), "path")

    def notes(self) -> tuple[Markdown, tuple[Markdown, ...]]:
        """A summary, and what is worth a look; both empty without any."""
        notes = self.head.coverage.notes
        lines = (markdown("- {}: {}", place(note.path, note.line), note.reason) for note in notes[: self.detail.rows])
        summary = f"Worth a look: {count(len(notes), 'note')}" if notes else ""
        return Markdown(summary), (*lines, *self._more(len(notes), "note"))

    def _more(self, number: int, noun: str) -> Iterator[Markdown]:
        if number > self.detail.rows:
            yield Markdown("")
            yield Markdown(f"… and {count(number - self.detail.rows, f'more {noun}')}: see {EVERYTHING}.")


def _alike(failures: Iterable[Failure]) -> list[tuple[tuple[str, str, str], list[Failure]]]:
    """By scanner, reason and remedy, in the order of the first of each."""
    groups: dict[tuple[str, str, str], list[Failure]] = {}
    for failure in failures:
        groups.setdefault((failure.scanner or "", failure.reason, failure.remedy), []).append(failure)
    return list(groups.items())


def _waiver(waiver: Waiver, state: str) -> Markdown:
    return markdown("- {} on {}, owner {}: {}", waiver.control, waiver.resource or "*", waiver.owner, Markdown(state))
