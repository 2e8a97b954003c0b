"""Who is let in by which standard of which Kubernetes version, what namespaces' labels mean, what replaces policies."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest

from controls.applicability import Applicability
from controls.catalogue import load
from model.finding import Finding
from model.resource import Pod
from scanners.native.engine import Neighbours, look
from scanners.native.pod_security.policies import replacement
from scanners.native.pod_security.standards import BASELINE, NEWEST, RESTRICTED, Level, refusals
from tests.resources import resources
from tests.scanners.native.test_checks import EVERYTHING, FIXTURES, SHAPES, places

PRIVILEGED, BASE, STRICT = Level.PRIVILEGED, Level.BASELINE, Level.RESTRICTED
LABEL = "pod-security.kubernetes.io"
SAFE: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(
    container: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
    place: str = "containers",
) -> Pod:
    """A pod that restricted lets in, but for what is given: to a container in that list, the spec, annotations."""
    containers: dict[str, Any] = {"containers": [{"name": "app", "securityContext": SAFE}]}
    fields = copy.deepcopy(container or {})
    fields["securityContext"] = {**SAFE, **fields.get("securityContext", {})}
    containers[place] = [{"name": "app" if place == "containers" else "other", **fields}]
    metadata = {"name": "web", "annotations": annotations or {}}
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**containers, **(spec or {})}}
    return resources(json.dumps(made))[0].pods[0]


def context(**fields: Any) -> dict[str, Any]:
    """A container with these fields in its security context."""
    return {"securityContext": fields}


def test_a_hardened_pod_is_let_in_by_every_standard_of_every_version() -> None:
    assert [refusals(pod(), level, minor) for level in Level for minor in range(NEWEST + 9)] == [()] * 3 * (NEWEST + 9)


def test_an_ordinary_pod_is_let_in_by_baseline_and_not_by_restricted() -> None:
    ordinary = resources("apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app}]}\n")
    assert refusals(ordinary[0].pods[0], BASE, 34) == ()
    assert refusals(ordinary[0].pods[0], STRICT, 34) == (
        "allowPrivilegeEscalation != false",
        "unrestricted capabilities",
        "runAsNonRoot != true",
        "seccompProfile",
    )


CASES: tuple[tuple[Pod, str, int, int], ...] = (
    (pod(context(privileged=True)), "privileged", 0, NEWEST),
    (pod(context(privileged=True), place="initContainers"), "privileged", 0, NEWEST),
    (pod(context(privileged=True), place="ephemeralContainers"), "privileged", 0, NEWEST),
    (pod(spec={"hostPID": True}), "host namespaces", 0, NEWEST),
    (pod(spec={"volumes": [{"name": "a", "hostPath": {"path": "/a"}}]}), "hostPath volumes", 0, NEWEST),
    (pod({"ports": [{"containerPort": 1, "hostPort": 1}]}), "hostPort", 0, NEWEST),
    (pod({"ports": [{"containerPort": 1}]}, {"hostNetwork": True}), "hostPort", 0, NEWEST),
    (pod({"livenessProbe": {"tcpSocket": {"port": 1, "host": "a"}}}), "probe or lifecycle host", 34, NEWEST),
    (pod({"lifecycle": {"preStop": {"httpGet": {"host": "a"}}}}), "probe or lifecycle host", 34, NEWEST),
    (pod(context(procMount="Unmasked")), "procMount", 0, NEWEST),
    (pod(context(procMount="Unmasked"), {"hostUsers": False}), "procMount", 0, 34),
    (pod(context(seLinuxOptions={"type": "spc_t"})), "seLinuxOptions", 0, NEWEST),
    (pod(context(seLinuxOptions={"type": "container_engine_t"})), "seLinuxOptions", 0, 30),
    (pod(spec={"securityContext": {"seLinuxOptions": {"role": "a"}}}), "seLinuxOptions", 0, NEWEST),
    (pod(spec={"securityContext": {"seccompProfile": {"type": "Unconfined"}}}), "seccompProfile", 19, NEWEST),
    (pod(context(seccompProfile={})), "seccompProfile", 19, NEWEST),
    (pod(annotations={"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}), "seccompProfile", 0, 18),
    (pod(annotations={"container.seccomp.security.alpha.kubernetes.io/app": "x"}), "seccompProfile", 0, 18),
    (
        pod(annotations={"container.apparmor.security.beta.kubernetes.io/gone": "unconfined"}),
        "forbidden AppArmor profile",
        0,
        NEWEST,
    ),
    (pod(context(appArmorProfile={"type": "Unconfined"})), "forbidden AppArmor profile", 0, NEWEST),
    (pod(spec={"securityContext": {"sysctls": [{"name": "kernel.msgmax"}]}}), "forbidden sysctls", 0, NEWEST),
    (pod(spec={"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}}), "forbidden sysctls", 0, 31),
    (pod(context(windowsOptions={"hostProcess": True})), "hostProcess", 0, NEWEST),
    (pod(context(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]})), "non-default capabilities", 0, NEWEST),
)
"""Each with a reason of baseline, and the first and last minor version that gives it."""


@pytest.mark.parametrize("number", range(len(CASES)))
def test_baseline_refuses_in_the_versions_that_know_the_check(number: int) -> None:
    about, reason, first, last = CASES[number]
    refused = [minor for minor in range(NEWEST + 1) if reason in refusals(about, BASE, minor)]
    assert refused == list(range(first, last + 1))
    assert refusals(about, PRIVILEGED, NEWEST) == ()


BY_NAME = ["CHOWN", "DAC_OVERRIDE", "NET_RAW"]
STRICT_CASES: tuple[tuple[Pod, str, int, int], ...] = (
    (pod(context(allowPrivilegeEscalation=None)), "allowPrivilegeEscalation != false", 8, NEWEST),
    (
        pod(context(allowPrivilegeEscalation=None), {"os": {"name": "windows"}}),
        "allowPrivilegeEscalation != false",
        8,
        24,
    ),
    (pod(context(capabilities={"drop": ["all"]})), "unrestricted capabilities", 22, NEWEST),
    (pod(context(capabilities={"drop": BY_NAME})), "unrestricted capabilities", 22, NEWEST),
    (pod(context(capabilities={"drop": ["ALL"], "add": ["KILL"]})), "unrestricted capabilities", 22, NEWEST),
    (pod(context(capabilities=None), {"os": {"name": "windows"}}), "unrestricted capabilities", 22, 24),
    (pod(context(procMount="Unmasked"), {"hostUsers": False}), "procMount", 0, NEWEST),
    (pod(spec={"volumes": [{"name": "a", "nfs": {"server": "a", "path": "/"}}]}), "restricted volume types", 0, NEWEST),
    (pod(context(runAsNonRoot=None)), "runAsNonRoot != true", 0, NEWEST),
    (pod(context(runAsNonRoot=None), {"hostUsers": False}), "runAsNonRoot != true", 0, 34),
    (pod(spec={"securityContext": {"runAsNonRoot": False}}), "runAsNonRoot != true", 0, NEWEST),
    (pod(context(runAsUser=0)), "runAsUser=0", 23, NEWEST),
    (pod(context(runAsUser=0), {"hostUsers": False}), "runAsUser=0", 23, 34),
    (pod(context(seccompProfile=None)), "seccompProfile", 19, NEWEST),
    (pod(context(seccompProfile=None), {"os": {"name": "windows"}}), "seccompProfile", 19, 24),
)


@pytest.mark.parametrize("number", range(len(STRICT_CASES)))
def test_restricted_refuses_more(number: int) -> None:
    about, reason, first, last = STRICT_CASES[number]
    refused = [minor for minor in range(NEWEST + 1) if reason in refusals(about, STRICT, minor)]
    assert refused == list(range(first, last + 1))


LET_IN = (
    pod(context(runAsNonRoot=None, seccompProfile=None), {"securityContext": SAFE}),
    pod(context(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]})),
    pod(spec={"volumes": [{"name": "a"}, {"name": "b", "emptyDir": None}, {"name": "c", "image": {}}]}),
    pod({"ports": [{"containerPort": 80, "hostPort": 0}]}),
    pod(context(seLinuxOptions={"level": "s0:c1,c2"})),
    pod(annotations={"container.apparmor.security.beta.kubernetes.io/app": "localhost/a"}),
    pod(context(appArmorProfile={"type": "Localhost", "localhostProfile": "a"})),
)


@pytest.mark.parametrize("number", range(len(LET_IN)))
def test_what_the_standards_allow_is_let_in(number: int) -> None:
    assert refusals(LET_IN[number], STRICT, NEWEST) == ()


def test_a_newer_version_than_the_last_known_is_judged_by_that() -> None:
    unmasked = pod(context(procMount="Unmasked"), {"hostUsers": False})
    assert refusals(unmasked, BASE, NEWEST + 40) == refusals(unmasked, BASE, NEWEST)


def test_the_checks_are_in_the_order_of_the_controllers_messages() -> None:
    for checks in (BASELINE, RESTRICTED):
        assert [check.id for check in checks] == sorted(check.id for check in checks)


def test_every_field_of_a_pod_may_hold_every_shape_of_value() -> None:
    pristine = json.loads(json.dumps(dict(resources(EVERYTHING)[0].value)))
    for path in [*places(pristine["spec"], ("spec",)), ("metadata", "annotations")]:
        for shape in SHAPES:
            manifest = copy.deepcopy(pristine)
            parent: Any = manifest
            for step in path[:-1]:
                parent = parent[step]
            parent[path[-1]] = shape
            for found in resources(json.dumps(manifest))[0].pods:
                for minor in (0, 18, NEWEST):
                    refusals(found, STRICT, minor)
                    refusals(found, BASE, minor)


CATALOGUE = load()
APPLICABILITY = Applicability(CATALOGUE.controls)
OF_STANDARDS = {
    control.id
    for control in CATALOGUE.controls.values()
    if not {"pss-baseline", "pss-restricted"}.isdisjoint(control.compliance)
}


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_controls_of_the_standards_fail_the_pods_that_restricted_refuses_and_no_others(fixture: Path) -> None:
    found = resources(fixture.read_text(encoding="utf-8"))
    neighbours = Neighbours.of(found)
    for each in found:
        applicable = APPLICABILITY.of(each)
        told = {one.rule for one in look(each, neighbours).findings if one.rule in applicable.get(one.container, ())}
        refused = [reason for about in each.pods if about.containers for reason in refusals(about, STRICT, NEWEST)]
        if each.containers:
            assert bool(told & OF_STANDARDS) is bool(refused), (each.ref, told & OF_STANDARDS, refused)


def namespace(**labels: str) -> str:
    """Named shop; the labels without their prefix, ``_`` for ``-``."""
    written = {f"{LABEL}/{key.replace('_', '-')}": value for key, value in labels.items()}
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": written}})


def workload(name: str, place: str = "shop", **spec: Any) -> str:
    """A Deployment of pods with this spec."""
    metadata = {"name": name, "namespace": place} if place else {"name": name}
    template = {"spec": {"containers": [{"name": "app"}], **spec}}
    return json.dumps(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template}}
    )


def findings(*objects: str, version: str = "1.34") -> list[Finding]:
    """What the checks of Pod Security find in one scope."""
    found = resources("\n---\n".join(objects) + "\n")
    neighbours = Neighbours.of(found, version)
    told = [finding for each in found for finding in look(each, neighbours).findings]
    return [finding for finding in told if finding.rule.startswith("pod-security")]


def test_a_namespace_tells_whose_pods_it_keeps_out_and_why() -> None:
    objects = [workload("web", hostNetwork=True, hostPID=True), workload("api"), workload("db", "office", hostPID=True)]
    (finding,) = findings(namespace(enforce="baseline"), *objects, workload("job", "", hostPID=True))
    assert finding.rule == "pod-security-rejects"
    assert finding.field == ("metadata", "labels", f"{LABEL}/enforce")
    assert finding.message == (
        "enforces baseline of Kubernetes 1.34 here: the pods of 1 of 2 workloads would be rejected: "
        "Deployment web (host namespaces)"
    )


def test_many_workloads_are_counted_and_few_are_named() -> None:
    (finding,) = findings(namespace(enforce="restricted"), *(workload(f"web-{number}") for number in range(5)))
    assert "5 of 5 workloads" in finding.message
    assert "web-2 (" in finding.message
    assert "web-3 (" not in finding.message
    assert finding.message.endswith(", …) and 2 more")


def test_audit_and_warn_report_on_their_own_lines() -> None:
    told = findings(namespace(enforce="privileged", audit="baseline", warn="restricted"), workload("web", hostPID=True))
    fields = [finding.field for finding in told]
    assert {finding.rule for finding in told} == {"pod-security-warns"}
    assert fields == [("metadata", "labels", f"{LABEL}/{mode}") for mode in ("audit", "warn")]


def test_the_version_of_a_label_counts_up_to_that_of_the_cluster() -> None:
    probing: dict[str, Any] = {"containers": [{"name": "app", "livenessProbe": {"tcpSocket": {"host": "a"}}}]}
    about = workload("web", **probing)
    assert findings(namespace(enforce="baseline"), about, version="1.34")
    assert findings(namespace(enforce="baseline", enforce_version="latest"), about, version="1.34")
    assert not findings(namespace(enforce="baseline", enforce_version="v1.33"), about, version="1.34")
    assert not findings(namespace(enforce="baseline", enforce_version="v1.34"), about, version="1.33")
    assert findings(namespace(enforce="baseline"), about, version="")


def test_a_label_that_cannot_be_read_is_strict_where_it_is_enforced_and_open_elsewhere() -> None:
    told = findings(namespace(enforce="x", audit="x", warn="x"), workload("web"))
    assert [finding.rule for finding in told if finding.rule != "pod-security-labels"] == ["pod-security-rejects"]
    assert len([finding for finding in told if finding.rule == "pod-security-labels"]) == 3


def test_a_namespace_with_many_workloads_costs_little() -> None:
    objects = resources("\n---\n".join(workload(f"web-{number}") for number in range(2_000)) + "\n")
    spaces = resources("\n---\n".join([namespace(enforce="restricted")] * 20) + "\n")
    neighbours = Neighbours.of((*objects, *spaces), "1.34")
    start = time.process_time()
    for each in spaces:
        look(each, neighbours)
    assert time.process_time() - start < 5


def policy(annotations: dict[str, str] | None = None, **spec: Any) -> str:
    """What is to be written instead of a PodSecurityPolicy that restricted is as strict as, but for what is given."""
    strict = {
        "allowPrivilegeEscalation": False,
        "requiredDropCapabilities": ["ALL"],
        "runAsUser": {"rule": "MustRunAsNonRoot"},
        "seLinux": {"rule": "RunAsAny"},
        "volumes": ["configMap", "secret"],
    }
    profiles = {"seccomp.security.alpha.kubernetes.io/allowedProfileNames": "runtime/default"}
    made = {
        "apiVersion": "policy/v1beta1",
        "kind": "PodSecurityPolicy",
        "metadata": {"name": "strict", "annotations": profiles if annotations is None else annotations},
        "spec": {**strict, **spec},
    }
    return replacement(resources(json.dumps(made))[0])


def test_a_strict_policy_becomes_the_label_of_restricted() -> None:
    told = policy()
    assert (
        told == f"the restricted Pod Security Standard comes nearest: label the namespaces {LABEL}/enforce: restricted"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allowPrivilegeEscalation", True),
        ("requiredDropCapabilities", ["NET_RAW"]),
        ("runAsUser", {"rule": "RunAsAny"}),
        ("volumes", ["nfs"]),
        ("allowedCapabilities", ["KILL"]),
    ],
)
def test_what_only_restricted_refuses_leads_to_baseline(field: str, value: Any) -> None:
    told = policy(**{field: value})
    assert told.startswith(f"the baseline Pod Security Standard comes nearest, by {field}: ")
    assert told.endswith(f"{LABEL}/enforce: baseline and {LABEL}/warn: restricted")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("privileged", True),
        ("hostNetwork", True),
        ("allowedCapabilities", ["*"]),
        ("volumes", ["*"]),
        ("hostPorts", [{"min": 1, "max": 2}]),
        ("allowedUnsafeSysctls", ["*"]),
        ("allowedProcMountTypes", ["Unmasked"]),
        ("seLinux", {"rule": "MustRunAs", "seLinuxOptions": {"type": "spc_t"}}),
    ],
)
def test_what_baseline_refuses_leads_to_privileged_and_a_warning(field: str, value: Any) -> None:
    told = policy(**{field: value})
    assert told.startswith(f"the privileged Pod Security Standard comes nearest, by {field}: ")
    assert told.endswith(f"{LABEL}/enforce: privileged and {LABEL}/warn: baseline")


def test_profiles_of_a_policy_count() -> None:
    assert "baseline" in policy({}).partition(":")[0]
    open_ = {"seccomp.security.alpha.kubernetes.io/allowedProfileNames": "*"}
    assert "privileged" in policy(open_).partition(":")[0]
    assert "privileged" in policy({"apparmor.security.beta.kubernetes.io/allowedProfileNames": "unconfined"})


def test_a_policy_is_told_to_be_gone_with_what_takes_its_place() -> None:
    made = {"apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy", "metadata": {"name": "a"}, "spec": {}}
    (about,) = resources(json.dumps(made))
    told = {each.rule: each.message for each in look(about, Neighbours.of([about], "1.34")).findings}
    assert "no longer serves as of 1.25: the baseline Pod Security Standard" in told["removed-api-version"]
    assert told["deprecated-api-version"] == told["removed-api-version"]
    old = {each.rule: each.message for each in look(about, Neighbours.of([about], "1.24")).findings}
    assert "removed-api-version" not in old
    assert f"{LABEL}/enforce: baseline" in old["deprecated-api-version"]
