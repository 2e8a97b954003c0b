"""Every check has a folder of fixtures; the verdict stands in the file's name, the expected line in the file."""

from __future__ import annotations

import copy
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.finding import Finding, Opinion
from model.resource import Resource
from scanners.native import RULES, TOPICS
from scanners.native.engine import CHECKS, Neighbours, look
from tests.resources import resources

FOLDER = Path("tests/fixtures/scanners/native")
FIXTURES = sorted(FOLDER.glob("*/*.yaml"))
HERE = "# <- here"
FOR_VERSION = re.compile(r"# kubernetes: ([0-9]+\.[0-9]+)\n")
"""The first line of a fixture whose verdict depends on the version."""


def opinions(text: str) -> list[tuple[Resource, Opinion]]:
    """What all checks say about the objects of one scope."""
    found = resources(text)
    version = FOR_VERSION.match(text)
    neighbours = Neighbours.of(found, version[1] if version else "")
    return [(each, look(each, neighbours)) for each in found]


def findings(fixture: Path) -> list[tuple[Resource, Finding]]:
    """What the check of the fixture's folder finds in it."""
    told = opinions(fixture.read_text(encoding="utf-8"))
    return [(each, said) for each, opinion in told for said in opinion.findings if said.rule == fixture.parent.name]


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_check_judges_its_fixture_and_points_at_the_line(fixture: Path) -> None:
    lines = fixture.read_text(encoding="utf-8").splitlines()
    expected = [number for number, line in enumerate(lines, 1) if HERE in line]
    assert bool(expected) is fixture.name.startswith("fail.")
    found = [resource.locate(finding.field).line for resource, finding in findings(fixture)]
    assert sorted(set(found)) == expected


def test_every_check_has_a_failing_and_a_passing_fixture() -> None:
    verdicts = {(fixture.parent.name, fixture.name.partition(".")[0]) for fixture in FIXTURES}
    assert verdicts == {(rule, verdict) for rule in RULES for verdict in ("fail", "pass")}


def test_what_did_not_fail_has_passed_explicitly_on_the_object_and_on_each_container() -> None:
    for fixture in FIXTURES:
        for resource, opinion in opinions(fixture.read_text(encoding="utf-8")):
            told = set().union(*opinion.passed.values()) | {finding.rule for finding in opinion.findings}
            assert told - CHECKS.surveyed == ran_on(resource)
            for finding in opinion.findings:
                assert finding.rule not in opinion.passed[finding.container]


def ran_on(resource: Resource) -> set[str]:
    """The checks that always give a verdict on such an object."""
    ran = set(CHECKS.object)
    ran |= set(CHECKS.pod) if resource.pods else set()
    return ran | (set(CHECKS.container) if resource.containers else set())


def test_no_check_repeats_a_value_of_the_environment() -> None:
    for fixture in FOLDER.glob("secrets-in-env/fail.*.yaml"):
        for _, finding in findings(fixture):
            assert "correct-horse" not in finding.message
            assert "BEGIN" not in finding.message


def test_every_topic_registers_something() -> None:
    assert len(TOPICS) == len({topic.__name__ for topic in TOPICS})
    assert all(topic.__doc__ for topic in TOPICS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    *("securityContext", "resources", "env", "ports", "volumeMounts", "livenessProbe", "readinessProbe", "lifecycle"),
    *("image", "imagePullPolicy", "command", "args"),
)
POD_FIELDS = (
    *("securityContext", "volumes", "hostNetwork", "hostAliases", "serviceAccount", "automountServiceAccountToken"),
    *("os", "resources", "ephemeralContainers", "initContainers"),
)


@given(
    st.dictionaries(st.sampled_from(FIELDS), JSON),
    st.dictionaries(st.sampled_from(POD_FIELDS), JSON),
    st.dictionaries(st.sampled_from(("annotations", "labels", "namespace")), JSON),
)
def test_values_of_any_type_in_any_field_never_raise(container: Any, pod: Any, metadata: Any) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", **metadata},
        "spec": {"containers": [{"name": "app", **container}], **pod},
    }
    for _, opinion in opinions(json.dumps(manifest)):
        assert opinion.passed


NESTED = ("capabilities", "seccompProfile", "appArmorProfile", "seLinuxOptions", "windowsOptions", "sysctls")


@given(st.dictionaries(st.sampled_from((*NESTED, "runAsUser", "runAsGroup", "fsGroup", "supplementalGroups")), JSON))
def test_a_security_context_of_any_shape_never_raises(context: Any) -> None:
    spec = {"securityContext": context, "containers": [{"name": "app", "securityContext": context}]}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}
    for _, opinion in opinions(json.dumps(manifest)):
        assert opinion.passed


