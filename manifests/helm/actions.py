"""Go templates to their actions: where each stands in the text, its words, and the commands that these make up.

As text/template's own lexer has it, with the default delimiters. It runs nothing and knows no function's meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

OPEN: Final = "{{"
OPENING = re.compile(r"\{\{(-(?=[ \t\r\n]))?")
COMMENT = re.compile(r"[ \t\r\n]*/\*.*?\*/([ \t\r\n]+-)?\}\}", re.DOTALL)
WORD = re.compile(
    r"""(?P<end>[ \t\r\n]*(?P<trim>(?<=[ \t\r\n])-)?\}\})
    |[ \t\r\n]*(?:
    (?P<raw>`[^`]*`)
    |(?P<string>"(?:\\.|[^"\\\n])*")
    |(?P<char>'(?:\\.|[^'\\\n])+')
    |(?P<variable>\$\w*)
    |(?P<number>[+-]?(?:\.?[0-9])[\w.]*(?:(?<=[eEpP])[+-]?[\w.]*)?)
    |(?P<field>\.\w+)
    |(?P<dot>\.)
    |(?P<name>\w+)
    |(?P<assign>:?=)
    |(?P<pipe>\|)
    |(?P<open>\()
    |(?P<close>\))
    |(?P<comma>,))
    """,
    re.VERBOSE,
)
END: Final = "end"
DEPTH: Final = 100
"""Of parentheses."""
KEYWORDS = frozenset({"if", "with", "range", "else", "template", "block", "define", "end", "break", "continue"})
OPENERS = frozenset({"if", "with", "range", "block", "define"})


class Malformed(ValueError):  # noqa: N818 - names what the text is
    """The text is no template: Helm will refuse it."""


class Sort(StrEnum):
    """What a word of an action is."""

    RAW = "raw"
    STRING = "string"
    CHAR = "char"
    VARIABLE = "variable"
    NUMBER = "number"
    FIELD = "field"
    DOT = "dot"
    NAME = "name"
    ASSIGN = "assign"
    PIPE = "pipe"
    OPEN = "open"
    CLOSE = "close"
    COMMA = "comma"


class Word(NamedTuple):
    """A word of an action; offsets in the text that holds it."""

    sort: Sort
    text: str
    start: int

    @property
    def end(self) -> int:
        """Behind its last character."""
        return self.start + len(self.text)


SORTS: Mapping[str, Sort] = {sort.value: sort for sort in Sort}
"""By the name of the group that finds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What stands between ``{{`` and ``}}``; a comment has no words."""

    start: int
    end: int
    """Behind ``}}``."""
    trims_before: bool
    trims_after: bool
    words: tuple[Word, ...]

    @property
    def keyword(self) -> str:
        """The keyword that it begins with, empty where it prints something or assigns."""
        first = self.words[0] if self.words else None
        return first.text if first and first.sort is Sort.NAME and first.text in KEYWORDS else ""

    @property
    def is_comment(self) -> bool:
        """Whether it says nothing to Helm."""
        return not self.words


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A function or value with its operands, as far as the next pipe or the end of the parenthesis."""

    words: tuple[Word, ...]
    """All of it, what stands in parentheses too."""
    depth: int
    """Of the parentheses around it."""
    piped: bool
    """It receives the value of the command before it."""

    @property
    def name(self) -> str:
        """Of the function that it calls, empty where it calls none."""
        return self.words[0].text if self.words[0].sort is Sort.NAME else ""

    @property
    def end(self) -> int:
        """Behind its last word."""
        return self.words[-1].end

    def operand_names(self) -> Iterator[Word]:
        """Functions that stand as operands: they are called without arguments."""
        depth = 0
        for index, word in enumerate(self.words):
            depth += (word.sort is Sort.OPEN) - (word.sort is Sort.CLOSE)
            if index and depth == 0 and word.sort is Sort.NAME:
                yield word


def actions(text: str) -> Iterator[Action]:
    """The actions and comments of a template, in order. Raises Malformed."""
    start = text.find(OPEN)
    while start >= 0:
        action = action_at(text, start)
        yield action
        start = text.find(OPEN, action.end)


def action_at(text: str, start: int, limit: int | None = None) -> Action:
    """The action whose ``{{`` stands at ``start`` and that ends before ``limit``. Raises Malformed."""
    limit = len(text) if limit is None else limit
    opening = OPENING.match(text, start)
    assert opening, "there is an opening delimiter"
    comment = COMMENT.match(text, opening.end(), limit)
    words: tuple[Word, ...] = ()
    if comment:
        end, trims = comment.end(), bool(comment[1])
    else:
        words, end, trims = _words(text, opening.end(), limit)
    return Action(start=start, end=end, trims_before=bool(opening[1]), trims_after=trims, words=words)


def _words(text: str, position: int, limit: int) -> tuple[tuple[Word, ...], int, bool]:
    """The words up to the closing delimiter, where that ends, and whether it trims what follows."""
    words: list[Word] = []
    while (match := WORD.match(text, position, limit)) and match.lastgroup != END:
        group = match.lastgroup or ""
        words.append(Word(SORTS[group], match[group], match.start(group)))
        position = match.end()
    if match is None:
        raise Malformed(f"the action at character {position} cannot be read")
    if not words or not _is_balanced(words):
        raise Malformed(f"the action before character {position} is empty, lacks a parenthesis, or has too many")
    return tuple(words), match.end(), match["trim"] is not None


def _is_balanced(words: Sequence[Word]) -> bool:
    depth = 0
    for word in words:
        depth += (word.sort is Sort.OPEN) - (word.sort is Sort.CLOSE)
        if not 0 <= depth <= DEPTH:
            return False
    return depth == 0


def commands(action: Action) -> list[Command]:
    """All commands of an action, those in parentheses too, each after what it contains."""
    found: list[Command] = []
    frames = [_Frame(depth=0)]
    for word in _pipeline(action):
        match word.sort:
            case Sort.OPEN:
                frames[-1].words.append(word)
                frames.append(_Frame(depth=len(frames)))
            case Sort.CLOSE:
                inner = frames.pop()
                found += inner.finish(piped=False)
                frames[-1].words += [*inner.all, word]
            case Sort.PIPE:
                found += frames[-1].finish(piped=True)
                frames[-1].all.append(word)
            case Sort.ASSIGN | Sort.COMMA:  # what stands before it is no command but a variable
                frames[-1].words.clear()
            case _:
                frames[-1].words.append(word)
    return [*found, *frames[0].finish(piped=False)]


class _Frame:
    """The commands of one pipeline, while it is read."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.words: list[Word] = []
        self.all: list[Word] = []
        self._piped = False

    def finish(self, *, piped: bool) -> Iterator[Command]:
        """The command that ends here; ``piped`` says whether another one receives its value."""
        if self.words:
            yield Command(words=tuple(self.words), depth=self.depth, piped=self._piped)
        self.all += self.words
        self.words = []
        self._piped = piped


def _pipeline(action: Action) -> Sequence[Word]:
    """The words without keywords, and without the name that ``template`` and ``block`` have first."""
    words = action.words
    match action.keyword:
        case "":
            return words
        case "template" | "block" | "else" if len(words) > 1 and words[1].sort in {Sort.NAME, Sort.STRING, Sort.RAW}:
            return words[2:]
        case "define" | "end" | "break" | "continue":
            return ()
    return words[1:]
