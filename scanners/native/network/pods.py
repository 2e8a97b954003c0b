"""The pods of a scope as policies see them, and the policies that select them, found by label.

A pod whose object names no namespace may lie in any: it meets the policies of all namespaces, and a question about the
labels of its namespace has no answer. Nor has one about a namespace that is not in the scope, its name apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from model.resource import Pod, Resource
from model.values import Json, dig, mapping, text
from scanners.native.engine import Neighbours
from scanners.native.network import calico, cilium
from scanners.native.network.admin import ADMIN_KINDS, GROUP, admin_policies
from scanners.native.network.calico import GLOBAL, GROUPS, calico_policies
from scanners.native.network.cilium import CLUSTERWIDE, cilium_policies
from scanners.native.network.kubernetes import kubernetes_policies
from scanners.native.network.rules import Family, Policy, Reach
from scanners.native.network.selectors import AUTOMATIC
from scanners.native.network.truth import UNKNOWN, Label, Lookup, Truth, every, word
from scanners.native.selection import ANYWHERE, TEMPLATED, places_for, places_of

KUBERNETES_GROUPS = ("networking.k8s.io", "extensions")
CILIUM_GROUP = "cilium.io"
CALICO_NAME = "projectcalico.org/name"
"""A label that Calico sees on every namespace and service account."""
NAME_OF_NAMESPACE = ("kubernetes.io/metadata.name", CALICO_NAME)
"""Labels that every namespace has, the first one since Kubernetes 1.21."""
DEFAULT_ACCOUNT = "default"


ShapeKey: TypeAlias = tuple[str, tuple[tuple[str, str], ...], str, bool, bool]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """The labels of what pods belong to, as far as it is in the scope."""

    namespaces: Mapping[str, Mapping[str, str]]
    """By name."""
    accounts: Mapping[tuple[str, str], Mapping[str, str]]
    """By namespace and name."""

    @classmethod
    def of(cls, neighbours: Neighbours) -> Known:
        """From the objects of the scope."""
        namespaces, accounts = (
            {
                (resource.ref.namespace, resource.ref.name): _plain(dig(dict(resource.value), "metadata", "labels"))
                for resource in neighbours.of_kind(kind)
                if not resource.ref.group
            }
            for kind in ("Namespace", "ServiceAccount")
        )
        return cls(namespaces={name: labels for (_, name), labels in namespaces.items()}, accounts=accounts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """Pods that no policy can tell apart."""

    namespace: str
    """Empty where no manifest says it."""
    labels: Mapping[str, str]
    account: str
    is_templated: bool
    uses_node_network: bool
    known: Known

    @property
    def key(self) -> ShapeKey:
        """Equal for equal ones."""
        labels = tuple(sorted(self.labels.items()))
        return self.namespace, labels, self.account, self.is_templated, self.uses_node_network

    def label(self, key: str) -> Label:
        """As Kubernetes sees it."""
        found = self.labels.get(key)
        return UNKNOWN if found is None and self.is_templated and key in AUTOMATIC else found

    def of_namespace(self, key: str) -> Label:
        """A label of its namespace."""
        return label_of_namespace(self.known.namespaces, self.namespace, key)

    def of_account(self, key: str) -> Label:
        """A label of its service account."""
        if key == CALICO_NAME:
            return self.account
        labels = self.known.accounts.get((self.namespace, self.account))
        return UNKNOWN if labels is None else labels.get(key)

    def for_cilium(self, key: str) -> Label:
        """With what Cilium adds (its documentation, "Kubernetes Constructs in Policy")."""
        if key == cilium.NAMESPACE:
            return self.namespace or UNKNOWN
        if key.startswith(cilium.NAMESPACE_LABELS):
            return self.of_namespace(key.removeprefix(cilium.NAMESPACE_LABELS))
        if key == cilium.ACCOUNT:
            return self.account
        return UNKNOWN if key == cilium.CLUSTER else self.label(key)

    def for_calico(self, key: str) -> Label:
        """With what Calico adds (its documentation, "Calico automatic labels")."""
        if key == calico.NAMESPACE:
            return self.namespace or UNKNOWN
        if key == calico.ACCOUNT:
            return self.account
        if key == calico.ORCHESTRATOR:
            return "k8s"
        if key.startswith(calico.NAMESPACE_LABELS):
            return self.of_namespace(key.removeprefix(calico.NAMESPACE_LABELS))
        if key.startswith(calico.ACCOUNT_LABELS):
            return self.of_account(key.removeprefix(calico.ACCOUNT_LABELS))
        return self.label(key)

    def lookup(self, family: Family) -> Lookup:
        """Its labels as policies of that family see them."""
        return {Family.CILIUM: self.for_cilium, Family.CALICO: self.for_calico}.get(family, self.label)


def label_of_namespace(known: Mapping[str, Mapping[str, str]], namespace: str, key: str) -> Label:
    """A label of a namespace, whether or not its object is in the scope."""
    if not namespace:
        return UNKNOWN
    if key in NAME_OF_NAMESPACE:
        return namespace
    labels = known.get(namespace)
    return UNKNOWN if labels is None else labels.get(key)


@dataclass(slots=True, kw_only=True, eq=False)
class Pods:
    """The shapes of a scope, by place and label."""

    asked: frozenset[str]
    """Keys of labels that some policy asks for: by others, pods are not told apart."""
    shapes: list[Shape] = field(default_factory=list)
    _of: dict[ShapeKey, int] = field(default_factory=dict)
    _by_pod: dict[int, int] = field(default_factory=dict)
    """Numbers of shapes by ``id`` of the pod."""
    _in: dict[str, list[int]] = field(default_factory=dict)
    """By place."""
    _by_label: dict[tuple[str, str, str], set[int]] = field(default_factory=dict)
    """By place, key and value."""
    keys: dict[str, set[str]] = field(default_factory=dict)
    """Keys of labels that some pod carries, by place."""

    @classmethod
    def of(cls, neighbours: Neighbours, asked: frozenset[str]) -> Pods:
        """Of all objects that bear pods, or whose template is one even where it is not complete."""
        pods = cls(asked=asked)
        known = Known.of(neighbours)
        for resource in neighbours:
            for pod in resource.pods:
                pods._by_pod[id(pod)] = pods._add(resource, pod.spec, pod.metadata.get("labels"), known)
            template = dig(dict(resource.value), "spec", "template") if resource.ref.kind in TEMPLATED else None
            if isinstance(template, dict) and not resource.pods:
                spec, labels = mapping(template.get("spec")), dig(template, "metadata", "labels")
                pods._add(resource, spec, labels, known)
        return pods

    def _add(self, resource: Resource, spec: Mapping[str, Json], labels: Json, known: Known) -> int:
        """The number of its shape."""
        written = _plain(labels)
        namespace = resource.ref.namespace
        for place in places_of(namespace):
            self.keys.setdefault(place, set()).update(written)
        shape = Shape(
            namespace=namespace,
            labels={key: value for key, value in written.items() if key in self.asked},
            account=text(spec.get("serviceAccountName")) or text(spec.get("serviceAccount")) or DEFAULT_ACCOUNT,
            is_templated=resource.ref.kind != "Pod",
            uses_node_network=spec.get("hostNetwork") is True,
            known=known,
        )
        number = self._of.get(shape.key)
        return self._enter(shape) if number is None else number

    def _enter(self, shape: Shape) -> int:
        """Write a new one down under its places and labels."""
        number = self._of[shape.key] = len(self.shapes)
        self.shapes.append(shape)
        for place in places_of(shape.namespace):
            self._in.setdefault(place, []).append(number)
            for label in shape.labels.items():
                self._by_label.setdefault((place, *label), set()).add(number)
        return number

    def number(self, pod: Pod) -> int:
        """Of the pod's shape."""
        return self._by_pod[id(pod)]

    def candidates(self, place: str, required: Iterable[tuple[str, str]]) -> Iterable[int]:
        """Those of a place that carry the labels."""
        found = [self._by_label.get((place, key, value), set[int]()) for key, value in required]
        return set.intersection(*sorted(found, key=len)) if found else self._in.get(place, ())


