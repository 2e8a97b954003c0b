"""Decides whether a change may be merged: a pure function of audit, comparison and thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from controls.narrow import narrow, narrow_comparison
from model.audit import Audit, Result, ResultStatus, Score
from model.comparison import Comparison
from model.control import Severity
from model.errors import ExitCode
from model.policy import AllowIncomplete, Gate, PathGate, Policy, UnusedWaivers
from model.resource import Failure
from model.verdict import Emergency, Reason, Unconfirmed, Verdict, VerdictWord


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A reason, and the results it names."""

    reason: Reason
    results: tuple[Result, ...] = ()


def decide(
    policy: Policy,
    head: Audit,
    comparison: Comparison | None,
    *,
    named_explicitly: bool,
    objections: Sequence[Reason] = (),
) -> Verdict:
    """The verdict. ``named_explicitly``: a path was given, so that finding nothing there is no success.

    ``objections`` are reasons to block that lie outside of what was scanned, such as an invalid configuration in head.
    """
    gate = policy.gate
    if (
        not objections
        and not head.resources
        and not head.unscanned
        and (comparison is None or not comparison.base.resources)
    ):
        return _nothing_to_scan(named_explicitly=named_explicitly)
    blocks = (
        *(_Block(reason=reason) for reason in objections),
        *_absolute(gate, head),
        *(_relative(gate, comparison) if comparison else ()),
        *(block for each in policy.gates for block in _under_paths(each, head, comparison)),
        *(_waivers(head, whole=not named_explicitly) if policy.unused_waivers is UnusedWaivers.BLOCK else ()),
    )
    incomplete = tuple(_incomplete(gate.allow_incomplete, head, comparison))
    reasons = tuple(block.reason for block in (*incomplete, *blocks))
    blocking = tuple(dict.fromkeys(result for block in blocks for result in block.results))
    if incomplete:
        return Verdict(word=VerdictWord.INCOMPLETE, exit_code=ExitCode.INCOMPLETE, reasons=reasons, blocking=blocking)
    if blocks:
        return Verdict(word=VerdictWord.BLOCKED, exit_code=ExitCode.BLOCKED, reasons=reasons, blocking=blocking)
    is_absolute = _is_absolute(gate) or any(map(_is_absolute, policy.gates))
    word = VerdictWord.PASSED if comparison or is_absolute else VerdictWord.NOT_COMPARED
    return Verdict(word=word, exit_code=ExitCode.PASSED, reasons=(), blocking=())


def in_emergency(verdict: Verdict, claim: Emergency | Unconfirmed) -> Verdict:
    """The verdict, passed where the label counts that the policy names for emergencies; the reasons stay."""
    if verdict.exit_code == ExitCode.PASSED:
        return verdict
    if isinstance(claim, Emergency):
        return replace(verdict, word=VerdictWord.PASSED, exit_code=ExitCode.PASSED, emergency=claim)
    refusal = Reason(
        rule="break_glass",
        number=f"the label {claim.label}, set by {claim.set_by or 'somebody'}",
        limit=claim.reason,
        remedy=claim.remedy,
    )
    return replace(verdict, reasons=(*verdict.reasons, refusal))


def percentage(score: Score) -> Fraction | None:
    """0 to 100, exact; None where nothing was judged."""
    return Fraction(100 * score.earned, score.possible) if score.possible else None


def _nothing_to_scan(*, named_explicitly: bool) -> Verdict:
    exit_code = ExitCode.INCOMPLETE if named_explicitly else ExitCode.PASSED
    reason = Reason(
        rule="nothing_to_scan",
        number="0 manifests",
        limit="at least 1 under a path that is named",
        remedy="Check the path, or leave it out to search the whole repository.",
    )
    return Verdict(
        word=VerdictWord.NOTHING_TO_SCAN,
        exit_code=exit_code,
        reasons=(reason,) if named_explicitly else (),
        blocking=(),
    )


def _is_absolute(gate: Gate | PathGate) -> bool:
    return gate.fail_under is not None or gate.fail_on is not None


def _absolute(gate: Gate, head: Audit) -> Iterator[_Block]:
    yield from _floor("fail_under", gate.fail_under, head.score, "the score")
    if gate.fail_on is not None:
        failed = (result for result in head.results if result.status is ResultStatus.FAILED)
        yield from _severity("fail_on", gate.fail_on, failed, "")


def _relative(gate: Gate, comparison: Comparison) -> Iterator[_Block]:
    yield from _floor("fail_under_patch", gate.fail_under_patch, comparison.patch, "the score of what changed")
    yield from _drop(gate.max_drop, comparison)
    if gate.fail_on_new is not None:
        new = (*comparison.introduced, *comparison.unwaived, *_visible_and_touched(comparison))
        what = "new or no longer waived " if comparison.unwaived else "new "
        yield from _severity("fail_on_new", gate.fail_on_new, new, what)


