"""Changes that make something worse and move it out of sight: what base has scanned stays scanned, or blocks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.threats.program import BAD, CHART, POD, Run, gate, write

GOOD_TEMPLATE = POD.replace("NAME", "web").replace("image: a", "image: '{{ .Values.image }}'")
BAD_TEMPLATE = BAD.replace("NAME", "web").replace("image: a", "image: '{{ .Values.image }}'")
CONFIG = ".hardening-gate.yaml"


def judged(tmp_path: Path, base: Mapping[str, str], change: Mapping[str, str | None]) -> tuple[Run, Any]:
    """The verdict on a change of base: files with other content, or None for those that are deleted."""
    write(tmp_path / "base", base)
    write(tmp_path / "head", {**base, **{name: text for name, text in change.items() if text is not None}})
    for name in (name for name, text in change.items() if text is None):
        (tmp_path / "head" / name).unlink()
    report = tmp_path / "comparison.json"
    words = ("--root", ".", "--base", "../base", "--policy", "base", "--scanners", "native")
    run = gate("scan", ".", *words, "--format", f"comparison={report}", cwd=tmp_path / "head")
    return run, json.loads(report.read_text(encoding="utf-8")) if report.exists() else None


PROD = {"prod/kustomization.yaml": "resources: [web.yaml]\n", "prod/web.yaml": POD.replace("NAME", "web")}
EVIL = BAD.replace("NAME", "web")
DELETE = "$patch: delete\napiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
WEB = {"web/Chart.yaml": CHART, "web/values.yaml": "image: a:1\n", "web/templates/web.yaml": GOOD_TEMPLATE}
ENVIRONMENTS = (
    "version: 1\nsources: [{chart: web, kube_version: '1.33', environments: {prod: [values.yaml, values-prod.yaml]}}]\n"
)
HELPER = '{{ define "p" }}false{{ end }}\n'
FLAGGED = "{{ if .Values.evil }}\n" + BAD_TEMPLATE + "{{ else }}\n" + GOOD_TEMPLATE + "{{ end }}\n"
NEWER = '{{ if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}\n' + BAD_TEMPLATE + "{{ else }}\n"
NEWER += GOOD_TEMPLATE + "{{ end }}\n"


@pytest.mark.tools
@pytest.mark.parametrize(
    ("base", "change"),
    [
        pytest.param(
            PROD,
            {
                "prod/web.yaml": EVIL,
                "zz/kustomization.yaml": "resources: [../prod]\npatches: [{path: gone.yaml}]\n",
                "zz/gone.yaml": DELETE,
            },
            id="an overlay that deletes it",
        ),
        pytest.param(
            WEB,
            {
                "web/templates/web.yaml": BAD_TEMPLATE,
                "zz/Chart.yaml": CHART.replace("web", "zz")
                + "dependencies: [{name: web, version: 1.0.0, repository: 'file://../web', condition: web.enabled}]\n",
                "zz/values.yaml": "web: {enabled: false}\n",
            },
            id="a chart that switches it off",
        ),
        pytest.param(
            {
                **WEB,
                CONFIG: ENVIRONMENTS,
                "web/templates/web.yaml": FLAGGED,
                "web/values-prod.yaml": "evil: false\n",
            },
            {
                CONFIG: ENVIRONMENTS.replace("values-prod", "decoy"),
                "web/values-prod.yaml": "evil: true\n",
                "web/decoy.yaml": "evil: false\n",
            },
            id="other files under the name of an environment",
        ),
        pytest.param(
            {**WEB, CONFIG: ENVIRONMENTS, "web/values-prod.yaml": "a: 1\n"},
            {CONFIG: ENVIRONMENTS.replace("1.33", "1.29"), "web/templates/web.yaml": NEWER},
            id="another version of Kubernetes",
        ),
        pytest.param(
            {**WEB, "deploy/a.yaml": POD},
            {
                CONFIG: "version: 1\nsources: [{chart: web, environments: {extra: [../deploy/evil.yaml]}}]\n",
                "deploy/evil.yaml": EVIL,
            },
            id="a manifest that is called values by the configuration",
        ),
        pytest.param(WEB, {"web/evil-values.yaml": EVIL}, id="a manifest that is called values by its name"),
        pytest.param(WEB, {"web/ci/evil.yaml": EVIL}, id="a manifest among the tests of a chart"),
        pytest.param(
            PROD,
            {
                "prod/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator: [{name: x, files: [x.yaml]}]\n",
                "prod/x.yaml": BAD.replace("NAME", "other"),
            },
            id="a manifest that becomes the content of a ConfigMap",
        ),
        pytest.param(
            {"deploy/web.yaml": POD.replace("NAME", "web")},
            {
                "deploy/web.yaml": EVIL,
                "part/kustomization.yaml": "kind: Component\npatches: [{path: ../deploy/web.yaml}]\n",
            },
            id="a component that calls it a patch",
        ),
        pytest.param(
            WEB,
            {"web/Chart.yaml": CHART + "type: library\n", "web/templates/web.yaml": BAD_TEMPLATE},
            id="a chart that becomes a library",
        ),
        pytest.param(
            {**PROD, "kustomization.yaml": "resources: ['https://example.test/x']\n"},
            {
                "prod/web.yaml": EVIL,
                "prod/kustomization.yaml": "kind: Component\npatches: [{path: web.yaml}]\n",
            },
            id="behind a failure that was there before",
        ),
    ],
)
@pytest.mark.threat("S6")
def test_what_gets_worse_cannot_be_hidden(
    tmp_path: Path, base: Mapping[str, str], change: Mapping[str, str | None]
) -> None:
    run, document = judged(tmp_path, base, change)
    assert run.code in {1, 3}, run.err
    assert document["verdict"] in {"blocked", "incomplete"}


@pytest.mark.tools
def test_a_change_that_hides_nothing_passes(tmp_path: Path) -> None:
    base = {**WEB, **PROD, CONFIG: ENVIRONMENTS, "web/values-prod.yaml": "a: 1\n"}
    run, document = judged(tmp_path, base, {"web/values-prod.yaml": "a: 2\n", "README.md": "x"})
    assert run.code == 0, run.err
    assert (document["verdict"], document["introduced"], document["resolved"]) == ("passed", [], [])


BROKEN = '{{ fail "no" }}\n'


@pytest.mark.tools
def test_who_mends_a_chart_is_not_blocked_by_what_stood_in_it(tmp_path: Path) -> None:
    base = {**WEB, "web/templates/web.yaml": BAD_TEMPLATE, "web/templates/broken.yaml": BROKEN}
    run, document = judged(tmp_path, base, {"web/templates/broken.yaml": "# mended\n"})
    assert run.code == 0, run.err
    assert {row["control"] for row in document["newly_visible"]} >= {"privileged-container"}


@pytest.mark.tools
@pytest.mark.threat("S8")
@pytest.mark.parametrize(
    "change", [{"web/templates/web.yaml": BAD_TEMPLATE}, {"web/values.yaml": "image: a\nevil: true\n"}]
)
def test_who_mends_a_chart_is_blocked_by_what_is_made_worse_with_it(tmp_path: Path, change: Mapping[str, str]) -> None:
    base = {**WEB, "web/templates/web.yaml": FLAGGED, "web/templates/broken.yaml": BROKEN}
    run, _ = judged(tmp_path, base, {"web/templates/broken.yaml": "# mended\n", **change})
    assert run.code == 1, run.err


@pytest.mark.tools
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"web/templates/_h.tpl": HELPER.replace("false", "true")}, id="a helper"),
        pytest.param({"web/charts/sub/values.yaml": "a: 2\n"}, id="a part of the chart"),
    ],
)
@pytest.mark.threat("S8")
def test_what_a_template_uses_is_a_part_of_what_was_touched(tmp_path: Path, change: Mapping[str, str]) -> None:
    base = {
        **WEB,
        "web/templates/web.yaml": POD.replace("NAME", "web").replace(
            "image: a", 'image: a, securityContext: {privileged: {{ include "p" . }}}'
        ),
        "web/templates/_h.tpl": HELPER.replace("false", "true") if "web/templates/_h.tpl" not in change else HELPER,
        "web/templates/broken.yaml": BROKEN,
        "web/charts/sub/Chart.yaml": CHART.replace("web", "sub"),
        "web/charts/sub/values.yaml": "a: 1\n",
    }
    run, _ = judged(tmp_path, base, {"web/templates/broken.yaml": "# mended\n", **change})
    assert run.code == 1, run.err


@pytest.mark.threat("S5")
def test_a_folder_that_base_lists_and_that_moves_is_looked_at_on_both_sides(tmp_path: Path) -> None:
    listed = "version: 1\nsources: [{{manifests: {}}}]\n"
    base = {"deploy/web.yaml": POD, CONFIG: listed.format("deploy")}
    moved = {"deploy/web.yaml": None, "deployments/web.yaml": POD, CONFIG: listed.format("deployments")}
    run, document = judged(tmp_path, base, moved)
    assert run.code == 0, run.err
    assert (document["introduced"], document["resolved"]) == ([], [])
    assert document["base"]["score"]["percent"] != "n/a"
    assert [row["key"] for row in document["policy_changes"]] == ["sources", "sources"]


@pytest.mark.threat("S5")
def test_a_configuration_that_is_named_and_nowhere_ends_the_run(tmp_path: Path) -> None:
    write(tmp_path, {"base/a.yaml": POD, "head/a.yaml": POD})
    for name in ("typo.yaml", "../../etc/passwd"):
        words = ("--base", "../base", "--policy", "base", "--scanners", "native", "--config", name)
        run = gate("scan", ".", "--root", ".", *words, cwd=tmp_path / "head")
        assert (run.code, run.out) == (2, "")


@pytest.mark.threat("S6")
def test_another_directory_of_the_node_behind_the_same_volume_is_new(tmp_path: Path) -> None:
    pod = POD.replace("]}", "], volumes: [{name: v, hostPath: {path: PATH}}]}", 1)
    run, document = judged(
        tmp_path, {"a.yaml": pod.replace("PATH", "/var/log/app")}, {"a.yaml": pod.replace("PATH", "/")}
    )
    assert run.code == 1, run.err
    assert "host-path-volume" in {row["control"] for row in document["introduced"]}