def _plain(labels: Json) -> dict[str, str]:
    return {key: plain for key, value in mapping(labels).items() if (plain := word(value)) is not None}


@dataclass(slots=True, kw_only=True, eq=False)
class Group:
    """Policies that select the same pods."""

    policies: list[Policy]
    sure: tuple[int, ...]
    """Numbers of the shapes that they select."""
    unsure: tuple[int, ...]
    """Those of shapes of which nobody can tell."""

    @property
    def every(self) -> tuple[int, ...]:
        """Both."""
        return self.sure + self.unsure


@dataclass(slots=True, kw_only=True, eq=False)
class Selections:
    """Who selects whom in a scope."""

    pods: Pods
    groups: list[Group] = field(default_factory=list)
    of_resource: dict[int, list[tuple[Policy, Group]]] = field(default_factory=dict)
    """By ``id`` of the resource."""
    of_shape: dict[int, list[int]] = field(default_factory=dict)
    """Numbers of groups by number of the shape, ``~number`` of those that may select it."""

    @classmethod
    def of(cls, neighbours: Neighbours) -> Selections:
        """Of all policies and all pods."""
        found = list(policies(neighbours))
        selections = cls(pods=Pods.of(neighbours, frozenset().union(*map(_asked, found))))
        known: dict[tuple[str, ...], Group] = {}
        for policy in found:
            key = (policy.family, *policy.key)
            group = known.get(key)
            if group is None:
                group = known[key] = _select(policy, selections.pods)
                selections._enter(group)
            group.policies.append(policy)
            selections.of_resource.setdefault(id(policy.resource), []).append((policy, group))
        return selections

    def _enter(self, group: Group) -> None:
        number = len(self.groups)
        self.groups.append(group)
        for shape in group.sure:
            self.of_shape.setdefault(shape, []).append(number)
        for shape in group.unsure:
            self.of_shape.setdefault(shape, []).append(~number)


