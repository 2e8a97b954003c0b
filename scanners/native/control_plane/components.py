"""What is required of the flags of each component, by the section of the CIS benchmark that asks for it.

An absent flag means what it means in the Kubernetes at hand. Source of flags, defaults and removals: each component's
``options`` package and Kubernetes' changelogs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scanners.native.control_plane.flags import TRUTHS, Line, UnclearError
from scanners.native.control_plane.settings import (
    Check,
    absent,
    at_least,
    both_named,
    is_loopback,
    is_strong,
    loopback,
    named,
    seconds,
    switched,
)
from scanners.native.engine import Flaw

ON, OFF = "enable-admission-plugins", "disable-admission-plugins"
EXACT = "admission-control"
"""The list of before 1.10: what it does not name is off."""
ON_BY_DEFAULT = frozenset({"NamespaceLifecycle", "ServiceAccount"})
"""Of the plug-ins that we ask about."""
NO_INSECURE_PORT = (1, 20)
"""From then on the API server refuses any other --insecure-port than 0; until then 8080 is the default."""
EXTENDS_TOKENS = (1, 21)
"""From then on --service-account-extend-token-expiration is there and on."""
LONGEST_REQUEST = 300.0
"""Seconds: what the CIS benchmark gives as an example."""
LAST_WITH_PSP, LAST_WITH_CONTEXT_DENY = (1, 24), (1, 29)


def _has_plugin(line: Line, plugin: str) -> bool:
    """Whether an admission plug-in is at work."""
    if EXACT in line.given:
        return plugin in line.items(EXACT)
    if plugin in line.items(OFF):
        return False
    return plugin in ON_BY_DEFAULT or plugin in line.items(ON)


def _plugin_on(plugin: str, message: str) -> Check:
    def check(line: Line) -> Flaw | None:
        if _has_plugin(line, plugin):
            return None
        return line.flaw(f"{message}: {plugin} is not on", EXACT, OFF if plugin in ON_BY_DEFAULT else ON)

    return check


def _plugin_off(plugin: str, message: str) -> Check:
    def check(line: Line) -> Flaw | None:
        return line.flaw(message, EXACT, ON, holding=plugin) if _has_plugin(line, plugin) else None

    return check


def _plugin_of_old(plugin: str, substitutes: Sequence[str], last: tuple[int, int]) -> Check:
    """No verdict where Kubernetes no longer has the plug-in: an API server that names it there does not start."""

    def check(line: Line) -> Flaw | None:
        if line.version > last:
            raise UnclearError
        if any(_has_plugin(line, each) for each in (plugin, *substitutes)):
            return None
        return line.flaw(f"does not use {plugin}", EXACT, ON)

    return check


def _anonymous_auth(line: Line) -> Flaw | None:
    """A structured configuration may allow the health endpoints alone; it excludes the flag."""
    if "anonymous-auth" not in line.given and line.has("authentication-config"):
        raise UnclearError
    return switched("anonymous-auth", "answers without log-in", wanted=False, default=True)(line)


def _modes(line: Line) -> Sequence[str]:
    """Structured authorization stands in a file that we do not see."""
    if "authorization-mode" not in line.given and line.has("authorization-config"):
        raise UnclearError
    return line.items("authorization-mode", ("AlwaysAllow",))


def _has_mode(mode: str, message: str) -> Check:
    def check(line: Line) -> Flaw | None:
        if mode in _modes(line):
            return None
        by_default = line.by_default("authorization-mode")
        return line.flaw(f"{message}: --authorization-mode lacks {mode}{by_default}", "authorization-mode")

    return check


def _always_allow(line: Line) -> Flaw | None:
    if "AlwaysAllow" not in _modes(line):
        return None
    message = f"allows every request{line.by_default('authorization-mode')}"
    return line.flaw(message, "authorization-mode", holding="AlwaysAllow")


def _insecure_port(line: Line) -> Flaw | None:
    if line.number("insecure-port", 0 if line.version >= NO_INSECURE_PORT else 8080) != 0:
        return line.flaw(f"listens without TLS{line.by_default('insecure-port')}", "insecure-port")
    if "insecure-port" not in line.given and line.has("insecure-bind-address"):
        return line.flaw("names an address to listen on without TLS", "insecure-bind-address")
    return None


def _secure_port(line: Line) -> Flaw | None:
    return (
        line.flaw("has switched its secure port off", "secure-port") if line.number("secure-port", 6443) == 0 else None
    )


def _request_timeout(line: Line) -> Flaw | None:
    timeout = seconds(line.text("request-timeout", "1m0s"))
    if 0 < timeout <= LONGEST_REQUEST:
        return None
    return line.flaw("lets requests run for ever" if timeout == 0 else "lets requests run for long", "request-timeout")


def _encryption(line: Line) -> Flaw | None:
    """Its name until Kubernetes 1.13 counts as well."""
    old = "experimental-encryption-provider-config"
    if line.text("encryption-provider-config") or line.text(old):
        return None
    return line.flaw(
        "stores secrets as they are: --encryption-provider-config is not set", "encryption-provider-config"
    )


def tls_ciphers(line: Line) -> Flaw | None:
    """What Go offers by itself includes suites without authenticated encryption; with TLS 1.3 alone nothing is weak."""
    if line.text("tls-min-version") == "VersionTLS13":
        return None
    suites = line.items("tls-cipher-suites")
    if not suites:
        return line.flaw("leaves the choice of TLS cipher suites to Go", "tls-cipher-suites")
    weak = [suite for suite in suites if not is_strong(suite)]
    if not weak:
        return None
    return line.flaw("accepts weak TLS cipher suites", "tls-cipher-suites", holding=weak[0])


def _token_expiration(line: Line) -> Flaw | None:
    name = "service-account-extend-token-expiration"
    message = "extends the life of service account tokens to a year"
    return switched(name, message, wanted=False, default=line.version >= EXTENDS_TOKENS)(line)


def _gate(line: Line, name: str, *, default: bool) -> bool:
    """Whether a feature gate is open; the last word about it counts."""
    said = [item.partition("=")[2] for item in line.items("feature-gates") if item.partition("=")[0] == name]
    word = said[-1] if said else str(default)
    if word not in TRUTHS:
        raise UnclearError
    return TRUTHS[word]


def rotates_serving_certificates(line: Line) -> Flaw | None:
    """Open by default since Kubernetes 1.12."""
    name = "RotateKubeletServerCertificate"
    if _gate(line, name, default=line.version >= (1, 12)):
        return None
    return line.flaw("does not renew kubelets' serving certificates", "feature-gates", holding=name)


def _scheduler_profiling(line: Line) -> Flaw | None:
    """With a configuration file the flag is overlooked."""
    if line.has("config"):
        raise UnclearError
    return _PROFILING(line)


def _proxy_metrics(line: Line) -> Flaw | None:
    """With a configuration file the flag is overlooked; an empty address is the default, 127.0.0.1."""
    if line.has("config"):
        raise UnclearError
    address = line.text("metrics-bind-address") or "127.0.0.1"
    return line.flaw(METRICS, "metrics-bind-address") if listens_beyond(address) else None


def listens_beyond(address: str) -> bool:
    """Whether others reach an address, which may have a port."""
    host = address.rpartition(":")[0] if address.count(":") == 1 or "]" in address else address
    return not is_loopback(host.strip("[]"))


METRICS = "shows its metrics to the network"
_PROFILING = switched("profiling", "offers profiling data", wanted=False, default=True)

API_SERVER: Mapping[str, Check] = {
    "apiserver-always-admit": _plugin_off("AlwaysAdmit", "admits every object"),
    "apiserver-always-allow": _always_allow,
    "apiserver-always-pull-images": _plugin_on("AlwaysPullImages", "lets pods start what others have pulled"),
    "apiserver-anonymous-auth": _anonymous_auth,
    "apiserver-authz-node": _has_mode("Node", "does not limit nodes to their own objects"),
    "apiserver-authz-rbac": _has_mode("RBAC", "does not use roles"),
    "apiserver-basic-auth-file": absent("basic-auth-file", "accepts passwords from a file"),
    "apiserver-client-ca": named("client-ca-file", "has no authority for client certificates"),
    "apiserver-deny-service-external-ips": _plugin_on("DenyServiceExternalIPs", "lets Services claim any address"),
    "apiserver-deny-service-external-ips-legacy": _plugin_off("DenyServiceExternalIPs", "uses DenyServiceExternalIPs"),
    "apiserver-etcd-ca": named("etcd-cafile", "does not check etcd's certificate"),
    "apiserver-etcd-client-cert": both_named("etcd-certfile", "etcd-keyfile", "does not identify itself to etcd"),
    "apiserver-event-rate-limit": _plugin_on("EventRateLimit", "takes any number of events"),
    "apiserver-insecure-port": _insecure_port,
    "apiserver-kubelet-ca": named("kubelet-certificate-authority", "does not check kubelets' certificates"),
    "apiserver-kubelet-client-cert": both_named(
        "kubelet-client-certificate", "kubelet-client-key", "does not identify itself to kubelets"
    ),
    "apiserver-kubelet-https": switched("kubelet-https", "talks to kubelets without TLS", wanted=True, default=True),
    "apiserver-namespace-lifecycle": _plugin_on("NamespaceLifecycle", "lets objects into dying namespaces"),
    "apiserver-node-restriction": _plugin_on("NodeRestriction", "lets nodes change other nodes"),
    "apiserver-podsecuritypolicy-plugin": _plugin_of_old("PodSecurityPolicy", (), LAST_WITH_PSP),
    "apiserver-profiling": _PROFILING,
    "apiserver-request-timeout": _request_timeout,
    "apiserver-secure-port": _secure_port,
    "apiserver-security-context-deny": _plugin_of_old(
        "SecurityContextDeny", ("PodSecurityPolicy",), LAST_WITH_CONTEXT_DENY
    ),
    "apiserver-service-account-key": named("service-account-key-file", "has no key of its own for tokens"),
    "apiserver-service-account-lookup": switched(
        "service-account-lookup", "accepts tokens of deleted accounts", wanted=True, default=True
    ),
    "apiserver-service-account-plugin": _plugin_on("ServiceAccount", "gives pods no account of their own"),
    "apiserver-tls-cert": both_named("tls-cert-file", "tls-private-key-file", "has no TLS certificate of its own"),
    "apiserver-tls-ciphers": tls_ciphers,
    "apiserver-token-auth-file": absent("token-auth-file", "accepts tokens from a file"),
    "apiserver-token-expiration": _token_expiration,
    "audit-log-maxage": at_least("audit-log-maxage", 30, "may not keep audit logs for a month"),
    "audit-log-maxbackup": at_least("audit-log-maxbackup", 10, "may keep too few audit log files"),
    "audit-log-maxsize": at_least("audit-log-maxsize", 1, "does not say how big an audit log may grow"),
    "audit-log-path": named("audit-log-path", "writes no audit log"),
    "audit-policy": named("audit-policy-file", "has no audit policy and records nothing"),
    "secrets-encryption-at-rest": _encryption,
}
CONTROLLER_MANAGER: Mapping[str, Check] = {
    "controller-manager-bind-address": loopback("bind-address", "listens beyond its own machine"),
    "controller-manager-gc-threshold": at_least("terminated-pod-gc-threshold", 1, "sets no bound for finished pods"),
    "controller-manager-profiling": _PROFILING,
    "controller-manager-root-ca": named("root-ca-file", "gives pods no authority to check the API server"),
    "controller-manager-rotate-kubelet-cert": rotates_serving_certificates,
    "controller-manager-sa-credentials": switched(
        "use-service-account-credentials", "lets all controllers share one account", wanted=True, default=False
    ),
    "controller-manager-sa-key": named("service-account-private-key-file", "has no key for service account tokens"),
}
SCHEDULER: Mapping[str, Check] = {
    "scheduler-bind-address": loopback("bind-address", "listens beyond its own machine"),
    "scheduler-profiling": _scheduler_profiling,
}
ETCD: Mapping[str, Check] = {
    "etcd-auto-tls": switched("auto-tls", "makes its own certificates for clients", wanted=False, default=False),
    "etcd-client-cert-auth": switched(
        "client-cert-auth", "accepts clients without certificate", wanted=True, default=False
    ),
    "etcd-peer-auto-tls": switched(
        "peer-auto-tls", "makes its own certificates for peers", wanted=False, default=False
    ),
    "etcd-peer-client-cert-auth": switched(
        "peer-client-cert-auth", "accepts peers without certificate", wanted=True, default=False
    ),
    "etcd-peer-tls-cert": both_named(
        "peer-cert-file", "peer-key-file", "talks to other members without TLS certificate"
    ),
    "etcd-tls-cert": both_named("cert-file", "key-file", "serves without TLS certificate"),
}
PROXY: Mapping[str, Check] = {"kube-proxy-metrics": _proxy_metrics}
