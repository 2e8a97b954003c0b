"""What is said once of equal objects and pods is what would be said of each."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanners.native import configmaps, secrets
from scanners.native.engine import CHECKS, Memory, Neighbours, _container_view, _pod_view, look
from tests.resources import resources
from tests.scanners.native.test_checks import FIXTURES

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, annotations: {annotations}}}
spec: {{volumes: [{{name: v, emptyDir: {{}}}}], containers: [{{name: web, image: {image}{more}}}]}}
"""


def pod(name: str, image: str = "web", annotations: str = "{}", more: str = "") -> str:
    return POD.format(name=name, image=image, annotations=annotations, more=more)


@pytest.mark.parametrize("version", ["", "1.21", "1.34"])
def test_a_shared_memory_changes_no_opinion(version: str) -> None:
    memory = Memory()
    for fixture in FIXTURES:
        found = resources(fixture.read_text(encoding="utf-8"))
        neighbours = Neighbours.of(found, version)
        for resource in (*found, *found):
            assert look(resource, neighbours, memory) == look(resource, neighbours)
    assert memory.objects


def test_equal_containers_of_pods_that_differ_elsewhere_share_what_is_said() -> None:
    first, second = resources(f"{pod('one')}---{pod('two')}")
    memory = Memory()
    neighbours = Neighbours.of([first, second])
    one, two = (look(each, neighbours, memory) for each in (first, second))
    assert one.passed["web"] is two.passed["web"]
    assert len(memory.pods) == 1
    assert len(memory.objects) == 2


@pytest.mark.parametrize(
    "other",
    [
        pod("one", image="other"),
        pod("one", more=", volumeMounts: [{name: v, mountPath: /v, subPath: a}]"),
        pod("one", annotations="{container.apparmor.security.beta.kubernetes.io/web: unconfined}"),
    ],
)
def test_pods_that_differ_share_nothing(other: str) -> None:
    first, second = resources(f"{pod('one')}---{other}")
    memory = Memory()
    neighbours = Neighbours.of([first, second], "1.21")
    assert [look(each, neighbours, memory) for each in (first, second)] == [
        look(each, neighbours) for each in (first, second)
    ]
    assert len(memory.pods) == 2


def test_another_kubernetes_version_is_another_answer() -> None:
    (mounts,) = resources(pod("one", more=", volumeMounts: [{name: v, mountPath: /v, subPath: a}]"))
    memory = Memory()
    rules = [
        {finding.rule for finding in look(mounts, Neighbours.of([mounts], version), memory).findings}
        for version in ("1.21", "1.34")
    ]
    assert ["subpath-symlink-escape" in found for found in rules] == [True, False]


def test_a_key_that_stands_twice_shows_in_no_digest_and_is_told() -> None:
    once, twice = resources("{apiVersion: v1, kind: A, a: 1}\n---\n{apiVersion: v1, kind: A, a: 0, a: 1}")
    assert once.digest == twice.digest
    memory = Memory()
    neighbours = Neighbours.of([once, twice])
    told = [[finding.rule for finding in look(each, neighbours, memory).findings] for each in (once, twice)]
    assert ["duplicate-keys" in rules for rules in told] == [False, True]


def test_a_lone_surrogate_is_looked_at_all_the_same() -> None:
    (odd,) = resources(pod("one"))
    dict(odd.value)["spec"]["nodeName"] = "\udc00"  # type: ignore[index, call-overload]
    memory = Memory()
    assert look(odd, Neighbours.of([odd]), memory).findings
    assert not memory.pods


NOISE = st.text(max_size=8)


@settings(max_examples=300)
@given(
    NOISE,
    st.one_of(
        *(
            st.from_regex(pattern, alphabet=st.characters(max_codepoint=0x2200))
            for pattern in (secrets.PASSWORD_NAME, secrets.NAME, configmaps.PERSONAL)
        )
    ),
)
def test_a_key_with_a_telling_name_is_always_looked_at(before: str, key: str) -> None:
    assert configmaps.SUSPECT_KEY.search(f"{before}{key}".casefold())


@settings(max_examples=300)
@given(
    NOISE,
    st.one_of(
        *(st.from_regex(pattern) for pattern in (secrets.SHAPES, configmaps.SETTING, configmaps.EMAIL, configmaps.HASH))
    ),
    NOISE,
)
def test_a_value_with_a_telling_shape_is_always_looked_at(before: str, value: str, after: str) -> None:
    assert configmaps.SUSPECT_TEXT.search(f"{before}{value}{after}")


def test_one_telling_entry_among_many_harmless_ones_is_found() -> None:
    entries = "".join(f"  setting-{number}: value {number}\n" for number in range(50))
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n{entries}  db-password: correct horse\n"
    (config,) = resources(text)
    flaws = [each.field for each in look(config, Neighbours.of([config])).findings if "secrets" in each.rule]
    assert flaws == [("data", "db-password")]


def test_a_check_that_names_its_fields_finds_nothing_in_a_container_without_them() -> None:
    looked = 0
    for fixture in FIXTURES:
        for resource in resources(fixture.read_text(encoding="utf-8")):
            for pod_ in resource.pods:
                view = _pod_view(pod_, resource, Neighbours.of([resource], "1.21"))
                for container in pod_.containers:
                    for control, fields in CHECKS.fields.items():
                        value = {key: item for key, item in container.value.items() if key not in fields}
                        bare = _container_view(replace(container, value=value), view)
                        assert list(CHECKS.container[control](bare)) == [], (control, fixture)
                        looked += 1
    assert looked > 1000
