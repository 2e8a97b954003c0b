"""kube-score looks across objects (see ``scanners/sharing.py``). What it cannot read ends its run, and is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.finding import OBJECT, Finding, Opinion, Scan
from model.resource import ContainerKind, Resource
from process import Limits
from scanners.base import ScanContext, Scope
from scanners.copies import INSPECTED, Copy, Identity, write_copies
from scanners.remembering import judge, pieces_of
from scanners.runs import Answer, Judged, UnusableReport, look_without_offenders, not_shown, read_report, strays
from scanners.sharing import share

NAME: str = "kube-score"
TOOL: str | None = "kube-score"
SUPPORTED = frozenset(
    {
        "v1 Pod",
        "v1 Service",
        "apps/v1 DaemonSet",
        "apps/v1 Deployment",
        "apps/v1 StatefulSet",
        "apps/v1beta1 Deployment",
        "apps/v1beta1 StatefulSet",
        "apps/v1beta2 DaemonSet",
        "apps/v1beta2 Deployment",
        "apps/v1beta2 StatefulSet",
        "autoscaling/v1 HorizontalPodAutoscaler",
        "autoscaling/v2 HorizontalPodAutoscaler",
        "autoscaling/v2beta1 HorizontalPodAutoscaler",
        "autoscaling/v2beta2 HorizontalPodAutoscaler",
        "batch/v1 CronJob",
        "batch/v1 Job",
        "batch/v1beta1 CronJob",
        "extensions/v1beta1 DaemonSet",
        "extensions/v1beta1 Deployment",
        "extensions/v1beta1 Ingress",
        "networking.k8s.io/v1 Ingress",
        "networking.k8s.io/v1 NetworkPolicy",
        "networking.k8s.io/v1beta1 Ingress",
        "policy/v1 PodDisruptionBudget",
        "policy/v1beta1 PodDisruptionBudget",
    }
)
"""What its parser knows (kube-score ``parser/parse.go``); everything else it ignores without a word."""
GRADES = {1: "critical", 5: "warning"}
"""Grades that are findings; 7 is neither finding nor pass."""
GRADE_OK = 10
OF_CONTAINERS = ("container-", "environment-variable-")
"""Checks whose comments stand under a container; others have labels or paths there."""
MAIN_ONLY = frozenset({"container-seccomp-profile"})
"""Checks that do not look at init containers (kube-score ``score/security/security.go``)."""

Check = tuple[str, int, tuple[tuple[str, str], ...]]
"""Rule, grade, and (path, summary) of its comments."""


def supports(resource: Resource) -> bool:
    """Whether kube-score's parser knows this kind in this version."""
    return f"{resource.api_version} {resource.ref.kind}" in SUPPORTED


def scan(scopes: Sequence[Scope], context: ScanContext) -> Scan:
    """Small scopes share a start, several starts at a time; equal ones are looked at once."""
    command = _command(Path(NAME), context.kube_version, ())
    supported = (filter(supports, scope.resources) for scope in scopes)
    pieces = pieces_of(NAME, context, command, __file__, supported)
    return judge(NAME, context, pieces, share, lambda copies: _scan_copies(copies, context))


def _scan_copies(copies: Sequence[Copy], context: ScanContext) -> Answer:
    checks, offenders = look_without_offenders(copies, lambda some: _parse(_run(some, context)))
    ours = {copy.identity for copy in copies}
    return Answer(
        judged={copy.resource: _judged(copy, checks[copy.identity]) for copy in copies if copy.identity in checks},
        missing={copy.resource: not_shown(NAME, offenders, copy) for copy in copies if copy.identity not in checks},
        strays=strays(NAME, (rule for identity in checks.keys() - ours for rule in _failing(checks[identity]))),
    )


def _run(copies: Sequence[Copy], context: ScanContext) -> Any:  # noqa: ANN401 JSON of somebody else
    with context.sandbox.folder(NAME) as folder:
        write_copies(copies, folder)
        finished = context.sandbox.run(
            _command(context.toolbox.path(NAME), context.kube_version, [copy.file for copy in copies]),
            cwd=folder,
            limits=Limits(seconds=context.timeout),
            about=copies[0].resource.source,
        )
    return read_report(NAME, finished)


def _command(binary: Path, kube_version: str, files: Sequence[str]) -> tuple[str, ...]:
    return (
        str(binary),
        "score",
        "--output-format",
        "json",
        "--output-version",
        "v2",
        "--kubernetes-version",
        f"v{kube_version}",
        "--all-default-optional",
        "--disable-ignore-checks-annotations",
        "--disable-optional-checks-annotations",
        *files,
    )


def _parse(report: Any) -> dict[Identity, list[Check]]:  # noqa: ANN401 JSON of somebody else
    """Checks that were not skipped, by (kind, namespace, name). Raises UnusableReport for another shape."""
    checks: dict[Identity, list[Check]] = defaultdict(list)
    try:
        for row in report or ():
            meta = row["object_meta"]
            identity = (row["type_meta"]["kind"], meta.get("namespace") or "", meta["name"])
            for check in row["checks"]:
                comments = tuple((note["path"], note["summary"]) for note in check["comments"] or ())
                if not check["skipped"]:
                    checks[identity].append((check["check"]["id"], check["grade"], comments))
            checks[identity].sort()
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"kube-score printed a report of an unknown shape ({error!r})"
        raise UnusableReport(reason, splittable=False) from error
    return checks


def _failing(checks: Sequence[Check]) -> list[str]:
    """Rules that failed, once for each comment that says where."""
    return [rule for rule, grade, comments in checks if grade in GRADES for _ in comments or (None,)]


def _judged(copy: Copy, checks: Sequence[Check]) -> Judged:
    return Judged(opinion=_opinion(copy, checks), raw_findings=len(_failing(checks)))


def _opinion(copy: Copy, checks: Sequence[Check]) -> Opinion:
    keys = {container.key for container in copy.resource.containers}
    findings = [
        Finding(
            rule=rule,
            container=path if path in keys and rule.startswith(OF_CONTAINERS) else OBJECT,
            message=summary,
            severity=GRADES[grade],
        )
        for rule, grade, comments in checks
        if grade in GRADES
        for path, summary in comments or ((OBJECT, rule),)
    ]
    rules = frozenset(rule for rule, grade, _ in checks if grade == GRADE_OK)
    of_init = rules - MAIN_ONLY
    passed = {
        container.key: of_init if container.kind is ContainerKind.INIT else rules
        for container in copy.resource.containers
        if container.kind in INSPECTED
    }
    return Opinion(findings=tuple(findings), passed={OBJECT: rules, **passed})
