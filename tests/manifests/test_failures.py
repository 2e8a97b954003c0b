from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from manifests.failures import digest
from model.resource import Tree

Write = Callable[[Mapping[str, str]], Path]
Load = Callable[..., Tree]


def test_a_digest_is_that_of_names_kinds_and_contents_wherever_they_lie(write: Write, tmp_path: Path) -> None:
    root = write({"a/b.yaml": "x", "a/c/d.yaml": "y", "a/.git/z": "1"})
    (root / "a" / "link").symlink_to("/dev/zero")
    os.mkfifo(root / "a" / "fifo")
    first = digest([root / "a"])
    shutil.copytree(root / "a", tmp_path / "copy", symlinks=True, ignore=lambda *_: ["fifo", ".git"])
    os.mkfifo(tmp_path / "copy" / "fifo")
    assert digest([tmp_path / "copy"]) == first
    seen = {first}
    for change in ("a/c/d.yaml", "a/e.yaml"):
        write({change: "z"})
        seen.add(digest([root / "a"]))
    (root / "a" / "link").unlink()
    (root / "a" / "link").symlink_to("/dev/null")
    seen.add(digest([root / "a"]))
    assert len(seen) == 4


def test_what_is_absent_has_a_digest_of_its_own(write: Write) -> None:
    root = write({"a": ""})
    assert digest([root / "a"]) != digest([root / "absent"])
    assert digest([root / "a", root / "a"]) != digest([root / "a"])


def test_a_chart_that_cannot_be_read_is_touched_by_what_it_depends_on(write: Write, load_tree: Load) -> None:
    root = write(
        {
            "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n"
            "dependencies: [{name: db, version: 1.0.0, repository: 'file://../db'},"
            " {name: out, version: 1.0.0, repository: 'file://../out/proc'}]\n",
            "db/Chart.yaml": "name: db\n",
            "db/templates/a.yaml": "",
        }
    )
    (root / "web" / "link").symlink_to("x")
    (root / "out").symlink_to("/")
    before = load_tree().failures
    write({"other.yaml": ""})
    assert load_tree().failures == before
    write({"db/templates/a.yaml": "changed"})
    after = load_tree().failures
    assert [each.path for each in after] == [each.path for each in before] == ["out", "web"]
    assert after[1].digest != before[1].digest


def test_every_failure_has_a_digest(write: Write, load_tree: Load) -> None:
    root = write(
        {
            "a.yaml": "apiVersion: v1\nkind: Pod\nx: [\n",
            "k/kustomization.yaml": "resources: [../../..]\n",
            "c/Chart.yaml": "[]",
        }
    )
    (root / "link.yaml").symlink_to("/proc/self/environ")
    failures = load_tree().failures
    assert [each.path for each in failures] == ["a.yaml", "c", "k", "link.yaml"]
    assert all(each.digest for each in failures)
