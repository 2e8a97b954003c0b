"""One screen for one id, and the list of controls, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import cmarkgfm  # type: ignore[import-untyped]
import pytest

from controls import catalogue, lookup
from controls.applicability import PREDICATES
from model.control import Control
from model.lookup import Entry, Explanation
from reporting import control_list, explanation
from reporting.control_words import CONDITIONS, FRAMEWORKS, NOWHERE, applies_to
from reporting.table import WIDTH

KNOWN = catalogue.load()
ENTRIES = lookup.entries(KNOWN, KNOWN.controls.values())
SCREEN = 40
"""Lines of a terminal that is not small."""


def explained(asked: str, form: str = "table", *, colour: bool = False) -> str:
    return explanation.render(form, lookup.explain(KNOWN, asked), colour=colour)


def listed(form: str = "table", entries: tuple[Entry, ...] = ENTRIES, *, colour: bool = False) -> str:
    return control_list.render(form, entries, KNOWN.digest, colour=colour)


def control(id_: str) -> Control:
    return KNOWN.controls[id_]


def test_a_control_is_shown_with_everything_that_people_ask() -> None:
    shown = explained("privileged-container")
    for words in ("critical (weight 16); workload", "main, init, ephemeral", "kube-score", "KSV-0017", "T1611"):
        assert words in shown
    flat = " ".join(shown.split())
    assert control("privileged-container").why in flat
    assert control("privileged-container").remedy in flat


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.control.id)
def test_every_control_fits_on_one_screen_and_the_width_of_reports(entry: Entry) -> None:
    lines = explained(entry.control.id).splitlines()
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) <= WIDTH
    assert "{" not in explained(entry.control.id)


def test_a_rule_that_stands_for_several_controls_shows_all_with_the_text_that_leads_there() -> None:
    shown = explained("container-resources")
    assert re.search(r'"CPU limit is not set" +cpu-limits\n', shown)
    assert re.search(r"\(any other text\) +memory-limits\n", shown)
    assert "low       cpu-requests" in shown


def test_a_rule_that_fails_several_controls_at_once_says_so() -> None:
    assert "stands for 2 controls, each time for all of them" in explained("KSV-0022")


def test_a_rule_that_is_not_ours_shows_the_reason_and_no_control() -> None:
    shown = explained("KUBE-0001")
    assert shown == ("trivy/KUBE-0001 is no control of ours: looks at Terraform resources, never at manifests.\n")


def test_a_control_that_nobody_judges_says_so() -> None:
    unjudged = replace(ENTRIES[0], judges=())
    alone = Explanation(rules=(), references=(), entries=(unjudged,))
    assert "judged by   no scanner yet\n" in explanation.render("table", alone, colour=False)


def test_colours_are_for_terminals_only() -> None:
    assert "\x1b" not in explained("host-pid") + listed()
    assert "\x1b[31mhigh" in explained("host-pid", colour=True)
    assert "\x1b[31mhigh" in listed(colour=True)


def test_json_of_an_explanation_has_rules_references_and_whole_controls() -> None:
    value = json.loads(explained("pod-probes", "json"))
    assert value["schema"] == "hardening-gate/explanation/1"
    assert value["rules"] == [{"scanner": "kube-score", "rule": "pod-probes", "not_ours": None, "remark": None}]
    assert [row["id"] for row in value["controls"]] == ["liveness-probe", "readiness-probe"]
    assert {"why", "remedy", "applies", "references", "rules", "weight"} <= value["controls"][0].keys()


@pytest.mark.parametrize("asked", ["privileged-container", "pod-probes", "KUBE-0001", "T1611", "KSV-0022"])
def test_markdown_of_an_explanation_is_what_it_says(asked: str) -> None:
    html = cmarkgfm.github_flavored_markdown_to_html(explained(asked, "markdown"))
    assert "\\" not in html
    for entry in lookup.explain(KNOWN, asked).entries:
        assert f"<code>{entry.control.id}</code>" in html


def test_the_table_of_controls_is_readable_at_the_width_of_reports() -> None:
    lines = listed().splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[0].startswith(f"{len(ENTRIES)} controls: ")
    assert all(f"  {entry.control.id} " in listed() for entry in ENTRIES)


def test_the_table_without_a_control_says_what_to_do() -> None:
    assert "Next step" in listed(entries=())


def test_json_of_the_list_has_every_control() -> None:
    value = json.loads(listed("json"))
    assert (value["schema"], value["catalogue"]) == ("hardening-gate/controls/1", KNOWN.digest)
    assert {row["id"] for row in value["controls"]} == set(KNOWN.controls)


def test_csv_has_one_row_for_each_control_and_no_cell_that_a_spreadsheet_takes_for_a_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(listed("csv"))))
    assert {row["id"] for row in rows} == set(KNOWN.controls)
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    (limits,) = [row for row in rows if row["id"] == "memory-limits"]
    assert (limits["kube-score"], limits["trivy"]) == ("container-resources", "KSV-0018")


def test_markdown_of_the_list_has_a_row_for_each_control() -> None:
    html = cmarkgfm.github_flavored_markdown_to_html(listed("markdown"))
    assert html.count("<tr>") == len(ENTRIES) + len(control_list.by_category(ENTRIES))


def test_what_a_control_applies_to_is_said_in_words() -> None:
    assert applies_to(control("host-pid")) == "the pod of every object that bears pods"
    assert applies_to(control("kubelet-config-permissions")) == NOWHERE
    assert applies_to(control("audit-log-path")).endswith("where it runs kube-apiserver")


def test_every_condition_and_framework_of_the_catalogue_has_words() -> None:
    assert {name for name in PREDICATES if ":" not in name} <= CONDITIONS.keys()
    assert {name for each in KNOWN.controls.values() for name in each.compliance} <= FRAMEWORKS.keys()
