"""Merges what all scanners said about each subject into results. A finding ends as a witness or as a counted Drop."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from controls.applicability import Applicability, seems_to_run_containers
from controls.catalogue import Catalogue
from controls.corrections import (
    ALLOWED_BY_BASELINE,
    BASELINE_ALLOWS,
    SUSPECT_PASSES,
    Evidence,
    may_be_wrong,
    why_not,
)
from controls.fingerprint import Fingerprints, Item, content_digest, named_item
from controls.waivers import Waivers
from model.audit import ALL_OF_PODS, AuditedResource, NotJudged, Result, ResultStatus, Score, Witness
from model.control import Control, Subject
from model.finding import OBJECT, Drop, Finding, Opinion, Scan
from model.resource import Container, Location, Precision, Resource, Source
from model.values import FieldPath, dotted

FAILED, PASSED, WAIVED = ResultStatus.FAILED, ResultStatus.PASSED, ResultStatus.WAIVED

OTHER_SUBJECT = "the control is not about this kind of object or container"
UNKNOWN_SHAPE = "it seems to run containers, in a shape that we do not know"
NOBODY_HAS_A_RULE = "no scanner that ran has a rule for it"
NOBODY_SPOKE = "the scanners that have a rule for it gave no verdict on this subject"

Neighbours = dict[tuple[str, str, str], Resource]
SubjectKey = str
"""``OBJECT`` or ``Container.key``."""


@dataclass(slots=True)
class _Case:
    """One control that somebody failed on one subject."""

    witnesses: list[Witness] = field(default_factory=list)
    pointed: dict[Item, tuple[FieldPath, str]] = field(default_factory=dict)
    """By named list item (``controls.fingerprint.named_item``): field and message of who pointed at it first."""

    def add(self, witness: Witness, item: Item, path: FieldPath | None) -> None:
        """Take a witness; scanners that point at no field speak of all of them."""
        if witness not in self.witnesses:
            self.witnesses.append(witness)
        if path is not None:
            self.pointed.setdefault(item, (path, witness.message))

    @property
    def flaws(self) -> Mapping[Item, tuple[FieldPath | None, str]]:
        """What becomes a result each: the fields that somebody pointed at, else the subject as a whole."""
        return dict(self.pointed) if self.pointed else {(): (None, self.witnesses[0].message)}


@dataclass(slots=True)
class Judgement:
    """All that judging one side yields."""

    resources: list[AuditedResource] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    not_judged: list[NotJudged] = field(default_factory=list)
    dropped: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Findings by (scanner, rule, reason)."""
    unmapped: dict[str, Control] = field(default_factory=dict)
    """Controls made for rules that the catalogue does not know."""

    def drop(self, drops: Iterable[Drop]) -> None:
        """Count findings that become no witness."""
        for drop in drops:
            self.dropped[drop.scanner, drop.rule, drop.reason] += drop.count

    @property
    def drops(self) -> tuple[Drop, ...]:
        """The counts, in stable order."""
        return tuple(
            Drop(scanner=scanner, rule=rule, reason=reason, count=count)
            for (scanner, rule, reason), count in sorted(self.dropped.items())
        )


