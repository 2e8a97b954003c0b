"""Makes the inputs of the benchmark: a folder of mixed Kubernetes documents, the same for the same number."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

PER_FILE = 20

Document = dict[str, object]


def write(folder: Path, count: int) -> None:
    """Write ``count`` documents, ``PER_FILE`` to a file, as YAML (every JSON document is one)."""
    documents = [MAKERS[number % len(MAKERS)](number) for number in range(count)]
    for start in range(0, count, PER_FILE):
        texts = (json.dumps(document, indent=2) for document in documents[start : start + PER_FILE])
        folder.joinpath(f"part-{start // PER_FILE:04}.yaml").write_text("---\n".join(f"{text}\n" for text in texts))


def deployment(number: int) -> Document:
    """Every second one is hardened."""
    template = {"metadata": {"labels": {"app": f"app-{number}"}}, "spec": pod(number)}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": f"app-{number}"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(number), "spec": spec}


def cron_job(number: int) -> Document:
    """A pod two templates deep."""
    job = {"spec": {"template": {"spec": {**pod(number), "restartPolicy": "Never"}}}}
    spec = {"schedule": "0 3 * * *", "jobTemplate": job}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata(number), "spec": spec}


def service(number: int) -> Document:
    """Of the deployment before it."""
    spec = {"selector": {"app": f"app-{number - 1}"}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(number), "spec": spec}


def config_map(number: int) -> Document:
    """Fifty lines of settings."""
    data = {f"setting-{line}": f"value {number} {line}" for line in range(50)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(number), "data": data}


def role(number: int) -> Document:
    """May read a little too much."""
    rules = [{"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "list"]}]
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata(number), "rules": rules}


def pod(number: int) -> Document:
    """Two containers, and every second pod hardened."""
    return {"containers": [container("web", hardened=number % 2 == 0), container("proxy", hardened=number % 2 == 0)]}


def container(name: str, *, hardened: bool) -> Document:
    """One container."""
    bare: Document = {"name": name, "image": f"registry.example/{name}:1.0", "ports": [{"containerPort": 8080}]}
    if not hardened:
        return bare
    amounts = {"cpu": "100m", "memory": "64Mi"}
    security = {
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {**bare, "resources": {"requests": amounts, "limits": amounts}, "securityContext": security}


def metadata(number: int) -> Document:
    """Names are unique; namespaces are ten."""
    return {"name": f"object-{number}", "namespace": f"team-{number % 10}", "labels": {"app": f"app-{number}"}}


MAKERS: tuple[Callable[[int], Document], ...] = (deployment, service, config_map, cron_job, role)
