"""Puts signs in place of names, so that what was renamed and nothing else is still equal."""

from __future__ import annotations

import re
from collections.abc import Iterable

SIGN = "\0"
"""Stands for a masked name: no character of JSON."""
CLOSING = re.compile(r'(?:[^"\\]|\\.)*"')
"""The rest of a text in JSON."""
WORD = re.compile(r"(?!(?:true|false|null|[\d.e+-]+)$)\w[\w.:-]*", re.IGNORECASE)
"""Names that can be masked in JSON: no value that is no text."""


def masked(text: str, names: Iterable[str]) -> str:
    """JSON or a name with signs in place of each of the ``names``, the first one first, where it is a whole word.

    Keys stay: a chart called ``app`` does not own every label ``app``.
    """
    for number, name in enumerate(names, 1):
        if name and name in text and WORD.fullmatch(name):
            text = _with_sign(text, name, number * SIGN)
    return text


def masked_whole(text: str, names: Iterable[str]) -> str:
    """JSON with signs in place of texts that are one of the ``names`` and nothing else; keys stay as well."""
    for number, name in enumerate(names, 1):
        quoted, sign = f'"{name}"', f'"{number * SIGN}"'
        if name and quoted in text and WORD.fullmatch(name):
            if f"{quoted}:" in text or f"\\{quoted}" in text:  # to compile an expression takes longer than all else
                text = re.sub(rf"(?<!\\){re.escape(quoted)}(?!:)", sign, text)
            else:
                text = text.replace(quoted, sign)
    return text


def _with_sign(text: str, name: str, sign: str) -> str:
    parts: list[str] = []
    start, at, closed, is_key = 0, text.find(name), 0, False
    while at >= 0:
        end = at + len(name)
        if end > closed:
            closing = CLOSING.match(text, end)
            closed = closing.end() if closing else len(text)
            is_key = text[closed : closed + 1] == ":"
        if not (is_key or text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()):
            parts += [text[start:at], sign]
            start = end
        at = text.find(name, end)
    return "".join((*parts, text[start:]))
