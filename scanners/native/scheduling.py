"""Where pods land: priority, and whether replicas are kept apart by anti-affinity or topology spread constraints."""

from __future__ import annotations

from collections.abc import Iterator

from model.selectors import selects
from model.values import Json, dig, mapping, sequence, text
from scanners.native.engine import Flaw, Flaws, PodView, pod_check
from scanners.native.numbers import whole
from scanners.native.selection import LABELLED_LATER, REPLICATED, has_one_replica

APART = frozenset(
    {
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "kubernetes.io/hostname",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    }
)
"""Who is kept apart by one of them is on several nodes."""
NEED_DISTANCE = frozenset({"Deployment", "DeploymentConfig", "StatefulSet"})
MANNERS = ("DoNotSchedule", "ScheduleAnyway")
OUR_GROUPS = frozenset({"", "apps", "apps.openshift.io", "batch", "extensions"})
"""Whose pods have the labels of their template; the operator of a custom resource may add some."""


@pod_check("priority-class")
def priority_class(pod: PodView) -> Flaws:
    """The cluster's default class is not known from manifests."""
    if not text(pod.spec.get("priorityClassName")):
        yield Flaw(pod.at("priorityClassName"), "names no priority class")


@pod_check("node-affinity")
def node_affinity(pod: PodView) -> Flaws:
    """A node selector or a node's name says the same in short; a DaemonSet is for every node."""
    if pod.resource.ref.kind in REPLICATED and not (
        dig(dict(pod.spec), "affinity", "nodeAffinity") or pod.spec.get("nodeSelector") or pod.spec.get("nodeName")
    ):
        yield Flaw(pod.at("affinity", "nodeAffinity"), "may land on any node")


@pod_check("pod-anti-affinity")
def pod_anti_affinity(pod: PodView) -> Flaws:
    """Preferred is enough, and so is a spread constraint over nodes or zones; a single replica needs neither."""
    if pod.resource.ref.kind in NEED_DISTANCE and not (
        any(_keeps_apart(term, pod) for term in _terms(pod))
        or any(_spreads(mapping(each), pod) for each in sequence(pod.spec.get("topologySpreadConstraints")))
        or has_one_replica(pod.resource, pod.neighbours)
    ):
        yield Flaw(pod.at("affinity", "podAntiAffinity"), "lets all replicas land on one node")


@pod_check("topology-spread-missing")
def topology_spread_missing(pod: PodView) -> Flaws:
    """Any constraint counts; whether it is valid is the concern of topology-spread-invalid."""
    constraints = sequence(pod.spec.get("topologySpreadConstraints"))
    if pod.resource.ref.kind in REPLICATED and not constraints and not has_one_replica(pod.resource, pod.neighbours):
        yield Flaw(pod.at("topologySpreadConstraints"), "has no topology spread constraints")


@pod_check("topology-spread-invalid")
def topology_spread_invalid(pod: PodView) -> Flaws:
    """As ``validateTopologySpreadConstraints`` in Kubernetes; and a selector that overlooks the pod spreads nothing."""
    seen: set[tuple[str, str]] = set()
    for position, entry in enumerate(sequence(pod.spec.get("topologySpreadConstraints"))):
        constraint = mapping(entry)
        for field, message in _invalid(constraint, pod):
            yield Flaw(pod.at("topologySpreadConstraints", position, field), message)
        pair = text(constraint.get("topologyKey")), text(constraint.get("whenUnsatisfiable"))
        if all(pair) and pair in seen:
            path = pod.at("topologySpreadConstraints", position, "topologyKey")
            yield Flaw(path, f"has two spread constraints over {pair[0][:80]} of one kind")
        seen.add(pair)


def _invalid(constraint: dict[str, Json], pod: PodView) -> Iterator[tuple[str, str]]:
    """Field and message of what is wrong with one constraint."""
    skew, domains = whole(constraint.get("maxSkew")), constraint.get("minDomains")
    if skew is None or skew < 1:
        yield "maxSkew", "has a spread constraint whose maxSkew is not 1 or more"
    if not text(constraint.get("topologyKey")):
        yield "topologyKey", "has a spread constraint without topologyKey"
    if constraint.get("whenUnsatisfiable") not in MANNERS:
        yield "whenUnsatisfiable", f"has a spread constraint that is neither {' nor '.join(MANNERS)}"
    if domains is not None and ((whole(domains) or 0) < 1 or constraint.get("whenUnsatisfiable") == MANNERS[1]):
        yield "minDomains", f"has a spread constraint whose minDomains is not 1 or more, or not under {MANNERS[0]}"
    if not isinstance(constraint.get("labelSelector"), dict):
        yield "labelSelector", "has a spread constraint without labelSelector: it counts no pods"
    elif not _selects_own(constraint["labelSelector"], pod):
        yield "labelSelector", "has a spread constraint that does not select the pod itself"


def _terms(pod: PodView) -> Iterator[dict[str, Json]]:
    """All terms of the pod's anti-affinity."""
    rules = dig(dict(pod.spec), "affinity", "podAntiAffinity")
    yield from map(mapping, sequence(dig(rules, "requiredDuringSchedulingIgnoredDuringExecution")))
    for weighted in sequence(dig(rules, "preferredDuringSchedulingIgnoredDuringExecution")):
        yield mapping(dig(weighted, "podAffinityTerm"))


def _keeps_apart(term: dict[str, Json], pod: PodView) -> bool:
    """Whether a term is about other pods of the same sort, in the same namespace."""
    namespace, namespaces = pod.resource.ref.namespace, sequence(term.get("namespaces"))
    is_here = not namespaces or not namespace or namespace in namespaces or term.get("namespaceSelector") is not None
    return is_here and _spreads(term, pod)


def _spreads(rule: dict[str, Json], pod: PodView) -> bool:
    """Whether a rule selects the pod itself, over nodes or something larger."""
    return text(rule.get("topologyKey")) in APART and _selects_own(rule.get("labelSelector"), pod)


def _selects_own(selector: Json, pod: PodView) -> bool:
    """Whether a selector matches the pod, or asks for labels that somebody gives to it later."""
    asked = {*mapping(dig(selector, "matchLabels"))}
    asked |= {text(dig(expression, "key")) for expression in sequence(dig(selector, "matchExpressions"))}
    is_open = pod.resource.ref.group not in OUR_GROUPS or not asked.isdisjoint(LABELLED_LATER)
    return isinstance(selector, dict) and (is_open or selects(selector, mapping(pod.pod.metadata.get("labels"))))
