from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controls.compare import compare
from controls.gate import decide
from model.audit import Audit, Witness
from model.audit import ResultStatus as Status
from model.comparison import Comparison
from model.control import Severity
from model.policy import Policy
from model.resource import Location, Precision, ResourceRef, Stage
from model.verdict import Reason, Verdict
from reporting.github import Lines, render
from tests.audits import audit, failure, location, resource, result
from tests.reporting.runner import Command, commands
from tests.reporting.test_sarif import CONTROL

CONTROLS = {CONTROL.id: CONTROL}
WEB = resource(earned=1, possible=9)
CLEAN = audit([resource(earned=9, possible=9)])
ATTACKS = (
    "x\n::error::y",
    "x\r::set-output name=verdict::passed",
    "\u00a0::add-mask::fail",
    "x##[set-output name=verdict]passed",
    "##\x1b[0m[add-matcher]/etc/passwd",
    "a,line=1,title=b::c",
    "%0A::error::x",
    "::stop-commands::x",
    "\u2028::error::x",
)


def shown_of(head: Audit, base: Audit | None = None, changed: Lines | None = None) -> list[Command]:
    comparison = compare(base, head) if base else None
    verdict = decide(Policy(), head, comparison, named_explicitly=False)
    return told(head, comparison, verdict, changed)


def told(head: Audit, comparison: Comparison | None, verdict: Verdict, changed: Lines | None = None) -> list[Command]:
    """What the runner makes of them, each within its limits."""
    text = render(head, comparison, verdict, CONTROLS, changed)
    got = commands(text)
    assert len(got) == text.count("\n")
    return got


def test_the_verdict_is_the_first_annotation_with_the_reasons() -> None:
    first = shown_of(audit([WEB], [result(of=WEB)]), CLEAN)[0]
    assert (first.name, first.properties) == ("error", {"title": "hardening-gate"})
    verdict, reason = first.data.splitlines()
    assert verdict == (
        "100.0 → 11.1 (-88.9): 1 introduced, 0 resolved,"
        " blocked because it brings 1 new finding of severity high or above"
    )
    assert reason.startswith("fail_on_new: 1 new finding of severity high or above (limit: none). Fix them")


def test_a_finding_points_at_its_place_and_says_what_to_do() -> None:
    found = shown_of(audit([WEB], [result(of=WEB, location=location(line=12))]), CLEAN)[1]
    assert found == Command(
        name="error",
        properties={
            "file": "web.yaml",
            "line": "12",
            "col": "1",
            "title": "New: Container may start as root (high, run-as-non-root)",
        },
        data="Deployment/-/web container app: may run as root\nFix: Set securityContext.runAsNonRoot to true.",
    )


def test_a_place_of_which_only_the_file_is_known_names_no_line() -> None:
    place = Location(path="chart/web.yaml", line=1, column=1, precision=Precision.FILE)
    found = shown_of(audit([WEB], [result(of=WEB, location=place)]))[1]
    assert set(found.properties) == {"file", "title"}


@pytest.mark.parametrize(
    ("severity", "level"),
    [("critical", "error"), ("high", "error"), ("medium", "warning"), ("low", "notice"), ("info", "notice")],
)
def test_the_level_follows_the_severity(severity: str, level: str) -> None:
    assert shown_of(audit([WEB], [result(of=WEB, severity=Severity(severity))]))[1].name == level


@pytest.mark.threat("O5")
def test_no_level_has_more_than_ten_new_ones_come_first_and_the_rest_is_counted() -> None:
    bearers = [resource(f"web{n:02}") for n in range(60)]
    severities = [Severity.HIGH, Severity.MEDIUM, Severity.LOW]
    found = [result(of=bearer, severity=severities[n % 3]) for n, bearer in enumerate(bearers)]
    got = shown_of(audit(bearers, found), audit(bearers[:30], found[:30]))
    assert Counter(each.name for each in got) == {"error": 10, "warning": 6, "notice": 10}
    assert all(each.properties["title"].startswith("New: ") for each in got[1:-1])
    assert got[-1].data == (
        "Not shown here: 6 more findings, 30 unchanged findings. See the summary of this run, or audit.json."
    )


CHANGED = {"web.yaml": ((10, 12), (20, 20))}


@pytest.mark.parametrize(
    ("line", "is_shown"), [(9, False), (10, True), (12, True), (13, False), (20, True), (21, False)]
)
def test_what_is_new_is_annotated_on_lines_that_the_change_touches(line: int, is_shown: bool) -> None:  # noqa: FBT001 a column
    got = shown_of(audit([WEB], [result(of=WEB, location=location(line=line))]), CLEAN, CHANGED)
    assert ("file" in got[1].properties) is is_shown
    if not is_shown:
        assert got[1].data.startswith("Not shown here: 1 new finding away from the changed lines. See ")


def test_a_file_that_the_change_does_not_touch_has_no_annotation() -> None:
    got = shown_of(audit([WEB], [result(of=WEB)]), CLEAN, {})
    assert [set(each.properties) for each in got] == [{"title"}, {"title"}]


@pytest.mark.parametrize("precision", [Precision.ENCLOSING, Precision.RESOURCE, Precision.FILE])
def test_what_is_absent_has_no_line_of_its_own_and_is_annotated_where_the_file_is_touched(precision: Precision) -> None:
    place = replace(location(line=99), precision=precision)
    head = audit([WEB], [result(of=WEB, location=place)])
    assert shown_of(head, CLEAN, CHANGED)[1].properties["file"] == "web.yaml"
    assert "file" not in shown_of(head, CLEAN, {"other.yaml": ((1, 1),)})[1].properties


