"""Trivy: document by document, so that equal ones are judged once for all scopes and both sides, in bounded batches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model.finding import OBJECT, Drop, Finding, Opinion, Scan
from model.resource import Resource
from model.values import Json, mapping, text
from process import Finished, Limits
from scanners.base import ScanContext, Scope
from scanners.copies import INSPECTED, Copy, make_copies, write_copies
from scanners.pieces import Piece, Start
from scanners.remembering import judge, pieces_of
from scanners.runs import GO, Answer, Judged, UnusableReport, look_without_offenders, not_shown, read_report, strays

NAME: str = "trivy"
TOOL: str | None = "trivy"
BATCH = 200
"""Documents for one start: larger ones are no faster, and take more memory (200: 310 MiB, 800: 850 MiB)."""
FEWEST = 48
"""Documents of a start that runs beside others: 30 take as long as the start itself."""

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
TWICE = "Trivy reports the same twice"
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
LEFT_OUT = " bytes left out]"
"""In a log that is too long to be kept whole (``process/watching.py``): a crash may have stood there."""
CRASHING_FILE = "/configMap_with_secrets.rego"
"""Names CRASHING there."""
SPLITS = 32
"""How often a batch in which a check crashed may be split; where it is still silent then, it has not judged."""

PANICKING = frozenset({("CronJob", "batch/v1beta1"), ("CronJob", "batch/v2alpha1")})
"""Kinds and versions that end Trivy; that the version is no longer served the native checker says."""

SECRETIVE = frozenset({"KSV-0109", "KSV-01010", "KSV-0120"})
"""Their messages hold values of the manifest."""
HARMLESS = re.compile(r"[^{}\n]{1,300}")
"""Whole objects are printed with braces."""
CONTAINER = re.compile(r"^[Cc]ontainer [\"']?(?P<name>[^\"'\s]+?)[\"']? (?:of|in) ")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Verdict:
    """One row of Trivy's report."""

    rule: str
    passed: bool
    line: int
    """0 where Trivy says none."""
    message: str
    title: str
    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a run says of one file."""

    verdicts: Sequence[Verdict]
    whole: bool
    """Whether no check was silent that may have been expected to speak."""


def supports(resource: Resource) -> bool:  # noqa: ARG001 the Protocol's signature
    """Trivy takes every document with apiVersion, kind and metadata; in the copy all have them."""
    return True


def scan(scopes: Sequence[Scope], context: ScanContext) -> Scan:
    """Object by object: Trivy never looks across them, and equal ones are looked at once."""
    command = _command(Path(NAME), Path("cache"), context.kube_version, Path("objects"))
    each = ((resource,) for scope in scopes for resource in scope.resources)
    pieces = pieces_of(NAME, context, command, __file__, each)
    return judge(
        NAME, context, pieces, lambda new: _batches(new, context.jobs), lambda copies: _scan_batch(copies, context)
    )


def _batches(pieces: Sequence[Piece], jobs: int) -> Iterator[Start]:
    """As many as can run at the same time, more where one would be too large; apart those on which a check ends."""
    made = [(piece, copy) for piece in pieces for copy in make_copies(piece.resources)]
    for ends in (False, True):
        group = [(piece, copy) for piece, copy in made if _ends_a_check(copy.resource.value) is ends]
        starts = max(1, min(jobs, len(group) // FEWEST))
        size = min(BATCH, max(1, -(-len(group) // starts)))
        for first in range(0, len(group), size):
            batch = group[first : first + size]
            copies = (replace(copy, file=f"o{number:06}.yaml") for number, (_, copy) in enumerate(batch, 1))
            yield Start(pieces=tuple(piece for piece, _ in batch), copies=tuple(copies))


def _is_blinding(copy: Copy) -> bool:
    """Whether it has a container that Trivy looks at and cannot see."""
    if copy.resource.ref.kind.lower() not in _POD_BEARERS:
        return False
    seen = (container.value for container in copy.resource.containers if container.kind in INSPECTED)
    return any(not isinstance(container.get("securityContext"), dict | None) for container in seen)


def _ends_a_check(value: Mapping[str, Json]) -> bool:
    """Whether CRASHING may crash on an object, which keeps it from judging any other of the same run."""
    if value.get("kind") != "ConfigMap":
        return False
    values = mapping(value.get("data")).values()
    lines = (line for value in values if isinstance(value, str) for line in value.split("\n"))
    return any(":" in line and "=" in line and _SECRET.search(line) for line in lines)


def _scan_batch(copies: Sequence[Copy], context: ScanContext) -> Answer:
    """What Trivy says of these copies."""
    blinding = {copy: BLINDED for copy in copies if _is_blinding(copy)}
    seen = [copy for copy in copies if copy not in blinding]
    told, offenders = look_without_offenders(seen, lambda some: _told(some, context, iter(range(SPLITS))))
    silent = {**offenders, **blinding}
    ours = {copy.file for copy in copies}
    foreign = [rule for file in told.keys() - ours for rule in _failing(told[file].verdicts)]
    return Answer(
        judged={copy.resource: _judged(copy, told[copy.file]) for copy in copies if copy.file in told},
        missing={copy.resource: not_shown(NAME, silent, copy) for copy in copies if copy.file not in told},
        strays=strays(NAME, foreign),
    )


def _told(copies: Sequence[Copy], context: ScanContext, splits: Iterator[int]) -> dict[str, Told]:
    """What is told by file; where a check crashed unexpectedly, in two halves, so that it is silent about few."""
    finished = _run(copies, context)
    verdicts = _parse(read_report(NAME, finished))
    whole = not _is_silent(finished.stderr, copies[0])
    if len(copies) == 1 or whole or next(splits, None) is None:
        return {file: Told(verdicts=rows, whole=whole) for file, rows in verdicts.items()}
    middle = len(copies) // 2
    return {**_told(copies[:middle], context, splits), **_told(copies[middle:], context, splits)}


def _is_silent(log: str, copy: Copy) -> bool:
    """Whether a check has crashed, or may have, other than the one that is known to crash on such objects."""
    known = _ends_a_check(copy.resource.value)
    crashes = [line for line in log.splitlines() if CRASHED in line]
    return LEFT_OUT in log or any(not (known and CRASHING_FILE in line) for line in crashes)


def _served(copy: Copy) -> Copy:
    """A CronJob in the version that clusters serve: on the one before Trivy panics (0.74.0, "index out of range")."""
    if (copy.resource.ref.kind, copy.resource.api_version) not in PANICKING:
        return copy
    return replace(copy, text=copy.text.replace(f'"{copy.resource.api_version}"', '"batch/v1"', 1))


def _run(copies: Sequence[Copy], context: ScanContext) -> Finished:
    with context.sandbox.folder(NAME) as folder:
        objects, cache = folder / "objects", folder / "cache"
        objects.mkdir()
        write_copies([_served(copy) for copy in copies], objects)
        return context.sandbox.run(
            _command(context.toolbox.path(NAME), cache, context.kube_version, objects),
            cwd=folder,
            limits=Limits(seconds=context.timeout),
            environment=GO,
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
    """Verdicts by file, sorted: Trivy's own order is another one each time. Raises UnusableReport for another shape."""
    try:
        return {
            row["Target"]: sorted(_verdict(found) for found in row.get("Misconfigurations") or ())
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


def _judged(copy: Copy, told: Told) -> Judged:
    raw = sum(is_about(copy.resource.value, rule) for rule in _failing(told.verdicts))
    return Judged(opinion=_opinion(copy, told.verdicts), raw_findings=raw, whole=told.whole)


def _opinion(copy: Copy, verdicts: Sequence[Verdict]) -> Opinion:
    heard = [verdict for verdict in verdicts if is_about(copy.resource.value, verdict.rule)]
    findings, drops = [], []
    seen: set[tuple[str, int, str]] = set()
    for verdict in heard:
        if verdict.passed:
            continue
        if reason := _why_not(copy, verdict, seen):
            drops.append(Drop(scanner=NAME, rule=verdict.rule, reason=reason))
        else:
            findings.append(_finding(copy, verdict))
    passed = frozenset(verdict.rule for verdict in heard if verdict.passed)
    subjects = (OBJECT, *copy.inspected)
    return Opinion(findings=tuple(findings), passed=dict.fromkeys(subjects, passed), drops=tuple(drops))


def is_about(value: Mapping[str, Json], rule: str) -> bool:
    """Whether a verdict is one about this object, whatever else is in the run.

    Trivy chooses its checks by all objects of a run, and applies them to all. Such verdicts are not even raw findings:
    there are others of them in each batch.
    """
    kinds = SELECTS.get(rule)
    if kinds is not None and text(value.get("kind")).lower() not in kinds:
        return False
    return rule != CRASHING or not _ends_a_check(value)


def _why_not(copy: Copy, verdict: Verdict, seen: set[tuple[str, int, str]]) -> str | None:
    """Why a failed verdict is none about this subject, or repeats another; None, and remembered, where it is one."""
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
