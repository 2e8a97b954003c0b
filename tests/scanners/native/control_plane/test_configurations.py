"""Files that configure the control plane: judged as their reader reads them, whatever shape their values have."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.native.control_plane import CONFIGURATIONS
from scanners.native.engine import Neighbours, look
from tests.resources import resources
from tests.scanners.native.control_plane.test_flags import FAILS, PASSES, UNCLEAR, verdict_on


def kubelet(control: str, version: str = "1.34", **fields: Any) -> str:
    """The verdict on a kubelet's configuration."""
    manifest = {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", **fields}
    return verdict_on(control, manifest, version)


@pytest.mark.parametrize(
    ("control", "fields", "expected"),
    [
        ("kubelet-anonymous-auth", {}, PASSES),
        ("kubelet-anonymous-auth", {"authentication": {"anonymous": {"enabled": "false"}}}, UNCLEAR),
        ("kubelet-always-allow", {}, PASSES),
        ("kubelet-read-only-port", {}, PASSES),
        ("kubelet-read-only-port", {"readOnlyPort": "0"}, UNCLEAR),
        ("kubelet-iptables", {}, PASSES),
        ("kubelet-streaming-timeout", {}, PASSES),
        ("kubelet-streaming-timeout", {"streamingConnectionIdleTimeout": "0"}, FAILS),
        ("kubelet-client-ca", {}, FAILS),
        ("kubelet-rotate-certificates", {}, FAILS),
        ("kubelet-event-qps", {}, FAILS),
        ("kubelet-event-qps", {"eventRecordQPS": 50}, PASSES),
        ("kubelet-tls-cert", {"serverTLSBootstrap": True}, PASSES),
        ("kubelet-tls-ciphers", {"tlsMinVersion": "VersionTLS13"}, PASSES),
        ("kubelet-tls-ciphers", {"tlsCipherSuites": "TLS_AES_128_GCM_SHA256"}, UNCLEAR),
        ("kubelet-tls-ciphers", {"tlsCipherSuites": [1]}, FAILS),
    ],
)
def test_an_absent_field_means_the_default_of_the_file(control: str, fields: dict[str, Any], expected: str) -> None:
    assert kubelet(control, **fields) == expected


def test_what_a_kubelet_of_old_does_not_know_is_not_asked_for() -> None:
    assert kubelet("kubelet-seccomp-default", "1.21") == UNCLEAR
    assert kubelet("kubelet-seccomp-default", "1.22") == FAILS


def cluster(control: str, **fields: Any) -> str:
    """The verdict on kubeadm's configuration of a cluster."""
    manifest = {"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration", **fields}
    return verdict_on(control, manifest)


@pytest.mark.parametrize(
    "control", ["apiserver-authz-rbac", "apiserver-etcd-ca", "etcd-tls-cert", "etcd-client-cert-auth"]
)
def test_what_kubeadm_sets_by_itself_needs_no_argument(control: str) -> None:
    assert cluster(control) == PASSES


def test_arguments_of_kubeadm_are_the_flags_that_they_become_in_both_forms() -> None:
    as_map: Any = {"authorization-mode": "Node", "audit-log-maxage": "30"}
    as_list: Any = [{"name": name, "value": value} for name, value in as_map.items()]
    for arguments in (as_map, as_list):
        assert cluster("apiserver-authz-rbac", apiServer={"extraArgs": arguments}) == FAILS
        assert cluster("audit-log-maxage", apiServer={"extraArgs": arguments}) == PASSES
        assert cluster("apiserver-client-ca", apiServer={"extraArgs": arguments}) == PASSES
        assert cluster("audit-log-maxsize", apiServer={"extraArgs": arguments}) == FAILS


def test_structured_authorization_replaces_what_kubeadm_sets() -> None:
    for arguments in ({"authorization-config": "/x"}, [{"name": "authorization-config", "value": "/x"}]):
        assert cluster("apiserver-authz-rbac", apiServer={"extraArgs": arguments}) == UNCLEAR


def test_an_etcd_elsewhere_is_reached_with_what_the_file_names() -> None:
    external = {"endpoints": ["https://192.0.2.1:2379"], "caFile": "/ca", "certFile": "/crt", "keyFile": ""}
    assert cluster("apiserver-etcd-ca", etcd={"external": external}) == PASSES
    assert cluster("apiserver-etcd-client-cert", etcd={"external": external}) == FAILS
    assert cluster("etcd-tls-cert", etcd={"external": external}) == UNCLEAR


def test_the_version_of_the_cluster_counts_more_than_that_of_the_run() -> None:
    assert cluster("apiserver-security-context-deny", kubernetesVersion="v1.24.3") == FAILS
    assert cluster("apiserver-security-context-deny") == UNCLEAR


def test_a_node_that_joins_is_judged_by_the_arguments_that_it_names() -> None:
    def joined(control: str, arguments: Any) -> str:
        registration = {"nodeRegistration": {"kubeletExtraArgs": arguments}}
        return verdict_on(
            control, {"apiVersion": "kubeadm.k8s.io/v1beta3", "kind": "JoinConfiguration", **registration}
        )

    assert joined("kubelet-read-only-port", {"read-only-port": "10255"}) == FAILS
    assert joined("kubelet-read-only-port", {"read-only-port": "0"}) == PASSES
    assert joined("kubelet-read-only-port", {}) == UNCLEAR
    assert joined("kubelet-hostname-override", {"hostname-override": "a"}) == FAILS
    assert joined("kubelet-hostname-override", {}) == PASSES


def encryption(*entries: Any) -> str:
    """The verdict on a configuration of encryption."""
    manifest = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration", "resources": entries}
    return verdict_on("secrets-encryption-provider", manifest)


@pytest.mark.parametrize(
    ("names", "providers", "expected"),
    [
        (["secrets"], [{"secretbox": {}}, {"identity": {}}], PASSES),
        (["secrets"], [{"aescbc": {}}], PASSES),
        (["*."], [{"kms": {}}], PASSES),
        (["*.*"], [{"identity": {}}], FAILS),
        (["*.apps"], [{"kms": {}}], FAILS),
        (["secrets"], [{"aesgcm": {}}], FAILS),
        (["secrets"], [], FAILS),
        (["secrets"], [{"rot13": {}}], FAILS),
        ("secrets", [{"kms": {}}], FAILS),
    ],
)
def test_the_first_provider_of_the_entry_that_covers_secrets_decides(names: Any, providers: Any, expected: str) -> None:
    assert encryption({"resources": names, "providers": providers}) == expected


def test_the_first_entry_that_covers_secrets_decides() -> None:
    bad = {"resources": ["*.*"], "providers": [{"identity": {}}]}
    good = {"resources": ["secrets"], "providers": [{"kms": {}}]}
    assert encryption(good, bad) == PASSES
    assert encryption(bad, good) == FAILS


def structured(control: str, kind: str, **fields: Any) -> str:
    """The verdict on a file that the API server reads in place of flags."""
    return verdict_on(control, {"apiVersion": "apiserver.config.k8s.io/v1beta1", "kind": kind, **fields})


@pytest.mark.parametrize(
    ("anonymous", "expected"),
    [
        ({"enabled": False}, PASSES),
        ({"enabled": True}, FAILS),
        ({"enabled": True, "conditions": [{"path": "/livez"}, {"path": "/readyz"}]}, PASSES),
        ({"enabled": True, "conditions": [{"path": "/livez"}, {"path": "/api"}]}, FAILS),
    ],
)
def test_strangers_may_ask_for_health_alone(anonymous: Any, expected: str) -> None:
    kind = "AuthenticationConfiguration"
    assert structured("apiserver-anonymous-auth", kind, anonymous=anonymous) == expected
    assert structured("apiserver-anonymous-auth", kind) == UNCLEAR


def test_types_of_authorizers_are_the_modes_of_the_flag() -> None:
    kind = "AuthorizationConfiguration"
    both = [{"type": "Node", "name": "a"}, {"type": "RBAC", "name": "b"}]
    assert structured("apiserver-authz-node", kind, authorizers=both) == PASSES
    assert structured("apiserver-authz-rbac", kind, authorizers=both[:1]) == FAILS
    assert structured("apiserver-always-allow", kind, authorizers=both) == PASSES
    assert structured("apiserver-always-allow", kind, authorizers=[{"type": "AlwaysAllow", "name": "c"}]) == FAILS


def test_event_rate_limit_needs_an_entry_in_the_file_of_admission() -> None:
    kind, control = "AdmissionConfiguration", "apiserver-event-rate-limit"
    assert structured(control, kind, plugins=[{"name": "EventRateLimit", "path": "limits.yaml"}]) == PASSES
    assert structured(control, kind, plugins=[{"name": "PodSecurity"}]) == FAILS


def test_the_file_of_the_scheduler_overrides_its_flag() -> None:
    scheduler = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
    assert verdict_on("scheduler-profiling", scheduler) == FAILS
    assert verdict_on("scheduler-profiling", {**scheduler, "enableProfiling": False}) == PASSES


SECRETS = {"group": "", "resources": ["secrets"]}


def audit(control: str, *rules: Any, **fields: Any) -> str:
    """The verdict on an audit policy."""
    return verdict_on(control, {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules, **fields})


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"level": "Metadata"}], PASSES),
        ([], FAILS),
        ([{"level": "None"}, {"level": "Metadata"}], FAILS),
        ([{"level": "None", "users": ["system:kube-proxy"]}, {"level": "Metadata"}], PASSES),
        ([{"level": "None", "userGroups": ["system:nodes"]}, {"level": "Metadata"}], PASSES),
        ([{"level": "None", "userGroups": ["system:authenticated"]}, {"level": "Metadata"}], FAILS),
        ([{"level": "None", "namespaces": ["kube-system"]}, {"level": "Metadata"}], PASSES),
        ([{"level": "None", "verbs": ["list", "watch"]}, {"level": "Metadata"}], PASSES),
        ([{"level": "None", "verbs": ["create"]}, {"level": "Metadata"}], FAILS),
        ([{"level": "None", "resources": [SECRETS]}, {"level": "Metadata"}], FAILS),
        ([{"level": "None", "resources": [{**SECRETS, "resourceNames": ["a"]}]}, {"level": "Metadata"}], PASSES),
        ([{"level": "None", "resources": [{"group": "", "resources": ["*/exec"]}]}, {"level": "Metadata"}], FAILS),
        ([{"level": "None", "resources": [{"group": "", "resources": ["events"]}]}, {"level": "Metadata"}], PASSES),
        ([{"level": "None", "resources": [{"group": "apps"}]}, {"level": "Metadata"}], FAILS),
        ([{"level": "None", "nonResourceURLs": ["/metrics"]}, {"level": "Metadata"}], PASSES),
        ([{"level": "Metadata", "omitStages": ["ResponseComplete"]}], FAILS),
        ([{"level": "metadata"}], FAILS),
    ],
)
def test_the_first_rule_that_fits_anybody_decides_what_is_recorded(rules: list[Any], expected: str) -> None:
    assert audit("audit-policy-coverage", *rules) == expected


