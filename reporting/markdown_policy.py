"""What a change does to the gate itself, as a part of a comment: never folded away, for it is how gates are opened."""

from __future__ import annotations

from collections.abc import Iterator

from model.comparison import Comparison
from model.policy import PolicyChange
from reporting.markdown_findings import Detail
from reporting.numbers import count
from reporting.text_markdown import Markdown, code, markdown

COUNTS = {
    "base": "The policy of the base branch has judged this change. What follows counts after the merge.",
    "head": "The policy that this change brings along has judged it: what follows counts already.",
}
SENTENCE = 300
"""Characters of one value."""


def policy_part(comparison: Comparison, detail: Detail) -> Iterator[Markdown]:
    """A title that says how much is weaker, whose policy counts, and an item a change; those that weaken first."""
    changes = sorted(comparison.policy_changes, key=lambda change: not change.weakens)
    if not changes:
        return
    weaker = sum(change.weakens for change in changes)
    yield Markdown(f"#### This changes the policy: {count(len(changes), 'setting')}, {_how_many(weaker)}")
    yield Markdown("")
    yield Markdown(COUNTS[comparison.policy_of])
    yield Markdown("")
    yield from map(_change, changes[: detail.rows])
    left = len(changes) - detail.rows
    if left > 0:
        yield Markdown("")
        yield Markdown(f"… and {count(left, 'more change')}: see `comparison.json`.")


def _how_many(weaker: int) -> str:
    """What a reviewer of security has to know first."""
    if not weaker:
        return "none for less security"
    return f"{weaker:,} for less security"


def _change(change: PolicyChange) -> Markdown:
    weaker = Markdown("**weaker:** " if change.weakens else "")
    return markdown("- {}{}: {} → {}", weaker, change.key, _value(change.before), _value(change.after))


def _value(words: str) -> Markdown:
    return code(words, SENTENCE) if words else Markdown("none")
