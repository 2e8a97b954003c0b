"""With the real Helm and kustomize: what is equal is rendered once, and what came of it is the same to the line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cache import Cache
from manifests.folder_digest import folder_digest
from manifests.helm import render
from manifests.helm.running import Helm
from manifests.load import LoadRequest, load
from model.resource import Tree
from process import Finished, Sandbox
from toolbox import Toolbox

pytestmark = pytest.mark.tools

Write = Callable[[Mapping[str, str]], Path]

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\ndata:\n  key: {{ .Values.key | quote }}\n"
WEB = {"web/Chart.yaml": CHART, "web/values.yaml": "key: a\n", "web/templates/a.yaml": MAP % "a"}
SHOP = {
    "base/kustomization.yaml": "resources: [map.yaml]\n",
    "base/map.yaml": "# the shop\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\n",
    "prod/kustomization.yaml": "resources: [../base]\nnamePrefix: prod-\n",
}


class Loader:
    """Loads a folder with one cache, and counts what is started for it."""

    def __init__(self, toolbox: Toolbox, cache: Cache) -> None:
        self._toolbox, self.cache = toolbox, cache
        self.started: list[str] = []

    def observe(self, words: Sequence[str], about: str, finished: Finished) -> None:  # noqa: ARG002 the port's signature
        if "version" not in words:
            self.started.append(Path(words[0]).name)

    def __call__(self, root: Path, **options: Any) -> Tree:
        self.started.clear()
        with Sandbox(observer=self.observe) as sandbox:
            request = LoadRequest(**{"cwd": root, "root": root, "kube_version": "1.34", "cache": self.cache, **options})
            return load(request, sandbox, self._toolbox)


@pytest.fixture
def loader(toolbox: Toolbox, tmp_path: Path) -> Loader:
    return Loader(toolbox, Cache(tmp_path / "cache"))


def told(tree: Tree) -> list[object]:
    """All that a tree says of its objects, down to the line of every field."""
    return [
        *(
            [
                each.id,
                each.value,
                each.digest,
                each.location,
                *map(each.locate, ((), ("metadata", "name"), ("data", "key"))),
            ]
            for each in tree.resources
        ),
        tree.failures,
        tree.notes,
    ]


def test_a_chart_that_is_equal_on_both_sides_is_rendered_once(write: Write, loader: Loader, tmp_path: Path) -> None:
    head = write(WEB)
    base = tmp_path / "base"
    base.mkdir()
    (head / "web").rename(base / "web")
    before = loader(base)
    assert loader.started == ["helm", "helm"]
    write(WEB)
    assert told(loader(head)) == told(before)
    assert loader.started == []


def test_the_next_run_finds_it_and_tells_the_same_lines(write: Write, loader: Loader, toolbox: Toolbox) -> None:
    root = write(WEB)
    first = loader(root)
    again = Loader(toolbox, Cache(root.parent / "cache"))
    assert told(again(root)) == told(first) == told(Loader(toolbox, Cache())(root))
    assert again.started == []
    assert [each.location.line for each in first.resources] == [1]
    assert [place.line for each in first.resources if (place := each.locate(("data", "key")))] == [6]


@pytest.mark.parametrize(
    ("files", "options"),
    [
        ({"web/templates/a.yaml": "# a comment\n" + MAP % "a"}, {}),
        ({"web/values.yaml": "key: b\n"}, {}),
        ({"web/templates/_b.tpl": '{{ define "b" }}{{ end }}'}, {}),
        ({"web/Chart.yaml": CHART + "description: x\n"}, {}),
        ({}, {"release_name": "other"}),
        ({}, {"namespace": "other"}),
        ({}, {"kube_version": "1.33"}),
        ({}, {"api_versions": ("x.io/v1",)}),
        ({}, {"sets": {"web": ("key=b",)}}),
    ],
    ids=str,
)
def test_what_changes_the_chart_or_its_terms_renders_it_anew(
    write: Write, loader: Loader, toolbox: Toolbox, files: Mapping[str, str], options: Mapping[str, Any]
) -> None:
    loader(write(WEB))
    root = write(files)
    tree = loader(root, **options)
    assert loader.started == ["helm", "helm"]
    assert told(tree) == told(Loader(toolbox, Cache())(root, **options))


def test_another_version_of_helm_renders_it_anew(write: Write, loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(WEB)
    loader(root)

    def newer(**fields: Any) -> Helm:
        return Helm(**{**fields, "version": "99"})

    monkeypatch.setattr(render, "Helm", newer)
    loader(root)
    assert loader.started == ["helm", "helm"]


def test_what_a_value_of_the_workflow_makes_is_never_on_the_disk(write: Write, loader: Loader, tmp_path: Path) -> None:
    root = write(WEB)
    for starts in (2, 0):
        loader(root, sets={"web": ("key=c4n4ry",)})
        assert len(loader.started) == starts
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_may_be_random_is_never_remembered(write: Write, loader: Loader) -> None:
    insists = "{{ if eq (now | date `2006`) `2000` }}{{ fail `the clock is wrong` }}{{ end }}now"
    data = f"data:\n  ca: {{{{ (genCA `x` 1).Cert | sha256sum }}}}\n  at: {insists}\n"
    template = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\n{data}"
    root = write({"web/Chart.yaml": CHART, "web/templates/a.yaml": template})
    for _ in range(2):
        tree = loader(root)
        assert tree.resources[0].value["data"] == {"ca": "masked", "at": "now"}
        assert len(loader.started) > 2
    assert loader.cache.tally.remembered == 0


def test_what_is_random_by_a_value_of_the_workflow_is_not_remembered(write: Write, loader: Loader) -> None:
    template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ tpl .Values.name . }}\n"
    root = write({"web/Chart.yaml": CHART, "web/templates/a.yaml": template})
    for _ in range(2):
        assert loader(root, sets={"web": ("name=n-{{ randAlphaNum 30 }}",)}).resources[0].ref.name == "n-masked"
    assert loader.cache.tally.remembered == 0


def test_no_failure_is_remembered(write: Write, loader: Loader, tmp_path: Path) -> None:
    chart = {"web/Chart.yaml": CHART, "web/templates/a.yaml": "{{ fail `no` }}"}
    root = write({**chart, **SHOP, "prod/kustomization.yaml": "resources: [../base]\npatches: [{patch: nonsense}]\n"})
    for _ in range(2):
        assert len(loader(root).failures) == 2
        assert sorted(loader.started) == ["helm", "kustomize"]
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_chart_whose_templates_do_not_render_with_marks_is_the_same_again(write: Write, loader: Loader) -> None:
    root = write({**WEB, "web/templates/b.yaml": MAP % "b" + '{{ if ne (len (tpl "x" .)) 1 }}{{ fail "x" }}{{ end }}'})
    first = loader(root)
    assert told(loader(root)) == told(first)
    assert loader.started == []


@pytest.mark.parametrize("change", [b"hg0123456789abcdef\n", b"", b"\xff\xfe\n---\n", b"hgx(\n"])
def test_a_remembered_rendering_with_other_marks_costs_places_and_no_objects(
    write: Write, loader: Loader, monkeypatch: pytest.MonkeyPatch, change: bytes
) -> None:
    """Nobody but us can write such an entry; what comes of it must still be no other object, nor an error."""
    root = write(WEB)
    first = loader(root)
    get = Cache.get

    def other(cache: Cache, key: Any) -> bytes | None:
        data = get(cache, key)
        return data if data is None or not data.startswith(b"hg") else change + data.partition(b"\n")[2]

    monkeypatch.setattr(Cache, "get", other)
    again = loader(root)
    assert [each.value for each in again.resources] == [each.value for each in first.resources]


def test_a_kustomization_that_is_equal_on_both_sides_is_built_once(
    write: Write, loader: Loader, tmp_path: Path
) -> None:
    head = write(SHOP)
    before = loader(head)
    assert loader.started == ["kustomize"]
    assert [(each.ref.name, each.location.path, each.location.line) for each in before.resources] == [
        ("prod-shop", "base/map.yaml", 2)
    ]
    base = tmp_path / "base"
    head.rename(base)
    assert told(loader(base)) == told(before)
    assert loader.started == []


@pytest.mark.parametrize("file", ["base/map.yaml", "prod/kustomization.yaml", "base/kustomization.yaml"])
def test_what_changes_a_part_of_a_kustomization_builds_it_anew(write: Write, loader: Loader, file: str) -> None:
    loader(write(SHOP))
    loader(write({file: SHOP[file] + "# changed\n"}))
    assert loader.started == ["kustomize"]
    loader(write({"base/README.md": "nobody names this"}))
    assert loader.started == []


def test_a_digest_tells_names_and_contents_apart(tmp_path: Path) -> None:
    folders = []
    for number, files in enumerate(({"a": "bc"}, {"ab": "c"}, {"a": "b", "c": ""}, {"d/a": "bc"}, {"a": "b\n1 1\nc"})):
        folder = tmp_path / str(number)
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        folders.append(folder)
    assert len({folder_digest(folder) for folder in folders}) == len(folders)
