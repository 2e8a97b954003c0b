from __future__ import annotations

import gzip
import tarfile

import pytest

from manifests.files import NotReadError
from manifests.helm.packed import Look, Packed
from tests.registries.site import pack


def test_a_packed_chart_says_what_it_is() -> None:
    assert Look().describe(pack("db", "1.2.3")) == Packed(name="db", version="1.2.3", absent=())


def test_dependencies_that_it_does_not_bring_along_are_named() -> None:
    asked = "dependencies: [{name: a}, {name: b}, {name: c}, {name: c}]\n"
    brought = {
        "charts/a-1.tgz": pack("a"),
        "charts/any/Chart.yaml": b"name: b\n",
        "charts/any/charts/c/Chart.yaml": b"name: c",
    }
    assert Look().describe(pack("web", extra=asked, files=brought)).absent == ("c",)


def test_requirements_of_old_charts_count() -> None:
    files = {"requirements.yaml": b"dependencies: [{name: a}]"}
    assert Look().describe(pack("web", files=files)).absent == ("a",)


def test_an_archive_without_a_chart_is_nameless() -> None:
    files = {"Chart.yaml": b"- no mapping"}
    assert Look().describe(pack("web", files=files)) == Packed(name="", version="", absent=())


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", gzip.compress(b"no tar" * 1000), pack("db")[:80]],
    ids=["nothing", "text", "packed text", "half"],
)
@pytest.mark.threat("F5")
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(NotReadError, match="cannot be read"):
        Look().describe(data)


@pytest.mark.threat("F5", "P11")
def header(kind: bytes, content: bytes = b"") -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, len(content)
    return info.tobuf(tarfile.GNU_FORMAT) + content.ljust(-len(content) % tarfile.BLOCKSIZE + len(content), b"\0")


@pytest.mark.parametrize(
    "unpacked",
    [
        *(header(kind, b"long\0") * 3000 for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)),
        *(header(kind, b"13 path=abcd\n") * 3000 for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE)),
        header(tarfile.XHDTYPE, b"20 size=-9999999999\n") + header(tarfile.REGTYPE),
        header(tarfile.XHDTYPE, b"99999999999999999999 a=b\n") + header(tarfile.REGTYPE),
    ],
    ids=["long names", "long links", "headers", "global headers", "negative size", "huge number"],
)
def test_headers_that_attack_their_reader_refuse_the_archive(unpacked: bytes) -> None:
    with pytest.raises(NotReadError, match="cannot be read"):
        Look().describe(gzip.compress(unpacked))


def test_archives_in_archives_share_one_bound() -> None:
    bomb = pack("x", files={"zeros": bytes(3 << 20)})
    assert len(bomb) < 10_000
    look = Look(unpacked=8 << 20)
    with pytest.raises(NotReadError, match="unpacks to more"):
        look.describe(pack("web", files={f"charts/{number}.tgz": bomb for number in range(5)}))
    with pytest.raises(NotReadError, match="unpacks to more"):
        look.describe(pack("next"))


def test_a_chart_that_says_too_much_about_itself_is_refused() -> None:
    with pytest.raises(NotReadError, match="too much about itself"):
        Look().describe(pack("web", files={"Chart.yaml": b"a: b\n" * (1 << 20)}))
