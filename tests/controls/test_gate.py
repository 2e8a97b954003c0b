from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controls.assemble import digest
from controls.compare import compare
from controls.gate import decide, in_emergency
from model.audit import Audit, ResultStatus
from model.control import Severity
from model.policy import AllowIncomplete, BreakGlass, Gate, PathGate, Policy, UnusedWaivers, Waiver
from model.resource import Source, SourceKind, Stage
from model.verdict import Emergency, Unconfirmed, Verdict, VerdictWord
from tests.audits import audit, failure, location, resource, result

OPEN = Gate(fail_on_new=None)


def alone(gate: Gate, head: Audit) -> Verdict:
    return decide(Policy(gate=gate), head, None, named_explicitly=False)


def against(gate: Gate, base: Audit, head: Audit) -> Verdict:
    return decide(Policy(gate=gate), head, compare(base, head), named_explicitly=False)


def test_the_default_gate_blocks_a_new_high_finding_and_lets_old_ones_be() -> None:
    web = resource()
    bad = audit([web], [result(of=web)])
    blocked = against(Gate(), audit([web]), bad)
    assert (blocked.word, blocked.exit_code) == (VerdictWord.BLOCKED, 1)
    assert [reason.rule for reason in blocked.reasons] == ["fail_on_new"]
    assert blocked.reasons[0].number == "1 new finding of severity high or above"
    assert blocked.blocking == bad.results
    assert against(Gate(), bad, bad).word is VerdictWord.PASSED


def test_a_new_medium_finding_passes_the_default_gate() -> None:
    web = resource()
    assert against(Gate(), audit([web]), audit([web], [result(of=web, severity=Severity.MEDIUM)])).exit_code == 0


def test_without_a_base_findings_do_not_block_unless_an_absolute_rule_says_so() -> None:
    head = audit([resource()], [result()])
    assert (alone(Gate(), head).word, alone(Gate(), head).exit_code) == (VerdictWord.NOT_COMPARED, 0)
    assert alone(Gate(fail_on=Severity.HIGH), head).exit_code == 1
    assert alone(Gate(fail_on=Severity.CRITICAL), head).word is VerdictWord.PASSED


@pytest.mark.parametrize(("limit", "code"), [(50, 0), (50.1, 1), (49.9, 0)])
def test_the_floor_is_exact_to_the_tenth(limit: float, code: int) -> None:
    head = audit([resource(earned=1, possible=2)])
    assert alone(Gate(fail_under=limit), head).exit_code == code


def test_a_score_that_only_rounds_up_to_the_floor_is_under_it() -> None:
    verdict = alone(Gate(fail_under=100), audit([resource(earned=9999, possible=10000)]))
    assert verdict.exit_code == 1
    assert (verdict.reasons[0].number, verdict.reasons[0].limit) == ("99.9", "at least 100")
    assert verdict.reasons[0].remedy == "Raise the score by 0.1 points."


def test_the_patch_floor_looks_at_what_changed_only() -> None:
    old, new = resource("old", earned=0, possible=10), resource("new", earned=9, possible=10)
    gate = Gate(fail_under_patch=90, fail_on_new=None)
    assert against(gate, audit([old]), audit([new, old])).exit_code == 0
    assert against(gate, audit([old]), audit([resource("new", earned=8, possible=10), old])).exit_code == 1
    assert against(gate, audit([old]), audit([old])).exit_code == 0


def test_a_drop_is_measured_in_points() -> None:
    before, after = audit([resource(earned=80, possible=100)]), audit([resource(earned=79, possible=100)])
    assert against(Gate(max_drop=1, fail_on_new=None), before, after).exit_code == 0
    verdict = against(Gate(max_drop=0.5, fail_on_new=None), before, after)
    assert verdict.exit_code == 1
    assert verdict.reasons[0].number == "1.0"
    assert verdict.reasons[0].remedy == "Win back 0.5 points."


def test_what_is_unscanned_is_incomplete_and_incomplete_wins_over_blocked() -> None:
    head = audit([resource()], [result()], [failure()])
    verdict = alone(Gate(fail_on=Severity.HIGH), head)
    assert (verdict.word, verdict.exit_code) == (VerdictWord.INCOMPLETE, 3)
    assert [reason.rule for reason in verdict.reasons] == ["allow_incomplete", "fail_on"]


def test_existing_unscanned_items_pass_until_they_are_touched() -> None:
    base = audit([resource()], failures=[failure()])
    assert against(OPEN, base, base).exit_code == 0
    touched = audit([resource()], failures=[failure(digest="sha256:touched")])
    assert against(OPEN, base, touched).exit_code == 3
    assert against(OPEN, audit([resource()]), base).exit_code == 3


