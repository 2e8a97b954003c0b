"""How long finished Jobs stay."""

from __future__ import annotations

from collections.abc import Mapping

from model.resource import Resource
from model.values import Json, dig, mapping, sequence, text
from scanners.native.engine import Flaw, Flaws, object_check

HOOKS = ("helm.sh/hook-delete-policy", "argocd.argoproj.io/hook-delete-policy")
"""Annotations by which a tool removes the Job itself."""
OWNED = "jobTemplate"


@object_check("job-ttl", kinds=("batch/Job", "batch/CronJob"))
def job_ttl(resource: Resource) -> Flaws:
    """A CronJob keeps a number of its Jobs; a time to live beside that removes what the history should hold."""
    spec = mapping(resource.value.get("spec"))
    if resource.ref.kind == "CronJob":
        if dig(spec, OWNED, "spec", "ttlSecondsAfterFinished") is not None:
            path = ("spec", OWNED, "spec", "ttlSecondsAfterFinished")
            yield Flaw(path, "gives its jobs a time to live beside the limits of its history")
    elif spec.get("ttlSecondsAfterFinished") is None and not _is_removed(mapping(resource.value.get("metadata"))):
        yield Flaw(("spec", "ttlSecondsAfterFinished"), "stays for ever when it has finished, and so do its pods")


def _is_removed(metadata: Mapping[str, Json]) -> bool:
    """Whether an owner or a tool takes it away."""
    annotations = mapping(metadata.get("annotations"))
    return bool(sequence(metadata.get("ownerReferences"))) or any(text(annotations.get(key)) for key in HOOKS)
