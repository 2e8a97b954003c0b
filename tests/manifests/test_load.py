from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from manifests import files, load, raw
from manifests.raw import is_expected
from model.resource import Failure, Note, Tree

Write = Callable[[Mapping[str, str]], Path]
Load = Callable[..., Tree]

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\n"


def failures(tree: Tree) -> list[tuple[str, int | None]]:
    assert all(failure.reason and failure.remedy and failure.stage == "parse" for failure in tree.failures)
    return [(failure.path, failure.line) for failure in tree.failures]


def notes(tree: Tree) -> list[tuple[str, int | None]]:
    return [(note.path, note.line) for note in tree.notes]


def names(tree: Tree) -> list[str]:
    return [resource.ref.name for resource in tree.resources]


def test_the_raw_manifests_of_one_path_are_one_source(write: Write, load_tree: Load) -> None:
    write(
        {
            "a.yaml": POD % "a",
            "deploy/b.yaml": POD % "b" + "---\n" + POD % "c",
            "deploy/d.json": "{}",
            "e.yaml": "x: 1\n",
        }
    )
    tree = load_tree()
    assert [(source.id, source.name, source.path) for source in tree.sources] == [("manifests:.", "manifests", ".")]
    assert (names(tree), tree.files, tree.documents) == (["a", "b", "c"], 2, 3)
    assert (tree.failures, tree.notes) == ((), ())
    both = load_tree("deploy", "a.yaml")
    assert [(source.id, source.path) for source in both.sources] == [
        ("manifests:a.yaml", "a.yaml"),
        ("manifests:deploy", "deploy"),
    ]


def test_paths_with_equal_names_stay_apart(write: Write, load_tree: Load, tmp_path: Path) -> None:
    write({})
    for other in ("x", "y"):
        (tmp_path / other).mkdir()
        (tmp_path / other / "a.yaml").write_text(POD % "a")
    tree = load_tree("../x", "../y")
    assert [source.id for source in tree.sources] == ["manifests:.", "manifests:.~2"]
    assert len({resource.id for resource in tree.resources}) == 2


def test_nothing_to_scan_is_an_empty_tree(write: Write, load_tree: Load) -> None:
    write({"README.md": "", "values.yaml": "a: 1\n", ".github/workflows/ci.yaml": "on: push\njobs: {}\n"})
    tree = load_tree()
    assert (tree.sources, tree.resources, tree.failures, tree.notes) == ((), (), (), ())
    assert load_tree("absent", required=False).sources == ()


def test_a_broken_manifest_is_a_failure_and_the_rest_is_scanned(write: Write, load_tree: Load) -> None:
    write({"a.yaml": POD % "a" + "---\n" + POD % "[" + "---\n" + POD % "b", "c.yaml": POD % "c"})
    tree = load_tree()
    assert names(tree) == ["a", "b", "c"]
    assert failures(tree) == [("a.yaml", 7)]
    assert tree.failures[0].source == "manifests:."


def test_a_template_among_the_manifests_is_told_as_such(write: Write, load_tree: Load) -> None:
    write({"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {{ name }}\n"})
    (failure,) = load_tree().failures
    assert failure.reason == "a key that is a mapping or a list is no key in JSON; it seems to be a template"
    assert failure.remedy == "scan what it renders to, or exclude it in the configuration"


def test_other_yaml_that_does_not_parse_is_a_note(write: Write, load_tree: Load) -> None:
    write(
        {
            "a.yaml": "a: [\n---\nb: [\n",
            "web/Chart.yaml": "name: web\ntype: library\n",
            "web/files/a.yaml": POD % "{{ x }}",
        }
    )
    tree = load_tree()
    assert failures(tree) == []
    assert notes(tree) == [("a.yaml", 2), ("web", None), ("web/files/a.yaml", 3)]


def test_half_an_object_is_a_failure_where_one_was_meant_and_else_a_note(write: Write, load_tree: Load) -> None:
    write(
        {"a.yaml": "kind: Pod\n", "b.yaml": POD % "b" + "---\nmetadata: {}\n", "c.yaml": "apiVersion: 1\nkind: Pod\n"}
    )
    tree = load_tree()
    assert (names(tree), failures(tree), notes(tree)) == (["b"], [("b.yaml", 5), ("c.yaml", 1)], [("a.yaml", 1)])


def test_what_is_named_is_expected(write: Write, load_tree: Load) -> None:
    write({"a.txt": "a: [\n", "b.yaml": "b: [\n"})
    assert failures(load_tree("a.txt", "b.yaml")) == [("a.txt", 2), ("b.yaml", 2)]


def test_tags_are_noted_beside_resources_only(write: Write, load_tree: Load) -> None:
    write({"a.yaml": POD % "!Ref a", "b.yaml": "x: !Ref y\n"})
    tree = load_tree()
    assert (names(tree), notes(tree)) == (["a"], [("a.yaml", 3)])


@pytest.mark.threat("F1", "Y12")
def test_pointers_links_and_bad_bytes_are_failures_once_each(write: Write, load_tree: Load) -> None:
    root = write({"lfs.yaml": files.LFS_POINTER.decode() + "v1\n", "ok.yaml": POD % "ok"})
    (root / "link.yaml").symlink_to("ok.yaml")
    (root / "latin.yaml").write_bytes((POD % "é").encode("latin-1"))
    (root / "nul.yaml").write_bytes((POD % "a\0b").encode())
    (root / "image.yaml").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\xff")
    tree = load_tree(".", "ok.yaml")
    assert failures(tree) == [("latin.yaml", 3), ("lfs.yaml", None), ("link.yaml", None), ("nul.yaml", 3)]
    assert notes(tree) == [("image.yaml", 1)]
    assert names(tree) == ["ok"]


