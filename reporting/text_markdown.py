"""Text that GitHub may render: what a pull request says stands in code spans, what the catalogue says is escaped.

Only this module makes ``Markdown`` of them, and links only to what ``links`` has made. In a code span no markup, HTML,
link, mention or issue reference works (GitHub Flavored Markdown, "Code spans"); a table splits its cells before it
looks for code spans, so that no ``|`` is let through at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from string import Formatter

from reporting.links import Address
from reporting.text import plain

LIMIT = 200
"""Characters of one untrusted value."""
PIPE = "¦"
"""Stands for ``|``: escapes of it mean different things inside and outside of a table, and after a backslash."""
JOINT = "\u200b"
"""No width; breaks what would become a mention."""

_BACKTICKS = re.compile(r"`+")
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_REFERENCE = re.compile(r"(@|#|GH-)(?=\w)", re.IGNORECASE)
_ACTIVE = re.compile(r"([\\`*_\[\]<>&~$^]|:(?=\S)|(?<=www)\.)", re.IGNORECASE)
"""What means something inside of a line: emphasis, HTML, entities, links, formulas, emoji."""
_OPENING = re.compile(r"^(\d*)([-+#=.)])")
"""What would make a line a heading, a list or a rule."""


class Markdown(str):
    """A piece of a line that may stand in a comment, in a table cell too."""

    __slots__ = ()


def markdown(template: str, *values: object) -> Markdown:
    """``template``, which is ours, with each ``{}`` filled in turn: a Markdown as it is, all else in a code span."""
    waiting = iter(values)
    parts: list[Markdown] = []
    for literal, field, _, _ in Formatter().parse(template):
        parts.append(Markdown(literal))
        if field is not None:
            value = next(waiting)
            parts.append(value if isinstance(value, Markdown) else code(str(value)))
    return joined(parts)


def code(untrusted: str, limit: int = LIMIT) -> Markdown:
    """A code span, fenced with more backticks than any run inside; an empty text is shown as ``""``."""
    text = plain(untrusted, limit).strip().replace("|", PIPE) or '""'
    text = _MENTION.sub(f"@{JOINT}", text).replace("##[", "## [")
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return Markdown(f"{fence}{pad}{text}{pad}{fence}")


def prose(text: str) -> Markdown:
    """Running text of the catalogue, which is ours: shown as it is written, without markup, links and references."""
    kept = _REFERENCE.sub(rf"\1{JOINT}", plain(text, 2_000).strip().replace("|", PIPE))
    return Markdown(_OPENING.sub(r"\1\\\2", _ACTIVE.sub(r"\\\1", kept)))


def link(words: Markdown, target: Address | None) -> Markdown:
    """``words`` as a link; they alone where there is nowhere to go."""
    return Markdown(f"[{words}]({target})") if target else words


def joined(parts: Iterable[Markdown], between: str = "") -> Markdown:
    """Parts in one line; ``between`` is ours. Fences never touch: together they would be another fence."""
    line = ""
    for part in parts:
        piece = f"{between}{part}" if line else part
        line += f" {piece}" if line.endswith("`") and piece.startswith("`") else piece
    return Markdown(line)


def row(*cells: Markdown) -> Markdown:
    """A line of a table."""
    return Markdown(f"| {' | '.join(cells)} |")
