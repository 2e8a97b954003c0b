"""The cache gives back what was put there, or nothing; no state of its folder makes it say or do anything else."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cache as caches
from cache import FORMAT, STALE, Cache, Key, source_digest
from process import NOBODY, Limits, Sandbox

KEY, OTHER = Key.of("a"), Key.of("b")
DATA = b"what was said\n\x00\xff"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "below" / "cache"


@pytest.fixture
def entry(folder: Path) -> Path:
    """The file of KEY, sound."""
    with Cache(folder) as cache:
        cache.put(KEY, DATA)
    return folder / KEY.digest


def fresh(folder: Path, key: Key = KEY) -> bytes | None:
    """What a run of its own finds."""
    with Cache(folder) as cache:
        return cache.get(key)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_put_is_found_by_this_run_and_by_the_next(folder: Path) -> None:
    with Cache(folder) as cache:
        assert cache.get(KEY) is None
        cache.put(KEY, DATA)
        assert cache.get(KEY) == DATA
    assert fresh(folder) == DATA
    assert fresh(folder, OTHER) is None


def test_without_a_folder_it_remembers_for_this_run_only() -> None:
    cache = Cache()
    cache.put(KEY, DATA)
    assert cache.get(KEY) == DATA
    assert Cache().get(KEY) is None


def test_what_is_not_lasting_is_nowhere_on_the_disk(folder: Path) -> None:
    with Cache(folder) as cache:
        cache.put(KEY, DATA, lasting=False)
        assert cache.get(KEY) == DATA
    assert names(folder) == []


def test_only_we_may_enter_the_folder_and_read_an_entry(folder: Path, entry: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600


@pytest.mark.usefixtures("entry")
def test_it_tells_how_often_it_was_asked_and_remembered(folder: Path) -> None:
    (folder / OTHER.digest).write_bytes(b"nonsense")
    with Cache(folder) as cache:
        for key in (KEY, OTHER, Key.of("c")):
            cache.get(key)
        assert cache.tally == caches.Tally(asked=3, remembered=1, unusable=1)


@given(st.lists(st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()))))
def test_a_key_is_the_same_for_the_same_parts_and_never_runs_parts_together(parts: list[object]) -> None:
    key = Key.of(*parts)  # type: ignore[arg-type]
    assert key == Key.of(*parts)  # type: ignore[arg-type]
    assert len(key.digest) == 64
    assert key != Key.of(*parts, "")  # type: ignore[arg-type]
    assert key != Key.of([*parts])  # type: ignore[list-item]


def test_parts_that_read_the_same_together_have_different_keys() -> None:
    assert len({Key.of("ab", "c"), Key.of("a", "bc"), Key.of("abc"), Key.of(["a", "bc"]), Key.of("1"), Key.of(1)}) == 6


def test_a_digest_of_sources_tells_where_one_file_ends(tmp_path: Path) -> None:
    contents = [("ab", "c"), ("a", "bc"), ("abc", "")]
    for number, (one, other) in enumerate(contents):
        (tmp_path / f"{number}a").write_text(one, encoding="utf-8")
        (tmp_path / f"{number}b").write_text(other, encoding="utf-8")
    digests = {source_digest(*(str(tmp_path / f"{number}{part}") for part in "ab")) for number in range(3)}
    assert len(digests) == 3


def _shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _change(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _put(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


def _link(path: Path) -> None:
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)


def _exchange(path: Path) -> None:
    """A sound entry of another key."""
    with Cache(path.parent) as cache:
        cache.put(OTHER, DATA)
    path.with_name(OTHER.digest).rename(path)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": _shorten,
    "changed": _change,
    "empty": lambda path: path.write_bytes(b""),
    "no line": lambda path: path.write_bytes(FORMAT.encode()),
    "of another key": _exchange,
    "of another format": lambda path: path.write_bytes(path.read_bytes().replace(b"-1 ", b"-0 ", 1)),
    "a link": _link,
    "a dangling link": _put(lambda path: path.symlink_to("nowhere")),
    "a FIFO": _put(os.mkfifo),
    "a folder": _put(Path.mkdir),
    "writable for all": lambda path: path.chmod(0o666),
    "unreadable": lambda path: path.chmod(0o022),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.threat("P9")
def test_an_entry_that_is_not_sound_is_not_used_and_is_replaced(
    damage: Callable[[Path], object], folder: Path, entry: Path
) -> None:
    damage(entry)
    told: list[str] = []
    with Cache(folder, tell=told.append) as cache:
        assert cache.get(KEY) is None
        assert cache.tally.unusable == 1
        cache.put(KEY, b"new")
        assert cache.get(KEY) == b"new"
    assert told == []
    assert fresh(folder) == (None if entry.is_dir() else b"new")
    assert not [name for name in names(folder) if name.startswith(caches.BEGUN)]


def test_more_than_one_entry_may_hold_is_not_written_and_not_read(
    folder: Path, entry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "ENTRY", 100)
    with Cache(folder) as cache:
        cache.put(OTHER, b"x" * 101)
        assert cache.get(OTHER) is None
    with entry.open("ab") as file:
        file.truncate(1 << 40)
    assert fresh(folder) is None


@pytest.mark.threat("P9")
def test_a_folder_that_others_may_write_to_is_not_used(folder: Path, entry: Path) -> None:
    for mode in (0o777, 0o1777, 0o770, 0o720):
        folder.chmod(mode)
        told: list[str] = []
        with Cache(folder, tell=told.append) as cache:
            assert cache.get(KEY) is None
            cache.put(OTHER, DATA)
        (words,) = told
        assert str(folder) in words
        assert "--no-cache" in words
        assert words.endswith(".")
    assert names(folder) == [entry.name]
    folder.chmod(0o700)


@pytest.mark.threat("P9")
def test_a_folder_or_an_entry_of_the_children_of_the_sandbox_is_not_used(folder: Path, entry: Path) -> None:
    assert caches.UNTRUSTED == NOBODY
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(entry, NOBODY, NOBODY)
    assert fresh(folder) is None
    os.chown(entry, 0, 0)
    assert fresh(folder) == DATA
    os.chown(folder, NOBODY, NOBODY)
    assert fresh(folder) is None


def test_what_root_writes_into_the_folder_of_somebody_belongs_to_them(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 1234, 1234)
    with Cache(home / "cache") as cache:
        cache.put(KEY, DATA)
    for path in (home / "cache", home / "cache" / KEY.digest):
        assert path.stat().st_uid == 1234
    assert fresh(home / "cache") == DATA


@pytest.mark.parametrize("make", [lambda path: path.write_text("x"), lambda path: path.symlink_to("nowhere")])
def test_what_is_no_folder_is_told_once_and_the_run_goes_on(make: Callable[[Path], object], tmp_path: Path) -> None:
    place = tmp_path / "cache"
    make(place)
    told: list[str] = []
    with Cache(place, tell=told.append) as cache:
        for key in (KEY, OTHER):
            cache.put(key, DATA)
            assert cache.get(key) == DATA
    assert len(told) == 1


def test_a_folder_that_cannot_be_made_is_told_once() -> None:
    told: list[str] = []
    with Cache(Path("/proc/self/hardening-gate"), tell=told.append) as cache:
        cache.put(KEY, DATA)
        assert cache.get(KEY) == DATA
    assert len(told) == 1


def test_what_cannot_be_written_to_is_read_and_told_once(
    folder: Path, entry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    told: list[str] = []
    with Cache(folder, tell=told.append) as cache:
        monkeypatch.setattr(os, "rename", refuse)
        for word in "xyz":
            cache.put(Key.of(word), DATA)
            assert cache.get(Key.of(word)) == DATA
        assert cache.get(KEY) == DATA
    monkeypatch.undo()
    assert len(told) == 1
    assert "No space left on device" in told[0]
    assert names(folder) == [entry.name]


def test_the_longest_unused_goes_first_when_there_is_too_much(folder: Path) -> None:
    keys = [Key.of(number) for number in range(10)]
    with Cache(folder) as cache:
        for number, key in enumerate(keys):
            cache.put(key, b"x" * 1000)
            os.utime(folder / key.digest, (number, number + 1000.0))
    (folder / "somebody's").write_bytes(b"y" * 100_000)
    assert fresh(folder, keys[0]) is not None  # it is used now
    with Cache(folder, limit=6000) as cache:
        cache.put(keys[9], b"x" * 1000)
    left = names(folder)
    assert "somebody's" in left
    assert keys[0].digest in left
    assert [key.digest in left for key in keys[1:]] == [False] * 6 + [True] * 3


def test_one_run_writes_no_more_than_the_limit(folder: Path) -> None:
    with Cache(folder, limit=5000) as cache:
        for number in range(10):
            cache.put(Key.of(number), b"x" * 1000)
        assert len(names(folder)) == 5


def test_what_was_begun_and_left_is_removed_once_it_is_old(folder: Path, entry: Path) -> None:
    old, young = folder / f"{caches.BEGUN}old", folder / f"{caches.BEGUN}young"
    for path in (old, young):
        path.write_bytes(b"half")
    past = time.time() - 2 * STALE
    os.utime(old, (past, past))
    with Cache(folder) as cache:
        cache.put(OTHER, DATA)
    assert names(folder) == sorted([young.name, entry.name, OTHER.digest])


def test_one_run_holds_no_more_in_memory_than_it_may() -> None:
    cache = Cache(held=10)
    cache.put(KEY, b"12345678")
    cache.put(OTHER, b"12345678")
    assert (cache.get(KEY), cache.get(OTHER)) == (b"12345678", None)


def test_runs_that_share_a_folder_never_see_half_an_entry(folder: Path) -> None:
    keys = [Key.of(number) for number in range(20)]
    contents = {key: key.digest.encode() * 2000 for key in keys}

    def run(_: int) -> list[bool]:
        with Cache(folder, limit=1 << 20, held=0) as cache:
            seen = []
            for key in keys:
                seen.append(cache.get(key) in {None, contents[key]})
                cache.put(key, contents[key])
            return [*seen, cache.tally.unusable == 0]

    with ThreadPoolExecutor(8) as pool:
        assert all(all(seen) for seen in pool.map(run, range(16)))
    assert not [name for name in names(folder) if name.startswith(caches.BEGUN)]


def test_a_folder_that_is_removed_under_a_run_harms_nothing(folder: Path, entry: Path) -> None:
    told: list[str] = []
    with Cache(folder, tell=told.append) as cache:
        entry.unlink()
        folder.rmdir()
        assert cache.get(KEY) is None
        cache.put(KEY, DATA)
        assert cache.get(KEY) == DATA
    assert len(told) == 1
    assert not folder.exists()


@pytest.mark.threat("P9")
def test_no_child_of_the_sandbox_can_read_or_write_an_entry(folder: Path, entry: Path, sandbox: Sandbox) -> None:
    if not sandbox.unprivileged:
        pytest.skip("children are ourselves where we are not root")
    with sandbox.folder("spy") as place:
        for words in (("/bin/cat", str(entry)), ("/bin/ls", str(folder)), ("/bin/cp", "/etc/hosts", str(entry))):
            assert sandbox.run(words, cwd=place, limits=Limits(seconds=5)).exit_code != 0
    assert fresh(folder) == DATA
