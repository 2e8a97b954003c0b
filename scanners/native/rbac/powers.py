"""What a right is worth: which verbs on which resources mean which power, and which of them lead to all of the cluster.

A verb that Kubernetes knows counts on every resource, served there or not: RBAC allows it to whoever asks. A rule for
objects of certain names is what people write to allow little, so it counts only where a name does not make it harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from scanners.native.rbac.rules import ALL, GROUP, Rule

POD_EXEC: Final = "rbac-pod-exec"
SECRETS: Final = "rbac-secrets-access"
CREATE_PODS: Final = "rbac-create-pods"
ESCALATION: Final = "rbac-escalation"

READ = frozenset({"get", "list", "watch"})
ODD = frozenset({"impersonate"})
"""Means something for users, groups and accounts only; it stands elsewhere where somebody wanted to allow all."""
WRITE = frozenset({"create", "update", "patch"})
DELETE = frozenset({"delete", "deletecollection"})
OPEN = frozenset({"create", "get"})
"""A connection is opened by either, whatever protocol it then speaks."""

PODS = ("", "pods")
TEMPLATES = (
    ("", "replicationcontrollers"),
    ("apps", "daemonsets"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("apps.openshift.io", "deploymentconfigs"),
    ("batch", "cronjobs"),
    ("batch", "jobs"),
)
"""Whoever creates one of these creates pods."""
ROLES = ((GROUP, "clusterroles"), (GROUP, "roles"))
BINDINGS = ((GROUP, "clusterrolebindings"), (GROUP, "rolebindings"))
ADMISSION = "admissionregistration.k8s.io"
OF_THE_CLUSTER = frozenset(
    {
        "certificatesigningrequests/approval",
        "clusterrolebindings",
        "clusterroles",
        "groups",
        "mutatingwebhookconfigurations",
        "namespaces",
        "nodes",
        "nodes/proxy",
        "persistentvolumes",
        "signers",
        "users",
        "validatingwebhookconfigurations",
    }
)
"""What lies in no namespace, so that a Role of one gives no right to it."""
SYSTEM_CONFIGMAPS = frozenset(
    {"coredns", "kube-dns", "kube-proxy", "kubeadm-config", "kubelet-config", "node-local-dns"}
)
AWS_AUTH = "aws-auth"
ADMINISTRATORS = frozenset({"admin", "cluster-admin"})

NameTest = Callable[[str], bool]
Kind = tuple[str, str]
"""API group and resource."""


def _no_name(_: str) -> bool:
    return False


def _every_name(_: str) -> bool:
    return True


def _is_system(name: str) -> bool:
    return name.startswith("system:") or name in ADMINISTRATORS


class Power(NamedTuple):
    """Something that a rule allows, and the control that is about it."""

    control: str
    name: str
    """Tells the powers of one control apart, in fingerprints too."""
    verbs: frozenset[str]
    kinds: tuple[Kind, ...]
    named: NameTest = _no_name
    """Of a rule for objects of certain names: whether one of them still makes it this power."""
    unnamed: bool = True
    """Whether a rule for all objects is this power."""
    by_verb: bool = False
    """It is the verb rather than the resource that makes it one: where people should look."""


POWERS: tuple[Power, ...] = (
    Power(SECRETS, "get", frozenset({"get"}), (("", "secrets"),)),
    Power(SECRETS, "list", frozenset({"list", "watch"}), (("", "secrets"),)),
    Power(SECRETS, "write", WRITE | ODD, (("", "secrets"),)),
    Power(SECRETS, "delete", DELETE, (("", "secrets"),)),
    Power(POD_EXEC, "exec", OPEN, (("", "pods/exec"),), _every_name),
    Power(POD_EXEC, "attach", OPEN, (("", "pods/attach"),), _every_name),
    Power(POD_EXEC, "debug", WRITE, (("", "pods/ephemeralcontainers"),), _every_name),
    Power(CREATE_PODS, "pods", WRITE | ODD, (PODS,)),
    Power(CREATE_PODS, "workloads", WRITE | ODD, TEMPLATES),
    Power(CREATE_PODS, "delete-pods", DELETE, (PODS,)),
    Power(CREATE_PODS, "delete-workloads", DELETE, TEMPLATES),
    Power(ESCALATION, "escalate", frozenset({"escalate"}), (*ROLES, *BINDINGS), _every_name, by_verb=True),
    Power(ESCALATION, "bind", frozenset({"bind"}), (*ROLES, *BINDINGS), ADMINISTRATORS.__contains__, by_verb=True),
    Power(ESCALATION, "bindings", WRITE | ODD, BINDINGS),
    Power("rbac-impersonation", "users", ODD, (("", "users"),), _is_system, by_verb=True),
    Power("rbac-impersonation", "groups", ODD, (("", "groups"),), _is_system, by_verb=True),
    Power("rbac-impersonation", "accounts", ODD, (("", "serviceaccounts"),), by_verb=True),
    Power("rbac-token-creation", "tokens", frozenset({"create"}), (("", "serviceaccounts/token"),)),
    Power("rbac-node-proxy", "proxy", OPEN, (("", "nodes/proxy"),), _every_name),
    Power(
        "rbac-csr-approval",
        "approval",
        frozenset({"patch", "update"}),
        (("certificates.k8s.io", "certificatesigningrequests/approval"),),
    ),
    Power(
        "rbac-csr-approval",
        "signers",
        frozenset({"approve", "sign"}),
        (("certificates.k8s.io", "signers"),),
        lambda name: name.startswith("kubernetes.io/"),
        by_verb=True,
    ),
    Power("rbac-webhooks", "mutating", WRITE | DELETE | ODD, ((ADMISSION, "mutatingwebhookconfigurations"),)),
    Power("rbac-webhooks", "validating", WRITE | DELETE | ODD, ((ADMISSION, "validatingwebhookconfigurations"),)),
    Power("rbac-persistent-volumes", "create", frozenset({"create"}), (("", "persistentvolumes"),)),
    Power("rbac-configmaps", "write", WRITE | ODD, (("", "configmaps"),), SYSTEM_CONFIGMAPS.__contains__),
    Power("rbac-configmaps", "delete", DELETE, (("", "configmaps"),), SYSTEM_CONFIGMAPS.__contains__),
    Power("rbac-aws-auth", AWS_AUTH, WRITE | DELETE | ODD, (("", "configmaps"),), AWS_AUTH.__eq__, unnamed=False),
    Power("rbac-networking", "services", WRITE | DELETE | ODD, (("", "services"),)),
    Power("rbac-networking", "status", WRITE, (("", "services/status"),)),
    Power(
        "rbac-networking",
        "endpoints",
        WRITE | DELETE | ODD,
        (("", "endpoints"), ("discovery.k8s.io", "endpointslices")),
    ),
    Power("rbac-networking", "ingresses", WRITE | DELETE | ODD, (("networking.k8s.io", "ingresses"),)),
    Power("rbac-networking", "policies", WRITE | DELETE | ODD, (("networking.k8s.io", "networkpolicies"),)),
    Power("rbac-delete-logs", "logs", DELETE, (("", "pods/log"),)),
    Power("rbac-delete-logs", "events", DELETE, (("", "events"), ("events.k8s.io", "events"))),
    Power("rbac-delete-resources", "workloads", DELETE, (PODS, *TEMPLATES)),
    Power("rbac-delete-resources", "volumes", DELETE, (("", "persistentvolumeclaims"), ("", "persistentvolumes"))),
    Power(
        "rbac-delete-resources",
        "objects",
        DELETE,
        (("", "configmaps"), ("", "namespaces"), ("", "nodes"), ("", "secrets"), ("", "services")),
    ),
    Power("rbac-port-forward", "port-forward", OPEN, (("", "pods/portforward"),)),
)
"""Sorted by what they are about; the order is that of findings."""
CONTROLS: tuple[str, ...] = tuple(dict.fromkeys(power.control for power in POWERS))


class Held(NamedTuple):
    """A power as one rule gives it."""

    power: Power
    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    """What of the power's resources it covers, spelt as Kubernetes does."""

    @property
    def says(self) -> str:
        """``get, list secrets``."""
        verbs = "do anything with" if self.verbs == (ALL,) else ", ".join(self.verbs)
        return f"{verbs} {', '.join(self.resources)}"

    def in_a_namespace(self, rule: Rule) -> Held | None:
        """What is left of it in a Role: a wildcard covers nothing of the cluster; spelt out, somebody means it."""
        if OF_THE_CLUSTER.isdisjoint(self.resources):
            return self
        left = tuple([each for each in self.resources if each not in OF_THE_CLUSTER or each in rule.resources])
        return self._replace(resources=left) if left else None


