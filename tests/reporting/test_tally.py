from __future__ import annotations

from controls.compare import compare
from model.audit import ResultStatus, Score
from model.control import Severity
from reporting.tally import by_control, by_source, lost
from tests.audits import MANIFESTS, audit, location, resource, result


def test_a_control_costs_its_weight_once_on_each_subject() -> None:
    head = audit([resource()])
    results = [
        result(),
        result(field="x.add[1]", location=location(line=2)),
        result(container="sidecar"),
        result("image-tag", severity=Severity.MEDIUM),
        result("waived", status=ResultStatus.WAIVED),
        result("unmapped/trivy/x", severity=Severity.CRITICAL),
    ]
    assert lost(results, head) == {"run-as-non-root": 16, "image-tag": 4}


def test_what_is_not_scored_costs_nothing() -> None:
    test_pod = resource(earned=0, possible=0)
    assert lost([result(of=test_pod)], audit([test_pod])) == {}


def test_what_controls_cost_is_what_the_score_has_lost() -> None:
    web = resource(earned=5, possible=17)
    head = audit([web], [result(of=web), result("b", of=web, severity=Severity.MEDIUM)])
    assert sum(tally.after for tally in by_control(head, None)) == head.score.possible - head.score.earned


def test_controls_of_either_side_are_listed_what_changed_most_first() -> None:
    base = audit([resource()], [result("gone"), result("both", severity=Severity.LOW)])
    head = audit([resource()], [result("both", severity=Severity.LOW), result("new", severity=Severity.MEDIUM)])
    tallies = by_control(head, compare(base, head))
    assert [(tally.control, tally.before, tally.after) for tally in tallies] == [
        ("gone", 8, 0),
        ("new", 0, 4),
        ("both", 1, 1),
    ]


def test_a_source_has_the_sum_of_its_objects_on_both_sides() -> None:
    base = audit([resource(earned=1, possible=2), resource("api", earned=1, possible=1)])
    head = audit([resource(earned=2, possible=2)])
    (tally,) = by_source(head, compare(base, head))
    assert tally.source == MANIFESTS
    assert (tally.before, tally.after) == (Score(earned=2, possible=3), Score(earned=2, possible=2))


def test_a_source_that_is_new_has_no_score_before() -> None:
    (tally,) = by_source(audit([resource()]), compare(audit(sources=()), audit([resource()])))
    assert (tally.before, tally.after) == (None, Score(earned=1, possible=2))
