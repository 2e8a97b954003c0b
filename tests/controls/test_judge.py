"""Fake scans before the real judge: what becomes a result, what a drop, what the score."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from controls.assemble import Terms, assemble
from controls.catalogue import Catalogue, Route
from model.audit import Audit, Result, ResultStatus, Score
from model.control import Applies, Control, Severity, Subject
from model.finding import OBJECT, Drop, Finding, Missing, Opinion, Scan, ScanStatus
from model.policy import Policy, Waiver
from model.resource import Resource, Source, SourceKind, Tree
from tests.resources import resources

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      volumes:
      - {name: one, hostPath: {path: /one}}
      - {name: two, hostPath: {path: /two}}
      containers:
      - {name: app, image: app}
      - {name: side, image: side}
      initContainers:
      - {name: setup, image: setup}
"""
VOLUMES = ("spec", "template", "spec", "volumes")


def control(
    id_: str, subject: Subject = Subject.CONTAINER, severity: Severity = Severity.HIGH, **rules: Any
) -> Control:
    return Control(
        id=id_,
        title=id_,
        category="workload",
        severity=severity,
        subject=subject,
        applies=Applies(
            kinds=frozenset({"workload"}),
            containers=frozenset({"main"}) if subject is Subject.CONTAINER else frozenset(),
        ),
        why="Because.",
        remedy="Do.",
        compliance={"pss-baseline": ("x",)} if id_ == "host-path" else {},
        rules={scanner.replace("_", "-"): ids for scanner, ids in rules.items()},
    )


ROOT = control("root", native=("root",), polaris=("runAsRoot",), trivy=("KSV-1", "KSV-2"))
HOST_PATH = control("host-path", Subject.POD, Severity.MEDIUM, native=("host-path",), trivy=("KSV-3",))
LIMITS = control("limits", severity=Severity.LOW, kube_score=("resources",))
CATALOGUE = Catalogue(
    controls={each.id: each for each in (ROOT, HOST_PATH, LIMITS)},
    digest="sha256:" + "0" * 64,
    aliases={
        ("native", "root"): ("root",),
        ("polaris", "runAsRoot"): ("root",),
        ("trivy", "KSV-1"): ("root",),
        ("trivy", "KSV-2"): ("root",),
        ("native", "host-path"): ("host-path",),
        ("trivy", "KSV-3"): ("host-path",),
    },
    routes={("kube-score", "resources"): (Route(contains="limit", control="limits"),)},
    not_ours={("trivy", "KSV-0"): "it is about Terraform"},
    severities={"trivy": {"CRITICAL": Severity.CRITICAL}},
    ignored={},
)


def scan(scanner: str, opinions: Mapping[Resource, Opinion], **fields: Any) -> Scan:
    told = sum(len(opinion.findings) + len(opinion.drops) for opinion in opinions.values())
    defaults: dict[str, Any] = {
        "scanner": scanner,
        "version": "1",
        "status": ScanStatus.OK,
        "opinions": opinions,
        "missing": {},
        "raw_findings": told,
    }
    return Scan(**{**defaults, **fields})


def finding(rule: str, container: str = OBJECT, **fields: Any) -> Finding:
    return Finding(**{"rule": rule, "container": container, "message": f"{rule} fired", **fields})


def opinion(*findings: Finding, passed: Mapping[str, set[str]] | None = None) -> Opinion:
    return Opinion(findings=findings, passed={key: frozenset(rules) for key, rules in (passed or {}).items()})


def judge(
    *scans: Scan,
    policy: Policy | None = None,
    keep_passed: bool = False,
    of: Resource | None = None,
    catalogue: Catalogue | None = None,
) -> Audit:
    resource = of or WEB
    source = Source(id=resource.source, kind=SourceKind.MANIFESTS, path=".", name="manifests", kube_version="1.34")
    tree = Tree(sources=(source,), resources=(resource,), failures=(), files=1, documents=1)
    terms = Terms(
        tool_version="0",
        kube_version="1.34",
        policy=policy or Policy(),
        today=dt.date(2030, 1, 1),
        keep_passed=keep_passed,
    )
    return assemble(tree, scans, catalogue or CATALOGUE, terms)[0]


