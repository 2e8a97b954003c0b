"""What a pull request writes into names, messages and values, and what of it reaches logs and reports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

from controls import catalogue
from controls.gate import decide
from model.policy import Policy
from reporting.audit_json import load
from reporting.links import Place
from reporting.markdown import render
from reporting.sarif import MOST_RESULTS
from tests.reporting.rendered import Rendered
from tests.reporting.runner import commands
from tests.threats.program import BAD, CANARY, CHART, POD, gate, native, reports, write, written

LINKS = "](javascript:alert(1))"
COMMANDS = (
    "::error::owned",
    "\u00a0::set-output name=verdict::passed",
    "x##[set-output name=verdict]passed",
    "a\r::error::b",
    "#\u200b#[error]c",
    "\u2028::add-mask::d",
    "\u0085##[add-matcher]e.json",
)
TERMINAL = ("\x1b]8;;https://evil.example\x07click\x1b]8;;\x07", "\x9b2J", "\x1b[31mred", "user\u202egpj", "\x07\x08")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def hostile(root: Path) -> Path:
    """Every place of a manifest, a chart and a path that a report may repeat."""
    for number, text in enumerate((*COMMANDS, *TERMINAL, LINKS)):
        one = {
            "apiVersion": "v1",
            "kind": f"Pod{text}" if number % 2 else "Pod",
            "metadata": {
                "name": f"{text}{number}",
                "namespace": text,
                "labels": {text: text},
                "annotations": {text: text},
            },
            "spec": {
                "serviceAccountName": text,
                "volumes": [{"name": text, "hostPath": {"path": text}}],
                "containers": [
                    {
                        "name": text,
                        "image": text,
                        "env": [{"name": text + "_PASSWORD", "value": text + "value"}],
                        "securityContext": {"privileged": True, "capabilities": {"add": [text]}},
                        "volumeMounts": [{"name": text, "mountPath": text}],
                    }
                ],
            },
        }
        name = text.replace("/", "%") + ".json"
        write(
            root, {f"d{name}/{name}": json.dumps(one), f"{name}broken.yaml": f"apiVersion: v1\nkind: Pod\nx: *{text}"}
        )
        write(root, {f"chart{name}/Chart.yaml": CHART.replace("web", json.dumps(text))})
        write(root, {f"fail{name}/Chart.yaml": CHART})
        write(root, {f"fail{name}/templates/a.yaml": f"{{{{ fail {json.dumps(text)} }}}}"})
    waiver = "{control: privileged-container, resource: 'Pod/##[error]x', reason: '::error::', owner: o}"
    write(root, {".hardening-gate.yaml": f"version: 1\nwaivers: [{waiver}]\n"})
    return root


@pytest.mark.threat("O6", "O7")
@pytest.mark.tools
def test_no_text_of_a_pull_request_is_a_command_of_the_runner_or_of_a_terminal(tmp_path: Path) -> None:
    root = hostile(tmp_path / "r")
    run = gate("scan", ".", "--root", root, "--verbose", *reports(tmp_path / "out"), cwd=root)
    assert run.code == 3, run.err
    texts = {name: text.replace("\r\n", "\n") for name, text in written(tmp_path / "out")}  # as CSV ends its rows
    texts |= {"standard output": run.out, "standard error": run.err}
    spoken = {name: commands(text) for name, text in texts.items() if name != "github"}  # which consists of commands
    assert spoken == {name: [] for name in spoken}
    assert "##[" not in texts["github"]
    found = {name: sorted(set(CONTROLS.findall(text))) for name, text in texts.items()}
    assert found == {name: [] for name in found}


@pytest.mark.threat("O6", "O7")
def test_no_argument_is_repeated_as_a_command(tmp_path: Path) -> None:
    text = COMMANDS[2]
    wrong = [[text], ["compare", text, text], *(["scan", f"--{name}", text] for name in ("format", "config", "base"))]
    for words in (*(["scan", word] for word in (*COMMANDS[:4], *TERMINAL[:2])), *wrong):
        run = gate(*words, cwd=tmp_path)
        assert run.code in {2, 4}
        assert commands(run.out + run.err) == []
        assert CONTROLS.findall(run.out + run.err) == []


PLACE = Place(server="https://github.com", repository="our-org/shop", sha="1a2b3c4d" * 5)
FILES = f"https://github.com/our-org/shop/blob/{PLACE.sha}/"


@pytest.mark.threat("O1", "O3")
def test_every_link_of_a_comment_leads_to_a_file_that_is_there(tmp_path: Path) -> None:
    root = hostile(tmp_path / "r")
    odd = ("a b#?%&.yaml", "(x) [y](z.yaml", "%2e%2e%2fx.yaml", "..yaml", "d/...yaml", "`a`.yaml", "javascript:a.yaml")
    write(root, dict.fromkeys(odd, BAD))
    native(".", f"--format=json={tmp_path / 'out'}", cwd=root)
    head = load((tmp_path / "out").read_text(encoding="utf-8"), "out")
    controls = catalogue.load().with_unmapped(result.control for result in head.results)
    verdict = decide(Policy(), head, None, named_explicitly=False)
    page = Rendered(render(head, None, verdict, controls, limit=10_000_000, place=PLACE))
    assert page.led_astray(links=(FILES,)) == []
    linked = {unquote(link.removeprefix(FILES).partition("#")[0]) for link in page.links}
    assert linked >= set(odd)
    assert [path for path in linked if not (root / path).exists()] == []


SECRETS = f"""
apiVersion: v1
kind: Secret
metadata:
  name: s
  annotations: {{kubectl.kubernetes.io/last-applied-configuration: '{{"data": "{CANARY}"}}', token: {CANARY}}}
