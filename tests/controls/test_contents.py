from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controls.contents import Contents, digest
from controls.masking import masked
from model.audit import AuditedResource, Score
from model.resource import Source, SourceKind
from tests.audits import MANIFESTS
from tests.resources import resources

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: SPACE, labels: {app: NAME}}
spec:
  template:
    metadata: {labels: {app: NAME}}
    spec:
      volumes: [{name: data, configMap: {name: NAME-config}}]
      containers: [{name: CONTAINER, image: "registry.example/image:v1", args: [--user=1000]}]
"""


def audited(text: str, source: Source = MANIFESTS, **changes: Any) -> AuditedResource:
    (one,) = resources(text, source=source.id)
    return Contents([source], [one]).audited(replace(one, **changes), Score())


def deployment(name: str = "web", space: str = "shop", container: str = "app") -> AuditedResource:
    return audited(DEPLOYMENT.replace("NAME", name).replace("SPACE", space).replace("CONTAINER", container))


def test_another_name_or_namespace_is_no_other_content() -> None:
    assert deployment().contents[1] == deployment(name="frontend").contents[1]
    assert deployment().contents == deployment(space="store").contents
    assert deployment().digest != deployment(name="frontend").digest


def test_another_container_is_another_content_and_the_same_container() -> None:
    assert not set(deployment().contents) & set(deployment(container="main").contents)
    assert deployment().containers[0].contents == deployment(container="main").containers[0].contents


def test_a_name_inside_of_a_word_a_key_and_a_number_stay() -> None:
    assert masked('{"app":"app","my-app":"apple app"}', ("app",)) == '{"app":"\0","my-app":"apple \0"}'
    assert masked('["webweb","web-web"]', ("web",)) == '["webweb","\0-\0"]'
    assert masked('{"runAsUser":0,"privileged":true}', ("0", "true")) == '{"runAsUser":0,"privileged":true}'
    assert masked('["a","b"]', ("b", "", "a")) == '["\0\0\0","\0"]'


def test_an_image_of_the_same_name_stays_what_it_is() -> None:
    text = DEPLOYMENT.replace("SPACE", "shop").replace("registry.example/image", "nginx")
    one, other = (text.replace("NAME", name).replace("CONTAINER", name) for name in ("nginx", "web"))
    assert audited(one).containers[0].contents[0] == audited(other).containers[0].contents[0]
    changed = audited(other.replace("nginx:v1", "web:v2")).containers[0]
    assert not set(changed.contents) & set(audited(one).containers[0].contents)
    text = text.replace("CONTAINER", "app")
    assert audited(text.replace("NAME", "nginx")).contents[1] == audited(text.replace("NAME", "web")).contents[1]


def test_a_name_in_a_literal_text_may_be_renamed_as_well() -> None:
    text = DEPLOYMENT.replace("SPACE", "shop").replace("CONTAINER", "app").replace("--user=1000", "--as=NAME")
    one, other = (audited(text.replace("NAME", name)) for name in ("web", "frontend"))
    assert [left == right for left, right in zip(one.contents, other.contents, strict=True)] == [False, False, True]
    assert one.containers[0].contents[-1] == other.containers[0].contents[-1]


def test_another_user_is_not_hidden_by_the_name_of_the_object() -> None:
    text = DEPLOYMENT.replace("SPACE", "x").replace("CONTAINER", "app")
    one, other = (audited(text.replace("NAME", name).replace("1000", name)) for name in ("1000", "1001"))
    assert not set(one.contents) & set(other.contents)


def test_the_api_version_is_no_content() -> None:
    old = DEPLOYMENT.replace("apps/v1", "extensions/v1beta1")
    assert audited(old).contents == audited(DEPLOYMENT).contents


def test_the_name_of_the_chart_is_no_content() -> None:
    charts = [replace(MANIFESTS, kind=SourceKind.HELM, name=name) for name in ("nats", "natsio")]
    one, other = (audited(DEPLOYMENT.replace("NAME", f"release-{chart.name}"), chart) for chart in charts)
    assert one.contents[1] == other.contents[1]


def test_the_hash_of_a_generated_object_changes_nobody_who_uses_it() -> None:
    found = []
    for hashed in ("web-config-2b5c7d9f4k", "web-config-9f4k2b5c7d"):
        (user,) = resources(DEPLOYMENT.replace("NAME-config", hashed))
        (config,) = resources(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {hashed}}}}}")
        known = Contents([MANIFESTS], [user, replace(config, stem="web-config")])
        unknown = Contents([MANIFESTS], [user, config])
        found.append((known.audited(user, Score()).digest, unknown.audited(user, Score()).digest))
    assert found[0][0] == found[1][0]
    assert found[0][1] != found[1][1]


def test_half_a_character_in_a_text_is_no_error() -> None:
    assert audited('{"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "\\ud800"}}').contents


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
        digest(resources(text.replace("VERSION", version).replace("X", field))[0])
        for version, field in (("v1", "a"), ("v2", "a"), ("v1", "b"))
    )
    assert one == two
    assert one != other
    plain = resources("apiVersion: v1\nkind: Pod\nmetadata: {name: x}")[0]
    assert digest(plain) == plain.digest
