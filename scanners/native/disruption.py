"""Disruption budgets: whether one covers a workload, and whether it leaves anything to evict (policy/v1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from model.resource import Resource
from model.values import FieldPath, Json, mapping
from scanners.native.engine import Flaw, Flaws, Neighbours, Verdicts, object_check, survey
from scanners.native.numbers import Amount, amount
from scanners.native.selection import Autoscaler, Templates, autoscaler_of, has_one_replica, replicas

BUDGET = "PodDisruptionBudget"
COVERED = frozenset({"Deployment", "StatefulSet"})
WHOLE = 100
"""Percent."""


@object_check("pdb-policy-missing", kinds=(BUDGET,))
def pdb_policy_missing(resource: Resource) -> Flaws:
    """One of both numbers; Kubernetes refuses both together."""
    spec = _spec(resource)
    if spec.get("minAvailable") is None and spec.get("maxUnavailable") is None:
        yield Flaw(("spec", "maxUnavailable"), "says neither minAvailable nor maxUnavailable")


@object_check("pdb-unhealthy-eviction", kinds=(BUDGET,))
def pdb_unhealthy_eviction(resource: Resource) -> Flaws:
    """Unset is IfHealthyBudget (policy/v1, since Kubernetes 1.27): who states that has decided it."""
    if _spec(resource).get("unhealthyPodEvictionPolicy") is None:
        message = "does not say whether pods that are not ready may be evicted: they can keep a node from being drained"
        yield Flaw(("spec", "unhealthyPodEvictionPolicy"), message)


@survey("pdb-blocks-eviction", kinds=(BUDGET,))
def pdb_blocks_eviction(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """By its own number, or beside the replicas of the workloads that it selects."""
    return {"pdb-blocks-eviction": list(_blocks(resource, neighbours))}


def _blocks(budget: Resource, neighbours: Neighbours) -> Flaws:
    spec = _spec(budget)
    most, least = amount(spec.get("maxUnavailable")), amount(spec.get("minAvailable"))
    if most is not None and most.number == 0:
        yield Flaw(("spec", "maxUnavailable"), "allows no pod to be unavailable")
    if least is None:
        return
    if least.is_percent and least.number >= WHOLE:
        yield Flaw(("spec", "minAvailable"), "wants all pods to be available")
        return
    total = neighbours.derived(_coverage)[_key(budget)].pods
    if total and least.of(total) >= total:
        yield Flaw(("spec", "minAvailable"), f"wants {least.of(total)} pods to be available where there may be {total}")


@survey("pod-disruption-budget-missing", kinds=COVERED)
def pod_disruption_budget_missing(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """A single replica needs none: a budget could only keep its node from being drained."""
    if not resource.pods:
        return {}
    covered = resource in neighbours.derived(_covered) or has_one_replica(resource, neighbours)
    flaw = Flaw(_labels(resource), "is covered by no disruption budget")
    return {"pod-disruption-budget-missing": [] if covered else [flaw]}


@survey("pdb-exceeds-hpa", kinds=("Deployment",))
def pdb_exceeds_hpa(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """A budget of the scope wants more pods than the autoscaler of the scope leaves in quiet hours."""
    if not resource.pods:
        return {}
    excess = neighbours.derived(_excesses).get(resource)
    return {"pdb-exceeds-hpa": [Flaw(_labels(resource), excess)] if excess else []}


def _excesses(neighbours: Neighbours) -> Mapping[Resource, str]:
    """What to say of each workload that some budget asks too much of."""
    found: dict[Resource, str] = {}
    for covered in neighbours.derived(_coverage).values():
        for workload in covered.workloads:
            autoscaler = autoscaler_of(workload, neighbours)
            excess = _excess(covered, autoscaler) if autoscaler is not None else ""
            if excess:
                found.setdefault(workload, excess)
    return found


def _excess(covered: _Covered, autoscaler: Autoscaler) -> str:
    """What to say where the budgets want more pods than the autoscaler leaves; empty where they do not."""
    minimum = max(autoscaler.minimum, 1)
    least = max(covered.wishes, key=lambda wish: wish.of(minimum), default=None)
    if least is None or least.of(minimum) <= minimum:
        return ""
    budget, name = covered.wishes[least].ref.name[:80], autoscaler.resource.ref.name[:80]
    return f"must keep {least.of(minimum)} pods for {budget} where {name} may leave {minimum}"


def _covered(neighbours: Neighbours) -> frozenset[Resource]:
    """Everything whose pods some budget selects."""
    return frozenset(workload for each in neighbours.derived(_coverage).values() for workload in each.workloads)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Covered:
    """What all budgets of one namespace with one selector cover."""

    workloads: tuple[Resource, ...]
    pods: int | None
    """How many there are at least; None where some of them are not counted in the manifests."""
    wishes: dict[Amount, Resource] = field(default_factory=dict)
    """By minAvailable: the first budget that asks for it."""


def _coverage(neighbours: Neighbours) -> Mapping[tuple[str, str], _Covered]:
    """By namespace and selector: many budgets may have the same."""
    found: dict[tuple[str, str], _Covered] = {}
    templates = neighbours.derived(Templates.of)
    for budget in neighbours.of_kind(BUDGET):
        key = _key(budget)
        if key not in found:
            selected = templates.selected(budget.ref.namespace, _selector(budget))
            workloads = tuple(dict.fromkeys(template.resource for template in selected))
            found[key] = _Covered(workloads=workloads, pods=_pods(workloads, neighbours))
        least = amount(_spec(budget).get("minAvailable"))
        if least is not None:
            found[key].wishes.setdefault(least, budget)
    return found


def _pods(workloads: Iterable[Resource], neighbours: Neighbours) -> int | None:
    counts = [replicas(workload, neighbours) for workload in workloads]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _key(budget: Resource) -> tuple[str, str]:
    return budget.ref.namespace, json.dumps(_selector(budget), sort_keys=True)


def _selector(budget: Resource) -> Json:
    """What it selects; an empty selector of the former version means nothing."""
    selector = _spec(budget).get("selector")
    return None if budget.api_version == "policy/v1beta1" and selector == {} else selector


def _spec(resource: Resource) -> dict[str, Json]:
    return mapping(resource.value.get("spec"))


def _labels(workload: Resource) -> FieldPath:
    """What a budget selects the pods by."""
    return (*workload.pods[0].metadata_path, "labels")
