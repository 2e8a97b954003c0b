"""``compare``: two stored audits, the same comparison and gate as ``scan`` would give."""

from __future__ import annotations

from pathlib import Path

from controls import catalogue
from controls.compare import compare as compare_audits
from controls.gate import decide
from model.audit import Audit
from model.errors import UsageError
from model.policy import Gate
from reporting import audit_json
from settings import CompareSettings
from verbs.outcome import Outcome, exit_code, under

MOST_BYTES = 200 << 20
"""Of a stored audit."""


def compare(wanted: CompareSettings) -> int:
    """The exit code of comparing two files."""
    base, head = read_audit(wanted.base), read_audit(wanted.head)
    comparison = compare_audits(base, head)
    verdict = decide(under(Gate(), wanted.gate), head, comparison, named_explicitly=True)
    controls = catalogue.load().with_unmapped(result.control for audit in (base, head) for result in audit.results)
    Outcome(head=head, comparison=comparison, verdict=verdict, controls=controls).publish(
        wanted.reports, None, colour=wanted.colour
    )
    return exit_code(verdict, warn_only=wanted.warn_only)


def read_audit(file: Path) -> Audit:
    """A stored audit. Raises UsageError for a file that is none."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UsageError(f"{file} is larger than {MOST_BYTES >> 20} MiB", "Name a file that `scan` has written.")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} cannot be read: {error}", "Name a file that `hardening-gate scan --format json=FILE` has written."
        ) from error
    return audit_json.load(text, str(file))
