"""Locks as the real Helm 4.2.4 wrote them, and what may be wrong with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from manifests.files import NotReadError
from manifests.helm.charts import read_chart
from manifests.helm.locks import Pins

Write = Callable[[Mapping[str, str]], Path]

CHART = "apiVersion: v2\nname: web\nversion: 0.1.0\n"
HERE = "http://127.0.0.1:18081/"
DEPENDENCIES = f"""\
dependencies:
- {{name: db, version: ">=1.0.0 <2", repository: "{HERE}", condition: db.enabled, alias: store}}
- {{name: common, version: 1.x.x, repository: "oci://127.0.0.1:15001/team"}}
"""
LOCK = f"""\
dependencies:
- name: db
  repository: {HERE}
  version: 1.2.3
- name: common
  repository: oci://127.0.0.1:15001/team
  version: 1.2.3
digest: sha256:69af9e5b2bf336f1968091065d5e5468254948d77a7ddf9dc1dda9ab727ae62d
generated: "2026-11-24T14:06:15.411143917Z"
"""
RICH = f"""\
dependencies:
- name: db
  version: ">=1.0.0 <2 || 1.2.3"
  repository: {HERE}
  import-values: [data, {{parent: p, child: "<c&>"}}]
  tags: [back, "a<b"]
  enabled: true