@lru_cache(maxsize=4096)
def powers_of(rule: Rule) -> tuple[Held, ...]:
    """All powers that a rule gives, in the order of ``POWERS``; equal rules are looked at once."""
    return tuple(held for power in POWERS if (held := holds(rule, power)) is not None)


def holds(rule: Rule, power: Power) -> Held | None:
    """What of a power a rule gives; None where it gives nothing of it."""
    if not (any(map(power.named, rule.names)) if rule.names else power.unnamed):
        return None
    verbs = rule.verbs_among(power.verbs)
    resources = tuple([resource for group, resource in power.kinds if rule.covers(group, resource)]) if verbs else ()
    return Held(power, verbs, tuple(dict.fromkeys(resources))) if resources else None


EVERY_VERB = frozenset({"create", "delete", "get", "list", "patch", "update", "watch"})
"""``deletecollection`` adds nothing that ``list`` and ``delete`` do not give."""


def administers(rules: Iterable[Rule]) -> int | None:
    """The first rule that makes rules all-powerful together: every verb on every resource; None where they are not."""
    verbs: set[str] = set()
    first: int | None = None
    for number, rule in enumerate(rules):
        if ALL in rule.groups and ALL in rule.resources and not rule.names:
            verbs.update(EVERY_VERB if ALL in rule.verbs else rule.verbs)
            first = number if first is None else first
        if verbs >= EVERY_VERB:
            return first
    return None


