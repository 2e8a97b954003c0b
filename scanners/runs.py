"""How starts of an external scanner are judged: by the report it printed, never by its exit code alone.

Where objects end a whole run, it finds which, so that the others are judged.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from model.finding import Drop, Missing, Opinion, Scan, ScanStatus
from model.resource import Resource
from process import End, Finished
from scanners.base import ScanContext
from scanners.copies import Copy

SHOWN_OF_STDERR = 300
STARTS = 64
"""How many starts the search for objects that end a run may cost; a broken scanner fails on every one."""
GO = {"GOGC": "200", "GOMAXPROCS": "1", "GOMEMLIMIT": "512MiB"}
"""Settings of Go's runtime. Several starts run at a time, so each need not collect garbage beside its work, and
seldom: Trivy takes two thirds of the processor time, and half as much memory again (384 in place of 236 MiB)."""
_DEATH = re.compile(r"^(?:panic|fatal error|runtime): .+", re.MULTILINE)
"""A Go program's own words at its end; its last line is a place in its source."""

_LOGGED = re.compile(r'time="[^"]*" level=\w+ msg="(.*)"')
"""A line of logrus, of which only the message is the same at each run."""
_QUOTED = re.compile(r'\\?".*?\\?"|\{.*')
"""What tools quote of their input may be a secret: texts, and all from an opening brace on."""

_Part = TypeVar("_Part")
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class UnusableReport(Exception):  # noqa: N818 names what was found
    """A run whose report cannot be used; why, and whether trying with fewer objects may help."""

    def __init__(self, reason: str, *, splittable: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.splittable = splittable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """What was said about one object."""

    opinion: Opinion
    raw_findings: int
    """As counted in the report, before anything is made of it."""
    whole: bool = True
    """Whether nothing is known to be absent from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What looking at one set of objects came to."""

    judged: Mapping[Resource, Judged]
    missing: Mapping[Resource, Missing]
    strays: tuple[Drop, ...] = ()
    """Findings about objects that are not ours."""

    @property
    def raw_findings(self) -> int:
        """As counted in the reports."""
        return sum(each.raw_findings for each in self.judged.values()) + sum(drop.count for drop in self.strays)


def look_at_all(
    scanner: str,
    context: ScanContext,
    parts: Sequence[_Part],
    look: Callable[[_Part], Answer],
    size: Callable[[_Part], int],
) -> list[Answer]:
    """What ``look`` says of each part, in their order, several at a time. ``size``: objects of a part, for people."""
    context.progress(scanner, more=sum(map(size, parts)))

    def counted(part: _Part) -> Answer:
        said = look(part)
        context.progress(scanner, done=size(part))
        return said

    with ThreadPoolExecutor(max_workers=context.jobs) as pool:
        return list(pool.map(counted, parts))


def read_report(scanner: str, finished: Finished) -> Any:  # noqa: ANN401 JSON of somebody else
    """The JSON that a scanner printed. Raises UnusableReport for a crash, a time-out, and anything but JSON."""
    if finished.end is not End.EXITED:
        slow = finished.end is End.TIMED_OUT
        raise UnusableReport(f"{scanner} {finished.end}{_last_words(finished)}", splittable=not slow)
    try:
        return json.loads(finished.stdout)
    except (ValueError, RecursionError) as error:
        reason = f"{scanner} ended with exit code {finished.exit_code} and printed no report{_last_words(finished)}"
        raise UnusableReport(reason, splittable=True) from error


def look_without_offenders(
    copies: Sequence[Copy], look: Callable[[Sequence[Copy]], Mapping[_Key, _Value]]
) -> tuple[Mapping[_Key, _Value], dict[Copy, str]]:
    """What ``look`` says of all objects but those that end it, and those with the reason; never an UnusableReport."""
    if not copies:
        return {}, {}
    try:
        return look(copies), {}
    except UnusableReport as error:
        offenders = dict(_offenders(copies, look, error, iter(range(STARTS))))
    rest = [copy for copy in copies if copy not in offenders]
    try:
        return (look(rest) if rest else {}), offenders
    except UnusableReport as error:
        return {}, {**dict.fromkeys(rest, error.reason), **offenders}


def _offenders(
    copies: Sequence[Copy],
    look: Callable[[Sequence[Copy]], object],
    error: UnusableReport,
    starts: Iterator[int],
) -> Iterator[tuple[Copy, str]]:
    """Which of ``copies``, that together end ``look`` with ``error``, do so: found by halving."""
    if len(copies) == 1 or not error.splittable:
        yield from ((copy, error.reason) for copy in copies)
        return
    middle = len(copies) // 2
    for half in (copies[:middle], copies[middle:]):
        if next(starts, None) is None:
            yield from ((copy, f"too many objects end the scanner: {error.reason}") for copy in half)
            continue
        try:
            look(half)
        except UnusableReport as worse:
            yield from _offenders(half, look, worse, starts)


def answer(scanner: str, context: ScanContext, said: Answer) -> Scan:
    """The Scan of an external tool; it failed as a whole when nothing was shown though something was to be."""
    failed = bool(said.missing) and not said.judged
    return Scan(
        scanner=scanner,
        version=context.toolbox.pin(scanner).version,
        status=ScanStatus.FAILED if failed else ScanStatus.OK,
        reason=next(iter(said.missing.values())).reason if failed else None,
        opinions={resource: each.opinion for resource, each in said.judged.items()},
        missing=said.missing,
        drops=said.strays,
        raw_findings=said.raw_findings,
    )


def strays(scanner: str, rules: Iterable[str]) -> tuple[Drop, ...]:
    """Drops for findings about objects that the scanner was not given."""
    reason = f"{scanner} names an object that it was not given"
    counted = sorted(Counter(rules).items())
    return tuple(Drop(scanner=scanner, rule=rule, reason=reason, count=count) for rule, count in counted)


def not_shown(scanner: str, offenders: Mapping[Copy, str], copy: Copy) -> Missing:
    """Why the scanner has not shown this object, with the next step."""
    return Missing(
        reason=offenders.get(copy, f"{scanner} printed nothing about this object"),
        remedy=f"Look at the object; leave {scanner} out with --scanners, or allow it with --allow-incomplete.",
    )


def _last_words(finished: Finished) -> str:
    death = _DEATH.search(finished.stderr)
    words = [death[0]] if death else finished.stderr.strip().splitlines()
    if not words:
        return ""
    logged = _LOGGED.fullmatch(words[-1])
    return f": {_QUOTED.sub('…', logged[1] if logged else words[-1])[:SHOWN_OF_STDERR]}"
