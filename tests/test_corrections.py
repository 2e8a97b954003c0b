"""Each correction is a claim about a real binary: here is the manifest on which it gets it wrong."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

import pytest

from controls.corrections import CORRECTIONS, UNUSED_NUMBERS, Correction, Evidence, why_not
from model.audit import ResultStatus
from model.finding import Opinion
from model.resource import Resource
from process import Sandbox
from scanners.base import Scope
from scanners.registry import SCANNERS
from tests.conftest import real_toolbox
from tests.resources import resources
from tests.scanners.fakes import context

pytestmark = pytest.mark.tools

FAILED, PASSED = ResultStatus.FAILED, ResultStatus.PASSED
Claim = tuple[str, str, ResultStatus]


def pod(container: str = "", spec: str = "", image: str = "registry.example.com/a:1", metadata: str = "") -> str:
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: shop, {metadata}}}\n"
        f"spec: {{{spec} containers: [{{name: app, image: '{image}', {container}}}]}}\n"
    )


def binding(role: str, kind: str = "RoleBinding", role_kind: str = "ClusterRole") -> str:
    return (
        f"apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{name: b, namespace: shop}}\n"
        f"roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {role_kind}, name: {role}}}\n"
        "subjects: [{kind: Group, name: 'system:masters'}, {kind: User, name: 'system:anonymous'}]\n"
    )


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web{namespace}}}
spec:
  selector: {{matchLabels: {{a: b, c: d}}}}
  template: {{metadata: {{labels: {{a: b, c: d}}}}, spec: {{{spec} containers: [{{name: app, image: 'a:1'}}]}}}}
"""
POLICY = """---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p}
spec: {podSelector: {matchLabels: {a: b, c: d}}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}
"""
CILIUM_POLICY = """---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: p}
spec: {endpointSelector: {}, ingress: [{}], egress: [{}]}
"""
SERVICE = """---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: tiller}
spec:
  template:
    spec:
      securityContext: {runAsUser: 0}
      containers: [{name: app, image: 'gcr.io/kubernetes-helm/tiller:v2'}]
"""
API_SERVER = pod("command: [/bin/sh, -c], args: ['kube-apiserver --anonymous-auth=true --profiling=true']")
COMPONENTS = "".join(
    f"---\n{API_SERVER.replace('kube-apiserver', name)}".replace("name: web", f"name: {name}")
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
)
HOST_PATH = "volumes: [{name: v, hostPath: {path: /run/docker.sock}}],"

WRONG: Mapping[Claim, str] = {
    ("polaris", "clusterrolebindingPodExecAttach", FAILED): binding("view", "ClusterRoleBinding"),
    ("polaris", "rolebindingClusterRolePodExecAttach", FAILED): binding("view"),
    ("polaris", "rolebindingRolePodExecAttach", FAILED): binding("own", role_kind="Role"),
    ("polaris", "clusterrolebindingClusterAdmin", FAILED): binding("custom", "ClusterRoleBinding"),
    ("polaris", "rolebindingClusterAdminClusterRole", FAILED): binding("custom"),
    ("polaris", "rolebindingClusterAdminRole", FAILED): binding("own", role_kind="Role"),
    ("polaris", "hostProcess", FAILED): "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {restartPolicy: Always}",
    ("polaris", "procMount", FAILED): "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {restartPolicy: Always}",
    ("polaris", "missingNetworkPolicy", FAILED): DEPLOYMENT.format(namespace="", spec="") + POLICY,
    ("polaris", "missingPodDisruptionBudget", FAILED): DEPLOYMENT.format(namespace="", spec=""),
    ("polaris", "topologySpreadConstraint", FAILED): DEPLOYMENT.format(namespace="", spec=""),
    ("polaris", "pullPolicyNotAlways", FAILED): pod(image="registry.example.com/a:latest"),
    ("polaris", "tagNotSpecified", PASSED): pod(image="registry.example.com:5000/a"),
    ("kube-score", "container-image-pull-policy", FAILED): pod(image="registry.example.com:5000/a"),
    ("kube-score", "container-image-tag", PASSED): pod(image="registry.example.com:5000/a"),
    ("kube-score", "container-seccomp-profile", PASSED): pod(
        spec="securityContext: {seccompProfile: {type: Unconfined}},"
    ),
    ("kube-score", "container-security-context-user-group-id", PASSED): pod(
        "securityContext: {runAsUser: 10000, runAsGroup: 10001}"
    ),
    ("kube-score", "pod-networkpolicy", FAILED): DEPLOYMENT.format(namespace="", spec="") + CILIUM_POLICY,
    ("kube-score", "pod-probes-identical", FAILED): pod(
        "readinessProbe: {httpGet: {path: /h, port: web}}, livenessProbe: {httpGet: {path: /h, port: admin}}",
        metadata="labels: {app: web}",
    )
    + SERVICE,
    ("kube-score", "pod-probes", PASSED): pod(metadata="labels: {app: web}").replace(
        "containers: [",
        "containers: [{name: other, image: b, readinessProbe: {httpGet: {port: 80, path: /r}}, "
        "livenessProbe: {httpGet: {port: 80, path: /l}}}, ",
    )
    + SERVICE,
    ("trivy", "KSV-0002", PASSED): pod("securityContext: {appArmorProfile: {type: Unconfined}}"),
    ("trivy", "KSV-0006", PASSED): pod(spec=HOST_PATH),
    ("trivy", "KSV-0012", PASSED): pod(
        "securityContext: {runAsNonRoot: false}", spec="securityContext: {runAsNonRoot: true},"
    ),
    ("trivy", "KSV-0022", FAILED): pod("securityContext: {capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}"),
    ("trivy", "KSV-0025", FAILED): pod(spec="securityContext: {seLinuxOptions: {type: container_engine_t}},"),
    ("trivy", "KSV-0027", FAILED): pod("securityContext: {procMount: Default}"),
    ("trivy", "KSV-0036", PASSED): DEPLOYMENT.format(namespace="", spec="automountServiceAccountToken: true,"),
    ("trivy", "KSV-0054", PASSED): binding("edit"),
    ("trivy", "KSV-0102", PASSED): ROLLOUT,
    ("trivy", "KSV-0102", FAILED): pod(image="registry.example.com/distiller:1"),
    ("trivy", "KSV-0105", PASSED): ROLLOUT,
    ("trivy", "KSV-0106", PASSED): ROLLOUT,
    ("trivy", "KSV-0106", FAILED): pod("securityContext: {capabilities: {drop: [ALL], add: [CHOWN]}}"),
    ("trivy", "KSV-0110", FAILED): DEPLOYMENT.format(namespace="", spec=""),
    ("trivy", "KSV-0118", FAILED): pod("securityContext: {runAsNonRoot: true}"),
    ("trivy", "KSV-0122", PASSED): binding("edit", "ClusterRoleBinding"),
    ("trivy", "KSV-0123", PASSED): binding("edit", "ClusterRoleBinding"),
    ("trivy", "KSV-01011", PASSED): binding("edit", "ClusterRoleBinding"),
    ("trivy", "KSV-0125", FAILED): pod(image="bitnami/nginx:1"),
    **{("trivy", f"KCV-{number:04}", PASSED): COMPONENTS for number in range(1, 48) if number not in UNUSED_NUMBERS},
}


