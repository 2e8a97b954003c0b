"""The kubelet: its configuration file, and the flags that override it (CIS benchmark, section 4.2).

Defaults are those of the file (``kubelet/apis/config/v1beta1``), which are safer than those of the old flags.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model.values import FieldPath, Json, dig
from scanners.native.control_plane.components import tls_ciphers
from scanners.native.control_plane.flags import Line, UnclearError
from scanners.native.control_plane.settings import Check, is_strong, named, seconds, switched
from scanners.native.engine import Flaw

SECCOMP_DEFAULT = (1, 22)
"""Nothing before it knows ``seccompDefault``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Configuration:
    """A configuration file, read with the defaults of its version."""

    value: dict[str, Json]
    version: tuple[int, int]
    is_whole: bool = True
    """False of a patch: what is absent stands in the file that it patches."""
    under_kubeadm: bool = False
    """kubeadm reads it and names authority and rotation itself (``kubeadm/app/componentconfigs``)."""

    def text(self, *steps: str) -> str:
        """A text; empty where it is absent."""
        found = self._at(*steps)
        if found is not None and not isinstance(found, str):
            raise UnclearError
        return found or ""

    def truth(self, *steps: str, default: bool) -> bool:
        """True or false: the kubelet refuses all else."""
        found = self._at(*steps)
        if found is not None and not isinstance(found, bool):
            raise UnclearError
        return default if found is None else found

    def number(self, *steps: str, default: int) -> int:
        """A whole number."""
        found = self._at(*steps)
        if found is None:
            return default
        if not isinstance(found, int) or isinstance(found, bool):
            raise UnclearError
        return found

    def items(self, *steps: str) -> list[Json]:
        """A list; empty where it is absent."""
        found = self._at(*steps)
        if found is not None and not isinstance(found, list):
            raise UnclearError
        return found or []

    def _at(self, *steps: str) -> Json:
        found = dig(self.value, *steps)
        if found is None and not self.is_whole:
            raise UnclearError
        return found


FileCheck = Callable[[Configuration], Flaw | None]


def _flaw(message: str, *steps: str) -> Flaw:
    return Flaw(steps, message)


def _switch(field: FieldPath, message: str, *, wanted: bool, default: bool) -> FileCheck:
    steps = tuple(map(str, field))

    def check(file: Configuration) -> Flaw | None:
        return None if file.truth(*steps, default=default) is wanted else Flaw(field, message)

    return check


def _client_ca(file: Configuration) -> Flaw | None:
    steps = ("authentication", "x509", "clientCAFile")
    return (
        None if file.under_kubeadm or file.text(*steps) else _flaw("has no authority for client certificates", *steps)
    )


def _always_allow(file: Configuration) -> Flaw | None:
    allows = file.text("authorization", "mode") == "AlwaysAllow"
    return _flaw("allows every request", "authorization", "mode") if allows else None


def _read_only_port(file: Configuration) -> Flaw | None:
    is_open = file.number("readOnlyPort", default=0) != 0
    return _flaw("answers without log-in on a port for reading", "readOnlyPort") if is_open else None


def _streaming_timeout(file: Configuration) -> Flaw | None:
    timeout = seconds(file.text("streamingConnectionIdleTimeout") or "4h")
    return None if timeout else _flaw("keeps idle streams open for ever", "streamingConnectionIdleTimeout")


def _event_qps(file: Configuration) -> Flaw | None:
    """Unset, it is 50 events a second (5 before Kubernetes 1.27), whatever the node does."""
    if file.number("eventRecordQPS", default=-1) >= 0:
        return None
    return _flaw("may drop events: eventRecordQPS is not set", "eventRecordQPS")


def _tls_cert(file: Configuration) -> Flaw | None:
    if dig(file.value, "serverTLSBootstrap") is True or (file.text("tlsCertFile") and file.text("tlsPrivateKeyFile")):
        return None
    return _flaw(
        "makes its own TLS certificate", "tlsCertFile" if file.text("tlsPrivateKeyFile") else "tlsPrivateKeyFile"
    )


def _rotate_client(file: Configuration) -> Flaw | None:
    message = "does not renew its client certificate"
    return _switch(("rotateCertificates",), message, wanted=True, default=file.under_kubeadm)(file)


def _rotate_server(file: Configuration) -> Flaw | None:
    gate = ("featureGates", "RotateKubeletServerCertificate")
    if dig(file.value, *gate) is not None and not file.truth(*gate, default=True):
        return _flaw("does not renew its serving certificate", *gate)
    if file.truth("serverTLSBootstrap", default=False):
        return None
    return _flaw("does not renew its serving certificate: serverTLSBootstrap is off", "serverTLSBootstrap")


def _tls_ciphers(file: Configuration) -> Flaw | None:
    """As of the API server."""
    if dig(file.value, "tlsMinVersion") == "VersionTLS13":
        return None
    suites = file.items("tlsCipherSuites")
    if not suites:
        return _flaw("leaves the choice of TLS cipher suites to Go", "tlsCipherSuites")
    weak = [position for position, suite in enumerate(suites) if not (isinstance(suite, str) and is_strong(suite))]
    return Flaw(("tlsCipherSuites", weak[0]), "accepts weak TLS cipher suites") if weak else None


