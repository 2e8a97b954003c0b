"""What a change does to the gate is told by every report that people read, and never folded away."""

from __future__ import annotations

import json
from dataclasses import replace

from controls.compare import compare
from controls.gate import decide, in_emergency
from model.comparison import Comparison
from model.policy import Gate, Policy, PolicyChange
from model.verdict import Emergency
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
    assert "#### Policy: 2 changes, 1 of them for less security\n" in text
    assert "The policy of base has judged this change; what follows counts after the merge." in text
    assert text.index("| `exclude` | none | `payments/**` | **weaker** |") < text.index(
        "| `gate.max_drop` | none | `1` |  |"
    )
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
        assert (4,) in page.columns


def test_hundreds_of_changes_are_cut_with_a_word_about_the_rest() -> None:
    changes = [replace(WEAKER, after=f"p{number}") for number in range(200)]
    text = markdown(compared(*changes))
    assert "200 changes, 200 of them for less security" in text
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
        assert text.startswith("### Passed in an emergency: 50.0 → 50.0 ")
        assert (
            ", set by `alice`, lets it pass. Without it, it would not, because:\n\n- **50\\.0** (`fail_under`" in text
        )
        shown = Table(controls=CONTROLS, colour=False).render(side, compare(side, side), verdict)
        assert shown.startswith("PASSED IN AN EMERGENCY  score 50.0 → 50.0")
        assert ", set by alice, lets it pass. Without it:\n  fail_under: 50.0" in shown
        document = json.loads(comparison_json.dump(side, compare(side, side), verdict))
        assert (document["verdict"], document["exit_code"]) == ("passed", 0)
        assert document["emergency"] == {"label": name, "set_by": "alice", "team": "our/sre"}
