"""Which fields harden an object, and where Kubernetes would have read one that stands in the wrong place.

It looks into schemas and into the object at hand; what follows from its answer is the caller's concern.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from model.values import FieldPath, Json, dotted
from scanners.native.schemas import Node, within

CONTEXTS = frozenset({"PodSecurityContext", "SecurityContext"})
SETTINGS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("appArmorProfile", "runAsGroup", "runAsNonRoot", "runAsUser", "seLinuxOptions", "seccompProfile"), CONTEXTS
    ),
    **dict.fromkeys(
        ("allowPrivilegeEscalation", "capabilities", "readOnlyRootFilesystem"), frozenset({"SecurityContext"})
    ),
    "securityContext": frozenset({"Container", "EphemeralContainer", "PodSpec"}),
    "drop": frozenset({"Capabilities"}),
    "automountServiceAccountToken": frozenset({"PodSpec", "ServiceAccount"}),
    "hostUsers": frozenset({"PodSpec"}),
    "readOnly": frozenset({"VolumeMount"}),
    # without them a policy or a rule says more than was meant
    **dict.fromkeys(("egress", "ingress", "policyTypes"), frozenset({"NetworkPolicySpec"})),
    **dict.fromkeys(("ipBlock", "namespaceSelector"), frozenset({"NetworkPolicyPeer"})),
    "podSelector": frozenset({"NetworkPolicyPeer", "NetworkPolicySpec"}),
    "ports": frozenset({"NetworkPolicyEgressRule", "NetworkPolicyIngressRule"}),
    "from": frozenset({"NetworkPolicyIngressRule"}),
    "to": frozenset({"NetworkPolicyEgressRule"}),
    "except": frozenset({"IPBlock"}),
    "resourceNames": frozenset({"PolicyRule"}),
    "tls": frozenset({"IngressSpec"}),
    "loadBalancerSourceRanges": frozenset({"ServiceSpec"}),
}
"""Fields that harden, and the definitions that have them where they do."""
NOTHING: Mapping[str, Json] = {
    "allowPrivilegeEscalation": True,
    "automountServiceAccountToken": True,
    "hostUsers": True,
    "readOnly": False,
    "readOnlyRootFilesystem": False,
    "runAsGroup": 0,
    "runAsNonRoot": False,
    "runAsUser": 0,
}
"""Values that harden nothing: the object loses nothing when Kubernetes drops them."""
GROUPS = frozenset({"capabilities", "securityContext"})
"""Settings that harden by what they hold."""
READ_ONLY_ANYWAY = frozenset(
    {"ConfigMapVolumeSource", "DownwardAPIVolumeSource", "ProjectedVolumeSource", "SecretVolumeSource"}
)
"""Volumes that no container may write to (since Kubernetes 1.9.6)."""

LONGEST = 40
"""Characters of a name that is compared with names of fields."""
LIKENESS = 0.85
"""Of ``difflib``, where 1 is equal: one letter too many, missing or wrong in a name of eight."""


@dataclass(slots=True, eq=False)
class Place:
    """A mapping or list of the object at hand, beside what the schema says of it."""

    parent: Place | None
    step: str | int
    """From the parent."""
    value: Json
    node: Node

    def path(self, *steps: str | int) -> FieldPath:
        """From the root of the object to a field of this place."""
        found = [*reversed(steps)]
        place = self
        while place.parent is not None:
            found.append(place.step)
            place = place.parent
        return tuple(reversed(found))

    def outwards(self) -> Iterator[Place]:
        """This place and those around it that have fields, the innermost first."""
        place: Place | None = self
        while place is not None:
            if place.node.fields is not None:
                yield place
            place = place.parent


def setting_for(name: str) -> str | None:
    """The hardening setting that is called so, or that somebody meant who wrote so."""
    if name in SETTINGS:
        return name
    return BY_LETTERS.get(_letters(name)) or _alike(name, LONG_SETTINGS)


def likely(node: Node, name: str) -> str | None:
    """The field of an object that somebody meant who wrote ``name``."""
    fields = node.fields or {}
    letters = _letters(name)
    return next((field for field in fields if _letters(field) == letters), None) or _alike(name, tuple(fields))


def is_lost(name: str, value: Json, start: Json, steps: Sequence[str]) -> bool:
    """Whether the object is less safe because nobody reads this value, which does not stand in its place as well.

    ``start`` and ``steps`` lead to the place, as ``home`` gives them.
    """
    if name in GROUPS and isinstance(value, dict):
        inner = ((setting, below) for setting, below in value.items() if setting in SETTINGS)
        return any(is_lost(setting, below, start, (*steps, setting)) for setting, below in inner)
    return _hardens(name, value) and not _is_set(start, steps)


def home(place: Place, name: str) -> tuple[Place, tuple[str, ...]] | None:
    """Where Kubernetes reads a setting, seen from a place that does not have it: inside it, else around it.

    Gives the place to start from and the steps from there, ``containers[]`` for each item of a list.
    """
    if name == "readOnly" and place.node.name in READ_ONLY_ANYWAY:
        return None
    for around in place.outwards():
        steps = _nearest(around.node, name)
        if steps is not None:
            return around, (*steps, name)
    return None


def _hardens(name: str, value: Json) -> bool:
    """Whether an object is safer with this value than without."""
    weak = NOTHING.get(name)
    return value is not None and value not in ("", [], {}) and not (type(value) is type(weak) and value == weak)


def _is_set(value: Json, steps: Sequence[str]) -> bool:
    """Whether a setting stands where it belongs, in every item of the lists on the way."""
    if not steps:
        return value is not None
    if not isinstance(value, dict):
        return False
    name, *deeper = steps
    inner = value.get(name.removesuffix("[]"))
    if not name.endswith("[]"):
        return _is_set(inner, deeper)
    return isinstance(inner, list) and bool(inner) and all(_is_set(item, deeper) for item in inner)


def shown(place: Place, steps: Sequence[str]) -> str:
    """The place of a setting as people write it."""
    start = dotted(place.path())
    return ".".join([start, *steps] if start else steps)


@cache
def _nearest(node: Node, name: str) -> tuple[str, ...] | None:
    """The fewest steps from an object to one that has the setting; of equally many the first by name."""
    seen = {node}
    todo: list[tuple[tuple[str, ...], Node]] = [((), node)]
    for steps, here in todo:
        if here.name in SETTINGS[name] and name in (here.fields or {}):
            return steps
        for step, below in within(here):
            if below.fields is not None and below not in seen:
                seen.add(below)
                todo.append(((*steps, step), below))
    return None


def _letters(name: str) -> str:
    return name[:LONGEST].lower().replace("_", "").replace("-", "")


def _alike(name: str, fields: Sequence[str]) -> str | None:
    found = get_close_matches(name, fields, n=1, cutoff=LIKENESS) if len(name) <= LONGEST else []
    return found[0] if found else None


BY_LETTERS: Mapping[str, str] = {_letters(name): name for name in SETTINGS}
LONG_SETTINGS = tuple(name for name in SETTINGS if len(name) > 7)
"""A short name is one letter away from too many others."""