@pytest.mark.threat("Y15")
def test_a_manifest_that_is_too_large_is_a_failure_and_other_data_a_note(
    write: Write, load_tree: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.read_file, "__defaults__", (1000,))
    filler = "# filler\n" * 200
    write({"a.yaml": filler + POD % "a", "b.json": '{"x": "%s"}' % ("y" * 2000), "c.yaml": POD % "c"})
    tree = load_tree()
    assert (names(tree), failures(tree), notes(tree)) == (["c"], [("a.yaml", None)], [("b.json", None)])


@pytest.mark.threat("Y15")
def test_the_bound_of_files_is_one_failure(write: Write, load_tree: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "Reader", lambda: files.Reader(files=2))
    write({f"{n}.yaml": POD % n for n in range(9)})
    tree = load_tree()
    assert (names(tree), failures(tree)) == (["0", "1"], [(".", None)])


@pytest.mark.threat("S9")
def test_large_files_without_a_manifest_are_not_parsed_and_those_in_disguise_are(
    write: Write, load_tree: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw, "LARGE", 10)
    write(
        {"lock.json": '{"a": [ 1, 2, 3, ', "b.yaml": '"api\\x56ersion": v1\n"k\\u0069nd": Pod\n', "c.yaml": POD % "c"}
    )
    tree = load_tree()
    assert ([resource.ref.kind for resource in tree.resources], notes(tree)) == (["Pod", "Pod"], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (POD % "a", True),
        ("\"apiVersion\": v1\n'kind' : Pod\n", True),
        ('{"kind": "Pod", "apiVersion": "v1"}', True),
        ("{apiVersion: v1, kind: Pod}", True),
        ("\ufeffapiVersion: v1\r\nkind: Pod\r\n", True),
        ("apiVersion: v2\nname: web\n", False),
        ("a:\n  apiVersion: v1\n  kind: Pod\n", False),
        ("# apiVersion: v1\n# kind: Pod\n", False),
        ("kinds: 1\napiVersions: 2\n", False),
    ],
)
def test_expected_is_what_has_both_keys_at_its_top(text: str, expected: bool) -> None:  # noqa: FBT001
    assert is_expected(text.encode()) is expected
    assert is_expected(text.removeprefix("\ufeff").encode("utf-16")) is expected


def test_values_files_are_no_manifests_wherever_they_lie_unless_they_say_so(write: Write, load_tree: Load) -> None:
    write({"env/prod.yaml": "kind: DaemonSet\nimage: {}\n", "env/evil.yaml": POD % "evil", "a.yaml": POD % "a"})
    values = (load.ChartValues(chart="gone", files=("env/prod.yaml", "env/evil.yaml")),)
    tree = load_tree(values=values, required=False)
    assert (names(tree), tree.failures, tree.notes) == (["a", "evil"], (), ())


@pytest.mark.threat("S9")
def test_a_whole_object_in_a_file_that_charts_or_generators_read_is_a_manifest(write: Write, load_tree: Load) -> None:
    write(
        {
            "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
            "web/evil-values.yaml": POD % "beside",
            "web/ci/test.yaml": POD % "ci",
            "web/ci/test-values.yaml": "kind: none\n",
            "k/kustomization.yaml": "configMapGenerator: [{name: c, files: [job.yaml, app.yaml]}]\n",
            "k/job.yaml": POD % "job",
            "k/app.yaml": "kind: of\n",
        }
    )
    tree = load_tree(required=False)
    raw = {source.id for source in tree.sources if source.kind == "manifests"}
    assert sorted(each.ref.name for each in tree.resources if each.source in raw) == ["beside", "ci", "job"]
    assert tree.notes == ()


def test_excluded_paths_are_listed(write: Write, load_tree: Load) -> None:
    write({"a.yaml": POD % "a", "test/b.yaml": POD % "["})
    tree = load_tree(exclude=("test/",))
    assert (names(tree), [(each.path, each.pattern) for each in tree.excluded]) == (["a"], [("test", "test/")])


def test_the_same_tree_loads_the_same(write: Write, load_tree: Load) -> None:
    write(
        {f"{name}/{name}.yaml": POD % name + "---\nkind: x\n" for name in "cab"} | {"x.yaml": "a: [", "y.yaml": "b: ["}
    )
    one, other = load_tree(), load_tree()
    assert [(each.id, each.digest, each.location) for each in one.resources] == [
        (each.id, each.digest, each.location) for each in other.resources
    ]
    assert (one.failures, one.notes, one.sources) == (other.failures, other.notes, other.sources)


def test_failures_and_notes_are_sorted(write: Write, load_tree: Load) -> None:
    write({f"{name}.yaml": "---\n".join([POD % "["] * 3) for name in "ba"})
    found = failures(load_tree())
    assert found == [(name, line) for name in ("a.yaml", "b.yaml") for line in (3, 7, 11)]


def test_loaded_nouns_are_those_of_the_model(write: Write, load_tree: Load) -> None:
    write({"a.yaml": POD % "[", "b.yaml": "a: [\n"})
    tree = load_tree()
    assert [type(each) for each in (*tree.failures, *tree.notes)] == [Failure, Note]
