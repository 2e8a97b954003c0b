"""Templates of our copy with marks: each line that they print then says where it was written.

A mark is a YAML comment at the end of a line, so that Helm reads the same objects. Lines that are no YAML of their own
(names, conditions, checksums) must not change: a definition keeps its text, and has a marked twin that only calls use
which print whole lines. What cannot be marked safely stays without a mark. It does not trust its own marks: see
``provenance``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Final

from manifests.helm.actions import OPENERS, Action, Malformed, Sort, Word, commands
from manifests.helm.constants import Edit, edited

OPEN_MARK: Final = "\ue000"
CLOSE_MARK: Final = "\ue001"
"""Private-use characters, which every YAML parser takes."""
HOLE: Final = "\0"
"""Stands for an action in the text of a line."""
FOLDED: Final = 80
"""Columns: ``toYaml`` may go on on the next line behind longer texts, and a comment there would end them."""
CROWDED: Final = 50
"""Actions on one line; a line with more is not marked."""
LONGEST: Final = 2_000
"""Characters of a line that are looked at."""
CONTROLS: Final = frozenset({"if", "with", "range", "else", "end", "define", "block", "break", "continue"})
TEXTS: Final = frozenset({"include", "indent", "nindent", "tpl", "toJson", "toYaml", "toYamlPretty", "trim"})
"""Functions that answer with whole lines of text."""
SHIFTS: Final = frozenset({"indent", "nindent", "trim"})
"""What may follow an ``include`` whose lines are printed as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A line of a template that prints something."""

    file: int
    """Index of the template."""
    line: int
    """1-based."""
    text: str
    """As written, with a HOLE for each action."""
    prints_lines: bool
    """An action on it prints several lines: they are not written here."""


class Role(StrEnum):
    """What an action does to the lines around it."""

    PRINTS = auto()
    OPENS = auto()
    CLOSES = auto()
    SILENT = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """An action, or a whole definition, which prints nothing where it stands."""

    start: int
    end: int
    trims_after: bool
    role: Role
    action: Action | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template:
    """A template and where its lines begin."""

    file: int
    text: str
    starts: tuple[int, ...]

    def line(self, position: int) -> int:
        """1-based."""
        return bisect_right(self.starts, position)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line of text with its actions; where one goes over several lines, all of them."""

    start: int
    end: int
    spans: tuple[_Span, ...]


