"""What one policy changes in another, in words: shown to those who review a change of the gate itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from model.control import RANKS, Control, Severity
from model.policy import AllowIncomplete, BreakGlass, Gate, PathGate, Policy, PolicyChange, UnusedWaivers, Waiver
from model.sources import ChartEntry, KustomizeEntry, SourceEntry

LENIENCE: Final = {AllowIncomplete.NONE: 0, AllowIncomplete.EXISTING: 1, AllowIncomplete.ALL: 2}


def source_changes(before: Iterable[SourceEntry], after: Iterable[SourceEntry]) -> tuple[PolicyChange, ...]:
    """What the list of sources has lost and gained; what base lists stays scanned while its files are there."""
    return tuple(_list("sources", map(_source, before), map(_source, after), more_is_weaker=False))


def _source(entry: SourceEntry) -> str:
    if not isinstance(entry, ChartEntry):
        return f"{'kustomization' if isinstance(entry, KustomizeEntry) else 'manifests'} {entry.path}"
    rows = [f"{each.name}: {', '.join(each.files)}" for each in entry.environments]
    version = [f"for Kubernetes {entry.kube_version}"] if entry.kube_version else []
    return "; ".join((f"chart {entry.path}", *rows, *version))


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
        *_exclusions(before.exclude, after.exclude),
        *_list("scanners", before.scanners, after.scanners, more_is_weaker=False),
        *_frameworks(before, after),
        *_list("deps.allow", before.chart_repositories, after.chart_repositories, more_is_weaker=True),
        *_break_glass(before.break_glass, after.break_glass),
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
    olds, news = _numbered(before.gates), _numbered(after.gates)
    for paths, number in sorted(olds.keys() | news.keys()):
        nothing, key = PathGate(paths=paths), (paths, number)
        yield from _thresholds(f"gates[{', '.join(paths)}]", olds.get(key, nothing), news.get(key, nothing))


def _numbered(gates: Iterable[PathGate]) -> dict[tuple[tuple[str, ...], int], PathGate]:
    """Several gates may be about the same paths."""
    seen: Counter[tuple[str, ...]] = Counter()
    found = {}
    for gate in gates:
        seen[gate.paths] += 1
        found[gate.paths, seen[gate.paths]] = gate
    return found


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


def _exclusions(before: Sequence[str], after: Sequence[str]) -> Iterator[PolicyChange]:
    """A pattern that begins with ``!`` takes back what those before it leave out, so their order counts."""
    for change in _list("exclude", before, after, more_is_weaker=True):
        is_exception = (change.before or change.after).startswith("!")
        yield replace(change, weakens=change.weakens is not is_exception)
    if sorted(before) == sorted(after) and before != after:
        yield PolicyChange(key="exclude", before=", ".join(before), after=", ".join(after), weakens=True)


def _break_glass(before: BreakGlass | None, after: BreakGlass | None) -> Iterator[PolicyChange]:
    """A label that lets pass, or another one, or for others."""
    old, new = (_way_out(each) for each in (before, after))
    yield from _change("break_glass", old, new, weakens=bool(new))


def _way_out(way: BreakGlass | None) -> str:
    if way is None:
        return ""
    return f"the label {way.label}, set by {', '.join(way.teams) or 'anybody'}"


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
