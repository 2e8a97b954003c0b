"""What makes text from a pull request harmless, one type and one function for each output language.

Every plain ``str`` is untrusted. Writers accept only the types of this module, and only this module makes them.
"""

from __future__ import annotations

import re

ELLIPSIS = "…"
LIMIT = 300
"""Characters of one untrusted value."""

_ESCAPE_SEQUENCES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|\x9b[0-?]*[ -/]*[@-~]"
)
_LINE_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
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


def _for_log(untrusted: str) -> str:
    return plain(untrusted).replace("##[", "## [")


class SarifText(str):
    """A message of a SARIF file: plain text, in which ``[text](target)`` would be a link."""

    __slots__ = ()


def sarif_text(template: str, *values: object) -> SarifText:
    """``template.format(*values)`` with every value made harmless for a SARIF message."""
    return SarifText(template.format(*(plain(str(value), 1000).replace("](", "] (") for value in values)))