data: {{password: {CANARY}==, token: "password={CANARY}"}}
stringData: {{password: {CANARY}, url: "https://u:{CANARY}@db/x", "k": "aws_secret_access_key={CANARY}:x"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: c}}
data: {{DB_PASSWORD: {CANARY}, file: "password: {CANARY}\\nurl: postgres://u:{CANARY}@db/x\\ntoken={CANARY}"}}
---
apiVersion: v1
kind: Pod
metadata: {{name: p, annotations: {{note: "{CANARY}"}}}}
spec:
  hostNetwork: true
  initContainers: [{{name: i, image: a, args: ["--password={CANARY}"], env: [{{name: TOKEN, value: {CANARY}}}]}}]
  containers:
  - name: app
    image: "https://u:{CANARY}@registry.example/a:latest"
    command: ["sh", "-c", "curl -u x:{CANARY} https://x:{CANARY}@example"]
    args: ["--token", "{CANARY}"]
    env:
    - {{name: DB_PASSWORD, value: {CANARY}}}
    - {{name: DB_PASSWORD, value: {CANARY}}}
    - {{name: URL, value: "https://u:{CANARY}@db/x"}}
    - {{name: API_KEY, value: "AKIA{CANARY}"}}
    securityContext: {{capabilities: {{add: [SYS_MODULE]}}, privileged: true}}
    livenessProbe: {{exec: {{command: ["sh", "-c", "{CANARY}"]}}}}
    readinessProbe: {{httpGet: {{path: "/?token={CANARY}", httpHeaders: [{{name: A, value: {CANARY}}}]}}}}
    lifecycle: {{preStop: {{exec: {{command: ["{CANARY}"]}}}}}}
  volumes: [{{name: v, nfs: {{server: x, path: /}}, csi: {{driver: d, volumeAttributes: {{password: {CANARY}}}}}}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: broken}}
