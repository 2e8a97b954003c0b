"""The verdicts on roles, bindings and workloads: each names the path by which somebody holds the right.

A role is judged by what it allows, a binding by what it gives to each of its subjects, a workload by where its account
leads. A binding whose role the scope does not hold, and Kubernetes neither, has no verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from model.resource import Resource, ResourceRef
from model.values import FieldPath, Json, dig, mapping, sequence
from scanners.native.engine import Flaw, Flaws, Neighbours, Verdicts, object_check, survey
from scanners.native.rbac.bindings import AUTHENTICATED, USERS, Subject, role_of, subjects_of
from scanners.native.rbac.builtin import FOR_EVERYBODY, FOR_STRANGERS
from scanners.native.rbac.graph import BINDINGS, Graph, account_of
from scanners.native.rbac.powers import CONTROLS, CREATE_PODS, POD_EXEC, SECRETS, Held, Way, administers, powers_of
from scanners.native.rbac.roles import CLUSTER_ROLE, ROLE, Right, Rights, called
from scanners.native.rbac.rules import ALL, GROUP, Rule

WILDCARD: Final = "rbac-wildcard"
ADMINISTRATION: Final = "cluster-admin-binding"
OF_BINDINGS = (POD_EXEC, SECRETS, CREATE_PODS)
"""What is told of the binding too, since another one of the same role may be harmless."""
KINDS = tuple(f"{GROUP}/{kind}" for kind in (ROLE, CLUSTER_ROLE, *BINDINGS))
KINDS_OF_BINDINGS = tuple(f"{GROUP}/{kind}" for kind in BINDINGS)
NO_FLAWS: Verdicts = dict.fromkeys((WILDCARD, *CONTROLS), ())
WILD = frozenset({ALL, "/*"})
UNKNOWN = ("system:anonymous", "system:unauthenticated")
MASTERS = "system:masters"


@survey(WILDCARD, *CONTROLS, kinds=KINDS)
def rights(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """What a role allows, and some of what a binding gives."""
    graph = neighbours.derived(Graph.of)
    if resource.ref.kind in BINDINGS:
        return _of_binding(resource, graph)
    found = graph.roles.rights(resource)
    flaws: dict[str, list[Flaw]] = {}
    for control, flaw in (*_wildcards(found), *_of_role(resource, found, graph)):
        flaws.setdefault(control, []).append(flaw)
    return {**NO_FLAWS, **flaws} if found.is_complete else flaws


def _of_role(role: Resource, found: Rights, graph: Graph) -> Iterator[tuple[str, Flaw]]:
    """One flaw for each power, however many rules give it: how it is split into rules changes nothing."""
    told: set[tuple[str, str]] = set()
    leads = graph.leads_to(role) if found.every else ""
    for right in found.every:
        powers = powers_of(right.rule)
        path = _path(leads, role, right) if powers else ""
        for held in powers:
            power = held.power
            here = held.in_a_namespace(right.rule) if role.ref.kind == ROLE else held
            if here is not None and (power.control, power.name) not in told:
                told.add((power.control, power.name))
                yield power.control, Flaw(_place(right, here), f"may {here.says}: {path}", (power.name,))


def _path(leads: str, role: Resource, right: Right) -> str:
    own = called(role)
    way = (leads, *([] if right.written_in == own else [own]), str(right))
    return " → ".join(step for step in way if step)


def _place(right: Right, held: Held) -> FieldPath:
    """The verb or the resource in the rule, which most people write on a line of its own."""
    if right.path[0] != "rules":
        return right.path
    if held.power.by_verb:
        return (*right.path, "verbs", right.rule.verbs.index(held.verbs[0]))
    return (*right.path, "resources", right.rule.place_of(held.resources[0]) or 0)


def _wildcards(found: Rights) -> Iterator[tuple[str, Flaw]]:
    """One flaw for each list of a rule; what a role gathers is told of the roles that hold it."""
    told: set[str] = set()
    for right in found.every:
        for field, position in _wild(right.rule):
            if field not in told and right.path[0] == "rules":
                told.add(field)
                message = f"has a wildcard among its {field}: rule {right.number}: {right.rule}"
                yield WILDCARD, Flaw((*right.path, field, position), message, (field,))


@lru_cache(maxsize=4096)
def _wild(rule: Rule) -> tuple[tuple[str, int], ...]:
    """Lists of a rule with a wildcard, and where it stands."""
    lists = (
        ("verbs", rule.verbs),
        ("resources", rule.resources),
        ("apiGroups", rule.groups),
        ("nonResourceURLs", rule.urls),
    )
    places = [
        (field, next((number for number, each in enumerate(values) if each in WILD), -1)) for field, values in lists
    ]
    return tuple([place for place in places if place[1] >= 0])


def _of_binding(binding: Resource, graph: Graph) -> Verdicts:
    bound = graph.roles.bound(binding)
    if bound is None:
        return {}
    verdicts: dict[str, list[Flaw]] = {control: [] for control in OF_BINDINGS} if bound.is_complete else {}
    for control, (right, held) in _first_of_each(bound).items():
        verdicts[control] = [
            _gives(binding, subject, graph, right, f"to {held.says}") for _, subject in subjects_of(binding)
        ]
    return verdicts


def _first_of_each(bound: Rights) -> Mapping[str, tuple[Right, Held]]:
    first: dict[str, tuple[Right, Held]] = {}
    for right in bound.every:
        for held in powers_of(right.rule):
            if held.power.control in OF_BINDINGS:
                first.setdefault(held.power.control, (right, held))
    return first


def _gives(binding: Resource, subject: Subject, graph: Graph, right: Right, what: str) -> Flaw:
    kind, name = role_of(binding)
    role = f"{kind} {name[:80]}"
    way = (graph.path(binding, subject), *([] if right.written_in == role else [role]), str(right))
    return Flaw(("roleRef", "name"), f"gives the right {what}: {' → '.join(way)}", subject)


@survey(ADMINISTRATION)
def administration(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """Bindings that hand out every right, in the cluster or a namespace; workloads that can get hold of the cluster."""
    if resource.pods:
        return _of_workload(resource, neighbours)
    if resource.ref.group != GROUP or resource.ref.kind not in BINDINGS:
        return {}
    graph = neighbours.derived(Graph.of)
    bound = graph.roles.bound(resource)
    if bound is None:
        return {}
    first = administers(right.rule for right in bound.every)
    if first is None:
        return {ADMINISTRATION: ()} if bound.is_complete else {}
    right = bound.every[first]
    return {
        ADMINISTRATION: [
            _gives(resource, subject, graph, right, "to do everything") for _, subject in subjects_of(resource)
        ]
    }


def _of_workload(workload: Resource, neighbours: Neighbours) -> Verdicts:
    """Only of a scope with bindings, and of a pod that gets a token: without one nobody can use the account."""
    graph = neighbours.derived(Graph.of)
    if not graph.has_bindings:
        return {}
    flaws: list[Flaw] = []
    for pod in workload.pods:
        account, field = account_of(pod.spec)
        if not _gets_token(pod.spec, workload.ref.namespace, account, neighbours):
            continue
        found = graph.way(workload.ref.namespace, account)
        if found is not None:
            way, grant = found
            message = f"{_says(way)}: {called(workload)} → {grant}"
            flaws.append(Flaw((*pod.path, field), message))
        elif not graph.knows(workload.ref.namespace, account):
            return {}
    return {ADMINISTRATION: flaws}


def _says(way: Way) -> str:
    if not way.steps:
        return way.how
    return f"can become cluster-admin in {way.steps} {'step' if way.steps == 1 else 'steps'} ({way.how})"


def _gets_token(spec: Mapping[str, Json], namespace: str, account: str, neighbours: Neighbours) -> bool:
    """As Kubernetes decides: what the pod says, else its account, else yes; a volume may bring one all the same."""
    mounts = spec.get("automountServiceAccountToken")
    if mounts is None:
        ref = ResourceRef(group="", kind="ServiceAccount", namespace=namespace, name=account)
        accounts = neighbours.named(ref)
        mounts = not (accounts and all(each.value.get("automountServiceAccountToken") is False for each in accounts))
    return mounts is not False or any(map(_projects_token, sequence(spec.get("volumes"))))


def _projects_token(volume: Json) -> bool:
    return any(
        mapping(source).get("serviceAccountToken") is not None
        for source in sequence(dig(volume, "projected", "sources"))
    )


@object_check("anonymous-binding", kinds=KINDS_OF_BINDINGS)
def anonymous_binding(binding: Resource) -> Flaws:
    """Users and groups of those who have not logged in; what Kubernetes shows to everybody anyway is none."""
    if role_of(binding) not in {(CLUSTER_ROLE, name) for name in FOR_STRANGERS}:
        yield from _named(binding, UNKNOWN, "gives rights to whoever reaches the API server, without a log-in")


@object_check("authenticated-binding", kinds=KINDS_OF_BINDINGS)
def authenticated_binding(binding: Resource) -> Flaws:
    """The group of everybody; what Kubernetes itself binds to it is none."""
    if role_of(binding) not in {(CLUSTER_ROLE, name) for name in FOR_EVERYBODY | FOR_STRANGERS}:
        yield from _named(binding, (AUTHENTICATED,), "gives rights to everybody who can log in, every account included")


@object_check("system-masters-binding", kinds=KINDS_OF_BINDINGS)
def system_masters_binding(binding: Resource) -> Flaws:
    """The group; a user of that name is nobody in particular."""
    yield from (
        flaw for flaw in _named(binding, (MASTERS,), "uses the group that no rule can restrict") if USERS in flaw.about
    )


def _named(binding: Resource, names: Sequence[str], message: str) -> Flaws:
    for position, subject in subjects_of(binding):
        if subject.name in names:
            yield Flaw(("subjects", position, "name"), f"{message}: {subject} → {called(binding)}", subject)