EVERYTHING = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, annotations: {container.apparmor.security.beta.kubernetes.io/app: localhost/x}}
spec:
  hostNetwork: false
  automountServiceAccountToken: null
  serviceAccountName: web
  hostAliases: [{ip: 192.0.2.1, hostnames: [db]}]
  securityContext: &context
    runAsUser: 1
    runAsGroup: 1
    fsGroup: 1
    runAsNonRoot: true
    supplementalGroups: [1]
    procMount: Default
    privileged: false
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL], add: [KILL]}
    seccompProfile: {type: RuntimeDefault}
    appArmorProfile: {type: RuntimeDefault}
    seLinuxOptions: {type: container_t, user: "", role: ""}
    windowsOptions: {hostProcess: false}
    sysctls: [{name: net.ipv4.tcp_rmem, value: "1"}]
  resources: {limits: {cpu: 1}}
  volumes: [{name: logs, hostPath: {path: /srv}}]
  containers:
    - name: app
      image: shop:1
      imagePullPolicy: Always
      command: [sleep]
      args: [infinity]
      securityContext: *context
      env: [{name: PASSWORD, value: x}]
      ports: [{containerPort: 80, hostPort: 80}]
      resources: {requests: {cpu: 1, memory: 1}, limits: {cpu: 1}}
      volumeMounts: [{name: logs, mountPath: /logs, readOnly: true}]
      livenessProbe: {httpGet: {host: a}}
      readinessProbe: {tcpSocket: {host: a}}
      lifecycle: {preStop: {httpGet: {host: a}}}
"""
SHAPES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    "",
    "x",
    [],
    ["x"],
    {},
    {"a": 1},
    [None],
    [[]],
    [{}],
    {"name": []},
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all fields and items below a value."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*path, step)
        yield from places(inner, (*path, step))


def test_every_field_may_hold_every_shape_of_value() -> None:
    pristine = json.loads(json.dumps(dict(resources(EVERYTHING)[0].value)))
    for path in places(pristine["spec"], ("spec",)):
        for shape in SHAPES:
            manifest = copy.deepcopy(pristine)
            parent = manifest
            for step in path[:-1]:
                parent = parent[step]
            parent[path[-1]] = shape
            for _, opinion in opinions(json.dumps(manifest)):
                assert opinion.passed


def test_a_service_account_of_another_scope_or_namespace_does_not_count() -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nspec: {serviceAccountName: web}\n"
    account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web, namespace: %s}\n"
    account += "automountServiceAccountToken: false\n"

    def mounts(text: str) -> bool:
        return any(f.rule == "service-account-token-automount" for _, told in opinions(text) for f in told.findings)

    assert mounts(pod)
    assert mounts(f"{pod}---\n{account % 'other'}")
    assert not mounts(f"{pod}---\n{account % 'shop'}")


@pytest.mark.parametrize("unit", ["eyJ-", "eyJaaaaaaaa.", "a://b:", "-BEGIN A ", "sudo", "xoxb-", "a"])
def test_a_value_made_to_cost_time_costs_little(unit: str) -> None:
    value = (unit * 20_000)[:20_000]
    container = {
        "name": "app",
        "command": [value],
        "env": [{"name": "A", "value": value}, {"name": value, "value": "x"}],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [container]}}
    text = json.dumps(pod)
    start = time.process_time()
    opinions(text)
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    "name",
    [
        "PGPASSWORD",
        "dbPassword",
        "MYSQL_PWD",
        "SECRET_KEY",
        "SECRET_KEY_BASE",
        "authToken",
        "JWT_SIGNING_KEY",
        "DB_PASS",
    ],
)
def test_a_name_that_ends_like_a_secret_holds_one(name: str) -> None:
    assert holds_secret(name, "correct-horse")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PASSWORD_FILE", "/run/secrets/db"),
        ("SECRET_NAME", "web-tls"),
        ("TOKEN_TTL", "24h"),
        ("TOKEN", "3600"),
        ("COMPASS", "north"),
        ("MAX_TOKENS", "4096"),
        ("ENABLE_AUTH", "on"),
        ("DB_PASSWORD", "$(OTHER)"),
        ("DB_PASSWORD", "<password>"),
        ("DATABASE_URL", "postgres://shop:<password>@db/shop"),
        ("DATABASE_URL", "postgres://shop:$(PASSWORD)@db/shop"),
    ],
)
def test_references_placeholders_and_other_things_of_a_secret_are_silent(name: str, value: str) -> None:
    assert not holds_secret(name, value)


def test_a_password_of_digits_is_one_and_glue_between_references_is_no_reference() -> None:
    assert holds_secret("PASSWORD", "1234")
    assert holds_secret("PASSWORD", "$(A)correct-horse$(B)")


def holds_secret(name: str, value: str) -> bool:
    """Whether a variable of the only container is a finding."""
    spec = {"containers": [{"name": "app", "env": [{"name": name, "value": value}]}]}
    text = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec})
    return any(finding.rule == "secrets-in-env" for _, opinion in opinions(text) for finding in opinion.findings)