def test_reading_a_secret_at_level_request_records_no_content() -> None:
    reads = {"level": "Request", "verbs": ["get"], "resources": [SECRETS]}
    assert audit("audit-policy-secret-content", reads, {"level": "Metadata"}) == PASSES
    assert audit("audit-policy-secret-content", {"level": "Request"}) == FAILS
    assert audit("audit-policy-secret-content", {**reads, "level": "RequestResponse"}) == FAILS


def test_kubeadm_adds_to_the_configuration_of_a_kubelet_in_its_file() -> None:
    kubelet_alone = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
    with_kubeadm = f"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n---\n{kubelet_alone}"
    assert {"kubelet-client-ca", "kubelet-rotate-certificates"} <= failed(kubelet_alone)
    assert failed(with_kubeadm).isdisjoint({"kubelet-client-ca", "kubelet-rotate-certificates"})


def failed(manifests: str) -> set[str]:
    """The controls that anything in a file fails."""
    found = resources(manifests)
    neighbours = Neighbours.of(found, "1.34")
    return {finding.rule for each in found for finding in look(each, neighbours).findings}


PATCH = """
kind: ClusterConfiguration
apiServer:
  extraArgs: {anonymous-auth: "true", profiling: "false"}
---
kind: KubeletConfiguration
readOnlyPort: 10255
"""


