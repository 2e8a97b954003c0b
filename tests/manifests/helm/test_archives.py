"""Packed charts of our copy, rewritten."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from manifests.files import NotReadError
from manifests.helm.archives import rewrite


def pack(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        folder = tarfile.TarInfo("web")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive if member.isreg()}  # type: ignore[union-attr]


def test_each_file_is_changed_by_its_path_below_the_chart() -> None:
    data = pack({"web/Chart.yaml": b"name: web", "web/templates/a.yaml": b"a", "web/" + "d" * 200: b"long"})
    made = rewrite(data, lambda name, content: content + b"!" if name.startswith("templates/") else content)
    assert unpack(made) == {"web/Chart.yaml": b"name: web", "web/templates/a.yaml": b"a!", "web/" + "d" * 200: b"long"}
    assert made == rewrite(data, lambda name, content: content + b"!" if name.startswith("templates/") else content)


def test_an_archive_in_which_nothing_changes_stays_the_same_bytes() -> None:
    data = pack({"web/Chart.yaml": b"name: web"})
    assert rewrite(data, lambda _, content: content) is data


@pytest.mark.parametrize(
    "data",
    [b"", b"text", gzip.compress(b"text"), pack({"web/a": b"a" * 5000})[:-40]],
    ids=["nothing", "text", "packed text", "half"],
)
def test_what_is_no_archive_is_told(data: bytes) -> None:
    with pytest.raises(NotReadError, match="packed chart cannot be read"):
        rewrite(data, lambda _, content: content + b"!")