WEB = resources(DEPLOYMENT)[0]


def by_subject(audit: Audit) -> dict[tuple[str, str | None], Result]:
    return {(result.control, result.container): result for result in audit.results}


def test_the_same_weakness_seen_by_three_is_one_result_with_three_witnesses() -> None:
    audit = judge(
        scan("native", {WEB: opinion(finding("root", "app"))}),
        scan("polaris", {WEB: opinion(finding("runAsRoot", "app"))}),
        scan("trivy", {WEB: opinion(finding("KSV-1", "app"))}),
    )
    assert len(audit.results) == 1
    assert [witness.scanner for witness in audit.results[0].witnesses] == ["native", "polaris", "trivy"]
    assert audit.results[0].message == "root fired"
    assert audit.score == Score(earned=0, possible=8)


def test_two_rules_of_one_scanner_for_one_control_are_two_witnesses_of_one_result() -> None:
    audit = judge(scan("trivy", {WEB: opinion(finding("KSV-1", "app"), finding("KSV-2", "app"))}))
    assert [witness.rule for witness in audit.results[0].witnesses] == ["KSV-1", "KSV-2"]


def test_a_disagreement_is_shown_and_counts_as_failed() -> None:
    audit = judge(
        scan("native", {WEB: opinion(finding("root", "app"))}),
        scan("trivy", {WEB: opinion(passed={"app": {"KSV-1"}})}),
    )
    assert [(w.scanner, w.verdict) for w in audit.results[0].witnesses] == [("native", "failed"), ("trivy", "passed")]
    assert audit.score == Score(earned=0, possible=8)


def test_a_passing_rule_is_no_dissent_when_another_rule_of_the_same_scanner_failed() -> None:
    audit = judge(scan("trivy", {WEB: opinion(finding("KSV-1", "app"), passed={"app": {"KSV-2"}})}))
    assert [witness.verdict for witness in audit.results[0].witnesses] == [ResultStatus.FAILED]


def test_only_an_explicit_pass_earns_and_silence_is_not_judged() -> None:
    audit = judge(scan("native", {WEB: opinion(passed={"app": {"root"}})}))
    assert audit.score == Score(earned=8, possible=8)
    silent = {(row.resource, row.container, row.control) for row in audit.coverage.not_judged}
    assert silent == {(WEB.id, "side", "root"), (WEB.id, None, "host-path"), ("*", None, "limits")}


def test_a_verdict_on_a_subject_that_the_control_is_not_about_is_dropped_with_the_reason() -> None:
    audit = judge(scan("native", {WEB: opinion(finding("root", "setup"), passed={"setup": {"root"}})}))
    assert audit.results == ()
    assert audit.score == Score()
    assert [(drop.rule, drop.count) for drop in audit.coverage.drops] == [("root", 1)]


def test_a_container_that_the_scanner_does_not_name_is_taken_from_those_that_others_failed() -> None:
    audit = judge(
        scan("polaris", {WEB: opinion(finding("runAsRoot"))}),
        scan("native", {WEB: opinion(finding("root", "side"))}),
    )
    assert [result.container for result in audit.results] == ["side"]
    assert {witness.scanner for witness in audit.results[0].witnesses} == {"native", "polaris"}


def test_a_container_that_nobody_names_leaves_the_finding_with_the_object() -> None:
    audit = judge(scan("polaris", {WEB: opinion(finding("runAsRoot"))}))
    assert [(result.container, result.location.line) for result in audit.results] == [(None, WEB.location.line)]


def test_a_second_volume_is_a_second_result_that_scores_once() -> None:
    audit = judge(
        scan("native", {WEB: opinion(*(finding("host-path", field=(*VOLUMES, n, "hostPath")) for n in (0, 1)))}),
        scan("trivy", {WEB: opinion(finding("KSV-3"))}),
    )
    assert [result.field for result in audit.results] == [
        "spec.template.spec.volumes[0].hostPath",
        "spec.template.spec.volumes[1].hostPath",
    ]
    assert [len(result.witnesses) for result in audit.results] == [2, 2]
    assert len({result.fingerprint for result in audit.results}) == 2
    assert audit.score == Score(earned=0, possible=4)


