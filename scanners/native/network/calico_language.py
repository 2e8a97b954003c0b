"""The selector language of Calico: ``app == 'web' && has(tier) || !(stage in {'dev', 'test'})``.

Read with a loop and a stack of its own, so that neither length nor parentheses cost more than their number; what
Calico's own parser refuses is None. (projectcalico/calico, ``libcalico-go/lib/selector``.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from scanners.native.network.selectors import (
    EVERYTHING,
    Question,
    Selector,
    equals,
    exists,
    findable,
    is_in,
    is_not_in,
)
from scanners.native.network.truth import UNKNOWN, Label, Lookup, Truth, every, opposite, some

SPACE = re.compile(r"[ \t\r\n]*")
KEY = r"[a-zA-Z0-9_./-]{1,512}"
LITERAL = re.compile(r"\"([^\"]*)\"|'([^']*)'")
HAS = re.compile(rf"has\([ \t\r\n]*({KEY})[ \t\r\n]*\)")
ANY = re.compile(r"(?:all|global)\([ \t\r\n]*\)")
NAME = re.compile(KEY)
OPERATOR = re.compile(r"==|!=|contains|starts[ \t\r\n]*with|ends[ \t\r\n]*with|not[ \t\r\n]*in|in")
DEPTH = 50
"""Of parentheses: far more than anybody writes."""


def calico_selector(text: str) -> Selector | None:
    """The selector that the text means; an empty one means all; None where Calico would refuse it."""
    if not text.strip():
        return EVERYTHING
    try:
        return _Parser(text).parse()
    except _RefusedError:
        return None


class _RefusedError(Exception):
    """The text is no selector."""


class _Node(NamedTuple):
    """A part of the expression."""

    question: Question
    required: tuple[tuple[str, str], ...] = ()
    is_all: bool = False


@dataclass(slots=True)
class _Frame:
    """What is known of one pair of parentheses while it is read."""

    is_negated: bool = False
    """Whether an exclamation mark stands before it."""
    alternatives: list[_Node] = field(default_factory=list)
    """Ended by ``||``."""
    conjuncts: list[_Node] = field(default_factory=list)
    """Of the alternative that is being read."""

    def close(self) -> _Node:
        """The node of all that stands in it."""
        self.end_alternative()
        return _either(self.alternatives)

    def end_alternative(self) -> None:
        """At ``||`` and at the end."""
        self.alternatives.append(_both(self.conjuncts))
        self.conjuncts = []


class _Parser:
    """One text and how far it was read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.keys: set[str] = set()
        self.frames = [_Frame()]

    def parse(self) -> Selector:
        """All of it, or ``_RefusedError``."""
        while True:
            negated = self._negations()
            if self._take("("):
                self._open(is_negated=negated)
                continue
            self._add(self._operation(), is_negated=negated)
            if self._closes():
                return self._selector()

    def _closes(self) -> bool:
        """Read what may follow an operation; whether the text ends there."""
        while self._take(")"):
            if len(self.frames) == 1:
                raise _RefusedError
            frame = self.frames.pop()
            self._add(frame.close(), is_negated=frame.is_negated)
        if self._take("||"):
            self.frames[-1].end_alternative()
        elif not self._take("&&"):
            if self.at < len(self.text) or len(self.frames) > 1:
                raise _RefusedError
            return True
        return False

    def _selector(self) -> Selector:
        node = self.frames[0].close()
        return Selector(
            holds=node.question, required=findable(node.required), is_all=node.is_all, keys=frozenset(self.keys)
        )

    def _open(self, *, is_negated: bool) -> None:
        if len(self.frames) > DEPTH:
            raise _RefusedError
        self.frames.append(_Frame(is_negated=is_negated))

    def _add(self, node: _Node, *, is_negated: bool) -> None:
        self.frames[-1].conjuncts.append(_not(node) if is_negated else node)

    def _negations(self) -> bool:
        negated = False
        while self._take("!"):
            negated = not negated
        return negated

    def _operation(self) -> _Node:
        """``has(key)``, ``all()``, ``global()``, or a key with an operator and what it is compared with."""
        key = self._match(HAS)
        if key is not None:
            self.keys.add(key[1])
            return _Node(_has(key[1]))
        if self._match(ANY):
            return _Node(lambda _: True, is_all=True)
        label, operator = self._match(NAME), self._match(OPERATOR)
        if label is None or operator is None:
            raise _RefusedError
        self.keys.add(label[0])
        return self._compare(label[0], "".join(operator[0].split()))

    def _compare(self, key: str, operator: str) -> _Node:
        if operator in {"in", "notin"}:
            values = frozenset(self._set())
            if operator == "notin":
                return _Node(lambda labels: is_not_in(labels(key), values))
            return _Node(lambda labels: is_in(labels(key), values))
        literal = self._literal()
        if literal is None:
            raise _RefusedError
        if operator == "==":
            return _Node(lambda labels: equals(labels(key), literal), required=((key, literal),))
        if operator == "!=":
            return _Node(lambda labels: opposite(equals(labels(key), literal)))
        test = TESTS[operator]
        return _Node(lambda labels: _is_like(labels(key), literal, test))

    def _set(self) -> Iterator[str]:
        """``{'a', 'b'}``; a comma may stand behind the last one, as in Calico."""
        if not self._take("{"):
            raise _RefusedError
        while (literal := self._literal()) is not None:
            yield literal
            if not self._take(","):
                break
        if not self._take("}"):
            raise _RefusedError

    def _literal(self) -> str | None:
        found = self._match(LITERAL)
        return None if found is None else found[1] if found[1] is not None else found[2]

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self._skip()
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def _take(self, word: str) -> bool:
        self._skip()
        is_there = self.text.startswith(word, self.at)
        self.at += len(word) if is_there else 0
        return is_there

    def _skip(self) -> None:
        space = SPACE.match(self.text, self.at)
        self.at = space.end() if space else self.at


TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda label, part: part in label,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


def _has(key: str) -> Question:
    return lambda labels: exists(labels(key))


def _is_like(label: Label, part: str, test: Callable[[str, str], bool]) -> Truth:
    if label is UNKNOWN:
        return None
    return isinstance(label, str) and test(label, part)


def _not(node: _Node) -> _Node:
    return _Node(lambda labels: opposite(node.question(labels)))


def _both(nodes: list[_Node]) -> _Node:
    if len(nodes) == 1:
        return nodes[0]
    kept = [node.question for node in nodes]

    def question(labels: Lookup) -> Truth:
        return every(each(labels) for each in kept)

    required = tuple(label for node in nodes for label in node.required)
    return _Node(question, required, is_all=all(node.is_all for node in nodes))


def _either(nodes: list[_Node]) -> _Node:
    if len(nodes) == 1:
        return nodes[0]
    kept = [node.question for node in nodes]

    def question(labels: Lookup) -> Truth:
        return some(each(labels) for each in kept)

    return _Node(question, is_all=any(node.is_all for node in nodes))
