"""What a pull request may add to be judged less: files, annotations and comments that scanners obey, broken input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import real_toolbox
from tests.threats.program import BAD, EXTERNAL, POD, audit, failed, gate, native, write

pytestmark = pytest.mark.tools

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {ANNOTATIONS}}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}, annotations: {ANNOTATIONS}}
    spec:
      hostNetwork: true
      containers: [{name: app, image: "nginx:latest", securityContext: {privileged: true}}]
"""
PLAIN = DEPLOYMENT.replace("ANNOTATIONS", "")


def verdicts(root: Path, **environment: str) -> tuple[int, list[tuple[str, str, str]]]:
    """Exit code, and who says what of which container, with all scanners."""
    words = ("scan", ".", "--root", root, "--fail-on", "critical", "--format", "json")
    run = gate(*words, cwd=root, environment=environment)
    value = audit(run)
    assert value["failures"] == []
    rows = [(row["control"], row["container"] or "", _failing(row)) for row in value["results"]]
    return run.code, sorted(rows)


def _failing(row: Any) -> str:
    return ",".join(sorted(each["scanner"] for each in row["witnesses"] if each["verdict"] == "failed"))


@pytest.fixture(scope="module")
def unsilenced(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[tuple[str, str, str]]]:
    found = verdicts(write(tmp_path_factory.mktemp("plain"), {"web.yaml": PLAIN}))
    assert found[0] == 1
    assert {scanner for row in found[1] for scanner in row[2].split(",")} >= {"native", *EXTERNAL}
    return found


MODULES = ".trivy/modules/evil.wasm"
POLICY = "package builtin.kubernetes.KSV017\ndeny[res] { false }\n"


@pytest.mark.threat("S1")
def test_no_file_of_the_repository_or_the_home_silences_a_scanner(
    tmp_path: Path, unsilenced: tuple[int, list[tuple[str, str, str]]]
) -> None:
    ignored = "\n".join(f"{prefix}{number:04}" for prefix in ("KSV-", "AVD-KSV-") for number in range(1, 130))
    silencers = {
        "trivy.yaml": "severity: []\nscan: {skip-files: ['**/*'], skip-dirs: ['**']}\nexit-code: 0\n",
        ".trivyignore": ignored,
        ".trivyignore.yaml": "misconfigurations: [{id: KSV-0017}, {id: AVD-KSV-0017}]\n",
        ".trivyignore.rego": "package trivy\ndefault ignore = true\n",
        "policy/ksv.rego": POLICY,
        "config.yaml": "checks: {runAsPrivileged: ignore}\nexemptions: [{rules: [runAsPrivileged]}]\n",
        ".polaris.yaml": "checks: {runAsPrivileged: ignore}\n",
        ".kube-score.yml": "ignore: ['*']\n",
        MODULES: "\0asm\1\0\0\0",
    }
    root = write(tmp_path, {"web.yaml": PLAIN, **silencers})
    home = str(real_toolbox().home)
    assert verdicts(root, HARDENING_GATE_HOME=home, HOME=str(root), XDG_CONFIG_HOME=str(root)) == unsilenced


INLINE = "trivy:ignore:* trivy:ignore:KSV-0017 tfsec:ignore:* #trivy:ignore:AVD-KSV-0017"
ANNOTATIONS = {
    "trivy": f'note: "{INLINE}"',
    "polaris": 'polaris.fairwinds.com/exempt: "true", polaris.fairwinds.com/runAsPrivileged-exempt: "true"',
    "kube-score": 'kube-score/ignore: "container-security-context-privileged,container-image-tag"',
    "kube-score, too": 'kube-score/enable: "x"',
}


@pytest.mark.threat("S2", "S3", "S4")
def test_no_comment_and_no_annotation_silences_a_scanner(
    tmp_path: Path, unsilenced: tuple[int, list[tuple[str, str, str]]]
) -> None:
    text = DEPLOYMENT.replace("ANNOTATIONS", ", ".join(ANNOTATIONS.values()))
    commented = "\n".join(f"{line} # {INLINE}" for line in text.splitlines())
    write(tmp_path, {"web.yaml": f"# {INLINE}\n{commented}\n"})
    assert verdicts(tmp_path) == unsilenced


SETTINGS = "version: 1\ngate: {fail_on: %s}\ncontrols: {privileged-container: %s}\n"


@pytest.mark.threat("S5")
def test_with_the_policy_of_base_nothing_that_head_says_about_itself_counts(tmp_path: Path) -> None:
    head, base = tmp_path / "head", tmp_path / "base"
    weak = (
        SETTINGS % ("none", "off")
        + "exclude: ['**']\nscanners: [kube-score]\n"
        + "waivers: [{control: '*', resource: '*/*', reason: r, owner: o}]\n"
    )
    write(base, {".hardening-gate.yaml": SETTINGS % ("critical", "critical"), "a.yaml": POD})
    write(head, {".hardening-gate.yaml": weak, "a.yaml": BAD})
    words = ("scan", ".", "--root", head, "--base", base, "--policy", "base", "--scanners", "native")
    run = gate(*words, "--format", "json", cwd=head)
    assert run.code == 1, run.err
    assert failed(audit(run), "privileged-container") == ["NAME"]


