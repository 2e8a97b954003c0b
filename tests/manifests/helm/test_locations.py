"""With the real Helm: the line of a template that printed a field, and nothing that is not proven."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from manifests.relocate import relocate
from model.resource import Location, Precision, Resource, Tree
from model.values import FieldPath

Write = Callable[[Mapping[str, str]], Path]
Load = Callable[..., Tree]

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "web.name" . }}
  labels:
    {{- include "web.labels" . | nindent 4 }}
  annotations:
    checksum: {{ include (print $.Template.BasePath "/config.yaml") . | sha256sum }}
spec:
  {{- with .Values.host }}
  hostNetwork: {{ . }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  containers:
    - name: app
      image: "{{ .Values.image }}:{{ .Chart.Version }}"
      {{- if .Values.privileged }}
      securityContext: {privileged: true}
      {{- end }}
      resources: {{- toYaml .Values.resources | nindent 8 }}
    {{- range $name := .Values.sidecars }}
    - name: {{ $name }}
      image: x
    {{- end }}
    {{- template "web.more" . }}
"""
HELPERS = """\
{{/* now */}}
{{- define "web.name" -}}
{{ .Release.Name | trunc 63 }}
{{- end }}
{{- define "web.labels" -}}
app: web
name: {{ include "web.name" . }}
{{- end -}}
{{ define "web.more" }}
    - name: more
      image: more
{{- end }}
"""
VALUES = """\
image: app
privileged: true
host: true
podSecurityContext: {runAsUser: 0, fsGroup: 5}
resources: {limits: {cpu: 1}}
sidecars: [one, two]
"""
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  text: |\n    one\n    # two\n\n    kind: x\n"
WEB = {
    "web/Chart.yaml": CHART,
    "web/values.yaml": VALUES,
    "web/templates/_helpers.tpl": HELPERS,
    "web/templates/config.yaml": CONFIG,
    "web/templates/pod.yaml": POD,
}
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


def only(tree: Tree, kind: str = "ConfigMap") -> Resource:
    assert tree.failures == ()
    (found,) = [resource for resource in tree.resources if resource.ref.kind == kind]
    return found


def place(location: Location) -> str:
    return f"{location.path.rpartition('/')[2]}:{location.line}:{location.column} {location.precision}"


@pytest.mark.tools
@pytest.mark.parametrize(
    ("path", "where"),
    [
        (None, "pod.yaml:1:1 resource"),
        (("kind",), "pod.yaml:2:1 exact"),
        (("metadata", "name"), "pod.yaml:4:3 exact"),
        (("metadata", "labels"), "pod.yaml:5:3 exact"),
        (("metadata", "labels", "app"), "_helpers.tpl:6:1 exact"),
        (("metadata", "labels", "name"), "_helpers.tpl:7:1 exact"),
        (("metadata", "annotations", "checksum"), "pod.yaml:8:5 exact"),
        (("metadata", "absent", "deeper"), "pod.yaml:3:1 enclosing"),
        (("spec", "hostNetwork"), "pod.yaml:11:3 exact"),
        (("spec", "hostPID"), "pod.yaml:9:1 enclosing"),
        (("spec", "securityContext"), "pod.yaml:13:3 exact"),
        (("spec", "securityContext", "runAsUser"), "pod.yaml:14:1 enclosing"),
        (("spec", "securityContext", "runAsNonRoot"), "pod.yaml:13:3 enclosing"),
        (("spec", "containers", 0), "pod.yaml:16:5 exact"),
        (("spec", "containers", 0, "image"), "pod.yaml:17:7 exact"),
        (("spec", "containers", 0, "securityContext", "privileged"), "pod.yaml:19:25 exact"),
        (("spec", "containers", 0, "resources"), "pod.yaml:21:7 exact"),
        (("spec", "containers", 0, "resources", "limits", "cpu"), "pod.yaml:21:1 enclosing"),
        (("spec", "containers", 1, "name"), "pod.yaml:23:7 exact"),
        (("spec", "containers", 2, "image"), "pod.yaml:24:7 exact"),
        (("spec", "containers", 3, "image"), "_helpers.tpl:11:7 exact"),
        (("nothing",), "pod.yaml:1:1 resource"),
    ],
)
def test_each_field_is_found_where_it_was_written(
    write: Write, load_tree: Load, path: FieldPath | None, where: str
) -> None:
    write(WEB)
    pod = only(load_tree(), "Pod")
    assert pod.marks is None
    assert place(pod.locate(path)) == where


