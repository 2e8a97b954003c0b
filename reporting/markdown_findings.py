"""Findings as tables of a comment: one row a control, with its places, what it costs and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from model.audit import Audit, Result, ResultStatus
from model.control import Control
from model.resource import Precision
from reporting.numbers import count, points, severities
from reporting.rows import Group, Row
from reporting.tally import lost
from reporting.text_markdown import Markdown, code, joined, markdown, prose, row

EVERYTHING = "`audit.json`"
"""The report that leaves nothing out."""
PATH = 120
"""Characters of a path: of a longer one the end is shown."""
BREAK = "<br>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How much of the long lists is shown."""

    opened: int
    """Controls of one list that everybody sees."""
    controls: int
    """Those that are folded included."""
    places: int
    """Of one control."""
    rows: int
    """Of other tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Results of one side that belong together, such as all that are new."""

    results: Sequence[Result]
    audit: Audit
    """The side that they are of."""
    groups: tuple[Group, ...]
    """The same results by control, worst first."""
    controls: Mapping[str, Control]
    detail: Detail
    blocking: frozenset[str] = frozenset()
    """Fingerprints of results that the gate names."""
    shares: Mapping[tuple[str, str], Fraction] = field(default_factory=dict)
    """What each finding does to the score, in points of 100, by resource and fingerprint; empty without a base."""

    @property
    def counted(self) -> Markdown:
        """How many, by severity."""
        return markdown(severities(self.results))

    def open_table(self) -> Iterator[Markdown]:
        """The worst controls: with what to do, and what they take from the score."""
        yield from self._with_remedies(self.groups[: self.detail.opened])

    def folded_table(self) -> tuple[Markdown, tuple[Markdown, ...]]:
        """A summary, and the controls that follow on those of ``open_table``; both empty without any."""
        later = self.groups[self.detail.opened :]
        if not later:
            return Markdown(""), ()
        shown, left = later[: self.detail.controls], later[self.detail.controls :]
        return Markdown(f"And {_sizes(later)}"), (*self._with_remedies(shown), *_left_out(left))

    def plain_table(self, *, scored: bool = False) -> Iterator[Markdown]:
        """All controls, where nothing is left to do; ``scored``: with what they do to the score."""
        shown, left = self.groups[: self.detail.controls], self.groups[self.detail.controls :]
        yield Markdown("| Severity | Finding | Where | Score |" if scored else "| Severity | Finding | Where |")
        yield Markdown("|---|---|---|---|" if scored else "|---|---|---|")
        for group in shown:
            costs = (self._share(group),) if scored else ()
            yield row(Markdown(group.severity), self._finding(group), self._places(group), *costs)
        yield from _left_out(left)

    def _with_remedies(self, groups: Sequence[Group]) -> Iterator[Markdown]:
        costs = {} if self.shares else lost(self.results, self.audit)
        yield Markdown("| Severity | Finding and fix | Where | Score |")
        yield Markdown("|---|---|---|---|")
        for group in groups:
            control = self.controls[group.control]
            fix = markdown("{}<br>Fix: {}", self._finding(group), said(control, control.remedy))
            yield row(self._severity(group), fix, self._places(group), self._cost(group, costs))

    def _severity(self, group: Group) -> Markdown:
        blocks = any(result.fingerprint in self.blocking for each in group.rows for result in each.results)
        return Markdown(f"**{group.severity}**<br>blocks" if blocks else group.severity)

    def _finding(self, group: Group) -> Markdown:
        control = self.controls[group.control]
        return markdown("**{}** {}", said(control, control.title), control.id)

    @property
    def is_blocking(self) -> bool:
        """Whether the gate names one of them."""
        return any(result.fingerprint in self.blocking for result in self.results)

    def reasons(self) -> Iterator[Markdown]:
        """A line for each control: why it counts, and who says that it failed."""
        for group in self.groups[: self.detail.controls]:
            control = self.controls[group.control]
            why = said(control, control.why)
            yield markdown("- **{}** {}: {} {}", said(control, control.title), control.id, why, _witnesses(group))

    def _places(self, group: Group) -> Markdown:
        """Each place once, and what is said of it unless the same is said of several."""
        found: dict[Markdown, list[str]] = {}
        for each in group.rows:
            found.setdefault(_place(each), []).append(each.shown.message)
        is_same = len(group.rows) > 1 and len({each.shown.message for each in group.rows}) == 1
        shown = list(found.items())[: self.detail.places]
        lines = [_times(where, len(said)) if is_same else self._told(where, said) for where, said in shown]
        if len(found) > len(shown):
            lines.append(Markdown(f"… and {count(len(found) - len(shown), 'more place')}"))
        return joined(lines, 2 * BREAK)

    def _told(self, where: Markdown, messages: Sequence[str]) -> Markdown:
        shown = [code(message) for message in messages[: self.detail.places]]
        left = len(messages) - len(shown)
        return joined([where, *shown, *([Markdown(f"… and {left:,} more")] if left else [])], BREAK)

    def _cost(self, group: Group, costs: Mapping[str, int]) -> Markdown:
        weight, possible = costs.get(group.control, 0), self.audit.score.possible
        if self.shares or not (weight and possible):
            return self._share(group)
        return Markdown(points(-Fraction(100 * weight, possible)))

    def _share(self, group: Group) -> Markdown:
        """What the findings of a control do to the difference of the scores."""
        results = (result for each in group.rows for result in each.results)
        total = sum((self.shares.get((each.resource, each.fingerprint), Fraction()) for each in results), Fraction())
        if total or not self.shares:
            return Markdown(points(total) if total else "")
        return Markdown("0, for it failed here already, or is not scored")


def _sizes(groups: Sequence[Group]) -> str:
    findings = count(sum(group.results for group in groups), "finding")
    return f"{findings} of {count(len(groups), 'more control')}"


def _left_out(groups: Sequence[Group]) -> Iterator[Markdown]:
    if groups:
        yield Markdown("")
        yield Markdown(f"… and {_sizes(groups)}: see {EVERYTHING}.")


def said(control: Control, text: str) -> Markdown:
    """A text of the catalogue; that of a control made at run time repeats what a scanner said."""
    return code(text) if control.unmapped else prose(text)


def place(path: str, line: int | None = None) -> Markdown:
    """``path:line``, whole or without the beginning of the path."""
    short = path if len(path) <= PATH else f"…{path[1 - PATH :]}"
    return code(short if line is None else f"{short}:{line}")


def _place(each: Row) -> Markdown:
    result = each.shown
    line = None if result.location.precision is Precision.FILE else result.location.line
    words = [code(each.name)]
    if result.container:
        words.append(markdown("container {}", result.container))
    if each.environments:
        words.append(markdown("in {}", joined(map(code, each.environments), ", ")))
    return joined([place(result.location.path, line), joined(words, " ")], BREAK)


def _times(where: Markdown, number: int) -> Markdown:
    return where if number == 1 else markdown("{}, " + f"{number:,} times", where)


def _witnesses(group: Group) -> Markdown:
    """Who failed it, and how often somebody who judged the same disagrees."""
    witnesses = [(each.shown, witness) for each in group.rows for witness in each.shown.witnesses]
    accusers = sorted({witness.scanner for _, witness in witnesses if witness.verdict is ResultStatus.FAILED})
    told = markdown("Said by {}.", joined(map(code, accusers), ", ")) if accusers else Markdown("")
    dissent = sorted({witness.scanner for _, witness in witnesses if witness.verdict is ResultStatus.PASSED})
    if not dissent:
        return told
    return markdown("{} {} passed it somewhere.", told, joined(map(code, dissent), ", "))
