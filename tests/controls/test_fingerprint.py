from __future__ import annotations

from dataclasses import replace

from controls.fingerprint import Fingerprints, named_item, parts, unique
from model.resource import ResourceRef
from model.values import FieldPath, Json
from tests.audits import MANIFESTS, result

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
    assert named_item(POD, (), path) == ("spec", "volumes", "name=docker,hostPath=/var/run/docker.sock")


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


def test_the_flaw_is_told_apart_from_its_object_and_container() -> None:
    one, other = Fingerprints(MANIFESTS, REF), Fingerprints(MANIFESTS, replace(REF, name="other"))
    here, there = one.of("a", "app", ("x",)), other.of("a", "web", ("x",))
    assert here[:20] != there[:20]
    assert parts(here, "app") == (parts(one.of("b", "app", ()), "app")[0], parts(f"{there}-2", "web")[1])
    assert parts(here, "app")[0] != parts(there, "web")[0]
    assert parts(here, "app")[1] != parts(one.of("a", "app", ("y",)), "app")[1]


def test_a_flaw_of_a_pod_that_points_into_a_container_is_that_containers() -> None:
    ours = Fingerprints(MANIFESTS, REF)
    app, web = (ours.of("a", None, ("containers", f"name={name}", "volumeMounts", "x")) for name in ("app", "web"))
    assert app != web
    assert parts(app, None) == (parts(ours.of("b", "app", ()), "app")[0], parts(web, None)[1])


def test_a_hash_of_the_content_in_a_name_does_not_count() -> None:
    hashed = replace(REF, name="web-abc")
    assert Fingerprints(MANIFESTS, hashed, "web").of("a", None, ()) == Fingerprints(MANIFESTS, REF).of("a", None, ())


def test_a_list_item_without_a_name_is_known_by_what_it_says() -> None:
    rules: dict[str, Json] = {
        "rules": [{"verbs": ["get"], "resources": ["pods"]}, {"verbs": ["*"], "resources": ["*"]}, None],
        "sources": [{"secret": {"name": "a"}}, {"token": {"audience": "x", "age": 1}}],
        "hosts": [{"host": "a.example", "http": {"paths": [{"backend": {}, "path": "/"}]}}],
    }
    swapped: dict[str, Json] = {"rules": [{"resources": ["*"], "verbs": ["*"]}]}
    assert named_item(rules, (), ("rules", 1)) == named_item(swapped, (), ("rules", 0))
    assert named_item(rules, (), ("rules", 0)) != named_item(rules, (), ("rules", 1))
    assert named_item(rules, (), ("rules", 2)) == ("rules", "2")
    assert named_item(rules, (), ("sources", 0)) == ("sources", "secret")
    assert named_item(rules, (), ("hosts", 0, "http", "paths", 0))[1:] == ("host=a.example", "http", "paths", "path=/")


def test_results_of_the_same_identity_get_an_ordinal() -> None:
    same = result()
    first, second, third = unique([same, same, same])
    assert (first.fingerprint, second.fingerprint, third.fingerprint) == (
        same.fingerprint,
        f"{same.fingerprint}-2",
        f"{same.fingerprint}-3",
    )