def _under_paths(gate: PathGate, head: Audit, comparison: Comparison | None) -> Iterator[_Block]:
    """The same rules for a part of the tree; a reason names the paths that it is about."""
    only = Gate(
        fail_under=gate.fail_under,
        fail_under_patch=gate.fail_under_patch,
        max_drop=gate.max_drop,
        fail_on=gate.fail_on,
        fail_on_new=gate.fail_on_new,
    )
    blocks = [*_absolute(only, narrow(head, gate.paths))]
    if comparison is not None:
        blocks += _relative(only, narrow_comparison(comparison, gate.paths))
    where = ", ".join(gate.paths)
    for block in blocks:
        yield replace(block, reason=replace(block.reason, rule=f"{block.reason.rule} of {where}"))


def _waivers(head: Audit, *, whole: bool) -> Iterator[_Block]:
    """Expired waivers block; unused ones only where the whole repository was looked at."""
    if head.expired_waivers:
        yield _Block(
            reason=Reason(
                rule="unused_waivers",
                number=f"{len(head.expired_waivers)} expired",
                limit="none",
                remedy="Fix what they covered, or renew them with a later day; then delete them.",
            )
        )
    if whole and head.unused_waivers:
        yield _Block(
            reason=Reason(
                rule="unused_waivers",
                number=f"{len(head.unused_waivers)} without use",
                limit="none",
                remedy="Delete them from the configuration.",
            )
        )


def _visible_and_touched(comparison: Comparison) -> Iterator[Result]:
    """What base could not show counts as new where the change touched it."""
    changed, untouched = frozenset(comparison.changed_resources), comparison.untouched
    rows = (result for result in comparison.newly_visible if result.resource in changed)
    return (result for result in rows if result.fingerprint not in untouched)


def _floor(rule: str, limit: float | None, score: Score, what: str) -> Iterator[_Block]:
    number = percentage(score)
    if limit is None or number is None or number >= Fraction(str(limit)):
        return
    yield _Block(
        reason=Reason(
            rule=rule,
            number=one_decimal(number),
            limit=f"at least {limit:g}",
            remedy=f"Raise {what} by {one_decimal_up(Fraction(str(limit)) - number)} points.",
        )
    )


def _drop(limit: float | None, comparison: Comparison) -> Iterator[_Block]:
    before, after = percentage(comparison.base_comparable), percentage(comparison.head_comparable)
    if limit is None or before is None or after is None or before - after <= Fraction(str(limit)):
        return
    yield _Block(
        reason=Reason(
            rule="max_drop",
            number=one_decimal_up(before - after),
            limit=f"at most {limit:g}",
            remedy=f"Win back {one_decimal_up(before - after - Fraction(str(limit)))} points.",
        )
    )


def _severity(rule: str, limit: Severity, results: Iterable[Result], new: str) -> Iterator[_Block]:
    over = tuple(result for result in results if result.severity.at_least(limit))
    if over:
        yield _Block(
            reason=Reason(
                rule=rule,
                number=f"{_count(len(over), f'{new}finding')} of severity {limit} or above",
                limit="none",
                remedy="Fix them, or waive each with a reason and an expiry date.",
            ),
            results=over,
        )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _incomplete(allowed: AllowIncomplete, head: Audit, comparison: Comparison | None) -> Iterator[_Block]:
    if allowed is AllowIncomplete.ALL:
        return
    failures = head.unscanned
    if allowed is AllowIncomplete.EXISTING and comparison is not None:
        known = {_same(failure) for failure in comparison.base.unscanned if not _is_a_scanner(failure)}
        failures = tuple(failure for failure in failures if _same(failure) not in known)
    if failures:
        yield _Block(
            reason=Reason(
                rule="allow_incomplete",
                number=f"{_count(len(failures), 'item')} not scanned",
                limit="none"
                if comparison is None or allowed is AllowIncomplete.NONE
                else "none that is new or touched",
                remedy=failures[0].remedy if len(failures) == 1 else "See what each of them needs.",
            )
        )


def _is_a_scanner(failure: Failure) -> bool:
    """A scanner that looked at nothing says nothing about either side: no change is too old for that."""
    return failure.scanner is not None and failure.resource is None


def _same(failure: Failure) -> tuple[object, ...]:
    """What makes an unscanned item of head the untouched one of base."""
    return (failure.stage, failure.path, failure.scanner, failure.resource, failure.digest)


def one_decimal(number: Fraction) -> str:
    """Rounded down, so that 100.0 means 100."""
    tenths = number.numerator * 10 // number.denominator
    return f"{tenths // 10}.{tenths % 10}"


def one_decimal_up(number: Fraction) -> str:
    """Rounded up: what is missing is never shown as 0.0."""
    tenths = -(-number.numerator * 10 // number.denominator)
    return f"{tenths // 10}.{tenths % 10}"
