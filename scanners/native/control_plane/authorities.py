"""Whether etcd trusts an authority of its own: the file that it names, beside those that API servers of the scope name.

Names of files are compared, not certificates: two files may hold the same one.
"""

from __future__ import annotations

from collections.abc import Iterator

from model.programs import start_of, variables
from model.resource import Resource
from scanners.native.control_plane.flags import Line, UnclearError, line_of, version_of
from scanners.native.control_plane.kubeadm import PKI
from scanners.native.engine import Flaw, Neighbours, Verdicts

CONTROL = "etcd-unique-ca"
OF_THE_CLUSTER = f"{PKI}/ca.crt"
"""Where kubeadm keeps it."""
NO_VERDICT: Verdicts = {}


def etcd_unique_ca(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """Without an API server beside it, kubeadm's file of the cluster's authority is the only one known."""
    found: list[Flaw] = []
    judged = False
    for line in _lines(resource, "etcd", neighbours.kube_version):
        try:
            file = line.text("trusted-ca-file")
        except UnclearError:
            continue
        others = neighbours.derived(_clients)
        if file in others or file == OF_THE_CLUSTER:
            found.append(line.flaw("trusts the certificate authority of the cluster", "trusted-ca-file"))
        judged = judged or (bool(file) and bool(others))
    return {CONTROL: found} if found or judged else NO_VERDICT


def _clients(neighbours: Neighbours) -> frozenset[str]:
    """The authorities that the API servers of a scope trust with their clients."""
    files: set[str] = set()
    for resource in neighbours:
        for line in _lines(resource, "kube-apiserver", neighbours.kube_version):
            try:
                files.add(line.text("client-ca-file"))
            except UnclearError:
                continue
    return frozenset(files - {""})


def _lines(resource: Resource, program: str, kube_version: str) -> Iterator[Line]:
    for container in resource.containers:
        start = start_of(container)
        if start is not None and start.program == program:
            yield line_of(start, container, variables(container), version_of(kube_version))
