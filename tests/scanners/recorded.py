"""Reports that the real scanners printed for ``recorded.yaml``, and what the adapters made of them.

``.venv/bin/python -m tests.scanners.recorded`` writes both anew; read the difference.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.finding import Opinion
from process import Sandbox
from scanners import kube_score, polaris, trivy
from scanners.base import ScanContext
from scanners.copies import make_copies
from scanners.runs import read_report
from tests.resources import resources
from tests.scanners.fakes import context
from toolbox import Toolbox

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "scanners"
COPIES = make_copies(resources((FOLDER / "recorded.yaml").read_text(encoding="utf-8")))
NAMES = (polaris.NAME, kube_score.NAME, trivy.NAME)
KEPT = frozenset({"ID", "Status", "CauseMetadata", "StartLine", "Message", "Title", "Severity", "Target", "Results"})
"""Of Trivy's report, which repeats 1 KB of advice for each of 119 checks and object."""
FLEETING = frozenset({"AuditTime", "SourceName", "DisplayName", "file_name"})


def record(name: str, opened: ScanContext) -> Any:
    """What the real binary prints now, in one order, without times and places."""
    if name == polaris.NAME:
        return _settled(polaris._run(COPIES, opened))
    if name == kube_score.NAME:
        return _settled(kube_score._run(COPIES, opened))
    return _settled(read_report(name, trivy._run(COPIES, opened)), KEPT | {"Misconfigurations"})


def opinions(name: str, report: Any) -> dict[str, Any]:
    """What the adapter makes of a report, by the object's name, ready for JSON."""
    if name == polaris.NAME:
        verdicts = dict(polaris._parse(report))
        found = {copy: polaris._opinion(copy, verdicts[copy.identity]) for copy in COPIES}
    elif name == kube_score.NAME:
        checks = kube_score._parse(report)
        found = {copy: kube_score._opinion(copy, checks[copy.identity]) for copy in COPIES}
    else:
        rows = trivy._parse(report)
        found = {copy: trivy._opinion(copy, rows[copy.file]) for copy in COPIES}
    return {str(copy.resource.ref): _plain(opinion) for copy, opinion in found.items()}


def read(name: str, part: str) -> Any:
    """``report`` or ``opinions`` as they were recorded."""
    return json.loads((FOLDER / name / f"{part}.json").read_text(encoding="utf-8"))


def write(name: str, part: str, value: object) -> None:
    """Record ``report`` or ``opinions``."""
    (FOLDER / name).mkdir(exist_ok=True)
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
    (FOLDER / name / f"{part}.json").write_text(text + "\n", encoding="utf-8")


def _plain(opinion: Opinion) -> dict[str, Any]:
    return {
        "findings": sorted([each.rule, each.container, each.message, each.severity] for each in opinion.findings),
        "passed": {subject: sorted(rules) for subject, rules in opinion.passed.items()},
        "drops": sorted([drop.rule, drop.reason] for drop in opinion.drops),
    }


def _settled(value: Any, kept: frozenset[str] | None = None) -> Any:
    if isinstance(value, Mapping):
        names = sorted(name for name in value if name not in FLEETING and (kept is None or name in kept))
        return {name: _settled(value[name], kept) for name in names}
    if isinstance(value, list):
        return sorted((_settled(item, kept) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def main() -> None:
    """Write all goldens anew."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    toolbox = Toolbox(Path(os.environ.get("HARDENING_GATE_HOME") or f"{cache}/hardening-gate"))
    with Sandbox() as sandbox:
        for name in NAMES:
            report = record(name, context(sandbox, toolbox))
            write(name, "report", report)
            write(name, "opinions", opinions(name, report))


if __name__ == "__main__":
    main()
