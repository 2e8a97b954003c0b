"""Charts in OCI registries (github.com/opencontainers/distribution-spec): the manifest of a tag, and its one layer.

Anonymous only: where a registry wants a token it is asked for one without any credentials.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from model.chart import PinnedChart
from registries.addresses import Address, NoAddressError, parse
from registries.client import Answer, Client
from registries.http_index import ARCHIVE_BYTES, require_digest
from registries.refusal import NotFetchedError

SCHEME: Final = "oci://"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
LAYER: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
MANIFEST_BYTES: Final = 4_000_000
"""What registries must take, and hardly ever do (distribution-spec, "Pushing manifests")."""
TOKEN_BYTES: Final = 1_000_000
DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')
TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,20000}")
PUSH: Final = "push it again with 'helm push', or vendor the dependency"


def fetch(chart: PinnedChart, client: Client) -> bytes:
    """The archive of a chart whose repository is ``oci://HOST/PATH``. Raises NotFetchedError."""
    return fetch_reference(f"{chart.repository.rstrip('/')}/{chart.name}", chart.version, client)


def fetch_reference(repository: str, version: str, client: Client) -> bytes:
    """The archive under ``repository:version``; Helm writes ``_`` for a ``+``. Raises NotFetchedError."""
    tag = version.replace("+", "_")
    if not TAG.fullmatch(tag):
        raise NotFetchedError("an address of a registry ends without a tag", "correct it, and lock again")
    try:
        base = parse(repository)
        pull = _Pull(base=base, client=client)
        manifest = base.below("manifests", tag)
    except NoAddressError as error:
        raise NotFetchedError(f"the registry's address is refused: {error}", "correct it, and lock again") from error
    answer = pull.get(manifest, MANIFEST_BYTES, MANIFEST)
    stated = answer.headers.get("Docker-Content-Digest", "")
    if stated and stated != f"sha256:{hashlib.sha256(answer.body).hexdigest()}":
        raise NotFetchedError(f"the manifest {manifest.shown} has another digest than stated", PUSH)
    digest, size = _layer(answer.body, manifest)
    if size > ARCHIVE_BYTES:
        raise NotFetchedError(f"the chart is larger than {ARCHIVE_BYTES / 1e6:g} MB", "vendor the dependency unpacked")
    data = pull.get(base.below("blobs", f"sha256:{digest}"), ARCHIVE_BYTES).body
    require_digest(data, digest, f"the blob of {manifest.shown}")
    return data


@dataclass(slots=True, kw_only=True)
class _Pull:
    """Two requests to one registry, which may ask for a token first."""

    base: Address
    client: Client
    token: str = ""

    def get(self, address: Address, limit: int, accept: str = "*/*") -> Answer:
        answer = self.client.get(address, limit=limit, accept=accept, token=self.token, refused=not self.token)
        if answer.status != 401:
            return answer
        self.token = self._token(answer)
        return self.client.get(address, limit=limit, accept=accept, token=self.token)

    def _token(self, answer: Answer) -> str:
        """A token for nobody in particular. Its server is the registry itself, or one that the policy allows."""
        kind, _, rest = answer.headers.get("WWW-Authenticate", "").partition(" ")
        asked = dict(CHALLENGE.findall(rest))
        if kind.lower() != "bearer" or "realm" not in asked:
            raise NotFetchedError(
                f"{answer.address.shown} asks for credentials, and none are ever sent",
                "vendor the dependency, or fetch from a registry that is open",
            )
        query = "&".join(f"{key}={quote(asked[key], safe='')}" for key in ("service", "scope") if key in asked)
        try:
            realm = parse(asked["realm"])
            address = parse(f"{realm}{'&' if realm.query else '?'}{query}")
        except NoAddressError as error:
            raise NotFetchedError(f"the registry wants a token of an address that is refused: {error}", PUSH) from error
        value = _object(self.client.get(address, limit=TOKEN_BYTES, also=self.base).body)
        token = value.get("token") or value.get("access_token")
        if not isinstance(token, str) or not TOKEN.fullmatch(token):
            raise NotFetchedError(f"{address.shown} gives no token", "vendor the dependency, or run it again")
        return token


def _layer(body: bytes, manifest: Address) -> tuple[str, int]:
    """Digest, in hexadecimal, and size of the one layer that is a chart."""
    value = _object(body)
    listed = value.get("layers")
    layers = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    charts = [each for each in layers if each.get("mediaType") == LAYER]
    if len(charts) != 1:
        raise NotFetchedError(f"{manifest.shown} holds {len(charts)} layers that are a chart, instead of one", PUSH)
    digest, size = charts[0].get("digest"), charts[0].get("size")
    found = DIGEST.fullmatch(digest) if isinstance(digest, str) else None
    if not found or not isinstance(size, int) or size < 0:
        raise NotFetchedError(f"{manifest.shown} states no SHA-256 and size of its chart", PUSH)
    return found[1], size


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
