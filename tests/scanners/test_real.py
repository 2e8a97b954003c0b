"""The real binaries: every object is shown, every finding accounted for, and batches say what single runs say."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.finding import Opinion, Scan
from model.resource import Resource
from process import Sandbox
from scanners import kube_score, polaris, trivy
from scanners.base import Scanner, Scope
from tests.resources import resources
from tests.scanners.fakes import context
from toolbox import Toolbox

pytestmark = pytest.mark.tools

MIXED = Path("tests/fixtures/scanners/mixed.yaml").read_text(encoding="utf-8")
EXTERNAL: tuple[Scanner, ...] = (polaris, kube_score, trivy)


def scan(scanner: Scanner, sandbox: Sandbox, toolbox: Toolbox, *scopes: tuple[Resource, ...]) -> Scan:
    return scanner.scan([Scope(resources=scope) for scope in scopes], context(sandbox, toolbox))


def plain(opinion: Opinion) -> tuple[object, ...]:
    """An opinion without its order; drops are about the run, not about the object."""
    findings = sorted((f.rule, f.container, f.message, f.severity) for f in opinion.findings)
    return findings, {subject: sorted(rules) for subject, rules in opinion.passed.items()}


@pytest.mark.parametrize("scanner", EXTERNAL, ids=lambda module: module.NAME)
def test_every_supported_object_is_shown_and_every_finding_accounted_for(
    scanner: Scanner, sandbox: Sandbox, toolbox: Toolbox
) -> None:
    objects = resources(MIXED)
    answer = scan(scanner, sandbox, toolbox, objects)
    assert answer.missing == {}
    assert set(answer.opinions) == {each for each in objects if scanner.supports(each)}
    assert answer.raw_findings > 20
    assert answer.unaccounted == 0


@pytest.mark.parametrize("scanner", EXTERNAL, ids=lambda module: module.NAME)
def test_scopes_do_not_see_each_other(scanner: Scanner, sandbox: Sandbox, toolbox: Toolbox) -> None:
    one, other = resources(MIXED), resources(MIXED)[:5]
    together = scan(scanner, sandbox, toolbox, one, other)
    for scope in (one, other):
        alone = scan(scanner, sandbox, toolbox, scope)
        for resource in scope:
            if scanner.supports(resource):
                assert plain(together.opinions[resource]) == plain(alone.opinions[resource])


def test_a_batch_of_trivy_says_of_each_object_what_a_run_of_its_own_says(sandbox: Sandbox, toolbox: Toolbox) -> None:
    objects = resources(MIXED)
    batch = scan(trivy, sandbox, toolbox, objects)
    for resource in objects:
        alone = scan(trivy, sandbox, toolbox, (resource,))
        assert plain(batch.opinions[resource]) == plain(alone.opinions[resource]), str(resource.ref)


def test_equal_objects_are_judged_once_and_all_get_the_answer(sandbox: Sandbox, toolbox: Toolbox) -> None:
    base, head = resources(MIXED)[:2], resources(MIXED)[:2]
    answer = scan(trivy, sandbox, toolbox, base, head)
    for before, after in zip(base, head, strict=True):
        assert plain(answer.opinions[before]) == plain(answer.opinions[after])
    assert answer.unaccounted == 0


@pytest.mark.threat("S8")
def test_an_object_that_ends_kube_score_is_missing_and_the_others_are_judged(
    sandbox: Sandbox, toolbox: Toolbox
) -> None:
    broken = "apiVersion: v1\nkind: Service\nmetadata: {name: broken}\nspec: {ports: nonsense}"
    good = resources(MIXED)
    bad = resources(broken)
    answer = scan(kube_score, sandbox, toolbox, (*good, *bad))
    assert list(answer.missing) == list(bad)
    assert "exit code 1" in answer.missing[bad[0]].reason
    assert set(answer.opinions) == {each for each in good if kube_score.supports(each)}


@pytest.mark.threat("S8")
def test_an_object_that_ends_polaris_is_missing_and_the_others_are_judged(sandbox: Sandbox, toolbox: Toolbox) -> None:
    policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: broken}\nspec: nonsense"
    good, bad = resources(MIXED), resources(policy)
    answer = scan(polaris, sandbox, toolbox, (*good, *bad))
    assert list(answer.missing) == list(bad)
    assert "panic: interface conversion" in answer.missing[bad[0]].reason
    assert set(answer.opinions) == set(good)


def test_a_host_port_of_one_container_is_none_of_the_others(sandbox: Sandbox, toolbox: Toolbox) -> None:
    pod = """
apiVersion: v1
kind: Pod
metadata: {name: ports}
spec:
  containers:
  - {name: open, image: "a:1", ports: [{containerPort: 80, hostPort: 80}]}
  - {name: closed, image: "b:1", securityContext: {capabilities: {add: [SYS_MODULE]}}}
  - {name: module, image: "b:1", securityContext: {capabilities: {add: [SYS_MODULE]}}}
"""
    objects = resources(pod)
    answer = scan(trivy, sandbox, toolbox, objects)
    found = [(f.rule, f.container) for f in answer.opinions[objects[0]].findings if f.rule in {"KSV-0024", "KSV-0120"}]
    assert sorted(found) == [("KSV-0024", "open"), ("KSV-0120", "closed"), ("KSV-0120", "module")]
    assert answer.unaccounted == 0


def test_a_seccomp_profile_of_the_main_container_says_nothing_about_the_init_container(
    sandbox: Sandbox, toolbox: Toolbox
) -> None:
    pod = """
