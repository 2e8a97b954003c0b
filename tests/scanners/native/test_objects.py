"""Checks of objects, whatever values an attacker puts into them; fixtures of verdicts stand in their folders."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from model.finding import Finding
from scanners.native.engine import Neighbours, look
from tests.resources import resources
from tests.scanners.native.test_checks import SHAPES, places

NGINX = "nginx.ingress.kubernetes.io"
PART_OF = "app.kubernetes.io/part-of"
POD: dict[str, Any] = {
    "metadata": {"name": "tiller", "labels": {"app": "helm", "name": "tiller", "k8s-app": "kubernetes-dashboard"}},
    "spec": {
        "runtimeClassName": "runc",
        "volumes": [
            {"name": "a", "secret": {"secretName": "b"}},
            {"name": "b", "projected": {"sources": [{"configMap": {"name": "c"}}]}},
            {"name": "c", "hostPath": {"path": "/root/.aws"}},
        ],
        "containers": [
            {
                "name": "git-sync",
                "image": "git-sync:1",
                "args": ["--git", "--repo=http://a"],
                "env": [{"name": "GITSYNC_REPO", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}],
                "envFrom": [{"secretRef": {"name": "a"}}],
                "volumeMounts": [{"name": "a", "mountPath": "/a", "subPath": "b"}],
            }
        ],
    },
}
OBJECTS: tuple[dict[str, Any], ...] = (
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"annotations": {f"{NGINX}/auth-url": "a", f"{NGINX}/app-root": "/"}},
        "spec": {"tls": [{"hosts": ["a.example"]}], "rules": [{"host": "a.example"}]},
    },
    {"apiVersion": "route.openshift.io/v1", "kind": "Route", "spec": {"tls": {"termination": "edge"}}},
    {
        "apiVersion": "v1",
        "kind": "Service",
        "spec": {"type": "ExternalName", "externalName": "a.example", "externalIPs": ["192.0.2.1"]},
    },
    {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}},
    },
    {"apiVersion": "security.openshift.io/v1", "kind": "SecurityContextConstraints", "allowPrivilegedContainer": True},
    {
        "apiVersion": "policy/v1beta1",
        "kind": "PodSecurityPolicy",
        "metadata": {"annotations": {"seccomp.security.alpha.kubernetes.io/defaultProfileName": "a"}},
        "spec": {
            "privileged": True,
            "runAsUser": {"rule": "MustRunAs", "ranges": [{"min": 1}]},
            "requiredDropCapabilities": ["ALL"],
            "allowedCapabilities": ["KILL"],
            "volumes": ["*"],
            "hostPorts": [{"min": 1}],
            "allowedUnsafeSysctls": ["a"],
        },
    },
    {
        "apiVersion": "constraints.gatekeeper.sh/v1beta1",
        "kind": "K8sAllowedRepos",
        "spec": {"parameters": {"repos": ["a"]}},
    },
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"ownerReferences": [{"kind": "ExternalSecret"}]},
        "type": "Opaque",
        "data": {"a": "YQ=="},
        "stringData": {"b": "c"},
    },
    {"apiVersion": "v1", "kind": "ConfigMap", "data": {"password": "correct-horse", "a.ini": "user = a\npassword = b"}},
    {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "fast"},
        "provisioner": "ebs.csi.aws.com",
        "parameters": {"encrypted": "true"},
    },
    {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "spec": {"storageClassName": "fast", "csi": {"driver": "a", "volumeAttributes": {"secure": "true"}}},
    },
    {
        "apiVersion": "extensions.agents.x-k8s.io/v1beta1",
        "kind": "SandboxTemplate",
        "spec": {
            "networkPolicyManagement": "Managed",
            "networkPolicy": {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}]},
            "podTemplate": POD,
        },
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": "shop", "labels": {PART_OF: "shop", "app.kubernetes.io/instance": "one"}},
        "spec": {"template": POD},
    },
)
MADE_TO_COST = (" ", "a=", "a", "@", "a@a.", '"', '=" ', "'; ", "$2y$", "eyJ-", "a: ", "password=\n", "\n", "\t:", "A1")


def findings(*objects: dict[str, Any]) -> Iterator[Finding]:
    """What all checks find in the objects of one scope, for kubelets of old."""
    found = resources("---\n".join(json.dumps(each) + "\n" for each in objects))
    neighbours = Neighbours.of(found, "1.21")
    for each in found:
        yield from look(each, neighbours).findings


@pytest.mark.parametrize("pristine", OBJECTS, ids=lambda each: str(each["kind"]))
def test_every_field_of_an_object_may_hold_every_shape_of_value(pristine: dict[str, Any]) -> None:
    for path in places(pristine):
        if path in {("apiVersion",), ("kind",)}:
            continue
        for shape in SHAPES:
            manifest = copy.deepcopy(pristine)
            parent: Any = manifest
            for step in path[:-1]:
                parent = parent[step]
            parent[path[-1]] = shape
            list(findings(manifest, OBJECTS[9]))


@pytest.mark.parametrize("unit", MADE_TO_COST)
def test_a_text_made_to_cost_time_costs_little(unit: str) -> None:
    value = (unit * 100_000)[:100_000]
    annotations = {f"{NGINX}/auth-url": value, f"{NGINX}/app-root": value, value[:400]: value}
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"annotations": annotations}}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": value, "password": value, value[:400]: value}}
    secret = {"apiVersion": "v1", "kind": "Secret", "data": {"a": value}, "stringData": {"b": value}}
    start = time.process_time()
    list(findings(ingress, config, secret))
    assert time.process_time() - start < 2


def test_many_applications_in_one_namespace_cost_little() -> None:
    workloads = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"web-{number}",
                "namespace": "shop",
                "labels": {PART_OF: f"part-{number}", "app.kubernetes.io/instance": "one"},
            },
            "spec": {"containers": []},
        }
        for number in range(2_000)
    ]
    foreign = {**OBJECTS[-1], "metadata": {"name": "x", "namespace": "shop", "labels": {PART_OF: "zoo"}}}
    found = [finding for finding in findings(*workloads, foreign) if finding.rule == "namespace-boundaries"]
    assert len(found) == len(workloads) + 1


def test_no_check_repeats_a_value_of_a_secret_or_a_config_map() -> None:
    texts = {
        "password": "correct-horse",
        "app.ini": "[a]\npassword = correct-horse\n",
        "username": "correct-horse",
        "about": "correct-horse@shop-mail.com",
        "key": "-----BEGIN PRIVATE KEY-----\ncorrect-horse",
    }
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": texts}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "stringData": texts}
    found = list(findings(config, secret))
    assert {finding.rule for finding in found} >= {
        "configmap-secrets",
        "configmap-sensitive-data",
        "external-secret-storage",
    }
    assert [finding for finding in found if "correct-horse" in finding.message] == []


@pytest.mark.parametrize(
    ("setting", "is_secret"),
    [
        ("password = hunter2", True),
        ('"DB_PASSWORD": "hunter2",', True),
        ("  - adminPassword: 'hunter2'", True),
        ("export PGPASSWORD=hunter2", True),
        ("apiKey: Zk83jSla02mQp", True),
        ("apiKey: name-of-a-key", False),
        ("secretKey: password", False),
        ("password: ${DB_PASSWORD}", False),
        ("password: {{ .Values.password }}", False),
        ("password: $__file{/run/secrets/db}", False),
        ("password: !vault db", False),
        ("password: *anchor", False),
        ("password: |", False),
        ("password: [a]", False),
        ("password: ''", False),
        ("password: /run/secrets/db", False),
        ("password: the one of the database", False),
        ("passwordKey: password", False),
        ("# password: hunter2", False),
        ("; password = hunter2", False),
        ("proxy_pass = upstream", False),
        ("password = get_password()", False),
    ],
)
def test_a_setting_in_a_file_is_a_secret_when_its_literal_value_is_one(setting: str, *, is_secret: bool) -> None:
    text = f"[database]\nuser = web\n{setting}\n"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"app.conf": text}}
    assert any(finding.rule == "configmap-secrets" for finding in findings(config)) is is_secret


@pytest.mark.parametrize(
    ("address", "is_personal"),
    [
        ("mail anna.b@shop-mail.com", True),
        ("<anna@mail.shop-mail.co.uk>", True),
        ("git@git.shop-mail.com:shop/web", False),
        ("ssh://anna@git.shop-mail.com/web", False),
        ("noreply@shop-mail.com", False),
        ("anna@example.com", False),
        ("getty@tty1.service", False),
        ("registry.example.com/web@sha256:00", False),
        ("web@db.shop.svc", False),
    ],
)
def test_an_address_of_a_person_is_none_of_a_program(address: str, *, is_personal: bool) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"about": address}}
    assert any(finding.rule == "configmap-sensitive-data" for finding in findings(config)) is is_personal