@pytest.mark.tools
def test_changing_a_key_in_the_template_changes_the_field_that_it_was_found_for(write: Write, load_tree: Load) -> None:
    root = write(WEB)
    pod = only(load_tree(), "Pod")
    paths: list[tuple[str | int, ...]] = [
        ("spec", "hostNetwork"),
        ("spec", "containers", 0, "image"),
        ("spec", "containers", 3, "image"),
        ("metadata", "labels", "app"),
    ]
    for path in paths:
        location = pod.locate(path)
        file = root / location.path
        old = file.read_text(encoding="utf-8")
        lines = old.split("\n")
        lines[location.line - 1] = lines[location.line - 1].replace(f"{path[-1]}:", "changed:")
        file.write_text("\n".join(lines), encoding="utf-8")
        value = only(load_tree(), "Pod").value
        for step in path[:-1]:
            value = value[step]  # type: ignore[index, assignment]
        assert "changed" in value
        assert path[-1] not in value
        file.write_text(old, encoding="utf-8")


@pytest.mark.tools
def test_line_feeds_of_windows_are_kept(write: Write, load_tree: Load) -> None:
    write({name: text.replace("\n", "\r\n") for name, text in WEB.items()})
    pod = only(load_tree(), "Pod")
    assert place(pod.locate(("spec", "hostNetwork"))) == "pod.yaml:11:3 exact"
    assert place(pod.locate(("metadata", "labels", "app"))) == "_helpers.tpl:6:1 exact"


