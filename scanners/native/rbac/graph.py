"""Who holds which role: from workload to account to binding to role to rule, and from there to all of the cluster.

Only what is bound in all namespaces, or in kube-system, leads to the cluster; what a role allows elsewhere is told
where it is written. An account that no binding of the scope names has no rights that we know of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from model.resource import Resource
from model.values import Json, text
from scanners.native.engine import Neighbours, Step
from scanners.native.rbac.bindings import ACCOUNT, CLUSTER_BINDING, Subject, groups_of, role_of, subjects_of
from scanners.native.rbac.powers import WAYS, Way, administers, needs_met
from scanners.native.rbac.roles import Right, Roles, called
from scanners.native.rbac.rules import GROUP
from scanners.native.selection import places_for, places_of

KUBE_SYSTEM = "kube-system"
BINDINGS = ("RoleBinding", CLUSTER_BINDING)
DEFAULT = "default"
EVERYTHING = Way(0, "may do everything in the cluster", ())


class Grant(NamedTuple):
    """A right on its way to somebody."""

    binding: Resource
    subject: Subject
    right: Right

    def __str__(self) -> str:
        """``ServiceAccount shop/web → ClusterRoleBinding web → ClusterRole web → rule 1: * [*]``."""
        return " → ".join(
            (str(self.subject), called(self.binding), *_by_way_of(self.binding, self.right), str(self.right))
        )


class Reach(NamedTuple):
    """What somebody holds of what leads to the cluster."""

    administers: Grant | None
    everywhere: Mapping[str, Grant]
    """The first grant by name of a need."""
    in_kube_system: Mapping[str, Grant]
    is_complete: bool
    """The role of every binding is known."""


NOWHERE = Reach(None, {}, {}, is_complete=True)


@dataclass(slots=True, kw_only=True, eq=False)
class Graph:
    """The bindings of a scope by role and by subject, and the workloads by account."""

    roles: Roles
    has_bindings: bool = False
    _of_role: dict[Resource, list[Resource]] = field(default_factory=dict)
    _powerful: dict[Subject, list[tuple[Resource, Subject]]] = field(default_factory=dict)
    """Bindings that may lead to the cluster, by subject; of an account in each of its places."""
    _workloads: dict[tuple[str, str], Resource] = field(default_factory=dict)
    """The first one by place and account."""
    _reach: dict[Subject, Reach] = field(default_factory=dict)
    _leads: dict[Resource, str] = field(default_factory=dict)

    @classmethod
    def of(cls, neighbours: Neighbours) -> Graph:
        """Of all objects of a scope."""
        graph = cls(roles=neighbours.derived(Roles.of))
        for kind in BINDINGS:
            for binding in neighbours.of_kind(kind):
                if binding.ref.group == GROUP:
                    graph._add(binding)
        if graph.has_bindings:
            graph._find_workloads(neighbours)
        return graph

    def _add(self, binding: Resource) -> None:
        self.has_bindings = True
        for role in self.roles.named(binding):
            self._of_role.setdefault(role, []).append(binding)
        if binding.ref.kind == CLUSTER_BINDING or binding.ref.namespace == KUBE_SYSTEM:
            for _, subject in subjects_of(binding):
                for key in _keys(subject.key):
                    self._powerful.setdefault(key, []).append((binding, subject))

    def _find_workloads(self, neighbours: Neighbours) -> None:
        for resource in neighbours:
            for pod in resource.pods:
                for place in places_of(resource.ref.namespace):
                    self._workloads.setdefault((place, account_of(pod.spec)[0]), resource)

    def leads_to(self, role: Resource) -> str:
        """Who holds a role, ``Deployment web → ServiceAccount shop/web → RoleBinding web``; empty where nobody does.

        A workload rather than somebody without one; the first of several.
        """
        known = self._leads.get(role)
        if known is None:
            known = self._leads[role] = self._first_path(role)
        return known

    def _first_path(self, role: Resource) -> str:
        first = ""
        for binding in self._of_role.get(role, ()):
            for _, subject in subjects_of(binding):
                path = self.path(binding, subject)
                if self._workload_of(subject) is not None:
                    return path
                first = first or path
        return first

    def path(self, binding: Resource, subject: Subject) -> str:
        """From the workload, if there is one, by way of its account to a binding."""
        workload = self._workload_of(subject)
        return " → ".join((*([called(workload)] if workload else ()), str(subject), called(binding)))

    def _workload_of(self, subject: Subject) -> Resource | None:
        account = subject.key
        places = places_for(account.namespace) if account.kind == ACCOUNT else ()
        keys = [(place, account.name) for place in places]
        return next((self._workloads[key] for key in keys if key in self._workloads), None)

    def way(self, namespace: str, account: str) -> tuple[Way, Grant] | None:
        """The shortest way of an account to all of the cluster, and the grant that it begins with."""
        reaches = [self._reach_of(key) for key in self._who_is(namespace, account)]
        for reach in reaches:
            if reach.administers is not None:
                return EVERYTHING, reach.administers
        for way in WAYS:
            for in_kube_system in (False, True) if way.in_kube_system else (False,):
                found = [_first(reaches, need.name, in_kube_system=in_kube_system) for need in way.needs]
                if found[0] is not None and None not in found:
                    return way, found[0]
        return None

    def knows(self, namespace: str, account: str) -> bool:
        """Whether the roles of all bindings that may lead to the cluster are there."""
        return all(self._reach_of(key).is_complete for key in self._who_is(namespace, account))

    def _who_is(self, namespace: str, account: str) -> tuple[Subject, ...]:
        return (*(Subject(ACCOUNT, place, account) for place in places_for(namespace)), *groups_of(namespace))

    def _reach_of(self, subject: Subject) -> Reach:
        known = self._reach.get(subject)
        if known is None:
            bindings = self._powerful.get(subject)
            known = self._reach[subject] = self._look_up(bindings) if bindings else NOWHERE
        return known

    def _look_up(self, bindings: Sequence[tuple[Resource, Subject]]) -> Reach:
        master: Grant | None = None
        everywhere: dict[str, Grant] = {}
        in_kube_system: dict[str, Grant] = {}
        is_complete = True
        for binding, subject in bindings:
            rights = self.roles.bound(binding)
            is_complete &= rights is not None and rights.is_complete
            every = rights.every if rights else ()
            is_for_all = binding.ref.kind == CLUSTER_BINDING
            first = administers(right.rule for right in every) if is_for_all and master is None else None
            master = master if first is None else Grant(binding, subject, every[first])
            for right in every:
                for need in needs_met(right.rule):
                    (everywhere if is_for_all else in_kube_system).setdefault(need, Grant(binding, subject, right))
        return Reach(master, everywhere, in_kube_system, is_complete)


def account_of(spec: Mapping[str, Json]) -> tuple[str, Step]:
    """The account of a pod, and the field that names it or should."""
    for name in ("serviceAccountName", "serviceAccount"):
        if text(spec.get(name)):
            return text(spec[name]), name
    return DEFAULT, "serviceAccountName"


def _first(reaches: Sequence[Reach], need: str, *, in_kube_system: bool) -> Grant | None:
    for reach in reaches:
        found = reach.everywhere.get(need) or (reach.in_kube_system.get(need) if in_kube_system else None)
        if found is not None:
            return found
    return None


def _keys(subject: Subject) -> Iterator[Subject]:
    if subject.kind != ACCOUNT:
        yield subject
        return
    for place in places_of(subject.namespace):
        yield subject._replace(namespace=place)


def _by_way_of(binding: Resource, right: Right) -> tuple[str, ...]:
    """The role that the binding names, where another one holds the rule."""
    kind, name = role_of(binding)
    named = f"{kind} {name[:80]}"
    return () if named == right.written_in else (named,)
