"""What could not be seen on one side is neither introduced nor resolved; what is simply not there is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controls.compare import compare
from model.audit import AuditedResource, NotJudged, Result, Score, Witness
from model.audit import ResultStatus as Status
from model.comparison import Comparison
from model.control import Severity, Subject
from model.resource import Failure, Source, SourceKind, Stage
from tests.audits import MANIFESTS, audit, failure, location, resource, result

CHART = replace(MANIFESTS, id="charts/web", kind=SourceKind.HELM, path="charts/web", name="web")
OVERLAY = replace(MANIFESTS, id="kustomize:deploy", kind=SourceKind.KUSTOMIZE, path="deploy", name="deploy")


def seen_in_head_only(path: str, lost: Failure, source: Source = MANIFESTS) -> Comparison:
    """A finding at ``path``, and what base could not read."""
    web = resource(source=source.id, location=location(path))
    known = tuple({MANIFESTS, source})
    return compare(audit(failures=[lost], sources=known), audit([web], [result(of=web)], sources=known))


@pytest.mark.parametrize(
    ("path", "lost", "source"),
    [
        ("a/b/web.yaml", failure("a", source=None), MANIFESTS),
        ("a/b/web.yaml", failure(".", source=None), MANIFESTS),
        ("a/b/web.yaml", failure("a"), MANIFESTS),
        ("charts/web/templates/web.yaml", failure("charts/web", stage=Stage.RENDER, source=None), CHART),
        ("charts/web/templates/web.yaml", failure("charts/web", stage=Stage.RENDER, source=CHART.id), CHART),
        ("base/web.yaml", failure("deploy/kustomization.yaml", stage=Stage.RENDER, source=None), OVERLAY),
        ("base/web.yaml", failure("deploy", source=None), OVERLAY),
        ("web.yaml", failure("web.yaml"), OVERLAY),
    ],
    ids=range(8),
)
def test_a_folder_that_base_could_not_read_hides_all_below_it(path: str, lost: Failure, source: Source) -> None:
    comparison = seen_in_head_only(path, lost, source)
    assert len(comparison.newly_visible) == 1
    assert comparison.introduced == ()
    assert comparison.head_comparable == Score()


@pytest.mark.parametrize(
    ("path", "lost", "source"),
    [
        ("ab/web.yaml", failure("a", source=None), MANIFESTS),
        ("charts/web/templates/web.yaml", failure("charts/web"), CHART),
        ("charts/web/templates/web.yaml", failure("."), CHART),
        ("charts/web/extra.yaml", failure("charts/web", stage=Stage.RENDER, source=CHART.id), MANIFESTS),
        ("deploy/web.yaml", failure("deploy/kustomization.yaml"), MANIFESTS),
        ("a/web.yaml", failure("a/other.yaml", source=None), MANIFESTS),
    ],
    ids=range(6),
)
def test_what_lies_elsewhere_or_in_another_source_is_introduced(path: str, lost: Failure, source: Source) -> None:
    assert len(seen_in_head_only(path, lost, source).introduced) == 1


def test_a_path_of_thousands_of_folders_is_no_error() -> None:
    assert len(seen_in_head_only("a/" * 2000 + "web.yaml", failure("a/a", source=None)).newly_visible) == 1
    assert len(seen_in_head_only("/elsewhere/web.yaml", failure("a", source=None)).introduced) == 1


def test_all_of_a_source_that_only_head_has_is_introduced() -> None:
    web = resource(source=CHART.id, location=location("charts/web/templates/web.yaml"))
    comparison = compare(audit(), audit([web], [result(of=web)], sources=(MANIFESTS, CHART)))
    assert len(comparison.introduced) == 1
    assert comparison.head_comparable == web.score


def test_an_object_that_both_sides_hold_is_compared_though_its_file_is_broken_elsewhere() -> None:
    web = resource()
    worse = replace(web, digest="sha256:worse")
    comparison = compare(audit([web], failures=[failure(web.location.path)]), audit([worse], [result(of=worse)]))
    assert len(comparison.introduced) == 1


@pytest.mark.threat("S8")
def test_a_finding_of_a_control_that_nobody_judges_any_more_is_not_resolved() -> None:
    web = resource()
    seen = result(of=web)
    silent = NotJudged(resource=web.id, container=seen.container, control=seen.control, reason="nobody spoke")
    head = audit([web])
    for row in (silent, replace(silent, container=None, control="*")):
        comparison = compare(audit([web], [seen]), replace(head, coverage=replace(head.coverage, not_judged=(row,))))
        assert comparison.uncompared == (seen,)
        assert comparison.resolved == ()


def test_what_is_not_judged_elsewhere_hides_nothing() -> None:
    web = resource()
    seen = result(of=web, subject=Subject.RESOURCE)
    rows = [
        NotJudged(resource="other", container=seen.container, control=seen.control, reason=""),
        NotJudged(resource=web.id, container="other", control=seen.control, reason=""),
        NotJudged(resource=web.id, container=None, control="*", reason="it is about pods only"),
    ]
    head = audit([web])
    comparison = compare(audit([web], [seen]), replace(head, coverage=replace(head.coverage, not_judged=tuple(rows))))
    assert comparison.resolved == (seen,)


def test_a_scanner_whose_report_was_not_understood_to_the_end_resolves_nothing_alone() -> None:
    web = resource()
    alone = result(of=web, witnesses=(Witness(scanner="trivy", rule="r", verdict=Status.FAILED),))
    lost = failure(".", stage=Stage.SCAN, scanner="trivy", source=None, reason="2 findings were not accounted for")
    assert compare(audit([web], [alone]), audit([web], failures=[lost])).uncompared == (alone,)
    both = replace(alone, witnesses=(*alone.witnesses, Witness(scanner="native", rule="r", verdict=Status.FAILED)))
    assert compare(audit([web], [both]), audit([web], failures=[lost])).resolved == (both,)


def test_an_object_that_a_scanner_has_seen_on_one_side_only_is_not_in_the_scores_that_are_compared() -> None:
    web, api = resource("web"), resource("api")
    unseen = failure(web.location.path, stage=Stage.SCAN, scanner="trivy", resource=web.id)
    comparison = compare(audit([web, api]), audit([web, api], failures=[unseen]))
    assert comparison.base_comparable == comparison.head_comparable == api.score


def alone(control: str = "network-policy-missing", *, of: AuditedResource, **fields: Any) -> Result:
    """A finding that a neighbour could take away."""
    return result(control, of, **{"subject": Subject.SCOPE, "container": None, "severity": Severity.MEDIUM, **fields})


WHOLE = resource(earned=40, possible=40)
LOST = replace(WHOLE, score=Score(earned=36, possible=40))
REST = Score(earned=36, possible=36)


@pytest.mark.threat("S8")
@pytest.mark.parametrize(
    "lost",
    [failure("policy.yaml"), failure("policies", source=None), failure("policies/a.yaml", source=None)],
    ids=["its own", "a folder of nobody", "a file of nobody"],
)
def test_what_a_neighbour_may_have_taken_away_is_not_new_where_head_cannot_read_it(lost: Failure) -> None:
    seen = alone(of=LOST)
    comparison = compare(audit([WHOLE]), audit([LOST], [seen], failures=[lost]))
    assert (comparison.introduced, comparison.newly_visible) == ((), (seen,))
    assert comparison.base_comparable == comparison.head_comparable == REST
    assert [share.points for share in comparison.shares] == [0]


@pytest.mark.threat("S8")
def test_nor_is_it_resolved_where_base_could_not_read_it() -> None:
    seen = alone(of=LOST)
    comparison = compare(audit([LOST], [seen], failures=[failure("policy.yaml")]), audit([WHOLE]))
    assert (comparison.resolved, comparison.uncompared) == ((), (seen,))
    assert comparison.base_comparable == comparison.head_comparable == REST


@pytest.mark.parametrize("change", ["broken", "mended"])
def test_a_service_whose_pods_cannot_be_read_on_one_side_is_neither_new_nor_resolved(change: str) -> None:
    """The pods are not compared at all, and nothing else moves the score."""
    pods, seen = resource("db"), alone("service-dangling", of=LOST)
    whole = audit([WHOLE, pods], [result(of=pods)])
    broken = audit([LOST], [seen], failures=[failure(pods.location.path)])
    comparison = compare(broken, whole) if change == "mended" else compare(whole, broken)
    assert (comparison.introduced, comparison.resolved) == ((), ())
    assert len(comparison.newly_visible) == len(comparison.uncompared) == 1
    assert comparison.base_comparable == comparison.head_comparable == REST


@pytest.mark.threat("S8")
@pytest.mark.parametrize("source", [MANIFESTS.id, None])
def test_a_file_that_is_broken_alike_on_both_sides_excuses_nothing(source: str | None) -> None:
    seen, broken = alone(of=LOST), failure("broken.yaml", source=source)
    comparison = compare(audit([WHOLE], failures=[broken]), audit([LOST], [seen], failures=[broken]))
    assert comparison.introduced == (seen,)
    assert (comparison.base_comparable, comparison.head_comparable) == (WHOLE.score, LOST.score)
    back = compare(audit([LOST], [seen], failures=[broken]), audit([WHOLE], failures=[broken]))
    assert back.resolved == (seen,)


@pytest.mark.parametrize("other", [failure("policy.yaml", digest="sha256:other"), failure("moved.yaml")])
def test_a_broken_file_that_changes_may_hide_something_else(other: Failure) -> None:
    seen = alone(of=LOST)
    comparison = compare(audit([WHOLE], failures=[failure("policy.yaml")]), audit([LOST], [seen], failures=[other]))
    assert comparison.newly_visible == (seen,)


@pytest.mark.parametrize(
    "lost",
    [
        failure("charts/web", stage=Stage.RENDER, source=CHART.id),
        failure("charts/web", stage=Stage.RENDER, source=None),
    ],
)
def test_what_is_broken_in_another_source_is_no_neighbour(lost: Failure) -> None:
    seen = alone(of=LOST)
    known = (MANIFESTS, CHART)
    comparison = compare(audit([WHOLE], sources=known), audit([LOST], [seen], failures=[lost], sources=known))
    assert comparison.introduced == (seen,)


def test_an_object_that_is_the_same_fails_for_its_neighbours_whatever_its_subject() -> None:
    seen = alone("service-account-token-automount", of=LOST, subject=Subject.POD)
    lost = [failure("account.yaml")]
    comparison = compare(audit([WHOLE]), audit([LOST], [seen], failures=lost))
    assert comparison.newly_visible == (seen,)
    assert comparison.base_comparable == comparison.head_comparable == REST
    altered = replace(LOST, digest="sha256:altered")
    assert compare(audit([WHOLE]), audit([altered], [seen], failures=lost)).introduced == (seen,)


def test_a_cell_that_nobody_judged_on_the_other_side_is_not_taken_from_it() -> None:
    seen = alone(of=LOST)
    silent = NotJudged(resource=WHOLE.id, container=None, control=seen.control, reason="nobody spoke")
    unjudged = replace(WHOLE, score=REST)
    base = audit([unjudged])
    base = replace(base, coverage=replace(base.coverage, not_judged=(silent,)))
    comparison = compare(base, audit([LOST], [seen], failures=[failure("policy.yaml")]))
    assert comparison.base_comparable == comparison.head_comparable == REST


def test_a_new_object_is_scored_without_what_an_unread_neighbour_may_have_taken_away() -> None:
    seen = alone(of=LOST)
    comparison = compare(audit(), audit([LOST], [seen], failures=[failure("policy.yaml")]))
    assert comparison.newly_visible == (seen,)
    assert comparison.head_comparable == REST
