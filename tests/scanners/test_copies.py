from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scanners.copies import make_copies
from tests.resources import resources

PODS = """
apiVersion: v1
kind: Pod
metadata: {generateName: web-}
spec:
  initContainers:
  - {name: setup, image: a, securityContext: }
  containers:
  - {image: b}
  - {name: twin, image: c}
  - {name: twin, image: d}
---
apiVersion: v1
kind: Pod
metadata: {name: same}
spec: {containers: [{name: x, image: e}]}
---
apiVersion: v1
kind: Pod
metadata: {name: same}
spec: {containers: [{name: x, image: f}]}
"""


def test_every_object_and_container_has_a_name_of_its_own_and_the_way_back() -> None:
    copies = make_copies(resources(PODS))
    assert len({copy.identity for copy in copies}) == 3
    assert [copy.renamed for copy in copies] == [True, False, True] or copies[0].identity[2]
    for copy in copies:
        value = yaml.safe_load(copy.text)
        assert value["metadata"]["name"] == copy.identity[2]
        names = [each["name"] for key in ("initContainers", "containers") for each in value["spec"].get(key, ())]
        assert sorted(names) == sorted(container.key for container in copy.resource.containers)


def test_an_object_keeps_its_name_when_a_renamed_one_before_it_could_take_it() -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {{name: {}}}\nspec: {{containers: [{{name: c, image: a}}]}}"
    copies = make_copies(resources("\n---\n".join(map(pod.format, ("x", "x", "x-2")))))
    assert [copy.identity[2] for copy in copies] == ["x", "x-3", "x-2"]
    assert [copy.renamed for copy in copies] == [False, True, False]


def test_each_container_stands_on_the_one_line_that_leads_back_to_it() -> None:
    for copy in make_copies(resources(PODS)):
        lines = copy.text.splitlines()
        for number, key in copy.lines.items():
            assert json.loads(lines[number - 1])["name"] == key
        assert len(copy.lines) == len(copy.resource.containers)


def test_null_settings_are_left_out() -> None:
    assert "securityContext" not in make_copies(resources(PODS))[0].text


@pytest.mark.parametrize(
    "text",
    [
        "@0@0@0@",
        '"@0@1@0@"',
        "\u2028\u2029\x85",
        "\ufeff\x7f\x9f",
        "\U0001f600",
        "---\n- --",
        "# x\n--- # y",
        "\t\\\"'",
    ],
)
@pytest.mark.threat("Y11", "Y13")
def test_no_text_of_a_manifest_breaks_the_copy(text: str) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x", "annotations": {"a": text}},
        "spec": {"containers": [{"name": "c", "args": [text, "@0@0@0@"]}]},
    }
    copy = make_copies(resources(json.dumps(manifest)))[0]
    assert yaml.safe_load(copy.text)["metadata"]["annotations"]["a"] == text
    assert json.loads(copy.text.splitlines()[2])["args"][0] == text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_the_way_through_yaml(text: str) -> None:
    manifest: Any = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": text}}
    copy = make_copies(resources(json.dumps(manifest)))[0]
    assert yaml.safe_load(copy.text)["data"]["a"] == copy.resource.value["data"]["a"]  # type: ignore[index,call-overload]
