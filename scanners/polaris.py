"""Polaris looks across objects (see ``scanners/sharing.py``), and its report names objects, never files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from model.finding import OBJECT, Drop, Finding, Opinion, Scan
from model.resource import Resource
from process import Limits
from scanners.base import ScanContext, Scope
from scanners.copies import Copy, Identity, write_copies
from scanners.remembering import judge, pieces_of
from scanners.runs import GO, Answer, Judged, UnusableReport, look_without_offenders, not_shown, read_report, strays
from scanners.sharing import share

NAME: str = "polaris"
TOOL: str | None = "polaris"
ABOUT_NAMES = frozenset({"metadataAndInstanceMismatched"})
"""Rules whose verdict depends on the object's name."""
RENAMED = "the object has another name in the copy that Polaris read"

Verdict = tuple[str, str, bool, str, str]
"""Container (or ``OBJECT``), rule, whether it passed, message, severity."""


def supports(resource: Resource) -> bool:  # noqa: ARG001 the Protocol's signature
    """Polaris lists every object with a name; in the copy all have one."""
    return True


def scan(scopes: Sequence[Scope], context: ScanContext) -> Scan:
    """Small scopes share a start, several starts at a time; equal ones are looked at once."""
    command = _command(Path(NAME), Path("objects"))
    supported = (filter(supports, scope.resources) for scope in scopes)
    pieces = pieces_of(NAME, context, command, __file__, supported)
    return judge(NAME, context, pieces, share, lambda copies: _scan_copies(copies, context))


def _scan_copies(copies: Sequence[Copy], context: ScanContext) -> Answer:
    verdicts, offenders = look_without_offenders(copies, lambda some: _parse(_run(some, context)))
    ours = {copy.identity for copy in copies}
    return Answer(
        judged={copy.resource: _judged(copy, verdicts[copy.identity]) for copy in copies if copy.identity in verdicts},
        missing={copy.resource: not_shown(NAME, offenders, copy) for copy in copies if copy.identity not in verdicts},
        strays=strays(NAME, (rule for identity in verdicts.keys() - ours for rule in _failing(verdicts[identity]))),
    )


def _run(copies: Sequence[Copy], context: ScanContext) -> Any:  # noqa: ANN401 JSON of somebody else
    with context.sandbox.folder(NAME) as folder:
        objects = folder / "objects"
        objects.mkdir()
        write_copies(copies, objects)
        finished = context.sandbox.run(
            _command(context.toolbox.path(NAME), objects),
            cwd=folder,
            limits=Limits(seconds=context.timeout),
            environment=GO,
            about=copies[0].resource.source,
        )
    return read_report(NAME, finished)


def _command(binary: Path, objects: Path) -> tuple[str, ...]:
    return (
        str(binary),
        "audit",
        "--audit-path",
        str(objects),
        "--format",
        "json",
        "--disallow-exemptions",
    )


def _parse(report: Any) -> dict[Identity, list[Verdict]]:  # noqa: ANN401 JSON of somebody else
    """Verdicts by (kind, namespace, name). Raises UnusableReport for another shape."""
    shown: dict[Identity, list[Verdict]] = defaultdict(list)
    try:
        for row in report["Results"] or ():
            pod = row["PodResult"] or {"Results": {}, "ContainerResults": ()}
            verdicts = shown[row["Kind"], row["Namespace"], row["Name"]]
            verdicts += (*_verdicts(OBJECT, row["Results"]), *_verdicts(OBJECT, pod["Results"]))
            for container in pod["ContainerResults"] or ():
                verdicts += _verdicts(container["Name"], container["Results"])
    except (KeyError, TypeError, AttributeError) as error:
        raise UnusableReport(f"Polaris printed a report of an unknown shape ({error!r})", splittable=False) from error
    return dict(shown)


def _failing(verdicts: Sequence[Verdict]) -> list[str]:
    """Rules that failed, as often as they did."""
    return [rule for _, rule, passed, _, _ in verdicts if not passed]


def _verdicts(container: str, results: Mapping[str, Any] | None) -> Iterator[Verdict]:
    for rule, result in sorted((results or {}).items()):
        yield container, rule, bool(result["Success"]), str(result["Message"]), str(result["Severity"])


def _judged(copy: Copy, verdicts: Sequence[Verdict]) -> Judged:
    return Judged(opinion=_opinion(copy, verdicts), raw_findings=len(_failing(verdicts)))


def _opinion(copy: Copy, verdicts: Sequence[Verdict]) -> Opinion:
    keys = {container.key for container in copy.resource.containers}
    findings, drops = [], []
    passed: dict[str, set[str]] = {OBJECT: set(), **{key: set() for key in copy.inspected}}
    for container, rule, success, message, severity in verdicts:
        subject = container if container in keys else OBJECT
        if copy.renamed and rule in ABOUT_NAMES:
            if not success:
                drops.append(Drop(scanner=NAME, rule=rule, reason=RENAMED))
        elif success:
            passed[subject].add(rule)
        else:
            findings.append(Finding(rule=rule, container=subject, message=message, severity=severity))
    return Opinion(
        findings=tuple(findings),
        passed={subject: frozenset(rules) for subject, rules in passed.items()},
        drops=tuple(drops),
    )
