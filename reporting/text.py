"""What makes text from a pull request harmless, one type and one function for each output language.

Every plain ``str`` is untrusted. Writers accept only the types of this module, and only this module makes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

ELLIPSIS = "…"
LIMIT = 300
"""Characters of one untrusted value."""

_ESCAPE_SEQUENCES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|\x9b[0-?]*[ -/]*[@-~]"
)
_LINE_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_OBEYED = re.compile(r"##\[|[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""What a runner or a terminal obeys and JSON allows inside a string."""
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def plain(untrusted: str, limit: int = LIMIT) -> str:
    """One line without escape sequences, control, bidirectional or invisible characters, of bounded length."""
    kept = untrusted[: 4 * limit]
    kept = _ESCAPE_SEQUENCES.sub("", kept)
    kept = _LINE_BREAKS.sub(" ", kept)
    kept = _SURROGATES.sub("\ufffd", _INVISIBLE.sub("", kept))
    return kept if len(kept) <= limit and len(untrusted) <= 4 * limit else kept[: limit - 1] + ELLIPSIS


class Terminal(str):
    """A piece of a line that may be written to a terminal or to the log of a workflow."""

    __slots__ = ()


def terminal(template: str, *values: object) -> Terminal:
    """``template.format(*values)`` with every value that is no Terminal yet made harmless."""
    return Terminal(
        template.format(*(value if isinstance(value, Terminal) else _for_log(str(value)) for value in values))
    )


def line(*parts: Terminal) -> Terminal:
    """Parts joined to a line that the runner cannot take for a workflow command.

    The runner looks for ``::`` at the start of a line (after white space) and for ``##[`` anywhere in it
    (actions/runner, ``ActionCommand.cs``).
    """
    joined = "".join(parts)
    if joined.lstrip().startswith("::"):
        joined = joined.replace("::", ": :", 1)
    return Terminal(joined.replace("##[", "## ["))


def _for_log(untrusted: str, limit: int = LIMIT) -> str:
    return plain(untrusted, limit).replace("##[", "## [")


class SarifText(str):
    """A message of a SARIF file: plain text, in which ``[text](target)`` would be a link."""

    __slots__ = ()


def json_text(text: str) -> str:
    """JSON that may be shown in a log: the same value, with escapes for what the runner or a terminal would obey."""
    if text.isascii() and "##[" not in text and "\x7f" not in text:
        return text  # the usual case, at a fraction of the cost
    return _OBEYED.sub(lambda found: "".join(f"\\u{ord(character):04x}" for character in found[0]), text)


def sarif_text(template: str, *values: object) -> SarifText:
    """``template.format(*values)`` with every value made harmless for a SARIF message."""
    return SarifText(template.format(*(plain(str(value), 1000).replace("](", "] (") for value in values)))


class Annotation(str):
    """A whole workflow command that GitHub shows as an annotation."""

    __slots__ = ()


MESSAGE_LIMIT = 3_000
"""Characters of an annotation's message; the runner cuts at 4,096."""


def annotation(level: str, properties: Mapping[str, object], message: Terminal) -> Annotation:
    """``::error file=…,line=…::message``: nothing in a value can end it, nor the command (toolkit, ``command.ts``).

    ``level`` and the names of the properties are ours.
    """
    named = ",".join(f"{name}={_property(_for_log(str(value)))}" for name, value in properties.items())
    return Annotation(f"::{level} {named}::{_data(message[:MESSAGE_LIMIT])}")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


class Words(str):
    """One line of plain text for a format whose writer does the escaping: a JSON string, XML."""

    __slots__ = ()


def words(template: str, *values: object) -> Words:
    """``template.format(*values)``, harmless, without the characters that XML 1.0 forbids."""
    return Words(template.format(*(_NOT_XML.sub("\ufffd", _for_log(str(value), 1000)) for value in values)))


_NOT_XML = re.compile(r"[\ufffe\uffff]")
"""Of what ``plain`` leaves (XML 1.0, "Char")."""


class CsvCell(str):
    """A cell that no spreadsheet takes for a formula."""

    __slots__ = ()


def csv_cell(untrusted: object) -> CsvCell:
    """Text of a cell; an apostrophe stands before what would start a formula (OWASP, "CSV Injection")."""
    text = _for_log(str(untrusted), 1000)
    return CsvCell(f"'{text}" if text.lstrip().startswith(_FORMULA) else text)


_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The full-width signs count as well."""
