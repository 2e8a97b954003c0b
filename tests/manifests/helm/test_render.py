"""With the real Helm: what a chart may do, and what must not come of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from manifests.helm.render import is_test
from manifests.helm.running import REASON, clean
from manifests.load import ChartValues, LoadRequest, load
from model.errors import UsageError
from model.resource import Failure, Precision, SourceKind, Tree
from process import Sandbox
from toolbox import Toolbox

Write = Callable[[Mapping[str, str]], Path]
Load = Callable[..., Tree]

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: %s\nspec:\n  containers: [{name: app, image: x}]\n"


def names(tree: Tree) -> list[str]:
    return [resource.ref.name for resource in tree.resources]


def only_failure(tree: Tree) -> Failure:
    (failure,) = tree.failures
    assert tree.resources == ()
    assert (failure.stage, failure.path, failure.source) == ("render", "web", "web")
    assert "\n" not in failure.reason
    assert len(failure.reason) <= REASON + 3
    assert failure.remedy
    return failure


@pytest.mark.tools
@pytest.mark.threat("H9", "H10")
def test_a_chart_is_rendered_with_its_parts_hooks_and_definitions(write: Write, load_tree: Load) -> None:
    write(
        {
            "web/Chart.yaml": CHART,
            "web/values.yaml": "tag: v1\n",
            "web/templates/a.yaml": POD % "{{ .Release.Name }}-{{ .Values.tag }}" + "---\n" + POD % "second",
            "web/templates/NOTES.txt": "\x1b[31mhello",
            "web/templates/hook.yaml": POD % "hook\n  annotations: {helm.sh/hook: 'pre-install,test'}",
            "web/templates/tests/t.yaml": POD % "test\n  annotations: {helm.sh/hook: test}",
            "web/crds/c.yaml": "apiVersion: v1\nkind: CustomResourceDefinition\nmetadata: {name: one}\n---\n"
            "# Source: web/templates/a.yaml\napiVersion: v1\nkind: CustomResourceDefinition\nmetadata: {name: two}\n",
            "web/charts/db/Chart.yaml": CHART.replace("web", "db"),
            "web/charts/db/templates/d.yaml": POD % "db",
        }
    )
    tree = load_tree()
    found = {resource.ref.name: resource for resource in tree.resources}
    assert sorted(found) == ["db", "hook", "one", "release-name-v1", "second", "test", "two"]
    assert {name: each.location.path for name, each in found.items()} == {
        "db": "web/charts/db/templates/d.yaml",
        "hook": "web/templates/hook.yaml",
        "one": "web/crds/c.yaml",
        "release-name-v1": "web/templates/a.yaml",
        "second": "web/templates/a.yaml",
        "test": "web/templates/tests/t.yaml",
        "two": "web/templates/a.yaml",  # a definition may say so of itself; it stays inside of the chart
    }
    assert [name for name, each in found.items() if not each.scored] == ["test"]
    assert {name: (each.location.line, each.location.precision) for name, each in found.items()} == {
        **dict.fromkeys(("db", "hook", "release-name-v1", "test"), (1, Precision.RESOURCE)),
        "one": (1, Precision.FILE),
        "second": (8, Precision.RESOURCE),
        "two": (1, Precision.FILE),
    }
    assert all(each.marks is None for each in found.values())
    assert all(each.ref.namespace == "" for each in found.values())
    (source,) = tree.sources
    assert (source.id, source.kind, source.path, source.name) == ("web", SourceKind.HELM, "web", "web")
    assert (tree.failures, tree.files, tree.documents) == ((), 5, 7)


@pytest.mark.tools
@pytest.mark.threat("H9")
def test_each_environment_is_a_source_of_its_own(write: Write, load_tree: Load) -> None:
    write(
        {
            "web/Chart.yaml": CHART,
            "web/templates/a.yaml": POD % "{{ .Values.env }}-{{ .Values.tag }}-{{ .Release.Namespace }}",
            "web/values.yaml": "env: none\ntag: a\n",
            "web/values-prod.yaml": "env: prod\n",
            "env/staging.values.yaml": "env: staging\n",
            "env/last.yaml": "tag: b\n",
        }
    )
    values = (
        ChartValues(chart="web", files=("web/values-prod.yaml",)),
        ChartValues(chart="./web/", files=("env/last.yaml", "env/staging.values.yaml")),
        ChartValues(chart="web", files=("env/last.yaml",), environment="prod"),
    )
    tree = load_tree(values=values, sets={"web": ("tag=c",)}, namespace="shop")
    assert [(source.id, source.environment, source.values) for source in tree.sources] == [
        ("web?values=prod", "prod", ("web/values-prod.yaml",)),
        ("web?values=staging", "staging", ("env/last.yaml", "env/staging.values.yaml")),
        ("web?values=prod~2", "prod~2", ("env/last.yaml",)),
    ]
    assert names(tree) == ["prod-c-shop", "staging-c-shop", "none-c-shop"]


@pytest.mark.tools
def test_what_helm_is_told_arrives(write: Write, load_tree: Load) -> None:
    template = (
        POD % '{{ .Release.Name }}-{{ .Capabilities.KubeVersion.Minor }}-{{ .Capabilities.APIVersions.Has "x.io/v1" }}'
    )
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": template})
    tree = load_tree(release_name="rel", kube_version="1.33", api_versions=("x.io/v1",))
    assert names(tree) == ["rel-33-true"]
    assert tree.sources[0].kube_version == "1.33"


@pytest.mark.tools
@pytest.mark.parametrize(
    ("template", "reason", "remedy"),
    [
        (
            '{{ required "A valid .Values.image.tag is required" .Values.x }}',
            "image.tag is required",
            "image.tag=VALUE",
        ),
        ('{{ fail "set \\x1b[31mdb\\nplease" }}', "set db please", "--set web=KEY=VALUE"),
        ("{{ .Values.a.b.c }}", "nil pointer", "a.b.c=VALUE"),
        ("a: b: c", "YAML parse error on web/templates/a.yaml", "correct the template"),
        ('{{ include "none" . }}', "no template", "helm template"),
        ('{{ define "r" }}{{ include "r" . }}{{ end }}{{ include "r" . }}', "error calling include", "helm template"),
        ('{{ env "PATH" }}', "not defined", "helm template"),
    ],
)
@pytest.mark.threat("H3", "H4", "H10")
def test_a_chart_that_does_not_render_says_what_to_do(
    write: Write, load_tree: Load, template: str, reason: str, remedy: str
) -> None:
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": template})
    failure = only_failure(load_tree())
    assert reason in failure.reason
    assert remedy in failure.remedy


@pytest.mark.tools
@pytest.mark.parametrize(
    ("chart", "reason", "remedy"),
    [
        (
            "dependencies: [{name: db, version: 1.x.x, repository: 'https://charts.example'}]",
            "missing in charts/",
            "helm dependency build",
        ),
        (
            "dependencies: [{name: db, version: 1.x.x, repository: 'file://../db'}]",
            "missing in charts/",
            "commit charts/",
        ),
        ("kubeVersion: '>=1.99'", "incompatible", "--kube-version"),
        ("name: ../../evil", "invalid", "helm template"),
    ],
)
@pytest.mark.threat("F3", "H6")
def test_a_chart_that_cannot_be_rendered_here_says_what_to_do(
    write: Write, load_tree: Load, chart: str, reason: str, remedy: str
) -> None:
    write({"web/Chart.yaml": f"{CHART}{chart}\n"})
    failure = only_failure(load_tree())
    assert reason in failure.reason
    assert remedy in failure.remedy


@pytest.mark.tools
def test_a_local_dependency_is_rendered_with_its_parent(write: Write, load_tree: Load) -> None:
    write(
        {
            "web/Chart.yaml": f"{CHART}dependencies: [{{name: db, version: 1.0.0, repository: 'file://../db'}}]\n",
            "db/Chart.yaml": CHART.replace("web", "db"),
            "db/templates/d.yaml": POD % "db",
        }
    )
    tree = load_tree()
    assert [(each.source, each.location.path) for each in tree.resources] == [("web", "db/templates/d.yaml")]
    assert [note.path for note in tree.notes] == ["db"]


@pytest.mark.tools
@pytest.mark.threat("H1")
def test_nothing_outside_of_the_chart_is_rendered(write: Write, load_tree: Load) -> None:
    root = write({"web/Chart.yaml": CHART, "web/templates/a.yaml": POD % '{{ .Files.Get "e" | b64enc }}'})
    (root / "web" / "e").symlink_to("/proc/self/environ")
    assert "symbolic link" in only_failure(load_tree()).reason


@pytest.mark.tools
@pytest.mark.threat("H4", "H5")
def test_the_schema_of_the_values_reaches_nothing(write: Write, load_tree: Load) -> None:
    write(
        {
            "web/Chart.yaml": CHART,
            "web/values.schema.json": '{"$ref": "file:///dev/zero"}',
            "web/templates/a.yaml": POD % 'a{{ getHostByName "localhost" }}{{ lookup "v1" "Pod" "" "" | len }}',
        }
    )
    assert names(load_tree()) == ["a0"]


@pytest.mark.tools
@pytest.mark.threat("H2")
def test_a_template_that_never_ends_is_ended_and_the_others_render(write: Write, load_tree: Load) -> None:
    loop = "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": loop})
    write({"ok/Chart.yaml": CHART.replace("web", "ok"), "ok/templates/a.yaml": POD % "ok"})
    tree = load_tree(timeout=2.0)
    assert names(tree) == ["ok"]
    assert [failure.path for failure in tree.failures] == ["web"]
    assert "did not finish within 2 s" in tree.failures[0].reason


@pytest.mark.tools
@pytest.mark.threat("H2")
def test_a_template_that_eats_memory_is_ended(write: Write, load_tree: Load) -> None:
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": '{{ repeat 2000000000 "xxxxxxxx" }}'})
    assert re.search("limits|finish|MiB", only_failure(load_tree(timeout=20.0)).reason)


@pytest.mark.tools
@pytest.mark.parametrize("name", ["-dash.yaml", "a b.yaml", "::error::x.yaml", "a'b.yaml", "\u202ex.yaml"])
@pytest.mark.threat("F4")
def test_odd_names_of_templates_are_names(write: Write, load_tree: Load, name: str) -> None:
    write({"web/Chart.yaml": CHART, f"web/templates/{name}": POD % "odd"})
    assert [each.location.path for each in load_tree().resources] == [f"web/templates/{name}"]


@pytest.mark.tools
@pytest.mark.threat("F4")
def test_a_line_feed_in_a_name_fails_closed(write: Write, load_tree: Load) -> None:
    write({"web/Chart.yaml": CHART, "web/templates/a\n::error::b.yaml": POD % "odd"})
    tree = load_tree()
    assert [each.location.path for each in tree.resources] in ([], ["web/Chart.yaml"])
    assert tree.failures


@pytest.mark.tools
def test_a_rendered_document_that_is_no_object_is_a_failure_and_the_others_count(write: Write, load_tree: Load) -> None:
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": POD % "a" + "---\nfoo: bar\n---\n# nothing\n"})
    tree = load_tree()
    assert names(tree) == ["a"]
    assert [(failure.path, failure.source) for failure in tree.failures] == [("web/templates/a.yaml", "web")]


@pytest.mark.tools
@pytest.mark.parametrize("file", ["absent.yaml", "link.yaml"])
@pytest.mark.threat("F1")
def test_values_that_cannot_be_had_fail_the_chart(write: Write, load_tree: Load, file: str) -> None:
    root = write({"web/Chart.yaml": CHART, "web/templates/a.yaml": POD % "a"})
    (root / "link.yaml").symlink_to("/proc/self/environ")
    tree = load_tree(values=(ChartValues(chart="web", files=(file,), environment="x"),))
    assert f"the values file {file}" in next(each.reason for each in tree.failures if each.source == "web?values=x")
    assert tree.resources == ()


def test_values_for_a_chart_that_is_not_there_are_a_wrong_use(write: Write, load_tree: Load) -> None:
    write({"a.yaml": POD % "a"})
    with pytest.raises(UsageError, match="'web' of --values or --set is no chart"):
        load_tree(sets={"web": ("a=b",)})
    assert names(load_tree(sets={"web": ("a=b",)}, required=False)) == ["a"]


def test_without_helm_each_chart_is_a_failure_and_raw_manifests_are_read(write: Write, tmp_path: Path) -> None:
    root = write({"web/Chart.yaml": CHART, "a.yaml": POD % "a"})
    with Sandbox() as sandbox:
        tree = load(LoadRequest(cwd=root, root=root, kube_version="1.34"), sandbox, Toolbox(tmp_path / "empty"))
    assert names(tree) == ["a"]
    assert [(failure.stage, failure.path, failure.source) for failure in tree.failures] == [("render", "web", "web")]
    assert "make tools" in tree.failures[0].remedy


@pytest.mark.parametrize(
    ("hook", "test"),
    [
        ("test", True),
        ("test-success, test-failure", True),
        ("pre-install", False),
        ("test,post-install", False),
        ("", False),
        (7, False),
    ],
)
def test_only_what_is_a_test_and_nothing_else_is_one(hook: object, test: bool) -> None:  # noqa: FBT001
    assert is_test({"metadata": {"annotations": {"helm.sh/hook": hook}}}) is test
    assert not is_test({"metadata": 1})
    assert not is_test(None)


@pytest.mark.threat("H10")
def test_messages_become_one_clean_line() -> None:
    assert clean("\x1b[31mred\x1b[0m\x1b]8;;http://x\x07link\x1b]8;;\x07\n\r\n a\x9b1m\x00b\u0085c") == "redlink a b c"
    assert len(clean("x" * 5000)) == REASON + 3


@pytest.mark.tools
@pytest.mark.threat("O9")
def test_what_set_passes_is_not_repeated_by_an_error(write: Write, load_tree: Load) -> None:
    write(
        {
            "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
            "web/templates/a.yaml": '{{ fail (printf "bad %s" .Values.password) }}',
        }
    )
    (failure,) = load_tree(sets={"web": ("password=c4n4ry-77",)}).failures
    assert "c4n4ry" not in failure.reason
    assert "bad …" in failure.reason
