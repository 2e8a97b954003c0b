"""Files that say in place of flags how the API server knows people, what they may do, and how the scheduler runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model.values import Json, dig, mapping, sequence, text
from scanners.native.engine import Flaw, Verdicts

ALLOWED_ALONE = frozenset({"/healthz", "/livez", "/readyz"})
"""Paths that load balancers ask without log-in, and that tell nothing."""


def authentication(value: Mapping[str, Json]) -> Verdicts:
    """``AuthenticationConfiguration``: where it says nothing about strangers, the flag decides."""
    anonymous = mapping(value.get("anonymous"))
    if "anonymous" not in value:
        return {}
    allowed = {text(dig(condition, "path")) for condition in sequence(anonymous.get("conditions"))}
    is_open = anonymous.get("enabled") is True and not (allowed and allowed <= ALLOWED_ALONE)
    flaws = [Flaw(("anonymous", "enabled"), "answers without log-in")] if is_open else []
    return {"apiserver-anonymous-auth": flaws}


def authorization(value: Mapping[str, Json]) -> Verdicts:
    """``AuthorizationConfiguration``: the types of its authorizers are the modes of the flag."""
    path = ("authorizers",)
    modes = [dig(each, "type") for each in sequence(value.get("authorizers"))]
    allows: Sequence[Flaw] = [
        Flaw((*path, position, "type"), "allows every request")
        for position, mode in enumerate(modes)
        if mode == "AlwaysAllow"
    ]
    return {
        "apiserver-always-allow": allows,
        "apiserver-authz-node": [] if "Node" in modes else [Flaw(path, "does not limit nodes to their own objects")],
        "apiserver-authz-rbac": [] if "RBAC" in modes else [Flaw(path, "does not use roles")],
    }


def scheduler(value: Mapping[str, Json]) -> Verdicts:
    """``KubeSchedulerConfiguration``: profiling is on where nobody switches it off."""
    is_off = value.get("enableProfiling") is False
    return {"scheduler-profiling": [] if is_off else [Flaw(("enableProfiling",), "offers profiling data")]}


def admission(value: Mapping[str, Json]) -> Verdicts:
    """``AdmissionConfiguration``: EventRateLimit has no limits of its own, so that without an entry it cannot work."""
    names = [dig(each, "name") for each in sequence(value.get("plugins"))]
    flaws = [] if "EventRateLimit" in names else [Flaw(("plugins",), "gives EventRateLimit no limits")]
    return {"apiserver-event-rate-limit": flaws}
