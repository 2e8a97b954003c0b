"""Objects that decide what others may run: namespaces, admission policies, security context constraints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from model.pod_security import RESTRICTED_CAPABILITIES
from model.resource import Resource
from model.values import Json, dig, mapping, sequence, text
from scanners.native.engine import Flaw, Flaws, object_check
from scanners.native.pod_security.namespaces import ENFORCE
from scanners.native.pod_security.standards import Level

LEVELS = frozenset({Level.BASELINE, Level.RESTRICTED})
"""Of the Pod Security Standards, those that refuse something."""
SECCOMP = ("allowedProfileNames", "defaultProfileName")
SECCOMP_PREFIX = "seccomp.security.alpha.kubernetes.io/"
OPEN_VOLUMES = frozenset({"*", "hostPath"})
REPO_FIELDS = {"K8sAllowedRepos": "repos", "K8sAllowedReposv2": "allowedImages"}
OFFICIAL = "docker.io/library/"
"""Docker alone puts images there: no name in it can be a look-alike."""


@object_check("policy-enforcement-missing", kinds=("/Namespace",))
def policy_enforcement_missing(resource: Resource) -> Flaws:
    """The namespace's label; a default that the API server sets for all of them stands in no manifest."""
    level = mapping(dig(dict(resource.value), "metadata", "labels")).get(ENFORCE)
    if text(level) not in LEVELS:
        is_open = level == Level.PRIVILEGED
        told = "enforces a level that refuses nothing" if is_open else "enforces no level of pod security"
        yield Flaw(("metadata", "labels", ENFORCE), told)


@object_check("scc-privileged", kinds=("SecurityContextConstraints",))
def scc_privileged(resource: Resource) -> Flaws:
    """OpenShift's field; absent is false."""
    if resource.value.get("allowPrivilegedContainer") is True:
        yield Flaw(("allowPrivilegedContainer",), "allows privileged containers")


@object_check("podsecuritypolicy-permissive", kinds=("PodSecurityPolicy",))
def podsecuritypolicy_permissive(resource: Resource) -> Flaws:
    """Against the restricted standard, field by field; what the policy leaves out is allowed."""
    spec = mapping(resource.value.get("spec"))
    yield from _switches(spec)
    yield from _users(spec)
    yield from _capabilities(spec)
    yield from _lists(spec)
    annotations = mapping(dig(dict(resource.value), "metadata", "annotations"))
    profiles = [text(annotations.get(f"{SECCOMP_PREFIX}{name}")) for name in SECCOMP]
    if not any(profiles) or any("*" in each or "unconfined" in each for each in profiles):
        yield Flaw(("metadata", "annotations"), "admits containers without a seccomp profile")


def _switches(spec: Mapping[str, Json]) -> Iterator[Flaw]:
    what = {"privileged": "privileged containers"}
    what |= {name: f"pods with {name}" for name in ("hostIPC", "hostNetwork", "hostPID")}
    for name, admitted in what.items():
        if spec.get(name) is True:
            yield Flaw(("spec", name), f"admits {admitted}")
    if spec.get("allowPrivilegeEscalation") is not False:
        yield Flaw(("spec", "allowPrivilegeEscalation"), "admits containers that gain privileges")


def _users(spec: Mapping[str, Json]) -> Iterator[Flaw]:
    """Rule MustRunAs is as good as its lowest user id."""
    rule = dig(dict(spec), "runAsUser", "rule")
    ranges = [mapping(each).get("min") for each in sequence(dig(dict(spec), "runAsUser", "ranges"))]
    above_root = bool(ranges) and all(isinstance(low, int) and low > 0 for low in ranges)
    if rule != "MustRunAsNonRoot" and not (rule == "MustRunAs" and above_root):
        yield Flaw(("spec", "runAsUser", "rule"), "admits containers that run as root")


def _capabilities(spec: Mapping[str, Json]) -> Iterator[Flaw]:
    dropped = {text(name) for name in sequence(spec.get("requiredDropCapabilities"))}
    if not dropped & {"ALL", "NET_RAW"}:
        yield Flaw(("spec", "requiredDropCapabilities"), "admits containers with the capability NET_RAW")
    for field in ("allowedCapabilities", "defaultAddCapabilities"):
        for position, name in enumerate(sequence(spec.get(field))):
            if text(name) not in RESTRICTED_CAPABILITIES:
                yield Flaw(("spec", field, position), "admits added capabilities")


def _lists(spec: Mapping[str, Json]) -> Iterator[Flaw]:
    for position, name in enumerate(sequence(spec.get("volumes"))):
        if text(name) in OPEN_VOLUMES:
            yield Flaw(("spec", "volumes", position), "admits volumes of the node")
    for position, _ in enumerate(sequence(spec.get("hostPorts"))):
        yield Flaw(("spec", "hostPorts", position), "admits ports of the node")
    for position, _ in enumerate(sequence(spec.get("allowedUnsafeSysctls"))):
        yield Flaw(("spec", "allowedUnsafeSysctls", position), "admits unsafe sysctls")


@object_check("image-repo-policy-ambiguous", kinds=[f"constraints.gatekeeper.sh/{kind}" for kind in REPO_FIELDS])
def image_repo_policy_ambiguous(resource: Resource) -> Flaws:
    """Gatekeeper compares ``repos`` as prefixes, of ``allowedImages`` (K8sAllowedReposv2) what ends in ``*``."""
    field = REPO_FIELDS[resource.ref.kind]
    for position, entry in enumerate(sequence(dig(dict(resource.value), "spec", "parameters", field))):
        prefix = text(entry)
        is_prefix = field == "repos" or prefix.endswith("*")
        if is_prefix and _is_open(prefix.removesuffix("*")):
            path = ("spec", "parameters", field, position)
            yield Flaw(path, "ends open: it also lets in names that only begin like it")


def _is_open(prefix: str) -> bool:
    """Whether the last part of a name may go on; behind a colon or an at sign the name is at its end."""
    last = prefix.rpartition("/")[2]
    return not prefix or (bool(last) and ":" not in last and "@" not in last and not prefix.startswith(OFFICIAL))
