"""Kustomizations through the real kustomize: what is built, where it is placed, what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from model.resource import Precision, Resource, SourceKind, Tree
from toolbox import Toolbox

Write = Callable[[Mapping[str, str]], Path]
Load = Callable[..., Tree]

BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
        - name: app
          image: web:1
          securityContext:
            privileged: true
        - name: log
          image: log:1
"""
PATCH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      hostNetwork: true
      containers:
        - {name: sidecar, image: "side:1"}
        - {name: app, securityContext: {privileged: false}}
"""
SHOP = {
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web.yaml": "# the shop\n---\n" + BASE,
    "prod/kustomization.yaml": "resources: [../base]\nnamePrefix: prod-\npatches: [{path: patch.yaml}]\n",
    "prod/patch.yaml": PATCH,
}


def only(tree: Tree) -> Resource:
    assert tree.failures == ()
    (resource,) = tree.resources
    return resource


def reasons(tree: Tree) -> list[tuple[str, str]]:
    assert all(failure.remedy and failure.stage == "render" for failure in tree.failures)
    assert tree.resources == ()
    return [(failure.path, failure.reason) for failure in tree.failures]


def test_an_overlay_is_one_source_and_its_base_is_not_counted_again(write: Write, load_tree: Load) -> None:
    write(SHOP)
    tree = load_tree()
    assert [(source.id, source.kind, source.name) for source in tree.sources] == [
        ("kustomize:prod", SourceKind.KUSTOMIZE, "prod")
    ]
    resource = only(tree)
    assert (resource.ref.name, resource.id) == ("prod-web", "kustomize:prod#Deployment.apps/-/prod-web")
    assert [container.name for container in resource.containers] == ["sidecar", "app", "log"]


def test_a_resource_stands_in_the_file_that_defines_it(write: Write, load_tree: Load) -> None:
    write(SHOP)
    location = only_location(load_tree())
    assert location == ("base/web.yaml", 3, Precision.RESOURCE)


def only_location(tree: Tree) -> tuple[str, int, Precision]:
    place = only(tree).location
    return place.path, place.line, place.precision


def test_a_field_that_nothing_changed_is_exact_and_a_patched_one_is_not(write: Write, load_tree: Load) -> None:
    write(SHOP)
    resource = only(load_tree())
    spec = ("spec", "template", "spec")

    def line(*path: str | int) -> tuple[int, Precision]:
        place = resource.locate((*spec, *path))
        return place.line, place.precision

    assert line("containers", 2, "image") == (16, Precision.EXACT)
    assert line("containers", 1, "image") == (12, Precision.EXACT)
    assert line("containers", 1, "securityContext", "privileged") == (13, Precision.ENCLOSING)
    assert line("containers", 0, "image") == (10, Precision.ENCLOSING)
    assert line("hostNetwork") == (9, Precision.ENCLOSING)


def test_a_generated_object_stands_at_the_entry_that_generates_it(write: Write, load_tree: Load) -> None:
    write(
        {
            "kustomization.yaml": "configMapGenerator:\n- name: other\n- name: settings\n  files: [own=a.txt, b.txt]\n",
            "a.txt": "a",
            "b.txt": "b",
        }
    )
    found = {resource.ref.name.rpartition("-")[0]: resource for resource in load_tree().resources}
    assert found["settings"].value["data"] == {"own": "a", "b.txt": "b"}
    place = found["settings"].location
    assert (place.path, place.line, place.precision) == ("kustomization.yaml", 3, Precision.RESOURCE)


def test_what_kustomize_is_asked_for_origins_leaves_no_trace_in_objects(write: Write, load_tree: Load) -> None:
    write({**SHOP, "base/web.yaml": BASE.replace("name: web\n", "name: web\n  annotations: {a: b}\n", 1)})
    assert only(load_tree()).value["metadata"] == {"annotations": {"a": "b"}, "name": "prod-web"}
    write(SHOP)
    assert only(load_tree()).value["metadata"] == {"name": "prod-web"}


def test_components_generators_transformers_and_inline_patches_are_built(write: Write, load_tree: Load) -> None:
    write(
        {
            **SHOP,
            "part/kustomization.yaml": "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\npatches:\n"
            "- target: {kind: Deployment}\n  patch: |\n    - {op: add, path: /metadata/labels, value: {a: b}}\n",
            "prod/kustomization.yaml": "resources: [../base]\ncomponents: [../part]\n"
            "transformers:\n- suffix.yaml\n- |\n"
            "  {apiVersion: builtin, kind: PatchTransformer, metadata: {name: p}, path: patch.yaml}\n",
            "prod/suffix.yaml": "apiVersion: builtin\nkind: PrefixSuffixTransformer\nmetadata: {name: s}\n"
            "suffix: -x\nfieldSpecs: [{path: metadata/name}]\n",
        }
    )
    resource = only(load_tree())
    assert (resource.ref.name, resource.value["metadata"]["labels"]) == ("web-x", {"a": "b"})  # type: ignore[index, call-overload]
    assert resource.pods[0].spec["hostNetwork"] is True


class _Listener(BaseHTTPRequestHandler):
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.path)
        self.send_error(404)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback, which no proxy variable keeps a Go program from."""
    seen: list[str] = []
    listener = HTTPServer(("127.0.0.1", 0), type("Listener", (_Listener,), {"seen": seen}))
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.server_port}", seen
    listener.shutdown()
    thread.join()
    listener.server_close()


