"""Writes docs/controls.md from the catalogue: ``python -m tools.controls_page``; with ``--check`` it only compares."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from controls import catalogue as catalogues
from controls import lookup
from model.control import Severity
from model.lookup import Entry
from reporting.control_list import SCANNERS, by_category, by_severity
from reporting.control_words import FRAMEWORKS, NOBODY, framework_name, rules_of
from reporting.text_markdown import Markdown, joined, markdown, prose, row

PAGE = Path(__file__).resolve().parents[1] / "docs" / "controls.md"
COMMAND = "python -m tools.controls_page"
INTRODUCTION = """\
# Controls

What we require of manifests, and which rule of which scanner says so. A control has one severity, whoever judges it;
`hardening-gate explain ID` says why it is there and what to do. What no scanner of a run can judge is shown as not
judged.

<!-- Written from controls/catalogue/ by `{command}`. Do not edit. -->
"""


def main(arguments: Sequence[str] | None = None, page: Path = PAGE) -> int:
    """Write the page; with ``--check`` 1 where it is not what the catalogue says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is not current")
    wanted = render()
    if not parser.parse_args(arguments).check:
        page.write_text(wanted, encoding="utf-8")
        return 0
    if page.is_file() and page.read_text(encoding="utf-8") == wanted:
        return 0
    print(f"error: {page.name} is not what the catalogue says. Next step: {COMMAND}", file=sys.stderr)
    return 1


def render() -> str:
    """The whole page."""
    catalogue = catalogues.load()
    entries = lookup.entries(catalogue, catalogue.controls.values())
    return INTRODUCTION.format(command=COMMAND) + "".join(f"{line}\n" for line in _lines(entries))


def _lines(entries: Sequence[Entry]) -> Iterator[Markdown]:
    yield Markdown("")
    yield Markdown(f"{len(entries)} controls: {by_severity(entries)}.")
    yield from _categories(entries)
    yield from _coverage(entries)
    for category, group in by_category(entries):
        yield from (Markdown(""), Markdown(f"## {prose(category)}"), Markdown(""))
        yield from _table(("control", "severity", "judged by", "references"), map(_control, group))


def _categories(entries: Sequence[Entry]) -> Iterator[Markdown]:
    yield Markdown("")
    heads = ("category", "controls", *Severity)
    yield from _table(heads, (_category(name, group) for name, group in by_category(entries)))


def _category(name: str, group: Sequence[Entry]) -> Markdown:
    numbers = (sum(entry.control.severity is severity for entry in group) for severity in Severity)
    return row(Markdown(f"[{prose(name)}](#{name})"), *(Markdown(str(number)) for number in (len(group), *numbers)))


def _coverage(entries: Sequence[Entry]) -> Iterator[Markdown]:
    """How many controls serve each framework, and how many each scanner judges."""
    yield Markdown("")
    served = ((name, sum(name in entry.control.compliance for entry in entries)) for name in FRAMEWORKS)
    rows = (row(prose(name), prose(framework_name(name)), Markdown(str(number))) for name, number in served)
    yield from _table(("framework", "its name", "controls"), rows)
    yield Markdown("")
    judged = ((name, sum(name in rules_of(entry.judges) for entry in entries)) for name in SCANNERS)
    unjudged = (NOBODY, sum(not entry.judges for entry in entries))
    rows = (row(prose(name), Markdown(str(number))) for name, number in (*judged, unjudged))
    yield from _table(("judged by", "controls"), rows)


def _control(entry: Entry) -> Markdown:
    control = entry.control
    rules = [_named(scanner, ids) for scanner, ids in rules_of(entry.judges).items()]
    references = [_named(name, ids) for name, ids in sorted(control.compliance.items())]
    return row(
        markdown("{}<br>{}", control.id, prose(control.title)),
        prose(control.severity),
        joined(rules, "<br>") or prose(NOBODY),
        joined(references, "<br>"),
    )


def _named(name: str, ids: Sequence[str]) -> Markdown:
    return Markdown(f"{prose(name)}: {joined([markdown('{}', id_) for id_ in ids], ', ')}")


def _table(heads: Sequence[str], rows: Iterable[Markdown]) -> Iterator[Markdown]:
    yield row(*map(Markdown, heads))
    yield Markdown(f"|{'---|' * len(heads)}")
    yield from rows


if __name__ == "__main__":
    sys.exit(main())