def test_what_a_finding_is_about_tells_flaws_of_one_field_apart_wherever_they_stand() -> None:
    def prints(*rows: tuple[int, str]) -> set[str]:
        found = [finding("host-path", field=(*VOLUMES, place, "hostPath"), about=(name,)) for place, name in rows]
        return {result.fingerprint for result in judge(scan("native", {WEB: opinion(*found)})).results}

    assert len(prints((0, "read"), (0, "write"))) == 2
    assert prints((0, "read")) == prints((1, "read")) == prints((0, "read"), (1, "read"))


def test_a_plain_field_and_a_list_item_are_two_results_of_one_control() -> None:
    context = ("spec", "template", "spec", "securityContext")
    plain, item = (finding("host-path", field=path) for path in ((*context, "fsGroup"), (*VOLUMES, 0, "hostPath")))
    audit = judge(scan("native", {WEB: opinion(plain, item)}))
    assert {result.field for result in audit.results} == {
        "spec.template.spec.securityContext.fsGroup",
        "spec.template.spec.volumes[0].hostPath",
    }
    assert audit.score == Score(earned=0, possible=4)


def test_a_result_points_at_its_field_or_at_the_nearest_parent_of_what_is_missing() -> None:
    path = ("spec", "template", "spec", "containers", 1, "securityContext", "runAsNonRoot")
    audit = judge(scan("native", {WEB: opinion(finding("root", "side", field=path))}))
    place = audit.results[0].location
    assert (place.line, place.precision) == (13, "enclosing")
    assert audit.results[0].field == "spec.template.spec.containers[1].securityContext.runAsNonRoot"


def test_one_rule_can_stand_for_several_controls_by_its_text() -> None:
    audit = judge(scan("kube-score", {WEB: opinion(finding("resources", "app", message="CPU limit is not set"))}))
    assert [result.control for result in audit.results] == ["limits"]


def test_a_pass_of_a_routed_rule_passes_all_that_it_could_have_failed() -> None:
    audit = judge(scan("kube-score", {WEB: opinion(passed={"app": {"resources"}})}), keep_passed=True)
    assert [(result.control, result.status) for result in audit.results] == [("limits", ResultStatus.PASSED)]


def test_a_rule_that_is_not_ours_is_dropped_with_its_reason() -> None:
    audit = judge(scan("trivy", {WEB: opinion(finding("KSV-0"))}))
    assert audit.coverage.drops == (Drop(scanner="trivy", rule="KSV-0", reason="it is about Terraform"),)


def test_an_unknown_rule_becomes_an_unmapped_control_that_is_gated_and_not_scored() -> None:
    audit = judge(scan("trivy", {WEB: opinion(finding("KSV-9999", severity="CRITICAL"))}))
    assert [(result.control, result.severity) for result in audit.results] == [
        ("unmapped/trivy/KSV-9999", Severity.CRITICAL)
    ]
    assert audit.score == Score()


def test_a_control_that_is_off_is_neither_scored_nor_shown_and_its_findings_are_counted() -> None:
    audit = judge(scan("native", {WEB: opinion(finding("root", "app"))}), policy=Policy(off=frozenset({"root"})))
    assert (audit.results, audit.score) == ((), Score())
    assert audit.coverage.drops[0].reason == "switched off in the configuration"


def test_a_framework_narrows_to_its_controls() -> None:
    audit = judge(
        scan("native", {WEB: opinion(finding("root", "app"), finding("host-path"))}),
        policy=Policy(frameworks=("pss-restricted",)),
    )
    assert [result.control for result in audit.results] == ["host-path"]


def test_another_severity_weighs_differently() -> None:
    policy = Policy(severities={"root": Severity.CRITICAL})
    audit = judge(scan("native", {WEB: opinion(finding("root", "app"))}), policy=policy)
    assert (audit.results[0].severity, audit.score.possible) == (Severity.CRITICAL, 16)


