from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from manifests.discovery import Found, discover, tops, work_tree
from manifests.helm.charts import unreached
from model.errors import UsageError

Write = Callable[[Mapping[str, str]], Path]
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"


def find(root: Path, *paths: str, exclude: tuple[str, ...] = ()) -> Found:
    return discover(tops(paths or (".",), root, root, required=True), exclude)


def manifests(found: Found) -> list[str]:
    return [file.reported for files in found.manifests.values() for file in files]


def test_manifests_are_found_by_suffix_in_a_stable_order(write: Write) -> None:
    root = write(
        {"b.yml": POD, "a.yaml": POD, "d/c.json": "{}", ".hidden/x.yaml": POD, "README.md": "", ".git/e.yaml": POD}
    )
    assert manifests(find(root)) == [".hidden/x.yaml", "a.yaml", "b.yml", "d/c.json"]


def test_what_belongs_to_a_chart_is_no_manifest(write: Write) -> None:
    own = [
        "Chart.yaml",
        "values.yaml",
        "values-prod.yaml",
        "prod.values.yml",
        "values.schema.json",
        "requirements.yaml",
    ]
    inside = ["templates/a.yaml", "charts/db/Chart.yaml", "charts/db/values.yaml", "ci/a-values.yaml", "crds/a.yaml"]
    root = write({f"charts/web/{name}": CHART if name.endswith("Chart.yaml") else "" for name in (*own, *inside)})
    write({"charts/web/examples/a.yaml": POD, "charts/web/examples/db/Chart.yaml": CHART, "values.yaml": "a: 1"})
    found = find(root)
    assert [chart.path for chart in found.charts] == ["charts/web", "charts/web/examples/db"]
    rows = [(file.reported, file.is_data, file.is_doubtful) for files in found.manifests.values() for file in files]
    assert [row for row in rows if not row[2]] == [
        ("charts/web/examples/a.yaml", True, False),
        ("values.yaml", False, False),
    ]
    assert [row[0].removeprefix("charts/web/") for row in rows if row[2]] == [
        "ci/a-values.yaml",
        "prod.values.yml",
        "values-prod.yaml",
        "values.yaml",
    ]


def test_a_library_chart_is_noted(write: Write) -> None:
    found = find(write({"lib/Chart.yaml": f"{CHART}type: library\n"}))
    assert (found.charts, [note.path for note in found.notes]) == ([], ["lib"])


def test_a_local_dependency_is_part_of_its_parent_unless_it_is_named(write: Write) -> None:
    depends = "dependencies: [{name: db, version: 1.0.0, repository: 'file://../db'}]\n"
    root = write({"web/Chart.yaml": CHART + depends, "db/Chart.yaml": CHART})
    found = find(root)
    assert [chart.path for chart in found.charts] == ["web"]
    assert [note.path for note in found.notes] == ["db"]
    assert [chart.path for chart in find(root, ".", "db").charts] == ["db", "web"]


@pytest.mark.threat("S9")
def test_charts_that_only_depend_on_each_other_do_not_hide(write: Write) -> None:
    root = write(
        {
            f"{one}/Chart.yaml": f"{CHART}dependencies: [{{name: x, version: 1.0.0, repository: 'file://../{other}'}}]\n"
            for one, other in (("a", "b"), ("b", "a"), ("c", "c"))
        }
    )
    assert [chart.path for chart in find(root).charts] == ["a", "b", "c"]


def test_a_broken_chart_file_is_a_failure(write: Write) -> None:
    found = find(write({"a/Chart.yaml": "name: [\n", "b/Chart.yaml": "[]", "b/templates/x.yaml": "{{"}))
    assert {(str(failure.stage), failure.path) for failure in found.failures} == {("render", "a"), ("render", "b")}
    assert (found.charts, manifests(found)) == ([], [])


def test_kustomizations_that_no_other_reaches_are_found_and_what_they_read_is_not_raw(write: Write) -> None:
    root = write(
        {
            "base/kustomization.yaml": "resources: [a.yaml]\n",
            "base/a.yaml": POD,
            "base/beside.yaml": POD,
            "prod/kustomization.yml": "resources: [../base]\ncomponents: [../part]\npatches: [{path: patch.yaml}]\n",
            "prod/patch.yaml": POD,
            "part/Kustomization": "kind: Component\n",
            "alone/kustomization.yaml": "kind: Component\nresources: [added.yaml]\n"
            "patches: [{path: patch.yaml}, odd.yaml]\n",
            "alone/added.yaml": POD,
            "alone/odd.yaml": POD,
            "alone/patch.yaml": POD,
            "broken/kustomization.yaml": "a: [\n",
        }
    )
    found = find(root)
    assert [each.path for each in found.kustomizations] == ["prod"]
    assert [(failure.path, failure.stage) for failure in found.failures] == [("broken/kustomization.yaml", "render")]
    reason = "a component that no kustomization uses: what it adds is scanned as manifests, its patches are not"
    assert [(note.path, note.reason) for note in found.notes] == [("alone", reason)]
    assert manifests(found) == ["alone/added.yaml", "base/beside.yaml"]
    assert [each.path for each in find(root, "base", ".").kustomizations] == ["base", "prod"]


