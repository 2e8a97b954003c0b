"""What GitHub did not take is told to people, and in no report is it something that was not scanned."""

from __future__ import annotations

import json

import pytest

from controls.compare import compare
from controls.gate import decide
from model.policy import Policy
from model.resource import Stage
from reporting import gitlab, junit, results_csv, sarif
from reporting.table import Table
from tests.audits import audit, failure, resource
from tests.reporting.test_sarif import CONTROL

CONTROLS = {CONTROL.id: CONTROL}
WORDS = "the commit status: GitHub says 403"
BASE = audit([resource()])
HEAD = audit([resource()], failures=[failure(".", stage=Stage.PUBLISH, reason=WORDS, remedy="Permit it.")])


@pytest.mark.parametrize(
    "text",
    [
        gitlab.render(HEAD, CONTROLS),
        junit.render(HEAD, CONTROLS),
        results_csv.render(HEAD, None, CONTROLS),
        sarif.render(HEAD, CONTROLS),
    ],
    ids=["gitlab", "junit", "csv", "sarif"],
)
def test_reports_for_programs_do_not_count_it(text: str) -> None:
    assert WORDS not in text
    assert "ot scanned" not in text


def test_code_scanning_takes_the_run_for_a_successful_one() -> None:
    assert json.loads(sarif.render(HEAD, CONTROLS))["runs"][0]["invocations"][0]["executionSuccessful"] is True


def test_a_terminal_shows_it_last_with_what_to_do() -> None:
    comparison = compare(BASE, HEAD)
    verdict = decide(Policy(), HEAD, comparison, named_explicitly=False)
    text = Table(controls=CONTROLS, colour=False).render(HEAD, comparison, verdict)
    assert text.startswith("PASSED")
    assert text.endswith(f"\nNot published 1\n  {WORDS}\n            Permit it.\n")
    assert "Not scanned" not in text
