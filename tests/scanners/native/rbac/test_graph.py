"""Who holds what: paths, namespaces, groups, built-in and gathered roles, and what the scope does not hold."""

from __future__ import annotations

import pytest

from tests.scanners.native.rbac.objects import Object, account, binding, deployment, found, judged, role, rule

GROUP = "rbac.authorization.k8s.io"
ADMINISTRATION = "cluster-admin-binding"
SECRETS = "rbac-secrets-access"


def test_a_role_names_the_path_from_the_workload_to_the_rule() -> None:
    objects = [
        deployment(),
        role("web", rule("services", "get"), rule("secrets", "get list"), namespace="shop"),
        binding("web", account(), namespace="shop", kind="Role"),
    ]
    held = "Deployment web → ServiceAccount shop/web → RoleBinding web → Role web → rule 2: secrets [get, list]"
    messages = [finding.message for finding in found(objects, SECRETS)["Role/web"]]
    assert messages == [f"may get secrets: {held}", f"may list secrets: {held}"]


def test_a_workload_names_the_way_to_the_cluster() -> None:
    objects = [deployment(), role("wide", rule("*", "*", "*")), binding("wide", account())]
    (finding,) = found(objects, ADMINISTRATION)["Deployment/web"]
    assert finding.message == (
        "may do everything in the cluster: "
        "Deployment web → ServiceAccount shop/web → ClusterRoleBinding web → ClusterRole wide → rule 1: * [*]"
    )
    assert finding.field == ("spec", "template", "spec", "serviceAccountName")


def test_the_shortest_way_counts() -> None:
    pods = rule("pods", "create")
    escalate = rule("clusterroles", "escalate patch", GROUP)
    objects = [deployment(), role("wide", pods, escalate), binding("wide", account())]
    (finding,) = found(objects, ADMINISTRATION)["Deployment/web"]
    assert finding.message.startswith("can become cluster-admin in 1 step (adds every right to a role of its own): ")


@pytest.mark.parametrize(
    "rules",
    [
        [rule("clusterroles", "escalate", GROUP)],
        [rule("clusterroles", "bind", GROUP)],
        [rule("groups", "impersonate")],
        [rule("secrets", "get list watch")],
        [rule("pods", "create", "apps")],
        [rule("pods", "create", resourceNames=["web"])],
        [rule("pods/exec", "create")],
        [rule("nodes", "get")],
    ],
)
def test_half_a_way_does_not_lead_there(rules: list[Object]) -> None:
    objects = [deployment(), role("wide", *rules), binding("wide", account())]
    assert judged(objects, ADMINISTRATION)["Deployment/web"] == "passed"


def test_two_bindings_make_a_way_together() -> None:
    objects = [
        deployment(),
        role("one", rule("clusterroles", "bind", GROUP)),
        role("two", rule("clusterrolebindings", "create", GROUP)),
        binding("one", account(), name="one"),
        binding("two", {"kind": "User", "name": "system:serviceaccount:shop:web"}, name="two"),
    ]
    assert judged(objects, ADMINISTRATION)["Deployment/web"] == "failed"


@pytest.mark.parametrize("group", ["system:authenticated", "system:serviceaccounts", "system:serviceaccounts:shop"])
def test_an_account_is_in_the_groups_of_all_accounts(group: str) -> None:
    objects = [deployment(), binding("cluster-admin", {"kind": "Group", "name": group})]
    assert judged(objects, ADMINISTRATION)["Deployment/web"] == "failed"


@pytest.mark.parametrize("group", ["system:unauthenticated", "system:serviceaccounts:other", "team"])
def test_an_account_is_in_no_other_group(group: str) -> None:
    objects = [deployment(), binding("cluster-admin", {"kind": "Group", "name": group})]
    assert judged(objects, ADMINISTRATION)["Deployment/web"] == "passed"


def test_a_cluster_role_bound_in_a_namespace_gives_rights_there_only() -> None:
    pods = role("wide", rule("pods", "create"))
    for namespace, verdict in (("shop", "passed"), ("kube-system", "failed")):
        objects = [deployment(), pods, binding("wide", account(), namespace=namespace)]
        assert judged(objects, ADMINISTRATION)["Deployment/web"] == verdict


def test_an_account_without_a_namespace_is_one_of_the_binding() -> None:
    objects = [
        deployment(),
        role("web", rule("secrets", "get"), namespace="shop"),
        binding("web", account(namespace=None), namespace="shop", kind="Role"),
    ]
    assert "ServiceAccount shop/web" in found(objects, SECRETS)["Role/web"][0].message


