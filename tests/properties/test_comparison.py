"""What must hold of every comparison, whatever the trees hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controls.compare import compare
from controls.comparison.attribution import attribute, by_control, by_source, difference
from model.audit import Audit, ResultStatus
from model.comparison import Comparison, Part
from model.policy import Waiver
from model.resource import Source, Stage
from reporting import audit_json
from tests.audits import MANIFESTS, failure
from tests.properties.budget import examples
from tests.properties.trees import (
    Object,
    Place,
    as_json,
    audit_of,
    chart,
    folders,
    identity,
    kustomization,
    objects,
    pods,
    renamed,
    trees,
    workload,
)


def nothing_new(comparison: Comparison) -> bool:
    """Nothing appears, nothing vanishes, and nothing is out of sight."""
    lists = (comparison.introduced, comparison.resolved, comparison.newly_visible, comparison.uncompared)
    same = len(comparison.persisting) == len(comparison.base.results) == len(comparison.head.results)
    return lists == ((), (), (), ()) and same and comparison.base.score == comparison.head.score


def told(comparison: Comparison) -> Any:
    """What appears and vanishes, for a readable failure."""
    return [
        [(row.control, row.resource, row.container, row.field) for row in rows]
        for rows in (comparison.introduced, comparison.resolved)
    ]


def unchanged(base: Audit, head: Audit) -> None:
    comparison = compare(base, head)
    assert nothing_new(comparison), told(comparison)
    assert difference(comparison) in {0, None}


@examples(20)
@given(trees())
def test_a_tree_compared_with_itself_shows_no_difference(tree: list[Object]) -> None:
    comparison = compare(audit_of(Place(folder=folders(tree))), audit_of(Place(folder=folders(tree))))
    assert nothing_new(comparison)
    assert comparison.changed_resources == ()
    assert comparison.moved == ()
    assert all(share.points == 0 for share in attribute(comparison))


@st.composite
def changes(draw: st.DrawFn) -> tuple[Sequence[Place], Sequence[Place]]:
    """Two trees of two sources that have some objects in common, in files of any name."""
    pool = draw(st.lists(objects(), min_size=1, max_size=5, unique_by=identity))
    other = draw(st.lists(objects(), max_size=3, unique_by=identity))
    sources = draw(st.sampled_from(((MANIFESTS, chart("web")), (MANIFESTS, kustomization("deploy")), (MANIFESTS,))))
    sides = []
    for _ in range(2):
        kept = [each for each in pool if draw(st.booleans())]
        kept += [each for each in other if identity(each) not in set(map(identity, kept)) and draw(st.booleans())]
        home = {n: draw(st.sampled_from(sources)) for n in range(len(kept))}
        prefix = draw(st.sampled_from(("", "moved/")))
        sides.append(
            [
                Place(folder=folders([each for n, each in enumerate(kept) if home[n] is source], prefix), source=source)
                for source in sources
            ]
        )
    return sides[0], sides[1]


BROKEN = (
    failure("."),
    failure("moved", source=None),
    failure("0.yaml"),
    failure("deploy", stage=Stage.RENDER, source="kustomize:deploy"),
    failure("charts/web", stage=Stage.RENDER, source="charts/web"),
)
FAILURES = st.lists(st.sampled_from(BROKEN), max_size=1)
WAIVERS = st.lists(
    st.builds(
        Waiver,
        control=st.sampled_from(("privileged-container", "run-as-non-root", "host-network", "secrets-in-env")),
        resource=st.sampled_from(("*/web", "Pod/api", "")),
        path=st.sampled_from((None, "moved/**", "0.yaml")),
        reason=st.just("known"),
        owner=st.just("@team"),
    ),
    max_size=2,
)


@examples(60)
@given(changes(), FAILURES, FAILURES, WAIVERS)
def test_the_sides_mirror_each_other_and_every_point_is_explained(
    sides: tuple[Sequence[Place], Sequence[Place]], lost: Any, gone: Any, waivers: Any
) -> None:
    base = audit_of(*sides[0], failures=lost, waivers=tuple(waivers))
    head = audit_of(*sides[1], failures=gone, waivers=tuple(waivers))
    there, back = compare(base, head), compare(head, base)
    assert there.introduced == back.resolved
    assert there.resolved == back.introduced
    assert there.newly_visible == back.uncompared
    assert there.uncompared == back.newly_visible
    assert (there.base_comparable, there.head_comparable) == (back.head_comparable, back.base_comparable)
    every_result_is_in_one_list(there)
    for comparison in (there, back):
        explained(comparison)


def every_result_is_in_one_list(comparison: Comparison) -> None:
    failed = [row for row in comparison.head.results if row.status is ResultStatus.FAILED]
    lists = (comparison.introduced, comparison.newly_visible, comparison.persisting)
    assert sorted(row.fingerprint for rows in lists for row in rows) == sorted(row.fingerprint for row in failed)


def explained(comparison: Comparison) -> None:
    """All shares together are the difference; so are those of the sources."""
    whole = difference(comparison)
    shares = attribute(comparison)
    if whole is None:
        assert shares == ()
        return
    assert sum((share.points for share in shares), Fraction(0)) == whole
    assert sum((each.points for each in by_source(comparison)), Fraction(0)) == whole
    of_findings = sum((share.points for share in shares if share.result), Fraction(0))
    assert sum((each.points for each in by_control(comparison)), Fraction(0)) == of_findings
    assert all(share.points <= 0 for share in shares if share.part is Part.INTRODUCED)
    assert all(share.points >= 0 for share in shares if share.part in {Part.RESOLVED, Part.ADDED})
    told = [share.result for share in shares if share.part in {Part.INTRODUCED, Part.RESOLVED}]
    assert len(told) == len(comparison.introduced) + len(comparison.resolved)


@examples(30)
@given(trees(), st.data())
def test_a_failed_control_that_passes_now_introduces_nothing_and_lowers_no_score(
    tree: list[Object], data: st.DataObject
) -> None:
    base = audit_of(Place(folder=folders(tree)))
    cells = sorted({(row.resource, row.container or "", row.control) for row in base.results})
    if not cells:
        return
    fixed = data.draw(st.sampled_from(cells))
    rows = [row for row in base.results if (row.resource, row.container or "", row.control) == fixed]
    won = 0 if rows[0].control.startswith("unmapped/") else rows[0].severity.weight
    head = replace(
        base,
        results=tuple(row for row in base.results if row not in rows),
        resources=tuple(
            replace(each, score=replace(each.score, earned=each.score.earned + won)) if each.id == fixed[0] else each
            for each in base.resources
        ),
    )
    comparison = compare(base, head)
    assert comparison.introduced == ()
    assert set(comparison.resolved) == set(rows)
    assert (difference(comparison) or 0) >= 0
    explained(comparison)


@examples(40)
@given(trees(), st.data())
def test_another_way_to_write_it_changes_nothing(tree: list[Object], data: st.DataObject) -> None:
    shuffled = [mixed(each, data) for each in data.draw(st.permutations(tree))]
    cut = data.draw(st.integers(0, len(tree)))
    files = {"a/all.yaml": shuffled[:cut], "z.json": shuffled[cut:]}
    unchanged(audit_of(Place(folder={"all.yaml": tree})), audit_of(Place(folder=files), write=as_json))


def mixed(value: Any, data: st.DataObject) -> Any:
    """The same value with its keys, and the lists of named items, in another order."""
    if isinstance(value, dict):
        keys = data.draw(st.permutations(sorted(value)))
        return {key: mixed(value[key], data) for key in keys}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [mixed(each, data) for each in data.draw(st.permutations(value))]
    return value


@examples(30)
@given(trees(), st.sampled_from(("web", "shop", "app", "side")))
def test_another_name_of_an_object_a_namespace_or_a_container_changes_nothing(tree: list[Object], word: str) -> None:
    head = [renamed(each, word, "renamed") for each in tree]
    unchanged(audit_of(Place(folder=folders(tree))), audit_of(Place(folder=folders(head))))


@examples(25)
@given(trees(), st.sampled_from([(chart("nats"), chart("natsio")), (chart("nats"), chart("nats", "elsewhere/nats"))]))
def test_a_renamed_or_moved_chart_changes_nothing(tree: list[Object], charts: tuple[Source, Source]) -> None:
    sides = [
        Place(folder=folders([renamed(each, "web", f"release-{source.name}-web") for each in tree]), source=source)
        for source in charts
    ]
    unchanged(audit_of(sides[0]), audit_of(sides[1]))


@examples(25)
@given(trees(), trees())
def test_kustomizations_that_move_change_nothing(tree: list[Object], other: list[Object]) -> None:
    base, head = (
        audit_of(
            Place(folder=folders(tree, "base/"), source=kustomization(f"{folder}/dev")),
            Place(folder=folders(other, "base/"), source=kustomization(f"{folder}/prod")),
        )
        for folder in ("overlays", "clusters/eu")
    )
    unchanged(base, head)


BY_SERVICES = {"readiness-probe"}
"""Controls of containers that a bare pod fails only where a Service of its scope may send it traffic."""


@examples(25)
@given(trees(), objects(), st.sampled_from([chart("web"), kustomization("deploy")]))
def test_an_object_that_moves_into_another_source_persists(tree: list[Object], moved: Object, source: Source) -> None:
    rest = [each for each in tree if identity(each) != identity(moved)]
    held = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}, "data": {}}]
    base = audit_of(Place(folder=folders([*rest, moved])), Place(folder=folders(held), source=source))
    head = audit_of(Place(folder=folders(rest)), Place(folder=folders([*held, moved], "x/"), source=source))
    comparison = compare(base, head)
    rows = [row for row in (*comparison.introduced, *comparison.resolved) if row.control not in BY_SERVICES]
    assert {row.subject for row in rows} <= {"scope"}, {row.control for row in rows}


@examples(30)
@given(trees(), pods(), st.sampled_from(("web", "shop", "app")), st.sampled_from(("Deployment", "CronJob", "Pod")))
def test_a_worsening_is_not_hidden_by_a_new_name(tree: list[Object], pod: Object, word: str, kind: str) -> None:
    metadata = {"name": "web", "namespace": "shop"}
    before, after = (workload(kind, metadata, {**pod, **more}) for more in ({}, {"hostIPC": True}))
    rest = [each for each in tree if identity(each) != identity(before)]
    base = audit_of(Place(folder=folders([*rest, before])))
    head = audit_of(Place(folder=folders([renamed(each, word, "renamed") for each in (*rest, after)])))
    assert "host-ipc" in {row.control for row in compare(base, head).introduced}


def called(each: Object, old: str, new: str) -> Object:
    """The object with another name of a volume, a port or a variable; whatever else is called so stays."""
    pod = each["spec"]
    lists = [pod["volumes"], *(container[key] for container in pod["containers"] for key in ("env", "volumeMounts"))]
    inner = {id(item) for items in lists for item in items}

    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            name = {"name": new} if id(value) in inner and value.get("name") == old else {}
            return {**{key: changed(item) for key, item in value.items()}, **name}
        return [changed(item) for item in value] if isinstance(value, list) else value

    result = changed(each)
    assert isinstance(result, dict)
    return result


@examples(30)
@given(pods(), st.sampled_from(("data", "sock", "PASSWORD", "MODE")))
def test_another_name_of_a_volume_or_a_variable_changes_nothing_and_hides_nothing(pod: Object, word: str) -> None:
    before = workload("Pod", {"name": "web"}, pod)
    after = called(before, word, f"{word}2")
    base = audit_of(Place(folder=folders([before])))
    unchanged(base, audit_of(Place(folder=folders([after]))))
    after["spec"]["volumes"].append({"name": "more", "hostPath": {"path": "/etc"}})
    head = audit_of(Place(folder=folders([after])))
    assert "spec.volumes[2].hostPath" in {row.field for row in compare(base, head).introduced}


@examples(30)
@given(trees(), st.sampled_from([chart("shop"), kustomization("deploy")]), st.sampled_from(("x-", "release-web-")))
def test_a_worsening_is_not_hidden_by_a_move_with_a_prefix(tree: list[Object], source: Source, prefix: str) -> None:
    head = [{**each, "metadata": {**each["metadata"], "name": f"{prefix}{each['metadata']['name']}"}} for each in tree]
    worse = [{**each, "spec": {**each["spec"], "hostIPC": True}} if each["kind"] == "Pod" else each for each in head]
    base = audit_of(Place(folder=folders(tree)))
    comparison = compare(base, audit_of(Place(folder=folders(worse), source=source)))
    found = [row.resource for row in comparison.introduced if row.control == "host-ipc"]
    assert len(found) == sum(each["kind"] == "Pod" for each in tree)
    copied = compare(base, audit_of(Place(folder=folders(tree)), Place(folder=folders(head, "x/"), source=source)))
    ours = {row.fingerprint for row in base.results} | {row.fingerprint for row in copied.introduced}
    assert {row.fingerprint for row in copied.head.results if row.subject != "scope"} <= ours


@examples(15)
@given(changes())
def test_stored_audits_compare_as_those_of_the_run(sides: tuple[Sequence[Place], Sequence[Place]]) -> None:
    base, head = audit_of(*sides[0]), audit_of(*sides[1])
    base, head = (replace(each, catalogue=f"sha256:{0:064}") for each in (base, head))
    stored = [audit_json.load(audit_json.dump(each), "audit.json") for each in (base, head)]
    assert compare(*stored) == compare(base, head)


def test_an_audit_that_remembers_no_content_is_read_and_compared_with_its_like() -> None:
    web = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "app"}]}}
    known = replace(audit_of(Place(folder=folders([web]))), catalogue=f"sha256:{0:064}")
    data = json.loads(audit_json.dump(known))
    for field in ("stem", "contents", "containers"):
        del data["resources"][0][field]
    older = audit_json.load(json.dumps(data), "older.json")
    assert older.resources[0].contents == ()
    assert nothing_new(compare(older, older))


@pytest.mark.parametrize("folder", ["deploy", "."])
def test_a_copy_of_what_was_waived_is_new(folder: str) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"hostNetwork": True, "containers": [{"name": "a", "image": "a"}]},
    }
    waiver = Waiver(control="host-network", path="a.yaml", resource="", reason="known", owner="@team")
    base = audit_of(Place(folder={"a.yaml": [pod]}), waivers=(waiver,))
    head = audit_of(Place(folder={"a.yaml": [pod], f"{folder}/0.yaml": [pod]}), waivers=(waiver,))
    assert "host-network" in {row.control for row in compare(base, head).introduced}
