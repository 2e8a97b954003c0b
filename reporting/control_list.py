"""The catalogue as a list: for a terminal, as JSON, CSV and Markdown. What is in the list was chosen before."""

from __future__ import annotations

import csv
import io
import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from model.control import Severity
from model.lookup import Entry
from reporting.control_words import FRAMEWORKS, NOBODY, applies_to, as_json, rules_of
from reporting.numbers import count
from reporting.table import BOLD, DIM, SEVERITY_COLOURS, WIDTH
from reporting.text import Terminal, csv_cell, line, plain, terminal
from reporting.text_markdown import Markdown, markdown, prose, row

SCHEMA = "hardening-gate/controls/1"
SCANNERS = ("native", "polaris", "kube-score", "trivy")
"""In this order, with their first letters in the table."""


def render(form: str, entries: Sequence[Entry], catalogue: str, *, colour: bool) -> str:
    """The list as ``table``, ``json``, ``csv`` or ``markdown``; ``catalogue`` is its digest."""
    match form:
        case "json":
            value = {"schema": SCHEMA, "catalogue": catalogue, "controls": [as_json(entry) for entry in entries]}
            return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        case "csv":
            return _csv(entries)
        case "markdown":
            return "\n".join(_markdown(entries)) + "\n"
        case _:
            return printed(_table(entries, colour=colour))


def printed(rows: Iterable[Terminal]) -> str:
    """Lines for a terminal or the log of a workflow."""
    return "".join(f"{line(row).rstrip()}\n" for row in rows)


def painted(words: str, code: str, *, colour: bool) -> Terminal:
    """Words in a colour, where a person looks."""
    clean = terminal("{}", words)
    return Terminal(f"\x1b[{code}m{clean}\x1b[0m") if colour else clean


def table_rows(entries: Sequence[Entry], *, colour: bool) -> Iterator[Terminal]:
    """One control a row, its title broken where it is long: severity, id, first letters of scanners, title."""
    width = max((len(entry.control.id) for entry in entries), default=0)
    indent = 2 + 8 + 2 + width + 2 + len(SCANNERS) + 2
    for entry in entries:
        control = entry.control
        severity = painted(f"{control.severity:<8}", SEVERITY_COLOURS.get(control.severity, DIM), colour=colour)
        name = painted(f"{control.id:<{width}}", BOLD, colour=colour)
        first, *rest = textwrap.wrap(plain(control.title), max(WIDTH - indent, 20))
        yield terminal("  {}  {}  {}  {}", severity, name, Terminal(_letters(entry)), first)
        yield from (terminal("{}{}", Terminal(" " * indent), words) for words in rest)


def by_severity(entries: Iterable[Entry]) -> str:
    """``1 critical, 3 low``."""
    counts = Counter(entry.control.severity for entry in entries)
    return ", ".join(f"{counts[severity]} {severity}" for severity in Severity if counts[severity])


def by_category(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    """Groups by name; inside the order stays."""
    ordered = sorted(entries, key=lambda entry: entry.control.category)
    return [(name, list(group)) for name, group in groupby(ordered, key=lambda entry: entry.control.category)]


def _table(entries: Sequence[Entry], *, colour: bool) -> Iterator[Terminal]:
    if not entries:
        yield Terminal("No control fits. Next step: leave out one of the filters.")
        return
    legend = ", ".join(f"{name[0]} {name}" for name in SCANNERS)
    yield terminal("{}: {}", count(len(entries), "control"), by_severity(entries))
    yield terminal("judged by {}", legend)
    for category, group in by_category(entries):
        yield Terminal("")
        yield terminal("{} {}", painted(category, BOLD, colour=colour), len(group))
        yield from table_rows(group, colour=colour)


def _letters(entry: Entry) -> str:
    judging = rules_of(entry.judges)
    return "".join(name[0] if name in judging else "·" for name in SCANNERS)


def _csv(entries: Sequence[Entry]) -> str:
    """One control a row; several values in a cell are separated by spaces."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    facts = ("id", "title", "severity", "weight", "category", "subject", "applies to")
    writer.writerow((*facts, *SCANNERS, *FRAMEWORKS, "why", "remedy"))
    for entry in entries:
        control, rules = entry.control, rules_of(entry.judges)
        own = (control.id, control.title, control.severity, control.severity.weight, control.category)
        cells = (
            *own,
            control.subject,
            applies_to(control),
            *(" ".join(rules.get(scanner, ())) for scanner in SCANNERS),
            *(" ".join(control.compliance.get(framework, ())) for framework in FRAMEWORKS),
            control.why,
            control.remedy,
        )
        writer.writerow(map(csv_cell, cells))
    return stream.getvalue()


def _markdown(entries: Sequence[Entry]) -> Iterator[Markdown]:
    yield Markdown(f"{count(len(entries), 'control')}: {by_severity(entries)}." if entries else "No control fits.")
    for category, group in by_category(entries):
        yield from (Markdown(""), markdown(f"## {prose(category)}"), Markdown(""))
        yield from (Markdown("| severity | control | judged by |"), Markdown("|---|---|---|"))
        for entry in group:
            control = entry.control
            named = markdown("{}<br>{}", control.id, prose(control.title))
            yield row(prose(control.severity), named, prose(", ".join(rules_of(entry.judges)) or NOBODY))