def test_the_old_field_names_the_account_and_without_either_it_is_the_default_one() -> None:
    old = deployment(serviceAccountName=None, serviceAccount="web")
    none = deployment(serviceAccountName=None)
    assert judged([old, binding("cluster-admin", account())], ADMINISTRATION)["Deployment/web"] == "failed"
    assert judged([none, binding("cluster-admin", account("default"))], ADMINISTRATION)["Deployment/web"] == "failed"


def test_a_pod_without_a_token_cannot_use_its_account() -> None:
    bound = binding("cluster-admin", account())
    withheld = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "web", "namespace": "shop"},
        "automountServiceAccountToken": False,
    }
    projected = {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    for workload, accounts, verdict in (
        (deployment(automountServiceAccountToken=False), [], "passed"),
        (deployment(), [withheld], "passed"),
        (deployment(automountServiceAccountToken=True), [withheld], "failed"),
        (deployment(automountServiceAccountToken=False, volumes=[projected]), [], "failed"),
    ):
        assert judged([workload, bound, *accounts], ADMINISTRATION)["Deployment/web"] == verdict


def test_a_scope_without_bindings_says_nothing_of_workloads() -> None:
    assert judged([deployment(), role("wide", rule("*", "*", "*"))], ADMINISTRATION)["Deployment/web"] == "unknown"


def test_a_binding_whose_role_is_elsewhere_has_no_verdict_and_neither_has_the_workload() -> None:
    objects = [deployment(), binding("custom", account())]
    for control in (ADMINISTRATION, SECRETS):
        assert judged(objects, control)["ClusterRoleBinding/web"] == "unknown"
    assert judged(objects, ADMINISTRATION)["Deployment/web"] == "unknown"


def test_a_cluster_binding_cannot_name_a_role_of_a_namespace() -> None:
    objects = [role("web", rule("secrets", "get"), namespace="shop"), binding("web", account(), kind="Role")]
    assert judged(objects, SECRETS)["ClusterRoleBinding/web"] == "unknown"


def test_a_wildcard_in_a_role_of_a_namespace_covers_nothing_of_the_cluster() -> None:
    every = found([role("web", rule("*", "*", "*"), namespace="shop")])["Role/web"]
    messages = {finding.rule: finding.message for finding in every}
    assert not {"rbac-node-proxy", "rbac-webhooks", "rbac-csr-approval", "rbac-persistent-volumes"} & messages.keys()
    assert messages["rbac-impersonation"].startswith("may do anything with serviceaccounts: ")
    assert found([role("web", rule("nodes/proxy", "get"), namespace="shop")], "rbac-node-proxy")["Role/web"]


def test_a_built_in_role_keeps_its_rules_whatever_a_manifest_of_its_name_says() -> None:
    objects = [role("edit", rule("services", "get")), binding("edit", account())]
    assert judged(objects, SECRETS) == {"ClusterRole/edit": "passed", "ClusterRoleBinding/web": "failed"}


def test_a_role_that_adds_to_a_built_in_one_adds_to_those_that_gather_that_one() -> None:
    part = role("part", rule("secrets", "get"), labels={f"{GROUP}/aggregate-to-view": "true"})
    for name in ("view", "edit", "admin"):
        assert judged([part, binding(name, account())], SECRETS)["ClusterRoleBinding/web"] == "failed"
    assert judged([binding("view", account())], SECRETS)["ClusterRoleBinding/web"] == "passed"


def gatherer(name: str, *labels: str, own: str = "") -> Object:
    selectors = [{"matchLabels": {"part-of": label}} for label in labels]
    own_labels = {"part-of": own} if own else {}
    return role(name, labels=own_labels, aggregationRule={"clusterRoleSelectors": selectors})


def test_roles_gather_from_roles_that_gather_and_a_circle_ends() -> None:
    objects = [
        gatherer("top", "middle"),
        gatherer("middle", "bottom", "middle", own="middle"),
        role("bottom", rule("secrets", "get"), labels={"part-of": "bottom"}),
        binding("top", account()),
    ]
    verdicts = judged(objects, SECRETS)
    assert set(verdicts.values()) == {"failed"}
    (finding,) = found(objects, SECRETS)["ClusterRole/top"]
    assert finding.field == ("aggregationRule", "clusterRoleSelectors", 0)
    assert finding.message.endswith("ClusterRole top → ClusterRole bottom → rule 1: secrets [get]")


def test_a_role_that_gathers_nothing_here_is_not_judged() -> None:
    assert judged([gatherer("top", "elsewhere")], SECRETS)["ClusterRole/top"] == "unknown"


def test_of_a_role_of_too_many_parts_only_what_was_found_is_told() -> None:
    parts = [role(f"part-{number}", rule("pods", "get"), labels={"part-of": "x"}) for number in range(300)]
    assert judged([gatherer("top", "x"), *parts], SECRETS)["ClusterRole/top"] == "unknown"
