from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from manifests.files import NotReadError
from manifests.helm import chart_copy
from manifests.helm import packed as packed_charts
from manifests.helm.chart_copy import Copier, vendored
from manifests.helm.charts import read_chart
from manifests.helm.templates import Templates, header

Write = Callable[[Mapping[str, str]], Path]
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"


def archive(*members: tuple[str, bytes | str], kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if isinstance(content, str):
                info.linkname = content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def copy(root: Path, target: Path) -> list[str]:
    Copier().copy(read_chart(root, root / "web"), target)
    return sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())


def refused(root: Path, target: Path) -> str:
    with pytest.raises(NotReadError) as caught:
        copy(root, target)
    assert caught.value.remedy
    return caught.value.reason


def test_a_chart_is_copied_as_regular_files_that_others_may_read(write: Write, tmp_path: Path) -> None:
    root = write({"web/Chart.yaml": CHART, "web/templates/-a.yaml": "x", "web/.helmignore": "*.md", "web/.git/x": ""})
    (root / "web" / "templates" / "-a.yaml").chmod(0o600)
    assert copy(root, tmp_path / "copy") == [".helmignore", "Chart.yaml", "templates/-a.yaml"]
    assert (tmp_path / "copy" / "templates" / "-a.yaml").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "copy" / "templates").stat().st_mode & 0o777 == 0o755


@pytest.mark.threat("F1", "H1")
def test_a_link_or_fifo_refuses_the_chart(write: Write, tmp_path: Path) -> None:
    root = write({"web/Chart.yaml": CHART})
    (root / "web" / "e").symlink_to("/proc/self/environ")
    assert "file e: it is a symbolic link" in refused(root, tmp_path / "one")
    (root / "web" / "e").unlink()
    os.mkfifo(root / "web" / "f")
    assert "no regular file" in refused(root, tmp_path / "two")


@pytest.mark.threat("F6", "P11")
def test_a_chart_is_bounded_in_files_and_bytes(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write({"web/Chart.yaml": CHART, **{f"web/{n}": "x" * 100 for n in range(10)}})
    monkeypatch.setattr(chart_copy, "ENTRIES", 5)
    assert "more than 5 files" in refused(root, tmp_path / "one")
    monkeypatch.setattr(chart_copy, "ENTRIES", 50)
    monkeypatch.setattr(chart_copy, "TOTAL_BYTES", 500)
    assert "larger than" in refused(root, tmp_path / "two")


def test_a_local_dependency_is_vendored_unless_it_is_there(write: Write, tmp_path: Path) -> None:
    depends = CHART + "dependencies: [{name: db, version: 1.0.0, repository: 'file://../db'}]\n"
    root = write({"web/Chart.yaml": depends, "db/Chart.yaml": CHART.replace("web", "db"), "db/templates/x.yaml": ""})
    assert "charts/vendored-1/templates/x.yaml" in copy(root, tmp_path / "one")
    write({"web/charts/db/Chart.yaml": CHART.replace("web", "db")})
    assert copy(root, tmp_path / "two") == ["Chart.yaml", "charts/db/Chart.yaml"]


@pytest.mark.parametrize("place", ["file://../../outside", "file:///etc", "file://../link", "file://../web"])
@pytest.mark.threat("H6")
def test_a_local_dependency_stays_inside_of_the_tree_and_ends(write: Write, tmp_path: Path, place: str) -> None:
    (tmp_path / "outside").mkdir()
    root = write({"web/Chart.yaml": f"{CHART}dependencies: [{{name: db, version: 1.0.0, repository: '{place}'}}]\n"})
    (root / "link").symlink_to(tmp_path / "outside")
    assert "outside of the scanned tree, behind a link, or too deep" in refused(root, tmp_path / "copy")


def packed(write: Write, data: bytes) -> Path:
    root = write({"web/Chart.yaml": CHART, "web/charts/README.md": ""})
    (root / "web" / "charts" / "db-1.0.0.tgz").write_bytes(data)
    return root


def test_a_packed_dependency_is_copied_as_it_is(write: Write, tmp_path: Path) -> None:
    inner = archive(("x/Chart.yaml", b"name: x"))
    root = packed(write, archive(("db/Chart.yaml", b"name: db"), ("db/charts/x-1.0.0.tgz", inner)))
    assert "charts/db-1.0.0.tgz" in copy(root, tmp_path / "copy")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (archive(("../evil", b"x")), "leads out of it"),
        (archive(("/etc/evil", b"x")), "leads out of it"),
        (archive(("db/a\\..\\b", b"x")), "leads out of it"),
        (archive(("db/e", "/proc/self/environ"), kind=tarfile.SYMTYPE), "a link, a device"),
        (archive(("db/e", "/etc/passwd"), kind=tarfile.LNKTYPE), "a link, a device"),
        (archive(("db/e", ""), kind=tarfile.CHRTYPE), "a link, a device"),
        (archive(("db/charts/x-1.0.0.tgz", archive(("../evil", b"x")))), "leads out of it"),
        (archive(("db/x", bytes(70 << 20))), "unpacks to more than"),
        (gzip.compress(bytes(70 << 20)), "unpacks to more than"),
        (b"no archive", "cannot be read"),
        (archive(("db/x", b"x" * 5000))[:60], "cannot be read"),
        (gzip.compress(b"no tar at all" * 100), "cannot be read"),
        (b"", "cannot be read"),
    ],
    ids=range(13),  # the bytes hold the time
)
@pytest.mark.threat("F5", "P11")
def test_a_packed_dependency_that_attacks_is_refused(write: Write, tmp_path: Path, data: bytes, reason: str) -> None:
    assert reason in refused(packed(write, data), tmp_path / "copy")