@pytest.mark.tools
def test_marks_change_nothing_that_is_rendered(write: Write, load_tree: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    write(WEB)
    marked = [(each.id, each.digest) for each in load_tree().resources]
    monkeypatch.setattr("manifests.helm.marked_copy.BYTES", 0)
    plain = load_tree()
    assert [(each.id, each.digest) for each in plain.resources] == marked
    assert place(only(plain, "Pod").locate(("spec", "hostNetwork"))) == "pod.yaml:1:1 file"


@pytest.mark.tools
def test_a_template_that_marks_would_break_goes_without_and_the_others_keep_theirs(
    write: Write, load_tree: Load
) -> None:
    folded = MAP % "folded" + "data:\n  text: a plain text\n    that goes on\n    for three lines\n"
    quoted = MAP.replace("ConfigMap", "Secret") % "ok" + 'data:\n  text: "a\n    b"\n  list: [1,\n    2]\n'
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": folded, "web/templates/b.yaml": quoted})
    tree = load_tree()
    assert only(tree).value["data"] == {"text": "a plain text that goes on for three lines"}
    assert place(only(tree).locate(("data",))) == "a.yaml:2:1 resource"
    assert place(only(tree, "Secret").locate(("data", "list"))) == "b.yaml:7:3 exact"


@pytest.mark.tools
def test_a_long_text_that_toyaml_folds_breaks_nothing(write: Write, load_tree: Load) -> None:
    values = f'map:\n  a: b\n  long: {"word " * 60}\n  quoted: "{"two words: " * 30}"\n  z: |\n    x\n    y\n'
    template = MAP % "a" + "data:\n  {{- toYaml .Values.map | nindent 2 }}\nimmutable: true\n"
    write({"web/Chart.yaml": CHART, "web/values.yaml": values, "web/templates/a.yaml": template})
    found = only(load_tree())
    assert [place(found.locate(("data", key))) for key in ("a", "long", "z")] == [
        "a.yaml:5:1 enclosing",
        "a.yaml:4:1 enclosing",
        "a.yaml:5:1 enclosing",
    ]
    assert place(found.locate(("immutable",))) == "a.yaml:6:1 exact"


@pytest.mark.tools
def test_a_whole_object_of_a_helper_starts_where_it_is_called(write: Write, load_tree: Load) -> None:
    helper = '{{- define "web.map" -}}\n' + MAP % "{{ .name }}" + "data: {a: b}\n{{- end -}}\n"
    template = (
        '# two\n{{ include "web.map" (dict "name" "a") }}\n---\n{{- include "web.map" (dict "name" "b") | trim }}\n'
    )
    write({"web/Chart.yaml": CHART, "web/templates/_map.tpl": helper, "web/templates/a.yaml": template})
    found = {each.ref.name: each for each in load_tree().resources}
    assert {name: place(each.location) for name, each in found.items()} == {
        "a": "a.yaml:2:1 resource",
        "b": "a.yaml:4:1 resource",
    }
    assert {place(each.locate(("data",))) for each in found.values()} == {"_map.tpl:5:1 exact"}


@pytest.mark.tools
def test_a_packed_helper_is_known_by_its_call(write: Write, load_tree: Load) -> None:
    template = MAP % "a" + 'data:\n  {{- include "lib.data" . | nindent 2 }}\n'
    root = write({"web/Chart.yaml": CHART, "web/templates/a.yaml": template})
    (root / "web" / "charts").mkdir()
    with tarfile.open(root / "web" / "charts" / "lib-1.0.0.tgz", "w:gz") as archive:
        files = {
            "lib/Chart.yaml": CHART.replace("web", "lib"),
            "lib/templates/_d.tpl": '{{ define "lib.data" }}a: b{{ end }}',
            "lib/templates/s.yaml": (MAP % "s").replace("ConfigMap", "Secret"),
        }
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    tree = load_tree()
    assert place(only(tree).locate(("data", "a"))) == "a.yaml:5:1 enclosing"
    assert place(only(tree, "Secret").locate(("metadata", "name"))) == "lib-1.0.0.tgz:1:1 file"


@pytest.mark.tools
def test_lines_of_dependencies_lie_in_their_own_folders(write: Write, load_tree: Load) -> None:
    write(
        {
            "web/Chart.yaml": CHART
            + "dependencies:\n- {name: db, version: 1.0.0, repository: 'file://../db', alias: store}\n"
            + "- {name: lib, version: 1.0.0, repository: ''}\n",
            "db/Chart.yaml": CHART.replace("web", "db"),
            "db/templates/d.yaml": MAP % "db" + 'data:\n  {{- include "lib.data" . | nindent 2 }}\n',
            "web/charts/folder/Chart.yaml": CHART.replace("web", "lib") + "type: library\n",
            "web/charts/folder/templates/_l.tpl": '{{ define "lib.data" }}\na: b{{ end }}',
        }
    )
    found = only(load_tree())
    assert found.location.path == "db/templates/d.yaml"
    assert found.locate(("kind",)).path == "db/templates/d.yaml"
    assert found.locate(("data", "a")) == Location(
        path="web/charts/folder/templates/_l.tpl", line=2, column=1, precision=Precision.EXACT
    )


@pytest.mark.tools
def test_items_of_a_list_have_lines_of_their_own(write: Write, load_tree: Load) -> None:
    items = "apiVersion: v1\nkind: List\nitems:\n{{- range list `a` `b` }}\n- apiVersion: v1\n  kind: Pod\n"
    items += "  metadata:\n    name: {{ . }}\n{{- end }}\n- {apiVersion: v1, kind: Pod, metadata: {name: c}}\n"
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": items})
    found = load_tree().resources
    assert [place(each.location) for each in found] == ["a.yaml:5:1 resource"] * 2 + ["a.yaml:10:1 resource"]
    assert [place(each.locate(("metadata", "name"))) for each in found] == ["a.yaml:8:5 exact"] * 2 + [
        "a.yaml:10:42 exact"
    ]


@pytest.mark.tools
def test_a_line_that_an_action_writes_is_not_exact(write: Write, load_tree: Load) -> None:
    template = (
        MAP % "a" + "data:\n  {{ `key` }}: value\n  {{- range $k, $v := dict `x` 1 }}\n  {{ $k }}: b\n  {{- end }}\n"
    )
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": template})
    found = only(load_tree())
    assert place(found.locate(("data", "key"))) == "a.yaml:5:1 enclosing"
    assert place(found.locate(("data", "x"))) == "a.yaml:7:1 enclosing"


FORGED = """\
{{- $own := tpl "{{ include (print $.Template.BasePath `/victim.yaml`) . }}" . }}
{{- $mark := regexFind "#[^\\n]*" $own }}
# Source: ../../etc/passwd
apiVersion: v1
kind: ConfigMap
metadata: {name: forged}
data:
  a: {{ $mark | default "b" }}
  c: d {{ regexReplaceAll "[.][0-9]+" $mark ".99999999999" }}
  # Source: web/templates/victim.yaml
  e: f {{ $mark }}
"""


@pytest.mark.tools
@pytest.mark.parametrize("forged", [FORGED, FORGED.replace("# Source: ../../etc/passwd\n", "")])
@pytest.mark.threat("F3")
def test_forged_marks_and_sources_lead_nowhere(write: Write, load_tree: Load, forged: str) -> None:
    victim = (MAP % "v").replace("ConfigMap", "Secret")
    write({"web/Chart.yaml": CHART, "web/templates/victim.yaml": victim, "web/templates/a.yaml": forged})
    found = only(load_tree())
    for path in [(), ("data", "a"), ("data", "c"), ("data", "e"), ("metadata", "name")]:
        location = found.locate(path)
        assert location.path in {"web/templates/a.yaml", "web/Chart.yaml"}
        assert location.precision is not Precision.EXACT or path[-1] in forged.split("\n")[location.line - 1]


@pytest.mark.tools
def test_text_that_looks_like_a_mark_stays_text(write: Write, load_tree: Load) -> None:
    template = MAP % "a" + "data:\n  a: 'x #\ue000hg0123.1\ue001'\n  b: c #\ue0001\ue001\n"
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": template})
    found = only(load_tree())
    assert found.value["data"] == {"a": "x #\ue000hg0123.1\ue001", "b": "c"}
    assert place(found.locate(("data", "b"))) == "a.yaml:6:3 exact"


@pytest.mark.tools
def test_without_marks_the_line_of_the_kind_is_found_if_it_is_the_only_one(write: Write, load_tree: Load) -> None:
    # It prints another object where it sees a mark.
    template = '{{- if contains `\ue000` (tpl `{{ include (print $.Template.BasePath "/b.yaml") . }}` .) }}\n'
    template += "a: b\nc: d\n{{- end }}\n" + MAP % "a"
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": template, "web/templates/b.yaml": MAP % "b"})
    found = {each.ref.name: place(each.locate(("metadata",))) for each in load_tree().resources}
    assert found == {"a": "a.yaml:6:1 resource", "b": "b.yaml:3:1 exact"}


@pytest.mark.tools
def test_a_base_tree_is_shown_where_its_head_lies(write: Write, load_tree: Load) -> None:
    write(WEB)
    pod = only(relocate(load_tree(), "charts"), "Pod")
    assert pod.locate(("metadata", "labels", "app")).path == "charts/web/templates/_helpers.tpl"
    assert pod.locate(None).path == "charts/web/templates/pod.yaml"


@pytest.mark.tools
def test_locations_are_the_same_at_each_run(write: Write, load_tree: Load) -> None:
    random = MAP % "a-{{ randAlphaNum 5 | lower }}" + "data:\n  a: {{ uuidv4 }}\n  b: c\n"
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": random})
    places = [[place(only(load_tree()).locate(("data", key))) for key in "ab"] for _ in range(2)]
    assert places == [["a.yaml:5:3 exact", "a.yaml:6:3 exact"]] * 2


@pytest.mark.tools
def test_a_large_template_is_marked_in_time(write: Write, load_tree: Load) -> None:
    rows = "".join(f"  key{n}: {{{{ .Values.x | default `v` }}}}\n" for n in range(20_000))
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": MAP % "a" + "data:\n" + rows})
    assert place(only(load_tree()).locate(("data", "key19999"))) == "a.yaml:20004:3 exact"
    assert re.fullmatch(r"a\.yaml:1:1 resource", place(only(load_tree()).location))
