"""What an audit policy would record, asked with the requests that an investigation needs.

Rules are matched as the API server does (``apiserver/pkg/audit/policy``): the first that fits decides. A rule for some
users, namespaces or names alone does not decide about everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from model.values import FieldPath, Json, mapping, sequence, text
from scanners.native.engine import Flaw

COVERAGE, CONTENT = "audit-policy-coverage", "audit-policy-secret-content"
EVERYBODY = "system:authenticated"
LEVELS = ("None", "Metadata", "Request", "RequestResponse")
LAST_STAGE = "ResponseComplete"
"""The one that says how a request ended."""


class Question(NamedTuple):
    """A request, and what people call it."""

    verb: str
    group: str
    resource: str
    """With its subresource."""
    words: str


SENSITIVE = (
    Question("get", "", "secrets", "reading secrets"),
    Question("create", "", "secrets", "writing secrets"),
    Question("update", "", "configmaps", "changes of ConfigMaps"),
    Question("create", "authentication.k8s.io", "tokenreviews", "token reviews"),
    Question("create", "", "serviceaccounts/token", "requests for tokens"),
)
"""Their content must not be in the log either (CIS benchmark, 3.2.2)."""
QUESTIONS = (
    *SENSITIVE,
    Question("create", "", "pods", "new pods"),
    Question("patch", "apps", "deployments", "changes of Deployments"),
    Question("create", "", "pods/exec", "commands in pods"),
    Question("create", "", "pods/portforward", "port forwarding"),
    Question("create", "", "pods/proxy", "the proxy to pods"),
    Question("create", "", "services/proxy", "the proxy to services"),
    Question("create", "rbac.authorization.k8s.io", "clusterrolebindings", "new rights"),
    Question("delete", "networking.k8s.io", "networkpolicies", "removed network policies"),
)


def judge(value: Mapping[str, Json]) -> Mapping[str, Sequence[Flaw]]:
    """What would leave no trace, and what would leave too much of one."""
    rules = [mapping(rule) for rule in sequence(value.get("rules"))]
    stages = sequence(value.get("omitStages"))
    return {COVERAGE: tuple(_gaps(rules, stages)), CONTENT: tuple(_content(rules))}


def _gaps(rules: Sequence[Mapping[str, Json]], stages: Sequence[Json]) -> Iterator[Flaw]:
    if LAST_STAGE in stages:
        yield Flaw(("omitStages", stages.index(LAST_STAGE)), "does not record how requests end")
        return
    lost: dict[FieldPath, list[str]] = {}
    for question in QUESTIONS:
        position = _deciding(rules, question)
        if position is None:
            lost.setdefault(("rules",), []).append(question.words)
        elif rules[position].get("level") not in LEVELS[1:]:
            lost.setdefault(("rules", position, "level"), []).append(question.words)
        elif LAST_STAGE in (omitted := sequence(rules[position].get("omitStages"))):
            place = ("rules", position, "omitStages", omitted.index(LAST_STAGE))
            lost.setdefault(place, []).append(question.words)
    for path, words in lost.items():
        yield Flaw(path, f"does not record {_listed(words)}")


def _content(rules: Sequence[Mapping[str, Json]]) -> Iterator[Flaw]:
    """Reading a secret has a response only; tokens are in requests and in responses."""
    told: dict[int, list[str]] = {}
    for question in SENSITIVE:
        position = _deciding(rules, question)
        if position is not None:
            harmful = LEVELS[3:] if question.verb == "get" else LEVELS[2:]
            if rules[position].get("level") in harmful:
                told.setdefault(position, []).append(question.words)
    for position, words in told.items():
        yield Flaw(("rules", position, "level"), f"writes into the log what is said in {_listed(words)}")


def _deciding(rules: Sequence[Mapping[str, Json]], question: Question) -> int | None:
    return next((position for position, rule in enumerate(rules) if _fits(rule, question)), None)


def _fits(rule: Mapping[str, Json], question: Question) -> bool:
    """Whether a rule is about this request of anybody."""
    users, groups = sequence(rule.get("users")), sequence(rule.get("userGroups"))
    if users or (groups and EVERYBODY not in groups) or sequence(rule.get("namespaces")):
        return False
    verbs = sequence(rule.get("verbs"))
    if verbs and question.verb not in verbs:
        return False
    resources = sequence(rule.get("resources"))
    if not resources:
        return not sequence(rule.get("nonResourceURLs"))
    return any(_names(mapping(each), question) for each in resources)


def _names(entry: Mapping[str, Json], question: Question) -> bool:
    if text(entry.get("group")) != question.group or sequence(entry.get("resourceNames")):
        return False
    names = sequence(entry.get("resources"))
    kind, _, part = question.resource.partition("/")
    ways: Iterable[str] = (question.resource, "*", f"{kind}/*", f"*/{part}") if part else (question.resource, "*")
    return not names or any(way in names for way in ways)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