- {{alias: second, name: db, version: ^1, repository: "{HERE}", condition: second.enabled}}
"""
RICH_LOCK = f"""\
dependencies:
- {{name: db, repository: "{HERE}", version: 1.2.3}}
- {{name: db, repository: "{HERE}", version: 1.2.3}}
digest: sha256:f722015aaae9216110af67e4b215713878f30b59252ad2a4c57d831cdbed02e3
"""
OLD_LOCK = f"""\
dependencies:
- {{name: db, repository: "{HERE}", version: 1.2.3}}
digest: sha256:7e34a7d54ac6642a0ad9be4d50ab2e0e54e43f5f5235b16ba70ff5a4ec236b89
"""


def pins(root: Path) -> list[str]:
    chart = read_chart(root, root / "web")
    locked = Pins(chart)
    return [f"{each.alias}: {locked.of(each).label}" for each in chart.dependencies]


def refused(root: Path) -> NotReadError:
    with pytest.raises(NotReadError) as caught:
        pins(root)
    return caught.value


def test_a_lock_that_helm_wrote_pins_what_it_names(write: Write) -> None:
    root = write({"web/Chart.yaml": CHART + DEPENDENCIES, "web/Chart.lock": LOCK})
    assert pins(root) == ["store: db 1.2.3", "common: common 1.2.3"]


def test_every_field_that_helm_hashes_is_hashed(write: Write) -> None:
    root = write({"web/Chart.yaml": CHART + RICH, "web/Chart.lock": RICH_LOCK})
    assert pins(root) == ["db: db 1.2.3", "second: db 1.2.3"]
    write({"web/Chart.yaml": CHART + RICH.replace("a<b", "a<c")})
    assert "out of sync" in refused(root).reason


def test_charts_of_the_first_version_have_their_files_under_other_names(write: Write) -> None:
    asked = f'dependencies:\n- {{name: db, version: ">=1.0.0", repository: "{HERE}"}}\n'
    old = CHART.replace("v2", "v1")
    root = write({"web/Chart.yaml": old, "web/requirements.yaml": asked, "web/requirements.lock": OLD_LOCK})
    assert pins(root) == ["db: db 1.2.3"]
    write({"web/requirements.yaml": asked.replace("1.0.0", "1.0.1")})
    assert refused(root).reason == "requirements.lock is out of sync with requirements.yaml"


def test_a_lock_of_helm_2_counts_for_charts_of_the_first_version_only(write: Write) -> None:
    asked = f'dependencies:\n- {{name: db, version: ">=1.0.0", repository: "{HERE}"}}\n'
    # sha256 of {"dependencies":[{"name":"db","version":"\\u003e=1.0.0","repository":"http://127.0.0.1:18081/"}]}
    digest = "sha256:26f3f8cfb3454c97d9766345d0795785f2445c08bf8d6b8517f7466745b9ba73"
    lock = OLD_LOCK.replace(OLD_LOCK.split("digest: ")[1].strip(), digest)
    root = write({"web/Chart.yaml": CHART.replace("v2", "v1"), "web/requirements.yaml": asked, "web/Chart.lock": lock})
    assert pins(root) == ["db: db 1.2.3"]
    write({"web/Chart.yaml": CHART})
    assert "out of sync" in refused(root).reason


@pytest.mark.parametrize(
    ("lock", "reason"),
    [
        (None, "no lock file pins its version"),
        ("", "Chart.lock is out of sync with Chart.yaml"),
        (LOCK.replace("name: db", "name: other"), "out of sync"),
        (LOCK.replace(HERE, "https://elsewhere.example/"), "out of sync"),
        (LOCK.replace("version: 1.2.3", "version: 1.2.4", 1), "out of sync"),
        (LOCK.replace("69af", "79af"), "out of sync"),
        ("dependencies: [", "Chart.lock: "),
        ("- a\n", "Chart.lock: "),
    ],
)
def test_what_the_lock_does_not_pin_is_told_with_the_command_that_pins_it(
    write: Write, lock: str | None, reason: str
) -> None:
    root = write({"web/Chart.yaml": CHART + DEPENDENCIES})
    if lock is not None:
        write({"web/Chart.lock": lock})
    error = refused(root)
    assert reason in error.reason
    assert error.remedy == "run 'helm dependency update' and commit Chart.lock"


def test_a_dependency_that_came_after_the_lock_is_not_pinned(write: Write) -> None:
    more = f"- {{name: mq, version: 1.0.0, repository: '{HERE}'}}\n"
    root = write({"web/Chart.yaml": CHART + DEPENDENCIES + more, "web/Chart.lock": LOCK})
    assert "out of sync" in refused(root).reason


def test_a_lock_behind_a_link_is_not_read(write: Write) -> None:
    root = write({"web/Chart.yaml": CHART + DEPENDENCIES, "other.lock": LOCK})
    (root / "web" / "Chart.lock").symlink_to(root / "other.lock")
    assert "symbolic link" in refused(root).reason


@pytest.mark.parametrize(
    ("repository", "reason"),
    [
        ("@stable", "says nothing here"),
        ("alias:stable", "says nothing here"),
        ("git+https://github.com/x/y@charts?ref=v1", "git repositories are not fetched"),
        ("git://x/y", "git repositories are not fetched"),
        ("", "can only be vendored"),
        ("gitlab.example/charts", "only https:// and oci://"),
        ("ssh://x/y", "only https:// and oci://"),
        ("file://../db", "only https:// and oci://"),
        ("../db", "only https:// and oci://"),
    ],
)
def test_a_repository_that_nobody_fetches_from_is_refused_with_its_reason(
    write: Write, repository: str, reason: str
) -> None:
    asked = f"dependencies: [{{name: db, version: 1.0.0, repository: '{repository}'}}]\n"
    error = refused(write({"web/Chart.yaml": CHART + asked, "web/Chart.lock": LOCK}))
    assert reason in error.reason
    assert error.remedy


@pytest.mark.parametrize("version", ["../../evil", "1.x", "'1 '", "[1]", "1.0", "''"])
def test_a_pinned_version_is_one_version(write: Write, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manifests.helm.locks._fits", lambda _chart, _digest, _rows: True)
    lock = f"dependencies: [{{name: db, version: {version}, repository: '{HERE}'}}]\n"
    asked = f"dependencies: [{{name: db, version: 1.x, repository: '{HERE}'}}]\n"
    assert "is not one version" in refused(write({"web/Chart.yaml": CHART + asked, "web/Chart.lock": lock})).reason
