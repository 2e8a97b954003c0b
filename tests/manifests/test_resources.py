from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.resources import NoObject, Origin, Registry
from manifests.text.parse import parse
from model.resource import Precision, Resource

ORIGIN = Origin(source="manifests:.", path="a.yaml")


def read(text: str, origin: Origin = ORIGIN) -> list[Resource | NoObject]:
    registry, parsed = Registry(), parse(text.encode())
    assert not parsed.broken
    return [each for document in parsed.documents for each in registry.resources(document, origin)]


def resources(text: str, origin: Origin = ORIGIN) -> list[Resource]:
    found = read(text, origin)
    assert all(isinstance(each, Resource) for each in found)
    return [each for each in found if isinstance(each, Resource)]


WEB = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n"


def test_a_resource_knows_what_and_where_it_is() -> None:
    (web,) = resources(f"# first\n---\n{WEB}spec: {{replicas: 2}}\n")
    assert web.id == "manifests:.#Deployment.apps/shop/web"
    assert (web.ref.group, web.ref.kind, web.ref.namespace, web.ref.name) == ("apps", "Deployment", "shop", "web")
    assert web.api_version == "apps/v1"
    assert (web.location.path, web.location.line, web.location.precision) == ("a.yaml", 3, Precision.RESOURCE)
    exact = web.locate(("spec", "replicas"))
    assert (exact.line, exact.column, exact.precision) == (6, 8, Precision.EXACT)


def test_ids_are_unique_and_follow_the_order() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\n"
    ids = [each.id for each in resources("---\n".join(text % name for name in ("a", "a~2", "a", "a", "b")))]
    assert ids == [f"manifests:.#Pod/-/{name}" for name in ("a", "a~2", "a~3", "a~4", "b")]


def test_the_digest_is_that_of_the_content_alone() -> None:
    one, same, other = resources(
        "a: {c: 1, b: x}\nkind: X\napiVersion: v1\n--- # c\n"
        '{"apiVersion": "v1", "kind": "X", "a": {"b": "x", "c": 1.0}}\n'
        "---\napiVersion: v1\nkind: X\na: {c: '1', b: x}\n"
    )
    assert one.digest == same.digest != other.digest
    assert one.digest.startswith("sha256:")


@pytest.mark.threat("S9")
def test_lists_are_flattened_with_their_positions() -> None:
    text = f"""\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {{name: a, name: b}}
- apiVersion: v1
  kind: List
  items:
  - {{apiVersion: v1, kind: Pod, metadata: {{name: c}}}}
---
apiVersion: apps/v1
kind: DeploymentList
items:
- metadata: {{name: d}}
- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: e}}}}
---
{WEB}"""
    found = resources(text)
    assert [(each.ref.kind, each.ref.name, each.location.line) for each in found] == [
        ("Service", "b", 4),
        ("Pod", "c", 10),
        ("Deployment", "d", 15),
        ("ConfigMap", "e", 16),
        ("Deployment", "web", 18),
    ]
    assert found[0].duplicate_keys == (("metadata", "name"),)
    assert found[1].duplicate_keys == ()
    assert found[0].locate(("metadata", "name")).line == 6
    assert found[2].api_version == "apps/v1"


def test_a_kind_that_only_ends_in_list_is_an_object() -> None:
    (only,) = resources("apiVersion: x.io/v1\nkind: AllowList\nspec: {items: []}\n")
    assert only.ref.kind == "AllowList"
    assert resources("apiVersion: v1\nkind: List\nitems: []\n") == []


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ("{generateName: job-}", "job-"),
        ("{name: 7}", "7"),
        ("{name: [x]}", ""),
        ("[]", ""),
        ("", ""),
        ("{name: true}", ""),
    ],
)
def test_a_name_may_be_missing_or_odd(metadata: str, name: str) -> None:
    (only,) = resources(f"apiVersion: v1\nkind: Pod\nmetadata: {metadata}\n")
    assert only.ref.name == name


@pytest.mark.threat("S9")
def test_documents_that_are_no_objects_are_told_and_empty_ones_are_not() -> None:
    found = read(
        "apiVersion: v1\n---\nkind: Pod\n---\na: 1\n---\n- 1\n---\ntext\n---\n# nothing\n---\napiVersion: 1\n"
        "kind: Pod\n---\napiVersion: v1\nkind: List\nitems: [1, {kind: Pod}]\n"
    )
    assert [(each.line, each.half) for each in found if isinstance(each, NoObject)] == [
        (1, True),
        (3, True),
        (5, False),
        (7, False),
        (9, False),
        (13, True),
        (18, False),
        (18, True),
    ]


def test_what_is_rendered_points_to_its_template_alone() -> None:
    (web,) = resources(WEB, Origin(source="charts/web", path="charts/web/templates/a.yaml", rendered=True))
    assert web.marks is None
    location = web.locate(("metadata", "name"))
    assert (location.path, location.line, location.precision) == ("charts/web/templates/a.yaml", 1, Precision.FILE)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab~/#", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["apiVersion", "kind", "metadata", "name", "namespace", "items", "spec"]), inner, max_size=6
        )
    ),
    max_leaves=20,
)


@given(st.lists(ANY, max_size=5))
@pytest.mark.threat("Y14")
def test_documents_of_any_shape_raise_nothing_and_ids_are_unique(values: list[object]) -> None:
    found = read("\n---\n".join(json.dumps(value) for value in values))
    ids = [each.id for each in found if isinstance(each, Resource)]
    assert len(set(ids)) == len(ids)
