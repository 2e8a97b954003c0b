"""What GitHub's runner makes of a log: its splitting of lines and its two forms of commands, written anew.

After ``ProcessInvoker.cs`` (.NET ``ReadLine``: CR, LF and CRLF end a line), ``ActionCommand.cs`` (``TryParseV2``,
``TryParse``) and ``ActionCommandManager.cs`` of actions/runner.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""``char.IsWhiteSpace``."""
_OLDER = "\x1c\x1d\x1e\x1f\u200b\u180e\ufeff"
"""What other versions of .NET, or Python, take for white space besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A workflow command as the runner has understood it."""

    name: str
    properties: dict[str, str]
    data: str
    legacy: bool = False


def commands(log: str) -> list[Command]:
    """Every command in what a step has written, whatever its name is."""
    rows = re.split(r"\r\n|\r|\n", log)
    return [command for row in rows if (command := _modern(row) or _legacy(row)) is not None]


def _modern(row: str) -> Command | None:
    trimmed = row.lstrip(_WHITE_SPACE + _OLDER)
    if not trimmed.startswith("::"):
        return None
    end = trimmed.find("::", 2)
    if end < 0:
        return None
    name, _, rest = trimmed[2:end].partition(" ")
    pairs = (pair.split("=", 1) for pair in rest.strip().split(",") if "=" in pair)
    return Command(
        name=name.lower(),
        properties={
            key.strip(): _decoded(value, {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ","}) for key, value in pairs
        },
        data=_decoded(trimmed[end + 2 :], {"%0D": "\r", "%0A": "\n"}),
    )


def _legacy(row: str) -> Command | None:
    found = re.search(r"##\[([^\]]*)\](.*)", row)
    if found is None:
        return None
    return Command(name=found[1].partition(" ")[0].lower(), properties={}, data=found[2], legacy=True)


def _decoded(text: str, escapes: dict[str, str]) -> str:
    for escape, character in escapes.items():
        text = text.replace(escape, character)
    return text.replace("%25", "%")
