"""Rules of roles, and what they allow, exactly as Kubernetes' authorizer reads them; not what that is worth.

Source: ``pkg/apis/rbac/v1/evaluation_helpers.go``. ``*`` among resources covers subresources too, ``*/scale`` the
subresource of every resource, ``pods/*`` nothing that exists. A rule whose groups do not hold that of a resource gives
no right to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from model.values import Json, mapping, sequence

GROUP = "rbac.authorization.k8s.io"
ALL = "*"


class Rule(NamedTuple):
    """One item of ``rules``, each list in its order; what is no text in them stands as one that matches nothing."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: frozenset[str]
    """``resourceNames``; empty: every object."""
    urls: tuple[str, ...] = ()

    def verbs_among(self, wanted: frozenset[str]) -> tuple[str, ...]:
        """Which of these verbs it allows, sorted; ``*`` alone where it allows all."""
        return (ALL,) if ALL in self.verbs else tuple(sorted(wanted.intersection(self.verbs)))

    def covers(self, group: str, resource: str) -> bool:
        """Whether it is about this resource, written ``resource`` or ``resource/subresource``."""
        if group not in self.groups and ALL not in self.groups:
            return False
        return self.place_of(resource) is not None

    def place_of(self, resource: str) -> int | None:
        """The position in ``resources`` of what covers it, spelt out rather than by a wildcard."""
        _, slash, subresource = resource.partition("/")
        spellings = (resource, f"*/{subresource}", ALL) if slash else (resource, ALL)
        return next((self.resources.index(each) for each in spellings if each in self.resources), None)

    def __str__(self) -> str:
        """``pods, secrets [get, list]``, cut where it is long."""
        about = ", ".join(self.resources) or ", ".join(self.urls)
        return f"{about[:80]} [{', '.join(self.verbs)[:80]}]"


def rules_of(value: Json) -> Iterator[Rule]:
    """The rules in a list; an item that is no mapping allows nothing, and is one all the same."""
    for item in sequence(value):
        rule = mapping(item)
        yield Rule(
            groups=_texts(rule.get("apiGroups")),
            resources=_texts(rule.get("resources")),
            verbs=_texts(rule.get("verbs")),
            names=frozenset(_texts(rule.get("resourceNames"))),
            urls=_texts(rule.get("nonResourceURLs")),
        )


def _texts(value: Json) -> tuple[str, ...]:
    """``apiGroups`` may hold an empty text, which is the core group."""
    return tuple([item if isinstance(item, str) else "\0" for item in value]) if isinstance(value, list) else ()
