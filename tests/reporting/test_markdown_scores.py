"""What a change does to the score is told in parts that people can follow, and nothing that goes is silent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controls.compare import compare
from controls.gate import decide
from model.audit import Audit
from model.control import Severity
from model.policy import Policy
from model.resource import Source, SourceKind
from reporting.markdown import render
from tests.audits import audit, location, resource, result
from tests.reporting.rendered import ATTACKS, Rendered
from tests.reporting.test_sarif import CONTROL

CONTROLS = {CONTROL.id: CONTROL, "c1": replace(CONTROL, id="c1", title="Weakness")}


def report(base: Audit, head: Audit) -> str:
    comparison = compare(base, head)
    return render(head, comparison, decide(Policy(), head, comparison, named_explicitly=False), CONTROLS)


def test_the_difference_is_told_in_parts_with_their_points() -> None:
    web, worse = resource(earned=10, possible=10), resource(earned=2, possible=10)
    gone = resource("gone", earned=6, possible=10)
    base = audit([web, gone], [result("c1", of=gone, severity=Severity.MEDIUM)])
    text = report(base, audit([worse], [result(of=worse)]))
    assert text.startswith("### ❌ 80.0 → 20.0 (-60.0): 1 introduced, 1 resolved, blocked because ")
    assert (
        "| What changed the score | Points |\n|---|--:|\n| 1 finding introduced | -80.00 |\n"
        "| 1 finding resolved | +40.00 |\n| 1 object removed, findings aside | -20.00 |\n\n"
        "A score is a share: removing what scored well lowers it.\n"
    ) in text
    assert "The objects that this change adds or alters score 20.0, all together 20.0.\n" in text


def test_objects_that_come_go_or_change_are_listed() -> None:
    base = audit([resource(), resource("gone")])
    head = audit([resource(digest="sha256:other"), resource("new", digest="sha256:x", location=location("n.yaml"))])
    text = report(base, head)
    assert (
        "<details><summary>Objects: 1 added, 1 removed, 1 altered</summary>\n\n"
        "- added: `Deployment/-/new` in `n.yaml`\n"
        "- removed: `Deployment/-/gone` in `gone.yaml`\n"
        "- altered: `Deployment/-/web` in `web.yaml`\n"
    ) in text
    assert "Objects:" not in report(base, base)


def test_a_source_that_moved_is_one_row_with_both_places() -> None:
    old, new = (
        Source(id=path, kind=SourceKind.HELM, path=path, name="web", kube_version="1.34") for path in ("a", "b")
    )
    sides = (audit([resource(source=source.id)], sources=(source,)) for source in (old, new))
    assert "| chart `b`<br>before: chart `a` | 50.0 | 50.0 |" in report(*sides)


@pytest.mark.threat("O1")
def test_no_name_of_an_object_or_a_source_gets_through() -> None:
    for attack in ATTACKS:
        source = Source(id="x", kind=SourceKind.HELM, path=attack, name=attack, environment=attack, kube_version="1.34")
        bearer = resource("new", source="x", location=location(attack or "x"), digest="sha256:x")
        named = replace(bearer, ref=replace(bearer.ref, name=attack, namespace=attack))
        page = Rendered(report(audit(), audit([named], sources=(source,))))
        assert page.led_astray() == [], attack
