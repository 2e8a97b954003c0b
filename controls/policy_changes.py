"""What one policy changes in another, in words: shown to those who review a change of the gate itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from model.control import RANKS, Control, Severity
from model.policy import AllowIncomplete, Gate, PathGate, Policy, PolicyChange, UnusedWaivers, Waiver

LENIENCE: Final = {AllowIncomplete.NONE: 0, AllowIncomplete.EXISTING: 1, AllowIncomplete.ALL: 2}


def policy_changes(before: Policy, after: Policy, known: Mapping[str, Control]) -> tuple[PolicyChange, ...]:
    """Every key that differs, in the order of the documentation; entries of lists one by one.

    ``known`` are the controls of the catalogue, with the severities that no policy has touched.
    """
    return (
        *_gate("gate", before.gate, after.gate),
        *_path_gates(before, after),
        *_controls(before, after, known),
        *_list("waivers", map(_waiver, before.waivers), map(_waiver, after.waivers), more_is_weaker=True),
        *_unused_waivers(before, after),
        *_list("exclude", before.exclude, after.exclude, more_is_weaker=True),
        *_list("scanners", before.scanners, after.scanners, more_is_weaker=False),
        *_frameworks(before, after),
        *_list("deps.allow", before.chart_repositories, after.chart_repositories, more_is_weaker=True),
    )


def _gate(key: str, before: Gate, after: Gate) -> Iterator[PolicyChange]:
    yield from _thresholds(key, before, after)
    old, new = before.allow_incomplete, after.allow_incomplete
    yield from _change(f"{key}.allow_incomplete", old, new, weakens=LENIENCE[new] > LENIENCE[old])


def _thresholds(key: str, before: Gate | PathGate, after: Gate | PathGate) -> Iterator[PolicyChange]:
    for name in ("fail_under", "fail_under_patch"):
        old, new = getattr(before, name), getattr(after, name)
        yield from _change(f"{key}.{name}", _number(old), _number(new), weakens=_floor(new) < _floor(old))
    old, new = before.max_drop, after.max_drop
    yield from _change(f"{key}.max_drop", _number(old), _number(new), weakens=_ceiling(new) > _ceiling(old))
    for name in ("fail_on", "fail_on_new"):
        worst, now = getattr(before, name), getattr(after, name)
        yield from _change(f"{key}.{name}", _word(worst), _word(now), weakens=_strictness(now) < _strictness(worst))


def _path_gates(before: Policy, after: Policy) -> Iterator[PolicyChange]:
    """Gates belong together by their paths; one that goes asks for less."""
    olds = {gate.paths: gate for gate in before.gates}
    news = {gate.paths: gate for gate in after.gates}
    for paths in sorted(olds.keys() | news.keys()):
        nothing = PathGate(paths=paths)
        yield from _thresholds(f"gates[{', '.join(paths)}]", olds.get(paths, nothing), news.get(paths, nothing))


def _controls(before: Policy, after: Policy, known: Mapping[str, Control]) -> Iterator[PolicyChange]:
    """Switched off or on, or of another severity."""
    for control in sorted({*before.off, *after.off, *before.severities, *after.severities}):
        old, new = _severity(before, control, known), _severity(after, control, known)
        yield from _change(f"controls.{control}", old or "off", new or "off", weakens=_weight(new) < _weight(old))


def _severity(policy: Policy, control: str, known: Mapping[str, Control]) -> Severity | None:
    """None where it is switched off."""
    return None if control in policy.off else policy.severities.get(control, known[control].severity)


def _weight(severity: Severity | None) -> int:
    """The worse, the higher."""
    return 0 if severity is None else len(RANKS) - RANKS[severity]


def _unused_waivers(before: Policy, after: Policy) -> Iterator[PolicyChange]:
    old, new = before.unused_waivers, after.unused_waivers
    yield from _change("unused_waivers", old, new, weakens=old is UnusedWaivers.BLOCK)


def _frameworks(before: Policy, after: Policy) -> Iterator[PolicyChange]:
    """None at all stands for everything; else each narrows to what it asks for."""
    old, new = before.frameworks, after.frameworks
    weakens = bool(new) and (not old or not set(old) <= set(new))
    yield from _change("frameworks", ", ".join(old), ", ".join(new), weakens=weakens)


def _list(key: str, before: Iterable[str], after: Iterable[str], *, more_is_weaker: bool) -> Iterator[PolicyChange]:
    olds, news = dict.fromkeys(before), dict.fromkeys(after)
    for gone in (old for old in olds if old not in news):
        yield PolicyChange(key=key, before=gone, after="", weakens=not more_is_weaker)
    for added in (new for new in news if new not in olds):
        yield PolicyChange(key=key, before="", after=added, weakens=more_is_weaker)


def _waiver(waiver: Waiver) -> str:
    on = waiver.resource or "every resource"
    parts = [
        f"{waiver.control} on {on}",
        *([f"container {waiver.container}"] if waiver.container else []),
        *([f"under {waiver.path}"] if waiver.path else []),
        f"until {waiver.expires}" if waiver.expires else "for ever",
        f"owner {waiver.owner}: {waiver.reason}",
    ]
    return ", ".join(parts)


def _change(key: str, before: str, after: str, *, weakens: bool) -> Iterator[PolicyChange]:
    if before != after:
        yield PolicyChange(key=key, before=str(before), after=str(after), weakens=weakens)


def _number(limit: float | None) -> str:
    return "" if limit is None else f"{limit:g}"


def _word(severity: Severity | None) -> str:
    return "" if severity is None else str(severity)


def _floor(limit: float | None) -> float:
    return 0 if limit is None else limit


def _ceiling(limit: float | None) -> float:
    """No score is further than 100 points from another."""
    return 100 if limit is None else limit


def _strictness(limit: Severity | None) -> int:
    """The milder what blocks, the stricter."""
    return 0 if limit is None else 1 + RANKS[limit]