class Judge:
    """Judges resources one by one: the catalogue under a policy, the scans, and the waivers of the day."""

    def __init__(self, catalogue: Catalogue, scans: Sequence[Scan], waivers: Waivers, *, keep_passed: bool) -> None:
        self.catalogue = catalogue
        self.scans = scans
        self.waivers = waivers
        self.keep_passed = keep_passed
        self.applicability = Applicability(catalogue.controls)
        self.weights = {control.id: control.severity.weight for control in catalogue.controls.values()}
        self.by_field = frozenset(control.id for control in catalogue.controls.values() if control.each_field)
        self.ruled = catalogue.within_reach(scan.scanner for scan in scans)
        self._passed: dict[
            tuple[frozenset[str], tuple[tuple[str, frozenset[str]], ...]], Mapping[str, tuple[str, ...]]
        ] = {}
        self._weights_passed: dict[int, int] = {}
        """By identity of the answers of ``passed``, which live as long."""
        self._undisputed: dict[tuple[str, str], Control | None] = {}
        self._witnesses: dict[tuple[str, str, ResultStatus, str], Witness] = {}
        self._passes: dict[tuple[str, frozenset[str]], frozenset[str]] = {}

    def judge(self, sources: Iterable[Source], resources: Sequence[Resource]) -> Judgement:
        """Every resource of one side."""
        source_of = {source.id: source for source in sources}
        neighbours: dict[str, Neighbours] = defaultdict(dict)
        for resource in resources:
            neighbours[resource.source].setdefault(
                (resource.ref.kind, resource.ref.namespace, resource.ref.name), resource
            )
        judgement = Judgement()
        for resource in resources:
            _Hearing(self, judgement, source_of[resource.source], resource, neighbours[resource.source]).decide()
        return judgement

    def controls_of_passed(self, scanner: str, rules: frozenset[str]) -> frozenset[str]:
        """Controls that these rules passed, those of the policy only."""
        key = (scanner, rules)
        if key not in self._passes:
            listed = (control for rule in rules for control in self.catalogue.of_passed(scanner, rule))
            self._passes[key] = frozenset(listed) & self.catalogue.controls.keys()
        return self._passes[key]

    def passed(
        self, applicable: frozenset[str], rules: tuple[tuple[str, frozenset[str]], ...]
    ) -> Mapping[str, tuple[str, ...]]:
        """Applicable controls that these rules passed, by the scanners who say so: one answer for all alike."""
        key = (applicable, rules)
        if key not in self._passed:
            found: dict[str, tuple[str, ...]] = {}
            for scanner, its_rules in rules:
                for control in self.controls_of_passed(scanner, its_rules) & applicable:
                    found[control] = (*found.get(control, ()), scanner)
            self._passed[key] = found
        return self._passed[key]

    def weight_passed(self, controls: Mapping[str, object]) -> int:
        """The points of an answer of ``passed``."""
        weight = self._weights_passed.get(id(controls))
        if weight is None:
            weight = self._weights_passed[id(controls)] = sum(self.weights.get(control, 0) for control in controls)
        return weight

    def undisputed(self, scanner: str, rule: str) -> Control | None:
        """The one control of a rule that no correction and no framework may object to; None for all other rules."""
        key = (scanner, rule)
        if key not in self._undisputed:
            may_be = self.catalogue.baseline_only or may_be_wrong(scanner, rule, FAILED)
            self._undisputed[key] = None if may_be else self.catalogue.simple(scanner, rule)
        return self._undisputed[key]

    def witness(self, scanner: str, rule: str, verdict: ResultStatus, message: str) -> Witness:
        """Thousands of results share a witness: what was said does not name the object."""
        key = (scanner, rule, verdict, message)
        if key not in self._witnesses:
            self._witnesses[key] = Witness(scanner=scanner, rule=rule, verdict=verdict, message=message)
        return self._witnesses[key]


