"""What network policies leave open of a pod: for each direction whether it is isolated, by whom, and what gets through.

Policies of administrators are asked first, then those that isolate, then the baseline. What several engines enforce is
put together: who writes policies of Cilium runs Cilium.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby

from model.resource import Pod
from scanners.native.engine import Neighbours
from scanners.native.network.pods import Selections, Shape
from scanners.native.network.rules import Action, Direction, Family, Policy, Rule
from scanners.native.network.truth import Truth

SHOWN = 3
"""How many policies a message names."""


class Standing(StrEnum):
    """Of a pod in one direction."""

    ISOLATED = "isolated"
    OPEN = "open"
    UNKNOWN = "unknown"
    """It depends on labels that stand in no manifest of the scope."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """One direction."""

    direction: Direction
    standing: Standing
    by: tuple[Policy, ...] = ()
    """Who isolates it, or opens it before anybody who isolates is asked."""
    allowed: tuple[Rule, ...] = ()
    """The rules that let something through where it is isolated."""
    denied: tuple[tuple[Policy, Rule], ...] = ()
    """The rules that deny something, for certain."""

    def __str__(self) -> str:
        """``ingress is isolated by default-deny and allow-web``."""
        if self.standing is Standing.ISOLATED:
            return f"{self.direction} is isolated by {listed(self.by)}"
        if self.standing is Standing.UNKNOWN:
            return f"{self.direction} may be isolated by {listed(self.by)}"
        cause = f": {listed(self.by)} lets it through before others are asked" if self.by else ""
        return f"{self.direction} is open to everything{cause}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coverage:
    """Both directions of a pod."""

    ingress: Side
    egress: Side
    remark: str = ""
    """Why it is open in both."""

    def side(self, direction: Direction) -> Side:
        """The one of that direction."""
        return self.ingress if direction is Direction.INGRESS else self.egress

    def __str__(self) -> str:
        """``ingress is isolated by default-deny; egress is open to everything``."""
        return f"{self.remark}: ingress and egress are open" if self.remark else f"{self.ingress}; {self.egress}"


def listed(policies: Sequence[Policy]) -> str:
    """``a``, ``a and b``, ``a, b, c and 4 more``."""
    names = list(dict.fromkeys(policy.name for policy in policies))
    if len(names) > SHOWN:
        return f"{', '.join(names[:SHOWN])} and {len(names) - SHOWN} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _open(remark: str) -> Coverage:
    ingress, egress = (Side(direction=direction, standing=Standing.OPEN) for direction in Direction)
    return Coverage(ingress=ingress, egress=egress, remark=remark)


UNSELECTED = _open("is selected by no network policy")
ON_THE_NODE = _open("uses the network of its node, where no policy of pods reaches it")


def coverage(pod: Pod, neighbours: Neighbours) -> Coverage:
    """Of a pod of the scope."""
    return neighbours.derived(Coverages.of).of_pod(pod)


@dataclass(slots=True, eq=False)
class Coverages:
    """Of all pods of a scope; those that the same policies select share one."""

    selections: Selections
    _known: dict[tuple[int, ...], Coverage] = field(default_factory=dict)

    @classmethod
    def of(cls, neighbours: Neighbours) -> Coverages:
        """Nothing is worked out before somebody asks."""
        return cls(neighbours.derived(Selections.of))

    def of_pod(self, pod: Pod) -> Coverage:
        """Of a pod."""
        if pod.spec.get("hostNetwork") is True:
            return ON_THE_NODE
        if not self.selections.groups:
            return UNSELECTED
        return self.of_shape(self.selections.pods.number(pod))

    def of_shape(self, number: int) -> Coverage:
        """Of pods that look alike."""
        shape: Shape = self.selections.pods.shapes[number]
        groups = tuple(self.selections.of_shape.get(number, ()))
        if shape.uses_node_network:
            return ON_THE_NODE
        if not groups:
            return UNSELECTED
        known = self._known.get(groups)
        if known is None:
            known = self._known[groups] = self._work_out(groups)
        return known

    def _work_out(self, groups: Iterable[int]) -> Coverage:
        found: list[tuple[Policy, Truth]] = []
        for number in groups:
            is_sure = number >= 0
            policies = self.selections.groups[number if is_sure else ~number].policies
            found += [(policy, True if is_sure else None) for policy in policies]
        found.sort(key=lambda pair: (pair[0].tier, pair[0].order, pair[0].resource.ref.name))
        return Coverage(ingress=_side(found, Direction.INGRESS), egress=_side(found, Direction.EGRESS))


Found = Sequence[tuple[Policy, Truth]]
"""Policies in the order in which they are asked, and whether they select the pod."""


def _side(found: Found, direction: Direction) -> Side:
    standing, by = _standing(found, direction)
    rules = [(policy, rule, truth) for policy, truth in found for rule in policy.of(direction)]
    return Side(
        direction=direction,
        standing=standing,
        by=tuple(by),
        allowed=tuple(rule for _, rule, _ in rules if rule.action is Action.ALLOW),
        denied=tuple((policy, rule) for policy, rule, truth in rules if rule.action is Action.DENY and truth),
    )


def _standing(found: Found, direction: Direction) -> tuple[Standing, list[Policy]]:
    admin = _first_of(found, direction, Family.ADMIN)
    if admin is not None and admin.action is not Action.PASS:
        return admin.standing, admin.by
    isolating = list(_isolating(found, direction))
    sure = [policy for policy, truth in isolating if truth]
    if sure:
        return Standing.ISOLATED, sure
    if isolating:
        return Standing.UNKNOWN, [policy for policy, _ in isolating]
    baseline = _first_of(found, direction, Family.BASELINE)
    if baseline is not None and baseline.action is not Action.PASS:
        return baseline.standing, baseline.by
    return Standing.OPEN, []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    """The first rule that matches all traffic."""

    action: Action
    by: list[Policy]
    is_sure: bool

    @property
    def standing(self) -> Standing:
        if not self.is_sure:
            return Standing.UNKNOWN
        return Standing.ISOLATED if self.action is Action.DENY else Standing.OPEN


def _first_of(found: Found, direction: Direction, family: Family) -> _Decision | None:
    """What policies that isolate by their rules alone decide about everything; None where they decide of parts only.

    A rule that may be about the pod counts for what it is, as not sure, unless one that surely is says the same.
    """
    first: _Decision | None = None
    for policy, truth in found:
        rule = next((rule for rule in policy.of(direction) if rule.is_full), None)
        if policy.family is not family or rule is None:
            continue
        if truth:
            is_same = first is None or first.action is rule.action
            return _Decision(action=rule.action, by=[policy], is_sure=True) if is_same else first
        first = first or _Decision(action=rule.action, by=[policy], is_sure=False)
    return first


def _isolating(found: Found, direction: Direction) -> Iterator[tuple[Policy, Truth]]:
    """Policies that let nothing through in that direction but what is allowed."""
    isolating = [pair for pair in found if direction in pair[0].isolates]
    for family, of_family in groupby(sorted(isolating, key=lambda pair: pair[0].family), lambda pair: pair[0].family):
        if family is not Family.CALICO:
            yield from of_family
            continue
        for _, of_tier in groupby(sorted(of_family, key=lambda pair: pair[0].tier), lambda pair: pair[0].tier):
            yield from _isolating_in_tier(list(of_tier), direction)


def _isolating_in_tier(found: Found, direction: Direction) -> Found:
    """A rule that passes everything on leaves the tier before its end; so does the tier that ends with it."""
    deciding: list[tuple[Policy, Truth]] = []
    relying: list[tuple[Policy, Truth]] = []
    """On the end of the tier."""
    for policy, truth in found:
        first = next((rule for rule in policy.of(direction) if rule.is_full), None)
        if first is not None and first.action is Action.PASS:
            if truth:
                return deciding
        elif first is not None:
            deciding.append((policy, truth))
        elif not policy.ends_with_pass:
            relying.append((policy, truth))
    return [*deciding, *relying]
