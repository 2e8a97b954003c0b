from __future__ import annotations

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


def test_what_controls_cost_is_what_the_score_has_lost_the_dearest_first() -> None:
    web = resource(earned=5, possible=17)
    head = audit([web], [result("b", of=web, severity=Severity.MEDIUM), result(of=web)])
    assert by_control(head) == (("run-as-non-root", 8), ("b", 4))
    assert sum(lost for _, lost in by_control(head)) == head.score.possible - head.score.earned


def test_a_source_has_the_sum_of_its_objects() -> None:
    head = audit([resource(earned=1, possible=2), resource("api", earned=1, possible=1)])
    assert by_source(head) == ((MANIFESTS, Score(earned=2, possible=3)),)