def kind_cluster(control: str, patch: Any) -> str:
    """The verdict on a kind cluster with one patch of a node."""
    nodes = [{"role": "control-plane", "kubeadmConfigPatches": [patch]}]
    return verdict_on(control, {"apiVersion": "kind.x-k8s.io/v1alpha4", "kind": "Cluster", "nodes": nodes})


def test_a_patch_of_a_kind_cluster_is_judged_by_what_it_names() -> None:
    assert kind_cluster("apiserver-anonymous-auth", PATCH) == FAILS
    assert kind_cluster("apiserver-profiling", PATCH) == PASSES
    assert kind_cluster("audit-log-path", PATCH) == UNCLEAR
    assert kind_cluster("kubelet-read-only-port", PATCH) == FAILS
    assert kind_cluster("kubelet-client-ca", PATCH) == UNCLEAR


def config_map(control: str, name: str, key: str, words: Any) -> str:
    """The verdict on a ConfigMap."""
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {key: words}}
    return verdict_on(control, manifest)


def test_a_config_map_of_kubeadm_is_judged_by_the_configuration_in_it() -> None:
    words = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nreadOnlyPort: 10255\n"
    assert config_map("kubelet-read-only-port", "kubelet-config", "kubelet", words) == FAILS
    assert config_map("kubelet-iptables", "kubelet-config-1.23", "kubelet", words) == PASSES
    assert config_map("kubelet-read-only-port", "shop", "kubelet", words) == UNCLEAR


