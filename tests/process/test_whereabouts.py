from __future__ import annotations

from pathlib import Path

import pytest

from process.whereabouts import Mounted, outside, own_id

ID = "0123456789abcdef" * 4
ROW = "620 600 8:1 /var/lib/docker/containers/{id}/{file} /etc/{file} rw,relatime - ext4 /dev/sda1 rw\n"
OTHERS = "600 580 0:50 / / rw,relatime - overlay overlay rw\n601 600 0:53 / /proc rw - proc proc rw\n"
MOUNTS = (
    Mounted(source=Path("/srv/runner/_github_home"), target=Path("/github/home")),
    Mounted(source=Path("/srv"), target=Path("/data")),
    Mounted(source=None, target=Path("/data/memory")),
)


@pytest.mark.parametrize("file", ["hostname", "hosts", "resolv.conf"])
def test_docker_tells_a_container_its_id_by_the_files_that_it_mounts(file: str) -> None:
    assert own_id(OTHERS + ROW.format(id=ID, file=file)) == ID
    assert own_id(ROW.format(id=ID, file=file).replace("/var/lib/docker", "")) == ID


@pytest.mark.parametrize(
    "row",
    [
        "",
        "short row\n",
        ROW.format(id=ID[:12], file="hosts"),
        ROW.format(id=ID, file="hosts").replace(" /etc/hosts", " /workspace/hosts"),
        ROW.format(id=ID, file="hosts").replace("/hosts /etc", "/hosts/more /etc"),
    ],
)
def test_nothing_else_is_taken_for_a_container(row: str) -> None:
    assert own_id(OTHERS + row) is None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/github/home/gate-1", "/srv/runner/_github_home/gate-1"),
        ("/github/home", "/srv/runner/_github_home"),
        ("/github/homes", None),
        ("/tmp/gate-1", None),
        ("/data/x", "/srv/x"),
        ("/data/memory/x", None),
    ],
)
def test_a_folder_is_where_the_nearest_mount_has_it(path: str, found: str | None) -> None:
    assert outside(Path(path), MOUNTS) == (found and Path(found))
