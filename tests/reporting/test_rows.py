from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model.audit import Audit, AuditedResource, Result
from model.control import Severity
from model.resource import Source, SourceKind
from reporting.rows import OWN_VALUES, groups_of, rows_of
from tests.audits import audit, location, resource, result


def chart(environment: str) -> Source:
    return Source(
        id=f"chart?values={environment}",
        kind=SourceKind.HELM,
        path="chart",
        name="web",
        environment=environment,
        kube_version="1.34",
    )


def overlay(path: str) -> Source:
    return Source(id=path, kind=SourceKind.KUSTOMIZE, path=path, name=path, kube_version="1.34")


def web(source: Source) -> AuditedResource:
    return resource(id=f"{source.id}#web", source=source.id)


def of(sources: Sequence[Source], **fields: Any) -> tuple[Audit, list[Result]]:
    """The same result once in each source."""
    bearers = [web(source) for source in sources]
    results = [result(of=bearer, **fields) for bearer in bearers]
    return audit(bearers, results, sources=tuple(sources)), results


def test_the_same_finding_in_several_environments_of_a_chart_is_one_row() -> None:
    head, results = of([chart("staging"), chart("prod")])
    (row,) = rows_of(results, head)
    assert row.environments == ("prod", "staging")
    assert row.results == tuple(results)
    assert row.name == "Deployment/-/web"


def test_positions_in_lists_may_differ_between_environments() -> None:
    head, (first, _) = of([chart("a"), chart("b")], field="spec.containers[0].image")
    second = result(of=web(chart("b")), field="spec.containers[1].image")
    assert len(rows_of([first, second], head)) == 1


def test_two_findings_of_one_source_never_share_a_row() -> None:
    head, results = of([chart("a"), chart("b")])
    assert [len(row.results) for row in rows_of([*results, *results], head)] == [2, 2]


def test_what_environments_say_differently_stays_apart() -> None:
    head, _ = of([chart("a"), chart("b")])
    told = [result(of=web(chart(name)), message=f"adds {what}") for name, what in (("a", "NET_ADMIN"), ("b", "BPF"))]
    assert [row.environments for row in rows_of(told, head)] == [("a",), ("b",)]


def test_a_chart_with_one_set_of_values_has_no_environment_to_name() -> None:
    head, results = of([chart("")])
    assert [row.environments for row in rows_of(results, head)] == [()]
    head, results = of([chart(""), chart("prod")])
    assert [row.environments for row in rows_of(results, head)] == [(OWN_VALUES, "prod")]


def test_a_file_that_two_overlays_share_is_one_place() -> None:
    head, results = of([overlay("overlays/prod"), overlay("overlays/dev")])
    assert [row.environments for row in rows_of(results, head)] == [("overlays/dev", "overlays/prod")]
    elsewhere = result(of=web(overlay("overlays/dev")), location=location(line=9))
    assert len(rows_of([results[0], elsewhere], head)) == 2


def test_rows_come_worst_first_and_groups_by_what_they_weigh_and_hold() -> None:
    head, (high,) = of([chart("")])
    low = result("b", of=web(chart("")), severity=Severity.LOW)
    more = [
        result("c", of=web(chart("")), severity=Severity.LOW, location=location(line=n), message=str(n)) for n in (1, 2)
    ]
    rows = rows_of([low, *more, high], head)
    assert rows[0].shown is high
    assert [(group.control, group.results) for group in groups_of(rows)] == [("run-as-non-root", 1), ("c", 2), ("b", 1)]
