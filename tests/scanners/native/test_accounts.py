"""Service accounts of workloads: which are known, and where nobody can know; fixtures of verdicts stand in folders."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from model.finding import OBJECT
from scanners.native.engine import Neighbours, look
from tests.resources import resources
from tests.scanners.native.test_checks import SHAPES, places

NOT_FOUND, USES_DEFAULT = "service-account-not-found", "default-service-account"
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": "shop"}}
BINDING: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "readers", "namespace": "shop"},
    "subjects": [{"kind": "ServiceAccount", "name": "default"}],
}


def pod(**spec: Any) -> dict[str, Any]:
    """In the namespace shop."""
    metadata = {"name": "web", "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [{"name": "app"}], **spec}}


def verdict(control: str, *objects: dict[str, Any]) -> bool | None:
    """Of the first object: whether it passed; None where nobody says."""
    found = resources("\n---\n".join(json.dumps(each) for each in objects) + "\n")
    opinion = look(found[0], Neighbours.of(found))
    if any(finding.rule == control for finding in opinion.findings):
        return False
    return True if control in opinion.passed[OBJECT] else None


def test_an_account_is_missing_only_where_the_scope_defines_accounts() -> None:
    assert verdict(NOT_FOUND, pod(serviceAccountName="web")) is None
    assert verdict(NOT_FOUND, pod(serviceAccountName="web"), ACCOUNT) is True
    assert verdict(NOT_FOUND, pod(serviceAccountName="wbe"), ACCOUNT) is False


def test_every_namespace_has_a_default_account() -> None:
    assert verdict(NOT_FOUND, pod()) is True
    assert verdict(NOT_FOUND, pod(serviceAccountName="default"), ACCOUNT) is True


@pytest.mark.parametrize(
    ("spec", "passes"),
    [
        ({}, False),
        ({"serviceAccountName": ""}, False),
        ({"serviceAccountName": "default"}, False),
        ({"serviceAccount": "web"}, True),
        ({"serviceAccount": "web", "serviceAccountName": "default"}, False),
        ({"automountServiceAccountToken": False}, True),
    ],
)
def test_the_default_account_is_the_one_that_nobody_names(spec: dict[str, Any], passes: bool) -> None:  # noqa: FBT001
    assert verdict(USES_DEFAULT, pod(**spec)) is passes


def test_a_default_account_that_keeps_its_token_does_no_harm_unless_the_pod_asks_for_it() -> None:
    account = {**ACCOUNT, "metadata": {"name": "default", "namespace": "shop"}, "automountServiceAccountToken": False}
    assert verdict(USES_DEFAULT, pod(), account) is True
    assert verdict(USES_DEFAULT, pod(automountServiceAccountToken=True), account) is False


def test_a_binding_of_another_kind_of_subject_gives_nothing_to_the_default_account() -> None:
    assert verdict(USES_DEFAULT, BINDING) is False
    assert verdict(USES_DEFAULT, {**BINDING, "subjects": [{"kind": "Group", "name": "default"}]}) is True
    assert verdict(USES_DEFAULT, {**BINDING, "apiVersion": "example.com/v1"}) is None


def test_objects_that_run_nothing_have_no_verdict() -> None:
    assert verdict(USES_DEFAULT, ACCOUNT) is None
    assert verdict(NOT_FOUND, ACCOUNT) is None


@pytest.mark.parametrize("pristine", [BINDING, pod(serviceAccountName="web", serviceAccount="web"), ACCOUNT])
def test_every_field_may_hold_every_shape_of_value(pristine: dict[str, Any]) -> None:
    for path in places(pristine):
        if path in {("apiVersion",), ("kind",)}:
            continue
        for shape in SHAPES:
            manifest = copy.deepcopy(pristine)
            parent: Any = manifest
            for step in path[:-1]:
                parent = parent[step]
            parent[path[-1]] = shape
            verdict(USES_DEFAULT, manifest, pod(serviceAccountName="web"), ACCOUNT)
