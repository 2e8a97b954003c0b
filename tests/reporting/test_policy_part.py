"""What a change does to the gate is told by every report that people read, and never folded away."""

from __future__ import annotations

import json
from dataclasses import replace

from controls.compare import compare
from controls.gate import decide, in_emergency
from model.comparison import Comparison
from model.policy import Gate, Policy, PolicyChange
from model.verdict import Emergency, Reason, Unconfirmed
from reporting import comparison_json
from reporting.markdown import render
from reporting.table import Table
from tests.audits import audit, resource
from tests.reporting.rendered import ATTACKS, Rendered
from tests.reporting.test_sarif import CONTROL

CONTROLS = {CONTROL.id: CONTROL}
STRICTER = PolicyChange(key="gate.max_drop", before="", after="1", weakens=False)
WEAKER = PolicyChange(key="exclude", before="", after="payments/**", weakens=True)


def compared(*changes: PolicyChange, of: str = "base") -> Comparison:
    side = audit([resource()])
    return replace(compare(side, side), policy_changes=changes, policy_of=of)


def markdown(comparison: Comparison) -> str:
    verdict = decide(Policy(), comparison.head, comparison, named_explicitly=False)
    return render(comparison.head, comparison, verdict, CONTROLS)


def table(comparison: Comparison) -> str:
    verdict = decide(Policy(), comparison.head, comparison, named_explicitly=False)
    return Table(controls=CONTROLS, colour=False).render(comparison.head, comparison, verdict)


def test_without_a_change_nothing_is_said() -> None:
    assert "olicy" not in markdown(compared())
    assert "Policy" not in table(compared())


def test_what_weakens_stands_first_with_both_values_and_when_it_counts() -> None:
    text = markdown(compared(STRICTER, WEAKER))
    assert "#### This changes the policy: 2 settings, 1 for less security\n" in text
    assert "The policy of the base branch has judged this change. What follows counts after the merge." in text
    assert "- **weaker:** `exclude`: none → `payments/**`\n- `gate.max_drop`: none → `1`\n" in text
    assert "counts already" in markdown(compared(WEAKER, of="head"))


def test_a_terminal_shows_the_same() -> None:
    text = table(compared(STRICTER, WEAKER))
    assert "Policy 2 changes; counts after the merge\n" in text
    assert text.index("weaker    exclude: none → payments/**") < text.index("gate.max_drop: none → 1")


def test_programs_read_it_in_the_comparison() -> None:
    comparison = compared(WEAKER)
    verdict = decide(Policy(), comparison.head, comparison, named_explicitly=False)
    document = json.loads(comparison_json.dump(comparison.head, comparison, verdict))
    assert document["policy_changes"] == [{"key": "exclude", "base": "", "head": "payments/**", "weakens": True}]
    assert json.loads(comparison_json.dump(comparison.head, None, verdict))["policy_changes"] is None


def test_text_of_a_configuration_is_data() -> None:
    for attack in ATTACKS:
        change = PolicyChange(key=f"controls.{attack}", before=attack, after=attack, weakens=True)
        page = Rendered(markdown(compared(change)))
        assert page.led_astray() == [], attack


def test_hundreds_of_changes_are_cut_with_a_word_about_the_rest() -> None:
    changes = [replace(WEAKER, after=f"p{number}") for number in range(200)]
    text = markdown(compared(*changes))
    assert "200 settings, 200 for less security" in text
    assert "more changes: see `comparison.json`." in text


def test_what_was_compared_is_said_and_no_name_of_a_branch_gets_through() -> None:
    comparison = compared()
    for attack in ("Compared with commit 1a2b3c: main", *ATTACKS):
        verdict = replace(decide(Policy(), comparison.head, comparison, named_explicitly=False), remarks=(attack,))
        page = Rendered(render(comparison.head, comparison, verdict, CONTROLS))
        assert page.led_astray() == [], attack
        document = json.loads(comparison_json.dump(comparison.head, comparison, verdict))
        assert document["remarks"] == [attack]
        text = Table(controls=CONTROLS, colour=False).render(comparison.head, comparison, verdict)
        assert "\n::" not in text
        assert "\x1b" not in text


def test_what_passed_by_a_label_says_so_everywhere_with_what_would_have_blocked() -> None:
    policy = Policy(gate=Gate(fail_under=100))
    side = audit([resource(earned=1, possible=2)])
    for name in ("emergency", *(attack for attack in ATTACKS if attack.strip())):
        stopped = decide(policy, side, compare(side, side), named_explicitly=False)
        verdict = in_emergency(stopped, Emergency(label=name, set_by="alice", team="our/sre"))
        text = render(side, compare(side, side), verdict, CONTROLS)
        assert Rendered(text).led_astray() == []
        assert text.startswith(
            "### ⚠️ 50.0 → 50.0 (+0.0): 0 introduced, 0 resolved, passed in an emergency although the "
        )
        assert (
            ", set by `alice` of the team `our/sre`, lets it pass. Without it, this would stand in the way:\n\n"
            "- **The score is 50.0 and has to be at least 100** (`fail_under`). Raise" in text
        )
        shown = Table(controls=CONTROLS, colour=False).render(side, compare(side, side), verdict)
        assert shown.startswith("PASSED IN AN EMERGENCY  score 50.0 → 50.0")
        assert ", set by alice of the team our/sre, lets it pass. Without it:\n  fail_under: 50.0" in shown
        document = json.loads(comparison_json.dump(side, compare(side, side), verdict))
        assert (document["verdict"], document["exit_code"]) == ("passed", 0)
        assert document["emergency"] == {"label": name, "set_by": "alice", "team": "our/sre"}


def test_a_label_that_does_not_count_is_a_reason_with_what_to_do_and_none_of_its_text_gets_through() -> None:
    side = audit([resource(earned=1, possible=2)])
    stopped = decide(Policy(gate=Gate(fail_under=100)), side, compare(side, side), named_explicitly=False)
    for word in ("emergency", *(attack for attack in ATTACKS if attack.strip())):
        claim = Unconfirmed(label=word, set_by=word, reason=word, remedy=word)
        text = render(side, compare(side, side), in_emergency(stopped, claim), CONTROLS)
        assert Rendered(text).led_astray() == [], word
        assert "- **The label for emergencies does not count**: " in text
        assert text.startswith(
            "### ❌ 50.0 → 50.0 (+0.0): 0 introduced, 0 resolved, blocked because the score is 50.0 "
        )


def test_a_configuration_that_is_not_valid_is_told_in_its_words() -> None:
    side = audit([resource()])
    objection = Reason(rule="configuration", number="line 3: no such key", limit="a valid one", remedy="Mend it.")
    verdict = decide(Policy(), side, compare(side, side), named_explicitly=False, objections=[objection])
    text = render(side, compare(side, side), verdict, CONTROLS)
    assert "- **Its configuration is not valid**: `line 3: no such key` (`configuration`). `Mend it.`\n" in text
