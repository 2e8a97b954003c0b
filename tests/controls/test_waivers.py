from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest

from controls.waivers import Waivers
from model.policy import Waiver
from model.resource import ResourceRef

TODAY = dt.date(2030, 6, 15)
REF = ResourceRef(group="apps", kind="DaemonSet", namespace="kube-system", name="node-exporter")


def waiver(**fields: Any) -> Waiver:
    return Waiver(
        **{"control": "host-network", "resource": "", "reason": "reads host metrics", "owner": "@sre", **fields}
    )


def covers(each: Waiver, ref: ResourceRef = REF, container: str | None = "app", path: str = "deploy/x.yaml") -> bool:
    return Waivers([each], TODAY).covering("host-network", ref, container, path) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "DaemonSet/kube-system/node-exporter",
        "DaemonSet/node-exporter",
        "DaemonSet/*/node-*",
        "*/kube-*/*exporter",
        "Daemon*/n*de-ex*er",
    ],
)
def test_a_pattern_that_names_the_object_covers_it(pattern: str) -> None:
    assert covers(waiver(resource=pattern))


@pytest.mark.parametrize(
    "pattern",
    [
        "daemonset/kube-system/node-exporter",
        "DaemonSet/default/node-exporter",
        "DaemonSet/-/node-exporter",
        "DaemonSet/kube-system/node",
        "Deployment/node-exporter",
        "DaemonSet/node-exporter-*",
    ],
)
def test_a_pattern_that_names_another_object_does_not(pattern: str) -> None:
    assert not covers(waiver(resource=pattern))


def test_a_dash_stands_for_no_namespace() -> None:
    plain = ResourceRef(group="apps", kind="DaemonSet", namespace="", name="node-exporter")
    assert covers(waiver(resource="DaemonSet/-/node-exporter"), plain)
    assert not covers(waiver(resource="DaemonSet/kube-system/node-exporter"), plain)


def test_a_container_narrows_and_its_absence_covers_all() -> None:
    assert covers(waiver(container="app"))
    assert not covers(waiver(container="other"))
    assert covers(waiver(container=None), container=None)


@pytest.mark.parametrize(
    ("glob", "inside"), [("deploy/**", True), ("*.yaml", True), ("charts/", False), ("/x.yaml", False)]
)
def test_a_path_is_a_gitignore_glob(glob: str, inside: bool) -> None:  # noqa: FBT001
    assert covers(waiver(path=glob)) is inside


def test_the_expiry_day_is_the_last_that_is_covered() -> None:
    assert covers(waiver(expires=TODAY))
    assert not covers(waiver(expires=TODAY - dt.timedelta(days=1)))


def test_unused_and_expired_waivers_are_told() -> None:
    used, unused, expired = waiver(), waiver(control="image-tag"), waiver(expires=dt.date(2020, 1, 1))
    waivers = Waivers([used, unused, expired], TODAY)
    waivers.covering("host-network", REF, None, "x.yaml")
    assert waivers.unused == (unused,)
    assert waivers.expired == (expired,)


def test_a_hostile_name_cannot_make_a_glob_slow() -> None:
    started = time.monotonic()
    assert not covers(
        waiver(resource="Pod/" + "a*" * 40 + "b"), ResourceRef(group="", kind="Pod", namespace="", name="a" * 50_000)
    )
    assert time.monotonic() - started < 0.5


def test_a_container_is_named_by_a_glob_and_the_object_itself_by_none() -> None:
    assert covers(waiver(container="app*"), container="app-2")
    assert not covers(waiver(container="web*"), container="app")
    assert not covers(waiver(container="*"), container=None)
    assert covers(waiver(container=None), container=None)


def test_a_path_names_the_line_or_the_object() -> None:
    waivers = Waivers([waiver(path="charts/web/templates/pod.yaml")], TODAY)
    assert waivers.covering(
        "host-network", REF, None, "charts/web/templates/_helpers.tpl", "charts/web/templates/pod.yaml"
    )
    assert not waivers.covering("host-network", REF, None, "charts/web/templates/_helpers.tpl", "other.yaml")
