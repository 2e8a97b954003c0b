"""Sources that the configuration lists: charts with environments, kustomizations, folders of manifests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from model.resource import Tree
from model.sources import ChartEntry, Environment, KustomizeEntry, ManifestsEntry, SourceEntry

Write = Callable[[Mapping[str, str]], Path]
Load = Callable[..., Tree]

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\n"
FILES = {
    "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "charts/web/templates/pod.yaml": POD % "web-{{ .Values.size }}-{{ .Capabilities.KubeVersion.Minor }}",
    "charts/web/values.yaml": "size: small\n",
    "charts/web/values-prod.yaml": "size: large\n",
    "charts/web/edge.yaml": "size: edge\n",
    "charts/other/Chart.yaml": "apiVersion: v2\nname: other\nversion: 1.0.0\n",
    "top/kustomization.yaml": "resources: [../base]\n",
    "base/kustomization.yaml": "resources: [pod.yaml]\n",
    "base/pod.yaml": POD % "based",
    "deploy/pod.yaml": POD % "raw",
    "beside.yaml": POD % "beside",
}
WEB = ChartEntry(
    path="charts/web",
    environments=(
        Environment(name="prod", files=("values-prod.yaml",)),
        Environment(name="edge", files=("values-prod.yaml", "edge.yaml")),
    ),
    kube_version="1.31",
)


def names(tree: Tree) -> dict[str, str]:
    return {resource.source: resource.ref.name for resource in tree.resources}


def test_each_environment_is_a_source_with_its_files_and_its_kubernetes(write: Write, load_tree: Load) -> None:
    write(FILES)
    tree = load_tree("charts/web", entries=(WEB,))
    assert names(tree) == {"charts/web?values=prod": "web-large-31", "charts/web?values=edge": "web-edge-31"}
    edge = next(source for source in tree.sources if source.environment == "edge")
    assert edge.values == ("charts/web/values-prod.yaml", "charts/web/edge.yaml")
    assert edge.kube_version == "1.31"


def test_entries_without_more_add_to_what_is_found(write: Write, load_tree: Load) -> None:
    write(FILES)
    tree = load_tree(entries=(KustomizeEntry(path="base"),))
    assert {source.id for source in tree.sources} == {
        "charts/web", "charts/other", "kustomize:top", "kustomize:base", "manifests:."
    }  # fmt: skip


def test_only_entries_count_where_that_is_wanted_and_the_rest_is_listed(write: Write, load_tree: Load) -> None:
    write(FILES)
    entries: tuple[SourceEntry, ...] = (WEB, KustomizeEntry(path="base"), ManifestsEntry(path="deploy"))
    tree = load_tree(entries=entries, entries_only=True)
    assert {source.id for source in tree.sources} == {
        "charts/web?values=prod", "charts/web?values=edge", "kustomize:base", "manifests:."
    }  # fmt: skip
    assert [(each.path, each.pattern) for each in tree.excluded] == [
        ("beside.yaml", "(not among sources)"),
        ("charts/other", "(not among sources)"),
        ("top", "(not among sources)"),
    ]
    assert tree.failures == ()


@pytest.mark.parametrize(
    "entry", [ChartEntry(path="gone"), KustomizeEntry(path="deploy"), ManifestsEntry(path="gone.yaml")]
)
def test_an_entry_that_is_not_there_is_a_failure_in_head_and_nothing_in_base(
    entry: SourceEntry, write: Write, load_tree: Load
) -> None:
    write(FILES)
    (failure,) = load_tree(entries=(entry,)).failures
    assert (failure.path, failure.reason[:40]) == (entry.path, "the configuration lists it under sources")
    assert load_tree(entries=(entry,), required=False).failures == ()
    assert load_tree("charts", entries=(entry,)).failures == ()  # nobody asked for it


def test_an_environment_that_base_does_not_have_yet_is_left_out_there(write: Write, load_tree: Load) -> None:
    write(FILES)
    new = ChartEntry(path="charts/web", environments=(*WEB.environments, Environment(name="new", files=("new.yaml",))))
    assert [source.environment for source in load_tree("charts/web", entries=(new,), required=False).sources] == [
        "prod",
        "edge",
    ]
    (failure,) = load_tree("charts/web", entries=(new,)).failures
    assert failure.source == "charts/web?values=new"


@pytest.mark.threat("F1")
@pytest.mark.parametrize("file", ["../../../outside.yaml", "/proc/self/environ", "link.yaml", "linked/x.yaml"])
def test_values_of_the_configuration_stay_inside_of_the_tree(
    file: str, write: Write, load_tree: Load, tmp_path: Path
) -> None:
    root = write(FILES)
    (tmp_path / "outside.yaml").write_text("size: stolen\n", encoding="utf-8")
    (root / "charts/web/link.yaml").symlink_to(tmp_path / "outside.yaml")
    (root / "charts/web/linked").symlink_to(tmp_path)
    entry = ChartEntry(path="charts/web", environments=(Environment(name="prod", files=(file,)),))
    tree = load_tree("charts/web", entries=(entry,))
    reasons = [failure.reason for failure in tree.failures if failure.path == "charts/web"]
    assert any("lies outside of the tree, or behind a symbolic link" in reason for reason in reasons)
    assert tree.resources == ()


def test_values_of_the_command_line_count_in_place_of_the_environments(write: Write, load_tree: Load) -> None:
    from manifests.load import ChartValues

    write(FILES)
    stated = ChartValues(chart="web", files=("charts/web/edge.yaml",))
    tree = load_tree("charts/web", entries=(WEB,), values=(stated,))
    assert names(tree) == {
        "charts/web?values=edge": "web-edge-31"
    }  # the Kubernetes version is the chart's all the same