def test_a_flaw_in_a_text_points_at_the_text() -> None:
    manifest = {"apiVersion": "kind.x-k8s.io/v1alpha4", "kind": "Cluster", "kubeadmConfigPatches": ["", PATCH]}
    (resource,) = resources(json.dumps(manifest))
    found = look(resource, Neighbours.of([resource], "1.34")).findings
    assert {finding.field for finding in found} == {("kubeadmConfigPatches", 1)}


@pytest.mark.parametrize(
    "words",
    [
        "kind: [",
        "kind: KubeletConfiguration\nreadOnlyPort: 2026-13-45\n",
        "kind: &a KubeletConfiguration\nb: *a\n",
        "kind: x\na: " + "[\n" * 30_000,
        "kind: x\na:\n" + "".join(f"{' ' * depth}a:\n" for depth in range(350)),
        "kind: x\na:\n" + "".join(f"{' ' * 20 * depth}{'- ' * 10}\n" for depth in range(75)),
        "- kind\n",
        "? {kind: x}\n: 1\n",
        "kind: x\n" * 100_000,
        ["kind"],
        None,
    ],
)
def test_no_text_raises(words: Any) -> None:
    assert kind_cluster("kubelet-read-only-port", words) == UNCLEAR
    assert config_map("kubelet-read-only-port", "kubelet-config", "kubelet", words) == UNCLEAR


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(("", "secrets", "0.0.0.0:1", "Metadata", "[", "v1.9")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("name", "value", "resources", "providers", "level", "x509")), inner, max_size=3
        )
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    (
        *("apiServer", "authentication", "etcd", "featureGates", "kubernetesVersion", "metricsBindAddress"),
        *("nodeRegistration", "omitStages", "readOnlyPort", "resources", "rules", "tlsCipherSuites"),
    )
)


@given(st.dictionaries(FIELDS, JSON | st.dictionaries(st.sampled_from(("extraArgs", "local", "external")), JSON)))
def test_no_configuration_raises(fields: dict[str, Any]) -> None:
    for group, kind in CONFIGURATIONS:
        manifest = {**fields, "apiVersion": f"{group}/v1".removeprefix("/"), "kind": kind}
        (resource,) = resources(json.dumps(manifest))
        look(resource, Neighbours.of([resource], "1.34"))