apiVersion: v1
kind: Pod
metadata: {name: profile}
spec:
  initContainers: [{name: setup, image: "a:1"}]
  containers: [{name: app, image: "a:1", securityContext: {seccompProfile: {type: RuntimeDefault}}}]
"""
    objects = resources(pod)
    passed = scan(kube_score, sandbox, toolbox, objects).opinions[objects[0]].passed
    assert {subject for subject, rules in passed.items() if "container-seccomp-profile" in rules} == {"", "app"}


@pytest.mark.parametrize("scanner", EXTERNAL, ids=lambda module: module.NAME)
@pytest.mark.threat("S3", "S4", "S9", "Y10")
def test_what_blinds_a_scanner_is_gone_in_the_copy(scanner: Scanner, sandbox: Sandbox, toolbox: Toolbox) -> None:
    blinding = """
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {generateName: web-}
  spec:
    selector: {matchLabels: {a: b}}
    template: {metadata: {labels: {a: b}}, spec: {containers: [{securityContext: , image: nginx}]}}
--- # a comment that hides the next document
apiVersion: v1
kind: Pod
metadata: {name: hidden, annotations: {polaris.fairwinds.com/exempt: "true", kube-score/ignore: "container-image-tag"}}
spec: {containers: [{name: app, image: nginx}]}
"""
    objects = resources(blinding)
    answer = scan(scanner, sandbox, toolbox, objects)
    assert answer.missing == {}
    for resource in objects:
        rules = {finding.rule for finding in answer.opinions[resource].findings}
        assert rules & {"tagNotSpecified", "container-image-tag", "KSV-0013"}


@pytest.mark.parametrize("scanner", EXTERNAL, ids=lambda module: module.NAME)
def test_a_finding_names_its_container(scanner: Scanner, sandbox: Sandbox, toolbox: Toolbox) -> None:
    two = """
apiVersion: v1
kind: Pod
metadata: {name: two}
spec:
  containers:
  - {name: good, image: "registry.example.com/a:1"}
  - {name: bad, image: "registry.example.com/b:latest"}
"""
    (pod,) = resources(two)
    found = scan(scanner, sandbox, toolbox, (pod,)).opinions[pod].findings
    tags = {"tagNotSpecified", "container-image-tag", "KSV-0013"}
    assert {finding.container for finding in found if finding.rule in tags} == {"bad"}


SECRET_LINES = """
apiVersion: v1
kind: ConfigMap
metadata: {name: plain, namespace: shop}
data: {a: "password: x"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: crash, namespace: shop}
data: {a: "Password=a:b"}
"""


def test_an_object_on_which_a_check_of_trivy_crashes_keeps_it_from_no_other(sandbox: Sandbox, toolbox: Toolbox) -> None:
    plain_one, crashing = resources(SECRET_LINES)
    answer = scan(trivy, sandbox, toolbox, (crashing, plain_one))
    assert [finding.rule for finding in answer.opinions[plain_one].findings] == ["KSV-0109"]
    assert not [finding for finding in answer.opinions[crashing].findings if finding.rule == "KSV-0109"]
    assert "KSV-0109" not in answer.opinions[crashing].passed[""]


@pytest.mark.threat("S8")
def test_a_check_of_trivy_that_crashes_unexpectedly_is_silent_about_that_object_only(
    sandbox: Sandbox, toolbox: Toolbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trivy, "_ends_a_check", lambda _: False)
    plain_one, crashing = resources(SECRET_LINES)
    answer = scan(trivy, sandbox, toolbox, (*resources(MIXED)[:2], crashing, plain_one))
    assert [finding.rule for finding in answer.opinions[plain_one].findings] == ["KSV-0109"]
    assert "KSV-0109" not in answer.opinions[crashing].passed[""]
    assert answer.missing == {}
    assert answer.unaccounted == 0


@pytest.mark.threat("S8")
def test_a_pod_that_blinds_trivy_is_missing_instead_of_passing_everything(sandbox: Sandbox, toolbox: Toolbox) -> None:
    blinding = """
apiVersion: v1
kind: Pod
metadata: {name: blinding}
spec: {containers: [{name: app, image: "a:1", securityContext: [privileged]}]}
"""
    answer = scan(trivy, sandbox, toolbox, resources(blinding), resources(MIXED)[:1])
    assert [missing.reason for missing in answer.missing.values()] == [trivy.BLINDED]
    assert len(answer.opinions) == 1


@pytest.mark.parametrize("version", ["batch/v1beta1", "batch/v2alpha1"])
@pytest.mark.threat("S8")
def test_a_version_of_a_kind_on_which_trivy_panics_is_judged_as_the_one_that_is_served(
    version: str, sandbox: Sandbox, toolbox: Toolbox
) -> None:
    text = """
    apiVersion: batch/v1
    kind: CronJob
    metadata: {name: a}
    spec:
      schedule: "* * * * *"
      jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "a:1"}]}}}}
    """
    served, old = resources(text), resources(text.replace("batch/v1", version))
    answer = scan(trivy, sandbox, toolbox, (*served, *old))
    assert answer.missing == {}
    assert plain(answer.opinions[served[0]]) == plain(answer.opinions[old[0]])
