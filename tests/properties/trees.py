"""Small real trees for properties: objects as values, written as YAML, read, scanned by our own rules and judged."""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import yaml
from hypothesis import strategies as st

from controls import catalogue
from controls.assemble import Terms, assemble
from manifests.resources import Origin, Registry
from manifests.text.parse import parse
from model.audit import Audit
from model.policy import Policy, Waiver
from model.resource import Failure, Resource, Source, SourceKind, Tree
from process import Sandbox
from scanners import native
from scanners.base import scopes_of
from tests.audits import MANIFESTS
from tests.conftest import real_toolbox
from tests.scanners.fakes import context

Object = dict[str, Any]
Folder = Mapping[str, Sequence[Object]]
"""Objects by file."""
Write = Callable[[Sequence[Object]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A source and what lies in it."""

    folder: Folder
    source: Source = MANIFESTS


def written(objects: Sequence[Object]) -> str:
    """A file, as people write it."""
    return "---\n".join(yaml.safe_dump(each, sort_keys=False) for each in objects)


def audit_of(
    *places: Place, waivers: tuple[Waiver, ...] = (), failures: Iterable[Failure] = (), write: Write = written
) -> Audit:
    """What the product says of these sources."""
    registry = Registry()
    resources: list[Resource] = []
    for place in places:
        for path, objects in place.folder.items():
            origin = Origin(source=place.source.id, path=path, rendered=place.source.kind is not SourceKind.MANIFESTS)
            for document in parse(write(objects).encode()).documents:
                found = registry.resources(document, origin)
                resources += (each for each in found if isinstance(each, Resource))
    tree = Tree(sources=tuple(place.source for place in places), resources=tuple(resources), failures=tuple(failures))
    with Sandbox() as sandbox:
        scan = native.scan(scopes_of(tree), context(sandbox, real_toolbox()))
    return assemble(tree, [scan], _catalogue(), replace(TERMS, policy=Policy(waivers=waivers)))[0]


TERMS = Terms(tool_version="0", kube_version="1.34", policy=Policy(), today=dt.date(2030, 1, 1), keep_passed=False)
_catalogue = cache(catalogue.load)


def chart(name: str, path: str = "", environment: str = "") -> Source:
    """A chart; its folder has its name unless said otherwise."""
    path = path or f"charts/{name}"
    return replace(
        MANIFESTS, id=f"{path}{environment}", kind=SourceKind.HELM, path=path, name=name, environment=environment
    )


def kustomization(path: str) -> Source:
    """A kustomization."""
    return replace(MANIFESTS, id=f"kustomize:{path}", kind=SourceKind.KUSTOMIZE, path=path, name=path)


# ---------------------------------------------------------------- objects

NAMES = ("web", "api", "db")
SPACES = ("", "shop", "default")


@st.composite
def containers(draw: st.DrawFn, name: str) -> Object:
    """Sometimes hardened, sometimes not."""
    flags = ("privileged", "allowPrivilegeEscalation", "runAsNonRoot", "readOnlyRootFilesystem")
    return {
        "name": name,
        "image": draw(st.sampled_from(("registry.example/app:v1", "app", "registry.example/app:latest"))),
        "securityContext": {
            **{flag: draw(st.booleans()) for flag in draw(st.sets(st.sampled_from(flags)))},
            "capabilities": {"add": draw(st.lists(st.sampled_from(("SYS_ADMIN", "NET_RAW", "BPF")), unique=True))},
        },
        "env": [
            {"name": key, "value": "x1y2z3w4v5"}
            for key in draw(st.lists(st.sampled_from(("PASSWORD", "API_TOKEN", "MODE")), unique=True))
        ],
        "volumeMounts": [
            {"name": volume, "mountPath": f"/{volume}"}
            for volume in draw(st.lists(st.sampled_from(("data", "sock")), unique=True))
        ],
    }


@st.composite
def pods(draw: st.DrawFn) -> Object:
    """One or two containers, some volumes of the node."""
    volumes: Object = {"data": {"emptyDir": {}}, "sock": {"hostPath": {"path": "/var/run/docker.sock"}}}
    return {
        **dict.fromkeys(draw(st.sets(st.sampled_from(("hostNetwork", "hostPID")))), True),
        "volumes": [{"name": name, **volumes[name]} for name in draw(st.permutations(tuple(volumes)))],
        "containers": [draw(containers(name)) for name in draw(st.sampled_from((("app",), ("app", "side"))))],
    }


def workload(kind: str, metadata: Object, pod: Object) -> Object:
    """An object that bears pods."""
    labels = {"app": metadata["name"]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    match kind:
        case "Pod":
            return {"apiVersion": "v1", "kind": kind, "metadata": {**metadata, "labels": labels}, "spec": pod}
        case "CronJob":
            spec = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}}
            return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": spec}
        case _:
            spec = {"selector": {"matchLabels": labels}, "template": template}
            return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


@st.composite
def objects(draw: st.DrawFn) -> Object:
    """A workload, or one of the others."""
    name, space = draw(st.sampled_from(NAMES)), draw(st.sampled_from(SPACES))
    metadata = {"name": name, **({"namespace": space} if space else {})}
    kind = draw(
        st.sampled_from(("Deployment", "Pod", "CronJob", "StatefulSet", "Service", "ConfigMap", "Role", "Ingress"))
    )
    match kind:
        case "Service":
            spec: Object = {"type": draw(st.sampled_from(("NodePort", "ClusterIP"))), "selector": {"app": name}}
            return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": {**spec, "ports": [{"port": 80}]}}
        case "ConfigMap":
            data = draw(st.dictionaries(st.sampled_from(("password", "mode", "url")), st.just("s3cr3t-v4lu3")))
            return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data}
        case "Role":
            rules = draw(st.lists(st.sampled_from(RULES), min_size=1, max_size=2))
            version = "rbac.authorization.k8s.io/v1"
            return {"apiVersion": version, "kind": kind, "metadata": metadata, "rules": copy.deepcopy(rules)}
        case "Ingress":
            hosts = draw(st.lists(st.sampled_from(("a.example", "*.example", "b.example")), min_size=1, unique=True))
            spec = {
                "rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Exact"}]}} for host in hosts]
            }
            return {"apiVersion": "networking.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec}
        case _:
            return workload(kind, metadata, draw(pods()))


RULES: Sequence[Object] = (
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
)


def identity(each: Object) -> tuple[str, str, str]:
    """What must be unique in a source."""
    metadata = each["metadata"]
    return (each["kind"], metadata.get("namespace", ""), metadata["name"])


def trees(max_size: int = 4) -> st.SearchStrategy[list[Object]]:
    """Objects of one source."""
    return st.lists(objects(), min_size=1, max_size=max_size, unique_by=identity)


def folders(all_objects: Sequence[Object], prefix: str = "") -> Folder:
    """A file for each."""
    return {f"{prefix}{number}.yaml": [each] for number, each in enumerate(all_objects)}


def renamed(each: Object, old: str, new: str) -> Object:
    """The object with another word in all of its texts; keys stay."""
    word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(old)}(?![A-Za-z0-9])")

    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: changed(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [changed(inner) for inner in value]
        return word.sub(new, value) if isinstance(value, str) else value

    result = changed(each)
    assert isinstance(result, dict)
    return result


def as_json(objects_: Sequence[Object]) -> str:
    """A file, with another indent, in another style."""
    return "\n---\n".join(json.dumps(each, indent=7) for each in objects_)
