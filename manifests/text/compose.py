"""Events of one document to its value, with the bounds that keep a small text from becoming a big one.

A stack of its own instead of recursion; aliases share their value, are counted as if they did not, and never contain
themselves. Merge keys count in the order of the text, as Kubernetes reads them: what is written later wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from manifests.text import scalars
from manifests.text.chunks import Place, Position
from manifests.text.scalars import Unreadable
from model.values import FieldPath, Json, Mark, Marks

DEPTH: Final = 200
ALIASES: Final = 10_000
NODES: Final = 500_000
"""Of one document, with its aliases expanded; 64 characters of text weigh as much as a value."""
ALIASED: Final = 2_000_000
"""Of all documents of one run together, by aliases alone."""

KNOWN_TAGS = frozenset({None, "!", f"{scalars.PREFIX}map", f"{scalars.PREFIX}seq", *scalars.KNOWN_TAGS})
MERGE_KEY = "<<"
TOO_DEEP = f"the document is nested deeper than {DEPTH} levels"
TOO_BIG = f"the document holds more than {NODES:,} values once its aliases are expanded"
NO_MERGE = "a merge key '<<' takes a mapping or a list of mappings"
NO_ANCHOR = "an alias names no anchor; quote a text that begins with '*'"
"""Without the name: it may be a password that somebody forgot to quote."""
NO_KEY = "a key that is a mapping or a list is no key in JSON"

Children = dict[str | int, Mark] | Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a file."""

    value: Json
    marks: Mark
    duplicate_keys: tuple[FieldPath, ...] = ()


class Event(Protocol):
    """What we use of libyaml's events; ``value`` and ``implicit`` of scalars only."""

    start_mark: Position
    anchor: str | None
    tag: str | None
    value: str
    implicit: tuple[bool, bool]


class Refused(ValueError):  # noqa: N818 - names what happens to the document
    """The document breaks a bound, or Kubernetes cannot read it; ``mark`` says where."""

    def __init__(self, mark: Position, reason: str) -> None:
        super().__init__(reason)
        self.mark = mark


class _Anchor:
    """What an alias stands for. Incomplete until its value has ended: an alias inside it would never end.

    ``nodes`` counts those of the document before it, and once it is complete its own.
    """

    __slots__ = ("children", "complete", "height", "nodes", "value")

    def __init__(self, nodes: int) -> None:
        self.complete = False
        self.nodes = nodes
        self.height = 0
        self.value: Json = None
        self.children: Children | None = None

    def fill(self, value: Json, children: Children | None, height: int, nodes: int) -> None:
        self.value, self.children, self.height, self.nodes = value, children, height, nodes
        self.complete = True


class _List:
    """A list that is being filled."""

    __slots__ = ("anchor", "children", "height", "place", "value")
    awaits_key = False
    merging = False

    def __init__(self, place: tuple[int, int], anchor: _Anchor | None) -> None:
        self.value: list[Json] = []
        self.children: dict[str | int, Mark] = {}
        self.place = place
        self.anchor = anchor
        self.height = 1

    @property
    def step(self) -> str | int:
        return len(self.value)

    def add(self, value: Json, children: Children | None, place: tuple[int, int]) -> Iterable[str]:
        self.children[len(self.value)] = Mark(*place, *place, children)
        self.value.append(value)
        return ()


class _Mapping:
    """A mapping that is being filled: keys and values in turn."""

    __slots__ = (
        "_key_place",
        "_merged",
        "anchor",
        "awaits_key",
        "children",
        "height",
        "merging",
        "place",
        "step",
        "value",
    )

    def __init__(self, place: tuple[int, int], anchor: _Anchor | None) -> None:
        self.value: dict[str, Json] = {}
        self.children: dict[str | int, Mark] = {}
        self.place = place
        self.anchor = anchor
        self.height = 1
        self.awaits_key = True
        self.step = ""
        self._key_place = place
        self.merging = False
        self._merged: set[str] = set()

    def await_value(self, key: str, place: tuple[int, int]) -> None:
        self.step, self._key_place = key, place
        self.awaits_key = False

    def await_merge(self) -> None:
        self.step, self.merging = MERGE_KEY, True
        self.awaits_key = False

    def add(self, value: Json, children: Children | None, place: tuple[int, int]) -> Iterable[str]:
        """Take the value of the last key, and say which keys have had another one."""
        self.awaits_key = True
        if self.merging:
            self.merging = False
            return self._merge(value, children)
        key = self.step
        seen = key in self.value and key not in self._merged
        self._merged.discard(key)
        self.value[key] = value
        self.children[key] = Mark(*self._key_place, *place, children)
        return (key,) if seen else ()

    def _merge(self, value: Json, children: Children | None) -> Iterable[str]:
        """Of several mappings the first wins; over keys written before the merge they all win (goyaml.v2)."""
        if isinstance(value, list):
            parts = [(part, children[index].children if children else None) for index, part in enumerate(value)]
        else:
            parts = [(value, children)]
        written = self.value.keys() - self._merged
        for part, marks in reversed(parts):
            if not isinstance(part, dict):
                raise Unreadable(NO_MERGE)
            self.value.update(part)
            self.children.update(marks or {})
            self._merged.update(part)
        return sorted(written & self._merged)


class Budget:
    """What aliases may still add to all documents of one run (or of one chart) together."""

    def __init__(self, nodes: int = ALIASED) -> None:
        self.left = nodes


