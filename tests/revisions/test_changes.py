"""Real git: the lines of head that its diff against base shows as added."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from process import Sandbox
from revisions import changes
from revisions.changes import WHOLE, Lines
from revisions.repository import Repository
from tests.revisions.workshop import Workshop

TEN = "".join(f"line: {number}\n" for number in range(1, 11))


def lines(
    tmp_path: Path, sandbox: Sandbox, before: dict[str, str], after: dict[str, str]
) -> Mapping[str, tuple[Lines, ...]]:
    shop = Workshop(tmp_path / "shop")
    base = shop.commit(dict(before))
    for name in before.keys() - after.keys():
        (shop.place / name).unlink()
    head = shop.commit(dict(after))
    repository = Repository.around(shop.place, sandbox)
    assert repository is not None
    return repository.changed_lines(base, head, [*before, *after, "none.yaml"])


def test_runs_of_added_and_altered_lines_are_told(tmp_path: Path, sandbox: Sandbox) -> None:
    after = TEN.replace("line: 2\n", "line: two\nline: more\n").replace("line: 9\n", "line: nine\n")
    assert lines(tmp_path, sandbox, {"a.yaml": TEN}, {"a.yaml": after}) == {"a.yaml": ((2, 3), (10, 10))}


def test_lines_that_are_only_taken_away_touch_none(tmp_path: Path, sandbox: Sandbox) -> None:
    after = TEN.replace("line: 2\n", "")
    assert lines(tmp_path, sandbox, {"a.yaml": TEN}, {"a.yaml": after}) == {"a.yaml": ()}


def test_of_a_new_file_every_line_counts_and_an_equal_one_has_none(tmp_path: Path, sandbox: Sandbox) -> None:
    found = lines(tmp_path, sandbox, {"same.yaml": TEN}, {"same.yaml": TEN, "new.yaml": "a: 1\n"})
    assert found == {"new.yaml": WHOLE}


def test_a_renamed_file_keeps_its_old_lines(tmp_path: Path, sandbox: Sandbox) -> None:
    after = {"b.yaml": TEN.replace("line: 5\n", "line: five\n")}
    assert lines(tmp_path, sandbox, {"a.yaml": TEN}, after) == {"b.yaml": ((5, 5),)}


@pytest.mark.parametrize(
    "text", ["@@ -1 +99,7 @@\n", "++ b/x\n", "-- a/x\n", "\\ No newline at end of file\n", "diff --git a/x b/x\n"]
)
def test_a_line_that_looks_like_a_patch_is_a_line(tmp_path: Path, sandbox: Sandbox, text: str) -> None:
    after = TEN.replace("line: 3\n", text * 2) + text.rstrip("\n")
    assert lines(tmp_path, sandbox, {"a.yaml": TEN}, {"a.yaml": after}) == {"a.yaml": ((3, 4), (12, 12))}


@pytest.mark.parametrize("name", [":a.yaml", "a\nb.yaml", "a\tb.yaml", '"q".yaml', "\u00e4.yaml", "-x.yaml", "R100"])
def test_a_name_is_a_name(tmp_path: Path, sandbox: Sandbox, name: str) -> None:
    found = lines(tmp_path, sandbox, {"moved.yaml": TEN}, {name: f"{TEN}end: 1\n", ":x": "a: 1\n"})
    assert found == {name: ((11, 11),), ":x": WHOLE}


@pytest.mark.parametrize(("bound", "value"), [("PATCH", 40), ("SECONDS", 0.0), ("MOST_FILES", 0), ("LISTING", 40)])
def test_of_a_file_whose_patch_is_beyond_the_bounds_every_line_counts_and_nothing_is_raised(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, bound: str, value: float
) -> None:
    monkeypatch.setattr(changes, bound, value)
    after = TEN.replace("line: 2\n", "line: two\n")
    assert lines(tmp_path, sandbox, {"a.yaml": TEN}, {"a.yaml": after})["a.yaml"] == WHOLE


def test_a_file_in_the_place_of_a_submodule_is_new(tmp_path: Path, sandbox: Sandbox) -> None:
    shop = Workshop(tmp_path / "shop")
    base = shop.commit_of(shop.tree(("160000", b"a.yaml", "c" * 40)))
    head = shop.commit_of(shop.tree(("100644", b"a.yaml", shop.blob(TEN.encode()))))
    repository = Repository.around(shop.place, sandbox)
    assert repository is not None
    assert repository.changed_lines(base, head, ["a.yaml"]) == {"a.yaml": WHOLE}


def test_line_ends_and_zero_bytes_are_counted_as_the_server_counts_them(tmp_path: Path, sandbox: Sandbox) -> None:
    before = "a: 1\r\nb: 2\rb: 3\r\nc: \0\r\nd: 4\r\n"
    after = before.replace("d: 4", "d: \0")
    assert lines(tmp_path, sandbox, {"a.yaml": before}, {"a.yaml": after}) == {"a.yaml": ((4, 4),)}
