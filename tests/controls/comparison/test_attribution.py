"""The parts of a difference, in numbers that can be checked by hand. That they sum up is tests/properties."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from controls.compare import compare
from controls.comparison.attribution import attribute, by_control, by_source, difference
from model.audit import Audit, AuditedResource, Result, ResultStatus
from model.comparison import Part, Share
from model.control import Severity
from model.resource import SourceKind, Stage
from tests.audits import MANIFESTS, audit, failure, resource, result


def judged(
    name: str, possible: int, *failed: Severity, source: str = MANIFESTS.id
) -> tuple[AuditedResource, list[Result]]:
    """An object of so many points, with one finding of each of these severities."""
    lost = sum(severity.weight for severity in failed)
    of = resource(name, earned=possible - lost, possible=possible, source=source)
    return of, [result(f"{severity}-control", of, severity=severity) for severity in failed]


def of(*objects: tuple[AuditedResource, list[Result]], **fields: object) -> Audit:
    return audit([each for each, _ in objects], [row for _, rows in objects for row in rows], **fields)  # type: ignore[arg-type]


def told(base: Audit, head: Audit) -> list[tuple[Part, Fraction]]:
    comparison = compare(base, head)
    shares = attribute(comparison)
    assert sum(share.points for share in shares) == difference(comparison)
    return [(share.part, share.points) for share in shares]


def test_a_finding_costs_its_weight_of_what_is_possible() -> None:
    clean, bad = of(judged("web", 40)), of(judged("web", 40, Severity.HIGH))
    assert told(clean, bad) == [(Part.INTRODUCED, Fraction(-20))]
    assert told(bad, clean) == [(Part.RESOLVED, Fraction(20))]


def test_a_second_flaw_of_the_same_control_costs_nothing_more_and_two_new_ones_share_the_cost() -> None:
    web, (row,) = judged("web", 40, Severity.HIGH)
    second = replace(row, fingerprint="second")
    clean, one, both = of(judged("web", 40)), of((web, [row])), of((web, [row, second]))
    assert told(one, both) == [(Part.INTRODUCED, Fraction(0))]
    assert told(clean, both) == [(Part.INTRODUCED, Fraction(-10))] * 2


def test_a_new_object_counts_as_if_flawless_and_its_findings_beside() -> None:
    base = of(judged("web", 40, Severity.HIGH))
    head = of(judged("web", 40, Severity.HIGH), judged("api", 40, Severity.MEDIUM))
    # base is at 80 of 100: 40 points more, of 80, are worth 10 if flawless; the finding takes 4 of 80
    assert told(base, head) == [(Part.INTRODUCED, Fraction(-5)), (Part.ADDED, Fraction(10))]


def test_an_object_that_is_gone_takes_its_findings_and_its_points_along() -> None:
    base = of(judged("web", 40), judged("api", 40, Severity.HIGH, Severity.CRITICAL))
    # base is at 70 of 100; without api 24 of 40 points come back and 40 points of 30 percent better go
    assert told(base, of(judged("web", 40))) == [
        (Part.RESOLVED, Fraction(40)),
        (Part.RESOLVED, Fraction(20)),
        (Part.REMOVED, Fraction(-30)),
    ]


def test_controls_that_are_judged_now_or_no_longer_are_a_part_of_their_own() -> None:
    less, more = of(judged("web", 40, Severity.HIGH)), of(judged("web", 80, Severity.HIGH))
    assert told(less, more) == [(Part.JUDGED, Fraction(10))]
    assert told(more, less) == [(Part.UNJUDGED, Fraction(-10))]


def test_a_waiver_of_one_side_counts_though_its_finding_persists() -> None:
    web, (row,) = judged("web", 40, Severity.HIGH)
    waived = of((replace(web, score=replace(web.score, earned=40)), [replace(row, status=ResultStatus.WAIVED)]))
    assert told(waived, of((web, [row]))) == [(Part.COUNTED, Fraction(-20))]
    assert told(of((web, [row])), waived) == [(Part.COUNTED, Fraction(20))]


def test_what_is_not_scored_costs_nothing_and_is_told() -> None:
    web, (row,) = judged("web", 40, Severity.HIGH)
    test = replace(resource("test"), score=replace(web.score, earned=0, possible=0))
    unmapped = replace(row, control="unmapped/trivy/x", fingerprint="unmapped")
    base = of((web, [row]), (test, []))
    head = of((web, [row, unmapped]), (test, [result(of=test)]))
    assert told(base, head) == [(Part.INTRODUCED, Fraction(0))] * 2


def test_what_only_one_side_could_judge_is_told_without_points() -> None:
    lost = failure("api.yaml")
    base, head = of(judged("web", 40), failures=[lost]), of(judged("web", 40), judged("api", 40, Severity.HIGH))
    assert told(base, head) == [(Part.NEWLY_VISIBLE, Fraction(0))]


def test_without_two_scores_there_is_no_difference_and_no_part_of_it() -> None:
    comparison = compare(of(), of(judged("web", 40, Severity.HIGH)))
    assert difference(comparison) is None
    assert attribute(comparison) == ()
    assert [each.points for each in by_source(comparison)] == [Fraction(0)]


def test_the_cost_of_a_control_is_told_for_both_sides() -> None:
    base = of(judged("web", 40, Severity.HIGH), judged("api", 40, Severity.LOW))
    deltas = by_control(compare(base, of(judged("web", 40), judged("api", 40, Severity.LOW))))
    assert [(each.control, each.before, each.after, each.points) for each in deltas] == [
        ("high-control", 8, 0, Fraction(10)),
        ("low-control", 1, 1, Fraction(0)),
    ]


def test_a_source_that_was_renamed_is_one_row() -> None:
    old, new = (
        replace(MANIFESTS, id=name, kind=SourceKind.HELM, path="chart", name=name) for name in ("nats", "natsio")
    )
    gone = replace(MANIFESTS, id="gone", kind=SourceKind.KUSTOMIZE, path="gone", name="gone")
    base = of(judged("web", 40, Severity.HIGH, source="nats"), judged("api", 40, source="gone"), sources=(old, gone))
    head = of(judged("web", 40, source="natsio"), sources=(new,))
    rows = by_source(compare(base, head))
    assert [(row.base, row.head) for row in rows] == [(gone, None), (old, new)]
    assert [(row.before.earned, row.after.earned) for row in rows] == [(40, 0), (32, 40)]
    assert [row.points for row in rows] == [Fraction(-10), Fraction(20)]


def test_shares_name_their_object_and_their_finding() -> None:
    web, (row,) = judged("web", 40, Severity.HIGH)
    shares = attribute(compare(of(judged("web", 40)), of((web, [row]))))
    assert shares == (Share(part=Part.INTRODUCED, points=Fraction(-20), resource=web.id, result=row),)


def test_a_scanner_that_failed_on_one_side_leaves_nothing_to_explain() -> None:
    web, rows = judged("web", 40, Severity.HIGH)
    lost = failure(".", stage=Stage.SCAN, scanner="native", source=None)
    assert attribute(compare(of((web, rows)), of((web, []), failures=[lost]))) == ()