def test_findings_of_one_line_are_one_annotation_headed_by_the_worst() -> None:
    controls = {**CONTROLS, "other": replace(CONTROL, id="other", title="Other", remedy="Mend it.")}
    found = [
        result("other", of=WEB, severity=Severity.HIGH, message="is odd"),
        result(of=WEB, severity=Severity.CRITICAL),
        result("other", of=WEB, severity=Severity.MEDIUM, fingerprint="m"),
    ]
    head = audit([WEB], found)
    verdict = decide(Policy(), head, None, named_explicitly=False)
    got = commands(render(head, None, verdict, controls))
    assert [each.properties.get("title") for each in got[1:]] == [
        "Container may start as root (critical, run-as-non-root) and 1 more",
        "Other (medium, other)",
    ]
    assert got[1].data == (
        "Deployment/-/web container app: may run as root\nFix: Set securityContext.runAsNonRoot to true.\n\n"
        "Other (high, other)\nDeployment/-/web container app: is odd\nFix: Mend it."
    )


@pytest.mark.threat("O5")
def test_hundreds_of_findings_of_one_line_are_cut_by_whole_ones_with_a_word_about_the_rest() -> None:
    found = [result(of=WEB, fingerprint=str(n), message=f"adds {n}") for n in range(300)]
    got = shown_of(audit([WEB], found))[1]
    shown = got.data.count("\nFix: Set securityContext.runAsNonRoot to true.")
    assert got.data.endswith(f"true.\n\n… and {300 - shown} more")
    assert 10 < shown < 300
    assert len(got.data) <= 3_000


def test_what_was_there_before_is_only_counted() -> None:
    side = audit([WEB], [result(of=WEB)])
    got = shown_of(side, side, {"web.yaml": ((1, 1),)})
    assert [each.name for each in got] == ["notice", "notice"]
    assert got[1].data.startswith("Not shown here: 1 unchanged finding.")


def test_what_is_no_longer_waived_is_new_and_counted_once() -> None:
    found = result(of=WEB)
    side = audit([WEB], [found])
    comparison = replace(compare(side, side), unwaived=(found,))
    verdict = decide(Policy(), side, comparison, named_explicitly=False)
    got = told(side, comparison, verdict, {"web.yaml": ((1, 1),)})
    assert [each.properties["title"][:5] for each in got] == ["harde", "New: "]


def test_what_base_could_not_show_is_annotated_only_where_the_change_touched_it() -> None:
    seen, blind = audit([WEB], [result(of=WEB)]), audit([], failures=[failure("web.yaml")])
    comparison = compare(blind, seen)
    verdict = decide(Policy(), seen, comparison, named_explicitly=False)
    assert "file" in told(seen, comparison, verdict)[1].properties
    untouched = replace(comparison, untouched=frozenset(each.fingerprint for each in comparison.newly_visible))
    assert "1 new finding away" in told(seen, untouched, verdict)[1].data


def test_what_could_not_be_published_is_no_annotation_here() -> None:
    got = shown_of(audit([WEB], [], [failure(".", stage=Stage.PUBLISH)]), CLEAN)
    assert [each.name for each in got] == ["notice"]


@pytest.mark.threat("O5")
def test_no_message_is_longer_than_the_runner_takes() -> None:
    wide = "\U0001f980%\n" * 5_000
    bearer = resource(ref=ResourceRef(group="", kind=wide, namespace=wide, name=wide))
    found = result(of=bearer, message=wide, container=wide)
    verdict = decide(Policy(), audit([bearer], [found]), None, named_explicitly=False)
    verdict = replace(verdict, reasons=(Reason(rule=wide, number=wide, limit=wide, remedy=wide),) * 20)
    for each in told(audit([bearer], [found], [failure(wide, reason=wide, remedy=wide)]), None, verdict):
        assert len(each.data) <= 4_096


def test_what_was_not_scanned_comes_before_findings_and_leaves_them_room() -> None:
    failures = [failure(f"{n}.yaml", line=3, scanner="trivy") for n in range(9)]
    got = shown_of(audit([WEB], [result(of=WEB)], failures))
    assert [each.properties["title"] for each in got[1:5]] == ["Not scanned"] * 4
    assert got[1].properties == {"file": "0.yaml", "line": "3", "title": "Not scanned"}
    assert got[1].data == "trivy: it does not parse\nNext: Mend it."
    assert got[5].properties["file"] == "web.yaml"
    assert got[-1].data == "Not shown here: 5 more items not scanned. See the summary of this run, or audit.json."


def test_a_finding_of_several_places_of_one_file_is_one_annotation_each() -> None:
    found = [result(of=WEB, location=location(line=n), fingerprint=str(n)) for n in (1, 2)]
    assert [each.properties["line"] for each in shown_of(audit([WEB], found))[1:]] == ["1", "2"]


hostile = st.one_of(st.sampled_from(ATTACKS), st.text(max_size=40), st.text(":#[]%,=\r\n \u00a0\u2028ab"))


@given(name=hostile, path=hostile, message=hostile)
@pytest.mark.threat("O6")
def test_the_runner_sees_our_annotations_and_nothing_else(name: str, path: str, message: str) -> None:
    bearer = resource(ref=ResourceRef(group="", kind=name, namespace=name, name=name), location=location(path))
    witness = Witness(scanner=name, rule=name, verdict=Status.FAILED, message=message)
    found = result(of=bearer, container=name, message=message, location=location(path), witnesses=(witness,))
    got = shown_of(audit([bearer], [found], [failure(path, reason=message, remedy=name, scanner=name)]))
    assert [(each.name, each.legacy) for each in got] == [("error", False)] * 3
    assert [set(each.properties) for each in got] == [{"title"}, {"file", "title"}, {"file", "line", "col", "title"}]
