"""Charts that attack Helm, us or the network, rendered by the real Helm through the whole program."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import real_toolbox
from tests.threats.program import BAD, CANARY, CHART, POD, audit, failed, gate, native, reports, write, written

pytestmark = pytest.mark.tools


class Listener(ThreadingHTTPServer):
    """Answers everything with an empty index, and remembers who asked for what."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    do_CONNECT = do_HEAD = do_POST = do_GET  # noqa: N815 the names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


GREEDY = {
    "nested ranges": "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}",
    "keys": '{{ range until 400 }}{{ genPrivateKey "rsa" | sha256sum }}{{ end }}',
    "memory": '{{ $x := repeat 100000000 "xxxxxxxx" }}{{ range until 60 }}{{ $x = cat $x $x }}{{ end }}',
    "list": "{{ until 2000000000 | len }}",
}


@pytest.mark.threat("H2")
def test_charts_that_take_time_or_memory_without_measure_fail_and_the_others_count(tmp_path: Path) -> None:
    for name, template in GREEDY.items():
        write(tmp_path, {f"{name}/Chart.yaml": CHART, f"{name}/templates/a.yaml": template})
    write(tmp_path, {"raw.yaml": POD, "ok/Chart.yaml": CHART, "ok/templates/a.yaml": BAD})
    run = native(".", "--timeout", "4", "--jobs", "2", "--format", "json", cwd=tmp_path)
    value = audit(run)
    assert (run.code, run.seconds < 25) == (3, True), run.err
    assert [row["path"] for row in value["failures"]] == sorted(GREEDY)
    for row in value["failures"]:
        assert re.search("did not finish|by its limits", row["reason"]), row
    assert failed(value, "privileged-container") == ["NAME"]
    assert len(value["resources"]) == 2


@pytest.mark.threat("H3", "H10")
@pytest.mark.parametrize(
    "template",
    [
        '{{ define "r" }}{{ include "r" . }}{{ end }}{{ include "r" . }}',
        '{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}',
        '{{ fail (repeat 100000 "long ") }}',
        '{{ fail "\\x1b]8;;https://evil.example\\x07click\\x1b[2J\\n::error::x\\r##[set-output name=verdict]passed" }}',
    ],
    ids=["include", "template", "long", "terminal"],
)
def test_what_helm_says_at_its_end_is_one_short_harmless_line(template: str, tmp_path: Path) -> None:
    root = write(tmp_path, {"web/Chart.yaml": CHART, "web/templates/a.yaml": template})
    run = native(".", "--verbose", *reports(tmp_path / "out"), cwd=root)
    texts = dict(written(tmp_path / "out"))
    (failure,) = json.loads(texts["json"])["failures"]
    assert (run.code, failure["path"]) == (3, "web")
    assert len(failure["reason"]) < 320
    for text in (run.out, run.err, texts["table"]):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]|##\[|(?m:^\s*::)", text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", failure["reason"])


@pytest.mark.threat("H4")
def test_a_template_learns_nothing_of_network_cluster_and_environment(tmp_path: Path, listener: Listener) -> None:
    name = '{{ getHostByName "localhost" | default "none" }}-{{ lookup "v1" "Secret" "" "" | len }}'
    files = {"web/Chart.yaml": CHART, "web/templates/a.yaml": POD.replace("NAME", name)}
    for function in ("env", "expandenv"):
        files[f"{function}/Chart.yaml"] = CHART.replace("web", function)
        files[f"{function}/templates/a.yaml"] = POD.replace("NAME", f'{{{{ {function} "HOME" }}}}')
    api = {"HELM_KUBEAPISERVER": f"http://{listener.address}", "KUBECONFIG": "/dev/null"}
    value = audit(native(".", "--format", "json", cwd=write(tmp_path, files), environment=api))
    assert [row["name"] for row in value["resources"]] == ["none-0"]
    assert [row["path"] for row in value["failures"]] == ["env", "expandenv"]
    assert listener.asked == []


@pytest.mark.threat("H5", "H6", "P4")
def test_no_chart_makes_helm_or_a_scanner_ask_the_network(tmp_path: Path, listener: Listener) -> None:
    url = f"http://{listener.address}"
    schema = json.dumps({"$ref": f"{url}/schema.json", "properties": {"x": {"$ref": "file:///dev/zero"}}})
    depends = f"dependencies: [{{name: db, version: 1.x.x, repository: '{url}'}}]\n"
    oci = f"dependencies: [{{name: db, version: 1.0.0, repository: 'oci://{listener.address}/x'}}]\n"
    files = {
        "schema/Chart.yaml": CHART.replace("web", "schema"),
        "schema/values.schema.json": schema,
        "schema/templates/a.yaml": BAD,
        "remote/Chart.yaml": CHART.replace("web", "remote") + depends,
        "remote/Chart.lock": f"dependencies:\n- {{name: db, repository: '{url}', version: 1.0.0}}\ndigest: sha256:0\n",
        "oci/Chart.yaml": CHART.replace("web", "oci") + oci,
    }
    proxy = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), url)
    run = gate("scan", ".", "--root", tmp_path, "--format", "json", cwd=write(tmp_path, files), environment=proxy)
    value = audit(run)
    assert (run.code, listener.asked) == (3, []), run.err
    assert failed(value, "privileged-container") == ["NAME"]
    assert [row["path"] for row in value["failures"]] == ["oci", "remote"]
    assert all("missing in charts/" in row["reason"] and row["remedy"] for row in value["failures"])


