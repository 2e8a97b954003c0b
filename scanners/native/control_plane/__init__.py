"""Components of the control plane and the files that configure them, whether a pod, kubeadm or a file names them.

What the manifest does not say, such as a variable that another object sets, gets no verdict. Where a component has
several containers or pods, each is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from model.programs import start_of, variables
from model.resource import Resource
from model.values import Json, text
from scanners.native.control_plane import audit_policy, authorities, embedded, encryption, kubeadm, structured
from scanners.native.control_plane import kubelet as kubelets
from scanners.native.control_plane.components import (
    API_SERVER,
    CONTROLLER_MANAGER,
    ETCD,
    METRICS,
    PROXY,
    SCHEDULER,
    listens_beyond,
)
from scanners.native.control_plane.embedded import Configuration, configurations
from scanners.native.control_plane.flags import Line, UnclearError, line_of, version_of
from scanners.native.control_plane.settings import Check
from scanners.native.engine import Flaw, Neighbours, Verdicts, survey

CHECKS_OF: Mapping[str, Mapping[str, Check]] = {
    "etcd": ETCD,
    "kube-apiserver": API_SERVER,
    "kube-controller-manager": CONTROLLER_MANAGER,
    "kube-proxy": PROXY,
    "kube-scheduler": SCHEDULER,
    "kubelet": kubelets.FLAGS,
}
CONTROLS = tuple(
    sorted(
        {
            *(control for checks in CHECKS_OF.values() for control in checks),
            *kubelets.FILE,
            authorities.CONTROL,
            encryption.CONTROL,
            audit_policy.COVERAGE,
            audit_policy.CONTENT,
        }
    )
)
NO_VERDICT: Verdicts = {}
Version = tuple[int, int]


@survey(*CONTROLS)
def control_plane(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """Everything that the object says about a component."""
    if resource.pods:
        return _of_containers(resource, neighbours)
    if resource.ref.kind not in KINDS:
        return NO_VERDICT
    return _of_configurations(resource, neighbours)


def _of_containers(resource: Resource, neighbours: Neighbours) -> Verdicts:
    starts = [(each, start) for each in resource.containers if (start := start_of(each)) is not None]
    if not starts:
        return NO_VERDICT
    version = version_of(neighbours.kube_version)
    found: list[tuple[Mapping[str, Check], Line]] = []
    programs: set[str] = set()
    for container, start in starts:
        found.append((CHECKS_OF[start.program], line_of(start, container, variables(container), version)))
        programs.add(start.program)
    authority = authorities.etcd_unique_ca(resource, neighbours) if "etcd" in programs else NO_VERDICT
    return {**_of_lines(found), **authority}


def _of_lines(lines: Iterable[tuple[Mapping[str, Check], Line]]) -> Verdicts:
    """Unclear anywhere, a control has no verdict, unless it fails somewhere."""
    flaws: dict[str, list[Flaw]] = {}
    unclear: set[str] = set()
    for checks, line in lines:
        for control, check in checks.items():
            try:
                flaw = check(line)
            except UnclearError:
                unclear.add(control)
                continue
            flaws.setdefault(control, []).extend([flaw] if flaw else ())
    return {control: found for control, found in flaws.items() if found or control not in unclear}


def _of_configurations(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """Where an object holds several, a flaw in any of them counts; in a text it is the text that is pointed at."""
    version = version_of(neighbours.kube_version)
    under_kubeadm = resource.location.path in neighbours.derived(_files_of_kubeadm)
    found: dict[str, list[Flaw]] = {}
    for each in configurations(resource):
        look = CONFIGURATIONS.get((each.group, each.kind))
        for control, flaws in look(each, version, under_kubeadm).items() if look else ():
            moved = [Flaw(each.path, flaw.message) for flaw in flaws] if each.path else flaws
            found.setdefault(control, []).extend(moved)
    return found


def _files_of_kubeadm(neighbours: Neighbours) -> frozenset[str]:
    """The files that kubeadm reads: it adds settings of its own to a kubelet's configuration in one of them."""
    return frozenset([each.location.path for each in neighbours if each.ref.group == KUBEADM])


def _of_kubeadm(file: Configuration, version: Version, _: bool) -> Verdicts:  # noqa: FBT001 as the others
    return _of_lines(kubeadm.lines(file.kind, file.value, version, is_whole=file.is_whole))


def _of_kubelet(file: Configuration, version: Version, under_kubeadm: bool) -> Verdicts:  # noqa: FBT001 as the others
    return dict(
        _answers(
            kubelets.Configuration(
                value=file.value, version=version, is_whole=file.is_whole, under_kubeadm=under_kubeadm
            )
        )
    )


def _answers(file: kubelets.Configuration) -> Iterator[tuple[str, Sequence[Flaw]]]:
    for control, check in kubelets.FILE.items():
        try:
            flaw = check(file)
        except UnclearError:
            continue
        yield control, [flaw] if flaw else ()


def _of_proxy(file: Configuration, _: Version, __: bool) -> Verdicts:  # noqa: FBT001 as the others
    """An empty address is the default, 127.0.0.1."""
    field = "metricsBindAddress"
    if field not in file.value and not file.is_whole:
        return NO_VERDICT
    try:
        is_open = listens_beyond(text(file.value.get(field)) or "127.0.0.1")
    except UnclearError:
        return NO_VERDICT
    return {"kube-proxy-metrics": [Flaw((field,), METRICS)] if is_open else ()}


def _of_encryption(value: Mapping[str, Json]) -> Verdicts:
    return {encryption.CONTROL: encryption.judge(value)}


def _alone(look: Callable[[Mapping[str, Json]], Verdicts]) -> Callable[[Configuration, Version, bool], Verdicts]:
    """Of a look that needs nothing but the values."""
    return lambda file, _, __: look(file.value)


API_SERVER_CONFIG, KUBEADM = "apiserver.config.k8s.io", "kubeadm.k8s.io"
CONFIGURATIONS: Mapping[tuple[str, str], Callable[[Configuration, Version, bool], Verdicts]] = {
    ("", "EncryptionConfig"): _alone(_of_encryption),
    ("apiserver.k8s.io", "AdmissionConfiguration"): _alone(structured.admission),
    (API_SERVER_CONFIG, "AdmissionConfiguration"): _alone(structured.admission),
    (API_SERVER_CONFIG, "AuthenticationConfiguration"): _alone(structured.authentication),
    (API_SERVER_CONFIG, "AuthorizationConfiguration"): _alone(structured.authorization),
    (API_SERVER_CONFIG, "EncryptionConfiguration"): _alone(_of_encryption),
    ("audit.k8s.io", "Policy"): _alone(audit_policy.judge),
    (KUBEADM, "ClusterConfiguration"): _of_kubeadm,
    (KUBEADM, "InitConfiguration"): _of_kubeadm,
    (KUBEADM, "JoinConfiguration"): _of_kubeadm,
    ("kubelet.config.k8s.io", "KubeletConfiguration"): _of_kubelet,
    ("kubeproxy.config.k8s.io", "KubeProxyConfiguration"): _of_proxy,
    ("kubescheduler.config.k8s.io", "KubeSchedulerConfiguration"): _alone(structured.scheduler),
}
"""By group and kind. The first is what Kubernetes called it until 1.13."""
KINDS = frozenset(kind for _, kind in (*CONFIGURATIONS, *embedded.HOLDERS))