def test_a_scanner_that_looked_at_nothing_on_both_sides_is_not_existing_but_broken() -> None:
    both = audit([resource()], failures=[failure(".", stage=Stage.SCAN, scanner="trivy", source=None)])
    assert against(OPEN, both, both).exit_code == 3


def test_allow_incomplete_none_blocks_old_ones_too_and_all_blocks_none() -> None:
    base = audit([resource()], failures=[failure()])
    assert against(Gate(fail_on_new=None, allow_incomplete=AllowIncomplete.NONE), base, base).exit_code == 3
    assert alone(Gate(allow_incomplete=AllowIncomplete.ALL), base).exit_code == 0


def test_a_failure_to_publish_leaves_nothing_unscanned() -> None:
    assert alone(Gate(), audit([resource()], failures=[failure(stage=Stage.PUBLISH)])).exit_code == 0


def test_newly_visible_findings_count_as_new_where_the_change_touched_them() -> None:
    web = resource()
    base = audit(failures=[failure(web.location.path)])
    assert against(Gate(), base, audit([web], [result(of=web)])).exit_code == 1


def test_nothing_to_scan_passes_when_it_was_searched_for_and_not_when_it_was_named() -> None:
    searched = decide(Policy(), audit(), None, named_explicitly=False)
    named = decide(Policy(), audit(), None, named_explicitly=True)
    assert (searched.word, searched.exit_code) == (VerdictWord.NOTHING_TO_SCAN, 0)
    assert (named.word, named.exit_code) == (VerdictWord.NOTHING_TO_SCAN, 3)


def test_a_head_that_deletes_everything_is_compared() -> None:
    web = resource()
    assert against(Gate(), audit([web], [result(of=web)]), audit()).word is VerdictWord.PASSED


def beside(path: str, **thresholds: Any) -> Policy:
    return Policy(gate=OPEN, gates=(PathGate(paths=(path,), **thresholds),))


def test_a_gate_of_its_own_decides_about_its_paths_only() -> None:
    shop = resource("shop", earned=1, possible=2, location=location("charts/shop/x.yaml"))
    pay = resource("pay", earned=9, possible=10, location=location("charts/payments/x.yaml"))
    head = audit([shop, pay])
    strict = decide(beside("charts/payments/**", fail_under=95), head, None, named_explicitly=False)
    assert (strict.exit_code, strict.reasons[0].rule) == (1, "fail_under of charts/payments/**")
    assert (strict.reasons[0].number, strict.reasons[0].limit) == ("90.0", "at least 95")
    assert decide(beside("charts/payments/**", fail_under=90), head, None, named_explicitly=False).exit_code == 0


def test_a_gate_of_its_own_asks_about_new_findings_patch_and_drop_there() -> None:
    shop = resource("shop", location=location("charts/shop/x.yaml"))
    pay, worse = (resource("pay", earned=n, possible=2, location=location("charts/payments/x.yaml")) for n in (2, 1))
    low = result(of=worse, severity=Severity.LOW)
    comparison = compare(audit([shop, pay]), audit([shop, worse], [low]))
    for thresholds in ({"fail_on_new": Severity.LOW}, {"max_drop": 49}, {"fail_under_patch": 51}):
        there = decide(beside("charts/payments/**", **thresholds), comparison.head, comparison, named_explicitly=False)
        assert there.exit_code == 1
        elsewhere = decide(beside("charts/shop/**", **thresholds), comparison.head, comparison, named_explicitly=False)
        assert elsewhere.exit_code == 0


@pytest.mark.threat("S6")
def test_what_moves_under_a_gate_of_its_own_is_new_there() -> None:
    before, after = (
        resource("pay", location=location(f"{folder}/x.yaml")) for folder in ("examples", "charts/payments")
    )
    comparison = compare(audit([before], [result(of=before)]), audit([after], [result(of=after)]))
    assert (comparison.introduced, len(comparison.moved)) == ((), 1)
    there = beside("charts/payments/**", fail_on_new=Severity.HIGH)
    assert decide(there, comparison.head, comparison, named_explicitly=False).exit_code == 1
    elsewhere = beside("examples/**", fail_on_new=Severity.HIGH)
    assert decide(elsewhere, comparison.head, comparison, named_explicitly=False).exit_code == 0


