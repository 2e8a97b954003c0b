"""How pods look up names."""

from __future__ import annotations

from model.values import Json, mapping, sequence, text
from scanners.native.engine import Flaw, Flaws, PodView, pod_check

MOST_DOTS = 2
"""A name with as many dots is asked for as it is; ``service.namespace.svc`` needs the search list."""
WITHOUT_SEARCH = frozenset({"None", "Default"})
"""Policies under which the search list of the cluster is not used, so that nothing is asked for five times."""


@pod_check("dns-ndots")
def dns_ndots(pod: PodView) -> Flaws:
    """Kubernetes sets ``ndots:5`` where nothing is said: each outside name is tried with every search domain first."""
    if pod.spec.get("dnsPolicy") in WITHOUT_SEARCH:
        return
    path = pod.at("dnsConfig", "options")
    for position, option in enumerate(sequence(mapping(pod.spec.get("dnsConfig")).get("options"))):
        if mapping(option).get("name") == "ndots":
            if not _is_low(mapping(option).get("value")):
                yield Flaw(
                    (*path, position, "value"), f"asks for names with fewer than {MOST_DOTS + 1} dots many times"
                )
            return
    yield Flaw(path, "looks up outside names with five dots and the search list of the cluster")


def _is_low(value: Json) -> bool:
    """Its value is a string (``PodDNSConfigOption``)."""
    return text(value) in {str(number) for number in range(MOST_DOTS + 1)}
