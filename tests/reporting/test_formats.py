from __future__ import annotations

import re
from pathlib import Path

import pytest

import settings
from controls.compare import compare
from controls.gate import decide
from model.audit import Audit
from model.comparison import Comparison
from model.policy import Policy
from settings import Report
from tests.audits import audit, failure, resource, result
from tests.reporting.test_sarif import CONTROL
from verbs.outcome import Outcome

HEAD = audit([resource()], [result(container="canary")], [failure("lost.yaml")])
USAGE = Path(__file__).parents[2] / "docs" / "usage.md"


def written(form: str, folder: Path, comparison: Comparison | None) -> str:
    verdict = decide(Policy(), HEAD, comparison, named_explicitly=True)
    outcome = Outcome(head=HEAD, comparison=comparison, verdict=verdict, controls={CONTROL.id: CONTROL})
    outcome.write([Report(format=form, file=folder / "report")], None, colour=False)
    return (folder / "report").read_text(encoding="utf-8")


@pytest.mark.parametrize("base", [None, audit([resource()], [])], ids=["alone", "compared"])
@pytest.mark.parametrize("form", settings.FORMATS)
def test_every_format_says_what_was_found_and_what_was_not_scanned(
    form: str, base: Audit | None, tmp_path: Path
) -> None:
    comparison = compare(base, HEAD) if base else None
    text = written(form, tmp_path, comparison)
    assert text.endswith("\n")
    if form != "comparison" or comparison:
        assert "canary" in text
    assert "lost.yaml" in text or '"unscanned":1' in text.replace(" ", "")
    assert "\r" not in text.replace("\r\n", "\n")


@pytest.mark.parametrize("form", settings.FORMATS)
def test_every_format_gives_the_same_bytes_again(form: str, tmp_path: Path) -> None:
    assert written(form, tmp_path, None) == written(form, tmp_path, None)


def test_the_document_lists_the_formats_that_there_are() -> None:
    table = USAGE.read_text(encoding="utf-8").partition("| format | what it is |\n|---|---|\n")[2].partition("\n\n")[0]
    names = [name for row in table.splitlines() for name in re.findall(r"`([\w-]+)`", row.split(" | ")[0])]
    assert sorted(names) == sorted(settings.FORMATS)


def test_a_folder_of_reports_holds_those_for_people_and_for_programs(tmp_path: Path) -> None:
    verdict = decide(Policy(), HEAD, None, named_explicitly=True)
    outcome = Outcome(head=HEAD, comparison=None, verdict=verdict, controls={CONTROL.id: CONTROL})
    outcome.write([Report(format="table", file=tmp_path / "table.txt")], tmp_path, colour=False)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"audit.json", "comparison.json", "report.md", "results.sarif", "junit.xml", "table.txt"}
