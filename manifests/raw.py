"""Raw manifest files to resources; of each file it says what was expected there and could not be read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from manifests.discovery import ManifestFile, Top
from manifests.failures import failure
from manifests.files import FILES, NotReadError, Reader, TooLargeError, TooMuchError
from manifests.resources import NoObject, Object, Origin, Registry, objects
from manifests.text.compose import Budget
from manifests.text.parse import Remark, parse
from model.resource import Failure, Note, Resource, Stage

KEYS: Final = tuple(
    re.compile(rb"""(?:^|[{,]\s*|\xef\xbb\xbf)["']?%s["']?\s*:""" % key, re.MULTILINE)
    for key in (b"apiVersion", b"kind")
)
DISGUISE: Final = re.compile(rb"\\[xuU\r\n]|!|^%|\x00", re.MULTILINE)
"""Ways to write a key of YAML without its letters."""
LARGE: Final = 250_000
"""Bytes from which on a file that cannot hold a manifest is not parsed."""
CORRECT: Final = "correct the file (kubectl refuses it too), or exclude it in the configuration"
PLACEHOLDER: Final = re.compile(rb"\{\{|\{%")
"""Of Go templates, Jinja and their like."""
RENDER: Final = "scan what it renders to, or exclude it in the configuration"
OBJECT: Final = "give it apiVersion and kind, or exclude the file in the configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a file holds, whatever it is called."""

    documents: tuple[tuple[Object | NoObject, ...], ...]
    broken: tuple[Remark, ...]
    odd: tuple[Remark, ...]


CONTENTS: Final[dict[bytes, Content]] = {}
"""By SHA-256, of this process: base and head are mostly the same. A file that says other things is another file."""


@dataclass(slots=True, kw_only=True)
class RawManifests:
    """What the files of one PATH hold."""

    resources: list[Resource] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    documents: int = 0
    """That hold resources."""

    def leave(self, missing: Failure, *, expected: bool) -> None:
        """Keep what could not be read: a Failure if it was meant to be a manifest, else a Note."""
        if expected:
            self.failures.append(missing)
        else:
            self.notes.append(Note(path=missing.path, line=missing.line, reason=missing.reason))


def is_expected(data: bytes) -> bool:
    """Whether a text has ``apiVersion`` and ``kind`` at its top level: somebody meant it to be a manifest."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:  # UTF-16: the letters that we look for have a zero byte each
        data = data[2:].replace(b"\0", b"")
    return all(key.search(data) for key in KEYS)


def read_manifests(files: Iterable[ManifestFile], source: str, top: Top, reader: RawReader) -> RawManifests:
    """The resources of all ``files``, the Failures and Notes beside them."""
    found = RawManifests()
    for file in files:
        try:
            reader.read(file, source, found)
        except TooMuchError as error:
            found.leave(failure(Stage.PARSE, top.reported, error, (top.path,), source=source), expected=True)
            break
    return found


class RawReader:
    """Reads the files of all PATHs of one run, within the bounds of one run."""

    def __init__(self, registry: Registry, reader: Reader) -> None:
        self._registry = registry
        self._reader = reader
        self._budget = Budget()

    def read(self, file: ManifestFile, source: str, found: RawManifests) -> None:
        """Add what one file holds. Raises TooMuchError."""
        try:
            data = self._reader.read(file.path)
        except TooMuchError:
            raise
        except NotReadError as error:
            is_other = isinstance(error, TooLargeError) and not (error.may_be_more or is_expected(error.data))
            found.leave(_failure(file, source, None, error), expected=file.is_named or not is_other)
            return
        if file.is_doubtful and not is_expected(data):
            return
        if file.is_named or len(data) < LARGE or DISGUISE.search(data) or (b"apiVersion" in data and b"kind" in data):
            self._parse(file, data, Origin(source=source, path=file.reported), found)

    def _parse(self, file: ManifestFile, data: bytes, origin: Origin, found: RawManifests) -> None:
        meant = file.is_named or is_expected(data)
        expected = meant and not file.is_data
        content = self._content(data)
        is_template = PLACEHOLDER.search(data) is not None
        for remark in content.broken if expected else content.broken[:1]:
            error = (
                NotReadError(f"{remark.reason}; it seems to be a template", RENDER)
                if is_template
                else NotReadError(remark.reason, CORRECT)
            )
            found.leave(_failure(file, origin.source, remark.line, error), expected=expected)
        before = len(found.resources)
        for document in content.documents:
            held = len(found.resources)
            for each in self._registry.placed(document, origin):
                if isinstance(each, Resource):
                    found.resources.append(each)
                elif each.half or meant:
                    error = NotReadError(each.reason, OBJECT)
                    found.leave(_failure(file, origin.source, each.line, error), expected=expected)
            found.documents += len(found.resources) > held
        if len(found.resources) > before:
            found.notes += [Note(path=file.reported, line=odd.line, reason=odd.reason) for odd in content.odd]

    def _content(self, data: bytes) -> Content:
        """What a file holds; one whose bytes have been read before, on whichever side, is not parsed again."""
        key = hashlib.sha256(data).digest()
        content = CONTENTS.get(key)
        if content is None:
            left = self._budget.left
            parsed = parse(data, self._budget)
            documents = tuple(tuple(objects(document)) for document in parsed.documents)
            content = Content(documents=documents, broken=tuple(parsed.broken), odd=tuple(parsed.odd))
            if self._budget.left == left and len(CONTENTS) < FILES:  # aliases count each time that they are read
                CONTENTS[key] = content
        return content


def _failure(file: ManifestFile, source: str, line: int | None, error: NotReadError) -> Failure:
    return failure(Stage.PARSE, file.reported, error, (file.path,), line=line, source=source)
