from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controls.compare import compare
from model.audit import Audit, ResultStatus, Score, Witness
from model.control import Severity, Subject
from model.errors import UsageError
from model.finding import ScanStatus
from model.resource import SourceKind, Stage
from tests.audits import MANIFESTS, audit, failure, location, resource, result

NAMES = ("web", "api", "db")
CONTROLS = ("run-as-non-root", "image-tag", "host-network")


@st.composite
def audits(draw: st.DrawFn) -> Audit:
    """Any subset of objects, each with any subset of failed controls."""
    resources, results = [], []
    for name in draw(st.sets(st.sampled_from(NAMES))):
        each = resource(name, digest=f"sha256:{draw(st.integers(0, 2))}")
        resources.append(each)
        results += [result(control, each) for control in draw(st.sets(st.sampled_from(CONTROLS)))]
    return audit(sorted(resources, key=lambda each: each.id), results)


@given(audits())
def test_a_tree_compared_with_itself_shows_no_difference(tree: Audit) -> None:
    same = compare(tree, tree)
    assert (same.introduced, same.resolved, same.moved, same.newly_visible, same.uncompared) == ((), (), (), (), ())
    assert same.changed_resources == ()
    assert len(same.persisting) == len(tree.results)
    assert same.base_comparable == same.head_comparable == tree.score


@given(audits(), audits())
def test_swapping_the_sides_mirrors_introduced_and_resolved(one: Audit, other: Audit) -> None:
    there, back = compare(one, other), compare(other, one)
    assert {row.fingerprint for row in there.introduced} == {row.fingerprint for row in back.resolved}
    assert {row.fingerprint for row in there.resolved} == {row.fingerprint for row in back.introduced}
    assert {row.fingerprint for row in there.persisting} == {row.fingerprint for row in back.persisting}


def test_a_finding_of_head_alone_is_introduced_and_one_of_base_alone_resolved() -> None:
    web = resource()
    old, new = result("image-tag", web), result("host-network", web)
    comparison = compare(audit([web], [old]), audit([web], [new]))
    assert comparison.introduced == (new,)
    assert comparison.resolved == (old,)
    assert comparison.changed_resources == (web.id,)
    assert comparison.patch == web.score


@pytest.mark.threat("S6")
def test_a_finding_whose_line_or_file_moved_persists() -> None:
    web = resource()
    before = result("image-tag", web)
    after = replace(before, location=location("deploy/web.yaml", 40))
    comparison = compare(audit([web], [before]), audit([web], [after]))
    assert comparison.introduced == comparison.resolved == ()
    assert comparison.moved == ((before, after),)


def test_what_was_waived_on_one_side_is_neither_introduced_nor_resolved() -> None:
    web = resource()
    failed = result("image-tag", web)
    waived = replace(failed, status=ResultStatus.WAIVED)
    assert compare(audit([web], [failed]), audit([web], [waived])).resolved == ()
    assert compare(audit([web], [waived]), audit([web], [failed])).introduced == ()


def test_findings_of_a_file_that_base_could_not_read_are_newly_visible() -> None:
    web = resource()
    comparison = compare(audit(failures=[failure(web.location.path)]), audit([web], [result(of=web)]))
    assert comparison.introduced == ()
    assert len(comparison.newly_visible) == 1


@pytest.mark.threat("S6", "S8")
def test_findings_of_a_chart_that_head_cannot_render_are_uncompared_not_resolved() -> None:
    chart = replace(MANIFESTS, id="charts/web", kind=SourceKind.HELM, path="charts/web", name="web")
    web = resource(source=chart.id, location=location("charts/web/templates/deployment.yaml"))
    broken = failure("charts/web", stage=Stage.RENDER, source=chart.id)
    base = audit([web], [result(of=web)], sources=(chart,))
    comparison = compare(base, audit(failures=[broken], sources=(chart,)))
    assert comparison.resolved == ()
    assert len(comparison.uncompared) == 1
    assert comparison.base_comparable == Score()


@pytest.mark.threat("S8")
def test_a_finding_that_only_a_missing_scanner_could_have_shown_is_not_resolved() -> None:
    web = resource()
    witnesses = (Witness(scanner="trivy", rule="KSV-0001", verdict=ResultStatus.FAILED),)
    seen = result(of=web, witnesses=witnesses)
    unseen = failure(web.location.path, stage=Stage.SCAN, scanner="trivy", resource=web.id)
    comparison = compare(audit([web], [seen]), audit([web], failures=[unseen]))
    assert comparison.resolved == ()
    assert comparison.uncompared == (seen,)


