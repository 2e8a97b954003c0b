"""``compare``: two stored audits, the same comparison and gate as ``scan`` would give."""

from __future__ import annotations

from pathlib import Path

from controls import catalogue
from controls.compare import compare as compare_audits
from controls.gate import decide
from manifests.files import NotReadError, read_file
from model.audit import Audit
from model.errors import UsageError
from model.policy import Gate, Policy
from reporting import audit_json
from settings import CompareSettings
from verbs.outcome import Outcome, exit_code, under

MOST_BYTES = 200 << 20
"""Of a stored audit."""


def compare(wanted: CompareSettings) -> int:
    """The exit code of comparing two files."""
    base, head = read_audit(wanted.base), read_audit(wanted.head)
    comparison = compare_audits(base, head)
    verdict = decide(Policy(gate=under(Gate(), wanted.gate)), head, comparison, named_explicitly=True)
    controls = catalogue.load().with_unmapped(result.control for audit in (base, head) for result in audit.results)
    Outcome(head=head, comparison=comparison, verdict=verdict, controls=controls).write(
        wanted.reports, None, colour=wanted.colour
    )
    return exit_code(verdict, warn_only=wanted.warn_only)


def read_audit(file: Path) -> Audit:
    """A stored audit. Raises UsageError for a file that is none."""
    try:
        text = read_file(file, MOST_BYTES).decode("utf-8")
    except NotReadError as error:
        raise UsageError(f"{file}: {error.reason}", f"{error.remedy}; `scan --format json=FILE` writes one") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is no text", "Name a file that `scan --format json=FILE` has written.") from error
    return audit_json.load(text, str(file))
