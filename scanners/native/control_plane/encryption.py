"""How the API server stores secrets: the first provider of the first entry that covers them writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model.values import Json, mapping, sequence
from scanners.native.engine import Flaw

CONTROL = "secrets-encryption-provider"
COVERS_SECRETS = frozenset({"secrets", "*.", "*.*"})
"""Names of resources; ``*.`` is everything of the core group."""
WEAK = {
    "identity": "writes secrets as they are",
    "aesgcm": "writes secrets with AES-GCM, which is safe only while keys are renewed all the time",
}
"""As the Kubernetes documentation and the CIS benchmark (1.2.28) have it."""
UNKNOWN = "names no provider that Kubernetes knows"
PROVIDERS = frozenset({"aescbc", "aesgcm", "identity", "kms", "secretbox"})


def judge(value: Mapping[str, Json]) -> Sequence[Flaw]:
    """What is wrong with how secrets are written; old data may still be read with any provider behind the first."""
    for position, each in enumerate(sequence(value.get("resources"))):
        entry = mapping(each)
        names = {name for name in sequence(entry.get("resources")) if isinstance(name, str)}
        if COVERS_SECRETS.isdisjoint(names):
            continue
        path = ("resources", position, "providers")
        providers = [mapping(provider) for provider in sequence(entry.get("providers"))]
        first = next((name for name in sorted(providers[0]) if name in PROVIDERS), "") if providers else ""
        if not first:
            return (Flaw((*path, 0) if providers else path, UNKNOWN),)
        return (Flaw((*path, 0, first), WEAK[first]),) if first in WEAK else ()
    return (Flaw(("resources",), "does not cover secrets"),)
