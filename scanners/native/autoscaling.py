"""Autoscalers: their bounds, and the workload that they scale. Without ``minReplicas`` they may go down to one."""

from __future__ import annotations

from model.resource import Resource
from model.values import dig
from scanners.native.engine import Flaw, Flaws, Neighbours, Verdicts, object_check, survey
from scanners.native.numbers import whole
from scanners.native.selection import autoscaler_of

AUTOSCALER = "HorizontalPodAutoscaler"
DEFAULT_MINIMUM = 1
AT_LEAST = 2


@object_check("hpa-min-replicas", kinds=(AUTOSCALER,))
def hpa_min_replicas(resource: Resource) -> Flaws:
    """Unset is 1 (autoscaling/v2, HorizontalPodAutoscalerSpec)."""
    minimum = _minimum(resource)
    if minimum is not None and minimum < AT_LEAST:
        yield Flaw(
            ("spec", "minReplicas"), f"may go down to {minimum} pods" if minimum != 1 else "may go down to 1 pod"
        )


@object_check("hpa-range", kinds=(AUTOSCALER,))
def hpa_range(resource: Resource) -> Flaws:
    """The upper bound lies above the lower one."""
    minimum, maximum = _minimum(resource), whole(dig(dict(resource.value), "spec", "maxReplicas"))
    if minimum is not None and maximum is not None and maximum <= minimum:
        yield Flaw(("spec", "maxReplicas"), f"may have {maximum} pods at most and {minimum} at least")


@survey("hpa-static-replicas", kinds=("Deployment",))
def hpa_static_replicas(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """Each time the Deployment is applied, its own number wins for a while."""
    fixed = dig(dict(resource.value), "spec", "replicas") is not None
    autoscaler = autoscaler_of(resource, neighbours) if fixed else None
    if autoscaler is None:
        return {"hpa-static-replicas": []}
    flaw = Flaw(("spec", "replicas"), f"sets replicas although {autoscaler.resource.ref.name[:80]} scales it")
    return {"hpa-static-replicas": [flaw]}


def _minimum(resource: Resource) -> int | None:
    stated = dig(dict(resource.value), "spec", "minReplicas")
    return DEFAULT_MINIMUM if stated is None else whole(stated)
