"""What base has scanned and head hides in plain sight is unscanned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from manifests.lost import lost_from_sight
from model.resource import SourceKind, Tree

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a}]}\n"
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
Write = Callable[[dict[str, str]], Path]
Load = Callable[..., Tree]


def lost(load: Load, root: Path) -> list[tuple[str, str]]:
    """Stage and path of what ``root/head`` lost of ``root/base``."""
    base, head = (load(".", cwd=root / side, root=root / side) for side in ("base", "head"))
    raw = {source.id for source in base.sources if source.kind is SourceKind.MANIFESTS}
    manifests = [resource.location.path for resource in base.resources if resource.source in raw]
    return [(each.stage, each.path) for each in lost_from_sight(base.sources, manifests, head, root / "head")]


def test_what_is_the_same_moved_or_gone_is_not_lost(write: Write, load_tree: Load) -> None:
    root = write(
        {
            "base/a.yaml": POD,
            "base/b.yaml": POD,
            "base/web/Chart.yaml": CHART,
            "base/web/templates/x.yaml": POD,
            "base/prod/kustomization.yaml": "resources: [c.yaml]\n",
            "base/prod/c.yaml": POD,
            "head/moved/a.yaml": POD,
        }
    )
    assert lost(load_tree, root) == []


def test_a_manifest_that_becomes_a_resource_of_a_kustomization_or_a_template_is_looked_at_there(
    write: Write, load_tree: Load
) -> None:
    root = write(
        {
            "base/a.yaml": POD,
            "base/web/templates/x.yaml": POD,
            "head/a.yaml": POD,
            "head/kustomization.yaml": "resources: [a.yaml]\n",
            "head/web/Chart.yaml": CHART,
            "head/web/templates/x.yaml": POD,
        }
    )
    assert lost(load_tree, root) == []


@pytest.mark.parametrize(
    "hiding",
    [
        {"head/kustomization.yaml": "resources: [b.yaml]\npatches: [{path: a.yaml, target: {kind: Nothing}}]\n"},
        {"head/part/kustomization.yaml": "kind: Component\npatches: [{path: ../a.yaml}]\n"},
    ],
    ids=["patch", "component"],
)
@pytest.mark.threat("S6")
def test_a_manifest_that_a_kustomization_claims_without_building_it_is_unscanned(
    write: Write, load_tree: Load, hiding: dict[str, str]
) -> None:
    root = write({"base/a.yaml": POD, "head/a.yaml": POD, "head/b.yaml": POD.replace("a}", "b}"), **hiding})
    assert lost(load_tree, root) == [("parse", "a.yaml")]


@pytest.mark.threat("S6")
def test_a_manifest_in_a_folder_that_a_new_chart_does_not_render_is_unscanned(write: Write, load_tree: Load) -> None:
    write({"base/x/templates/a.yaml": POD, "head/x/templates/a.yaml": POD})
    root = write({"head/x/Chart.yaml": f"{CHART}type: library\n"})
    assert lost(load_tree, root) == [("parse", "x/templates/a.yaml")]


@pytest.mark.threat("S6")
def test_a_chart_that_becomes_a_library_and_a_kustomization_that_becomes_a_component_are_unscanned(
    write: Write, load_tree: Load
) -> None:
    root = write(
        {
            "base/web/Chart.yaml": CHART,
            "base/web/templates/x.yaml": POD,
            "base/prod/kustomization.yaml": "resources: [c.yaml]\n",
            "base/prod/c.yaml": POD,
            "head/web/Chart.yaml": f"{CHART}type: library\n",
            "head/web/templates/x.yaml": POD,
            "head/prod/kustomization.yaml": "kind: Component\nresources: [c.yaml]\n",
            "head/prod/c.yaml": POD,
        }
    )
    assert lost(load_tree, root) == [("render", "prod"), ("render", "web")]


def test_a_kustomization_that_another_builds_on_and_a_chart_that_is_a_part_of_another_are_looked_at(
    write: Write, load_tree: Load
) -> None:
    root = write(
        {
            "base/web/Chart.yaml": CHART,
            "base/web/templates/x.yaml": POD,
            "base/prod/kustomization.yaml": "resources: [c.yaml]\n",
            "base/prod/c.yaml": POD,
            "head/web/Chart.yaml": CHART,
            "head/web/templates/x.yaml": POD,
            "head/all/Chart.yaml": f"{CHART}dependencies: [{{name: web, version: 1.0.0, repository: 'file://../web'}}]\n",
            "head/prod/kustomization.yaml": "resources: [c.yaml]\n",
            "head/prod/c.yaml": POD,
            "head/east/kustomization.yaml": "resources: [../prod]\n",
        }
    )
    assert lost(load_tree, root) == []
