"""What a run hands to the next steps of a GitHub workflow, as text for the file that ``GITHUB_OUTPUT`` names."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from model.audit import Audit
from model.comparison import Comparison
from model.verdict import Verdict
from reporting.numbers import delta, percent


def values(head: Audit, comparison: Comparison | None, verdict: Verdict, folder: Path | None) -> dict[str, str]:
    """The outputs of action.yml; what needs a base is empty without one, never 0."""
    against: Mapping[str, str] = {} if comparison is None else _against(comparison)
    return {
        "verdict": verdict.word,
        "score": percent(head.score),
        "unscanned": str(len(head.unscanned)),
        "sarif": "" if folder is None else str(folder / "results.sarif"),
        "report": "" if folder is None else str(folder / "report.md"),
        "audit": "" if folder is None else str(folder / "audit.json"),
        **{name: against.get(name, "") for name in NEEDS_A_BASE},
    }


NEEDS_A_BASE = ("base-score", "delta", "patch-score", "introduced", "resolved", "persisting")


def _against(comparison: Comparison) -> dict[str, str]:
    return {
        "base-score": percent(comparison.base.score),
        "delta": delta(comparison.base_comparable, comparison.head_comparable),
        "patch-score": percent(comparison.patch),
        "introduced": str(len(comparison.introduced)),
        "resolved": str(len(comparison.resolved)),
        "persisting": str(len(comparison.persisting)),
    }


def render(named: Mapping[str, str], delimiter: str | None = None) -> str:
    """The lines; no value can end its own, since nobody can guess the delimiter (threats: output injection)."""
    end = delimiter or f"end-{secrets.token_hex(16)}"
    return "".join(f"{name}<<{end}\n{value}\n{end}\n" for name, value in named.items())