@pytest.mark.threat("H6")
@pytest.mark.parametrize("place", ["file://../../outside", "file:///etc"])
def test_a_dependency_outside_of_the_tree_is_not_rendered(place: str, tmp_path: Path) -> None:
    write(tmp_path / "outside", {"Chart.yaml": CHART.replace("web", "db"), "templates/x.yaml": CANARY})
    depends = f"dependencies: [{{name: db, version: 1.0.0, repository: '{place}'}}]\n"
    root = write(tmp_path / "repository", {"web/Chart.yaml": CHART + depends, "web/templates/a.yaml": POD})
    run = native(".", "--format", "json", cwd=root)
    assert (run.code, audit(run)["resources"]) == (3, [])
    assert "outside of the scanned tree" in audit(run)["failures"][0]["reason"]
    assert CANARY not in run.out


@pytest.mark.threat("H6")
def test_a_lock_that_is_a_link_is_neither_followed_nor_written(tmp_path: Path) -> None:
    target = write(tmp_path / "outside", {"lock": "old"}) / "lock"
    depends = "dependencies: [{name: db, version: 1.0.0, repository: 'file://../db'}]\n"
    files = {
        "web/Chart.yaml": CHART + depends,
        "web/templates/a.yaml": POD,
        "db/Chart.yaml": CHART.replace("web", "db"),
    }
    root = write(tmp_path / "repository", files)
    (root / "web" / "Chart.lock").symlink_to(target)
    run = native(".", "--format", "json", cwd=root)
    assert (run.code, "symbolic link" in run.out) == (3, True)
    assert target.read_text(encoding="utf-8") == "old"


@pytest.mark.threat("H7")
def test_no_plugin_and_no_setting_of_the_home_or_the_environment_counts(tmp_path: Path) -> None:
    touch = f"touch {tmp_path}/owned"
    old = f"name: evil\nversion: 1.0.0\ncommand: {touch}\nhooks: {{install: {touch}}}\n"
    new = (
        "apiVersion: v1\nname: evil\nversion: 1.0.0\ntype: postrenderer/v1\nruntime: subprocess\n"
        f"runtimeConfig: {{platformCommand: [{{command: touch, args: ['{tmp_path}/owned']}}]}}\n"
    )
    home = write(
        tmp_path / "home",
        {
            ".local/share/helm/plugins/evil/plugin.yaml": new,
            ".local/share/helm/plugins/template/plugin.yaml": old.replace("name: evil", "name: template"),
            ".config/helm/repositories.yaml": "not: [valid",
            ".trivy/plugins/x/plugin.yaml": old,
        },
    )
    write(tmp_path / "repository", {"web/Chart.yaml": CHART})
    write(tmp_path / "repository", {"web/templates/a.yaml": POD.replace("NAME", "{{ .Release.Namespace }}")})
    settings = {
        "HARDENING_GATE_HOME": str(real_toolbox().home),
        "HOME": str(home),
        "HELM_PLUGINS": str(home / ".local/share/helm/plugins"),
        "HELM_DATA_HOME": str(home / ".local/share/helm"),
        "HELM_CONFIG_HOME": str(home / ".config/helm"),
        "HELM_NAMESPACE": "evil",
        "HELM_DEBUG": "true",
        "HELM_POST_RENDERER": "evil",
    }
    run = native(".", "--format", "json", cwd=tmp_path / "repository", environment=settings)
    assert [row["name"] for row in audit(run)["resources"]] == ["default"]
    assert not (tmp_path / "owned").exists()


RANDOM = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {at: "{{ now }}", id: "{{ uuidv4 }}"}}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}, annotations: {checksum: "{{ randAlphaNum 20 | sha256sum }}"}}
    spec: {containers: [{name: app, image: "a:{{ now | unixEpoch }}", env: [{name: ID, value: "{{ uuidv4 }}"}]}]}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {certificate: "{{ (genCA "x" 1).Cert | b64enc }}", key: "{{ randAlphaNum 9 | b64enc }}"}
---
apiVersion: batch/v1
kind: Job
metadata: {name: "migrate-{{ randAlphaNum 5 | lower }}"}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: app, image: a}]}}}
"""


@pytest.mark.threat("H8")
def test_values_and_names_that_change_at_every_rendering_are_no_difference(tmp_path: Path) -> None:
    for side in ("base", "head"):
        write(tmp_path / side, {"web/Chart.yaml": CHART, "web/templates/a.yaml": RANDOM})
    run = native("head", "--base", "base", "--format", "comparison", cwd=tmp_path)
    value = json.loads(run.out)
    assert (run.code, value["delta"]) == (0, "+0.0")
    assert (value["introduced"], value["resolved"], len(value["persisting"]) > 10) == ([], [], True)


@pytest.mark.threat("H9")
def test_what_only_a_value_shows_is_seen_with_that_value_and_hooks_and_definitions_always(tmp_path: Path) -> None:
    hook = BAD.replace("{name: NAME}", "{name: hook, annotations: {helm.sh/hook: pre-install}}")
    files = {
        "web/Chart.yaml": CHART,
        "web/values.yaml": "prod: false\n",
        "web/values-prod.yaml": "prod: true\n",
        "web/templates/a.yaml": "{{ if .Values.prod }}\n" + BAD.replace("NAME", "prod") + "{{ end }}",
        "web/templates/hook.yaml": hook,
        "web/crds/c.yaml": "apiVersion: v1\nkind: CustomResourceDefinition\nmetadata: {name: crd}\n",
    }
    root = write(tmp_path, files)
    plain = audit(native(".", "--format", "json", cwd=root))
    both = audit(native(".", "--values=web=web/values-prod.yaml", "--format", "json", cwd=root))
    assert failed(plain, "privileged-container") == ["hook"]
    assert failed(both, "privileged-container") == ["hook", "prod"]
    assert {row["name"] for row in plain["resources"]} == {"hook", "crd"}
