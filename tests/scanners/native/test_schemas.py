"""What Kubernetes' schemas say of an object: fields, types, versions, and where nothing is said."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controls import catalogue
from model.errors import EnvironmentBrokenError
from model.finding import OBJECT, Opinion
from process import Sandbox
from scanners import native
from scanners.base import Scope
from scanners.native import api_versions, hardening, schemas
from scanners.native.engine import CHECKS, Neighbours, look
from tests.resources import resources
from tests.scanners.fakes import context
from toolbox import Toolbox

SURVEYED = {
    "deprecated-api-version",
    "invalid-field-type",
    "misplaced-security-field",
    "removed-api-version",
    "unknown-field",
}
FIELDS = {"invalid-field-type", "misplaced-security-field", "unknown-field"}
NO_OBJECTS = frozenset({"DeleteOptions", "Status", "WatchEvent"})


def judged(*objects: Any, kube_version: str = "1.34") -> list[Opinion]:
    """What all checks say about each object."""
    found = resources("---\n".join(f"{json.dumps(each)}\n" for each in objects))
    neighbours = Neighbours.of(found, kube_version)
    return [look(each, neighbours) for each in found]


def said(opinion: Opinion, *rules: str) -> list[str]:
    return [finding.message for finding in opinion.findings if finding.rule in rules]


def verdicts(opinion: Opinion) -> set[str]:
    """Of our controls those that somebody can know something about."""
    failed = {finding.rule for finding in opinion.findings}
    return (failed | opinion.passed[OBJECT]) & SURVEYED


def thing(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web"}, **fields}


def pod(**spec: Any) -> dict[str, Any]:
    return thing("v1", "Pod", spec={"containers": [{"name": "app"}], **spec})


def served() -> Iterator[tuple[schemas.Release, str, str]]:
    """Every release, apiVersion and kind that manifests may hold."""
    for release in schemas.releases():
        for api_version, kind in schemas.schemas_for(schemas.named(release)).kinds:
            if not kind.endswith("List") and kind not in NO_OBJECTS:
                yield release, api_version, kind


def applies(control: str) -> set[str]:
    return set(catalogue.load().controls[control].applies.kinds)


def test_an_object_of_kubernetes_has_a_verdict_of_every_control_and_a_custom_one_of_none() -> None:
    ours, custom, unknown = judged(pod(), thing("example.com/v1", "Pod", spec={}), thing("v1", "Bee", runAsUser=1))
    assert verdicts(ours) == SURVEYED
    assert verdicts(custom) == set()
    assert verdicts(unknown) == set()


def test_a_removed_version_fails_and_says_nothing_of_its_fields() -> None:
    (opinion,) = judged(thing("policy/v1beta1", "PodDisruptionBudget", honey=True))
    assert verdicts(opinion) == {"deprecated-api-version", "removed-api-version"}
    assert said(opinion, "removed-api-version") == [
        "uses PodDisruptionBudget of policy/v1beta1, which Kubernetes no longer serves as of 1.25: use policy/v1"
    ]


@pytest.mark.parametrize(
    ("api_version", "kind", "kube_version", "failed"),
    [
        ("policy/v1beta1", "PodDisruptionBudget", "1.20", set()),
        ("policy/v1beta1", "PodDisruptionBudget", "1.21", {"deprecated-api-version"}),
        ("policy/v1beta1", "PodDisruptionBudget", "1.25", {"deprecated-api-version", "removed-api-version"}),
        ("extensions/v1beta1", "Ingress", "1.18", set()),
        ("extensions/v1beta1", "Ingress", "1.21", {"deprecated-api-version"}),
        ("extensions/v1beta1", "Ingress", "1.22", {"deprecated-api-version", "removed-api-version"}),
        ("v1", "Endpoints", "1.32", set()),
        ("v1", "Endpoints", "1.33", {"deprecated-api-version"}),
        ("v1", "Endpoints", "9.99", {"deprecated-api-version"}),
        ("flowcontrol.apiserver.k8s.io/v1beta2", "FlowSchema", "1.28", {"deprecated-api-version"}),
        (
            "flowcontrol.apiserver.k8s.io/v1beta2",
            "FlowSchema",
            "1.29",
            {"deprecated-api-version", "removed-api-version"},
        ),
        ("autoscaling/v1", "HorizontalPodAutoscaler", "1.37", set()),
        ("apps/v1", "Deployment", "1.10", set()),
    ],
)
def test_the_target_version_decides(api_version: str, kind: str, kube_version: str, failed: set[str]) -> None:
    (opinion,) = judged(thing(api_version, kind), kube_version=kube_version)
    assert {finding.rule for finding in opinion.findings} & {"deprecated-api-version", "removed-api-version"} == failed
    assert verdicts(opinion) >= {"deprecated-api-version", "removed-api-version"}


def test_what_only_newer_releases_serve_has_no_verdict() -> None:
    (opinion,) = judged(thing("resource.k8s.io/v1", "DeviceClass"), kube_version="1.30")
    assert verdicts(opinion) == set()


def test_a_beta_before_the_oldest_schemas_has_no_verdict_unless_the_table_knows_it() -> None:
    (opinion,) = judged(thing("flowcontrol.apiserver.k8s.io/v1beta1", "FlowSchema", spec={}), kube_version="1.24")
    assert verdicts(opinion) == FIELDS


def test_the_table_agrees_with_the_schemas() -> None:
    known = {(release, api_version, kind) for release, api_version, kind in served()}
    for (api_version, kind), row in api_versions.RETIREMENTS.items():
        for release in schemas.releases():
            is_served = (release, api_version, kind) in known
            assert is_served is (row.removed is None or release < row.removed), (release, api_version, kind)
            if row.successor and release >= row.since:
                assert any(served[:2] == (release, row.successor) for served in known)


def test_a_control_of_removed_versions_applies_to_every_kind_that_ever_lost_one() -> None:
    last: dict[tuple[str, str], schemas.Release] = {}
    for release, api_version, kind in served():
        last[api_version, kind] = release
    gone = {key for key, release in last.items() if release != schemas.releases()[-1]}
    table = {key: row for key, row in api_versions.RETIREMENTS.items() if row.removed}
    gone |= table.keys() | {(row.successor, kind) for (_, kind), row in table.items() if row.successor}
    assert applies("removed-api-version") == {f"{schemas.group_of(version)}/{kind}" for version, kind in gone}


def test_a_control_of_misplaced_settings_applies_to_every_kind_that_has_a_place_for_one() -> None:
    kinds = set()
    for release, api_version, kind in served():
        node = schemas.schemas_for(schemas.named(release)).of(api_version, kind)
        assert node is not None
        place = hardening.Place(None, "", {}, node)
        if any(hardening.home(place, setting) for setting in hardening.SETTINGS):
            kinds.add(f"{schemas.group_of(api_version)}/{kind}")
    assert applies("misplaced-security-field") == kinds


def test_every_setting_has_its_place_in_the_newest_release() -> None:
    found = schemas.schemas_for("")
    roots = [node for key in found.kinds if (node := found.of(*key)) is not None]
    for setting in hardening.SETTINGS:
        assert any(hardening.home(hardening.Place(None, "", {}, node), setting) for node in roots), setting


@pytest.mark.parametrize(
    ("kube_version", "release"),
    [("1.34", (1, 34)), ("1.18", (1, 25)), ("1.99", (1, 37)), ("2.0", (1, 37)), ("", (1, 37)), ("1.9", (1, 25))],
)
def test_the_nearest_release_stands_for_a_version_without_schemas(kube_version: str, release: tuple[int, int]) -> None:
    assert schemas.releases()[0] == (1, 25)
    assert schemas.releases()[-1] == (1, 37)
    assert schemas.schemas_for(kube_version).release == release


def test_the_message_names_the_release_whose_schema_judged() -> None:
    (opinion,) = judged(pod(honey=True), kube_version="1.20")
    assert said(opinion, "unknown-field") == ["sets honey, which Kubernetes 1.25 does not know here"]


def test_a_field_that_is_newer_than_the_target_is_unknown() -> None:
    old, new = (judged(pod(hostnameOverride="web"), kube_version=version)[0] for version in ("1.30", "1.37"))
    assert said(old, "unknown-field")
    assert not said(new, "unknown-field")


@pytest.mark.parametrize(
    ("spec", "name", "advice"),
    [
        (
            {"containers": [{"name": "app", "runAsNonRoot": True}]},
            "runAsNonRoot",
            "it belongs at spec.containers[0].securityContext.runAsNonRoot",
        ),
        (
            {"securityContext": {"readOnlyRootFilesystem": True}},
            "readOnlyRootFilesystem",
            "it belongs at spec.containers[].securityContext.readOnlyRootFilesystem",
        ),
        ({"securityContext": {"runAsNonroot": True}}, "runAsNonroot", "it is spelt runAsNonRoot"),
    ],
)
def test_a_misplaced_setting_is_told_where_it_belongs(spec: dict[str, Any], name: str, advice: str) -> None:
    (opinion,) = judged(pod(**spec))
    message = f"sets {name}, which Kubernetes 1.34 does not know here; {advice}"
    assert said(opinion, "misplaced-security-field") == [message]
    assert not said(opinion, "unknown-field")


def test_a_setting_is_lost_unless_every_container_has_it_itself() -> None:
    own = {"name": "app", "securityContext": {"readOnlyRootFilesystem": False}}
    wrong = {"readOnlyRootFilesystem": True}
    all_, some = judged(
        pod(securityContext=wrong, containers=[own, own]), pod(securityContext=wrong, containers=[own, {"name": "b"}])
    )
    assert said(all_, "unknown-field")
    assert not said(all_, "misplaced-security-field")
    assert said(some, "misplaced-security-field")


GOOD_QUANTITIES = ("1", "1.5", ".5", "5.", "-1", "+1", "1e3", "1E-3", "12E", "64Mi", "100m", " 1 ", 0, 2.5)
BAD_QUANTITIES = ("", " ", "64MB", "1 Gi", "1mi", "1e", "1.1.1", "\u0661", "1_000", "0x10", "1Mi1", "inf", [1])


@pytest.mark.parametrize("quantity", [*GOOD_QUANTITIES, *BAD_QUANTITIES])
def test_a_quantity_is_read_as_kubernetes_reads_it(quantity: Any) -> None:
    (opinion,) = judged(pod(containers=[{"name": "app", "resources": {"limits": {"memory": quantity}}}]))
    assert bool(said(opinion, "invalid-field-type")) is (quantity in BAD_QUANTITIES)


GOOD_BASE64 = ("", "QQ==", "QR==", "QUI=", "QUJD", "QU\nJD\n", "++//")
BAD_BASE64 = ("QQ", "Q", "QUI", "QQ==QQ==", "-_-_", "QU JD", "QUJD=", "QUJD====", "\xe9")


@pytest.mark.parametrize("data", [*GOOD_BASE64, *BAD_BASE64])
def test_base64_is_read_as_kubernetes_reads_it(data: str) -> None:
    (opinion,) = judged(thing("v1", "Secret", data={"a": data}))
    assert bool(said(opinion, "invalid-field-type")) is (data in BAD_BASE64)


def test_no_message_repeats_a_value() -> None:
    secret = thing("v1", "Secret", data={"a": "correct-horse"}, stringData={"b": ["correct-horse"]}, c="correct-horse")
    (opinion,) = judged(secret)
    assert len(said(opinion, *FIELDS)) == 3
    assert "horse" not in str(opinion)


NAMES = st.sampled_from(
    (
        *hardening.SETTINGS,
        "spec",
        "template",
        "containers",
        "name",
        "metadata",
        "labels",
        "data",
        "$patch",
        "runasnonroot",
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
KINDS = st.sampled_from(
    [
        ("v1", "Pod"),
        ("apps/v1", "Deployment"),
        ("v1", "Secret"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ("rbac.authorization.k8s.io/v1", "Role"),
    ]
)


@given(KINDS, st.dictionaries(st.sampled_from(("spec", "data", "rules", "status", "other")) | NAMES, JSON))
def test_an_object_of_any_shape_never_raises(kind: tuple[str, str], fields: dict[str, Any]) -> None:
    fields.pop("metadata", None)
    for opinion in judged(thing(*kind, **fields)):
        assert verdicts(opinion) == SURVEYED


@pytest.mark.parametrize("name", ["runAsNonRoo", "a", "securityContex", "allowPrivilegeEscalatio"])
def test_unknown_fields_made_to_cost_time_cost_little(name: str) -> None:
    many = {f"{name}{number}": {"drop": ["ALL"]} for number in range(1_000)}
    container = {"name": "app", "securityContext": {**many, "capabilities": many}}
    found = resources(json.dumps(pod(**many, containers=[container] * 3)))
    neighbours = Neighbours.of(found, "1.34")
    start = time.process_time()
    opinion = look(found[0], neighbours)
    assert time.process_time() - start < 1
    assert len([each for each in opinion.findings if each.rule in FIELDS]) == 7_000


def test_a_kind_that_looks_like_a_path_reads_no_file() -> None:
    for kind in ("../../x", "Pod/../Pod", "a\0b", "K" * 5_000):
        assert schemas.last_served("v1", kind, (1, 34)) is None
        assert schemas.last_served(f"{kind}/v1", "Pod", (1, 34)) is None


def test_without_the_data_the_user_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "PACKAGE", "a_package_that_nobody_has")
    schemas._data.cache_clear()
    with pytest.raises(EnvironmentBrokenError) as caught:
        schemas._data()
    assert "kubernetes-validate" in caught.value.remedy


def test_only_the_data_of_the_package_is_used() -> None:
    spec = find_spec(schemas.PACKAGE)
    assert spec is not None
    code = (Path(file).read_text(encoding="utf-8") for file in _sources())
    assert not any(f"import {schemas.PACKAGE}" in text or f"from {schemas.PACKAGE}" in text for text in code)


def _sources() -> Sequence[str]:
    return [str(module.__file__) for module in (schemas, hardening, api_versions)]


def test_a_survey_may_not_judge_what_another_check_judges() -> None:
    assert CHECKS.surveyed >= SURVEYED
    names = [control for controls in CHECKS.surveys for control in controls]
    assert len(names) == len(set(names))
    assert CHECKS.surveyed.isdisjoint({*CHECKS.object, *CHECKS.pod, *CHECKS.container})


def test_each_scope_is_judged_for_its_own_kubernetes(sandbox: Sandbox, toolbox: Toolbox) -> None:
    text = "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: old}\nspec: {}\n"
    old, new = resources(text), resources(text)
    scopes = [Scope(resources=old, kube_version="1.24"), Scope(resources=new)]
    opinions = native.scan(scopes, context(sandbox, toolbox)).opinions
    found = [{finding.rule for finding in opinions[each].findings} for (each,) in (old, new)]
    assert ["removed-api-version" in rules for rules in found] == [False, True]
