"""Flags mean what the component's own flag library makes of them; what the manifest does not say is no verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.finding import OBJECT
from scanners.native.control_plane import CONTROLS
from scanners.native.control_plane.flags import NEWEST, version_of
from scanners.native.engine import Neighbours, look
from tests.resources import resources

FAILS, PASSES, UNCLEAR = "fails", "passes", "unclear"


def verdict(control: str, command: list[Any], version: str = "1.34", **container: Any) -> str:
    """What is said of a control about the only container of a pod."""
    spec = {"containers": [{"name": "app", "command": command, **container}]}
    return verdict_on(control, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}, version)


def verdict_on(control: str, manifest: dict[str, Any], version: str = "1.34") -> str:
    """The same of an object."""
    (resource,) = resources(json.dumps(manifest))
    opinion = look(resource, Neighbours.of([resource], version))
    if any(finding.rule == control for finding in opinion.findings):
        return FAILS
    return PASSES if control in opinion.passed[OBJECT] else UNCLEAR


API = "kube-apiserver"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--anonymous-auth=false"], PASSES),
        (["--anonymous_auth=false"], PASSES),
        (["--anonymous-auth=F"], PASSES),
        (["--anonymous-auth"], FAILS),
        (["--anonymous-auth", "false"], FAILS),
        (["--anonymous-auth=no"], UNCLEAR),
        (['--anonymous-auth="false"'], UNCLEAR),
        (["-anonymous-auth=false"], FAILS),
        (["--anonymous-auth=true", "--anonymous-auth=false"], PASSES),
        (["--anonymous-auth=false", "--anonymous-auth=true"], FAILS),
        (["--", "--anonymous-auth=false"], FAILS),
        (["--authentication-config=/x"], UNCLEAR),
        (["--v", "--anonymous-auth=false"], PASSES),
    ],
)
def test_a_switch_is_read_as_pflag_reads_it(words: list[str], expected: str) -> None:
    assert verdict("apiserver-anonymous-auth", [API, *words]) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--authorization-mode=Node,RBAC"], PASSES),
        (["--authorization-mode", "Node,RBAC"], PASSES),
        (["--authorization-mode=Node", "--authorization-mode=RBAC"], PASSES),
        (['--authorization-mode="Node","RBAC"'], PASSES),
        (["--authorization-mode=Node"], FAILS),
        ([], FAILS),
        (["--authorization-config=/x"], UNCLEAR),
        (["--authorization-mode=$(MODE)"], FAILS),
    ],
)
def test_a_list_grows_with_each_mention_of_its_flag(words: list[str], expected: str) -> None:
    assert verdict("apiserver-authz-rbac", [API, *words]) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--enable-admission-plugins=NodeRestriction"], PASSES),
        (["--enable-admission-plugins=NodeRestriction", "--disable-admission-plugins=NodeRestriction"], FAILS),
        (["--admission-control=NamespaceLifecycle,NodeRestriction"], PASSES),
        (["--admission-control=NamespaceLifecycle"], FAILS),
    ],
)
def test_an_admission_plugin_is_on_when_all_its_flags_say_so(words: list[str], expected: str) -> None:
    assert verdict("apiserver-node-restriction", [API, *words]) == expected


def test_what_another_object_says_is_no_verdict() -> None:
    secret = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}
    known = {"name": "A", "value": "false"}
    assert verdict("apiserver-profiling", [API, "--profiling=$(A)"], env=[secret]) == UNCLEAR
    assert verdict("apiserver-profiling", [API, "--profiling=$(A)"], env=[known]) == PASSES
    assert verdict("apiserver-profiling", [API, "$(A)"], env=[secret]) == UNCLEAR
    assert verdict("apiserver-profiling", [API, "$(A)", "--profiling=true"], env=[secret]) == FAILS
    assert verdict("apiserver-profiling", ["sh", "-c", f"{API} $FLAGS"]) == UNCLEAR
    assert verdict("apiserver-profiling", ["sh", "-c", f"{API} --profiling='false' --v=$LEVEL"]) == PASSES


@pytest.mark.parametrize(
    ("control", "words", "version", "expected"),
    [
        ("apiserver-insecure-port", [], "1.19", FAILS),
        ("apiserver-insecure-port", [], "1.20", PASSES),
        ("apiserver-insecure-port", ["--insecure-port=0", "--insecure-bind-address=127.0.0.1"], "1.19", PASSES),
        ("apiserver-insecure-port", ["--insecure-bind-address=127.0.0.1"], "1.23", FAILS),
        ("apiserver-token-expiration", [], "1.20", PASSES),
        ("apiserver-token-expiration", [], "1.21", FAILS),
        ("apiserver-security-context-deny", [], "1.29", FAILS),
        ("apiserver-security-context-deny", [], "1.30", UNCLEAR),
        ("apiserver-podsecuritypolicy-plugin", [], "1.24", FAILS),
        ("apiserver-podsecuritypolicy-plugin", [], "1.25", UNCLEAR),
        ("apiserver-podsecuritypolicy-plugin", [], "", UNCLEAR),
    ],
)
def test_what_an_absent_flag_means_depends_on_the_version(
    control: str, words: list[str], version: str, expected: str
) -> None:
    assert verdict(control, [API, *words], version) == expected


@pytest.mark.parametrize(
    ("control", "command", "expected"),
    [
        ("apiserver-tls-ciphers", [API, "--tls-min-version=VersionTLS13"], PASSES),
        ("apiserver-tls-ciphers", [API], FAILS),
        ("apiserver-request-timeout", [API], PASSES),
        ("apiserver-request-timeout", [API, "--request-timeout=0"], FAILS),
        ("apiserver-request-timeout", [API, "--request-timeout=soon"], UNCLEAR),
        ("audit-log-maxage", [API, "--audit-log-maxage=often"], UNCLEAR),
        ("scheduler-bind-address", ["kube-scheduler", "--bind-address=::1"], PASSES),
        ("scheduler-bind-address", ["kube-scheduler", "--bind-address=localhost"], UNCLEAR),
        ("scheduler-profiling", ["kube-scheduler", "--config=/x", "--profiling=false"], UNCLEAR),
        ("controller-manager-rotate-kubelet-cert", ["kube-controller-manager"], PASSES),
        ("kube-proxy-metrics", ["kube-proxy"], PASSES),
        ("kube-proxy-metrics", ["kube-proxy", "--metrics-bind-address=[::]:10249"], FAILS),
        ("kube-proxy-metrics", ["kube-proxy", "--metrics-bind-address=[::1]:10249"], PASSES),
        ("kube-proxy-metrics", ["kube-proxy", "--config=/x"], UNCLEAR),
        ("kubelet-anonymous-auth", ["kubelet", "--config=/x"], UNCLEAR),
        ("kubelet-anonymous-auth", ["kubelet", "--config=/x", "--anonymous-auth=true"], FAILS),
        ("kubelet-anonymous-auth", ["kubelet"], FAILS),
        ("kubelet-always-allow", ["kubelet"], FAILS),
        ("kubelet-read-only-port", ["kubelet"], FAILS),
        ("kubelet-client-ca", ["kubelet", "--config=/x"], UNCLEAR),
        ("kubelet-tls-cert", ["kubelet", "--tls-cert-file=/x"], FAILS),
        ("kubelet-tls-cert", ["kubelet", "--rotate-server-certificates"], PASSES),
        ("apiserver-tls-cert", [API, "--tls-cert-file", "--tls-private-key-file=/x"], FAILS),
        ("audit-log-maxage", [API, "--audit-log-maxage=29"], FAILS),
        ("audit-log-maxbackup", [API, "--audit-log-maxbackup=9"], FAILS),
        ("audit-log-maxsize", [API, "--audit-log-maxsize=10"], PASSES),
    ],
)
def test_values_are_understood_or_unclear(control: str, command: list[str], expected: str) -> None:
    assert verdict(control, command) == expected


def test_etcd_takes_one_dash_and_its_environment_and_a_file_that_overrides_both() -> None:
    control = "etcd-client-cert-auth"
    variable = {"name": "ETCD_CLIENT_CERT_AUTH", "value": "true"}
    assert verdict(control, ["etcd", "-client-cert-auth"]) == PASSES
    assert verdict(control, ["etcd"], env=[variable]) == PASSES
    assert verdict(control, ["etcd", "--client-cert-auth=false"], env=[variable]) == FAILS
    assert verdict(control, ["etcd"], envFrom=[{"configMapRef": {"name": "etcd"}}]) == UNCLEAR
    assert verdict(control, ["etcd", "--client-cert-auth=false", "--config-file=/x"]) == UNCLEAR


def test_a_control_that_fails_in_one_container_and_is_unclear_in_another_fails() -> None:
    first, second = ({"name": name, "command": [API, f"--profiling={word}"]} for name, word in ("at", "bx"))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [first, second]}}
    assert verdict_on("apiserver-profiling", pod) == FAILS
    first["command"] = [API, "--profiling=f"]
    assert verdict_on("apiserver-profiling", pod) == UNCLEAR


def test_the_rest_of_the_world_gets_no_verdict() -> None:
    for control in CONTROLS:
        assert verdict(control, ["nginx", "--profiling=true"]) == UNCLEAR


@pytest.mark.parametrize(
    ("word", "version"),
    [("1.31", (1, 31)), ("v1.31.2", (1, 31)), ("stable-1", NEWEST), ("", NEWEST), ("9" * 5_000, NEWEST)],
)
def test_a_version_is_read_from_the_front(word: str, version: tuple[int, int]) -> None:
    assert version_of(word) == version


NAMES = st.sampled_from(
    ("anonymous-auth", "authorization-mode", "request-timeout", "audit-log-maxage", "feature-gates", "config", "-", "")
)
VALUES = st.sampled_from(("", "=", "=true", "=a,b", '="', "=1h", "=٣", "=\0", "=" + "9" * 400, "=1h" + "1" * 400))


@given(st.lists(st.tuples(NAMES, VALUES).map(lambda each: f"--{each[0]}{each[1]}")))
def test_no_flag_raises(words: list[str]) -> None:
    for program in (API, "kube-controller-manager", "kube-scheduler", "etcd", "kube-proxy", "kubelet"):
        verdict("apiserver-profiling", [program, *words])
