"""What a change does to the gate itself, as a part of a comment: never folded away, for it is how gates are opened."""

from __future__ import annotations

from collections.abc import Iterator

from model.comparison import Comparison
from model.policy import PolicyChange
from reporting.markdown_findings import Detail
from reporting.numbers import count
from reporting.text_markdown import Markdown, code, markdown, row

COUNTS = {
    "base": "The policy of base has judged this change; what follows counts after the merge.",
    "head": "The policy of head has judged this change; what follows counts already.",
}
SENTENCE = 300
"""Characters of one value."""


def policy_part(comparison: Comparison, detail: Detail) -> Iterator[Markdown]:
    """A title that says how much is weaker, whose policy counts, and a row for each change; those that weaken first."""
    changes = sorted(comparison.policy_changes, key=lambda change: not change.weakens)
    if not changes:
        return
    weaker = sum(change.weakens for change in changes)
    yield Markdown(f"#### Policy: {count(len(changes), 'change')}, {weaker or 'none'} of them for less security")
    yield Markdown("")
    yield Markdown(COUNTS[comparison.policy_of])
    yield Markdown("")
    yield Markdown("| Setting | Base | Head | |")
    yield Markdown("|---|---|---|---|")
    for change in changes[: detail.rows]:
        yield row(code(change.key), _value(change.before), _value(change.after), _direction(change))
    left = len(changes) - detail.rows
    if left > 0:
        yield Markdown("")
        yield Markdown(f"… and {count(left, 'more change')}: see `comparison.json`.")


def _value(words: str) -> Markdown:
    return code(words, SENTENCE) if words else Markdown("none")


def _direction(change: PolicyChange) -> Markdown:
    return markdown("**weaker**") if change.weakens else Markdown("")
