from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controls.comparison.contents import Contents, digest
from controls.comparison.masking import masked, masked_whole
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

INNER = """
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  volumes: [{name: files, hostPath: {path: /run}}, {name: sock, hostPath: {path: /run/sock}}]
  containers:
    - name: app
      image: "registry.example/image:v1"
      volumeMounts: [{name: files, mountPath: /mnt}]
      ports: [{name: web-port, containerPort: 80}]
      livenessProbe: {httpGet: {port: web-port}}
      env: [{name: PASSWORD, value: x}]
"""
WORDS = 2
"""The form in which names are masked as words, where things refer to each other."""


def audited(text: str, source: Source = MANIFESTS, **changes: Any) -> AuditedResource:
    (one,) = resources(text, source=source.id)
    return Contents([source], [one]).audited(replace(one, **changes), Score())


def deployment(name: str = "web", space: str = "shop", container: str = "app") -> AuditedResource:
    return audited(DEPLOYMENT.replace("NAME", name).replace("SPACE", space).replace("CONTAINER", container))


def test_another_name_or_namespace_is_no_other_content() -> None:
    assert deployment().contents[WORDS] == deployment(name="frontend").contents[WORDS]
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
    first, second = (audited(text.replace("NAME", name)) for name in ("nginx", "web"))
    assert first.contents[WORDS] == second.contents[WORDS]


def test_a_name_in_a_literal_text_may_be_renamed_as_well() -> None:
    text = DEPLOYMENT.replace("SPACE", "shop").replace("CONTAINER", "app").replace("--user=1000", "--as=NAME")
    one, other = (audited(text.replace("NAME", name)) for name in ("web", "frontend"))
    same = [left == right for left, right in zip(one.contents, other.contents, strict=True)]
    assert same == [False, False, False, True, False]
    assert one.containers[0].contents[-1] == other.containers[0].contents[-1]


def test_a_name_that_is_a_part_of_another_word_may_be_renamed_without_that() -> None:
    text = DEPLOYMENT.replace("SPACE", "x").replace("CONTAINER", "app").replace("NAME-config", "db-data")
    one, other = (audited(text.replace("NAME", name)) for name in ("db", "database"))
    same = [left == right for left, right in zip(one.contents, other.contents, strict=False)]
    assert same[:3] == [False, True, False]


def test_a_whole_text_is_masked_and_a_key_or_a_quoted_word_in_a_text_is_not() -> None:
    assert masked_whole(r'{"db":["db","db-data","a \"db"]}', ("db",)) == '{"db":["\0","db-data","a \\"db"]}'
    assert masked_whole('["true","0",""]', ("true", "0", "")) == '["true","0",""]'
    assert masked_whole('["a","b"]', ("b", "a")) == '["\0\0","\0"]'


RENAMED = INNER.replace("files", "disk").replace("web-port", "http").replace("PASSWORD", "SECRET")


def test_other_names_of_volumes_ports_and_variables_are_proven() -> None:
    assert audited(INNER).contents[0] != audited(RENAMED).contents[0]
    assert audited(INNER).contents[-1] == audited(RENAMED).contents[-1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{name: disk, mountPath", "{name: sock, mountPath"),
        ("path: /run}", "path: /etc}"),
        ("value: x", "value: y"),
        ("containerPort: 80", "containerPort: 81"),
        ("port: http", "port: other"),
        ("volumes: [", "volumes: [{name: more, hostPath: {path: /}}, "),
    ],
)
def test_another_name_does_not_hide_what_else_is_new(old: str, new: str) -> None:
    assert old in RENAMED
    assert not set(audited(INNER).contents) & set(audited(RENAMED.replace(old, new)).contents)


def test_a_volume_that_has_the_name_of_a_secret_does_not_stand_for_the_secret() -> None:
    text = INNER.replace("name: files, hostPath: {path: /run}", "name: files, configMap: {name: files}")
    both = audited(text.replace("files", "disk"))
    only_it = audited(text.replace("{name: files,", "{name: disk,"))
    assert audited(text).contents[-1] == only_it.contents[-1] != both.contents[-1]


def test_what_is_audited_stays_as_it_is() -> None:
    (one,) = resources(INNER)
    Contents([MANIFESTS], [one]).audited(one, Score())
    assert one.value == resources(INNER)[0].value


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
    assert one.contents[WORDS] == other.contents[WORDS]


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
