"""What lies between base and head, and the verdict, as ``comparison.json`` (schema ``hardening-gate/comparison/1``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from model.audit import Audit, Result
from model.comparison import Comparison
from model.verdict import Verdict
from reporting.audit_json import result, score, to_pieces
from reporting.numbers import delta, percent

SCHEMA = "hardening-gate/comparison/1"


def dump(head: Audit, comparison: Comparison | None, verdict: Verdict) -> str:
    """The JSON text; without a base ``base`` and what needs one are null."""
    return "".join(pieces(head, comparison, verdict))


def pieces(head: Audit, comparison: Comparison | None, verdict: Verdict) -> Iterator[str]:
    """The same, bit by bit."""
    return to_pieces(
        {
            "schema": SCHEMA,
            "verdict": verdict.word,
            "exit_code": verdict.exit_code,
            "reasons": [
                {"rule": row.rule, "number": row.number, "limit": row.limit, "remedy": row.remedy}
                for row in verdict.reasons
            ],
            "emergency": None
            if verdict.emergency is None
            else {
                "label": verdict.emergency.label,
                "set_by": verdict.emergency.set_by,
                "team": verdict.emergency.team,
            },
            "remarks": list(verdict.remarks),
            "blocking": sorted({row.fingerprint for row in verdict.blocking}),
            "base": None if comparison is None else _side(comparison.base),
            "head": _side(head),
            **(_NOTHING if comparison is None else _difference(comparison)),
        }
    )


_NOTHING: dict[str, Any] = dict.fromkeys(
    (
        "delta",
        "patch",
        "comparable",
        "introduced",
        "resolved",
        "persisting",
        "moved",
        "newly_visible",
        "uncompared",
        "changed_resources",
        "policy_changes",
    )
)


def _side(audit: Audit) -> dict[str, Any]:
    return {
        "score": {**score(audit.score), "percent": percent(audit.score)},
        "coverage": {
            "files": audit.coverage.files,
            "documents": audit.coverage.documents,
            "resources": audit.coverage.resources,
            "unscanned": len(audit.unscanned),
        },
    }


def _difference(comparison: Comparison) -> dict[str, Any]:
    before, after = comparison.base_comparable, comparison.head_comparable
    return {
        "delta": delta(before, after),
        "patch": {**score(comparison.patch), "percent": percent(comparison.patch)},
        "comparable": {"base": score(before), "head": score(after)},
        "introduced": _results(comparison.introduced),
        "resolved": _results(comparison.resolved),
        "persisting": _results(comparison.persisting),
        "moved": [
            {"fingerprint": new.fingerprint, "from": old.location.path, "to": new.location.path}
            for old, new in comparison.moved
        ],
        "newly_visible": _results(comparison.newly_visible),
        "uncompared": _results(comparison.uncompared),
        "changed_resources": list(comparison.changed_resources),
        "policy_changes": [
            {"key": row.key, "base": row.before, "head": row.after, "weakens": row.weakens}
            for row in comparison.policy_changes
        ],
    }


def _results(rows: Iterable[Result]) -> list[dict[str, Any]]:
    return [result(row) for row in rows]
