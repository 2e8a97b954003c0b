"""Trees as an attacker would make them: what stands in the folder afterwards is what was committed, or is named."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import EnvironmentBrokenError
from process import Sandbox
from revisions import export as module
from revisions import objects
from revisions.export import Absence, Gap
from revisions.repository import Repository
from tests.revisions.workshop import Workshop, files_below

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n".format("a" * 64)


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "shop")


def export(
    shop: Workshop, sandbox: Sandbox, commit: str, *, folder: Path | None = None
) -> tuple[Path, tuple[Gap, ...]]:
    repository = Repository.around(shop.place, sandbox)
    assert repository is not None
    folder = folder or sandbox.private("export")
    return folder, repository.export(commit, folder)


def test_modes_are_plain_and_links_stay_links(shop: Workshop, sandbox: Sandbox) -> None:
    shop.write({"run.sh": "#!/bin/sh\n", "deep/er/a": "a"})
    (shop.place / "run.sh").chmod(0o755)
    for name, target in {"to": "deep/er/a", "out": "/etc/passwd", "up": "../../x", "loop": "loop"}.items():
        (shop.place / name).symlink_to(target)
    old = os.umask(0o077)
    try:
        folder, gaps = export(shop, sandbox, shop.commit())
    finally:
        os.umask(old)
    assert gaps == ()
    assert stat.S_IMODE((folder / "run.sh").stat().st_mode) == 0o644
    assert stat.S_IMODE((folder / "deep/er").stat().st_mode) == 0o755
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {name: str((folder / name).readlink()) for name in ("to", "out", "up", "loop")} == {
        "to": "deep/er/a",
        "out": "/etc/passwd",
        "up": "../../x",
        "loop": "loop",
    }


def test_submodules_and_pointers_are_named_and_a_pointer_still_stands(shop: Workshop, sandbox: Sandbox) -> None:
    head = shop.commit(
        {"a": "1", "big.yaml": POINTER, "near": POINTER.replace("v1", "v2"), "long": POINTER + "x" * 1024}
    )
    tree = [
        ("100644", name.encode(), shop.git("rev-parse", f"{head}:{name}")) for name in ("a", "big.yaml", "long", "near")
    ]
    commit = shop.commit_of(shop.tree(*tree, ("160000", b"sub", "1" * 40)))
    folder, gaps = export(shop, sandbox, commit)
    assert gaps == (
        Gap(path="big.yaml", reason=Absence.LFS, id=shop.git("rev-parse", f"{head}:big.yaml")),
        Gap(path="sub", reason=Absence.SUBMODULE, id="1" * 40),
    )
    assert files_below(folder)["big.yaml"] == POINTER.encode()
    assert sorted(files_below(folder)) == ["a", "big.yaml", "long", "near"]


@pytest.mark.parametrize(
    "name", [b"..", b".", b".git", b".GIT", b".giT", b"../x", b"a/../../x", b"/etc/x", b"a//b", b"x/.git/hooks", b"x/"]
)
@pytest.mark.threat("P6", "P7")
def test_a_name_that_would_leave_the_folder_is_named_and_not_written(
    name: bytes, shop: Workshop, sandbox: Sandbox
) -> None:
    blob = shop.blob(b"evil")
    inner = shop.tree(("100644", b"x", blob))
    for tree in (
        shop.tree(("100644", name, blob), ("100644", b"zz", blob)),
        shop.tree(("120000", name, blob), ("100644", b"zz", blob)),
        shop.tree(("40000", name, inner), ("100644", b"zz", blob)),
    ):
        folder, gaps = export(shop, sandbox, shop.commit_of(tree))
        assert files_below(folder) == {"zz": b"evil"}
        assert [gap.reason for gap in gaps] == [Absence.NAME]
        assert os.fsencode(gaps[0].path).startswith(name)


@pytest.mark.parametrize("leads", ["outside", "to-a-folder-of-the-tree"])
@pytest.mark.threat("P6", "P7")
def test_nothing_is_written_through_a_link(leads: str, shop: Workshop, sandbox: Sandbox, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    blob = shop.blob(b"evil")
    link = shop.blob(os.fsencode(outside) if leads == "outside" else b"real")
    inner = shop.tree(("100644", b"file", blob), ("120000", b"link", link))
    real = shop.tree(("100644", b"file", shop.blob(b"good")))
    for first in ("link", "folder"):
        pair = [("120000", b"a", link), ("40000", b"a", inner)]
        tree = shop.tree(*(pair if first == "link" else reversed(pair)), ("40000", b"real", real))
        folder, gaps = export(shop, sandbox, shop.commit_of(tree))
        assert list(outside.iterdir()) == []
        assert (folder / "real/file").read_bytes() == b"good"
        assert gaps == (Gap(path="a", reason=Absence.CLASH, id=link),)


def test_of_two_entries_with_one_name_the_second_is_named(shop: Workshop, sandbox: Sandbox) -> None:
    one, two = shop.blob(b"1"), shop.blob(b"2")
    folder, gaps = export(shop, sandbox, shop.commit_of(shop.tree(("100644", b"a", one), ("100644", b"a", two))))
    assert files_below(folder) == {"a": b"1"}
    assert gaps == (Gap(path="a", reason=Absence.CLASH, id=two),)


def test_names_and_links_that_are_too_long_are_named(shop: Workshop, sandbox: Sandbox) -> None:
    blob = shop.blob(b"x")
    deep = shop.tree(("100644", b"f", blob))
    for _ in range(20):  # a path that is no longer than Linux allows, but for the folder above it
        deep = shop.tree(("40000", b"d" * 203, deep))
    deeper = shop.tree(("40000", b"d" * 203, deep))
    links = [
        ("120000", name, shop.blob(target)) for name, target in ((b"l0", b""), (b"l1", b"a\0b"), (b"l2", b"x" * 5000))
    ]
    tree = shop.tree(
        ("40000", b"da", deep), ("40000", b"db", deeper), *links, ("100644", b"n" * 256, blob), ("100644", b"z", blob)
    )
    folder, gaps = export(shop, sandbox, shop.commit_of(tree))
    assert [(gap.path[:2], gap.reason) for gap in gaps] == [
        (name, Absence.LONG) for name in ("da", "db", "l0", "l1", "l2", "nn")
    ]
    assert (folder / "z").read_bytes() == b"x"


def test_a_file_that_is_too_large_has_its_size_and_takes_no_room(
    shop: Workshop, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 1 << 20)
    (shop.place / "large").write_bytes(b"")
    os.truncate(shop.place / "large", (1 << 20) + 1)
    (shop.place / "fits").write_bytes(b"x" * (1 << 20))
    folder, gaps = export(shop, sandbox, shop.commit())
    assert gaps == ()
    large = (folder / "large").stat()
    assert large.st_size == (1 << 20) + 1
    assert large.st_blocks == 0
    assert (folder / "fits").read_bytes() == b"x" * (1 << 20)


def test_what_is_read_at_once_is_bounded(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 4096)
    printed: list[int] = []
    commit = shop.commit({f"f{number}": os.urandom(number * 40) for number in range(60)})
    with Sandbox(observer=lambda w, _a, done: printed.append(len(done.stdout)) if "--batch" in w else None) as sandbox:
        folder, _ = export(shop, sandbox, commit)
        assert files_below(folder) == shop.content(commit)
    assert len(printed) > 10
    assert max(printed) <= 4096


def test_too_many_bytes_and_too_many_files_are_refused(
    shop: Workshop, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = shop.commit({"a": "x" * 1000, "b": "x" * 1000, "c": "y"})
    monkeypatch.setattr(module, "TOTAL", 2000)
    with pytest.raises(EnvironmentBrokenError, match="are the limit"):
        export(shop, sandbox, commit)
    monkeypatch.setattr(module, "TOTAL", 2001)
    assert export(shop, sandbox, commit)[1] == ()
    monkeypatch.setattr(objects, "ENTRIES", 2)
    with pytest.raises(EnvironmentBrokenError, match="has 3 files"):
        export(shop, sandbox, commit)


@pytest.mark.threat("P7", "P11")
def test_a_tree_that_names_itself_by_the_million_ends(
    shop: Workshop, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "LISTING", 16 << 20)
    tree = shop.tree(("100644", b"f", shop.blob(b"x")))
    for _ in range(9):
        tree = shop.tree(*(("40000", b"%d" % number, tree) for number in range(10)))
    with pytest.raises(EnvironmentBrokenError, match="ls-tree` printed too much"):
        export(shop, sandbox, shop.commit_of(tree))


def test_an_object_of_another_kind_is_told(shop: Workshop, sandbox: Sandbox) -> None:
    inner = shop.tree(("100644", b"f", shop.blob(b"x")))
    with pytest.raises(EnvironmentBrokenError, match="does not print object"):
        export(shop, sandbox, shop.commit_of(shop.tree(("100644", b"f", inner))))


def test_a_broken_object_is_told(shop: Workshop, sandbox: Sandbox) -> None:
    commit = shop.commit({"a": "content"})
    name = shop.git("rev-parse", "HEAD:a")
    path = shop.place / ".git/objects" / name[:2] / name[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(EnvironmentBrokenError):
        export(shop, sandbox, commit)


def test_a_folder_that_holds_something_is_not_written_into(shop: Workshop, sandbox: Sandbox) -> None:
    folder = sandbox.private("export")
    (folder / "x").write_text("x", encoding="utf-8")
    with pytest.raises(ValueError, match="not empty"):
        export(shop, sandbox, shop.commit({"a": "1"}), folder=folder)


def test_without_room_nothing_more_is_written(shop: Workshop) -> None:
    commit = shop.commit({"a": "1"})
    room = [1 << 40]
    with Sandbox(free=lambda _: room[0]) as sandbox:
        repository = Repository.around(shop.place, sandbox)
        assert repository is not None
        folder = sandbox.private("export")
        room[0] = 1
        with pytest.raises(EnvironmentBrokenError, match="MiB are free"):
            repository.export(commit, folder)


# A second export beside a first one


def test_equal_files_are_linked_from_the_export_that_is_there(shop: Workshop) -> None:
    base = shop.commit({"same": "s", "was": "w", "changed": "1", "big": POINTER, "dir/f": "f", "file": "x"})
    (shop.place / "file").unlink()
    (shop.place / "was").unlink()
    head = shop.commit({"changed": "2", "new": "s", "file/inside": "i"})
    read: list[str] = []
    with Sandbox(observer=lambda words, _about, _finished: read.append(words[-2])) as sandbox:
        repository = Repository.around(shop.place, sandbox)
        assert repository is not None
        first, second, third = (sandbox.private(name) for name in ("head", "base", "again"))
        gaps = repository.export(head, first)
        assert repository.export(base, second, like=(head, first)) == gaps
        assert [gap.path for gap in gaps] == ["big"]
        assert files_below(second) == shop.content(base)
        linked = {name for name in files_below(second) if (second / name).stat().st_nlink == 2}
        assert linked == {"same", "big", "dir/f"}
        before = read.count("--batch")
        assert repository.export(head, third, like=(head, first)) == gaps
        assert read.count("--batch") == before
        assert files_below(third) == shop.content(head)


@pytest.mark.parametrize("why", ["another commit", "another folder", "gone"])
def test_what_is_not_the_export_it_is_said_to_be_is_not_linked_from(why: str, shop: Workshop, sandbox: Sandbox) -> None:
    base, head = shop.commit({"a": "1"}), shop.commit({"a": "1", "b": "2"})
    repository = Repository.around(shop.place, sandbox)
    assert repository is not None
    first, second, other = (sandbox.private(name) for name in ("first", "second", "other"))
    repository.export(base, first)
    (other / "a").write_text("evil", encoding="utf-8")
    if why == "gone":
        (first / "a").unlink()
    like = {"another commit": (head, first), "another folder": (base, other), "gone": (base, first)}[why]
    repository.export(head, second, like=like)
    assert files_below(second) == {"a": b"1", "b": b"2"}
    assert (second / "a").stat().st_nlink == 1


# Any tree

NAMES = st.binary(min_size=1, max_size=6).filter(
    lambda name: not set(name) & {0, 0x2F} and name.lower() not in {b".", b"..", b".git"}
)
CONTENTS = st.binary(max_size=60) | st.sampled_from(
    [b"\r\n\r\n", b"$Id$ $Format:%H$", b"\xff\xfe", b"blob 3\nabc\n", b"\n"]
)


@given(files=st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map(b"/".join), CONTENTS, min_size=1, max_size=8))
@settings(max_examples=15)
def test_any_tree_comes_out_as_it_went_in(files: dict[bytes, bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    kept = {name: text for name, text in files.items() if not any(other.startswith(name + b"/") for other in files)}
    shop = Workshop(tmp_path_factory.mktemp("any") / "shop")
    stream = b"commit refs/heads/main\ncommitter A <a@example.org> 0 +0000\ndata 0\n"
    for name, text in kept.items():
        quoted = b'"' + b"".join(b"\\%03o" % byte for byte in name) + b'"'
        stream += b"M 100644 inline " + quoted + b"\ndata %d\n" % len(text) + text + b"\n"
    shop.git("-c", "core.protectNTFS=false", "fast-import", "--quiet", stdin=stream)
    with Sandbox() as sandbox:
        folder, gaps = export(shop, sandbox, shop.git("rev-parse", "main"))
        assert {os.fsencode(gap.path) for gap in gaps} == {name for name, text in kept.items() if is_pointer(text)}
        assert files_below(folder) == {os.fsdecode(name): text for name, text in kept.items()}


def is_pointer(text: bytes) -> bool:
    """Hypothesis knows the constants of the code that it tests."""
    return text.startswith(b"version https://git-lfs.github.com/spec/v1")