@pytest.fixture(scope="module")
def answers() -> Mapping[Claim, Mapping[Resource, Opinion]]:
    """What each scanner says of each manifest, every manifest in a scope of its own; one start of Trivy for all."""
    found: dict[Claim, Mapping[Resource, Opinion]] = {}
    with Sandbox() as sandbox:
        for name, claims in groupby(sorted(WRONG), key=lambda claim: claim[0]):
            mine = list(claims)
            texts = {text: resources(text) for text in dict.fromkeys(WRONG[claim] for claim in mine)}
            scopes = [Scope(resources=objects) for objects in texts.values()]
            scan = SCANNERS[name].scan(scopes, context(sandbox, real_toolbox()))
            for claim in mine:
                found[claim] = {each: scan.opinions[each] for each in texts[WRONG[claim]] if each in scan.opinions}
    return found


def test_every_correction_has_its_manifest() -> None:
    claimed = {(row.scanner, row.rule, row.verdict) for row in CORRECTIONS}
    assert claimed == WRONG.keys()


@pytest.mark.parametrize("claim", sorted(WRONG), ids="-".join)
def test_the_scanner_says_so_and_the_correction_takes_it_away(
    claim: Claim, answers: Mapping[Claim, Mapping[Resource, Opinion]]
) -> None:
    scanner, rule, verdict = claim
    objects = resources(WRONG[claim])
    neighbours = {(each.ref.kind, each.ref.namespace, each.ref.name): each for each in objects}
    corrected = []
    for resource, opinion in answers[claim].items():
        containers = {container.key: container for container in resource.containers}
        for subject in _subjects(opinion, rule, verdict):
            evidence = Evidence(resource=resource, container=containers.get(subject), neighbours=neighbours)
            corrected.append([why_not(scanner, rule, verdict, evidence, row.control) for row in _rows(claim)])
    assert corrected, f"{scanner} does not say this (any more): the correction is needless"
    assert any(any(reasons) for reasons in corrected)


@pytest.mark.parametrize("claim", sorted(WRONG), ids="-".join)
def test_the_correction_leaves_other_objects_alone(claim: Claim) -> None:
    (plain,) = resources(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x, namespace: shop}\n"
        "spec: {template: {spec: {containers: [{name: c, image: 'r.example.com/a:1', "
        "readinessProbe: {httpGet: {port: 1}}, livenessProbe: {httpGet: {port: 2}}, securityContext: {}}]}}}"
    )
    (role,) = resources(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: x, namespace: shop}\n"
        "roleRef: {kind: Role, name: r}"
    )
    (bare,) = resources(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: shop}\nspec: {containers: [{name: c}]}"
    )
    same = "{httpGet: {path: /h, port: web}}"
    (odd,) = resources(pod(f"securityContext: {{procMount: Unmasked}}, readinessProbe: {same}, livenessProbe: {same}"))
    (tiller,) = resources(pod(image="registry.example.com/tiller:1"))
    known = {("Role", "shop", "r"): role}
    scanner, rule, verdict = claim
    kept = [
        why_not(scanner, rule, verdict, Evidence(resource=each, container=container, neighbours=known), row.control)
        for each in (plain, role, bare, odd, tiller)
        for container in (*each.containers, None)
        for row in _rows(claim)
    ]
    assert None in kept


def _rows(claim: Claim) -> list[Correction]:
    return [row for row in CORRECTIONS if (row.scanner, row.rule, row.verdict) == claim]


def _subjects(opinion: Opinion, rule: str, verdict: ResultStatus) -> list[str]:
    if verdict is FAILED:
        return [finding.container for finding in opinion.findings if finding.rule == rule]
    return [subject for subject, rules in opinion.passed.items() if rule in rules]
