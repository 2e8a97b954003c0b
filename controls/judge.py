"""Merges what all scanners said about each subject into results. A finding ends as a witness or as a counted Drop."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from controls.applicability import Applicability, seems_to_run_containers
from controls.catalogue import Catalogue
from controls.comparison.contents import Contents
from controls.corrections import (
    ALLOWED_BY_BASELINE,
    BASELINE_ALLOWS,
    SUSPECT_PASSES,
    Evidence,
    may_be_wrong,
    why_not,
)
from controls.fingerprint import Fingerprints, Item, named_item
from controls.memory import Heard, Memory, Opinions
from controls.waivers import Waivers
from model.audit import ALL_OF_PODS, AuditedResource, NotJudged, Result, ResultStatus, Score, Witness
from model.control import Control, Subject
from model.finding import OBJECT, Drop, Finding, Opinion, Scan
from model.policy import Waiver
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


class _Case:
    """One control that somebody failed on one subject."""

    __slots__ = ("pointed", "witnesses")

    def __init__(self, witness: Witness, item: Item, path: FieldPath | None) -> None:
        self.witnesses = [witness]
        self.pointed: dict[Item, tuple[FieldPath, str]] = {} if path is None else {item: (path, witness.message)}
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
        return self.pointed or {(): (None, self.witnesses[0].message)}


class _Answer(NamedTuple):
    """What the rules passed on a subject say of the controls that apply to it; subjects that are alike share it."""

    passed: Mapping[str, tuple[str, ...]]
    """Controls by the scanners who passed them."""
    rest: Sequence[str]
    """Applicable controls that nobody passed: failed, or not judged. Sorted."""
    weight: int
    """Points of the passed ones."""


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

    def take(self, heard: Heard) -> None:
        """Add what was heard of one resource."""
        self.resources.append(heard.audited)
        self.results += heard.results
        self.not_judged += heard.not_judged
        self.drop(heard.drops)

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
        self._passed: dict[tuple[frozenset[str], tuple[tuple[str, frozenset[str]], ...]], _Answer] = {}
        self._undisputed: dict[tuple[str, str], Control | None] = {}
        self._witnesses: dict[tuple[str, str, bool, str], Witness] = {}
        self._passes: dict[tuple[str, frozenset[str]], frozenset[str]] = {}

    def judge(self, sources: Iterable[Source], resources: Sequence[Resource], memory: Memory) -> Judgement:
        """Every resource of one side; ``memory`` is of both."""
        source_of = {source.id: source for source in sources}
        neighbours: dict[str, Neighbours] = defaultdict(dict)
        for resource in resources:
            neighbours[resource.source].setdefault(
                (resource.ref.kind, resource.ref.namespace, resource.ref.name), resource
            )
        contents = Contents(source_of.values(), resources)
        judgement = Judgement()
        for resource in resources:
            source = source_of[resource.source]
            opinions = [(scan.scanner, scan.opinions[resource]) for scan in self.scans if resource in scan.opinions]
            heard = memory.recall(source, resource, opinions)
            if heard is None:
                hearing = _Hearing(self, judgement, source, resource, neighbours[resource.source], opinions)
                heard = hearing.decide(contents)
                if hearing.is_alone:
                    memory.keep(source, resource, opinions, heard)
            else:
                self.waivers.use(result.waiver for result in heard.results)
            judgement.take(heard)
        return judgement

    def controls_of_passed(self, scanner: str, rules: frozenset[str]) -> frozenset[str]:
        """Controls that these rules passed, those of the policy only."""
        key = (scanner, rules)
        if key not in self._passes:
            listed = (control for rule in rules for control in self.catalogue.of_passed(scanner, rule))
            self._passes[key] = frozenset(listed) & self.catalogue.controls.keys()
        return self._passes[key]

    def passed(self, applicable: frozenset[str], rules: tuple[tuple[str, frozenset[str]], ...]) -> _Answer:
        """What these rules, by scanner, say of the applicable controls."""
        key = (applicable, rules)
        answer = self._passed.get(key)
        if answer is None:
            found: dict[str, tuple[str, ...]] = {}
            for scanner, its_rules in rules:
                for control in self.controls_of_passed(scanner, its_rules) & applicable:
                    found[control] = (*found.get(control, ()), scanner)
            weight = sum(self.weights.get(control, 0) for control in found)
            answer = self._passed[key] = _Answer(found, sorted(applicable - found.keys()), weight)
        return answer

    def undisputed(self, scanner: str, rule: str) -> Control | None:
        """The one control of a rule that no correction and no framework may object to; None for all other rules."""
        key = (scanner, rule)
        try:
            return self._undisputed[key]
        except KeyError:
            may_be = self.catalogue.baseline_only or may_be_wrong(scanner, rule, FAILED)
            control = self._undisputed[key] = None if may_be else self.catalogue.simple(scanner, rule)
            return control

    def witness(self, scanner: str, rule: str, verdict: ResultStatus, message: str) -> Witness:
        """Thousands of results share a witness: what was said does not name the object."""
        key = (scanner, rule, verdict is FAILED, message)  # the hash of a member of an enum is slow
        witness = self._witnesses.get(key)
        if witness is None:
            witness = Witness(scanner=scanner, rule=rule, verdict=verdict, message=message)
            self._witnesses[key] = witness
        return witness


class _Hearing:
    """One resource before the judge."""

    def __init__(  # noqa: PLR0913, PLR0917 everything that is known of a resource
        self,
        judge: Judge,
        judgement: Judgement,
        source: Source,
        resource: Resource,
        neighbours: Neighbours,
        opinions: Opinions,
    ) -> None:
        self.judge = judge
        self.judgement = judgement
        self.results: list[Result] = []
        self.not_judged: list[NotJudged] = []
        self.drops: list[Drop] = []
        self.is_alone = True
        """Nothing but the resource and the opinions about it have decided."""
        self.fingerprints = Fingerprints(source, resource.ref, resource.stem)
        self.resource = resource
        self.neighbours = neighbours
        self.containers: Mapping[SubjectKey, Container] = {each.key: each for each in resource.containers}
        self.applicable = judge.applicability.of(resource)
        self.cases: dict[tuple[SubjectKey, str], _Case] = {}
        self.opinions = opinions

    def decide(self, contents: Contents) -> Heard:
        """Hear every finding, then write results, score and what nobody judged."""
        nameless: list[tuple[str, Finding, str]] = []
        for scanner, opinion in self.opinions:
            self.drops += opinion.drops
            for finding in opinion.findings:
                self._hear(scanner, finding, nameless)
        for scanner, finding, control in nameless:
            for subject in self._subjects_of_nameless(control):
                self._admit(scanner, finding, control, subject)
        answers = {subject: self._answer(subject) for subject in self.applicable}
        score = self._failures(answers)
        if self.judge.keep_passed:
            self._keep_passed(answers)
        self._list_not_judged(answers)
        audited = contents.audited(self.resource, score if self.resource.scored else Score())
        return Heard(audited=audited, results=self.results, not_judged=self.not_judged, drops=self.drops)

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
            self.drops.append(Drop(scanner=scanner, rule=finding.rule, reason=reasons[0]))

    def _controls_of(self, scanner: str, finding: Finding, reasons: list[str]) -> Iterator[str]:
        catalogue = self.judge.catalogue
        if not catalogue.knows(scanner, finding.rule):
            control = catalogue.unmapped(scanner, finding.rule, finding.severity)
            self.judgement.unmapped[control.id] = control
            self.is_alone = False
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
            evidence = self._evidence(finding.container)
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

    def _evidence(self, subject: SubjectKey) -> Evidence:
        self.is_alone = False
        return Evidence(resource=self.resource, container=self.containers.get(subject), neighbours=self.neighbours)

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
        witness = self.judge.witness(scanner, finding.rule, FAILED, finding.message)
        item = finding.about or self._item(finding.field, control, subject)
        case = self.cases.get((subject, control))
        if case is None:
            self.cases[subject, control] = _Case(witness, item, finding.field)
        else:
            case.add(witness, item, finding.field)

    def _item(self, path: FieldPath | None, control: str, subject: SubjectKey) -> Item:
        """The list item below the subject that is at fault."""
        if path is None:
            return ()
        start = self.containers[subject].path if subject else ()
        whole = control in self.judge.by_field
        if not whole and int not in map(type, path[len(start) :]):  # most fields stand in no list: say so at once
            return ()
        return named_item(self.resource.value, start, path, whole=whole)

    def _answer(self, subject: SubjectKey) -> _Answer:
        """What somebody passed explicitly on a subject."""
        rules = tuple((scanner, self._trusted(scanner, opinion, subject)) for scanner, opinion in self.opinions)
        return self.judge.passed(self.applicable[subject], rules)

    def _trusted(self, scanner: str, opinion: Opinion, subject: SubjectKey) -> frozenset[str]:
        rules = opinion.passed.get(subject, frozenset())
        suspects = SUSPECT_PASSES.get(scanner, frozenset()) & rules
        if not suspects:
            return rules
        evidence = self._evidence(subject)
        return rules - {rule for rule in suspects if why_not(scanner, rule, PASSED, evidence) is not None}

    def _failures(self, answers: Mapping[SubjectKey, _Answer]) -> Score:
        """Write the results of all cases; each control that was judged on a subject counts once, however many flaws."""
        possible = sum([answer.weight for answer in answers.values()])
        lost = 0
        for (subject, control), case in self.cases.items():
            weight = self.judge.weights.get(control, 0)
            answer = answers.get(subject)
            if answer is not None and control in answer.passed:
                self._add_dissent(case, subject, control, answer.passed[control])
            else:
                possible += weight
            is_lost = False
            for item, (path, message) in case.flaws.items():
                result = self._result(subject, control, case.witnesses, path, message, item)
                self.results.append(result)
                is_lost |= result.status is FAILED
            if is_lost:
                lost += weight
        return Score(earned=possible - lost, possible=possible)

    def _add_dissent(self, case: _Case, subject: SubjectKey, control: str, scanners: Sequence[str]) -> None:
        """Scanners that passed what others failed are shown as well."""
        against = {witness.scanner for witness in case.witnesses}
        case.witnesses += [self._pass(scanner, control, subject) for scanner in scanners if scanner not in against]

    def _pass(self, scanner: str, control: str, subject: SubjectKey) -> Witness:
        opinion = dict(self.opinions)[scanner]
        rules = self._trusted(scanner, opinion, subject)
        rule = min(rule for rule in rules if control in self.judge.catalogue.of_passed(scanner, rule))
        return self.judge.witness(scanner, rule, PASSED, "")

    def _keep_passed(self, answers: Mapping[SubjectKey, _Answer]) -> None:
        for subject, answer in answers.items():
            for control, scanners in answer.passed.items():
                if (subject, control) not in self.cases:
                    witnesses = [self._pass(scanner, control, subject) for scanner in scanners]
                    self.results.append(self._result(subject, control, witnesses, None, "", (), PASSED))

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
        location = self._locate(subject, path)
        is_covered = status is FAILED and control in self.judge.waivers.controls
        waiver = self._waiver(control, container, location) if is_covered else None
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

    def _waiver(self, control: str, container: str | None, location: Location) -> Waiver | None:
        paths = (location.path, self.resource.location.path)  # a helper of a chart, and the template that calls it
        return self.judge.waivers.covering(control, self.resource.ref, container, *paths)

    def _locate(self, subject: SubjectKey, path: FieldPath | None) -> Location:
        if path is not None or subject == OBJECT:
            return self.resource.locate(path)
        where = self.resource.locate(self.containers[subject].path)
        if where.precision is not Precision.EXACT:
            return where
        return Location(path=where.path, line=where.line, column=where.column, precision=Precision.ENCLOSING)

    def _list_not_judged(self, answers: Mapping[SubjectKey, _Answer]) -> None:
        if seems_to_run_containers(self.resource):
            self.not_judged.append(
                NotJudged(resource=self.resource.id, container=None, control=ALL_OF_PODS, reason=UNKNOWN_SHAPE)
            )
        for subject, answer in answers.items():
            for control in answer.rest:
                if (subject, control) not in self.cases and (OBJECT, control) not in self.cases:
                    reason = NOBODY_SPOKE if control in self.judge.ruled else NOBODY_HAS_A_RULE
                    self.not_judged.append(
                        NotJudged(resource=self.resource.id, container=subject or None, control=control, reason=reason)
                    )
