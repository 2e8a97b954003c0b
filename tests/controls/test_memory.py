"""What both sides hold alike is judged once, and each side's audit is what it would be alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import pytest

from controls import catalogue
from controls.assemble import Terms, assemble
from controls.memory import Memory
from model.audit import Audit
from model.finding import Finding, Opinion, Scan, ScanStatus
from model.policy import Policy, Waiver
from model.resource import Resource, Source, SourceKind, Tree
from tests.resources import SOURCE, resources

CATALOGUE = catalogue.load()
TEXT = """
apiVersion: v1
kind: Pod
metadata: {name: one}
spec: {containers: [{name: web, image: web}]}
---
apiVersion: v1
kind: Service
metadata: {name: two}
spec: {type: NodePort}
"""
RULES = ("image-digest", "image-tag", "nobody-knows-this-rule")


def twin(resource: Resource) -> Resource:
    """The same object, read from the same bytes on the other side."""
    return replace(resource)


def tree(found: Sequence[Resource], name: str = "manifests") -> Tree:
    source = Source(id=SOURCE, kind=SourceKind.MANIFESTS, path=".", name=name, kube_version="1.34")
    return Tree(sources=(source,), resources=tuple(found), failures=(), files=1, documents=len(found))


def scan(found: Sequence[Resource], *, rules: Sequence[str] = RULES[:2]) -> Scan:
    opinions = {
        each: Opinion(
            findings=tuple(
                Finding(rule=rule, container=container.key, field=(*container.path, "image"), message=f"{rule} fired")
                for container in each.containers
                for rule in rules
            ),
            passed={
                "": frozenset(),
                **{container.key: frozenset({"privileged-container"}) for container in each.containers},
            },
        )
        for each in found
    }
    return Scan(
        scanner="native",
        version="1",
        status=ScanStatus.OK,
        opinions=opinions,
        missing={},
        raw_findings=sum(len(opinion.findings) for opinion in opinions.values()),
    )


def terms(policy: Policy | None = None, *, keep_passed: bool = False) -> Terms:
    return Terms(
        tool_version="0",
        kube_version="1.34",
        policy=policy or Policy(),
        today=dt.date(2030, 1, 1),
        keep_passed=keep_passed,
    )


def audits(sides: Sequence[Tree], scans: Sequence[Scan], *, policy: Policy | None = None) -> list[tuple[Audit, Audit]]:
    """Of each side: judged after the sides before it, and judged alone."""
    shared = terms(policy, keep_passed=True)
    return [
        (
            assemble(side, scans, CATALOGUE, shared)[0],
            assemble(side, scans, CATALOGUE, terms(policy, keep_passed=True))[0],
        )
        for side in sides
    ]


def test_the_second_side_takes_the_results_of_the_first() -> None:
    head = resources(TEXT)
    base = [twin(each) for each in head]
    (first, _), (second, alone) = audits([tree(head), tree(base)], [scan([*head, *base])])
    assert second == alone
    assert second.results
    assert {id(result) for result in second.results} == {id(result) for result in first.results}


@pytest.mark.parametrize(
    "other",
    [
        TEXT.replace("image: web", "image: web:1"),
        f"# moved\n{TEXT}",
        TEXT.replace("name: one", "name: another"),
    ],
)
def test_what_differs_is_judged_anew(other: str) -> None:
    head, base = resources(TEXT), resources(other)
    (first, _), (second, alone) = audits([tree(head), tree(base)], [scan([*head, *base])])
    assert second == alone
    assert {id(result) for result in second.results}.isdisjoint(map(id, first.results))


def test_so_is_what_a_scanner_sees_otherwise_or_another_source_holds() -> None:
    head = resources(TEXT)
    base = [twin(each) for each in head]
    opinions = {**scan(head).opinions, **scan(base, rules=RULES[:1]).opinions}
    both = replace(scan([*head, *base]), opinions=opinions)
    (first, _), (second, alone) = audits([tree(head), tree(base)], [both])
    assert second == alone
    assert len(second.results) < len(first.results)
    (first, _), (second, alone) = audits([tree(head), tree(base, "elsewhere")], [scan([*head, *base])])
    assert second == alone
    assert {result.fingerprint for result in first.results}.isdisjoint(result.fingerprint for result in second.results)


def test_the_same_bytes_at_another_place_are_shown_there() -> None:
    head = resources(TEXT)
    base = [replace(each, location=replace(each.location, path="old/web.yaml")) for each in head]
    (_, _), (second, alone) = audits([tree(head), tree(base)], [scan([*head, *base])])
    assert second == alone
    assert {result.location.path for result in second.results} == {"old/web.yaml"}


def test_a_rule_that_nobody_knows_makes_its_control_on_both_sides() -> None:
    head = resources(TEXT)
    base = [twin(each) for each in head]
    scans = [scan([*head, *base], rules=RULES)]
    shared = terms()
    made = [set(assemble(side, scans, CATALOGUE, shared)[1]) for side in (tree(head), tree(base))]
    assert made[0] == made[1]
    assert "unmapped/native/nobody-knows-this-rule" in made[1]


def test_a_waiver_that_covers_both_sides_is_of_use_on_both() -> None:
    waiver = Waiver(control="image-digest", resource="Pod/one", reason="because of the test", owner="somebody")
    head = resources(TEXT)
    base = [twin(each) for each in head]
    both = audits([tree(head), tree(base)], [scan([*head, *base])], policy=Policy(waivers=(waiver,)))
    for shared, alone in both:
        assert shared == alone
        assert shared.unused_waivers == ()
        assert [result.waiver for result in shared.results if result.waiver] == [waiver]


def test_other_scans_and_another_catalogue_begin_with_nothing() -> None:
    memory = Memory()
    head = resources(TEXT)
    one, other = scan(head), scan(head)
    assert memory.under([one], CATALOGUE) is memory.under([one], CATALOGUE)
    shared = terms()
    first = assemble(tree(head), [one], CATALOGUE, shared)[0]
    again = assemble(tree(head), [other], CATALOGUE, shared)[0]
    assert first == again
    assert {id(result) for result in first.results}.isdisjoint(map(id, again.results))
    assert terms().memory is not terms().memory
