"""Trivy: document by document, so that equal ones are judged once for all scopes and both sides, in bounded batches."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model.finding import OBJECT, Drop, Finding, Missing, Opinion, Scan
from model.resource import Resource
from model.values import mapping
from process import Finished, Limits
from scanners.base import ScanContext, Scope
from scanners.copies import INSPECTED, Copy, make_copies, write_copies
from scanners.runs import (
    Answer,
    UnusableReport,
    answer,
    look_at_all,
    look_without_offenders,
    not_shown,
    read_report,
    strays,
)

NAME: str = "trivy"
TOOL: str | None = "trivy"
BATCH = 200
"""Documents for one start: larger ones are no faster, and take more memory (200: 310 MiB, 800: 850 MiB)."""

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
SELECTS: Mapping[str, frozenset[str]] = {
    **{f"KSV-{id_}": kinds for ids, kinds in _SELECTORS for id_ in ids},
    **{f"KCV-{number:04}": frozenset({"nodeinfo"}) for number in range(48, 93)},
}
"""Kinds that switch a check on, for the whole run (trivy-checks, ``input.selector``); other ids always run."""
OTHER_KIND = "Trivy chose the check for another object of the same run; it is not about this kind"
TWICE = "Trivy reports the same twice"
ENDED = "the check crashes on such an object, and what it says depends on the other objects of the run"
BLINDED = "a container has a securityContext that is no mapping: Trivy passes such a container on every check"
JOINED = "Trivy reports a host port at every container of the pod, not only at the one that has it"

CRASHING = "KSV-0109"
"""Crashes where a line that looks like a secret holds both of its delimiters (``configMap_with_secrets.rego``)."""
_SECRET = re.compile(
    r"(?:pass|password|pword|passphrase|passwrd|passwd|secret|secretkey|aws_access_key_id|pswrd|token|pwd)\s*[=:]",
    re.IGNORECASE,
)
CRASHED = "Error occurred while applying rule from check"
"""In Trivy's log: that check is silent about every object of the run."""
SPLITS = 32
"""How often a batch in which a check crashed may be split; where it is still silent then, it has not judged."""

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
    copies = [
        replace(make_copies(equals[:1])[0], file=f"o{number:06}.yaml")
        for number, equals in enumerate(alike.values(), 1)
    ]
    looked_at = [copy for copy in copies if not _is_blinding(copy)]
    groups = [[copy for copy in looked_at if _ends_a_check(copy) is ends] for ends in (False, True)]
    batches = [group[start : start + BATCH] for group in groups for start in range(0, len(group), BATCH)]
    blinding = {copy: BLINDED for copy in copies if _is_blinding(copy)}
    unseen = {equal: not_shown(NAME, blinding, copy) for copy in blinding for equal in alike[copy.resource.digest]}
    parts = look_at_all(NAME, context, batches, lambda batch: _scan_batch(batch, alike, context), len)
    return answer(NAME, context, [*parts, Answer(opinions={}, missing=unseen, raw_findings=0)])


def _is_blinding(copy: Copy) -> bool:
    """Whether it has a container that Trivy looks at and cannot see."""
    if copy.resource.ref.kind.lower() not in _POD_BEARERS:
        return False
    seen = (container.value for container in copy.resource.containers if container.kind in INSPECTED)
    return any(not isinstance(container.get("securityContext"), dict | None) for container in seen)


def _ends_a_check(copy: Copy) -> bool:
    """Whether CRASHING may crash on it, which keeps it from judging any other object of the same run."""
    if copy.resource.ref.kind != "ConfigMap":
        return False
    values = mapping(copy.resource.value.get("data")).values()
    lines = (line for value in values if isinstance(value, str) for line in value.split("\n"))
    return any(":" in line and "=" in line and _SECRET.search(line) for line in lines)


def _scan_batch(copies: Sequence[Copy], alike: Mapping[str, Sequence[Resource]], context: ScanContext) -> Answer:
    """What Trivy says of these copies, for all objects that are ``alike`` by their digest."""
    verdicts, offenders = look_without_offenders(copies, lambda some: _verdicts(some, context, iter(range(SPLITS))))
    opinions: dict[Resource, Opinion] = {}
    absent: dict[Resource, Missing] = {}
    raw = 0
    for copy in copies:
        equals, rows = alike[copy.resource.digest], verdicts.get(copy.file)
        if rows is None:
            absent.update(dict.fromkeys(equals, not_shown(NAME, offenders, copy)))
        else:
            opinions.update(dict.fromkeys(equals, _opinion(copy, rows)))
            raw += len(_failing(rows)) * len(equals)
    foreign = [rule for file in verdicts.keys() - {copy.file for copy in copies} for rule in _failing(verdicts[file])]
    return Answer(opinions=opinions, missing=absent, strays=strays(NAME, foreign), raw_findings=raw + len(foreign))


