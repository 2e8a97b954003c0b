"""Trivy: document by document, so that equal ones are judged once for all scopes and both sides, in bounded batches."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.finding import OBJECT, Drop, Finding, Missing, Opinion, Scan
from model.resource import Resource
from process import Limits
from scanners.base import ScanContext, Scope
from scanners.copies import Copy, make_copies
from scanners.runs import UnusableReport, answer, missing, read_report

NAME: str = "trivy"
TOOL: str | None = "trivy"
BATCH = 400
"""Documents for one start: its report takes about 27 KB a document, and memory grows with it."""

_POD_BEARERS = frozenset(
    {
        "cronjob",
        "daemonset",
        "deployment",
        "deploymentconfig",
        "job",
        "pod",
        "replicaset",
        "replicationcontroller",
        "statefulset",
    }
)
_OF_PODS = tuple(
    f"{number:04}"
    for numbers in (range(1, 19), range(20, 29), (30,), range(32, 36), (103, 104, 110), range(116, 122), (125,))
    for number in numbers
)
_SELECTORS: Sequence[tuple[tuple[str, ...], frozenset[str]]] = (
    (_OF_PODS, _POD_BEARERS),
    (("0039",), frozenset({"limitrange"})),
    (("0040",), frozenset({"resourcequota"})),
    (("0041", "0046"), frozenset({"clusterrole"})),
    (("0112", "0113"), frozenset({"role"})),
    (("0108",), frozenset({"service"})),
    (("0109", "01010"), frozenset({"configmap"})),
    (("0042", "0048", "0049", "0050", "0053", "0056", "0114", "0115"), frozenset({"clusterrole", "role"})),
    (("0111", "0122", "0123", "01011"), frozenset({"rolebinding", "clusterrolebinding"})),
)
SELECTS: Mapping[str, frozenset[str]] = {f"KSV-{id_}": kinds for ids, kinds in _SELECTORS for id_ in ids}
"""Kinds that switch a check on, for the whole run (trivy-checks, ``input.selector``); other ids always run."""
OTHER_KIND = "Trivy chose the check for another object of the same run; it is not about this kind"
TWICE = "Trivy reports the same twice"

SECRETIVE = frozenset({"KSV-0109", "KSV-01010", "KSV-0120"})
"""Their messages hold values of the manifest."""
HARMLESS = re.compile(r"[^{}\n]{1,300}")
"""Whole objects are printed with braces."""
CONTAINER = re.compile(r"^[Cc]ontainer [\"']?(?P<name>[^\"'\s]+?)[\"']? (?:of|in) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One row of Trivy's report."""

    rule: str
    passed: bool
    line: int
    """0 where Trivy says none."""
    message: str
    title: str
    severity: str


def supports(resource: Resource) -> bool:  # noqa: ARG001 the Protocol's signature
    """Trivy takes every document with apiVersion, kind and metadata; in the copy all have them."""
    return True


def scan(scopes: Sequence[Scope], context: ScanContext) -> Scan:
    """All scopes together: Trivy never looks across objects."""
    alike: dict[str, list[Resource]] = defaultdict(list)
    for scope in scopes:
        for resource in scope.resources:
            alike[resource.digest].append(resource)
    copies = [make_copies([resources[0]])[0] for resources in alike.values()]
    batches = (copies[start : start + BATCH] for start in range(0, len(copies), BATCH))
    opinions: dict[Resource, Opinion] = {}
    absent: dict[Resource, Missing] = {}
    raw = 0
    for copy, said in (row for batch in batches for row in _scan_batch(batch, context)):
        for resource in alike[copy.resource.digest]:
            if isinstance(said, Missing):
                absent[resource] = said
            else:
                opinions[resource] = _opinion(copy, resource, said)
                raw += sum(not verdict.passed for verdict in said)
    return answer(NAME, context, opinions=opinions, absent=absent, raw_findings=raw)


