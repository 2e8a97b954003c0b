"""The quickest way to a document that is ordinary JSON: values at the speed of C, places only when somebody asks.

It takes only what libyaml reads alike, and gives up on everything else; ``manifests/text/parse.py`` then takes the long
way, whose answer is the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple, NoReturn

from manifests.text import scalars
from manifests.text.compose import DEPTH, Document
from manifests.text.plain import ORDINARY
from model.values import FieldPath, Json, Mark, Marks

START: Final = re.compile(r"(?:---\n)?(?=\{)")
ESCAPE: Final = re.compile(r'\\[^"\\bfnrt]')
"""Escapes that libyaml may read otherwise, and some harmless ones behind a backslash of their own."""
LATE_COLON: Final = re.compile(r"\n[ \t\r]*:")
LONGEST_LINE: Final = 1_000
"""Characters: behind a key, libyaml looks for the colon in the same line and not further than 1,024 away."""
PIECE: Final = re.compile(r'[ \t\r,]*(?:"([^"\\]*(?:\\.[^"\\]*)*)"([ \t]*:)?|([{\[])|([}\]])|([^\s,"{}\[\]]+))')
BLANKS: Final = " \t\r,"
"""What may stand before a piece. Behind the last one it would be searched from each of its characters."""
TEXT, KEY, OPENING, CLOSING = 1, 2, 3, 4
"""Groups of a piece; a number or a word is the fifth."""


class _Odd(Exception):  # noqa: N818 - names what the text is
    """A mapping with a key twice, or a number that is none in JSON."""


def document(text: str, line: int) -> Document | None:
    """The only document of a text whose first line is ``line``; None where that takes a closer look."""
    start = START.match(text)
    if start is None or not _is_ordinary(text):
        return None
    try:
        value, end = DECODER.raw_decode(text, start.end())
    except (ValueError, RecursionError, _Odd):
        return None
    if text[end:].strip(" \r\n") or _is_deep(text, value):
        return None
    line += text.count("\n", 0, start.end())
    marks = Mark(line, 1, line, 1, LaterMarks(line, text[start.end() : end]))
    return Document(value=value, marks=marks)


def _is_ordinary(text: str) -> bool:
    """Whether libyaml reads the text as a JSON parser does, if it is JSON at all."""
    return (
        text.isascii()
        and "\x7f" not in text
        and not ("\\" in text and ESCAPE.search(text))
        and not LATE_COLON.search(text)
        and (len(text) <= LONGEST_LINE or max(map(len, text.split("\n"))) <= LONGEST_LINE)
        and (len(text) <= ORDINARY or sum(map(text.count, ",{[\n")) <= ORDINARY)
    )


def _is_deep(text: str, value: Json) -> bool:
    """Whether a document breaks the bound that ``manifests/text/compose.py`` tells about."""
    if sum(map(text.count, "{[")) <= DEPTH:
        return False
    level = [value]
    for _ in range(DEPTH):
        inner = [list(each.values()) if isinstance(each, dict) else each for each in level]
        level = [each for values in inner if isinstance(values, list) for each in values if type(each) in {dict, list}]
    return bool(level)


def _mapping(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Odd
    return made


def _no_number(_: str) -> NoReturn:
    raise _Odd


NUMBER: Final = lru_cache(maxsize=4096)(scalars.plain)
DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_mapping, parse_int=NUMBER, parse_float=NUMBER, parse_constant=_no_number
)


class _Shape:
    """The marks inside documents whose lines are built alike, as if each began in line 0."""

    __slots__ = ("_known", "children")

    def __init__(self, children: dict[str | int, Mark] | Marks) -> None:
        self.children = children
        self._known: dict[FieldPath, tuple[Mark, int, _Shape | None]] = {}

    def at(self, path: FieldPath) -> tuple[Mark, int, _Shape | None]:
        """As ``Mark.at``, and what is inside."""
        found = self._known.get(path)
        if found is None:
            mark, depth = Mark(0, 1, 0, 1, self.children).at(path)
            found = self._known[path] = (mark, depth, _inside(mark))
        return found


def _inside(mark: Mark) -> _Shape | None:
    return None if mark.children is None else _Shape(mark.children)


class LaterMarks(Marks):
    """The marks inside a document, made when the first of them is asked for: of most objects none ever is."""

    __slots__ = ("_line", "_shape", "_text")

    def __init__(self, line: int, text: str, shape: _Shape | None = None) -> None:
        self._line = line
        """Where the document begins."""
        self._text = text
        self._shape = shape

    def _known(self) -> _Shape:
        if self._shape is None:
            self._shape = _shape(tuple(map(_row, self._text.split("\n"))))
            self._text = ""
        return self._shape

    def at(self, path: FieldPath) -> tuple[Mark, int] | None:
        """As ``Mark.at``; None where the first step leads nowhere."""
        mark, depth, inside = (self._shape or self._known()).at(path)
        return (self._placed(mark, inside), depth) if depth else None

    def place(self, path: FieldPath) -> tuple[int, int, int]:
        """As ``Mark.place``; three zeros where the first step leads nowhere."""
        mark, depth, _ = (self._shape or self._known()).at(path)
        return (mark.line + self._line, mark.column, depth) if depth else (0, 0, 0)

    def _placed(self, mark: Mark, inside: _Shape | None) -> Mark:
        line, column, value_line, value_column, _ = mark
        start = self._line
        children = None if inside is None else LaterMarks(start, "", inside)
        return Mark(line + start, column, value_line + start, value_column, children)

    def __getitem__(self, step: str | int) -> Mark:
        """Of a key or position."""
        mark = self._known().children[step]
        return self._placed(mark, _inside(mark))

    def __iter__(self) -> Iterator[str | int]:
        """Every key or position, in the order of the text."""
        return iter(self._known().children)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._known().children)


class _Row(NamedTuple):
    """What a line is built of, its values apart."""

    pieces: tuple[tuple[int, str, int], ...]
    """Group, text of a key, and column."""


@lru_cache(maxsize=1024)  # of base and head, and of the environments of one application, most are alike
def _shape(rows: tuple[_Row, ...]) -> _Shape:
    """Of the mapping that these lines are, which starts in the first column."""
    new = tuple.__new__  # twice as quick as the constructor
    stack: list[tuple[dict[str | int, Mark], str | None, int, int, int, int]] = []
    marks: dict[str | int, Mark] = {}
    key: str | None = None  # of the value that comes next; None in a list, and at the root
    key_line = key_column = 0
    for number, row in enumerate(rows):
        for group, text_of_key, column in row.pieces:
            if group == KEY:
                key, key_line, key_column = text_of_key, number, column
            elif group == OPENING:
                stack.append((marks, key, key_line, key_column, number, column))
                marks, key = {}, None
            else:
                value_line, value_column, children = number, column, None
                if group == CLOSING:
                    children = marks
                    marks, key, key_line, key_column, value_line, value_column = stack.pop()
                if key is None:
                    marks[len(marks)] = new(Mark, (value_line, value_column, value_line, value_column, children))
                else:
                    marks[key] = new(Mark, (key_line, key_column, value_line, value_column, children))
    return _Shape(marks[0].children or {})


@lru_cache(maxsize=8192)  # most lines of manifests stand in many of them
def _row(text: str) -> _Row:
    return _alike(tuple(map(_piece, PIECE.finditer(text.rstrip(BLANKS)))))


@lru_cache(maxsize=8192)
def _alike(pieces: tuple[tuple[int, str, int], ...]) -> _Row:
    return _Row(pieces)


def _piece(match: re.Match[str]) -> tuple[int, str, int]:
    group = match.lastindex or 0
    if group == KEY:  # the quote stands right before its text
        return KEY, _unescaped(match[TEXT]), match.start(TEXT)
    return group, "", match.start(TEXT) if group == TEXT else match.start(group) + 1


def _unescaped(text: str) -> str:
    return str(json.loads(f'"{text}"')) if "\\" in text else text
