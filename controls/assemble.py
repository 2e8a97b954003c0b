"""Puts an audit together: the tree, the scans of it and the judgement, in an order that never changes."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from controls.catalogue import Catalogue
from controls.fingerprint import unique
from controls.judge import NOBODY_HAS_A_RULE, Judge
from controls.memory import Memory
from controls.waivers import Waivers
from model.audit import Audit, Coverage, NotJudged, Result, ScannerState, Score
from model.control import RANKS, Control
from model.finding import Scan, ScanStatus
from model.policy import Gate, Policy, UnusedWaivers
from model.resource import Failure, Stage, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What both sides of a comparison share."""

    tool_version: str
    kube_version: str
    policy: Policy
    today: dt.date
    """UTC."""
    keep_passed: bool
    memory: Memory = field(default_factory=Memory, init=False, repr=False, compare=False)
    """Of what they judge alike."""


def assemble(
    tree: Tree, scans: Sequence[Scan], catalogue: Catalogue, terms: Terms
) -> tuple[Audit, Mapping[str, Control]]:
    """The audit of one side, and every control that its results name. The scans may be of both sides."""
    effective = catalogue.under(terms.policy)
    waivers = Waivers(terms.policy.waivers, terms.today)
    judge = Judge(effective, scans, waivers, keep_passed=terms.keep_passed)
    judgement = judge.judge(tree.sources, tree.resources, terms.memory.under(scans, catalogue))
    for scan in scans:
        judgement.drop(scan.drops)
    audit = Audit(
        tool_version=terms.tool_version,
        catalogue=catalogue.digest,
        policy=digest(terms.policy),
        kube_version=terms.kube_version,
        scanners=tuple(
            ScannerState(
                name=scan.scanner,
                version=scan.version,
                status=scan.status,
                reason=scan.reason,
                raw_findings=_told(tree, scan),
                dropped=sum(drop.count for drop in judgement.drops if drop.scanner == scan.scanner),
            )
            for scan in scans
        ),
        sources=tuple(sorted(tree.sources, key=lambda source: source.id)),
        resources=tuple(judgement.resources),
        results=unique(sorted(judgement.results, key=worst_first)),
        failures=tuple(sorted((*tree.failures, *_unseen(tree, scans), *_lost(scans)), key=_failure_order)),
        coverage=Coverage(
            files=tree.files,
            documents=tree.documents,
            resources=len(tree.resources),
            excluded=tree.excluded,
            not_judged=_not_judged(judgement.not_judged),
            notes=tree.notes,
            drops=judgement.drops,
        ),
        score=Score(
            earned=sum(resource.score.earned for resource in judgement.resources),
            possible=sum(resource.score.possible for resource in judgement.resources),
        ),
        unused_waivers=waivers.unused,
        expired_waivers=waivers.expired,
    )
    return audit, {**effective.controls, **judgement.unmapped}


def worst_first(result: Result) -> tuple[object, ...]:
    """The order in which people read results, total and stable."""
    place = result.location
    return (
        RANKS[result.severity],
        place.path,
        place.line,
        result.control,
        result.resource,
        result.container or "",
        result.field or "",
        result.status,
    )


def digest(policy: Policy) -> str:
    """``sha256:`` of what a policy says about judging; thresholds and what may be fetched judge nothing."""
    judging = replace(policy, gate=Gate(), gates=(), unused_waivers=UnusedWaivers.WARN, chart_repositories=())
    text = json.dumps(
        {key: value for key, value in asdict(judging).items() if key != "break_glass"},
        sort_keys=True,
        default=lambda value: sorted(value) if isinstance(value, frozenset) else str(value),
    )
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _told(tree: Tree, scan: Scan) -> int:
    """Findings of one side; a Scan may speak of both."""
    opinions = filter(None, map(scan.opinions.get, tree.resources))
    return sum(opinion.raw_findings for opinion in opinions)


def _not_judged(rows: Sequence[NotJudged]) -> tuple[NotJudged, ...]:
    """Sorted; what no scanner of the run has a rule for is said once, not for each resource."""
    ruleless = {row.control for row in rows if row.reason == NOBODY_HAS_A_RULE}
    once = [NotJudged(resource="*", container=None, control=control, reason=NOBODY_HAS_A_RULE) for control in ruleless]
    others = [row for row in rows if row.reason != NOBODY_HAS_A_RULE]
    return tuple(sorted((*once, *others), key=lambda row: (row.resource, row.container or "", row.control)))


def _unseen(tree: Tree, scans: Sequence[Scan]) -> Iterator[Failure]:
    """One Failure for each resource that a scanner supports and did not show."""
    for scan in scans:
        if scan.status is ScanStatus.FAILED:
            yield Failure(
                stage=Stage.SCAN,
                path=".",
                scanner=scan.scanner,
                reason=f"{scan.scanner} looked at nothing: {scan.reason}",
                remedy="Run `hardening-gate doctor`; leave the scanner out with --scanners if it is not needed.",
            )
            continue
        for resource in tree.resources:
            missing = scan.missing.get(resource)
            if missing is not None:
                yield Failure(
                    stage=Stage.SCAN,
                    path=resource.location.path,
                    line=resource.location.line,
                    scanner=scan.scanner,
                    source=resource.source,
                    resource=resource.id,
                    digest=resource.digest,
                    reason=missing.reason,
                    remedy=missing.remedy,
                )


def _lost(scans: Sequence[Scan]) -> Iterator[Failure]:
    """Conservation: findings that an adapter neither translated nor dropped make the audit incomplete."""
    for scan in scans:
        if scan.unaccounted:
            yield Failure(
                stage=Stage.SCAN,
                path=".",
                scanner=scan.scanner,
                reason=f"{scan.unaccounted} findings in the report of {scan.scanner} were not accounted for",
                remedy="This is a defect of hardening-gate: report it with the versions that `doctor` prints.",
            )


def _failure_order(failure: Failure) -> tuple[object, ...]:
    return (
        failure.path,
        failure.line or 0,
        failure.stage,
        failure.scanner or "",
        failure.resource or "",
        failure.reason,
    )