class _Hearing:
    """One resource before the judge."""

    def __init__(
        self,
        judge: Judge,
        judgement: Judgement,
        source: Source,
        resource: Resource,
        neighbours: Neighbours,
    ) -> None:
        self.judge = judge
        self.judgement = judgement
        self.fingerprints = Fingerprints(source, resource.ref)
        self.resource = resource
        self.neighbours = neighbours
        self.containers: Mapping[SubjectKey, Container] = {
            container.key: container for container in resource.containers
        }
        self.applicable = judge.applicability.of(resource)
        self.cases: dict[tuple[SubjectKey, str], _Case] = {}
        self.opinions = [(scan.scanner, scan.opinions[resource]) for scan in judge.scans if resource in scan.opinions]

    def decide(self) -> None:
        """Hear every finding, then write results, score and what nobody judged."""
        nameless: list[tuple[str, Finding, str]] = []
        for scanner, opinion in self.opinions:
            self.judgement.drop(opinion.drops)
            for finding in opinion.findings:
                self._hear(scanner, finding, nameless)
        for scanner, finding, control in nameless:
            for subject in self._subjects_of_nameless(control):
                self._admit(scanner, finding, control, subject)
        passed = {subject: self._passed(subject) for subject in self.applicable}
        failed = self._failures(passed)
        self.judgement.resources.append(_audited(self.resource, self._score(passed, failed)))
        self._list_not_judged(passed)

    def _hear(self, scanner: str, finding: Finding, nameless: list[tuple[str, Finding, str]]) -> None:
        """Bring a finding before each control that it may fail; drop it where none takes it."""
        control = self.judge.undisputed(scanner, finding.rule)
        if control is not None:
            subject = finding.container if control.subject is Subject.CONTAINER else OBJECT
            if control.id in self.applicable.get(subject, ()):
                self._admit(scanner, finding, control.id, subject)
                return
        self._hear_out(scanner, finding, nameless)

    def _hear_out(self, scanner: str, finding: Finding, nameless: list[tuple[str, Finding, str]]) -> None:
        """The same for a finding that names several controls, or none, or may be wrong."""
        reasons: list[str] = []
        taken = False
        for control in self._controls_of(scanner, finding, reasons):
            reason = self._objection(scanner, finding, control)
            if reason is not None:
                reasons.append(reason)
                continue
            taken = True
            subject = self._subject(control, finding)
            if subject is None:
                nameless.append((scanner, finding, control))
            else:
                self._admit(scanner, finding, control, subject)
        if not taken:
            self.judgement.drop([Drop(scanner=scanner, rule=finding.rule, reason=reasons[0])])

    def _controls_of(self, scanner: str, finding: Finding, reasons: list[str]) -> Iterator[str]:
        catalogue = self.judge.catalogue
        if not catalogue.knows(scanner, finding.rule):
            control = catalogue.unmapped(scanner, finding.rule, finding.severity)
            self.judgement.unmapped[control.id] = control
            yield control.id
            return
        controls = catalogue.of_finding(scanner, finding)
        if not controls:
            reasons.append(catalogue.not_ours.get((scanner, finding.rule), "none of the rule's routes fits its text"))
        yield from controls

    def _objection(self, scanner: str, finding: Finding, control: str) -> str | None:
        """Why a finding does not fail this control; None when it does."""
        if control in self.judgement.unmapped:
            return None
        if control in self.judge.catalogue.ignored:
            return self.judge.catalogue.ignored[control]
        allows = ALLOWED_BY_BASELINE.get(control) if self.judge.catalogue.baseline_only else None
        if allows is not None or may_be_wrong(scanner, finding.rule, FAILED):
            container = self.containers.get(finding.container)
            evidence = Evidence(resource=self.resource, container=container, neighbours=self.neighbours)
            wrong = why_not(scanner, finding.rule, FAILED, evidence, control)
            if wrong is not None:
                return wrong
            if allows is not None and allows(evidence):
                return BASELINE_ALLOWS
        subject = self._subject(control, finding)
        subjects = self.applicable if subject is None else (subject,)
        if not any(control in self.applicable.get(candidate, ()) for candidate in subjects):
            return OTHER_SUBJECT
        return None

    def _subject(self, control: str, finding: Finding) -> SubjectKey | None:
        """Whom the control judges; None for a container that the scanner does not name."""
        known = self.judge.catalogue.controls.get(control)
        if known is None or known.subject is not Subject.CONTAINER:
            return OBJECT
        return finding.container if finding.container in self.containers else None

    def _subjects_of_nameless(self, control: str) -> tuple[SubjectKey, ...]:
        """The containers that others failed, else the only one there is, else the object as a whole."""
        about = [key for key in self.containers if control in self.applicable[key]]
        failed = tuple(key for key in about if (key, control) in self.cases)
        if failed:
            return failed
        return (about[0],) if len(about) == 1 else (OBJECT,)

    def _admit(self, scanner: str, finding: Finding, control: str, subject: SubjectKey) -> None:
        container = self.containers.get(subject)
        whole = control in self.judge.by_field
        item = named_item(self.resource.value, container.path if container else (), finding.field, whole=whole)
        case = self.cases.get((subject, control))
        if case is None:
            case = self.cases[subject, control] = _Case()
        case.add(self.judge.witness(scanner, finding.rule, FAILED, finding.message), item, finding.field)

    def _passed(self, subject: SubjectKey) -> Mapping[str, tuple[str, ...]]:
        """Controls that somebody passed explicitly on a subject, by who did."""
        rules = tuple((scanner, self._trusted(scanner, opinion, subject)) for scanner, opinion in self.opinions)
        return self.judge.passed(self.applicable[subject], rules)

    def _trusted(self, scanner: str, opinion: Opinion, subject: SubjectKey) -> frozenset[str]:
        rules = opinion.passed.get(subject, frozenset())
        suspects = SUSPECT_PASSES.get(scanner, frozenset()) & rules
        if not suspects:
            return rules
        evidence = Evidence(resource=self.resource, container=self.containers.get(subject), neighbours=self.neighbours)
        return rules - {rule for rule in suspects if why_not(scanner, rule, PASSED, evidence) is not None}

    def _failures(self, passed: Mapping[SubjectKey, Mapping[str, tuple[str, ...]]]) -> set[tuple[SubjectKey, str]]:
        """Write the results of all cases; give those that are not waived altogether."""
        failed: set[tuple[SubjectKey, str]] = set()
        for (subject, control), case in self.cases.items():
            if scanners := passed.get(subject, {}).get(control, ()):
                self._add_dissent(case, subject, control, scanners)
            for item, (path, message) in case.flaws.items():
                result = self._result(subject, control, case.witnesses, path, message, item)
                self.judgement.results.append(result)
                if result.status is FAILED:
                    failed.add((subject, control))
        if self.judge.keep_passed:
            self._keep_passed(passed)
        return failed

    def _add_dissent(self, case: _Case, subject: SubjectKey, control: str, scanners: Sequence[str]) -> None:
        """Scanners that passed what others failed are shown as well."""
        against = {witness.scanner for witness in case.witnesses}
        case.witnesses += [self._pass(scanner, control, subject) for scanner in scanners if scanner not in against]

    def _pass(self, scanner: str, control: str, subject: SubjectKey) -> Witness:
        opinion = dict(self.opinions)[scanner]
        rules = self._trusted(scanner, opinion, subject)
        rule = min(rule for rule in rules if control in self.judge.catalogue.of_passed(scanner, rule))
        return self.judge.witness(scanner, rule, PASSED, "")

    def _keep_passed(self, passed: Mapping[SubjectKey, Mapping[str, tuple[str, ...]]]) -> None:
        for subject, controls in passed.items():
            for control, scanners in controls.items():
                if (subject, control) not in self.cases:
                    witnesses = [self._pass(scanner, control, subject) for scanner in scanners]
                    self.judgement.results.append(self._result(subject, control, witnesses, None, "", (), PASSED))

    def _result(  # noqa: PLR0913, PLR0917 a result has that many independent parts
        self,
        subject: SubjectKey,
        control: str,
        witnesses: Sequence[Witness],
        path: FieldPath | None,
        message: str,
        item: Item,
        status: ResultStatus = FAILED,
    ) -> Result:
        container = subject or None
        ref = self.resource.ref
        location = self._locate(subject, path)
        paths = (location.path, self.resource.location.path)  # a helper of a chart, and the template that calls it
        waiver = self.judge.waivers.covering(control, ref, container, *paths) if status is FAILED else None
        known = self.judge.catalogue.controls.get(control) or self.judgement.unmapped[control]
        return Result(
            control=control,
            severity=known.severity,
            status=WAIVED if waiver else status,
            resource=self.resource.id,
            subject=known.subject,
            container=container,
            field=None if path is None else dotted(path),
            message=message,
            fingerprint=self.fingerprints.of(control, container, item),
            location=location,
            witnesses=tuple(witnesses),
            waiver=waiver,
        )

    def _locate(self, subject: SubjectKey, path: FieldPath | None) -> Location:
        if path is not None or subject == OBJECT:
            return self.resource.locate(path)
        where = self.resource.locate(self.containers[subject].path)
        if where.precision is not Precision.EXACT:
            return where
        return Location(path=where.path, line=where.line, column=where.column, precision=Precision.ENCLOSING)

    def _score(self, passed: Mapping[SubjectKey, Mapping[str, object]], failed: set[tuple[SubjectKey, str]]) -> Score:
        """Each control that was judged on a subject counts once, however many flaws it found."""
        if not self.resource.scored:
            return Score()
        weights = self.judge.weights
        possible = sum(map(self.judge.weight_passed, passed.values()))
        possible += sum(
            weights.get(control, 0) for subject, control in self.cases if control not in passed.get(subject, ())
        )
        lost = sum(weights.get(control, 0) for _, control in failed)
        return Score(earned=possible - lost, possible=possible)

    def _list_not_judged(self, passed: Mapping[SubjectKey, Mapping[str, object]]) -> None:
        if seems_to_run_containers(self.resource):
            self.judgement.not_judged.append(
                NotJudged(resource=self.resource.id, container=None, control=ALL_OF_PODS, reason=UNKNOWN_SHAPE)
            )
        for subject, controls in self.applicable.items():
            for control in controls - passed[subject].keys():
                if (subject, control) not in self.cases and (OBJECT, control) not in self.cases:
                    reason = NOBODY_SPOKE if control in self.judge.ruled else NOBODY_HAS_A_RULE
                    self.judgement.not_judged.append(
                        NotJudged(resource=self.resource.id, container=subject or None, control=control, reason=reason)
                    )


def _audited(resource: Resource, score: Score) -> AuditedResource:
    return AuditedResource(
        id=resource.id,
        source=resource.source,
        ref=resource.ref,
        version=resource.api_version.rpartition("/")[2],
        digest=content_digest(resource),
        location=resource.location,
        score=score,
    )
