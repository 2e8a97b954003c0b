"""From a pinned chart to the bytes of its archive, by whichever kind of registry its repository is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from model.chart import PinnedChart
from registries import http_index, oci
from registries.addresses import Address, NoAddressError
from registries.client import Client
from registries.http_index import Entry
from registries.refusal import NotFetchedError

CORRECT: Final = "correct the index, or vendor the dependency"


class Fetcher:
    """Fetches the charts of one run; each index is asked for once, and what it refused is remembered."""

    def __init__(self, client: Client, charts: Collection[PinnedChart]) -> None:
        self._client = client
        self._names = {chart.name for chart in charts}
        self._indexes: dict[str, tuple[Address, dict[str, tuple[Entry, ...]]] | NotFetchedError] = {}

    def fetch(self, chart: PinnedChart) -> bytes:
        """The archive, its digest checked. Raises NotFetchedError."""
        if chart.repository.startswith(oci.SCHEME):
            return oci.fetch(chart, self._client)
        base, index = self._index(chart.repository)
        url, digest = http_index.find(chart, index.get(chart.name, ()))
        data = self._archive(base, url)
        http_index.require_digest(data, digest, f"the archive of {chart.label}")
        return data

    def _archive(self, base: Address, url: str) -> bytes:
        """An index may also name an OCI reference."""
        if url.startswith(oci.SCHEME):
            repository, _, tag = url.rpartition(":")
            return oci.fetch_reference(repository, tag, self._client)
        try:
            address = base.join(url)
        except NoAddressError as error:
            raise NotFetchedError(f"the index names an address that is refused: {error}", CORRECT) from error
        return self._client.get(address, limit=http_index.ARCHIVE_BYTES).body

    def _index(self, repository: str) -> tuple[Address, dict[str, tuple[Entry, ...]]]:
        if repository not in self._indexes:
            try:
                self._indexes[repository] = http_index.fetch_index(repository, self._names, self._client)
            except NotFetchedError as error:
                self._indexes[repository] = error
        found = self._indexes[repository]
        if isinstance(found, NotFetchedError):
            raise found
        return found
