"""With the real Helm: a chart whose output is random is the same at each run, and only then is it changed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from manifests.helm.constants import DEFINITIONS
from manifests.helm.steady import BYTES, HELPER, Steady
from model.resource import Tree
from model.values import Json

Write = Callable[[Mapping[str, str]], Path]
Load = Callable[..., Tree]

ROOT = Path(__file__).resolve().parents[3]
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
ALL = (
    MAP % "a-{{ randAlphaNum 5 | lower }}-{{ 4 | randNumeric }}"
    + """
{{- $ca := genCA "ca" 365 }}
{{- $cert := genSignedCert "cn" (list "10.0.0.1") (list "a.b") 365 $ca }}
{{- $key := genPrivateKey "ed25519" }}
data:
  ago: {{ ago now }}
  alpha: {{ randAlpha 5 }}
  ascii: {{ randAscii 9 | quote }}
  bcrypt: {{ bcrypt "pw" }}
  bytes: {{ randBytes 8 }}
  cert: {{ $cert.Cert | quote }}
  certKey: {{ $cert.Key | quote }}
  ca: {{ (genCAWithKey "x" 1 $key).Cert | sha256sum }}
  aes: {{ encryptAES "0123456789abcdef" "text" | quote }}
  epoch: {{ now | unixEpoch | quote }}
  htpasswd: {{ htpasswd "me" "pw" }}
  included: {{ include "web.random" . | sha256sum }}
  int: "{{ add 1 (randInt 3 900) }}"
  keys: {{ keys .Values.map | join "," }}
  list: {{ printf "%s" uuidv4 }}
  nano: {{ now.UnixNano | quote }}
  now: {{ now | date "2006-01-02T15:04:05.000000" | quote }}
  pk: {{ $key | quote }}
  round: {{ durationRound now }} {{ durationRound "2h10m5s" }}
  self: {{ (genSelfSignedCert "x" nil nil 1).Cert | sha256sum }}
  selfKey: {{ (genSelfSignedCertWithKey "x" nil nil 1 $key).Key | sha256sum }}
  shuffled: {{ shuffle "hello world" }}
  signedKey: {{ (genSignedCertWithKey "cn" nil nil 365 $ca $key).Cert | sha256sum }}
  tpl: {{ tpl .Values.tpl . }}
  values: {{ values .Values.map | toJson | quote }}
{{- define "web.random" }}{{ randAlphaNum 99 }}{{ end }}
"""
)
VALUES = 'map: {b: {c: [1]}, a: 2, d: w, e: v, f: z}\ntpl: "{{ randAlphaNum 4 }} {{ uuidv4 }}"\n'


def data(tree: Tree, index: int = 0) -> dict[str, Any]:
    found: Json = tree.resources[index].value["data"]
    assert isinstance(found, dict)
    return found


def seen(tree: Tree) -> list[tuple[str, str]]:
    return [(resource.id, resource.digest) for resource in tree.resources]


def pack(folder: Path, name: str, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / f"{name}-1.0.0.tgz", "w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))


@pytest.mark.tools
def test_every_random_function_is_a_constant_of_the_same_shape(write: Write, load_tree: Load) -> None:
    write({"web/Chart.yaml": CHART, "web/values.yaml": VALUES, "web/templates/a.yaml": ALL})
    tree = load_tree()
    assert tree.failures == ()
    assert tree.resources[0].ref.name == "a-xxxxx-1111"
    found = data(tree)
    plain = {
        "ago": "0s",
        "alpha": "xxxxx",
        "ascii": "xxxxxxxxx",
        "epoch": "946684800",
        "htpasswd": "me:$2a$10$" + "x" * 53,
        "int": "4",
        "keys": "a,b,d,e,f",
        "list": "00000000-0000-4000-8000-000000000000",
        "nano": "946684800000000000",
        "now": "2000-01-01T00:00:00.000000",
        "round": "0s 2h",
        "shuffled": "hello world",
        "tpl": "xxxx 00000000-0000-4000-8000-000000000000",
        "values": '[2,{"c":[1]},"w","v","z"]',
    }
    assert {key: found[key] for key in plain} == plain
    assert found["cert"].startswith("-----BEGIN CERTIFICATE-----\n")
    assert found["certKey"] == found["pk"]
    assert seen(tree) == seen(load_tree()) == seen(load_tree())


@pytest.mark.tools
def test_a_note_says_what_was_made_constant(write: Write, load_tree: Load) -> None:
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": MAP % "a{{ uuidv4 }}" + "data: {now: '{{ now }}'}"})
    write({"ok/Chart.yaml": CHART.replace("web", "ok"), "ok/templates/a.yaml": MAP % "{{ keys (dict `a` 1) | first }}"})
    assert [(note.path, note.reason) for note in load_tree().notes] == [
        ("web", "random values are replaced by constants: now, uuidv4")
    ]


@pytest.mark.tools
@pytest.mark.threat("H8")
def test_two_scans_are_the_same_bytes_and_a_chart_equals_itself(write: Write) -> None:
    root = write({"web/Chart.yaml": CHART, "web/values.yaml": VALUES, "web/templates/a.yaml": ALL})

    def scan(*words: str) -> bytes:
        line = [sys.executable, str(ROOT / "entrypoint.py"), "scan", ".", "--root", ".", "--scanners", "native", *words]
        run = subprocess.run(line, cwd=root, capture_output=True, timeout=120, check=False)
        assert run.returncode in {0, 1}, run.stderr
        return run.stdout

    assert len({scan("--format", "json") for _ in range(3)}) == 1
    comparison = json.loads(scan("--base", ".", "--format", "comparison"))
    assert (comparison["introduced"], comparison["resolved"], comparison["changed_resources"]) == ([], [], [])
    assert comparison["persisting"]


@pytest.mark.tools
def test_packed_charts_are_made_constant_too_and_reported_as_they_are(write: Write, load_tree: Load) -> None:
    root = write({"web/Chart.yaml": CHART})
    inner = root / "inner"
    pack(inner, "deep", {"Chart.yaml": CHART.replace("web", "deep"), "templates/d.yaml": MAP % "d{{ randAlpha 3 }}"})
    deep = (inner / "deep-1.0.0.tgz").read_bytes()
    pack(root / "web" / "charts", "db", {"Chart.yaml": CHART.replace("web", "db")})
    with tarfile.open(root / "web" / "charts" / "db-1.0.0.tgz", "w:gz") as archive:
        for name, content in {
            "db/Chart.yaml": CHART.replace("web", "db").encode(),
            "db/templates/a.yaml": (MAP % "b{{ randAlpha 3 }}").encode(),
            "db/charts/deep-1.0.0.tgz": deep,
        }.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    tree = load_tree("web")
    assert {(resource.ref.name, resource.location.path) for resource in tree.resources} == {
        ("bxxx", "web/charts/db-1.0.0.tgz"),
        ("dxxx", "web/charts/db-1.0.0.tgz"),
    }


@pytest.mark.tools
def test_text_that_nobody_executes_stays_as_it_was_written(write: Write, load_tree: Load) -> None:
    values = "text: '{{ now | date \"2006\" }} {{ randAlpha (randInt 1 2) }}'\n"
    template = MAP % "a" + "data:\n  v: {{ .Values.text | quote }}\n  f: {{ .Files.Get `f.txt` | toJson }}\n  l: now\n"
    root = write({"web/Chart.yaml": CHART, "web/values.yaml": values, "web/templates/a.yaml": template})
    (root / "web" / "f.txt").write_bytes("{{ uuidv4 }} \u00fc".encode())
    assert data(load_tree()) == {
        "v": '{{ now | date "2006" }} {{ randAlpha (randInt 1 2) }}',
        "f": "{{ uuidv4 }} \u00fc",
        "l": "now",
    }


@pytest.mark.tools
def test_a_chart_that_does_not_render_with_constants_is_rendered_as_it_is_and_masked(
    write: Write, load_tree: Load
) -> None:
    template = MAP % "job-{{ randAlphaNum 12 | lower }}-{{ if ne (uuidv4 | trunc 1) `z` }}x{{ end }}"
    template += "data:\n  ca: {{ (buildCustomCert (genCA `x` 1).Cert (genCA `x` 1).Key).Cert | sha256sum }}\n"
    crypto = template.replace("buildCustomCert (genCA `x` 1).Cert (genCA `x` 1).Key", "genCA `x` 1")
    insists = crypto + "  at: {{ if eq (now | date `2006`) `2000` }}{{ fail `the clock is wrong` }}{{ end }}now\n"
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": insists})
    first, second = load_tree(), load_tree()
    assert first.failures == ()
    assert first.resources[0].ref.name == "job-masked-x"
    assert data(first) == {"ca": "masked", "at": "now"}
    assert seen(first) == seen(second)
    assert [note.reason for note in first.notes] == ["it renders differently each time: what differs is masked"]


@pytest.mark.tools
def test_what_is_random_by_a_value_of_the_workflow_is_masked(write: Write, load_tree: Load) -> None:
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": MAP % "{{ tpl .Values.name . }}"})
    tree = load_tree(sets={"web": ("name=n-{{ randAlphaNum 30 }}",)})
    assert tree.resources[0].ref.name == "n-masked"


@pytest.mark.tools
@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("randAlpha", "wrong number of args for randAlpha"),
        ("3 | randNumeric 2", "wrong number of args for randNumeric"),
        ("randAlphaNum (float64 5)", "wrong type"),
        ("randInt `1` 2", "expected integer"),
        ("genCA `x`", "wrong number of args for genCA"),
        ("fail `now`", "now"),
    ],
)
def test_a_chart_that_does_not_render_at_all_tells_its_own_error(
    write: Write, load_tree: Load, call: str, error: str
) -> None:
    write({"web/Chart.yaml": CHART, "web/templates/a.yaml": MAP % f"{{{{ {call} }}}}"})
    (failure,) = load_tree().failures
    assert error in failure.reason


def test_only_a_chart_with_random_functions_is_changed(write: Write) -> None:
    files = {"Chart.yaml": CHART, "templates/a.yaml": "{{ .Values.now }}", "crds/c.yaml": "{{ now }}"}
    root = write({**files, "README.md": "{{ now }}", "templates/NOTES.txt": "{{ now }}"})
    steady = Steady(root, [])
    assert not steady.changed
    assert not steady.open
    assert not (root / "templates" / HELPER).exists()
    assert steady.as_written(b"\xff{{ now }}") == b"\xff{{ now }}"


def test_changes_can_be_taken_back(write: Write) -> None:
    root = write({"Chart.yaml": CHART, "templates/a.yaml": "{{ now }}", "values.yaml": "a: '{{ uuidv4 }}'"})
    steady = Steady(root, [])
    assert steady.names == ("now", "uuidv4")
    assert (root / "templates" / HELPER).read_text(encoding="utf-8") == DEFINITIONS
    steady.restore()
    assert (root / "templates" / "a.yaml").read_text(encoding="utf-8") == "{{ now }}"
    assert (root / "values.yaml").read_text(encoding="utf-8") == "a: '{{ uuidv4 }}'"
    assert [path.name for path in (root / "templates").iterdir()] == ["a.yaml"]
    assert not steady.names
    assert steady.open


def test_a_file_that_is_no_text_or_too_much_stays(write: Write) -> None:
    root = write({"Chart.yaml": CHART, "templates/b.yaml": "{{ now }}" + " " * BYTES})
    (root / "templates" / "a.yaml").write_bytes(b"{{ now }}\xff")
    steady = Steady(root, [])
    assert (steady.changed, steady.open) == (False, True)