def _verdicts(copies: Sequence[Copy], context: ScanContext, splits: Iterator[int]) -> dict[str, list[Verdict]]:
    """Verdicts by file; where a check crashed unexpectedly, in two halves, so that it is silent about few."""
    finished = _run(copies, context)
    verdicts = _parse(read_report(NAME, finished))
    unexpected = CRASHED in finished.stderr and not _ends_a_check(copies[0])
    if len(copies) == 1 or not unexpected or next(splits, None) is None:
        return verdicts
    middle = len(copies) // 2
    return {**_verdicts(copies[:middle], context, splits), **_verdicts(copies[middle:], context, splits)}


def _run(copies: Sequence[Copy], context: ScanContext) -> Finished:
    with context.sandbox.folder(NAME) as folder:
        objects, cache = folder / "objects", folder / "cache"
        objects.mkdir()
        write_copies(copies, objects)
        return context.sandbox.run(
            _command(context.toolbox.path(NAME), cache, context.kube_version, objects),
            cwd=folder,
            limits=Limits(seconds=context.timeout),
            about=f"{len(copies)} different objects",
        )


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


def _failing(verdicts: Sequence[Verdict]) -> list[str]:
    """Rules that failed, as often as they did."""
    return [verdict.rule for verdict in verdicts if not verdict.passed]


def _opinion(copy: Copy, verdicts: Sequence[Verdict]) -> Opinion:
    findings, drops = [], []
    seen: set[tuple[str, int, str]] = set()
    for verdict in verdicts:
        if verdict.passed:
            continue
        if reason := _why_not(copy, verdict, seen):
            drops.append(Drop(scanner=NAME, rule=verdict.rule, reason=reason))
        else:
            findings.append(_finding(copy, verdict))
    passed = frozenset(verdict.rule for verdict in verdicts if verdict.passed and _unheard(copy, verdict) is None)
    subjects = (OBJECT, *copy.inspected)
    return Opinion(findings=tuple(findings), passed=dict.fromkeys(subjects, passed), drops=tuple(drops))


def _unheard(copy: Copy, verdict: Verdict) -> str | None:
    """Why a verdict, whichever it is, is none about this object; None where it is one."""
    kinds = SELECTS.get(verdict.rule)
    if kinds is not None and copy.resource.ref.kind.lower() not in kinds:
        return OTHER_KIND
    return ENDED if verdict.rule == CRASHING and _ends_a_check(copy) else None


def _why_not(copy: Copy, verdict: Verdict, seen: set[tuple[str, int, str]]) -> str | None:
    """Why a failed verdict is none about this subject, or repeats another; None, and remembered, where it is one."""
    if reason := _unheard(copy, verdict):
        return reason
    if verdict.rule == "KSV-0024" and _named(copy, verdict) not in {None, copy.lines.get(verdict.line)}:
        return JOINED
    key = (verdict.rule, verdict.line, "" if verdict.rule == "KSV-0120" else verdict.message)
    if key in seen:
        return TWICE
    seen.add(key)
    return None


def _finding(copy: Copy, verdict: Verdict) -> Finding:
    return Finding(
        rule=verdict.rule,
        container=copy.lines.get(verdict.line) or _named(copy, verdict) or OBJECT,
        message=_message(verdict),
        severity=verdict.severity,
    )


def _named(copy: Copy, verdict: Verdict) -> str | None:
    """The container that the message names; KSV-0118 names the object there."""
    named = CONTAINER.match(verdict.message) if verdict.rule != "KSV-0118" else None
    return named["name"] if named and named["name"] in copy.lines.values() else None


def _message(verdict: Verdict) -> str:
    """The message where it can hold no value of the manifest, else the title of the check."""
    if verdict.rule in SECRETIVE or not HARMLESS.fullmatch(verdict.message):
        return verdict.title
    return verdict.message
