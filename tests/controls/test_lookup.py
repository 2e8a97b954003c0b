"""What people type in place of a control, and what it leads to."""

from __future__ import annotations

import json

import pytest

from controls import catalogue, lookup
from controls.catalogue import DATA, RULES_FILE
from model.control import Severity
from model.errors import UsageError
from model.lookup import Explanation, KnownRule

KNOWN = catalogue.load()
CONTROLS = KNOWN.controls
RULES = sorted({*KNOWN.aliases, *KNOWN.routes, *KNOWN.not_ours})
NORMALISE = json.loads((DATA / RULES_FILE).read_bytes())["normalise"]


def explain(asked: str) -> Explanation:
    return lookup.explain(KNOWN, asked)


def ids(asked: str) -> set[str]:
    return {entry.control.id for entry in explain(asked).entries}


@pytest.mark.parametrize("id_", sorted(CONTROLS))
def test_every_control_leads_to_itself_in_any_case(id_: str) -> None:
    assert id_ in ids(id_)
    assert ids(id_) == ids(id_.upper())


@pytest.mark.parametrize(("scanner", "rule"), RULES)
def test_every_rule_of_every_scanner_leads_to_its_controls_or_says_why_not(scanner: str, rule: str) -> None:
    found = explain(f"{scanner}/{rule}")
    assert [(row.scanner, row.rule) for row in found.rules] == [(scanner, rule)]
    assert {entry.control.id for entry in found.entries} == set(KNOWN.of_passed(scanner, rule))
    assert bool(found.entries) is not bool(found.rules[0].not_ours)


@pytest.mark.parametrize(
    "asked",
    [
        "KSV-0012",
        "ksv-0012",
        "KSV012",
        "KSV12",
        "AVD-KSV-0012",
        "avd-ksv-0012",
        "trivy/KSV012",
        " KSV-0012 ",
        "TRIVY/KSV12",
    ],
)
def test_a_rule_of_trivy_is_found_in_every_spelling(asked: str) -> None:
    assert ids(asked) == {"run-as-non-root"}


@pytest.mark.parametrize("asked", ["runasrootallowed", "runAsRootAllowed", "polaris/RUNASROOTALLOWED"])
def test_a_rule_of_polaris_is_found_in_any_case(asked: str) -> None:
    assert ids(asked) == {"run-as-non-root"}


@pytest.mark.parametrize("asked", ["container-image-tag", "Container Image Tag", "kube-score/container-image-tag"])
def test_a_rule_of_kube_score_is_found_by_its_id_and_its_name(asked: str) -> None:
    assert ids(asked) == {"image-tag"}


def test_a_spelling_that_meant_another_rule_once_leads_to_both_and_says_so() -> None:
    assert explain("KSV0012").rules == (
        KnownRule(scanner="trivy", rule="KSV-0012"),
        KnownRule(scanner="trivy", rule="KCV-0012", remark="written KSV0012 by older versions"),
    )


@pytest.mark.parametrize("old", sorted(NORMALISE["trivy"]["exceptions"]))
def test_every_exception_of_the_data_is_found(old: str) -> None:
    assert NORMALISE["trivy"]["exceptions"][old] in {row.rule for row in explain(old).rules}


def test_a_place_in_a_framework_leads_to_the_controls_that_serve_it() -> None:
    assert "privileged-container" in ids("T1611")
    assert {row.framework for row in explain("cis/5.2.6").references} == {"cis-1.10", "cis-1.12"}
    assert [row.framework for row in explain("CIS-1.12/5.2.6").references] == ["cis-1.12"]
    assert ids("pod-security/non-root") == ids("nsa-cisa/pod-security/non-root")


def test_an_id_that_is_a_rule_and_a_reference_shows_both() -> None:
    found = explain("procMount")
    assert [row.scanner for row in found.rules] == ["polaris"]
    assert [row.framework for row in found.references] == ["pss-baseline"]


def test_one_of_our_own_rules_is_its_control_unless_it_is_asked_for() -> None:
    assert explain("image-tag").rules == ()
    assert [row.scanner for row in explain("native/image-tag").rules] == ["native"]


def test_a_rule_that_the_catalogue_does_not_know_is_explained_as_reports_name_it() -> None:
    (entry,) = explain("unmapped/trivy/KSV-9999").entries
    assert (entry.control.unmapped, entry.judges[0].rule) == (True, "KSV-9999")
    assert ids("unmapped/trivy/KSV-0012") == {"run-as-non-root"}


def test_entries_are_sorted_worst_first_and_name_every_judge() -> None:
    rows = lookup.entries(KNOWN, CONTROLS.values())
    order = [(list(Severity).index(row.control.severity), row.control.id) for row in rows]
    assert order == sorted(order)
    (limits,) = [row for row in rows if row.control.id == "cpu-limits"]
    texts = [judge.contains for judge in limits.judges if judge.scanner == "kube-score"]
    assert texts == ["CPU limit is not set"]


def test_a_text_that_makes_no_difference_is_not_shown() -> None:
    (entry,) = explain("container-security-context-readonlyrootfilesystem").entries
    assert not any(judge.contains for judge in entry.judges)


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("privileged-containr", "privileged-container"),
        ("polaris/runAsRoot", "runAsRootAllowed"),
        ("KSV-9999", "KSV-"),
        ("root-group-", "root-group"),
    ],
)
def test_an_unknown_id_is_answered_with_the_nearest(asked: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        explain(asked)
    assert near in caught.value.remedy
    assert "hardening-gate controls" in caught.value.remedy


@pytest.mark.parametrize(
    "asked",
    [
        "",
        " ",
        "/",
        "trivy/",
        "/KSV-0012",
        "unmapped/",
        "unmapped/x/y",
        "unmapped/trivy/a`b",
        "KSV" + "1" * 9999,
        "\ud800",
    ],
)
def test_what_nobody_has_is_a_usage_error_and_nothing_worse(asked: str) -> None:
    with pytest.raises(UsageError):
        explain(asked)
