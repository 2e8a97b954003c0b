"""A control in words and in JSON, as every report about the catalogue says it; the texts are those of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model.control import Control, Subject
from model.lookup import Entry, Judge

FRAMEWORKS: Mapping[str, str] = {
    "cis-1.10": "CIS Benchmark 1.10",
    "cis-1.12": "CIS Benchmark 1.12",
    "nsa-cisa": "NSA/CISA Hardening Guide",
    "pss-baseline": "Pod Security Standards, baseline",
    "pss-restricted": "Pod Security Standards, restricted",
    "mitre": "MITRE ATT&CK",
    "owasp-2022": "OWASP Kubernetes Top Ten 2022",
    "owasp-2025": "OWASP Kubernetes Top Ten 2025",
}
"""Names for people, by the key in the catalogue."""
CONDITIONS: Mapping[str, str] = {
    "linux": "unless it is for Windows",
    "long-running": "unless it is meant to end",
    "replicated": "where it keeps replicas",
}
"""What ``applies.when`` means; ``component:NAME`` speaks for itself."""
NOBODY = "no scanner yet"
NOWHERE = "files and settings of nodes, which no manifest holds"


def framework_name(framework: str) -> str:
    """As people know it; a key that has no name yet stays what it is."""
    return FRAMEWORKS.get(framework, framework)


def applies_to(control: Control) -> str:
    """``each container (main, init) of every object that bears pods, unless it is for Windows``."""
    if not control.applies.kinds:
        return NOWHERE
    conditions = "".join(f", {_condition(name)}" for name in control.applies.when)
    together = ", seen together with the others of its source" if control.subject is Subject.SCOPE else ""
    return f"{_subject(control)}{_kinds(control.applies.kinds)}{conditions}{together}"


def _subject(control: Control) -> str:
    match control.subject:
        case Subject.CONTAINER:
            lists = [name for name in ("main", "init", "ephemeral") if name in control.applies.containers]
            return f"each container ({', '.join(lists)}) of "
        case Subject.POD:
            return "the pod of "
        case Subject.RESOURCE | Subject.SCOPE:
            return ""


def _kinds(kinds: frozenset[str]) -> str:
    if "*" in kinds:
        return "every object"
    named = sorted(kind.removeprefix("/") for kind in kinds if kind != "workload")
    return ", ".join((*(["every object that bears pods"] if "workload" in kinds else []), *named))


def _condition(name: str) -> str:
    prefix, colon, component = name.partition(":")
    return f"where it runs {component}" if colon and prefix == "component" else CONDITIONS.get(name, name)


def rules_of(judges: Sequence[Judge]) -> dict[str, tuple[str, ...]]:
    """Rule ids by scanner, once each."""
    scanners = sorted({judge.scanner for judge in judges})
    return {
        scanner: tuple(dict.fromkeys(judge.rule for judge in judges if judge.scanner == scanner))
        for scanner in scanners
    }


def as_json(entry: Entry) -> dict[str, Any]:
    """Everything that the catalogue knows of a control."""
    control = entry.control
    return {
        "id": control.id,
        "title": control.title,
        "severity": control.severity,
        "weight": control.severity.weight,
        "category": control.category,
        "subject": control.subject,
        "applies": {
            "text": applies_to(control),
            "kinds": sorted(control.applies.kinds),
            "containers": sorted(control.applies.containers),
            "when": sorted(control.applies.when),
        },
        "why": control.why,
        "remedy": control.remedy,
        "references": {framework: list(ids) for framework, ids in sorted(control.compliance.items())},
        "rules": [
            {"scanner": judge.scanner, "rule": judge.rule, "contains": judge.contains or None} for judge in entry.judges
        ],
    }