@pytest.mark.threat("S6")
def test_what_leaves_a_waiver_counts_as_new_though_it_was_there() -> None:
    web = resource()
    waived, failed = (result(of=web, status=status) for status in (ResultStatus.WAIVED, ResultStatus.FAILED))
    comparison = compare(audit([web], [waived]), audit([web], [failed]))
    assert (comparison.introduced, comparison.persisting, comparison.unwaived) == ((), (failed,), (failed,))
    verdict = decide(Policy(), comparison.head, comparison, named_explicitly=False)
    assert (verdict.exit_code, verdict.blocking) == (1, (failed,))
    assert against(Gate(), audit([web], [failed]), audit([web], [waived])).exit_code == 0


def test_what_base_could_not_show_does_not_count_where_its_files_are_the_same() -> None:
    web = resource()
    comparison = compare(audit(failures=[failure("web.yaml")]), audit([web], [result(of=web)]))
    assert len(comparison.newly_visible) == 1
    assert decide(Policy(), comparison.head, comparison, named_explicitly=False).exit_code == 1
    same = replace(comparison, untouched=frozenset({comparison.newly_visible[0].fingerprint}))
    assert decide(Policy(), same.head, same, named_explicitly=False).exit_code == 0


def test_a_chart_lies_under_its_folder_wherever_its_files_are_reported() -> None:
    chart = Source(id="charts/pay", kind=SourceKind.HELM, path="charts/pay", name="pay", kube_version="1.34")
    web = resource(source=chart.id, location=location("library/_pod.tpl"))
    head = replace(audit([web]), sources=(chart,))
    assert decide(beside("charts/pay/**", fail_under=51), head, None, named_explicitly=False).exit_code == 1


@pytest.mark.parametrize(
    ("field", "named", "code"),
    [
        ("expired_waivers", False, 1),
        ("expired_waivers", True, 1),
        ("unused_waivers", False, 1),
        ("unused_waivers", True, 0),  # what it is about may lie elsewhere
    ],
)
def test_waivers_without_use_block_where_the_policy_says_so(field: str, named: bool, code: int) -> None:  # noqa: FBT001
    waiver = Waiver(control="host-network", resource="", reason="x", owner="@me")
    told: dict[str, Any] = {field: (waiver,)}
    head = replace(audit([resource()]), **told)
    blocking = Policy(gate=OPEN, unused_waivers=UnusedWaivers.BLOCK)
    assert decide(blocking, head, None, named_explicitly=named).exit_code == code
    assert decide(Policy(gate=OPEN), head, None, named_explicitly=named).exit_code == 0


URGENT = BreakGlass(label="break-glass")
SET = Emergency(label="Break-Glass", set_by="alice", team="our-org/sre")


def stopped(head: Audit | None = None) -> Verdict:
    policy = Policy(gate=Gate(fail_on=Severity.HIGH), break_glass=URGENT)
    return decide(policy, head or audit([resource()], [result()]), None, named_explicitly=True)


def test_a_label_for_emergencies_that_is_confirmed_lets_pass_and_keeps_the_reasons() -> None:
    verdict = in_emergency(stopped(), SET)
    assert (verdict.word, verdict.exit_code, verdict.emergency) == (VerdictWord.PASSED, 0, SET)
    assert [reason.rule for reason in verdict.reasons] == ["fail_on"]
    assert verdict.blocking


@pytest.mark.parametrize("head", [audit([resource()], failures=[failure()]), audit()])
def test_the_label_lets_what_is_incomplete_pass_too(head: Audit) -> None:
    assert stopped(head).exit_code == 3
    assert in_emergency(stopped(head), SET).exit_code == 0


def test_what_passes_anyway_is_no_emergency() -> None:
    verdict = stopped(audit([resource()]))
    assert in_emergency(verdict, SET) == verdict
    refused = Unconfirmed(label="break-glass", set_by=None, reason="x", remedy="Y.")
    assert in_emergency(verdict, refused) == verdict


def test_a_label_that_nobody_has_confirmed_lets_nothing_pass_and_says_why() -> None:
    refused = Unconfirmed(
        label="break-glass", set_by="mallory", reason="mallory is in none of the teams", remedy="Ask."
    )
    verdict = in_emergency(stopped(), refused)
    assert (verdict.word, verdict.exit_code, verdict.emergency) == (VerdictWord.BLOCKED, 1, None)
    assert [reason.rule for reason in verdict.reasons] == ["fail_on", "break_glass"]
    assert "mallory" in verdict.reasons[-1].number
    assert verdict.reasons[-1].limit == "mallory is in none of the teams"


def test_a_way_out_is_no_part_of_what_judges() -> None:
    assert digest(Policy(break_glass=URGENT)) == digest(Policy())