@pytest.mark.threat("S7")
def test_exclusions_are_listed_and_never_silent(write: Write) -> None:
    root = write(
        {"a/testdata/x/a.yaml": POD, "b.yaml": POD, "c.yaml": POD, "charts/web/Chart.yaml": CHART, "README.md": ""}
    )
    found = find(root, exclude=("**/testdata/", "/b.yaml", "charts/*", "*.md"))
    assert manifests(found) == ["c.yaml"]
    assert {(each.path, each.pattern) for each in found.excluded} == {
        ("a/testdata", "**/testdata/"),
        ("b.yaml", "/b.yaml"),
        ("charts/web", "charts/*"),
    }
    assert found.charts == []


@pytest.mark.threat("F1")
def test_links_and_special_files_with_the_suffix_are_failures_once_each(write: Write) -> None:
    root = write({"a.yaml": POD, "d/b.yaml": POD})
    (root / "link.yaml").symlink_to("a.yaml")
    (root / "out.json").symlink_to("/proc/self/environ")
    (root / "loop").symlink_to(".")
    (root / "notes").symlink_to("a.yaml")
    os.mkfifo(root / "fifo.yml")
    found = find(root, ".", "d")
    assert sorted(manifests(found)) == ["a.yaml", "d/b.yaml"]
    assert [failure.path for failure in found.failures] == ["fifo.yml", "link.yaml", "out.json"]
    assert [note.path for note in found.notes] == ["loop"]


@pytest.mark.threat("F1")
def test_a_path_behind_a_link_is_not_entered(write: Write, tmp_path: Path) -> None:
    (tmp_path / "outside" / "d").mkdir(parents=True)
    (tmp_path / "outside" / "d" / "secret.yaml").write_text(POD)
    root = write({"a.yaml": POD})
    (root / "link").symlink_to(tmp_path / "outside")
    for path in ("link", "link/d", "link/d/secret.yaml"):
        found = find(root, path)
        assert (manifests(found), [failure.path for failure in found.failures]) == ([], ["link"])


def test_each_file_belongs_to_one_path_the_deeper_one(write: Write) -> None:
    root = write({"a.yaml": POD, "deploy/b.yaml": POD})
    found = find(root, ".", "deploy", "deploy/b.yaml", "./deploy")
    assert {top.reported: [file.reported for file in files] for top, files in found.manifests.items()} == {
        ".": ["a.yaml"],
        "deploy": [],
        "deploy/b.yaml": ["deploy/b.yaml"],
    }


def test_a_file_may_be_named_whatever_its_suffix(write: Write) -> None:
    root = write({"pod.txt": POD, "web/Chart.yaml": CHART})
    assert manifests(find(root, "pod.txt")) == ["pod.txt"]
    assert [chart.path for chart in find(root, "web/Chart.yaml").charts] == ["web"]


@pytest.mark.parametrize("path", ["absent", "a.yaml/b", "x" * 300, "a\0b"])
def test_a_path_that_does_not_exist_is_named(write: Write, path: str) -> None:
    root = write({"a.yaml": POD})
    with pytest.raises(UsageError, match="does not exist"):
        find(root, path)
    assert tops((path,), root, root, required=False) == ()


def test_a_path_outside_of_the_root_is_its_own_root(write: Write, tmp_path: Path) -> None:
    root = write({"in.yaml": POD})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "out.yaml").write_text(POD)
    assert sorted(manifests(find(root, ".", "../other"))) == ["in.yaml", "out.yaml"]
    assert manifests(find(root, str(tmp_path / "other" / "out.yaml"))) == ["out.yaml"]


def test_the_root_is_the_work_tree_around_a_folder(write: Write, tmp_path: Path) -> None:
    root = write({"a/b/c.yaml": POD, ".git": "gitdir: elsewhere"})
    assert work_tree(root / "a" / "b") == root
    assert work_tree(tmp_path) == tmp_path.resolve()


@pytest.mark.threat("F4")
def test_names_that_are_no_text_are_reported_as_such(write: Write) -> None:
    root = write({})
    for name in (
        b"\xff.yaml",
        b"::error::x.yaml",
        b"-o.yaml",
        b"a\nb.yaml",
        "\u202eb.yaml".encode(),
        b"x" * 250 + b".yaml",
    ):
        (root / os.fsdecode(name)).write_text(POD)
    found = find(root)
    assert len(manifests(found)) == 6
    assert "\ufffd.yaml" in manifests(found)


def test_a_folder_named_like_a_file_is_a_folder(write: Write) -> None:
    found = find(write({"a.yaml/b.yaml": POD, "c/Chart.yaml/d.yaml": POD}))
    assert "a.yaml/b.yaml" in manifests(found)
    assert [failure.path for failure in found.failures] == ["c"]


def test_nothing_hides_behind_itself() -> None:
    a, b, c, d = map(Path, "abcd")
    assert unreached({a: [b], b: [], c: [d], d: [c]}) == {a, c, d}
    assert unreached({a: [a]}) == {a}