class Composer:
    """Builds one document."""

    def __init__(self, place: Place, note_tag: Callable[[Position, str], None], budget: Budget) -> None:
        self._budget = budget
        self._place = place
        self._note_tag = note_tag
        self._frame: _List | _Mapping = _List((1, 1), None)
        self._stack: list[_List | _Mapping] = [self._frame]
        self._anchors: dict[str, _Anchor] = {}
        self._nodes = self._aliases = 0
        self._duplicates: list[FieldPath] = []

    def document(self, next_event: Callable[[], Any]) -> Document:
        """The document whose start has just been read. Raises Refused."""
        handlers: Mapping[type, Callable[[Event], None]] = {
            ScalarEvent: self._scalar,
            AliasEvent: self._alias,
            MappingStartEvent: self._open_mapping,
            SequenceStartEvent: self._open_list,
            MappingEndEvent: self._close,
            SequenceEndEvent: self._close,
        }
        while (kind := type(event := next_event())) is not DocumentEndEvent:
            try:
                handlers[kind](event)
            except Unreadable as error:
                raise Refused(event.start_mark, str(error)) from error
        root = self._stack[0]
        assert isinstance(root, _List)
        return Document(value=root.value[0], marks=root.children[0], duplicate_keys=tuple(self._duplicates))

    def _scalar(self, event: Event) -> None:
        if self._frame.awaits_key:
            self._key(event)
            return
        text, tag = event.value, event.tag
        if tag is None:
            value = scalars.plain(text) if event.implicit[0] else text
        else:
            value = scalars.as_json(scalars.tagged(tag, text))
            self._look_at(tag, event.start_mark)
        self._nodes += len(text) >> 6
        if event.anchor is not None:
            self._anchor(event.anchor).fill(value, None, 0, 1 + (len(text) >> 6))
        self._attach(value, None, self._place(event.start_mark))

    def _key(self, event: Event) -> None:
        text, tag, frame = event.value, event.tag, self._frame
        assert isinstance(frame, _Mapping)
        is_plain = event.implicit[0]
        if text == MERGE_KEY and (is_plain or tag == scalars.MERGE):
            frame.await_merge()
            return
        key = text
        if tag is not None:
            key = scalars.key_of(scalars.tagged(tag, text))
        elif is_plain:
            key = scalars.key(text)
        if event.anchor is not None:
            self._anchor(event.anchor).fill(key, None, 0, 1 + (len(text) >> 6))
        self._nodes += len(text) >> 6
        frame.await_value(key, self._place(event.start_mark))

    def _alias(self, event: Event) -> None:
        anchor, frame = self._anchored(event.anchor or ""), self._frame
        place = self._place(event.start_mark)
        if isinstance(frame, _Mapping) and frame.awaits_key:
            if isinstance(anchor.value, (dict, list)):
                raise Unreadable(NO_KEY)
            frame.await_value(scalars.key_of(anchor.value), place)
            return
        if frame.merging and not isinstance(anchor.value, dict):
            raise Unreadable(NO_MERGE)
        frame.height = max(frame.height, anchor.height + 1)
        self._attach(anchor.value, anchor.children, place)

    def _anchored(self, name: str) -> _Anchor:
        anchor = self._anchors.get(name)
        if anchor is None:
            raise Unreadable(NO_ANCHOR)
        if not anchor.complete:
            raise Unreadable("an anchor contains itself")
        self._aliases += 1
        if self._aliases > ALIASES:
            raise Unreadable(f"the document holds more than {ALIASES:,} aliases")
        if len(self._stack) - 1 + anchor.height > DEPTH:
            raise Unreadable(TOO_DEEP)
        self._nodes += anchor.nodes - 1
        self._budget.left -= anchor.nodes
        if self._budget.left < 0:
            raise Unreadable(f"aliases add more than {ALIASED:,} values to the files of this run")
        return anchor

    def _anchor(self, name: str) -> _Anchor:
        self._anchors[name] = anchor = _Anchor(self._nodes)
        return anchor

    def _look_at(self, tag: str | None, mark: Position) -> None:
        if tag not in KNOWN_TAGS:
            self._note_tag(mark, tag or "")

    def _open_mapping(self, event: Event) -> None:
        self._open(event, _Mapping)

    def _open_list(self, event: Event) -> None:
        self._open(event, _List)

    def _open(self, event: Event, kind: type[_List | _Mapping]) -> None:
        if self._frame.awaits_key:
            raise Unreadable(NO_KEY)
        if len(self._stack) > DEPTH:
            raise Unreadable(TOO_DEEP)
        self._look_at(event.tag, event.start_mark)
        anchor = None if event.anchor is None else self._anchor(event.anchor)
        self._frame = kind(self._place(event.start_mark), anchor)
        self._stack.append(self._frame)

    def _close(self, _: Event) -> None:
        done = self._stack.pop()
        self._frame = frame = self._stack[-1]
        frame.height = max(frame.height, done.height + 1)
        self._attach(done.value, done.children, done.place)
        if done.anchor is not None:
            done.anchor.fill(done.value, done.children, done.height, self._nodes - done.anchor.nodes)

    def _attach(self, value: Json, children: Children | None, place: tuple[int, int]) -> None:
        self._nodes += 1
        if self._nodes > NODES:
            raise Unreadable(TOO_BIG)
        for key in self._frame.add(value, children, place):
            self._duplicates.append((*(frame.step for frame in self._stack[1:-1]), key))
