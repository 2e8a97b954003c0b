"""Audits in a line or two, for tests that need no scanner."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from model.audit import Audit, AuditedResource, Coverage, Result, ResultStatus, ScannerState, Score, Witness
from model.control import Severity, Subject
from model.finding import ScanStatus
from model.resource import Failure, Location, Precision, ResourceRef, Source, SourceKind, Stage

MANIFESTS = Source(id="manifests:.", kind=SourceKind.MANIFESTS, path=".", name="manifests", kube_version="1.34")


def location(path: str = "web.yaml", line: int = 1) -> Location:
    return Location(path=path, line=line, column=1, precision=Precision.EXACT)


def resource(name: str = "web", *, earned: int = 1, possible: int = 2, **fields: Any) -> AuditedResource:
    defaults: dict[str, Any] = {
        "id": f"manifests:.#Deployment.apps/-/{name}",
        "source": MANIFESTS.id,
        "ref": ResourceRef(group="apps", kind="Deployment", namespace="", name=name),
        "version": "v1",
        "digest": f"sha256:{name}",
        "location": location(f"{name}.yaml"),
        "score": Score(earned=earned, possible=possible),
    }
    return AuditedResource(**{**defaults, **fields})


def result(control: str = "run-as-non-root", of: AuditedResource | None = None, **fields: Any) -> Result:
    of = of or resource()
    defaults: dict[str, Any] = {
        "control": control,
        "severity": Severity.HIGH,
        "status": ResultStatus.FAILED,
        "resource": of.id,
        "subject": Subject.CONTAINER,
        "container": "app",
        "field": "spec.template.spec.containers[0].securityContext.runAsNonRoot",
        "message": "may run as root",
        "fingerprint": f"{control}:{of.ref.name}",
        "location": of.location,
        "witnesses": (Witness(scanner="native", rule=control, verdict=ResultStatus.FAILED),),
    }
    return Result(**{**defaults, **fields})


def failure(path: str = "broken.yaml", **fields: Any) -> Failure:
    defaults: dict[str, Any] = {
        "stage": Stage.PARSE,
        "path": path,
        "source": MANIFESTS.id,
        "digest": "sha256:broken",
        "reason": "it does not parse",
        "remedy": "Mend it.",
    }
    return Failure(**{**defaults, **fields})


def audit(
    resources: Iterable[AuditedResource] = (),
    results: Iterable[Result] = (),
    failures: Iterable[Failure] = (),
    **fields: Any,
) -> Audit:
    resources = tuple(resources)
    defaults: dict[str, Any] = {
        "tool_version": "0.1.0",
        "catalogue": "sha256:catalogue",
        "policy": "sha256:policy",
        "kube_version": "1.34",
        "scanners": (ScannerState(name="native", version="0.1.0", status=ScanStatus.OK),),
        "sources": (MANIFESTS,),
        "resources": resources,
        "results": tuple(results),
        "failures": tuple(failures),
        "coverage": Coverage(
            files=1, documents=1, resources=len(resources), excluded=(), not_judged=(), notes=(), drops=()
        ),
        "score": sum((each.score for each in resources), Score()),
    }
    return Audit(**{**defaults, **fields})