class Marker:
    """Marks the templates of one chart. ``token`` is secret and new for each run: no template can print a mark."""

    def __init__(self, token: str, defined: frozenset[str]) -> None:
        self._token = token
        self._defined = defined
        self.sites: list[Site] = []

    @property
    def definitions(self) -> str:
        """A template that defines what the marked ones include."""
        short = rf"[^-\s]|(?:[^-\n]|-[^-\n]|--[^-\n]).{{0,{FOLDED - 3}}}\S|.*{CLOSE_MARK}"
        lines = rf"regexReplaceAll `(?m)^({short})[ \t]*$` (last .) (printf `${{1}}{self._mark('%s')}` (first .))"
        plain = f"regexReplaceAll `{self._mark('[0-9]+')}` . ``"
        return "".join(
            f'{{{{- define "{self._token}.{name}" -}}}}{{{{ {body} }}}}{{{{- end -}}}}\n'
            for name, body in (("lines", lines), ("plain", plain))
        )

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds the marks in what is printed."""
        return re.compile(self._mark("([0-9]+)"))

    def template(self, file: int, text: str, found: Sequence[Action]) -> str:
        """The marked template, from its text and its actions. Raises Malformed."""
        bodies = list(definitions(found))
        template = _Template(file=file, text=text, starts=(0, *(m.end() for m in re.finditer("\n", text))))
        inside = [(body.first.start, body.last.end) for body in bodies]
        top = [*_spans(found, inside), *(_Span(start=s, end=e, trims_after=False, role=Role.SILENT) for s, e in inside)]
        edits = [edit for action in found for edit in self._plain_includes(text, action)]
        marked = [*edits, *self._marks(template, (0, len(text)), sorted(top, key=lambda span: span.start))]
        twins = [self._twin(template, body) for body in bodies]
        return edited(text, marked) + "".join(twins)

    def _mark(self, identity: str) -> str:
        return f" #{OPEN_MARK}{self._token}.{identity}{CLOSE_MARK}"

    def _site(self, template: _Template, line: _Line, *, prints_lines: bool) -> str:
        """The number of a new site."""
        text = HOLE.join(_literals(template.text, line))[:LONGEST]
        number = template.line(line.start)
        self.sites.append(Site(file=template.file, line=number, text=text, prints_lines=prints_lines))
        return str(len(self.sites) - 1)

    # ------------------------------------------------------------ definitions

    def _twin(self, template: _Template, body: Definition) -> str:
        """The definition once more, marked, under a name of ours."""
        start, end = body.first.end, body.last.start
        inner = [edit for action in body.actions for edit in self._plain_includes(template.text, action)]
        inner += self._marks(template, (start, end), list(_spans(body.actions, ())))
        marked = edited(template.text[start:end], [(a - start, b - start, new) for a, b, new in inner])
        opening = f'{{{{define "{self._twin_name(body.name)}"{" -" * body.first.trims_after}}}}}'
        return f"{opening}{marked}{{{{{'- ' * body.last.trims_before}end}}}}"

    def _twin_name(self, name: str) -> str:
        return f"{name}~{self._token}"

    def _plain_includes(self, text: str, action: Action) -> Iterator[Edit]:
        """Whole templates have no twin: where one is included, its marks are taken out."""
        if "include" not in text[action.start : action.end]:
            return
        for command in commands(action):
            if command.name == "include" and len(command.words) > 1:
                name = _constant(command.words[1])
                if name is None or "/" in name:
                    yield command.end, command.end, f' | include "{self._token}.plain"'

    # ------------------------------------------------------------ lines

    def _marks(self, template: _Template, part: tuple[int, int], spans: Sequence[_Span]) -> Iterator[Edit]:
        text = template.text
        for line in _lines(text, part, spans):
            if len(line.spans) > CROWDED:
                continue
            written = "".join(_literals(text, line))
            if not line.spans and (not written.strip() or written.lstrip().startswith(("---", "#"))):
                continue
            block = self._block(text, line)
            if written.strip():
                places = sorted(set(_places(text, line, block)))
                if places:
                    mark = self._mark(self._site(template, line, prints_lines=False))
                    yield from ((place, place, mark) for place in places)
            if block and block.action:
                yield from self._wrapped(block.action, self._site(template, line, prints_lines=True))

    def _block(self, text: str, line: _Line) -> _Span | None:
        """The action that prints whole lines: the only one that prints, on a line of its own or behind a key."""
        printing = [span for span in line.spans if span.role is Role.PRINTS]
        if len(printing) != 1 or printing[0].action is None:
            return None
        span, action = printing[0], printing[0].action
        if _written_after(text, line, span.start):
            return None
        before = _Line(start=line.start, end=span.start, spans=tuple(s for s in line.spans if s.end <= span.start))
        last = _last(action)
        if "".join(_literals(text, before)).strip():
            return span if last == "nindent" else None
        return span if last in TEXTS or (action.keyword == "template" and len(action.words) > 1) else None

    def _wrapped(self, action: Action, identity: str) -> Iterator[Edit]:
        """The action through the helper that marks each line; what it includes by the marked twin."""
        end = action.words[-1].end
        helper = f' | tuple "{identity}" | include "{self._token}.lines"'
        if action.keyword == "template":
            keyword, name, *rest = action.words
            yield keyword.start, keyword.end, "include"
            yield from self._by_twin(name)
            if not rest:
                yield end, end, f" nil{helper}"
            else:
                yield rest[0].start, rest[0].start, "("
                yield end, end, f"){helper}"
            return
        first, *others = [command for command in commands(action) if command.depth == 0]
        if first.name == "include" and len(first.words) > 1 and all(other.name in SHIFTS for other in others):
            yield from self._by_twin(first.words[1])
        yield end, end, helper

    def _by_twin(self, name: Word) -> Iterator[Edit]:
        known = _constant(name)
        if known in self._defined:
            yield name.start, name.end, f'"{self._twin_name(known)}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A definition in a template."""

    name: str
    first: Action
    last: Action
    actions: tuple[Action, ...]
    """Those between its first and its last one."""


