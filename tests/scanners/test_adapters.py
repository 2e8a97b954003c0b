"""The three adapters against scanners that crash, hang, flood and lie; none of it may raise, none of it may pass."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from model.finding import ScanStatus
from process import Sandbox
from scanners import kube_score, native, polaris, trivy
from scanners.base import Scope
from scanners.registry import SCANNERS
from settings import SCANNERS as NAMES
from tests.resources import resources
from tests.scanners.fakes import WAYS_TO_FAIL, context, fake_toolbox

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: a}]}"
SCOPES = (Scope(resources=resources(POD)),)
EXTERNAL = (polaris, kube_score, trivy)


@pytest.mark.parametrize("adapter", EXTERNAL, ids=lambda module: module.NAME)
@pytest.mark.parametrize("script", WAYS_TO_FAIL, ids=lambda script: script[:12])
def test_a_scanner_that_fails_leaves_every_object_missing_with_reason_and_remedy(
    adapter: ModuleType, script: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    scan = adapter.scan(SCOPES, context(sandbox, fake_toolbox(tmp_path, adapter.NAME, script), timeout=2))
    assert scan.status is ScanStatus.FAILED
    assert scan.opinions == {}
    assert list(scan.missing) == list(SCOPES[0].resources)
    for missing in scan.missing.values():
        assert missing.reason
        assert missing.remedy.endswith(".")
    assert scan.unaccounted == 0


@pytest.mark.parametrize(
    ("adapter", "report"),
    [(polaris, '{"Results": []}'), (kube_score, "null"), (trivy, '{"SchemaVersion": 2}')],
    ids=lambda value: getattr(value, "NAME", ""),
)
def test_a_report_that_does_not_show_an_object_leaves_it_missing(
    adapter: ModuleType, report: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    scan = adapter.scan(SCOPES, context(sandbox, fake_toolbox(tmp_path, adapter.NAME, f"echo '{report}'")))
    assert [missing.reason.endswith("printed nothing about this object") for missing in scan.missing.values()] == [True]


def test_nothing_to_look_at_starts_nothing_and_fails_nothing(tmp_path: Path, sandbox: Sandbox) -> None:
    for adapter in EXTERNAL:
        scan = adapter.scan((), context(sandbox, fake_toolbox(tmp_path, adapter.NAME, "exit 1")))
        assert (scan.status, scan.missing, scan.raw_findings) == (ScanStatus.OK, {}, 0)


def test_kube_score_is_asked_only_about_kinds_that_it_knows() -> None:
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: []"
    assert kube_score.supports(resources(POD)[0])
    assert not kube_score.supports(resources(role)[0])


def test_the_registry_and_the_command_line_name_the_same_scanners() -> None:
    assert tuple(SCANNERS) == NAMES
    assert all(name == SCANNERS[name].NAME for name in NAMES)
    assert native.TOOL is None


def test_a_message_that_may_hold_values_is_replaced_by_the_title_of_the_check() -> None:
    secret = 'container {"env":[{"name":"TOKEN","value":"canary"}]}'
    for rule in ("KSV-0120", "KSV-0109", "KSV-01010", "KSV-0001"):
        verdict = trivy.Verdict(rule=rule, passed=False, line=0, message=secret, title="A title", severity="HIGH")
        assert trivy._message(verdict) == "A title"
