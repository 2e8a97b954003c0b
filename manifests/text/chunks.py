"""Bytes to text, and text to parts that stand for themselves, each with the way back to its lines.

Split as kubectl does, so that what is broken in one part leaves the others alone. It does not look inside a part.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol


class Position(Protocol):
    """A mark of libyaml: 0-based, in characters of the text that it was given."""

    index: int
    line: int
    column: int


Place = Callable[[Position], tuple[int, int]]
"""From a mark of libyaml to the 1-based line and column in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A part of a file that can be parsed on its own."""

    text: str
    place: Place
    line: int | None = None
    """Its first one, where libyaml counts lines as GitHub does; None where only ``place`` knows."""


class Undecodable(ValueError):  # noqa: N818 - names what the bytes are
    """The bytes are no text in the encoding that they claim; ``line`` says where."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def decode(data: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 where a byte order mark says so. Raises Undecodable."""
    encoding = "UTF-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "UTF-8"
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Undecodable(data.count(b"\n", 0, error.start) + 1, f"the file is not valid {encoding}") from error


SEPARATOR = re.compile(r"\n---(?=\s|\Z)")
"""In the first line it separates nothing. The line break first: a literal is searched ten times as fast as ``^``."""
ORDER_MARK = re.compile("^\ufeff", re.MULTILINE)
OPENING = re.compile(r"\s*\{")


def chunks(text: str) -> Iterator[Chunk]:
    """A stream of JSON values, else what lies between the lines that start with ``---``."""
    if "\ufeff" in text:
        text = ORDER_MARK.sub("", text)
    if OPENING.match(text) and (spans := _json_spans(text)):
        yield from _json_chunks(text, spans)
        return
    has_directives = text.startswith("%") or "\n%" in text
    starts = [0] if has_directives else [0, *(match.start() + 1 for match in SEPARATOR.finditer(text))]
    places = _Places(text) if _breaks_oddly(text) else None
    line = 1
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = text[start:end]
        if part and not part.isspace():
            yield (
                Chunk(text=part, place=places.behind(start))
                if places
                else Chunk(text=part, place=_behind_line(line), line=line)
            )
        line += part.count("\n")


def _breaks_oddly(text: str) -> bool:
    """Whether libyaml counts other line breaks than GitHub does."""
    return text.count("\r") != text.count("\r\n") or any(mark in text for mark in "\x85\u2028\u2029")


def _behind_line(first: int) -> Place:
    def place(mark: Position) -> tuple[int, int]:
        return mark.line + first, mark.column + 1

    return place


class _Places:
    r"""Lines and columns by index, for texts where libyaml counts other lines than ``\n``, or that were edited."""

    def __init__(self, text: str) -> None:
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def behind(self, start: int, edits: tuple[tuple[int, int], ...] = ()) -> Place:
        """Places in the part at ``start``; ``edits`` are (index from which on, characters that went away)."""
        since = [index for index, _ in edits]

        def place(mark: Position) -> tuple[int, int]:
            edit = bisect_right(since, mark.index)
            index = start + mark.index + (edits[edit - 1][1] if edit else 0)
            line = bisect_right(self._lines, index)
            return line, index - self._lines[line - 1] + 1

        return place


ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.|"
    "([\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff])"
)
"""Escapes, and characters that JSON allows inside a string and libyaml refuses or folds."""
BLANK = re.compile(r"[ \t\r\n]*")


def _json_spans(text: str) -> list[tuple[int, int]]:
    """Where each value of a stream of JSON stands; none when the text is no such stream."""
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)
    spans = []
    start = _skip_blank(text, 0)
    try:
        while start < len(text):
            _, end = decoder.raw_decode(text, start)
            spans.append((start, end))
            start = _skip_blank(text, end)
    except (ValueError, RecursionError):  # then it is YAML, whose bounds are the parser's
        return []
    return spans


def _skip_blank(text: str, start: int) -> int:
    match = BLANK.match(text, start)
    return match.end() if match else start


def _json_chunks(text: str, spans: list[tuple[int, int]]) -> Iterator[Chunk]:
    places = _Places(text)
    is_odd = _breaks_oddly(text)
    line, behind = 1, 0
    for start, end in spans:
        part, edits = _as_yaml(text[start:end])
        line += text.count("\n", behind, start)
        behind = start
        is_whole = not (is_odd or edits) and text[start - 1 : start] in {"", "\n"}
        yield Chunk(text=part, place=places.behind(start, edits), line=line if is_whole else None)


def _as_yaml(text: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """JSON in the form that libyaml reads, and how far each edit moved what follows."""
    edits: list[tuple[int, int]] = []
    gone = 0

    def rewrite(match: re.Match[str]) -> str:
        nonlocal gone
        new = _escape(match)
        if new != match[0]:
            gone += len(match[0]) - len(new)
            edits.append((match.end() - gone, gone))
        return new

    return ESCAPE.sub(rewrite, text), tuple(edits)


def _escape(match: re.Match[str]) -> str:
    high, low, raw = match.groups()
    if high:
        return f"\\U{0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00:08x}"
    if raw:
        return f"\\u{ord(raw):04x}"
    return match[0] if len(match[0]) == 2 else "\\ufffd"  # a lone surrogate, as encoding/json replaces it
