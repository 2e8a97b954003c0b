"""Whether a container gets what it asks for and no more: requests that equal limits."""

from __future__ import annotations

from model.values import Json, dig
from scanners.native.engine import ContainerView, Flaw, Flaws, container_check
from scanners.native.numbers import quantity

RESOURCES = ("cpu", "memory", "ephemeral-storage")


@container_check("requests-equal-limits", fields=("resources",))
def requests_equal_limits(container: ContainerView) -> Flaws:
    """A limit without a request is a request as well; what is stated for the pod as a whole decides there.

    Where neither is stated nothing differs: that they are missing is the concern of other controls.
    """
    own, pod = container.value.get("resources"), container.pod.spec.get("resources")
    for name in RESOURCES:
        requested, limit = dig(own, "requests", name), dig(own, "limits", name)
        if requested is not None and not _is_same(requested, limit) and dig(pod, "limits", name) is None:
            yield Flaw(container.at("resources", "requests", name), f"has a {name} request that differs from its limit")


def _is_same(requested: Json, limit: Json) -> bool:
    """As amounts, so that ``1000m`` is ``1``; a text that is no amount (a template's, say) equals itself."""
    first, second = quantity(requested), quantity(limit)
    return requested == limit if first is None or second is None else first == second
