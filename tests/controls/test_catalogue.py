"""The catalogue as data: complete, well-formed, and each rule meets a control of the subject that it speaks of."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from controls import catalogue
from controls.applicability import PREDICATES
from model.control import Subject
from model.finding import Finding
from scanners import kube_score, native
from scanners.native.engine import CHECKS

SCHEMA = json.loads((catalogue.DATA.parent / "catalogue.schema.json").read_text(encoding="utf-8"))
FILES = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted(catalogue.DATA.glob("*.json"))
    if file.name != catalogue.RULES_FILE
}
CONTROLS: list[dict[str, Any]] = [control for file in FILES.values() for control in file]
BY_ID = {control["id"]: control for control in CONTROLS}
RULES = json.loads((catalogue.DATA / catalogue.RULES_FILE).read_text(encoding="utf-8"))
RULE_IDS: dict[str, list[str]] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "controls" / "rule-ids.json").read_text(encoding="utf-8")
)
"""Every rule id of Polaris 10.1.3, kube-score 1.20.0 and Trivy 0.74.0."""
POLARIS_OF_CONTAINERS = frozenset(
    [
        "cpuLimitsMissing",
        "cpuRequestsMissing",
        "dangerousCapabilities",
        "hostPortSet",
        "insecureCapabilities",
        "linuxHardening",
        "livenessProbeMissing",
        "memoryLimitsMissing",
        "memoryRequestsMissing",
        "notReadOnlyRootFilesystem",
        "privilegeEscalationAllowed",
        "pullPolicyNotAlways",
        "readinessProbeMissing",
        "runAsPrivileged",
        "runAsRootAllowed",
        "sensitiveContainerEnvVar",
        "tagNotSpecified",
    ]
)
"""Polaris gives each verdict at one level only: these under ContainerResults, all others for the object or its pod."""
NEVER_OF_EPHEMERAL = frozenset(
    [
        "container-ports",
        "cpu-limits",
        "cpu-requests",
        "ephemeral-storage-resources",
        "host-port",
        "liveness-probe",
        "memory-limits",
        "memory-requests",
        "privileged-ports",
        "probes-identical",
        "readiness-probe",
        "requests-equal-limits",
        "ssh-server-in-container",
        "subpath-symlink-escape",
    ]
)
"""Kubernetes refuses ports, probes, resources and sub-paths in ephemeral containers (core/v1, EphemeralContainer)."""
POLARIS_OVERLOOKS_INIT = frozenset({"hostProcess", "procMount"})
"""Polaris passes a pod by these without a look at its init containers: that pass must not judge any container."""
SCANNER_WORDS = re.compile(
    r"polaris|kube-?score|trivy|kubescape|checkov|kube-?linter|\b(?:KSV|KCV|KUBE)-?\d", re.IGNORECASE
)


def test_every_file_fits_the_schema_of_controls() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for name, controls in FILES.items():
        complaints = [f"{name}: {error.json_path} {error.message}" for error in _validator().iter_errors(controls)]
        assert complaints == []


def test_the_file_of_rules_fits_its_schema() -> None:
    assert [error.message for error in _validator("#/$defs/rules").iter_errors(RULES)] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "It ends with a full stop."),
        ("why", "It does not end with a full stop"),
        ("remedy", ""),
        ("severity", "terrible"),
        ("applies", {"kinds": ["deployment"], "containers": ["main"]}),
        ("applies", {"kinds": ["workload"]}),
        ("compliance", {"cis-1.12": ["5.2.x"]}),
        ("compliance", {"mitre": ["1611"]}),
        ("compliance", {"owasp-2025": ["K11"]}),
        ("compliance", {"pss-baseline": []}),
        ("rules", {"kube_score": ["container-image-tag"]}),
    ],
)
def test_the_schema_refuses_a_control_that_is_wrong_in_one_field(field: str, value: object) -> None:
    assert _validator().is_valid([BY_ID["image-tag"]])
    assert not _validator().is_valid([{**BY_ID["image-tag"], field: value}])


def test_ids_are_unique_over_all_files() -> None:
    assert len(BY_ID) == len(CONTROLS)


def test_a_file_holds_the_controls_of_its_category_sorted_by_id() -> None:
    for name, controls in FILES.items():
        ids = [control["id"] for control in controls]
        assert ids == sorted(ids)
        assert {control["category"] for control in controls} == {name}


def test_every_rule_of_every_scanner_is_mapped_or_said_to_be_not_ours() -> None:
    known = catalogue.load()
    assert {scanner: len(ids) for scanner, ids in RULE_IDS.items()} == {"kube-score": 39, "polaris": 44, "trivy": 171}
    unknown = [(scanner, rule) for scanner, ids in RULE_IDS.items() for rule in ids if not known.knows(scanner, rule)]
    assert unknown == []


def test_a_rule_is_mapped_or_not_ours_but_never_both() -> None:
    known = catalogue.load()
    assert known.not_ours.keys() & (known.aliases.keys() | known.routes.keys()) == set()


def test_no_rule_is_named_that_its_scanner_does_not_have() -> None:
    named = {
        (scanner, rule)
        for control in CONTROLS
        for scanner, rules in control["rules"].items()
        if scanner != "native"
        for rule in rules
    }
    named |= {(row["scanner"], row["rule"]) for row in (*RULES["routes"], *RULES["not_ours"])}
    assert named - {(scanner, rule) for scanner, rules in RULE_IDS.items() for rule in rules} == set()


def test_a_native_rule_has_the_id_of_its_control() -> None:
    named = {control["id"]: control["rules"]["native"] for control in CONTROLS if "native" in control["rules"]}
    assert named == {id_: [id_] for id_ in native.RULES}


def test_a_native_check_looks_at_the_subject_that_its_control_declares() -> None:
    of_containers = {
        control["id"] for control in CONTROLS if "native" in control["rules"] and control["subject"] == "container"
    }
    assert set(CHECKS.container) == of_containers


def test_routes_name_controls_that_exist_and_are_sorted_without_repetition() -> None:
    assert {row["control"] for row in RULES["routes"]} <= BY_ID.keys()
    keys = [(row["scanner"], row["rule"], row["contains"], row["control"]) for row in RULES["routes"]]
    assert all(first < second for first, second in pairwise(keys))


@pytest.mark.parametrize(
    ("scanner", "rule", "message", "controls"),
    [
        ("kube-score", "container-resources", "CPU limit is not set", {"cpu-limits"}),
        ("kube-score", "container-resources", "Memory request is not set", {"memory-requests"}),
        ("kube-score", "container-resources", "No containers defined", {"pod-without-containers"}),
        ("kube-score", "pod-probes", "Container is missing a readinessProbe", {"readiness-probe"}),
        ("kube-score", "pod-probes", "Container is missing a livenessProbe", {"liveness-probe"}),
        (
            "kube-score",
            "container-security-context-user-group-id",
            "The container running with a low group ID",
            {"run-as-high-gid"},
        ),
        (
            "kube-score",
            "container-security-context-user-group-id",
            "Container has no configured security context",
            {"run-as-high-gid", "run-as-high-uid", "security-context-missing"},
        ),
        ("trivy", "KSV-0106", "container should drop all", {"drop-all-capabilities"}),
        (
            "trivy",
            "KSV-0106",
            "container should not add stuff",
            {"capabilities-added", "capabilities-beyond-restricted"},
        ),
        ("trivy", "KSV-0012", "Container 'app' of Deployment 'web' should set …", {"run-as-non-root"}),
        ("trivy", "KUBE-0001", "anything", set()),
    ],
)
def test_a_finding_fails_the_controls_that_its_text_speaks_of(
    scanner: str, rule: str, message: str, controls: set[str]
) -> None:
    found = catalogue.load().of_finding(scanner, Finding(rule=rule, message=message))
    assert set(found) == controls


def test_a_verdict_of_polaris_meets_a_control_of_its_level() -> None:
    known = catalogue.load()
    elsewhere = [
        (rule, id_)
        for rule in RULE_IDS["polaris"]
        for id_ in known.aliases["polaris", rule]
        if (known.controls[id_].subject is Subject.CONTAINER)
        is not (rule in POLARIS_OF_CONTAINERS | POLARIS_OVERLOOKS_INIT)
    ]
    assert elsewhere == []


def test_predicates_are_those_that_applicability_knows() -> None:
    assert {name for control in CONTROLS for name in control["applies"].get("when", [])} <= PREDICATES.keys()


def test_only_controls_of_workloads_look_at_pods_or_containers() -> None:
    kubernetes = {"workload", "CronJob", "DaemonSet", "Deployment", "Job", "Pod", "StatefulSet"}
    bears_pods = kubernetes | {"apps.openshift.io/DeploymentConfig"}
    inside = [control for control in CONTROLS if control["subject"] in {"pod", "container"}]
    assert [control["id"] for control in inside if not bears_pods.issuperset(control["applies"]["kinds"])] == []


def test_what_applies_to_no_kind_is_said_by_scanners_of_nodes_only() -> None:
    nowhere = [control for control in CONTROLS if not control["applies"]["kinds"]]
    assert {scanner for control in nowhere for scanner in control["rules"]} == {"trivy"}
    assert sum(len(control["rules"]["trivy"]) for control in nowhere) == 31


def test_no_control_asks_ephemeral_containers_for_what_kubernetes_refuses_there() -> None:
    about_ephemeral = {control["id"] for control in CONTROLS if "ephemeral" in control["applies"].get("containers", [])}
    assert about_ephemeral & NEVER_OF_EPHEMERAL == set()
    assert BY_ID.keys() >= NEVER_OF_EPHEMERAL


def test_texts_speak_of_the_weakness_and_never_of_a_scanner() -> None:
    texts = ((control["id"], control[field]) for control in CONTROLS for field in ("title", "why", "remedy"))
    assert [id_ for id_, text in texts if SCANNER_WORDS.search(text)] == []


def test_titles_are_unique() -> None:
    assert len({control["title"] for control in CONTROLS}) == len(CONTROLS)


def test_the_pod_security_standards_are_checked_natively_and_completely() -> None:
    checks = SCHEMA["$defs"]["compliance"]["properties"]
    for level in ("pss-baseline", "pss-restricted"):
        served = {name for c in CONTROLS if "native" in c["rules"] for name in c["compliance"].get(level, [])}
        assert served == set(checks[level]["items"]["enum"])


def test_every_external_scanner_has_a_table_of_severities() -> None:
    assert RULES["severities"].keys() == RULE_IDS.keys()
    assert set(RULES["severities"]["kube-score"]) == set(kube_score.GRADES.values())


def test_older_spellings_of_a_trivy_rule_lead_to_it() -> None:
    for rule in RULE_IDS["trivy"]:
        prefix, number = rule.split("-")
        spellings = (rule, f"AVD-{rule}", f"{prefix}{int(number):03d}")
        assert [_normalised(spelling) for spelling in spellings] == [rule, rule, rule]


def test_two_older_spellings_are_exceptions() -> None:
    exceptions = RULES["normalise"]["trivy"]["exceptions"]
    assert set(exceptions.values()) <= set(RULE_IDS["trivy"])
    assert [_normalised(spelling) for spelling in exceptions] == ["KCV-0035", "KCV-0012"]


def _validator(part: str = "") -> Draft202012Validator:
    return Draft202012Validator({"$ref": part, "$defs": SCHEMA["$defs"]} if part else SCHEMA)


def _normalised(spelling: str) -> str:
    """As the schema describes ``normalise``."""
    how = RULES["normalise"]["trivy"]
    if spelling in how["exceptions"]:
        return str(how["exceptions"][spelling])
    found = re.match(how["pattern"], spelling)
    assert found, spelling
    rendered = how["render"].format(prefix=found["prefix"], number=int(found["number"]))
    return str(how["renamed"].get(rendered, rendered))