@pytest.mark.threat("K1")
@pytest.mark.parametrize(
    "text",
    [
        "resources: [URL/a.yaml]",
        "bases: [URL/repo]",
        "components: ['URL/repo?ref=main']",
        "crds: [URL/a]",
        "configurations: [URL/a]",
        "patches: [{path: URL/p}]",
        "patchesStrategicMerge: [URL/p]",
        "patchesJson6902: [{path: URL/p, target: {kind: Pod, name: a}}]",
        "replacements: [{path: URL/p}]",
        "openapi: {path: URL/p}",
        "configMapGenerator: [{name: a, files: [key=URL/p]}]",
        "configMapGenerator: [{name: a, files: [URL/p]}]",
        "configMapGenerator: [{name: a, envs: [URL/p]}]",
        "configMapGenerator: [{name: a, env: URL/p}]",
        "secretGenerator: [{name: a, files: [URL/p]}]",
        "generators: [URL/p]",
        "transformers: ['{apiVersion: builtin, kind: PatchTransformer, metadata: {name: a}, path: URL/p}']",
        "generators: ['{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: a}, files: [URL/p]}']",
        "generators: [plugin.yaml]",
        "resources: [../nested]",
    ],
)
def test_what_is_remote_is_refused_and_named_and_nobody_asks_for_it(
    text: str, write: Write, load_tree: Load, server: tuple[str, list[str]]
) -> None:
    url, seen = server
    write(
        {
            "top/kustomization.yaml": text.replace("URL", url) + "\n",
            "top/plugin.yaml": f"apiVersion: builtin\nkind: PatchTransformer\nmetadata: {{name: a}}\npath: {url}/p\n",
            "nested/kustomization.yaml": f"resources: [{url}/x]\n",
        }
    )
    ((path, reason),) = [(each.path, each.reason) for each in load_tree("top").failures]
    assert path == "top"
    assert "which is remote" in reason
    assert url in reason
    assert seen == []


@pytest.mark.threat("K1")
@pytest.mark.parametrize(
    "name",
    [
        "github.com/owner/repository//deploy?ref=v1",
        "git@example.org:owner/repository",
        "git::https://example.org/owner/repository",
        "ssh://git@example.org/owner/repository",
        "owner@example.org/repository",
        "file:///etc",
        "HTTPS://example.org/a.yaml",
    ],
)
def test_every_way_to_write_a_repository_is_remote(name: str, write: Write, load_tree: Load) -> None:
    write({"a/kustomization.yaml": f"resources: ['{name}']\n", f"a/{name.partition('?')[0]}/kustomization.yaml": ""})
    told = {failure.path: failure.reason for failure in load_tree("a").failures}
    assert told["a"] == f"line 1: it builds on {name!r}, which is remote"