def _pids_limit(file: Configuration) -> Flaw | None:
    limited = file.number("podPidsLimit", default=-1) > 0
    return None if limited else _flaw("lets a pod start any number of processes", "podPidsLimit")


def _seccomp_default(file: Configuration) -> Flaw | None:
    if file.version < SECCOMP_DEFAULT:
        raise UnclearError
    return _switch(("seccompDefault",), "runs pods without seccomp profile by default", wanted=True, default=False)(
        file
    )


FILE: Mapping[str, FileCheck] = {
    "kubelet-always-allow": _always_allow,
    "kubelet-anonymous-auth": _switch(
        ("authentication", "anonymous", "enabled"), "answers without log-in", wanted=False, default=False
    ),
    "kubelet-client-ca": _client_ca,
    "kubelet-event-qps": _event_qps,
    "kubelet-iptables": _switch(
        ("makeIPTablesUtilChains",), "does not manage its firewall chains", wanted=True, default=True
    ),
    "kubelet-pod-pids-limit": _pids_limit,
    "kubelet-protect-kernel-defaults": _switch(
        ("protectKernelDefaults",), "may change kernel settings", wanted=True, default=False
    ),
    "kubelet-read-only-port": _read_only_port,
    "kubelet-rotate-certificates": _rotate_client,
    "kubelet-rotate-server-certificates": _rotate_server,
    "kubelet-seccomp-default": _seccomp_default,
    "kubelet-streaming-timeout": _streaming_timeout,
    "kubelet-tls-cert": _tls_cert,
    "kubelet-tls-ciphers": _tls_ciphers,
}


def _unless_in_file(name: str, check: Check) -> Check:
    """Of a flag that overrides the file: where it is absent and there is a file, that decides, and is elsewhere."""

    def check_flag(line: Line) -> Flaw | None:
        if name not in line.given and line.has("config"):
            raise UnclearError
        return check(line)

    return check_flag


def _switch_flag(name: str, message: str, *, wanted: bool, default: bool) -> Check:
    return _unless_in_file(name, switched(name, message, wanted=wanted, default=default))


def _allowed(line: Line) -> Flaw | None:
    name = "authorization-mode"
    allows = line.text(name, "AlwaysAllow") == "AlwaysAllow"
    return line.flaw(f"allows every request{line.by_default(name)}", name) if allows else None


def _no_read_only_port(line: Line) -> Flaw | None:
    name = "read-only-port"
    is_open = line.number(name, 10_255) != 0
    return line.flaw(f"answers without log-in on a port for reading{line.by_default(name)}", name) if is_open else None


def _times_streams_out(line: Line) -> Flaw | None:
    name = "streaming-connection-idle-timeout"
    return None if seconds(line.text(name, "4h")) else line.flaw("keeps idle streams open for ever", name)


def _limits_pids(line: Line) -> Flaw | None:
    limited = line.number("pod-max-pids", -1) > 0
    return None if limited else line.flaw("lets a pod start any number of processes", "pod-max-pids")


def _records_events(line: Line) -> Flaw | None:
    return None if line.number("event-qps", -1) >= 0 else line.flaw("may drop events", "event-qps")


def _host_name(line: Line) -> Flaw | None:
    is_other = line.has("hostname-override")
    return line.flaw("runs under another host name", "hostname-override") if is_other else None


def _certificate(line: Line) -> Flaw | None:
    names = ("tls-cert-file", "tls-private-key-file")
    if line.truth("rotate-server-certificates", default=False) or all(line.text(name) for name in names):
        return None
    return line.flaw("makes its own TLS certificate", *names)


FLAGS: Mapping[str, Check] = {
    "kubelet-always-allow": _unless_in_file("authorization-mode", _allowed),
    "kubelet-anonymous-auth": _switch_flag("anonymous-auth", "answers without log-in", wanted=False, default=True),
    "kubelet-client-ca": _unless_in_file(
        "client-ca-file", named("client-ca-file", "has no authority for client certificates")
    ),
    "kubelet-event-qps": _unless_in_file("event-qps", _records_events),
    "kubelet-hostname-override": _host_name,
    "kubelet-iptables": _switch_flag(
        "make-iptables-util-chains", "does not manage its firewall chains", wanted=True, default=True
    ),
    "kubelet-pod-pids-limit": _unless_in_file("pod-max-pids", _limits_pids),
    "kubelet-protect-kernel-defaults": _switch_flag(
        "protect-kernel-defaults", "may change kernel settings", wanted=True, default=False
    ),
    "kubelet-read-only-port": _unless_in_file("read-only-port", _no_read_only_port),
    "kubelet-rotate-certificates": _switch_flag(
        "rotate-certificates", "does not renew its client certificate", wanted=True, default=False
    ),
    "kubelet-rotate-server-certificates": _switch_flag(
        "rotate-server-certificates", "does not renew its serving certificate", wanted=True, default=False
    ),
    "kubelet-seccomp-default": _switch_flag(
        "seccomp-default", "runs pods without seccomp profile by default", wanted=True, default=False
    ),
    "kubelet-streaming-timeout": _unless_in_file("streaming-connection-idle-timeout", _times_streams_out),
    "kubelet-tls-cert": _unless_in_file("tls-cert-file", _certificate),
    "kubelet-tls-ciphers": _unless_in_file("tls-cipher-suites", tls_ciphers),
}
"""Without a file, the defaults of old hold (``applyLegacyDefaults``)."""
