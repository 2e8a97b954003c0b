from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from manifests.relocate import relocate
from model.resource import Source, SourceKind, Tree

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"


def test_a_relocated_tree_has_the_paths_and_ids_of_its_counterpart(
    write: Callable[[Mapping[str, str]], Path], load_tree: Callable[..., Tree]
) -> None:
    files = {
        "web.yaml": POD,
        "broken.yaml": "apiVersion: v1\nkind: Pod\n  bad: [",
        "notes/values.txt": "",
        "k/kustomization.yaml": "resources: [pod.yaml]\n",
        "k/pod.yaml": POD,
    }
    root = write({f"{side}/{name}": text for side in ("base", "head") for name, text in files.items()})
    head = load_tree("head")
    base = relocate(load_tree(".", cwd=root / "base", root=root / "base"), "head")
    assert base.sources == head.sources
    assert [(each.id, each.source, each.location) for each in base.resources] == [
        (each.id, each.source, each.location) for each in head.resources
    ]
    assert [(each.path, each.source) for each in base.failures] == [(each.path, each.source) for each in head.failures]


def test_ids_keep_their_form_whatever_the_path_is_called() -> None:
    for kind, path, before, after in (
        (SourceKind.MANIFESTS, "a", "manifests:a", "manifests:x/a"),
        (SourceKind.MANIFESTS, ".", "manifests:.", "manifests:x"),
        (SourceKind.KUSTOMIZE, "a", "kustomize:a", "kustomize:x/a"),
        (SourceKind.HELM, "a", "a?values=a", "x/a?values=a"),
        (SourceKind.HELM, ".", ".", "x"),
    ):
        source = Source(id=before, kind=kind, path=path, name="n", kube_version="1.34")
        assert relocate(Tree(sources=(source,), resources=(), failures=()), "x").sources[0].id == after


def test_a_tree_that_lies_where_its_counterpart_does_stays_as_it_is(
    write: Callable[[Mapping[str, str]], Path], load_tree: Callable[..., Tree]
) -> None:
    write({"web.yaml": POD})
    tree = load_tree()
    assert relocate(tree, ".") is tree
