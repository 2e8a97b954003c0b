"""The one parser of files: YAML and JSON, any number of documents; what cannot be read is told beside what can.

It never guesses whether that was a manifest: who asked for the file knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import yaml
from yaml._yaml import CParser
from yaml.events import DocumentStartEvent

from manifests.text import ordinary_json, plain
from manifests.text.chunks import Chunk, Position, Undecodable, chunks, decode
from manifests.text.compose import Budget, Composer, Document, Refused
from manifests.text.scalars import PREFIX, Unreadable

DOCUMENTS: Final = 20_000
"""Of one file."""
REMARKS: Final = 100
"""Of one file, of each sort: who breaks more is told so once."""
UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something about one line of a file."""

    line: int | None
    reason: str


@dataclass(slots=True, kw_only=True)
class Parsed:
    """What a text holds."""

    documents: list[Document] = field(default_factory=list)
    broken: list[Remark] = field(default_factory=list)
    """Parts that could not be read."""
    odd: list[Remark] = field(default_factory=list)
    """What was read and is worth a look."""


class _Start:
    """The mark of a chunk's first character."""

    index = line = column = 0


START: Final = _Start()


def parse(data: bytes, budget: Budget | None = None) -> Parsed:
    """All documents of a file; ``budget`` is shared by the files of one run."""
    budget = budget or Budget()
    parsed = Parsed()
    try:
        text = decode(data)
    except Undecodable as error:
        parsed.broken.append(Remark(line=error.line, reason=str(error)))
        return parsed
    for chunk in chunks(text):
        if reason := _too_much(parsed):
            parsed.broken.append(Remark(line=chunk.place(START)[0], reason=reason))
            break
        read(chunk, parsed, budget)
    return parsed


def _too_much(parsed: Parsed) -> str | None:
    if len(parsed.documents) >= DOCUMENTS:
        return f"the file holds more than {DOCUMENTS:,} documents; the rest was not read"
    if len(parsed.broken) >= REMARKS:
        return f"more than {REMARKS} parts of the file could not be read; the rest was not tried"
    return None


def read(chunk: Chunk, parsed: Parsed, budget: Budget) -> None:
    """Add the documents of ``chunk`` to ``parsed``, up to the first that cannot be read."""
    if (ordinary := _at_a_glance(chunk)) is not None:
        parsed.documents += ordinary
        return

    def note_tag(mark: Position, tag: str) -> None:
        if len(parsed.odd) >= REMARKS:
            return
        # A tag of nobody's namespace may be a password that somebody forgot to quote.
        name = f"the tag !!{tag.removeprefix(PREFIX)[:80]}" if tag.startswith(PREFIX) else "a tag of your own"
        parsed.odd.append(Remark(line=chunk.place(mark)[0], reason=f"{name} says nothing to Kubernetes"))

    try:
        events = CParser(chunk.text)
        while (event := events.get_event()) is not None:
            if type(event) is DocumentStartEvent:
                parsed.documents.append(Composer(chunk.place, note_tag, budget).document(events.get_event))
    except Refused as refusal:
        parsed.broken.append(Remark(line=chunk.place(refusal.mark)[0], reason=str(refusal)))
    except yaml.MarkedYAMLError as error:
        line, _ = chunk.place(error.problem_mark or START)
        parsed.broken.append(Remark(line=line, reason=f"not valid YAML: {error.problem}"))
    except yaml.reader.ReaderError:
        parsed.broken.append(_unprintable(chunk))


def _at_a_glance(chunk: Chunk) -> list[Document] | None:
    """The documents of an ordinary text; None for one that has to be looked at closely."""
    if chunk.line is None:
        return None
    if (document := ordinary_json.document(chunk.text, chunk.line)) is not None:
        return [document]
    try:
        return plain.documents(CParser(chunk.text).get_event, chunk.line)
    except (plain.NotOrdinary, Unreadable, yaml.YAMLError):
        return None


def _unprintable(chunk: Chunk) -> Remark:
    match = UNPRINTABLE.search(chunk.text)
    assert match, "libyaml refuses these characters only"
    line = chunk.place(START)[0] + chunk.text.count("\n", 0, match.start())
    return Remark(line=line, reason=f"the character U+{ord(match[0]):04X} is not allowed in YAML")
