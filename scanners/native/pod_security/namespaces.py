"""Labels of namespaces that choose a Pod Security Standard: whether they can be read, and whom they keep out.

A workload that names no namespace is nobody's, and which namespaces, users and runtime classes a cluster exempts stands
in no manifest: neither is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from model.resource import Resource
from model.values import Json, dig, mapping, text
from scanners.native.engine import Flaw, Flaws, Neighbours, Verdicts, object_check, survey
from scanners.native.pod_security.standards import NEWEST, Level, refusals
from scanners.native.schemas import release_of

REJECTS: Final = "pod-security-rejects"
WARNS: Final = "pod-security-warns"
PREFIX = "pod-security.kubernetes.io/"
ENFORCE = f"{PREFIX}enforce"
MODES = ("enforce", "audit", "warn")
VERSION = re.compile(r"latest|v1\.(0|[1-9][0-9]{0,4})", re.ASCII)
"""``ParseVersion`` of the controller; a number of six digits is none of Kubernetes."""
MOST = 3
"""Workloads, and reasons of each, that a message names."""


class Standard(NamedTuple):
    """What one label asks of the pods of its namespace."""

    level: Level
    minor: int
    """Of Kubernetes 1: the version whose checks count."""


@object_check("pod-security-labels", kinds=("/Namespace",))
def pod_security_labels(resource: Resource) -> Flaws:
    """As the controller validates a new namespace; beside that, labels that it does not know or that change nothing."""
    labels = _labels(resource)
    for key, value in labels.items():
        mode, dash, rest = key.removeprefix(PREFIX).partition("-")
        path = ("metadata", "labels", key)
        if not key.startswith(PREFIX):
            continue
        if mode not in MODES or (dash and rest != "version"):
            yield Flaw(path, f"sets {key[:80]}, which Pod Security does not know")
        elif dash and not VERSION.fullmatch(text(value)):
            yield Flaw(path, f"sets {key} to what is neither latest nor a version such as v1.34: Kubernetes refuses it")
        elif dash and f"{PREFIX}{mode}" not in labels:
            yield Flaw(path, f"sets {key} without a level: it changes nothing")
        elif not dash and _level(value) is None:
            yield Flaw(path, f"sets {key} to no level that there is (privileged, baseline, restricted)")


@survey(REJECTS, WARNS, kinds=("/Namespace",))
def pod_security(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """Workloads of the scope that say this namespace, against the standard of each label.

    A controller such as a Deployment is let in all the same: it is its pods that are refused.
    """
    labels = _labels(resource)
    workloads = neighbours.derived(_workloads).get(resource.ref.name, ())
    found = {mode: list(_refused(mode, labels, workloads, neighbours.kube_version)) for mode in MODES}
    return {REJECTS: found["enforce"], WARNS: [*found["audit"], *found["warn"]]}


def _refused(mode: str, labels: Mapping[str, Json], workloads: Sequence[Resource], kube_version: str) -> Iterator[Flaw]:
    standard = _standard(mode, labels, kube_version)
    if standard is None:
        return
    reasons = {each: why for each in workloads if (why := _reasons(each, standard))}
    if reasons:
        does = {"enforce": "enforces", "audit": "audits", "warn": "warns by"}[mode]
        would = "rejected" if mode == "enforce" else "reported"
        told = [f"{each.ref.kind} {each.ref.name[:60]} ({_listed(reasons[each])})" for each in list(reasons)[:MOST]]
        more = f" and {len(reasons) - MOST} more" if len(reasons) > MOST else ""
        count = f"{len(reasons)} of {len(workloads)} workload{'s' if len(workloads) != 1 else ''}"
        message = f"{does} {standard.level} of Kubernetes 1.{standard.minor} here: the pods of {count} would be {would}"
        yield Flaw(("metadata", "labels", f"{PREFIX}{mode}"), f"{message}: {', '.join(told)}{more}")


def _reasons(workload: Resource, standard: Standard) -> tuple[str, ...]:
    found = (reason for pod in workload.pods for reason in refusals(pod, standard.level, standard.minor))
    return tuple(dict.fromkeys(found))


def _listed(reasons: Sequence[str]) -> str:
    return ", ".join(reasons[:MOST]) + (", …" if len(reasons) > MOST else "")


def _standard(mode: str, labels: Mapping[str, Json], kube_version: str) -> Standard | None:
    """As ``PolicyToEvaluate``: a level that cannot be read is restricted where it is enforced, else privileged.

    A version is at most that of the cluster; none, or one that cannot be read, is that of the cluster.
    """
    if f"{PREFIX}{mode}" not in labels:
        return None
    unread = Level.RESTRICTED if mode == "enforce" else Level.PRIVILEGED
    level = _level(labels[f"{PREFIX}{mode}"]) or unread
    cluster = release_of(kube_version)[1] if kube_version else NEWEST
    pinned = VERSION.fullmatch(text(labels.get(f"{PREFIX}{mode}-version")))
    return Standard(level, min(int(pinned[1]), cluster) if pinned and pinned[1] else cluster)


def _level(value: Json) -> Level | None:
    return next((level for level in Level if level == value), None)


def _labels(resource: Resource) -> Mapping[str, Json]:
    return mapping(dig(dict(resource.value), "metadata", "labels"))


def _workloads(neighbours: Neighbours) -> Mapping[str, Sequence[Resource]]:
    """By namespace, in order; two documents of one identity are two."""
    found: dict[str, list[Resource]] = {}
    for resource in neighbours:
        if resource.pods and resource.ref.namespace:
            found.setdefault(resource.ref.namespace, []).append(resource)
    return found
