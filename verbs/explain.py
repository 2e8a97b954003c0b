"""``explain``: what a control, any scanner's rule or a reference means, from the catalogue alone."""

from __future__ import annotations

from controls import catalogue as catalogues
from controls import lookup
from model.errors import ExitCode
from reporting import explanation
from settings import ExplainSettings
from verbs.console import write_report


def explain(wanted: ExplainSettings) -> int:
    """Print the explanation; 0. Raises UsageError for an id that nobody has."""
    found = lookup.explain(catalogues.load(), wanted.id)
    write_report(None, explanation.render(wanted.format, found, colour=wanted.colour))
    return ExitCode.PASSED
