"""The rules of every role of a scope, those that aggregation and Kubernetes itself add to it included."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from model.resource import Resource
from model.selectors import selects
from model.values import FieldPath, Json, dig, mapping, sequence, text
from scanners.native.engine import Neighbours
from scanners.native.rbac.bindings import CLUSTER_BINDING, role_of
from scanners.native.rbac.builtin import BUILT_IN, BuiltIn
from scanners.native.rbac.rules import GROUP, Rule, rules_of
from scanners.native.selection import places_for, places_of

ROLE, CLUSTER_ROLE = "Role", "ClusterRole"
ADMINISTRATOR = "cluster-admin"
MOST_PARTS = 200
"""Roles that one role is put together from; of one with more nobody knows."""


class Right(NamedTuple):
    """A rule of a role, and where it is written."""

    rule: Rule
    number: int
    """1-based, in the role that holds it."""
    written_in: str
    """``ClusterRole web``: that role."""
    path: FieldPath
    """In the object itself: of the rule, or of the selector that gathers it; empty where the object has neither."""

    def __str__(self) -> str:
        """``ClusterRole web → rule 2: secrets [get]``."""
        return f"{self.written_in} → rule {self.number}: {self.rule}"


class Rights(NamedTuple):
    """All rules of a role."""

    every: tuple[Right, ...] = ()
    is_complete: bool = True
    """Nothing is likely to be missing."""


Node = Resource | str
"""A role of the scope, or the name of a built-in one."""


@dataclass(slots=True, kw_only=True, eq=False)
class Roles:
    """The roles of a scope by name, and what they allow."""

    _cluster: dict[str, list[Resource]] = field(default_factory=dict)
    _local: dict[tuple[str, str], list[Resource]] = field(default_factory=dict)
    """By place and name."""
    _labelled: dict[tuple[str, str], list[Resource]] = field(default_factory=dict)
    """Cluster roles by label."""
    _known: dict[Resource, Rights] = field(default_factory=dict)
    _parts: dict[Node, Sequence[Sequence[Node]]] = field(default_factory=dict)
    """What each selector of a role chooses."""
    _by_selector: dict[str, Sequence[Node]] = field(default_factory=dict)

    @classmethod
    def of(cls, neighbours: Neighbours) -> Roles:
        """Of all objects of a scope."""
        roles = cls()
        for resource in neighbours.of_kind(CLUSTER_ROLE):
            if resource.ref.group == GROUP:
                roles._cluster.setdefault(resource.ref.name, []).append(resource)
                for label, value in _labels(resource).items():
                    roles._labelled.setdefault((label, text(value)), []).append(resource)
        for resource in neighbours.of_kind(ROLE):
            if resource.ref.group == GROUP:
                for place in places_of(resource.ref.namespace):
                    roles._local.setdefault((place, resource.ref.name), []).append(resource)
        return roles

    def rights(self, role: Resource) -> Rights:
        """Of a role of the scope: its own rules, or those of what it gathers, which replace them."""
        known = self._known.get(role)
        if known is None:
            gathers = mapping(role.value.get("aggregationRule"))
            known = self._put_together(role) if gathers else Rights(tuple(_written(role, ())))
            self._known[role] = known
        return known

    def named(self, binding: Resource) -> Sequence[Resource]:
        """The roles of the scope that a binding may mean."""
        kind, name = role_of(binding)
        if kind == CLUSTER_ROLE:
            return self._cluster.get(name, ())
        if kind == ROLE and binding.ref.kind != CLUSTER_BINDING:
            places = places_for(binding.ref.namespace)
            return [role for place in places for role in self._local.get((place, name), ())]
        return ()

    def bound(self, binding: Resource) -> Rights | None:
        """What a binding gives; None where the scope does not hold its role and Kubernetes has none of that name.

        A Role called ``cluster-admin`` that is not there is taken for the cluster role of that name.
        """
        kind, name = role_of(binding)
        roles = self.named(binding)
        rights = [self.rights(role) for role in roles]
        if (kind == CLUSTER_ROLE and name in BUILT_IN) or (kind == ROLE and name == ADMINISTRATOR and not roles):
            rights.append(self._put_together(name))
        if not rights:
            return None
        every = tuple([right for each in rights for right in each.every])
        return Rights(every, all(each.is_complete for each in rights))

    def _put_together(self, role: Node) -> Rights:
        """Follow what is gathered from what is gathered; a circle adds nothing."""
        found: list[Right] = []
        seen: set[Node] = {role}
        todo: list[tuple[Node, FieldPath]] = [(role, ())]
        for node, path in todo:
            found += _written(node, path)
            for number, part in self._parts_of(node):
                if part not in seen:
                    seen.add(part)
                    todo.append((part, path or ("aggregationRule", "clusterRoleSelectors", number)))
                if len(todo) > MOST_PARTS:
                    return Rights(tuple(found), is_complete=False)
        gathers_nothing = len(todo) == 1 and bool(_selectors(role))
        return Rights(tuple(found), is_complete=not gathers_nothing)

    def _parts_of(self, role: Node) -> Iterator[tuple[int, Node]]:
        """What a role gathers, each with the position of the selector."""
        chosen = self._parts.get(role)
        if chosen is None:
            chosen = self._parts[role] = list(map(self._chosen, _selectors(role)))
        return ((number, part) for number, parts in enumerate(chosen) for part in parts)

    def _chosen(self, selector: Json) -> Sequence[Node]:
        """The cluster roles that have the labels; equal selectors are asked once."""
        key = json.dumps(selector, sort_keys=True)
        known = self._by_selector.get(key)
        if known is None:
            known = self._by_selector[key] = list(self._selected(selector))
        return known

    def _selected(self, selector: Json) -> Iterator[Node]:
        yield from (
            name for name, built_in in BUILT_IN.items() if built_in.labels and selects(selector, built_in.labels)
        )
        plain = mapping(mapping(selector).get("matchLabels"))
        shelves = [self._labelled.get((label, text(value)), []) for label, value in plain.items()]
        everybody = (role for roles in self._cluster.values() for role in roles)
        candidates = min(shelves, key=len) if shelves else everybody
        yield from (role for role in candidates if selects(selector, _labels(role)))


def called(role: Node) -> str:
    """``ClusterRole web``, cut where it is long."""
    return f"{role.ref.kind} {role.ref.name[:80]}" if isinstance(role, Resource) else f"{CLUSTER_ROLE} {role}"


def _selectors(role: Node) -> Sequence[Json]:
    if isinstance(role, Resource):
        value = dict(role.value) if role.ref.kind == CLUSTER_ROLE else {}
        return sequence(dig(value, "aggregationRule", "clusterRoleSelectors"))
    gathers = BUILT_IN[role].gathers
    return [{"matchLabels": {gathers: "true"}}] if gathers else []


def _written(role: Node, path: FieldPath) -> Iterator[Right]:
    """Its own rules; the controller of Kubernetes throws away those of a role that gathers others."""
    if isinstance(role, Resource) and mapping(role.value.get("aggregationRule")):
        return
    rules = rules_of(role.value.get("rules")) if isinstance(role, Resource) else _built_in(role).rules
    for position, rule in enumerate(rules):
        own = ("rules", position) if isinstance(role, Resource) else ()
        yield Right(rule, position + 1, called(role), path or own)


def _built_in(name: str) -> BuiltIn:
    return BUILT_IN[name]


def _labels(role: Resource) -> Mapping[str, Json]:
    return mapping(dig(dict(role.value), "metadata", "labels"))
