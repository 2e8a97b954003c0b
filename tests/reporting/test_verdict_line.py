"""One line says how the score moves, what came and went, the verdict and why; it holds no word of a pull request."""

from __future__ import annotations

import pytest

from controls.compare import compare
from controls.gate import decide, in_emergency
from model.audit import Audit
from model.control import Severity
from model.policy import Gate, PathGate, Policy, UnusedWaivers, Waiver
from model.verdict import Emergency, Reason, Unconfirmed
from reporting.verdict_line import CLAUSES, QUOTING, because, verdict_line
from tests.audits import audit, failure, resource, result
from tests.reporting.rendered import ATTACKS

WEB = resource(earned=1, possible=9)
CLEAN = audit([resource(earned=9, possible=9)])
HEAD = audit([WEB], [result(of=WEB)])


def line(gate: Gate, head: Audit = HEAD, base: Audit | None = CLEAN, gates: tuple[PathGate, ...] = ()) -> str:
    comparison = compare(base, head) if base else None
    return verdict_line(
        head, comparison, decide(Policy(gate=gate, gates=gates), head, comparison, named_explicitly=False)
    )


def why(gate: Gate, head: Audit = HEAD, base: Audit | None = CLEAN, gates: tuple[PathGate, ...] = ()) -> str:
    return line(gate, head, base, gates).partition(" because ")[2]


NOTHING = Gate(fail_on_new=None)


def test_scores_come_first_then_what_came_and_went_then_the_verdict() -> None:
    assert line(NOTHING) == "100.0 → 11.1 (-88.9): 1 introduced, 0 resolved, passed"
    assert line(NOTHING, base=None) == "Score 11.1: 1 finding, not compared"


def test_the_first_reason_is_told_in_words_and_the_others_are_counted() -> None:
    assert why(Gate(fail_on_new=None, fail_under=90)) == "the score is 11.1 and has to be at least 90"
    assert why(Gate(fail_on_new=None, max_drop=1)) == "the score drops by 88.9 points, and may by at most 1"
    assert why(Gate(fail_on_new=None, fail_under_patch=50)) == (
        "what it adds or alters scores 11.1 and has to score at least 50"
    )
    assert why(Gate(fail_under=90, max_drop=1)).endswith(", and 2 more reasons")
    assert why(Gate(fail_under=90)).endswith(", and 1 more reason")


def test_how_bad_findings_are_is_told() -> None:
    assert "high or above" in why(Gate(fail_on=Severity.HIGH, fail_on_new=None))
    assert "high or above" in why(Gate(fail_on_new=Severity.HIGH))


def test_what_was_not_scanned_is_a_reason_or_a_remark_and_never_both() -> None:
    broken = audit([WEB], failures=[failure(), failure("b.yaml")])
    assert line(NOTHING, broken).endswith(", incomplete because it leaves 2 items not scanned")
    assert line(NOTHING, broken, broken).endswith(", passed; 2 items not scanned")


def test_a_rule_for_some_paths_names_no_path() -> None:
    gates = (PathGate(paths=("web.yaml", "`**/*.yaml`"), fail_under=90),)
    assert why(NOTHING, gates=gates) == "the score is 11.1 and has to be at least 90, in a part of the tree"


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack.strip()])
@pytest.mark.threat("O1", "O6")
def test_no_word_of_a_configuration_a_label_or_a_login_gets_into_the_line(attack: str) -> None:
    objection = Reason(rule="configuration", number=attack, limit=attack, remedy=attack)
    comparison = compare(CLEAN, HEAD)
    verdict = decide(Policy(gate=NOTHING), HEAD, comparison, named_explicitly=False, objections=[objection])
    claim = Unconfirmed(label=attack, set_by=attack, reason=attack, remedy=attack)
    assert verdict_line(HEAD, comparison, in_emergency(verdict, claim)) == (
        "100.0 → 11.1 (-88.9): 1 introduced, 0 resolved, blocked because its configuration is not valid,"
        " and 1 more reason"
    )
    passed = in_emergency(verdict, Emergency(label=attack, set_by=attack, team=attack))
    assert verdict_line(HEAD, comparison, passed).endswith(
        ", passed in an emergency although its configuration is not valid"
    )


def test_every_rule_of_the_gate_has_words_of_its_own() -> None:
    waiver = Waiver(control="c", resource="", reason="r", owner="o")
    strict = Gate(fail_under=100, fail_under_patch=100, max_drop=0, fail_on=Severity.INFO, fail_on_new=Severity.INFO)
    policy = Policy(gate=strict, unused_waivers=UnusedWaivers.BLOCK)
    whole = audit([WEB], [result(of=WEB)], expired_waivers=(waiver,))
    broken = audit([WEB], failures=[failure()])
    reasons = [
        reason
        for head in (whole, broken)
        for reason in decide(policy, head, compare(CLEAN, head), named_explicitly=False).reasons
    ]
    assert {reason.rule for reason in reasons} == set(CLAUSES) - QUOTING
    assert all("a rule of the gate" not in because(reason) for reason in reasons)


def test_a_rule_without_words_is_still_a_reason() -> None:
    assert because(Reason(rule="new", number="1", limit="0", remedy="Mend it.")) == "a rule of the gate is not met"


def test_with_nothing_to_scan_the_line_says_where() -> None:
    verdict = decide(Policy(), audit(), None, named_explicitly=True)
    assert verdict_line(audit(), None, verdict) == (
        "Nothing to scan: there is no Kubernetes manifest under a path that was named"
    )
