from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from manifests.files import (
    FILE_BYTES,
    LFS_POINTER,
    Kind,
    NotReadError,
    Reader,
    TooLargeError,
    TooMuchError,
    entries,
    kind_of,
    read_file,
    reported,
)


def refused(path: Path) -> str:
    with pytest.raises(NotReadError) as caught:
        read_file(path)
    assert caught.value.remedy
    return caught.value.reason


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: 1\n")
    assert read_file(tmp_path / "a.yaml") == b"a: 1\n"


@pytest.mark.threat("F1")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "environ.yaml").symlink_to("/proc/self/environ")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    assert "symbolic link" in refused(tmp_path / "environ.yaml")
    assert "symbolic link" in refused(tmp_path / "loop.yaml")


@pytest.mark.threat("F1")
def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.yaml")
    assert "no regular file" in refused(tmp_path / "fifo.yaml")


@pytest.mark.threat("F1")
def test_devices_and_sockets_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no regular file" in refused(Path("/dev/zero"))
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.yaml")
        assert refused(tmp_path / "s.yaml")
        assert [entry.kind for entry in entries(tmp_path)] == [Kind.SPECIAL]


def test_a_folder_and_nothing_are_no_files(tmp_path: Path) -> None:
    assert refused(tmp_path)
    assert "does not exist" in refused(tmp_path / "absent.yaml")
    assert kind_of(tmp_path / "absent.yaml") is None


@pytest.mark.threat("Y15")
def test_a_large_file_is_refused_and_sniffed(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_bytes(b"x" * (FILE_BYTES + 10))
    with pytest.raises(TooLargeError, match=r"larger than 5 MB") as caught:
        read_file(tmp_path / "large.yaml")
    assert len(caught.value.data) == FILE_BYTES + 10
    assert not caught.value.may_be_more


def test_a_pointer_is_not_the_file(tmp_path: Path) -> None:
    (tmp_path / "lfs.yaml").write_bytes(LFS_POINTER + b"v1\noid sha256:0\nsize 1\n")
    assert "LFS" in refused(tmp_path / "lfs.yaml")


@pytest.mark.threat("Y15")
def test_the_bounds_of_a_run_end_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"abc")
    by_number, by_size = Reader(files=2), Reader(total=5)
    for reader in (by_number, by_size):
        assert [reader.read(tmp_path / "a.yaml") for _ in range(2)] == [b"abc"] * 2
        with pytest.raises(TooMuchError, match="the rest was not"):
            reader.read(tmp_path / "a.yaml")


@pytest.mark.threat("F4", "F7")
def test_names_are_bytes_and_twins_stay_apart_in_a_stable_order(tmp_path: Path) -> None:
    names = [
        b"app.yaml",
        b"App.yaml",
        "n\u0303.yaml".encode(),
        "\u00f1.yaml".encode(),
        b"\xff\xfe.yaml",
        b"a\nb.yaml",
        b"-x.yaml",
    ]
    for name in names:
        (Path(os.fsdecode(os.fsencode(tmp_path))) / os.fsdecode(name)).write_bytes(name)
    found = entries(tmp_path)
    assert [os.fsencode(entry.name) for entry in found] == sorted(names)
    assert [read_file(entry.path) for entry in found] == sorted(names)
    assert reported(os.fsdecode(b"a/\xff\xfe.yaml")) == "a/\ufffd\ufffd.yaml"