def test_a_waived_result_is_shown_as_waived_and_earns() -> None:
    waiver = Waiver(control="root", resource="Deployment/web", container="app", reason="legacy", owner="@me")
    audit = judge(
        scan("native", {WEB: opinion(finding("root", "app"), finding("root", "side"))}),
        policy=Policy(waivers=(waiver,)),
    )
    results = by_subject(audit)
    assert results["root", "app"].status is ResultStatus.WAIVED
    assert results["root", "app"].waiver == waiver
    assert results["root", "side"].status is ResultStatus.FAILED
    assert audit.score == Score(earned=8, possible=16)
    assert audit.unused_waivers == ()


def test_a_resource_that_a_scanner_did_not_show_is_unscanned_by_it() -> None:
    missing = Missing(reason="polaris printed nothing about it", remedy="Report it.")
    audit = judge(scan("polaris", {}, missing={WEB: missing}))
    assert [(failure.scanner, failure.resource) for failure in audit.unscanned] == [("polaris", WEB.id)]


def test_a_scanner_that_looked_at_nothing_is_one_failure() -> None:
    missing = Missing(reason="it crashed", remedy="See doctor.")
    audit = judge(scan("trivy", {}, missing={WEB: missing}, status=ScanStatus.FAILED, reason="it crashed"))
    assert [failure.reason for failure in audit.unscanned] == ["trivy looked at nothing: it crashed"]


def test_a_finding_that_an_adapter_loses_makes_the_audit_incomplete() -> None:
    audit = judge(scan("trivy", {WEB: opinion(finding("KSV-1", "app"))}, raw_findings=3))
    assert audit.unscanned[0].reason == "2 findings in the report of trivy were not accounted for"


def test_every_raw_finding_is_a_witness_or_a_counted_drop() -> None:
    drops = (Drop(scanner="trivy", rule="KSV-7", reason="twice the same"),)
    said = Opinion(
        findings=(finding("KSV-1", "app"), finding("KSV-0"), finding("KSV-1", "setup")), passed={}, drops=drops
    )
    audit = judge(scan("trivy", {WEB: said}))
    state = audit.scanners[0]
    assert state.raw_findings == 4
    assert state.dropped == 3
    assert state.raw_findings - state.dropped == sum(len(result.witnesses) for result in audit.results)


def test_the_order_of_scanners_changes_neither_results_nor_fingerprints() -> None:
    native = scan("native", {WEB: opinion(finding("host-path", field=(*VOLUMES, 1)))})
    trivy = scan("trivy", {WEB: opinion(finding("KSV-3"))})
    one, other = judge(native, trivy), judge(trivy, native)
    assert [result.fingerprint for result in one.results] == [result.fingerprint for result in other.results]


def test_a_custom_resource_that_runs_containers_in_an_unknown_shape_is_said_to_be_not_judged() -> None:
    (workflow,) = resources(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\n"
        "spec: {templates: [{name: x, container: {image: 'a:1', command: [x]}}]}"
    )
    rows = judge(scan("native", {}), of=workflow).coverage.not_judged
    assert [(row.resource, row.control) for row in rows] == [(workflow.id, "*")]
    (plain,) = resources("apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {image: logo.png}")
    assert judge(scan("native", {}), of=plain).coverage.not_judged == ()


def test_a_control_of_single_fields_has_a_result_for_each_of_them() -> None:
    spec = ("spec", "template", "spec")
    findings = [finding("host-path", field=(*spec, name)) for name in ("hostPID", "hostIPC")]
    assert len(judge(scan("native", {WEB: opinion(*findings)})).results) == 1
    controls = {**CATALOGUE.controls, HOST_PATH.id: replace(HOST_PATH, each_field=True)}
    audit = judge(scan("native", {WEB: opinion(*findings)}), catalogue=replace(CATALOGUE, controls=controls))
    assert [result.field for result in audit.results] == ["spec.template.spec.hostIPC", "spec.template.spec.hostPID"]
    assert len({result.fingerprint for result in audit.results}) == 2