@pytest.mark.threat("K2", "F1")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("helmCharts: [{name: web}]", "it inflates a Helm chart"),
        ("helmChartInflationGenerator: [{chartName: web}]", "it inflates a Helm chart"),
        ("generators: [exec.yaml]", "the plugin 'Anything' is a program or a container"),
        ("transformers: [function.yaml]", "the plugin 'ConfigMapGenerator' is a program or a container"),
        ("generators: ['{apiVersion: builtin, kind: HelmChartInflationGenerator}']", "it inflates a Helm chart"),
        ("resources: [gone.yaml]", "it names 'gone.yaml', which does not exist"),
        ("resources: [../../../etc]", "it names '../../../etc', which lies outside of the tree"),
        ("resources: [/etc/hosts]", "it names '/etc/hosts', which lies outside of the tree"),
        ("patches: [{path: link.yaml}]", "it names 'link.yaml', which lies behind a symbolic link"),
        ("configMapGenerator: [{name: a, files: [linked/x]}]", "lies behind a symbolic link"),
        ("resources: [empty]", "empty holds no kustomization"),
        ("crds: [empty]", "it names 'empty', which is a folder"),
        ("resources: [exec.yaml]\nunknown: 1", 'unknown field "unknown"'),
        ("kind: Component", "it is a component, which builds nothing alone"),
        ("- a", "the kustomization is no mapping"),
        ("", "the kustomization is empty"),
    ],
)
def test_what_is_not_built_says_why(text: str, reason: str, write: Write, load_tree: Load, tmp_path: Path) -> None:
    root = write(
        {
            "kustomization.yaml": text + "\n",
            "exec.yaml": "apiVersion: someteam/v1\nkind: Anything\nmetadata: {name: a}\n",
            "function.yaml": "apiVersion: builtin\nkind: ConfigMapGenerator\n"
            "metadata: {name: a, annotations: {config.kubernetes.io/function: 'exec: {path: ./x}'}}\n",
            "empty/readme.txt": "",
        }
    )
    (root / "link.yaml").symlink_to("/proc/self/environ")
    (root / "linked").symlink_to(tmp_path)
    (told,) = [each.reason for each in load_tree().failures if each.stage == "render"]
    assert reason in told
    assert str(root) not in told
    assert "/tmp" not in told.replace(str(root), "")


def test_messages_of_kustomize_speak_of_the_tree_and_come_to_the_point(write: Write, load_tree: Load) -> None:
    write(
        {
            "a/kustomization.yaml": "resources: [../b]\n",
            "b/kustomization.yaml": "resources: [../a]\n",
            "c/kustomization.yaml": "resources: [../d.yaml]\n",
            "d.yaml": BASE,
            "e/kustomization.yaml": "patches: [{path: p.yaml}]\nresources: []\n",
            "e/p.yaml": PATCH,
        }
    )
    told = dict(reasons(load_tree()))
    assert told["a"] == "cycle detected: candidate root 'a' contains visited root 'a'"
    assert told["c"] == "file 'd.yaml' is not in or below 'c'"
    assert "no resource matches strategic merge patch" in told["e"]


def test_a_broken_overlay_leaves_the_others_alone(write: Write, load_tree: Load) -> None:
    write({**SHOP, "bad/kustomization.yaml": "resources: [../base]\nnamespace: [1]\n"})
    tree = load_tree()
    assert [failure.path for failure in tree.failures] == ["bad"]
    assert [resource.ref.name for resource in tree.resources] == ["prod-web"]
    assert {source.id for source in tree.sources} == {"kustomize:bad", "kustomize:prod"}


def test_the_digest_of_what_is_not_built_moves_with_its_base(write: Write, load_tree: Load) -> None:
    files = {"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": "a: 1\n"}
    write({**files, "top/kustomization.yaml": "resources: [../base, 'https://example.org/x']\n"})
    (before,) = (failure.digest for failure in load_tree("top").failures)
    write({"base/a.yaml": "a: 2\n"})
    (after,) = (failure.digest for failure in load_tree("top").failures)
    assert before != after


def test_without_kustomize_each_kustomization_is_a_failure(
    write: Write, load_tree: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(SHOP)
    real = Toolbox.check
    nowhere = Toolbox(tmp_path)
    monkeypatch.setattr(Toolbox, "check", lambda _, name, sandbox: real(nowhere, name, sandbox))
    ((path, reason),) = reasons(load_tree())
    assert (path, reason[:26]) == ("prod", "kustomize cannot be used: ")


def test_an_object_in_a_file_of_that_name_is_a_manifest(write: Write, load_tree: Load) -> None:
    flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps}\nspec: {}\n"
    write({"kustomization.yaml": flux, "top/kustomization.yaml": "resources: [../nested]\n"})
    write({"nested/kustomization.yaml": flux})
    tree = load_tree()
    assert [resource.location.path for resource in tree.resources] == [
        "kustomization.yaml",
        "nested/kustomization.yaml",
    ]
    assert [failure.reason for failure in tree.failures] == [
        "nested/kustomization.yaml is no kustomization, but an object"
    ]
