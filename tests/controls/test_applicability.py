"""Controls of a component are about what starts it and what configures it, however either is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controls import catalogue
from controls.applicability import CONFIGURED, Applicability
from model.finding import OBJECT
from tests.resources import resources

KNOWN = Applicability(catalogue.load().controls)


def about(manifest: dict[str, Any]) -> frozenset[str]:
    """The controls about an object."""
    (resource,) = resources(json.dumps(manifest))
    return KNOWN.of(resource)[OBJECT]


def pod(*command: str) -> dict[str, Any]:
    """A pod with one container."""
    spec = {"containers": [{"name": "app", "command": command}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}


@pytest.mark.parametrize(
    "command",
    [
        ("kube-apiserver",),
        ("/usr/local/bin/kube-apiserver", "--profiling=false"),
        ("/bin/sh", "-c", "exec kube-apiserver --profiling=false"),
        ("/go-runner", "--log-file=/x", "/usr/local/bin/kube-apiserver"),
        ("/hyperkube", "apiserver"),
    ],
)
def test_a_control_of_a_component_is_about_pods_that_start_it(command: tuple[str, ...]) -> None:
    assert {"apiserver-profiling", "audit-policy"} <= about(pod(*command))
    assert "etcd-tls-cert" not in about(pod(*command))


def test_a_control_of_a_component_is_about_no_other_pod() -> None:
    assert "apiserver-profiling" not in about(pod("nginx"))
    assert "apiserver-profiling" not in about(pod("sh", "-c", "echo kube-apiserver"))


@pytest.mark.parametrize(
    ("api_version", "kind", "control"),
    [
        ("kubeadm.k8s.io/v1beta4", "ClusterConfiguration", "etcd-tls-cert"),
        ("kubeadm.k8s.io/v1beta4", "JoinConfiguration", "kubelet-hostname-override"),
        ("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration", "kubelet-read-only-port"),
        ("kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration", "kube-proxy-metrics"),
        ("apiserver.config.k8s.io/v1", "EncryptionConfiguration", "secrets-encryption-provider"),
        ("audit.k8s.io/v1", "Policy", "audit-policy-coverage"),
        ("v1", "EncryptionConfig", "secrets-encryption-provider"),
    ],
)
def test_a_control_of_a_component_is_about_files_that_configure_it(api_version: str, kind: str, control: str) -> None:
    assert control in about({"apiVersion": api_version, "kind": kind})
    assert control not in about({"apiVersion": "example.com/v1", "kind": kind})


def test_each_kind_of_configuration_is_named_by_a_control() -> None:
    named = {kind for control in catalogue.load().controls.values() for kind in control.applies.kinds}
    assert {f"{group}/{kind}" for group, kind in CONFIGURED} <= named


@pytest.mark.parametrize(
    ("name", "control"),
    [
        ("kubeadm-config", "apiserver-profiling"),
        ("kubelet-config", "kubelet-read-only-port"),
        ("kubelet-config-1.23", "kubelet-read-only-port"),
        ("kube-proxy", "kube-proxy-metrics"),
    ],
)
def test_a_control_of_a_component_is_about_the_config_maps_of_kubeadm(name: str, control: str) -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap"}
    assert control in about({**config_map, "metadata": {"name": name}})
    assert control not in about({**config_map, "metadata": {"name": "web"}})
    assert control not in about({**config_map, "apiVersion": "example.com/v1", "metadata": {"name": name}})