@pytest.mark.threat("F5", "P11")
def test_archives_in_archives_end(write: Write, tmp_path: Path) -> None:
    data = archive(("x/Chart.yaml", b""))
    for _ in range(packed_charts.NESTED + 1):
        data = archive(("x/charts/x-1.tgz", data))
    assert "nested too deep" in refused(packed(write, data), tmp_path / "copy")


def test_a_vendored_dependency_is_known_by_its_name(write: Write) -> None:
    root = write(
        {"web/Chart.yaml": CHART, "web/charts/other/Chart.yaml": "name: db\n", "web/charts/redis-ha-1.0.0.tgz": ""}
    )
    assert vendored(root / "web", "db") == root / "web" / "charts" / "other"
    assert vendored(root / "web", "redis-ha") == root / "web" / "charts" / "redis-ha-1.0.0.tgz"
    assert vendored(root / "web", "redis") is None


@pytest.mark.threat("F3")
def test_source_lines_lead_to_files_of_the_chart_and_nowhere_else(write: Write) -> None:
    depends = "dependencies:\n- {name: db, alias: store, version: 1.0.0}\n- {name: lib, version: 1.0.0, repository: 'file://../lib'}\n"
    root = write(
        {
            "web/Chart.yaml": CHART + depends,
            "web/templates/a.yaml": "",
            "web/charts/db/Chart.yaml": "name: db\n",
            "web/charts/db/templates/b.yaml": "",
            "web/charts/mq-1.2.3.tgz": "",
            "lib/Chart.yaml": "name: lib\n",
            "lib/templates/c.yaml": "",
            "secret.yaml": "",
        }
    )
    (root / "web" / "templates" / "link.yaml").symlink_to(root / "secret.yaml")
    templates = Templates(read_chart(root, root / "web"))
    assert {name: templates.locate(name) for name in SOURCES} == SOURCES


SOURCES: dict[str | None, str] = {
    "web/templates/a.yaml": "web/templates/a.yaml",
    "web/charts/store/templates/b.yaml": "web/charts/db/templates/b.yaml",
    "web/charts/db/templates/b.yaml": "web/charts/db/templates/b.yaml",
    "web/charts/mq/templates/x.yaml": "web/charts/mq-1.2.3.tgz",
    "web/charts/lib/templates/c.yaml": "lib/templates/c.yaml",
    "web/templates/absent.yaml": "web/Chart.yaml",
    "web/templates/link.yaml": "web/Chart.yaml",
    "web/../secret.yaml": "web/Chart.yaml",
    "web//templates/a.yaml": "web/Chart.yaml",
    "other/templates/a.yaml": "web/Chart.yaml",
    "web/charts/none/templates/a.yaml": "web/Chart.yaml",
    "/etc/passwd": "web/Chart.yaml",
    "web/a\0b": "web/Chart.yaml",
    "web": "web/Chart.yaml",
    "": "web/Chart.yaml",
    None: "web/Chart.yaml",
}


@pytest.mark.threat("F3")
def test_only_the_first_line_of_a_document_names_its_template() -> None:
    assert header("---\n# Source: web/templates/a.yaml\n# Source: evil\na: 1\n") == "web/templates/a.yaml"
    assert header("# Source: web/x.yaml\r\na: 1\n") == "web/x.yaml"
    assert header("---\na: 1\n# Source: evil\n") is None
