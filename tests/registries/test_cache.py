from __future__ import annotations

import os
from pathlib import Path

import pytest

from model.chart import PinnedChart
from model.errors import EnvironmentBrokenError
from registries.cache import ChartCache
from tests.registries.site import sha256

CHART = PinnedChart(name="db", version="1.0.0", repository="https://charts.example")


def files(cache: ChartCache) -> list[str]:
    return sorted(str(path.relative_to(cache.folder)) for path in cache.folder.rglob("*") if not path.is_dir())


def test_an_archive_is_kept_under_a_readable_name_and_its_digest(tmp_path: Path) -> None:
    cache = ChartCache(folder=tmp_path / "new" / "charts")
    assert not cache.has(CHART)
    assert cache.keep(CHART, b"x") == sha256(b"x")
    assert cache.has(CHART)
    (name,) = files(cache)
    assert name.startswith("db-1.0.0@")
    assert name.endswith(f"/sha256-{sha256(b'x')}.tgz")
    assert (cache.folder / name).stat().st_mode & 0o777 == 0o644


def test_another_repository_or_version_has_another_place(tmp_path: Path) -> None:
    cache = ChartCache(folder=tmp_path)
    cache.keep(CHART, b"x")
    others = (
        ("db", "1.0.0", "https://other.example"),
        ("db", "1.0.1", CHART.repository),
        ("d", "1.0.0", CHART.repository),
    )
    for name, version, repository in others:
        assert not cache.has(PinnedChart(name=name, version=version, repository=repository))


@pytest.mark.parametrize("damage", [b"", b"y", b"xx"])
def test_a_damaged_archive_is_seen_and_removed(tmp_path: Path, damage: bytes) -> None:
    cache = ChartCache(folder=tmp_path)
    cache.keep(CHART, b"x")
    (tmp_path / files(cache)[0]).write_bytes(damage)
    assert not cache.has(CHART)
    assert files(cache) == []


def test_a_link_in_place_of_an_archive_is_not_followed(tmp_path: Path) -> None:
    cache = ChartCache(folder=tmp_path / "charts")
    cache.keep(CHART, b"x")
    archive = cache.folder / files(cache)[0]
    archive.rename(tmp_path / "elsewhere")
    archive.symlink_to(tmp_path / "elsewhere")
    assert not cache.has(CHART)
    assert (tmp_path / "elsewhere").read_bytes() == b"x"


def test_what_is_fetched_again_replaces_what_was_there_and_half_a_file_is_never_left(tmp_path: Path) -> None:
    cache = ChartCache(folder=tmp_path)
    cache.keep(CHART, b"x")
    cache.keep(CHART, b"y")
    assert [sha256(b"y") in name for name in files(cache)] == [True]


def test_a_cache_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvironmentBrokenError) as caught:
        ChartCache(folder=tmp_path / "file").keep(CHART, b"x")
    assert "--cache" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("../db", "1.0.0"),
        ("db/x", "1.0.0"),
        (".", "1.0.0"),
        ("", "1.0.0"),
        ("-db", "1.0.0"),
        ("db", "../1"),
        ("db", ""),
        ("db", "1.x"),
        ("db", "^1.0.0"),
        ("db", ">=1.0.0 <2"),
        ("db", "1.0.0/x"),
        ("db", "1.0.0\n"),
        ("d" * 101, "1.0.0"),
    ],
)
def test_a_name_or_version_that_could_be_a_path_or_a_range_cannot_be_pinned(name: str, version: str) -> None:
    with pytest.raises(ValueError, match=r"no name of a chart|not one version"):
        PinnedChart(name=name, version=version, repository="https://x")


def test_entries_are_single_names_that_every_file_system_takes() -> None:
    longest = PinnedChart(name="n" * 100, version=f"1.0.0-{'a' * 60}+{'b' * 60}", repository=f"https://{'x' * 5000}")
    assert os.path.basename(longest.entry) == longest.entry  # noqa: PTH119
    assert len(longest.entry) < 255
