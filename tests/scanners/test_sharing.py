"""Scopes that share a start of a scanner: none sees another, and each gets the answer that it would get alone."""

from __future__ import annotations

import pytest

from cache import Key
from process import Sandbox
from scanners import kube_score, polaris
from scanners.base import Scanner, Scope
from scanners.pieces import Piece
from scanners.sharing import SHARED, share
from tests.resources import resources
from tests.scanners.fakes import context
from tests.scanners.test_real import plain
from toolbox import Toolbox

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NAMESPACE, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "web:1", ports: [{containerPort: 80}]}]}
"""
AROUND = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NAMESPACE}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: NAMESPACE}
spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: NAMESPACE}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: NAMESPACE}
spec: {minReplicas: 2, maxReplicas: 4, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
"""
ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: helper}
rules: [{apiGroups: [""], resources: [pods/exec], verbs: [VERB]}]
"""
BINDING = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: helper}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: helper}
subjects: [{kind: ServiceAccount, name: helper, namespace: a}]
"""


def scope(*texts: str, namespace: str = "") -> Scope:
    text = "\n---\n".join(texts).replace("NAMESPACE", namespace or '""')
    return Scope(resources=resources(text))


def pieces(*scopes: Scope) -> list[Piece]:
    keys = (Key.of(number) for number, _ in enumerate(scopes))
    return [Piece(resources=scope.resources, key=key) for scope, key in zip(scopes, keys, strict=True)]


def starts(*scopes: Scope) -> list[int]:
    return [len(start.copies) for start in share(pieces(*scopes))]


@pytest.mark.tools
@pytest.mark.parametrize("scanner", [polaris, kube_score], ids=lambda module: module.NAME)
def test_scopes_that_share_a_start_get_the_answers_that_they_get_alone(
    scanner: Scanner, sandbox: Sandbox, toolbox: Toolbox
) -> None:
    scopes = [
        scope(*parts, namespace=namespace)
        for namespace in ("", "default", "kube-system", "shop")
        for parts in ((WEB,), (AROUND,), (WEB, AROUND), (ROLE.replace("VERB", "create"), BINDING), (BINDING,))
    ]
    together = scanner.scan(scopes, context(sandbox, toolbox))
    assert together.missing == {}
    for each in scopes:
        alone = scanner.scan([each], context(sandbox, toolbox))
        assert alone.opinions.keys() == {resource for resource in each.resources if scanner.supports(resource)}
        for resource, opinion in alone.opinions.items():
            assert plain(together.opinions[resource]) == plain(opinion), (each, resource.ref)


@pytest.mark.tools
def test_an_object_that_ends_a_shared_start_leaves_the_other_scopes_alone(sandbox: Sandbox, toolbox: Toolbox) -> None:
    broken = scope("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: nonsense}")
    good = scope(WEB, AROUND)
    answer = kube_score.scan([good, broken, scope(WEB)], context(sandbox, toolbox))
    assert list(answer.missing) == list(broken.resources)
    alone = kube_score.scan([good], context(sandbox, toolbox))
    assert [plain(answer.opinions[each]) for each in alone.opinions] == [
        plain(each) for each in alone.opinions.values()
    ]


def test_small_scopes_share_a_start_up_to_a_bound_and_a_large_one_has_its_own() -> None:
    small, large = scope(WEB, AROUND), scope(*[WEB] * (SHARED + 1))
    assert starts(*[small] * (SHARED // 5)) == [SHARED]
    assert starts(*[small] * (SHARED // 5 + 1)) == [SHARED, 5]
    assert starts(small, large, small) == [5, SHARED + 1, 5]


def test_scopes_that_could_take_each_others_cluster_roles_stay_apart() -> None:
    own, bound = scope(ROLE), scope(BINDING)
    assert starts(own, own) == [1, 1]
    assert starts(own, bound) == [1, 1]
    assert starts(bound, own) == [1, 1]
    assert starts(bound, bound) == [2]


def test_what_shares_a_start_has_a_file_and_an_identity_of_its_own() -> None:
    (start,) = share(pieces(scope(WEB), scope(WEB, namespace="shop"), scope(WEB)))
    copies = start.copies
    assert len({copy.file for copy in copies}) == len({copy.identity for copy in copies}) == 3
    assert [copy.identity[1] for copy in copies] == ["room-1", "room-2-shop", "room-3"]
