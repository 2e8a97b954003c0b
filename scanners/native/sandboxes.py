"""Sandboxes of agents, and how far the code that they run can get (the API of kubernetes-sigs/agent-sandbox)."""

from __future__ import annotations

from collections.abc import Iterator

from model.resource import Pod, Resource
from model.values import FieldPath, Json, dig, mapping, sequence, text
from scanners.native.engine import Flaw, Flaws, object_check
from scanners.native.images import tag_and_digest

KINDS = ("agents.x-k8s.io/Sandbox", "extensions.agents.x-k8s.io/SandboxTemplate")
ORDINARY = frozenset({"crun", "nvidia", "runc"})
"""Runtime classes that share the node's kernel with the container."""
EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})
LIMITS = ("cpu", "memory")


@object_check("agent-sandbox-hardening", kinds=KINDS)
def agent_sandbox_hardening(resource: Resource) -> Flaws:
    """The runtime, limits and image of its pod; of a template also its own network policy, on unless it says no."""
    for pod in resource.pods:
        runtime = text(pod.spec.get("runtimeClassName"))
        if not runtime or runtime in ORDINARY:
            yield Flaw((*pod.path, "runtimeClassName"), "runs on the node's kernel: no sandboxed runtime is chosen")
        yield from _containers(pod)
    if resource.ref.kind == "SandboxTemplate":
        yield from _egress(mapping(resource.value.get("spec")))


def _containers(pod: Pod) -> Iterator[Flaw]:
    for container in pod.containers:
        for name in LIMITS:
            path: FieldPath = ("resources", "limits", name)
            if not any(dig(owner, *map(str, path)) for owner in (dict(container.value), dict(pod.spec))):
                yield Flaw((*container.path, *path), f"container {container.key} has no {name} limit")
        if not tag_and_digest(text(container.value.get("image")).strip())[1]:
            yield Flaw((*container.path, "image"), f"container {container.key} runs an image that is not pinned")


def _egress(spec: dict[str, Json]) -> Iterator[Flaw]:
    """What the policy of the template lets out; no policy is the controller's strict one."""
    if spec.get("networkPolicyManagement") == "Unmanaged":
        yield Flaw(("spec", "networkPolicyManagement"), "has no network policy of its own")
        return
    for position, rule in enumerate(sequence(dig(spec.get("networkPolicy"), "egress"))):
        peers = sequence(dig(rule, "to"))
        blocks = [mapping(dig(peer, "ipBlock")) for peer in peers]
        if not peers or any(text(each.get("cidr")) in EVERYWHERE and not each.get("except") for each in blocks):
            yield Flaw(("spec", "networkPolicy", "egress", position), "lets the sandbox send to every address")
