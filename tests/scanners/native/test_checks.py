"""Every check has a folder of fixtures; the verdict stands in the file's name, the expected line in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.finding import Finding
from model.resource import Resource
from scanners.native import RULES, TOPICS
from scanners.native.engine import look
from tests.resources import resources

FOLDER = Path("tests/fixtures/scanners/native")
FIXTURES = sorted(FOLDER.glob("*/*.yaml"))
HERE = "# <- here"


def findings(fixture: Path) -> list[tuple[Resource, Finding]]:
    """What the check of the fixture's folder finds in it."""
    found = resources(fixture.read_text(encoding="utf-8"))
    return [(each, finding) for each in found for finding in look(each).findings if finding.rule == fixture.parent.name]


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
        for resource in resources(fixture.read_text(encoding="utf-8")):
            opinion = look(resource)
            told = set().union(*opinion.passed.values()) | {finding.rule for finding in opinion.findings}
            assert told == RULES
            for finding in opinion.findings:
                assert finding.rule not in opinion.passed[finding.container]


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
    import json

    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", **metadata},
        "spec": {"containers": [{"name": "app", **container}], **pod},
    }
    for resource in resources(json.dumps(manifest)):
        assert look(resource).passed


NESTED = ("capabilities", "seccompProfile", "appArmorProfile", "seLinuxOptions", "windowsOptions", "sysctls")


@given(st.dictionaries(st.sampled_from((*NESTED, "runAsUser", "runAsGroup", "fsGroup", "supplementalGroups")), JSON))
def test_a_security_context_of_any_shape_never_raises(context: Any) -> None:
    import json

    spec = {"securityContext": context, "containers": [{"name": "app", "securityContext": context}]}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}
    for resource in resources(json.dumps(manifest)):
        assert look(resource).passed
