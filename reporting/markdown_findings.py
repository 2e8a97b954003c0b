"""Findings as lists of a comment: an item for each control, with its places, what it costs and what to do.

Lists and not tables: sentences in cells are narrow on a wide screen and lie outside of a narrow one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from model.audit import Audit, Result, ResultStatus
from model.control import Control
from model.resource import Precision
from reporting.links import Place
from reporting.numbers import count, points, severities
from reporting.rows import Group, Row
from reporting.tally import lost
from reporting.text_markdown import Markdown, code, joined, link, markdown, prose

EVERYTHING = Markdown("`audit.json`")
"""The report that leaves nothing out."""
PATH = 120
"""Characters of a path: of a longer one the end is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How much of the long lists is shown, and where the rest of them stands."""

    opened: int
    """Controls of one list that everybody sees."""
    controls: int
    """Those that are folded included."""
    places: int
    """Of one control."""
    rows: int
    """Of other lists and tables."""
    elsewhere: Markdown = EVERYTHING
    """The report that has it all, as it follows on "see"."""

    def more(self, number: int, noun: str) -> Iterator[Markdown]:
        """A word about what goes beyond ``rows``."""
        if number > self.rows:
            yield Markdown("")
            yield Markdown(f"… and {count(number - self.rows, f'more {noun}')}: see {self.elsewhere}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Results of one side that belong together, such as all that are new."""

    results: Sequence[Result]
    audit: Audit
    """The side that they are of."""
    place: Place | None
    """Where its files are shown; None where nobody knows."""
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

    def open_list(self) -> Iterator[Markdown]:
        """The worst controls: with each place, what to do, and what they take from the score."""
        yield from self._with_remedies(self.groups[: self.detail.opened])

    def folded_list(self) -> tuple[Markdown, tuple[Markdown, ...]]:
        """A summary, and the controls that follow on those of ``open_list``; both empty without any."""
        later = self.groups[self.detail.opened :]
        if not later:
            return Markdown(""), ()
        shown, left = later[: self.detail.controls], later[self.detail.controls :]
        return Markdown(f"And {_sizes(later)}"), (*self._with_remedies(shown), *self._left_out(left))

    def plain_list(self) -> Iterator[Markdown]:
        """All controls, where nothing is left to do: only what, where and how much it matters."""
        shown, left = self.groups[: self.detail.controls], self.groups[self.detail.controls :]
        for group in shown:
            yield self._title(group, {})
            yield from self._places(group, is_short=True)
        yield from self._left_out(left)

    def reasons(self) -> Iterator[Markdown]:
        """A line for each control: why it counts, and who found it."""
        for group in self.groups[: self.detail.controls]:
            control = self.controls[group.control]
            why = said(control, control.why)
            yield markdown("- **{}** {}: {} {}", said(control, control.title), control.id, why, _witnesses(group))
        yield from self._left_out(self.groups[self.detail.controls :])

    def _with_remedies(self, groups: Sequence[Group]) -> Iterator[Markdown]:
        costs = {} if self.shares else lost(self.results, self.audit)
        for group in groups:
            control = self.controls[group.control]
            yield self._title(group, costs)
            yield from self._places(group)
            yield markdown("  - **Fix:** {}", said(control, control.remedy))

    def _title(self, group: Group, costs: Mapping[str, int]) -> Markdown:
        control = self.controls[group.control]
        blocks = any(result.fingerprint in self.blocking for each in group.rows for result in each.results)
        severity = group.severity.capitalize()
        notes = (self._cost(group, costs), Markdown("**blocks**") if blocks else Markdown(""))
        told = joined([note for note in notes if note], ", ")
        title = markdown(f"- **{severity}: {{}}** {{}}", said(control, control.title), control.id)
        return markdown("{} ({})", title, told) if told else title

    def _places(self, group: Group, *, is_short: bool = False) -> Iterator[Markdown]:
        """Each place once, and what is said of it unless the same is said of several."""
        found: dict[Markdown, list[str]] = {}
        for each in group.rows:
            found.setdefault(self._place(each), []).append(each.shown.message)
        is_same = is_short or (len(group.rows) > 1 and len({each.shown.message for each in group.rows}) == 1)
        for place, messages in list(found.items())[: self.detail.places]:
            told = _times(place, len(messages)) if is_same else self._told(place, messages)
            yield markdown("  - {}", told)
        left = len(found) - self.detail.places
        if left > 0:
            yield Markdown(f"  - … and {count(left, 'more place')}")

    def _told(self, place: Markdown, messages: Sequence[str]) -> Markdown:
        shown = [code(message) for message in messages[: self.detail.places]]
        left = len(messages) - len(shown)
        more = [Markdown(f"and {left:,} more")] if left else []
        return markdown("{}: {}", place, joined([*shown, *more], ", "))

    def _place(self, each: Row) -> Markdown:
        result = each.shown
        line = None if result.location.precision is Precision.FILE else result.location.line
        words = [where(result.location.path, line, self.place), code(each.name)]
        if result.container:
            words.append(markdown("container {}", result.container))
        if each.environments:
            words.append(markdown("in {}", joined(map(code, each.environments), ", ")))
        return joined(words, " ")

    def _cost(self, group: Group, costs: Mapping[str, int]) -> Markdown:
        """Points of 100 that the findings of a control take from the score, or give back to it."""
        results = [result for each in group.rows for result in each.results]
        total = sum((self.shares.get((each.resource, each.fingerprint), Fraction()) for each in results), Fraction())
        if not self.shares and self.audit.score.possible:
            total = -Fraction(100 * costs.get(group.control, 0), self.audit.score.possible)
        return Markdown(f"{points(total)} points" if total else "")

    def _left_out(self, groups: Sequence[Group]) -> Iterator[Markdown]:
        if groups:
            yield Markdown("")
            yield Markdown(f"… and {_sizes(groups)}: see {self.detail.elsewhere}.")


def _sizes(groups: Sequence[Group]) -> str:
    findings = count(sum(group.results for group in groups), "finding")
    return f"{findings} of {count(len(groups), 'more control')}"


def said(control: Control, text: str) -> Markdown:
    """A text of the catalogue; that of a control made at run time repeats what a scanner said."""
    return code(text) if control.unmapped else prose(text)


def where(path: str, line: int | None = None, place: Place | None = None) -> Markdown:
    """``path:line``, whole or without the beginning of the path; a link where ``place`` shows the file."""
    short = path if len(path) <= PATH else f"…{path[1 - PATH :]}"
    shown = code(short if line is None else f"{short}:{line}")
    return link(shown, place.file(path, line)) if place else shown


def _times(place: Markdown, number: int) -> Markdown:
    return place if number == 1 else markdown("{}, " + f"{number:,} times", place)


def _witnesses(group: Group) -> Markdown:
    """Who found it, and whether somebody who judged the same disagrees."""
    witnesses = [(each.shown, witness) for each in group.rows for witness in each.shown.witnesses]
    accusers = sorted({witness.scanner for _, witness in witnesses if witness.verdict is ResultStatus.FAILED})
    told = markdown("Found by {}.", joined(map(code, accusers), ", ")) if accusers else Markdown("")
    dissent = sorted({witness.scanner for _, witness in witnesses if witness.verdict is ResultStatus.PASSED})
    if not dissent:
        return told
    return markdown("{} {} looked at the same and found nothing.", told, joined(map(code, dissent), ", "))