class Way(NamedTuple):
    """How rights become all rights."""

    steps: int
    """What it takes until every request is allowed."""
    how: str
    needs: tuple[Power, ...]
    """All of them; the first is what people should take away."""
    in_kube_system: bool = False
    """The namespace of the most powerful accounts is enough."""


def _need(name: str, verbs: Iterable[str], *kinds: Kind) -> Power:
    return Power("", name, frozenset(verbs), kinds, _no_name)


CLUSTER_ROLES, CLUSTER_BINDINGS = (GROUP, "clusterroles"), (GROUP, "clusterrolebindings")
CHANGES_ROLES = _need("change-roles", {"patch", "update"}, CLUSTER_ROLES)
CHANGES_BINDINGS = _need("change-bindings", WRITE, CLUSTER_BINDINGS)
READS_SECRETS = _need("read-secrets", READ, ("", "secrets"))
IN_KUBE_SYSTEM = "an account of kube-system that may change every role"
WAYS: tuple[Way, ...] = (
    Way(1, "adds every right to a role of its own", (_need("escalate", {"escalate"}, CLUSTER_ROLES), CHANGES_ROLES)),
    Way(1, "binds itself to cluster-admin", (_need("bind", {"bind"}, CLUSTER_ROLES), CHANGES_BINDINGS)),
    Way(1, "acts as system:masters", (_need("groups", ODD, ("", "groups")), _need("users", ODD, ("", "users")))),
    Way(2, f"acts as {IN_KUBE_SYSTEM}", (_need("users", ODD, ("", "users")),)),
    Way(2, f"acts as {IN_KUBE_SYSTEM}", (_need("accounts", ODD, ("", "serviceaccounts")),), in_kube_system=True),
    Way(
        2,
        f"makes a token of {IN_KUBE_SYSTEM}",
        (_need("tokens", {"create"}, ("", "serviceaccounts/token")),),
        in_kube_system=True,
    ),
    Way(2, f"runs a pod under {IN_KUBE_SYSTEM}", (_need("pods", WRITE, PODS, *TEMPLATES),), in_kube_system=True),
    Way(
        2,
        f"makes a Secret for the token of {IN_KUBE_SYSTEM}, and reads it",
        (_need("make-secrets", {"create"}, ("", "secrets")), READS_SECRETS),
        in_kube_system=True,
    ),
    Way(2, "runs commands in any pod, by way of the kubelet", (_need("proxy", OPEN, ("", "nodes/proxy")),)),
    Way(
        2,
        "changes every object on its way in, by a webhook",
        (_need("webhooks", WRITE, (ADMISSION, "mutatingwebhookconfigurations")),),
    ),
)
"""Kubernetes' good practices for RBAC, "privilege escalation risks", the shortest first; none needs luck."""
NEEDS: Mapping[str, Power] = {power.name: power for way in WAYS for power in way.needs}


@lru_cache(maxsize=4096)
def needs_met(rule: Rule) -> tuple[str, ...]:
    """Names in ``NEEDS`` of what a rule gives."""
    return tuple(name for name, power in NEEDS.items() if holds(rule, power) is not None)