spec: {CANARY}
---
apiVersion: v1
kind: Service
metadata: {{name: broken}}
spec: {{ports: {CANARY}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: d}}
spec: {{replicas: {CANARY}, template: {{spec: {{containers: [{{name: a, image: b, env: {CANARY}}}]}}}}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: a}}
spec: {{source: {{repoURL: "https://u:{CANARY}@git.example/x", helm: {{values: "password: {CANARY}"}}}}}}
"""
TEMPLATES = {
    "values": POD.replace("image: a", 'image: a, env: [{name: TOKEN, value: "{{ .Values.password }}"}]'),
    "broken": "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {a: [{{ .Values.password }}}\n",
    "fails": '{{ fail (printf "wrong password %s" .Values.other) }}',
    "needs": "{{ .Values.password.of.another }}",
}


@pytest.mark.threat("O9")
@pytest.mark.tools
def test_no_value_that_may_be_secret_is_in_any_report_or_on_any_stream(tmp_path: Path) -> None:
    root = write(tmp_path / "r", {"secrets.yaml": SECRETS, "broken.yaml": f"{BAD}x: [{CANARY}\n"})
    write(root, {"tag.yaml": f"{BAD}x: !!int {CANARY}\n", "alias.yaml": f"{BAD}x: *{CANARY}\n"})
    url = f"https://u:{CANARY}@example.com/x"
    depends = f"dependencies: [{{name: db, version: 1.0.0, repository: '{url}'}}]\n"
    write(root, {"depends/Chart.yaml": CHART + depends, "remote/kustomization.yaml": f"resources: ['{url}']\n"})
    for name, template in TEMPLATES.items():
        write(root, {f"{name}/Chart.yaml": CHART, f"{name}/templates/a.yaml": template})
        write(
            root, {f"{name}/values.yaml": f"password: {CANARY}\n", f"{name}/values-prod.yaml": f"password: {CANARY}\n"}
        )
    values = [f"--values={name}={name}/values-prod.yaml" for name in TEMPLATES]
    sets = [f"--set={name}=other=set-{CANARY}" for name in TEMPLATES]
    environment = {"GITHUB_TOKEN": CANARY, "INPUT_TOKEN": CANARY, "ACTIONS_RUNTIME_TOKEN": CANARY}
    words = ("--verbose", "--all-results", *values, *sets, *reports(tmp_path / "out"))
    run = gate("scan", ".", "--root", root, *words, cwd=root, environment=environment)
    assert run.code == 3, run.err
    assert "secrets-in-env" in run.out
    found = {
        name: re.findall(rf".{{0,200}}{CANARY}.{{0,40}}", text)
        for name, text in (*written(tmp_path / "out"), ("out", run.out), ("err", run.err))
    }
    assert {name: rows for name, rows in found.items() if rows} == {}


def places(value: Any) -> list[tuple[str, dict[str, int]]]:
    """Every uri of a SARIF file, with its region."""
    if isinstance(value, list):
        return [place for item in value for place in places(item)]
    if not isinstance(value, dict):
        return []
    own = [(value["artifactLocation"]["uri"], value.get("region", {}))] if "artifactLocation" in value else []
    return own + [place for item in value.values() for place in places(item)]


@pytest.mark.threat("O10", "F3")
@pytest.mark.tools
def test_every_place_in_sarif_is_a_file_below_the_root_and_a_line_of_it(tmp_path: Path) -> None:
    root = hostile(tmp_path / "r")
    odd = ("a b#?%&.yaml", "ä.yaml", "javascript:alert(1).yaml", "file:%2f%2fetc.yaml", "..yaml", "%2e%2e%2fx.yaml")
    write(root, {name: BAD.removesuffix("\n") for name in odd})
    write(root, {"web/Chart.yaml": CHART, "web/templates/a.yaml": "# Source: ../../../etc/passwd\n" + BAD})
    write(root, {"web/crds/c.yaml": "---\n# Source: /etc/passwd\n" + BAD})
    native(".", f"--format=sarif={tmp_path / 'out'}", cwd=root)
    text = (tmp_path / "out").read_bytes().decode()
    Sarif.model_validate_json(text)
    found = places(json.loads(text, parse_constant=pytest.fail))
    assert {unquote(uri) for uri, _ in found} >= set(odd)
    for uri, region in found:
        assert re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri), uri
        assert not uri.startswith("/")
        assert not {"", ".", ".."} & set(unquote(uri).split("/"))
        file = root / unquote(uri)
        assert file.exists()
        lines = file.read_text(encoding="utf-8").split("\n") if file.is_file() else [""]
        assert 1 <= region.get("startLine", 1) <= region.get("endLine", 1) <= len(lines)
        assert 1 <= region.get("startColumn", 1) <= region.get("endColumn", 2)


@pytest.mark.threat("O5")
def test_thousands_of_findings_are_cut_with_a_word_about_it_and_the_verdict_stays_first(tmp_path: Path) -> None:
    pods = "---\n".join(BAD.replace("NAME", f"p{number}") for number in range(600))
    base = write(tmp_path / "base", {"a.yaml": POD})
    root = write(tmp_path / "r", {"a.yaml": pods})
    run = native(".", "--base", base, *reports(tmp_path / "out"), cwd=root)
    texts = dict(written(tmp_path / "out"))
    (sarif,) = json.loads(texts["sarif"])["runs"]
    assert run.code == 1
    assert len(json.loads(texts["json"])["results"]) > 10_000
    assert len(sarif["results"]) == MOST_RESULTS
    assert "are left out" in sarif["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    assert sum(row["ruleId"] == "privileged-container" for row in sarif["results"]) == 600
    assert texts["table"].startswith("BLOCKED")
    assert len(texts["table"]) < 20_000
    assert "more" in texts["table"]
    assert run.seconds < 40