def test_what_depends_on_neighbours_cannot_be_resolved_while_a_neighbour_does_not_parse() -> None:
    web = resource()
    seen = result("network-policy-missing", web, subject=Subject.SCOPE)
    comparison = compare(audit([web], [seen]), audit([web], failures=[failure("policy.yaml")]))
    assert comparison.resolved == ()
    assert comparison.uncompared == (seen,)


@pytest.mark.threat("S6")
def test_objects_of_one_identity_are_told_apart_by_their_file_so_that_a_swap_is_no_draw() -> None:
    dev, prod = (resource(id=f"{place}", location=location(f"{place}/web.yaml")) for place in ("dev", "prod"))
    in_dev, in_prod = (result(of=each, fingerprint="f") for each in (dev, prod))
    comparison = compare(audit([dev, prod], [in_dev]), audit([dev, prod], [in_prod]))
    assert comparison.introduced == (in_prod,)
    assert comparison.resolved == (in_dev,)


def test_a_waiver_of_one_file_does_not_excuse_its_copy_in_another() -> None:
    dev, copy = (resource(id=f"{place}", location=location(f"{place}/web.yaml")) for place in ("dev", "a-copy"))
    waived = result(of=dev, fingerprint="f", status=ResultStatus.WAIVED)
    new = result(of=copy, fingerprint="f-2")
    comparison = compare(audit([dev], [waived]), audit([copy, dev], [waived, new]))
    assert comparison.introduced == (new,)
    assert comparison.changed_resources == (copy.id,)


def test_a_renamed_file_beside_a_namesake_is_found_by_what_it_holds() -> None:
    one, two = (resource(id=name, digest=name, location=location(f"{name}.yaml")) for name in ("one", "two"))
    moved = replace(two, id="moved", location=location("a-new-name.yaml"))
    before, after = result(of=two, fingerprint="f"), result(of=moved, fingerprint="f")
    comparison = compare(audit([one, two], [before]), audit([moved, one], [after]))
    assert (comparison.introduced, comparison.resolved) == ((), ())
    assert comparison.moved == ((before, after),)


def test_a_scanner_that_failed_on_one_side_neither_resolves_nor_introduces_what_only_it_sees() -> None:
    web = resource()
    seen = result(of=web, witnesses=(Witness(scanner="native", rule="r", verdict=ResultStatus.FAILED),))
    whole = audit([web], [seen])
    broken = audit(
        [web],
        failures=[failure(".", stage=Stage.SCAN, scanner="native", source=None)],
        scanners=(replace(whole.scanners[0], status=ScanStatus.FAILED),),
    )
    assert compare(whole, broken).uncompared == (seen,)
    assert compare(broken, whole).newly_visible == (seen,)
    assert compare(broken, whole).head_comparable == Score()


def test_a_new_api_group_of_the_same_kind_is_the_same_object() -> None:
    new = resource()
    old = replace(new, id="old", ref=replace(new.ref, group="extensions"), digest=new.digest)
    comparison = compare(audit([old], [result(of=old)]), audit([new], [result(of=new)]))
    assert comparison.changed_resources == ()


def test_results_come_worst_first() -> None:
    web = resource()
    low = result("a-control", web, severity=Severity.LOW)
    critical = result("z-control", web, severity=Severity.CRITICAL)
    assert compare(audit([web]), audit([web], [low, critical])).introduced == (critical, low)


@pytest.mark.parametrize(
    "difference",
    [
        {"catalogue": "sha256:other"},
        {"policy": "sha256:other"},
        {"kube_version": "1.33"},
        {"tool_version": "9.9.9"},
        {"scanners": ()},
    ],
    ids=lambda difference: next(iter(difference)),
)
def test_audits_that_were_judged_differently_do_not_compare(difference: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="cannot be compared"):
        compare(audit(), audit(**difference))


def test_a_scanner_that_was_skipped_does_not_count_as_a_difference() -> None:
    both = audit()
    skipped = replace(both.scanners[0], name="trivy", status=ScanStatus.SKIPPED)
    assert compare(both, replace(both, scanners=(*both.scanners, skipped))).introduced == ()
