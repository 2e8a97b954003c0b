from __future__ import annotations

import os
from pathlib import Path

import pytest

from publishing.failure import PublishError
from publishing.summary import LARGEST, append


def failed(path: Path, text: str = "x") -> PublishError:
    error = append(path, text)
    assert isinstance(error, PublishError)
    assert error.what == "the job summary"
    assert str(path) not in error.reason
    return error


@pytest.fixture
def summary(tmp_path: Path) -> Path:
    path = tmp_path / "summary.md"
    path.write_bytes(b"")
    return path


def test_it_is_appended_to_what_the_step_has_said_before(summary: Path) -> None:
    assert append(summary, "# first\n") is None
    assert append(summary, "# second ä\n") is None
    assert summary.read_text(encoding="utf-8") == "# first\n\n\n# second ä\n"


def test_what_the_runner_would_not_show_is_not_written(summary: Path) -> None:
    assert append(summary, "x" * LARGEST) is None
    assert f"{LARGEST + 3} bytes" in failed(summary).reason
    assert summary.stat().st_size == LARGEST


def test_a_link_is_not_followed(summary: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.md"
    link.symlink_to(summary)
    failed(link)
    assert summary.read_bytes() == b""


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert "no regular file" in failed(fifo).reason
    assert "no regular file" in failed(Path("/dev/null")).reason
    failed(tmp_path)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    failed(tmp_path / "none.md")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_half(summary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(summary, "before")
    real = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) < 10:
            raise OSError(28, "No space left on device")
        return real(file, data[:5])

    monkeypatch.setattr(os, "write", full)
    assert "No space left" in failed(summary, "x" * 20).reason
    assert summary.read_bytes() == b"before"


def test_a_lone_surrogate_is_no_crash(summary: Path) -> None:
    assert append(summary, "a\ud800b") is None
    assert summary.read_bytes() == b"a?b"