def _scan_batch(copies: Sequence[Copy], context: ScanContext) -> Iterator[tuple[Copy, list[Verdict] | Missing]]:
    """What Trivy says of each; a batch that it does not survive is halved until the object is found."""
    named = [(f"d{number:06}.yaml", copy) for number, copy in enumerate(copies)]
    try:
        verdicts = _parse(_run(named, context))
    except UnusableReport as error:
        if len(copies) == 1 or not error.splittable:
            yield from ((copy, missing(NAME, error.reason)) for copy in copies)
        else:
            middle = len(copies) // 2
            yield from _scan_batch(copies[:middle], context)
            yield from _scan_batch(copies[middle:], context)
        return
    for file, copy in named:
        yield copy, verdicts.get(file, missing(NAME, "Trivy printed nothing about this object"))


def _run(named: Sequence[tuple[str, Copy]], context: ScanContext) -> Any:  # noqa: ANN401 JSON of somebody else
    with context.sandbox.folder(NAME) as folder:
        objects, cache = folder / "objects", folder / "cache"
        objects.mkdir()
        for file, copy in named:
            (objects / file).write_text(copy.text, encoding="utf-8")
        finished = context.sandbox.run(
            _command(context.toolbox.path(NAME), cache, context.kube_version, objects),
            cwd=folder,
            limits=Limits(seconds=context.timeout),
        )
    return read_report(NAME, finished)


def _command(binary: Path, cache: Path, kube_version: str, objects: Path) -> tuple[str, ...]:
    return (
        str(binary),
        "config",
        "--format",
        "json",
        "--cache-dir",
        str(cache),
        "--skip-check-update",
        "--skip-version-check",
        "--disable-telemetry",
        "--misconfig-scanners",
        "kubernetes",
        "--include-non-failures",
        "--k8s-version",
        f"{kube_version}.0",
        str(objects),
    )


def _parse(report: Any) -> dict[str, list[Verdict]]:  # noqa: ANN401 JSON of somebody else
    """Verdicts by file. Raises UnusableReport for another shape."""
    try:
        return {
            row["Target"]: [_verdict(found) for found in row.get("Misconfigurations") or ()]
            for row in report.get("Results") or ()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise UnusableReport(f"Trivy printed a report of an unknown shape ({error!r})", splittable=False) from error


def _verdict(found: Mapping[str, Any]) -> Verdict:
    return Verdict(
        rule=found["ID"],
        passed=found["Status"] == "PASS",
        line=found["CauseMetadata"].get("StartLine", 0),
        message=found["Message"],
        title=found["Title"],
        severity=found["Severity"],
    )


def _opinion(copy: Copy, resource: Resource, verdicts: Sequence[Verdict]) -> Opinion:
    """``resource`` is equal to the copied one: containers and keys are the same."""
    findings, drops, seen = [], [], set()
    kind = resource.ref.kind.lower()
    passed = set()
    for verdict in verdicts:
        selected = verdict.rule not in SELECTS or kind in SELECTS[verdict.rule]
        if verdict.passed:
            if selected:
                passed.add(verdict.rule)
        elif not selected:
            drops.append(Drop(scanner=NAME, rule=verdict.rule, reason=OTHER_KIND))
        elif (verdict.rule, verdict.line, verdict.message) in seen:
            drops.append(Drop(scanner=NAME, rule=verdict.rule, reason=TWICE))
        else:
            seen.add((verdict.rule, verdict.line, verdict.message))
            findings.append(_finding(copy, verdict))
    rules = frozenset(passed)
    subjects = (OBJECT, *copy.inspected)
    return Opinion(findings=tuple(findings), passed=dict.fromkeys(subjects, rules), drops=tuple(drops))


def _finding(copy: Copy, verdict: Verdict) -> Finding:
    return Finding(
        rule=verdict.rule, container=_container(copy, verdict), message=_message(verdict), severity=verdict.severity
    )


def _container(copy: Copy, verdict: Verdict) -> str:
    """By the line, which is right; else by the message, if it names one of the containers."""
    if verdict.line in copy.lines:
        return copy.lines[verdict.line]
    named = CONTAINER.match(verdict.message)
    return named["name"] if named and named["name"] in copy.lines.values() else OBJECT


def _message(verdict: Verdict) -> str:
    """The message where it can hold no value of the manifest, else the title of the check."""
    if verdict.rule in SECRETIVE or not HARMLESS.fullmatch(verdict.message):
        return verdict.title
    return verdict.message