def _asked(policy: Policy) -> frozenset[str]:
    """The labels of pods that the policy asks for, those of its peers included."""
    peers = (peer for rule in policy.rules for peer in rule.peers if peer.reach is Reach.OWN_PODS)
    return policy.pods.keys.union(*(peer.pods.keys for peer in peers))


def _select(policy: Policy, pods: Pods) -> Group:
    """The pods that a policy selects, or may select."""
    sure: list[int] = []
    unsure: list[int] = []
    places = (ANYWHERE,) if policy.namespaces is not None else places_for(policy.resource.ref.namespace)
    required = _shown(policy.pods.required)
    for number in sorted(number for place in places for number in pods.candidates(place, required)):
        truth = _selects(policy, pods.shapes[number]) if policy.is_for_pods else False
        if truth is not False:
            (sure if truth else unsure).append(number)
    return Group(policies=[], sure=tuple(sure), unsure=tuple(unsure))


SPECIAL = (cilium.NAMESPACE, cilium.ACCOUNT, cilium.CLUSTER, calico.NAMESPACE, calico.ACCOUNT, calico.ORCHESTRATOR)
SPECIAL_PREFIXES = (cilium.NAMESPACE_LABELS, calico.NAMESPACE_LABELS, calico.ACCOUNT_LABELS)


def _shown(required: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Labels that stand in templates: not those that Cilium and Calico add."""
    return [(key, value) for key, value in required if key not in SPECIAL and not key.startswith(SPECIAL_PREFIXES)]


def _selects(policy: Policy, shape: Shape) -> Truth:
    truths = [policy.pods.holds(shape.lookup(policy.family))]
    if policy.namespaces is not None:
        truths.append(policy.namespaces.holds(shape.of_namespace))
    if not policy.accounts.is_all:
        truths.append(policy.accounts.holds(shape.of_account))
    return every(truths)


def policies(neighbours: Neighbours) -> Iterator[Policy]:
    """Those of all kinds, by kind, in the order of the scope."""
    for kind in KINDS:
        for resource in neighbours.of_kind(kind):
            yield from _policies(resource, neighbours)


def _policies(resource: Resource, neighbours: Neighbours) -> Iterator[Policy]:
    """Those of one object; none where the kind is another one of the same name."""
    group, kind = resource.ref.group, resource.ref.kind
    if group in KUBERNETES_GROUPS and kind == "NetworkPolicy":
        return kubernetes_policies(resource)
    if group in GROUPS and kind in {"NetworkPolicy", GLOBAL}:
        return calico_policies(resource, neighbours)
    if group == CILIUM_GROUP and kind in CILIUM_KINDS:
        return cilium_policies(resource)
    if group == GROUP and kind in ADMIN_KINDS:
        return admin_policies(resource)
    return iter(())


CILIUM_KINDS = ("CiliumNetworkPolicy", CLUSTERWIDE)
KINDS = ("NetworkPolicy", *CILIUM_KINDS, GLOBAL, *ADMIN_KINDS)
POLICIES = (
    *(f"{group}/NetworkPolicy" for group in (*KUBERNETES_GROUPS, *GROUPS)),
    *(f"{group}/{GLOBAL}" for group in GROUPS),
    *(f"{CILIUM_GROUP}/{kind}" for kind in CILIUM_KINDS),
    *(f"{GROUP}/{kind}" for kind in ADMIN_KINDS),
)
"""As checks name them."""
