"""The cluster roles that every cluster has, with the rules that Kubernetes gives them; not those of controllers.

Source: Kubernetes' reference, "Using RBAC Authorization", "Default roles and role bindings", and ``bootstrappolicy`` of
its source. At its start the API server adds again what is missing, so a manifest of the same name takes nothing away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from model.values import Json
from scanners.native.rbac.rules import ALL, GROUP, Rule

READ = "get list watch"
CHANGE = "create delete deletecollection patch update"
TO_ADMIN = "rbac.authorization.k8s.io/aggregate-to-admin"
TO_EDIT = "rbac.authorization.k8s.io/aggregate-to-edit"
TO_VIEW = "rbac.authorization.k8s.io/aggregate-to-view"
AUTHENTICATION = "authentication.k8s.io"
AUTHORIZATION = "authorization.k8s.io"
CERTIFICATES = "certificates.k8s.io"
SIGNERS = {
    "kube-apiserver-client-approver": "kubernetes.io/kube-apiserver-client",
    "kube-apiserver-client-kubelet-approver": "kubernetes.io/kube-apiserver-client-kubelet",
    "kubelet-serving-approver": "kubernetes.io/kubelet-serving",
    "legacy-unknown-approver": "kubernetes.io/legacy-unknown",
}
"""Roles that may approve what these signers sign."""


class BuiltIn(NamedTuple):
    """A cluster role of Kubernetes' own."""

    rules: tuple[Rule, ...] = ()
    labels: Mapping[str, Json] = {}
    gathers: str = ""
    """The label of the cluster roles that it consists of; empty where its rules are its own."""


def _rule(verbs: str, group: str, resources: str, *names: str) -> Rule:
    return Rule((group,), tuple(resources.split()), tuple(verbs.split()), frozenset(names))


def _urls(*urls: str) -> Rule:
    return Rule((), (), ("get",), frozenset(), urls)


EVENTS = (_rule("create patch update", "", "events"), _rule("create patch update", "events.k8s.io", "events"))
REVIEWS = (
    _rule("create", AUTHENTICATION, "tokenreviews"),
    _rule("create", AUTHORIZATION, "subjectaccessreviews"),
)
LIVENESS = ("/healthz", "/livez", "/readyz", "/version", "/version/")

