"""RBAC objects as YAML text, and what the checks say of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from model.finding import Finding
from scanners.native.engine import Neighbours, look
from tests.resources import resources

API = "rbac.authorization.k8s.io/v1"
Object = dict[str, Any]


def rule(resources: str, verbs: str, group: str = "", **more: Any) -> Object:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split(), **more}


def role(
    name: str, *rules: Object, namespace: str = "", labels: Mapping[str, str] | None = None, **more: Any
) -> Object:
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": dict(labels or {})}
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "rules": list(rules), **more}


def binding(role: str, *subjects: Object, namespace: str = "", kind: str = "ClusterRole", name: str = "web") -> Object:
    own = "RoleBinding" if namespace else "ClusterRoleBinding"
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    return {"apiVersion": API, "kind": own, "metadata": metadata, "roleRef": reference, "subjects": list(subjects)}


def account(name: str = "web", namespace: str | None = "shop") -> Object:
    return {"kind": "ServiceAccount", "name": name, **({"namespace": namespace} if namespace else {})}


def deployment(name: str = "web", namespace: str = "shop", **spec: Any) -> Object:
    pod = {"serviceAccountName": "web", "containers": [{"name": "app", "image": "web:1"}], **spec}
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": {"spec": pod}}}


def found(objects: Iterable[Object], *controls: str) -> dict[str, list[Finding]]:
    """Findings by kind and name of the object, of these controls or of all about access."""
    scope = resources("---\n".join(json.dumps(each) + "\n" for each in objects))
    neighbours = Neighbours.of(scope)
    return {
        f"{each.ref.kind}/{each.ref.name}": [
            finding
            for finding in look(each, neighbours).findings
            if finding.rule in controls or (not controls and finding.rule.startswith(("rbac-", "cluster-admin")))
        ]
        for each in scope
    }


def judged(objects: Iterable[Object], control: str) -> dict[str, str]:
    """Verdicts by kind and name of the object: ``failed``, ``passed``, or ``unknown`` where there is none."""
    scope = resources("---\n".join(json.dumps(each) + "\n" for each in objects))
    neighbours = Neighbours.of(scope)
    verdicts: dict[str, str] = {}
    for each in scope:
        opinion = look(each, neighbours)
        failed = any(finding.rule == control for finding in opinion.findings)
        passed = control in opinion.passed[""]
        verdicts[f"{each.ref.kind}/{each.ref.name}"] = "failed" if failed else "passed" if passed else "unknown"
    return verdicts
