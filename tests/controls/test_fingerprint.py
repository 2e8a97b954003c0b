from __future__ import annotations

from dataclasses import replace

import pytest

from controls.fingerprint import Fingerprints, content_digest, named_item, unique
from model.resource import ResourceRef
from model.values import FieldPath, Json
from tests.audits import MANIFESTS, result
from tests.resources import resources

REF = ResourceRef(group="apps", kind="Deployment", namespace="shop", name="web")
POD: dict[str, Json] = {
    "spec": {
        "containers": [{"name": "app", "ports": [{"containerPort": 80, "hostPort": 80}]}],
        "volumes": [{"name": "data"}, {"name": "docker", "hostPath": {"path": "/var/run/docker.sock"}}],
    }
}
CONTAINER: FieldPath = ("spec", "containers", 0)


def test_a_list_item_is_known_by_its_name_not_by_its_place() -> None:
    path: FieldPath = ("spec", "volumes", 1, "hostPath", "path")
    assert named_item(POD, (), path) == ("spec", "volumes", "name=docker")


def test_inside_a_container_the_path_starts_at_the_container() -> None:
    assert named_item(POD, CONTAINER, (*CONTAINER, "ports", 0, "hostPort")) == ("ports", "containerPort=80")


def test_a_plain_field_adds_nothing_so_that_moving_a_setting_to_the_pod_resolves_nothing() -> None:
    assert named_item(POD, CONTAINER, (*CONTAINER, "securityContext", "privileged")) == ()
    assert named_item(POD, CONTAINER, ("spec", "securityContext", "runAsNonRoot")) == ()
    assert named_item(POD, CONTAINER, None) == ()


def test_a_path_that_leads_nowhere_is_no_error() -> None:
    assert named_item(POD, (), ("spec", "volumes", 7, "name")) == ("spec", "volumes", "7")


def test_every_part_of_the_identity_counts() -> None:
    prints = {
        Fingerprints(MANIFESTS, REF).of("a", None, ()),
        Fingerprints(MANIFESTS, REF).of("b", None, ()),
        Fingerprints(replace(MANIFESTS, name="web"), REF).of("a", None, ()),
        Fingerprints(replace(MANIFESTS, environment="prod"), REF).of("a", None, ()),
        Fingerprints(MANIFESTS, replace(REF, namespace="other")).of("a", None, ()),
        Fingerprints(MANIFESTS, REF).of("a", "app", ()),
        Fingerprints(MANIFESTS, REF).of("a", "app", ("ports", "x")),
    }
    assert len(prints) == 7


def test_the_place_of_the_source_and_the_api_group_that_a_kind_left_do_not_count() -> None:
    here = Fingerprints(MANIFESTS, REF).of("a", None, ())
    assert Fingerprints(replace(MANIFESTS, id="x", path="elsewhere"), REF).of("a", None, ()) == here
    assert Fingerprints(MANIFESTS, replace(REF, group="extensions")).of("a", None, ()) == here


def test_parts_cannot_be_shifted_into_each_other() -> None:
    here = Fingerprints(MANIFESTS, REF)
    assert here.of("a", "x", ("y",)) != here.of("a", None, ("x", "y"))


def test_results_of_the_same_identity_get_an_ordinal() -> None:
    same = result()
    first, second, third = unique([same, same, same])
    assert (first.fingerprint, second.fingerprint, third.fingerprint) == (
        same.fingerprint,
        f"{same.fingerprint}-2",
        f"{same.fingerprint}-3",
    )


@pytest.mark.threat("H8")
def test_what_moves_with_every_release_does_not_make_an_object_another_one() -> None:
    text = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {helm.sh/chart: web-VERSION, app: web}}
spec:
  template: {metadata: {annotations: {checksum/config: VERSION}, labels: {app.kubernetes.io/version: VERSION}}, X: 1}
"""
    one, two, other = (
        content_digest(resources(text.replace("VERSION", version).replace("X", field))[0])
        for version, field in (("v1", "a"), ("v2", "a"), ("v1", "b"))
    )
    assert one == two
    assert one != other
    plain = resources("apiVersion: v1\nkind: Pod\nmetadata: {name: x}")[0]
    assert content_digest(plain) == plain.digest