def definitions(found: Sequence[Action]) -> Iterator[Definition]:
    """The definitions of a template. Raises Malformed where a block has no end."""
    depth, first, begin = 0, None, 0
    for number, action in enumerate(found):
        if action.keyword in OPENERS:
            if action.keyword == "define" and depth == 0:
                first, begin = action, number + 1
            depth += 1
        elif action.keyword == "end":
            depth -= 1
            if depth == 0 and first is not None:
                name = _constant(first.words[1]) if len(first.words) > 1 else None
                if name is not None:
                    yield Definition(name=name, first=first, last=action, actions=tuple(found[begin:number]))
                first = None
    if depth:
        raise Malformed("a block has no end, or an end no block")


def _constant(word: Word) -> str | None:
    """The text of a string literal without escapes."""
    if word.sort is Sort.RAW or (word.sort is Sort.STRING and "\\" not in word.text):
        return word.text[1:-1]
    return None


def _spans(found: Sequence[Action], inside: Sequence[tuple[int, int]]) -> Iterator[_Span]:
    """The actions that stand outside of ``inside``."""
    ranges = iter(inside)
    current = next(ranges, None)
    for action in found:
        while current and action.start >= current[1]:
            current = next(ranges, None)
        if not (current and action.start >= current[0]):
            role = _role(action)
            yield _Span(start=action.start, end=action.end, trims_after=action.trims_after, role=role, action=action)


def _role(action: Action) -> Role:
    if action.keyword in OPENERS:
        return Role.OPENS
    if action.keyword == "end":
        return Role.CLOSES
    if action.is_comment or action.keyword in CONTROLS:
        return Role.SILENT
    if any(word.sort is Sort.ASSIGN for word in action.words):
        return Role.SILENT
    return Role.PRINTS


def _lines(text: str, part: tuple[int, int], spans: Sequence[_Span]) -> Iterator[_Line]:
    """The lines of a part of the text; a line feed inside of an action does not end one."""
    start, limit = part
    position, held = start, 0
    for number, span in enumerate((*spans, None)):
        until = span.start if span else limit
        while (feed := text.find("\n", position, until)) >= 0:
            yield _Line(start=start, end=feed, spans=tuple(spans[held:number]))
            start, position, held = feed + 1, feed + 1, number
        position = span.end if span else limit
    if start < limit:
        yield _Line(start=start, end=limit, spans=tuple(spans[held:]))


def _literals(text: str, line: _Line) -> Iterator[str]:
    """What stands between the actions."""
    position = line.start
    for span in line.spans:
        yield text[position : span.start]
        position = span.end
    yield text[position : line.end]


def _places(text: str, line: _Line, block: _Span | None) -> Iterator[int]:
    """Where the mark of a line of text may stand."""
    if block:
        starts = [span.start for span in line.spans]
        yield next(start for start in starts if not _written_after(text, line, start))
        return
    opener = _unclosed(line)
    if opener and text[line.start : opener.start].strip():
        yield opener.start
        if not text[opener.end : line.end].strip():
            return
    if not line.spans or text[line.spans[-1].end : line.end].strip() or not line.spans[-1].trims_after:
        yield _end(text, line)
    elif line.spans[-1].role is not Role.PRINTS and not opener:
        yield line.spans[-1].start


def _last(action: Action) -> str:
    """The function whose value the action prints, empty where there is none."""
    found = [command for command in commands(action) if command.depth == 0]
    return found[-1].name if found else ""


def _written_after(text: str, line: _Line, start: int) -> bool:
    rest = _Line(start=start, end=line.end, spans=tuple(span for span in line.spans if span.start >= start))
    return bool("".join(_literals(text, rest)).strip())


def _end(text: str, line: _Line) -> int:
    return line.end - 1 if text[line.start : line.end].endswith("\r") else line.end


def _unclosed(line: _Line) -> _Span | None:
    """The first action whose block goes on on the next line."""
    stack: list[_Span] = []
    for span in line.spans:
        if span.role is Role.OPENS:
            stack.append(span)
        elif span.role is Role.CLOSES and stack:
            stack.pop()
    return stack[0] if stack else None
