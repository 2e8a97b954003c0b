"""What a binding says: its subjects and its role, read as Kubernetes matches them; it looks nothing up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from model.resource import Resource
from model.values import mapping, sequence, text

ACCOUNT, USER, USERS = "ServiceAccount", "User", "Group"
OF_ACCOUNT = "system:serviceaccount:"
"""How the user is called that an account is, followed by namespace and name."""
OF_ACCOUNTS = "system:serviceaccounts"
"""The group of all accounts; with a colon and a namespace after it, of those of the namespace."""
AUTHENTICATED = "system:authenticated"
CLUSTER_BINDING = "ClusterRoleBinding"


class Subject(NamedTuple):
    """Who gets the rights."""

    kind: str
    namespace: str
    """Of an account: where no field says so, that of the binding."""
    name: str

    def __str__(self) -> str:
        """``ServiceAccount shop/web``, cut where it is long."""
        place = f"{self.namespace[:60]}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name[:80]}"

    @property
    def key(self) -> Subject:
        """The account that a user of that name is, else itself."""
        if self.kind == USER and self.name.startswith(OF_ACCOUNT):
            namespace, _, name = self.name.removeprefix(OF_ACCOUNT).partition(":")
            return Subject(ACCOUNT, namespace, name)
        return self


def subjects_of(binding: Resource) -> Iterator[tuple[int, Subject]]:
    """Position and subject; one of another kind or without a name is nobody."""
    for position, item in enumerate(sequence(binding.value.get("subjects"))):
        fields = mapping(item)
        kind, name = text(fields.get("kind")), text(fields.get("name"))
        if name and kind in {ACCOUNT, USER, USERS}:
            namespace = (text(fields.get("namespace")) or binding.ref.namespace) if kind == ACCOUNT else ""
            yield position, Subject(kind, namespace, name)


def groups_of(namespace: str) -> tuple[Subject, ...]:
    """The groups that every account of a namespace is in."""
    return tuple(Subject(USERS, "", name) for name in (AUTHENTICATED, OF_ACCOUNTS, f"{OF_ACCOUNTS}:{namespace}"))


def role_of(binding: Resource) -> tuple[str, str]:
    """Kind and name of the role, both empty where it names none."""
    role = mapping(binding.value.get("roleRef"))
    kind, name = text(role.get("kind")), text(role.get("name"))
    return (kind, name) if kind and name else ("", "")
