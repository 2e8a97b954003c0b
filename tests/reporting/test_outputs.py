from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from controls.compare import compare
from controls.gate import decide
from model.policy import Policy
from reporting.outputs import render, values
from tests.audits import audit, resource, result

WEB = resource()
BAD = audit([WEB], [result(of=WEB)])


def runner_reads(text: str) -> dict[str, str]:
    """As the runner reads the file (actions/runner, ``FileCommandManager.cs``)."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, _, end = line.partition("<<")
        value = []
        for row in lines:
            if row == end:
                break
            value.append(row)
        found[name] = "\n".join(value)
    return found


def test_every_output_that_action_yml_declares_is_written_and_no_other() -> None:
    declared = yaml.safe_load(Path("action.yml").read_text(encoding="utf-8"))["outputs"]
    verdict = decide(Policy(), BAD, None, named_explicitly=True)
    assert set(values(BAD, None, verdict, None)) == set(declared)


def test_what_needs_a_base_is_empty_without_one_and_never_zero() -> None:
    verdict = decide(Policy(), BAD, None, named_explicitly=True)
    alone = values(BAD, None, verdict, Path("reports"))
    assert (alone["verdict"], alone["introduced"], alone["delta"]) == ("not-compared", "", "")
    assert alone["sarif"] == "reports/results.sarif"
    comparison = compare(audit([WEB]), BAD)
    both = values(BAD, comparison, decide(Policy(), BAD, comparison, named_explicitly=True), None)
    assert (both["verdict"], both["introduced"], both["delta"]) == ("blocked", "1", "+0.0")


@pytest.mark.threat("O8")
def test_no_value_can_forge_another_output() -> None:
    evil = {"audit": "x\nend-0000\nverdict<<E\npassed\nE", "verdict": "blocked"}
    assert runner_reads(render(evil)) == evil
    assert render(evil) != render(evil)
