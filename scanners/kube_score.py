"""kube-score: one start for each scope. One object that it cannot read ends its whole run, so that one is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from model.finding import OBJECT, Finding, Missing, Opinion, Scan
from model.resource import Resource
from process import Limits
from scanners.base import ScanContext, Scope
from scanners.copies import Copy, Identity, make_copies, write_copies
from scanners.runs import UnusableReport, answer, missing, read_report

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

Check = tuple[str, int, tuple[tuple[str, str], ...]]
"""Rule, grade, and (path, summary) of its comments."""


def supports(resource: Resource) -> bool:
    """Whether kube-score's parser knows this kind in this version."""
    return f"{resource.api_version} {resource.ref.kind}" in SUPPORTED


def scan(scopes: Sequence[Scope], context: ScanContext) -> Scan:
    """Each scope on its own, several at a time."""
    with ThreadPoolExecutor(max_workers=context.jobs) as pool:
        answers = list(pool.map(lambda scope: _scan_scope(scope, context), scopes))
    opinions = {resource: opinion for seen, _, _ in answers for resource, opinion in seen.items()}
    absent = {resource: why for _, unseen, _ in answers for resource, why in unseen.items()}
    return answer(NAME, context, opinions=opinions, absent=absent, raw_findings=sum(raw for _, _, raw in answers))


def _scan_scope(scope: Scope, context: ScanContext) -> tuple[dict[Resource, Opinion], dict[Resource, Missing], int]:
    """Opinions, absent resources, and the raw number of findings."""
    copies = make_copies(filter(supports, scope.resources))
    absent: dict[Resource, Missing] = {}
    try:
        checks = _run_without_offenders(copies, context, absent)
    except UnusableReport as error:
        return {}, {copy.resource: missing(NAME, error.reason) for copy in copies}, 0
    opinions = {}
    for copy in copies:
        if copy.identity in checks:
            opinions[copy.resource] = _opinion(copy, checks[copy.identity])
        elif copy.resource not in absent:
            absent[copy.resource] = missing(NAME, "kube-score printed nothing about this object")
    raw = sum(max(1, len(comments)) for rows in checks.values() for _, grade, comments in rows if grade in GRADES)
    return opinions, absent, raw


def _run_without_offenders(
    copies: Sequence[Copy], context: ScanContext, absent: dict[Resource, Missing]
) -> dict[Identity, list[Check]]:
    """The report; objects that end the run are found by halving, put into ``absent``, and left out."""
    if not copies:
        return {}
    try:
        return _parse(_run(copies, context))
    except UnusableReport as error:
        if not error.splittable:
            raise
    offenders = dict(_offenders(copies, context))
    absent.update({copy.resource: missing(NAME, reason) for copy, reason in offenders.items()})
    rest = [copy for copy in copies if copy not in offenders]
    return _parse(_run(rest, context)) if rest else {}


def _offenders(copies: Sequence[Copy], context: ScanContext) -> Iterator[tuple[Copy, str]]:
    """Objects that kube-score cannot read, with its reason."""
    try:
        _run(copies, context)
    except UnusableReport as error:
        if len(copies) == 1 or not error.splittable:
            yield from ((copy, error.reason) for copy in copies)
        else:
            middle = len(copies) // 2
            yield from _offenders(copies[:middle], context)
            yield from _offenders(copies[middle:], context)


def _run(copies: Sequence[Copy], context: ScanContext) -> Any:  # noqa: ANN401 JSON of somebody else
    with context.sandbox.folder(NAME) as folder:
        write_copies(copies, folder)
        finished = context.sandbox.run(
            _command(context.toolbox.path(NAME), context.kube_version, [copy.file for copy in copies]),
            cwd=folder,
            limits=Limits(seconds=context.timeout),
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


def _opinion(copy: Copy, checks: Sequence[Check]) -> Opinion:
    keys = {container.key for container in copy.resource.containers}
    findings = [
        Finding(rule=rule, container=path if path in keys else OBJECT, message=summary, severity=GRADES[grade])
        for rule, grade, comments in checks
        if grade in GRADES
        for path, summary in comments or ((OBJECT, rule),)
    ]
    rules = frozenset(rule for rule, grade, _ in checks if grade == GRADE_OK)
    return Opinion(findings=tuple(findings), passed=dict.fromkeys((OBJECT, *copy.inspected), rules))