@pytest.mark.threat("S6")
def test_a_finding_that_moves_to_another_file_is_neither_resolved_nor_new(tmp_path: Path) -> None:
    write(tmp_path, {"base/a.yaml": BAD, "base/b.yaml": POD.replace("NAME", "b")})
    write(tmp_path, {"head/deep/er/z.yml": POD.replace("NAME", "b") + "---\n" + BAD})
    value = json.loads(native("head", "--base", "base", "--format", "comparison", cwd=tmp_path).out)
    assert (value["introduced"], value["resolved"]) == ([], [])
    assert "privileged-container" in {row["control"] for row in value["persisting"]}


@pytest.mark.threat("S6")
def test_a_file_that_no_longer_parses_resolves_nothing_and_is_incomplete(tmp_path: Path) -> None:
    write(tmp_path, {"base/a.yaml": BAD, "head/a.yaml": BAD + "x: ["})
    run = native("head", "--base", "base", "--format", "comparison", cwd=tmp_path)
    value = json.loads(run.out)
    assert (run.code, value["resolved"]) == (3, [])


@pytest.mark.threat("S7")
def test_what_git_or_helm_would_leave_out_of_an_archive_is_scanned(tmp_path: Path) -> None:
    marks = "* export-ignore export-subst linguist-generated linguist-vendored -diff binary\n"
    files = {
        ".gitattributes": marks,
        ".gitignore": "*\n",
        ".helmignore": "*\n",
        ".dockerignore": "*\n",
        ".ignore": "*\n",
        "a.yaml": BAD.replace("NAME", "a"),
        "vendor/b.yaml": BAD.replace("NAME", "b"),
        ".hidden/c.yaml": BAD.replace("NAME", "c"),
        "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "web/.helmignore": "extra/\n*.yml\n",
        "web/extra/d.yml": BAD.replace("NAME", "d"),
    }
    value = audit(native(".", "--format", "json", cwd=write(tmp_path, files)))
    assert failed(value, "privileged-container") == ["a", "b", "c", "d"]


BROKEN = {
    "kube-score": "apiVersion: v1\nkind: Service\nmetadata: {name: broken}\nspec: {ports: nonsense}\n",
    "polaris": "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: broken}\nspec: nonsense\n",
    "trivy": "apiVersion: v1\nkind: Pod\nmetadata: {name: broken}\n"
    "spec: {containers: [{name: a, image: b, securityContext: [x]}]}\n",
}


@pytest.mark.threat("S8")
@pytest.mark.parametrize("scanner", EXTERNAL)
def test_an_object_that_only_one_scanner_cannot_stand_makes_the_run_incomplete(scanner: str, tmp_path: Path) -> None:
    root = write(tmp_path, {"a.yaml": f"{BAD}---\n{BROKEN[scanner]}"})
    run = gate("scan", ".", "--root", root, "--scanners", f"native,{scanner}", "--format", "json", cwd=root)
    value = audit(run)
    assert run.code == 3, run.err
    assert [(row["scanner"], row["stage"]) for row in value["failures"]] == [(scanner, "scan")]
    (row,) = (row for row in value["results"] if row["control"] == "privileged-container")
    assert _failing(row) == ",".join(sorted((scanner, "native")))


POD_SPEC = {"containers": [{"name": "app", "image": "a", "securityContext": {"privileged": True}}]}


def pod(name: str, **metadata: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": POD_SPEC}


def custom(name: str, spec: object) -> str:
    return json.dumps({"apiVersion": "example.com/v1", "kind": "Wrapper", "metadata": {"name": name}, "spec": spec})


@pytest.mark.threat("S9")
def test_no_way_to_write_an_object_hides_it(tmp_path: Path) -> None:
    files = {
        "list.json": json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod("list")]}),
        "typed.yml": json.dumps({"apiVersion": "v1", "kind": "PodList", "items": [pod("typed")]}),
        "stream.json": json.dumps(pod("stream-1")) + json.dumps(pod("stream-2")),
        "generated.yaml": BAD.replace("name: NAME", "generateName: generated-"),
        "escaped.yaml": BAD.replace("kind: Pod", '"\\x6bind": "\\x50od"').replace("NAME", "escaped"),
        "rollout.yaml": custom("rollout", {"template": {"metadata": {}, "spec": POD_SPEC}}),
        "deep.yaml": custom("deep", {"a": [{"podTemplate": {"spec": POD_SPEC}}]}),
        "unknown.yaml": custom("unknown", {"image": "a", "command": ["sh"], "privileged": True}),
    }
    value = audit(native(".", "--format", "json", cwd=write(tmp_path, files)))
    assert value["failures"] == []
    seen = ["deep", "escaped", "generated-", "list", "rollout", "stream-1", "stream-2", "typed"]
    assert failed(value, "privileged-container") == seen
    names = {row["id"]: row["name"] for row in value["resources"]}
    assert [names[row["resource"]] for row in value["coverage"]["not_judged"] if row["control"] == "*"] == ["unknown"]
