"""The quick way to the documents of ordinary text: no anchors, tags, merge keys or double keys, no odd line breaks.

It gives up at the first thing that is not ordinary; ``manifests/text/compose.py`` then says what that means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from manifests.text import scalars
from manifests.text.compose import DEPTH, MERGE_KEY, NODES, Document
from model.values import Json, Mark

HINTED: Final = scalars.HINTED
ORDINARY: Final = NODES // 10
"""Values of one document; a larger one is counted carefully."""


class NotOrdinary(Exception):  # noqa: N818 - names what the text is
    """Something that takes more than a glance."""


def documents(next_event: Callable[[], Any], line: int) -> list[Document]:
    """All documents of a text whose first line is ``line``. Raises NotOrdinary, and what scalars and libyaml raise."""
    found = []
    while (kind := type(next_event())) is not StreamEndEvent:
        if kind is DocumentStartEvent:
            found.append(_document(next_event, line))
    return found


def _document(next_event: Callable[[], Any], line: int) -> Document:  # noqa: C901, PLR0912, PLR0915 the hot loop: calls cost more than lines
    new = tuple.__new__
    plain, plain_key, hinted = scalars.plain, scalars.key, HINTED
    stack: list[tuple[Any, ...]] = []
    value: Any = None  # of the collection that is being filled; None at the root
    marks: dict[str | int, Mark] = {}
    key: Any = None  # of the value that comes next; None where a key comes next
    key_line = key_column = 0
    is_mapping = False
    count = 0
    while True:
        event = next_event()
        kind = type(event)
        if kind is ScalarEvent:
            if event.tag is not None or event.anchor is not None:
                raise NotOrdinary
            text = event.value
            mark = event.start_mark
            if is_mapping and key is None:
                if event.implicit[0] and text[:1] in hinted:
                    text = plain_key(text)
                if text in value or text == MERGE_KEY:
                    raise NotOrdinary
                key, key_line, key_column = text, mark.line + line, mark.column + 1
                continue
            done: Json = plain(text) if event.implicit[0] and text[:1] in hinted else text
            value_line, value_column, children = mark.line + line, mark.column + 1, None
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if event.tag is not None or event.anchor is not None or len(stack) >= DEPTH or (is_mapping and key is None):
                raise NotOrdinary
            mark = event.start_mark
            stack.append((value, marks, key, key_line, key_column, is_mapping, mark.line + line, mark.column + 1))
            is_mapping = kind is MappingStartEvent
            value, marks, key = {} if is_mapping else [], {}, None
            continue
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            done, children = value, marks
            value, marks, key, key_line, key_column, is_mapping, value_line, value_column = stack.pop()
        elif kind is AliasEvent or kind is not DocumentEndEvent:
            raise NotOrdinary
        else:
            return Document(value=value, marks=marks[0])
        count += 1
        if value is None:
            value = done
            marks = {0: new(Mark, (value_line, value_column, value_line, value_column, children))}
        elif is_mapping:
            value[key] = done
            marks[key] = new(Mark, (key_line, key_column, value_line, value_column, children))
            key = None
        else:
            marks[len(value)] = new(Mark, (value_line, value_column, value_line, value_column, children))
            value.append(done)
        if count > ORDINARY:
            raise NotOrdinary
