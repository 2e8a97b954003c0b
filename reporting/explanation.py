"""What an id means, on one screen: one control in full, or several in short with what leads to each."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence

from model.control import Control
from model.lookup import Entry, Explanation, Judge, KnownRule, Reference
from reporting.control_list import painted, printed, table_rows
from reporting.control_words import NOBODY, applies_to, as_json, framework_name, rules_of
from reporting.numbers import count
from reporting.table import BOLD, DIM, GREEN, SEVERITY_COLOURS, WIDTH
from reporting.text import Terminal, plain, terminal
from reporting.text_markdown import Markdown, joined, markdown, prose

SCHEMA = "hardening-gate/explanation/1"
LABEL = 12
"""Columns of the words on the left."""
OTHERWISE = "(any other text)"


def render(form: str, explanation: Explanation, *, colour: bool) -> str:
    """The explanation as ``table``, ``json`` or ``markdown``."""
    match form:
        case "json":
            return json.dumps(_value(explanation), indent=2, ensure_ascii=False) + "\n"
        case "markdown":
            return "\n".join(_markdown(explanation)) + "\n"
        case _:
            return printed(_table(explanation, colour=colour))


def texts(rule: KnownRule, entries: Sequence[Entry]) -> list[tuple[str, Entry]]:
    """Each control that a rule stands for, after the text of a finding that leads to it; empty for any text."""
    rows = [
        (judge.contains, entry)
        for entry in entries
        for judge in entry.judges
        if (judge.scanner, judge.rule) == (rule.scanner, rule.rule)
    ]
    return sorted(rows, key=lambda row: (not row[0], row[0], row[1].control.id))


# ---------------------------------------------------------------- for a terminal


def _table(explanation: Explanation, *, colour: bool) -> Iterator[Terminal]:
    for rule in explanation.rules:
        yield from _rule(rule, explanation.entries, colour=colour)
    for reference in explanation.references:
        yield from _reference(reference, explanation.entries, colour=colour)
    if explanation.entries and (explanation.rules or explanation.references):
        yield Terminal("")
    if len(explanation.entries) == 1:
        yield from _card(explanation.entries[0], colour=colour)
    elif explanation.entries:
        yield from table_rows(explanation.entries, colour=colour)
        yield Terminal("")
        yield Terminal("`hardening-gate explain CONTROL` says all about one of them.")


def _rule(rule: KnownRule, entries: Sequence[Entry], *, colour: bool) -> Iterator[Terminal]:
    name = painted(f"{rule.scanner}/{rule.rule}", BOLD, colour=colour)
    if rule.not_ours:
        yield from _wrapped(terminal("{} is no control of ours: ", name), f"{rule.not_ours}.", " " * 2)
        return
    rows = texts(rule, entries)
    remark = f" ({rule.remark})" if rule.remark else ""
    if len(rows) == 1 and not rows[0][0]:
        yield terminal("{}{} stands for {}", name, remark, rows[0][1].control.id)
        return
    routed = any(text for text, _ in rows)
    says = "; the text of a finding says which:" if routed else ", each time for all of them:"
    meant = count(len({entry.control.id for _, entry in rows}), "control")
    yield terminal("{}{} stands for {}{}", name, remark, meant, says)
    width = max(len(_shown(text)) for text, _ in rows) if routed else 0
    for text, entry in rows:
        yield terminal("  {}{}", f"{_shown(text):<{width}}  " if routed else Terminal(""), entry.control.id)


def _shown(text: str) -> str:
    return f'"{text}"' if text else OTHERWISE


def _reference(reference: Reference, entries: Sequence[Entry], *, colour: bool) -> Iterator[Terminal]:
    name = painted(f"{framework_name(reference.framework)}: {reference.id}", BOLD, colour=colour)
    served = [entry for entry in entries if reference.id in entry.control.compliance.get(reference.framework, ())]
    if len(served) == 1:
        yield terminal("{} is served by {}", name, served[0].control.id)
    else:
        yield terminal("{} is served by {}", name, count(len(served), "control"))


def _card(entry: Entry, *, colour: bool) -> Iterator[Terminal]:
    control = entry.control
    severity = painted(control.severity, SEVERITY_COLOURS.get(control.severity, DIM), colour=colour)
    start = terminal("{}  ", painted(control.id, BOLD, colour=colour))
    yield from _wrapped(start, control.title, " " * 2, shown=len(control.id) + 2)
    yield Terminal("")
    yield terminal("  {:<12}{} (weight {}); {}", "severity", severity, control.severity.weight, control.category)
    yield from _field("applies to", applies_to(control))
    yield from _field("why", control.why)
    yield from _field("fix", control.remedy, code=GREEN, colour=colour)
    by_text = {(judge.scanner, judge.rule) for judge in entry.judges if judge.contains}
    judges = [
        (judge.scanner, _judge(judge))
        for judge in entry.judges
        if judge.contains or (judge.scanner, judge.rule) not in by_text
    ]
    yield from _pairs("judged by", judges or [(NOBODY, "")])
    yield from _pairs("references", [(framework_name(key), ", ".join(ids)) for key, ids in _references(control)])


def _judge(judge: Judge) -> str:
    return f'{judge.rule}, where it says "{judge.contains}"' if judge.contains else judge.rule


def _references(control: Control) -> list[tuple[str, tuple[str, ...]]]:
    return sorted(control.compliance.items())


def _field(label: str, words: str, *, code: str = "", colour: bool = False) -> Iterator[Terminal]:
    name = f"{label:<{LABEL}}"
    start = terminal("  {}", painted(name, code, colour=colour and bool(code)))
    yield from _wrapped(start, words, " " * (2 + LABEL), shown=2 + LABEL)


def _wrapped(start: Terminal, words: str, indent: str, shown: int | None = None) -> Iterator[Terminal]:
    """``words`` after ``start`` (``shown`` columns wide), broken at the width of reports."""
    width = len(start) if shown is None else shown
    first, *rest = textwrap.wrap(plain(words), WIDTH, initial_indent=" " * width, subsequent_indent=indent) or [""]
    yield terminal("{}{}", start, first.lstrip())
    yield from (terminal("{}", each) for each in rest)


def _pairs(label: str, pairs: Sequence[tuple[str, str]]) -> Iterator[Terminal]:
    """Rows of two columns, the label before the first only; each name once."""
    width = max((len(name) for name, _ in pairs), default=0)
    before = ""
    for number, (name, words) in enumerate(pairs):
        start = terminal("  {:<12}{}  ", "" if number else label, f"{'' if name == before else name:<{width}}")
        yield from _wrapped(start, words, " " * len(start))
        before = name


# ---------------------------------------------------------------- for programs and documents


def _value(explanation: Explanation) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "rules": [
            {
                "scanner": rule.scanner,
                "rule": rule.rule,
                "not_ours": rule.not_ours or None,
                "remark": rule.remark or None,
            }
            for rule in explanation.rules
        ],
        "references": [{"framework": each.framework, "id": each.id} for each in explanation.references],
        "controls": [as_json(entry) for entry in explanation.entries],
    }


def _markdown(explanation: Explanation) -> Iterator[Markdown]:
    for rule in explanation.rules:
        yield from (_markdown_rule(rule, explanation.entries), Markdown(""))
    for reference in explanation.references:
        yield markdown("{}: {}", prose(framework_name(reference.framework)), reference.id)
        yield Markdown("")
    for entry in explanation.entries:
        yield from _markdown_card(entry)


def _markdown_rule(rule: KnownRule, entries: Sequence[Entry]) -> Markdown:
    name = f"{rule.scanner}/{rule.rule}"
    if rule.not_ours:
        return markdown("{} is no control of ours: {}.", name, prose(rule.not_ours))
    remark = f" ({prose(rule.remark)})" if rule.remark else ""
    rows = texts(rule, entries)
    meant = joined([_meant(text, entry, routed=bool(rows[0][0])) for text, entry in rows], ", ")
    return markdown("{}{} stands for {}.", name, Markdown(remark), meant)


def _meant(text: str, entry: Entry, *, routed: bool) -> Markdown:
    if not routed:
        return markdown("{}", entry.control.id)
    if text:
        return markdown("{} where it says {}", entry.control.id, text)
    return markdown("{} for any other text", entry.control.id)


def _markdown_card(entry: Entry) -> Iterator[Markdown]:
    control = entry.control
    weight = f"{control.severity} (weight {control.severity.weight}), {prose(control.category)}"
    paragraphs = (
        Markdown(f"## {prose(control.title)}"),
        markdown("{}, {}", control.id, Markdown(weight)),
        Markdown(f"Applies to {prose(applies_to(control))}."),
        prose(control.why),
        Markdown(f"**Fix:** {prose(control.remedy)}"),
    )
    for paragraph in paragraphs:
        yield from (paragraph, Markdown(""))
    for scanner, rules in rules_of(entry.judges).items():
        yield _item(scanner, rules)
    for framework, ids in _references(control):
        yield _item(framework_name(framework), ids)
    yield Markdown("")


def _item(name: str, ids: Sequence[str]) -> Markdown:
    return Markdown(f"- {prose(name)}: {joined([markdown('{}', id_) for id_ in ids], ', ')}")
