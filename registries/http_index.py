"""Chart repositories as Helm has them: ``index.yaml`` says where an archive lies and which digest it has.

The index is read as a stream of events, and only what was asked for is kept: size, depth and time are bounded, aliases
are refused. An entry without a SHA-256 is refused, too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from model.chart import PinnedChart
from registries.addresses import Address, NoAddressError, parse
from registries.client import Client
from registries.refusal import NotFetchedError

INDEX: Final = "index.yaml"
INDEX_BYTES: Final = 50_000_000
ARCHIVE_BYTES: Final = 20_000_000
DEPTH: Final = 100
EVENTS: Final = 10_000_000
DIGEST: Final = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
ASK: Final = "ask who runs the repository for a proper index ('helm repo index'), or vendor the dependency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One version of a chart in an index."""

    version: str
    digest: str
    """As written; empty where there is none."""
    url: str
    """The first of ``urls``, which is the one that Helm takes; absolute or relative."""


def fetch_index(
    repository: str, names: Collection[str], client: Client
) -> tuple[Address, dict[str, tuple[Entry, ...]]]:
    """The address of the repository, and what its index says about the charts of these names.

    Raises NotFetchedError.
    """
    try:
        base = parse(repository)
        if base.query:
            raise NoAddressError("it has a query")  # noqa: TRY301 the same refusal as for the others
        address = base.below(INDEX)
    except NoAddressError as error:
        raise NotFetchedError(f"the repository's address is refused: {error}", "correct it, and lock again") from error
    answer = client.get(address, limit=INDEX_BYTES)
    try:
        return base.below(""), read_index(answer.body, names)
    except (IndexRefusedError, yaml.YAMLError, ValueError) as error:
        reason = str(error) if isinstance(error, IndexRefusedError) else "it is no YAML"
        raise NotFetchedError(f"{address.shown}: {reason}", ASK) from error


def find(chart: PinnedChart, entries: Collection[Entry]) -> tuple[str, str]:
    """Where the archive lies, and its SHA-256 in hexadecimal. Raises NotFetchedError."""
    same = [entry for entry in entries if entry.version.removeprefix("v") == chart.version.removeprefix("v")]
    exact = [entry for entry in same if entry.version == chart.version]
    for entry in (*exact, *same):
        digest = DIGEST.fullmatch(entry.digest)
        if not digest:
            raise NotFetchedError(f"the index states no SHA-256 for {chart.label}: it could be anything", ASK)
        if not entry.url:
            raise NotFetchedError(f"the index says of {chart.label} not where it lies", ASK)
        return entry.url, digest[1].lower()
    reason = (
        f"the index holds {chart.name}, but not this version" if entries else "the index holds no chart of this name"
    )
    raise NotFetchedError(reason, "run 'helm dependency update' and commit the lock")


def require_digest(data: bytes, digest: str, what: str) -> None:
    """Raise NotFetchedError unless ``data`` has this SHA-256 (in hexadecimal)."""
    if hashlib.sha256(data).hexdigest() != digest:
        raise NotFetchedError(
            f"{what} has another digest than stated: it was damaged on the way, or replaced",
            "run it again; if it stays so, do not use this version, and ask who runs the repository",
        )


# ---------------------------------------------------------------- the index


class IndexRefusedError(Exception):
    """The index breaks a bound, or is none."""


def read_index(data: bytes, names: Collection[str]) -> dict[str, tuple[Entry, ...]]:
    """What the index says about the charts of these names. Raises IndexRefusedError, yaml.YAMLError and ValueError."""
    reader = _Reader(data)
    found: dict[str, tuple[Entry, ...]] = {}
    for key in reader.keys(reader.open()):
        if key != "entries":
            reader.skip()
            continue
        for name in reader.keys(reader.next()):
            if name in names:
                found[name] = (*found.get(name, ()), *_entries(reader))
            else:
                reader.skip()
    return found


def _entries(reader: _Reader) -> Iterator[Entry]:
    for event in reader.items(reader.next()):
        fields = {"version": "", "digest": "", "urls": ""}
        for key in reader.keys(event):
            if key in fields:
                fields[key] = next(iter(reader.scalars(reader.next())), "")
            else:
                reader.skip()
        yield Entry(version=fields["version"], digest=fields["digest"], url=fields["urls"])


class _Reader:
    """libyaml's events, with what nobody asked for passed over."""

    def __init__(self, data: bytes) -> None:
        self._parser = CParser(data)
        self._left = EVENTS

    def next(self) -> Any:  # noqa: ANN401 PyYAML's events carry no types
        """The next event that is no alias."""
        self._left -= 1
        if self._left < 0:
            raise IndexRefusedError(f"it holds more than {EVENTS:,} values")
        event = self._parser.get_event()
        if isinstance(event, AliasEvent):
            raise IndexRefusedError("it holds YAML aliases, which no index needs")
        return event

    def open(self) -> Any:  # noqa: ANN401
        """The first event of the first document."""
        self.next()
        event = self.next()
        return event if isinstance(event, StreamEndEvent) else self.next()

    def skip(self) -> None:
        """Pass over one value."""
        self.skip_rest(self.next())

    def skip_rest(self, event: Any) -> None:  # noqa: ANN401
        """Pass over the value that begins with ``event``."""
        depth = int(isinstance(event, CollectionStartEvent))
        while depth:
            event = self.next()
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if depth > DEPTH:
                raise IndexRefusedError(f"it is nested deeper than {DEPTH} levels")

    def keys(self, event: Any) -> Iterator[str]:  # noqa: ANN401
        """The keys of a mapping; whoever takes one takes its value, too. Of what is no mapping, none."""
        if not isinstance(event, MappingStartEvent):
            self.skip_rest(event)
            return
        while not isinstance(event := self.next(), MappingEndEvent):
            if isinstance(event, ScalarEvent):
                yield event.value
            else:
                self.skip_rest(event)
                self.skip()

    def items(self, event: Any) -> Iterator[Any]:  # noqa: ANN401
        """The first events of a list's items; whoever takes one takes all of it. Of what is no list, none."""
        if not isinstance(event, SequenceStartEvent):
            self.skip_rest(event)
            return
        while not isinstance(event := self.next(), SequenceEndEvent):
            yield event

    def scalars(self, event: Any) -> list[str]:  # noqa: ANN401
        """A scalar, or those of a list."""
        if isinstance(event, ScalarEvent):
            return [event.value]
        found = []
        for item in self.items(event):
            if isinstance(item, ScalarEvent):
                found.append(item.value)
            else:
                self.skip_rest(item)
        return found
