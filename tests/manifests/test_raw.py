"""Files that hold the same bytes are parsed once, on whichever side they stand, and share no place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from manifests import raw
from manifests.text import compose
from model.resource import Tree

Write = Callable[[Mapping[str, str]], Path]
Load = Callable[..., Tree]

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: web}]}\n"
ALIASES = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: &a [1, 2], b: *a}\n"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    raw.CONTENTS.clear()
    yield
    raw.CONTENTS.clear()


def test_equal_files_make_resources_of_their_own(write: Write, load_tree: Load) -> None:
    write({"a.yaml": POD, "b.yaml": f"{POD}", "c.yaml": f"# another\n{POD}"})
    first, second, third = load_tree().resources
    assert [each.id for each in (first, second, third)] == [f"manifests:.#Pod/-/a{end}" for end in ("", "~2", "~3")]
    assert [each.location.path for each in (first, second, third)] == ["a.yaml", "b.yaml", "c.yaml"]
    assert [each.location.line for each in (first, second, third)] == [1, 1, 2]
    assert second.value is first.value
    assert second.pods is first.pods
    assert second is not first
    assert third.value is not first.value
    assert len(raw.CONTENTS) == 2


def test_the_other_side_reads_what_has_changed_and_remembers_the_rest(write: Write, load_tree: Load) -> None:
    write({"a.yaml": POD, "b.yaml": POD.replace("web", "old")})
    base = load_tree()
    write({"b.yaml": POD.replace("web", "new")})
    head = load_tree()
    assert [one.value is other.value for one, other in zip(base.resources, head.resources, strict=True)] == [
        True,
        False,
    ]
    assert head.resources[1].containers[0].name == "new"
    assert [each.id for each in head.resources] == [each.id for each in base.resources]


def test_what_cannot_be_read_is_told_of_each_file(write: Write, load_tree: Load) -> None:
    broken = f"{POD}---\napiVersion: v1\nkind: Pod\nmetadata: {{{{ name }}}}\n---\nkind: Pod\n"
    write({"a.yaml": broken, "b.yaml": broken})
    tree = load_tree()
    assert [(each.path, each.line) for each in tree.failures] == [
        (path, line) for path in ("a.yaml", "b.yaml") for line in (8, 10)
    ]
    assert [each.location.path for each in tree.resources] == ["a.yaml", "b.yaml"]


def test_a_file_that_is_a_manifest_only_by_its_name_is_judged_by_its_name(write: Write, load_tree: Load) -> None:
    write({"chart/Chart.yaml": "name: a\nversion: 1.0.0\n", "chart/files/a.yaml": "kind: A\n", "b.yaml": "kind: A\n"})
    tree = load_tree("b.yaml")
    assert [each.path for each in tree.failures] == ["b.yaml"]


def test_aliases_count_each_time_that_they_are_read(
    write: Write, load_tree: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = compose.Budget(7)
    monkeypatch.setattr(raw, "Budget", lambda: budget)
    write({"a.yaml": ALIASES, "b.yaml": ALIASES, "c.yaml": ALIASES})
    tree = load_tree()
    assert [each.location.path for each in tree.resources] == ["a.yaml", "b.yaml"]
    assert [each.path for each in tree.failures] == ["c.yaml"]
    assert not raw.CONTENTS
