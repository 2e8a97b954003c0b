"""``explain`` and ``controls``: options, filters, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from controls import catalogue, lookup
from model.control import Severity
from model.errors import UsageError
from settings import ControlsSettings, ExplainSettings, parse
from verbs.controls import choose, controls
from verbs.explain import explain

ROOT = Path(__file__).resolve().parents[2]
KNOWN = catalogue.load()
HOME = {"HOME": "/home/dev"}


def wanted(*words: str) -> ControlsSettings:
    read = parse(["controls", *words], HOME, terminals=(False, False))
    assert isinstance(read, ControlsSettings)
    return read


def chosen(*words: str) -> set[str]:
    return {control.id for control in choose(KNOWN, wanted(*words))}


def gate(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "entrypoint.py"), *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_explain_is_read_with_its_format() -> None:
    read = parse(["explain", "KSV-0012", "--format", "json"], HOME, terminals=(False, False))
    assert isinstance(read, ExplainSettings)
    assert (read.id, read.format) == ("KSV-0012", "json")


def test_the_filters_of_controls_are_lists_and_may_be_repeated() -> None:
    read = wanted(
        *("--framework", "cis,mitre", "--scanner", "native", "--scanner", "trivy"),
        *("--severity", "high, low", "--category", "rbac", "--format", "csv"),
    )
    assert (read.frameworks, read.scanners) == (("cis", "mitre"), ("native", "trivy"))
    assert (read.severities, read.categories, read.format) == (("high", "low"), ("rbac",), "csv")


@pytest.mark.parametrize(
    "words",
    [
        ["explain"],
        ["explain", "a", "b"],
        ["explain", "a", "--format", "csv"],
        ["controls", "extra"],
        ["controls", "--format", "sarif"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error(words: list[str]) -> None:
    with pytest.raises(UsageError):
        parse(words, HOME, terminals=(False, False))


def test_without_a_filter_all_controls_are_listed() -> None:
    assert chosen() == set(KNOWN.controls)


def test_each_filter_narrows_and_several_words_of_one_widen() -> None:
    critical, high = chosen("--severity", "critical"), chosen("--severity", "high")
    assert critical
    assert critical.isdisjoint(high)
    assert chosen("--severity", "critical,high") == critical | high
    assert chosen("--severity", "critical", "--category", "rbac") == critical & chosen("--category", "rbac")
    assert all(KNOWN.controls[id_].severity is Severity.CRITICAL for id_ in critical)


def test_a_framework_is_what_it_is_for_scan_restricted_holds_baseline() -> None:
    assert chosen("--framework", "pss-baseline") < chosen("--framework", "pss-restricted")
    assert chosen("--framework", "cis-1.12") < chosen("--framework", "cis")


def test_a_scanner_judges_also_what_only_a_text_of_its_findings_tells() -> None:
    assert "cpu-limits" in chosen("--scanner", "kube-score")
    assert chosen("--scanner", "kube-score") == KNOWN.within_reach(["kube-score"])


@pytest.mark.parametrize(
    ("option", "word", "near"),
    [
        ("--framework", "iso", "cis"),
        ("--scanner", "trivvy", "Did you mean trivy?"),
        ("--severity", "hihg", "Did you mean high?"),
        ("--category", "workloads", "Did you mean workload?"),
    ],
)
def test_a_filter_that_names_what_is_not_there_is_a_usage_error_with_the_nearest(
    option: str, word: str, near: str
) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(option, word)
    assert near in caught.value.remedy


def test_the_list_is_printed_in_the_format_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert controls(wanted("--category", "rbac", "--format", "json")) == 0
    value = json.loads(capsys.readouterr().out)
    assert {row["category"] for row in value["controls"]} == {"rbac"}


def test_an_explanation_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    read = parse(["explain", "ksv012"], HOME, terminals=(False, False))
    assert isinstance(read, ExplainSettings)
    assert explain(read) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("trivy/KSV-0012 stands for run-as-non-root\n")
    assert printed.err == ""


def test_the_program_answers_an_unknown_id_with_exit_2_on_standard_error_alone() -> None:
    run = gate("explain", "x\n::error::owned\x1b[2J")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: there is no control, rule or reference")
    assert "\x1b" not in run.stderr
    assert not re.search(r"(?m)^\s*::", run.stderr)


def test_a_known_id_and_the_list_are_exit_0_with_nothing_on_standard_error() -> None:
    for words in (["explain", "5.2.6"], ["controls"]):
        run = gate(*words)
        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout


def test_every_control_that_a_report_can_name_can_be_explained() -> None:
    made = KNOWN.with_unmapped(["unmapped/polaris/newCheck"])
    assert [entry.control.id for entry in lookup.explain(KNOWN, "unmapped/polaris/newCheck").entries] == list(
        made.keys() - KNOWN.controls.keys()
    )