OF_ADMIN = (
    _rule("create", AUTHORIZATION, "localsubjectaccessreviews"),
    _rule(f"{READ} {CHANGE}", GROUP, "rolebindings roles"),
)
OF_EDIT = (
    _rule(READ, "", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
    _rule("impersonate", "", "serviceaccounts"),
    _rule(CHANGE, "", "pods pods/attach pods/exec pods/portforward pods/proxy"),
    _rule("create", "", "pods/eviction serviceaccounts/token"),
    _rule(CHANGE, "", "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale"),
    _rule(CHANGE, "", "secrets serviceaccounts services services/proxy"),
    _rule(CHANGE, "apps", "daemonsets deployments deployments/rollback deployments/scale replicasets statefulsets"),
    _rule(CHANGE, "apps", "replicasets/scale statefulsets/scale"),
    _rule(CHANGE, "autoscaling", "horizontalpodautoscalers"),
    _rule(CHANGE, "batch", "cronjobs jobs"),
    _rule(CHANGE, "policy", "poddisruptionbudgets"),
    _rule(CHANGE, "networking.k8s.io", "ingresses networkpolicies"),
    _rule(f"{READ} {CHANGE}", "coordination.k8s.io", "leases"),
)
OF_VIEW = (
    _rule(READ, "", "configmaps endpoints persistentvolumeclaims pods replicationcontrollers serviceaccounts services"),
    _rule(READ, "", "bindings events limitranges namespaces namespaces/status pods/log pods/status resourcequotas"),
    _rule(READ, "discovery.k8s.io", "endpointslices"),
    _rule(READ, "apps", "controllerrevisions daemonsets deployments replicasets statefulsets"),
    _rule(READ, "autoscaling", "horizontalpodautoscalers"),
    _rule(READ, "batch", "cronjobs jobs"),
    _rule(READ, "policy", "poddisruptionbudgets"),
    _rule(READ, "networking.k8s.io", "ingresses networkpolicies"),
)
OF_NODES = (
    *REVIEWS,
    _rule(READ, "", "configmaps nodes pods secrets services"),
    _rule("create patch update", "", "nodes nodes/status"),
    _rule("create delete", "", "pods"),
    _rule("patch update", "", "pods/status persistentvolumeclaims/status"),
    _rule("create", "", "pods/eviction serviceaccounts/token"),
    _rule("get", "", "endpoints persistentvolumeclaims persistentvolumes"),
    _rule(f"create {READ}", CERTIFICATES, "certificatesigningrequests"),
    _rule("create delete get patch update", "coordination.k8s.io", "leases"),
    *EVENTS,
)
OF_THE_CONTROLLER_MANAGER = (
    *EVENTS,
    *REVIEWS,
    _rule("create", "coordination.k8s.io", "leases"),
    _rule("create update", "", "secrets serviceaccounts"),
    _rule("delete", "", "secrets"),
    _rule("get", "", "configmaps namespaces secrets serviceaccounts"),
    _rule("list watch", ALL, ALL),
    _rule("create", "", "serviceaccounts/token"),
)

BUILT_IN: Mapping[str, BuiltIn] = {
    "admin": BuiltIn(gathers=TO_ADMIN),
    "cluster-admin": BuiltIn((_rule(ALL, ALL, ALL), Rule((), (), (ALL,), frozenset(), (ALL,)))),
    "edit": BuiltIn(labels={TO_ADMIN: "true"}, gathers=TO_EDIT),
    "system:aggregate-to-admin": BuiltIn(OF_ADMIN, {TO_ADMIN: "true"}),
    "system:aggregate-to-edit": BuiltIn(OF_EDIT, {TO_EDIT: "true"}),
    "system:aggregate-to-view": BuiltIn(OF_VIEW, {TO_VIEW: "true"}),
    "system:auth-delegator": BuiltIn(REVIEWS),
    "system:basic-user": BuiltIn(
        (
            _rule("create", AUTHORIZATION, "selfsubjectaccessreviews selfsubjectrulesreviews"),
            _rule("create", AUTHENTICATION, "selfsubjectreviews"),
        )
    ),
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient": BuiltIn(
        (_rule("create", CERTIFICATES, "certificatesigningrequests/nodeclient"),)
    ),
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": BuiltIn(
        (_rule("create", CERTIFICATES, "certificatesigningrequests/selfnodeclient"),)
    ),
    **{
        f"system:certificates.k8s.io:{name}": BuiltIn((_rule("approve", CERTIFICATES, "signers", signer),))
        for name, signer in SIGNERS.items()
    },
    "system:discovery": BuiltIn((_urls("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *LIVENESS),)),
    "system:heapster": BuiltIn((_rule(READ, "", "events namespaces nodes pods"),)),
    "system:kube-aggregator": BuiltIn((_rule(READ, "", "endpoints services"),)),
    "system:kube-controller-manager": BuiltIn(OF_THE_CONTROLLER_MANAGER),
    "system:kube-dns": BuiltIn((_rule("list watch", "", "endpoints services"),)),
    "system:kube-scheduler": BuiltIn(
        (
            *EVENTS,
            *REVIEWS,
            _rule(READ, "", "namespaces nodes pods persistentvolumeclaims persistentvolumes services"),
            _rule("delete", "", "pods"),
            _rule("create", "", "bindings pods/binding"),
            _rule("patch update", "", "pods/status"),
        )
    ),
    "system:kubelet-api-admin": BuiltIn(
        (
            _rule(f"{READ} proxy", "", "nodes"),
            _rule(ALL, "", "nodes/log nodes/metrics nodes/proxy nodes/stats"),
        )
    ),
    "system:monitoring": BuiltIn(
        (_urls("/healthz/*", "/livez/*", "/metrics", "/metrics/slis", "/readyz/*", *LIVENESS),)
    ),
    "system:node": BuiltIn(OF_NODES),
    "system:node-bootstrapper": BuiltIn((_rule(f"create {READ}", CERTIFICATES, "certificatesigningrequests"),)),
    "system:node-problem-detector": BuiltIn((_rule("get", "", "nodes"), _rule("patch", "", "nodes/status"), *EVENTS)),
    "system:node-proxier": BuiltIn(
        (
            _rule("list watch", "", "endpoints services"),
            _rule(READ, "", "nodes"),
            _rule("list watch", "discovery.k8s.io", "endpointslices"),
            *EVENTS,
        )
    ),
    "system:persistent-volume-provisioner": BuiltIn(
        (
            _rule(f"create delete {READ}", "", "persistentvolumes"),
            _rule(f"{READ} update", "", "persistentvolumeclaims"),
            _rule(READ, "storage.k8s.io", "storageclasses"),
            *EVENTS,
        )
    ),
    "system:public-info-viewer": BuiltIn((_urls(*LIVENESS),)),
    "system:service-account-issuer-discovery": BuiltIn(
        (_urls("/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks"),)
    ),
    "system:volume-scheduler": BuiltIn(
        (_rule(f"{READ} patch update", "", "persistentvolumes persistentvolumeclaims"),)
    ),
    "view": BuiltIn(labels={TO_EDIT: "true"}, gathers=TO_VIEW),
}
FOR_EVERYBODY = frozenset({"system:basic-user", "system:discovery", "system:public-info-viewer"})
"""Kubernetes itself binds them to everybody who can log in."""
FOR_STRANGERS = frozenset({"system:public-info-viewer", "system:service-account-issuer-discovery"})
"""What they show, its version and the public keys of its tokens, is meant for whoever reaches the API server."""
