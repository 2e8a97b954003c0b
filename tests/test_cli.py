"""The program as a workflow starts it: exit codes, streams, files, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

ROOT = Path(__file__).resolve().parents[1]
SHOP = ROOT / "examples" / "shop"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: a, EXTRA}]}\n"
GOOD, BAD = POD.replace("EXTRA", "tty: false"), POD.replace("EXTRA", "securityContext: {privileged: true}")
CANARY = "c4n4ry-7f3a"
SCHEMAS = {
    name: Draft202012Validator(json.loads((ROOT / "reporting" / f"{name}.schema.json").read_bytes()))
    for name in ("audit", "comparison")
}


def gate(
    *words: str | Path, cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "entrypoint.py", *map(str, words)],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def scan(*words: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return gate("scan", *words, "--root", cwd, "--scanners", "native", cwd=cwd, environment=environment)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "head").mkdir()
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "web.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "head" / "web.yaml").write_text(GOOD, encoding="utf-8")
    return tmp_path


def audit(folder: Path, *words: str | Path) -> Any:
    """The audit of a run, once it has satisfied its schema."""
    run = scan(*words, "--format", "json", cwd=folder)
    value = json.loads(run.stdout)
    SCHEMAS["audit"].validate(value)
    return value


def test_a_change_that_makes_nothing_worse_passes(tree: Path) -> None:
    run = scan("head", "--base", "base", cwd=tree)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("PASSED")
    assert run.stderr == ""


def test_a_change_that_introduces_a_high_finding_is_blocked_unless_it_only_warns(tree: Path) -> None:
    (tree / "head" / "web.yaml").write_text(BAD, encoding="utf-8")
    assert scan("head", "--base", "base", cwd=tree).returncode == 1
    warned = scan("head", "--base", "base", "--warn-only", cwd=tree)
    assert (warned.returncode, warned.stdout.split()[0]) == (0, "BLOCKED")


@pytest.mark.parametrize("words", [["--no-such"], ["scan", "--format", "pdf"], ["scan", "no-such-path"], []])
def test_wrong_usage_is_exit_2_with_a_next_step_and_nothing_on_standard_output(words: list[str]) -> None:
    run = gate(*words)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: ")
    assert "\n  next: " in run.stderr


def test_a_file_that_does_not_parse_is_incomplete_and_the_others_are_scanned(tree: Path) -> None:
    (tree / "head" / "broken.yaml").write_text("apiVersion: v1\nkind: Pod\n  bad: [", encoding="utf-8")
    run = scan("head", cwd=tree)
    assert run.returncode == 3
    assert "head/broken.yaml:3" in run.stdout
    assert "Looked at 1 object" in run.stdout
    assert scan("head", "--allow-incomplete", cwd=tree).returncode == 0


@pytest.mark.threat("P4")
def test_a_scanner_that_is_absent_is_exit_4_before_anything_is_scanned(tree: Path) -> None:
    run = gate("scan", tree / "head", cwd=tree, environment={"HARDENING_GATE_HOME": str(tree / "empty")})
    assert (run.returncode, run.stdout) == (4, "")
    assert "make tools" in run.stderr


def test_a_base_that_is_not_there_is_exit_4(tree: Path) -> None:
    run = scan("head", "--base", "nowhere", cwd=tree)
    assert (run.returncode, run.stdout) == (4, "")
    assert "nowhere is not there" in run.stderr


def test_the_action_tells_the_next_steps_that_there_is_no_verdict(tree: Path) -> None:
    outputs = tree / "outputs"
    run = gate("action", cwd=tree, environment={"GITHUB_OUTPUT": str(outputs), "INPUT_BASE": "nowhere"})
    assert run.returncode == 4
    assert outputs.read_text(encoding="utf-8") == "verdict=error\n"


@pytest.mark.threat("F1")
def test_a_path_that_is_a_link_is_refused_and_never_followed(tree: Path) -> None:
    (tree / "environ.yaml").symlink_to("/proc/self/environ")
    (tree / "linked").symlink_to(tree / "base")
    for path in ("environ.yaml", "linked"):
        run = scan(path, cwd=tree)
        assert (run.returncode, "symbolic link" in run.stdout) == (3, True), run.stdout


@pytest.mark.threat("F1", "S6")
def test_a_folder_that_became_a_link_to_elsewhere_is_not_a_better_folder(tree: Path) -> None:
    (tree / "head" / "deploy").symlink_to(tree / "base")
    assert scan("head", "--base", "base", cwd=tree).returncode == 3
    (tree / "head" / "deploy").unlink()
    (tree / "head" / "real").mkdir()
    (tree / "head" / "latest").symlink_to("real")
    assert scan("head", "--base", "base", cwd=tree).returncode == 0


def test_a_root_that_is_no_folder_is_wrong_usage(tree: Path) -> None:
    assert gate("scan", "--root", "nope", "--scanners", "native", cwd=tree).returncode == 2


def test_a_stored_audit_that_is_no_regular_file_is_refused_at_once(tree: Path) -> None:
    os.mkfifo(tree / "fifo.json")
    for path in (tree / "fifo.json", Path("/dev/zero")):
        assert gate("compare", path, path).returncode == 2


def test_a_full_disk_on_standard_output_is_exit_4() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        words = [sys.executable, str(ROOT / "entrypoint.py"), "scan", str(SHOP / "base"), "--scanners", "native"]
        run = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (run.returncode, run.stderr.count("\n")) == (4, 2)


@pytest.mark.threat("O9")
def test_a_defect_of_ours_is_exit_4_and_shows_no_value(tree: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import entrypoint, verbs.scan as scan\n"
        f"def defect(wanted): raise KeyError('{CANARY}')\n"
        "scan.scan = defect; sys.exit(entrypoint.main(['scan']))"
    )
    run = subprocess.run([sys.executable, "-c", program, ROOT], cwd=tree, capture_output=True, text=True, check=False)
    assert run.returncode == 4
    assert "KeyError at <string>:2" in run.stderr
    assert CANARY not in run.stderr


def test_a_reader_that_has_seen_enough_changes_no_verdict(tree: Path) -> None:
    (tree / "head" / "web.yaml").write_text("---\n".join([BAD] * 300), encoding="utf-8")
    words = [sys.executable, str(ROOT / "entrypoint.py"), "scan", "head", "--scanners", "native"]
    with subprocess.Popen(
        [*words, "--format", "json"], cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        run.stdout.read(10)
        run.stdout.close()
        assert run.wait(timeout=30) == 0
        assert run.stderr is not None
        assert run.stderr.read() == b""


def test_the_native_checker_needs_no_tool(tree: Path) -> None:
    assert scan("head", cwd=tree, HARDENING_GATE_HOME=str(tree / "empty")).returncode == 0


def test_nothing_to_scan_passes_where_it_was_searched_for_and_not_where_it_was_named(tmp_path: Path) -> None:
    assert scan(cwd=tmp_path).returncode == 0
    run = scan(".", cwd=tmp_path)
    assert run.returncode == 3
    assert run.stdout.startswith("NOTHING TO SCAN")


def test_an_unknown_key_in_the_configuration_is_exit_2_with_line_and_nearest_key(tree: Path) -> None:
    (tree / ".hardening-gate.yaml").write_text("version: 1\ngate:\n  fail_undr: 80\n", encoding="utf-8")
    run = scan("head", cwd=tree)
    assert run.returncode == 2
    assert ".hardening-gate.yaml:3: unknown key 'fail_undr'" in run.stderr
    assert "'fail_under'" in run.stderr


def test_the_command_line_wins_over_the_configuration(tree: Path) -> None:
    (tree / ".hardening-gate.yaml").write_text("version: 1\ngate: {fail_under: 99}\n", encoding="utf-8")
    assert scan("head", cwd=tree).returncode == 1
    assert scan("head", "--fail-under", "1", cwd=tree).returncode == 0


@pytest.mark.threat("S5")
def test_policy_base_reads_the_configuration_of_base(tree: Path) -> None:
    (tree / ".hardening-gate.yaml").write_text("version: 1\ngate: {fail_under: 1}\n", encoding="utf-8")
    (tree / "base" / ".hardening-gate.yaml").write_text("version: 1\ngate: {fail_under: 99}\n", encoding="utf-8")
    assert scan("head", "--base", "base", cwd=tree).returncode == 0
    assert scan("head", "--base", "base", "--policy", "base", cwd=tree).returncode == 1


@pytest.mark.threat("S5")
def test_a_configuration_of_head_that_makes_no_sense_blocks_while_that_of_base_counts(tree: Path) -> None:
    (tree / ".hardening-gate.yaml").write_text("version: 1\ngate: {fail_undr: 1}\n", encoding="utf-8")
    run = scan("head", "--base", "base", "--policy", "base", cwd=tree)
    assert (run.returncode, run.stdout.split()[0]) == (1, "BLOCKED")
    assert "configuration: .hardening-gate.yaml:2: unknown key 'fail_undr'" in run.stdout


@pytest.mark.parametrize(
    ("extra", "frameworks", "code"),
    [
        ("tty: false", "pss-baseline", 0),
        ("tty: false", "pss-restricted", 1),
        ("tty: false", "pss-baseline,pss-restricted", 1),
        ("securityContext: {seccompProfile: {type: Unconfined}}", "pss-baseline", 1),
        ("securityContext: {procMount: Unmasked}", "pss-baseline", 1),
    ],
)
def test_the_baseline_standard_asks_for_no_more_than_the_baseline_standard(
    extra: str, frameworks: str, code: int, tree: Path
) -> None:
    (tree / "head" / "web.yaml").write_text(POD.replace("EXTRA", extra), encoding="utf-8")
    assert scan("head", "--framework", frameworks, "--fail-on", "low", cwd=tree).returncode == code


@pytest.mark.tools
@pytest.mark.threat("S8")
def test_what_a_scanner_never_saw_on_either_side_is_existing_and_passes_with_a_word(tree: Path) -> None:
    broken = "---\napiVersion: v1\nkind: Service\nmetadata: {name: broken}\nspec: {ports: nonsense}\n"
    for side in ("base", "head"):
        (tree / side / "web.yaml").write_text(GOOD + broken, encoding="utf-8")
    words = ("scan", "head", "--root", tree, "--base", "base", "--scanners", "native,kube-score")
    run = gate(*words, cwd=tree)
    assert (run.returncode, "1 item never scanned" in run.stdout) == (0, True), run.stdout
    (tree / "head" / "web.yaml").write_text(GOOD + broken.replace("nonsense", "other"), encoding="utf-8")
    assert gate(*words, cwd=tree).returncode == 3


def test_a_waiver_covers_until_its_day_has_passed(tree: Path) -> None:
    (tree / "head" / "web.yaml").write_text(BAD, encoding="utf-8")
    waiver = "{control: privileged-container, resource: Pod/web, reason: r, owner: '@me', expires: 2030-01-31}"
    (tree / ".hardening-gate.yaml").write_text(f"version: 1\nwaivers: [{waiver}]\n", encoding="utf-8")
    words = ("head", "--fail-on", "critical")
    assert scan(*words, "--today", "2030-01-31", cwd=tree).returncode == 0
    assert scan(*words, "--today", "2030-02-01", cwd=tree).returncode == 1


def test_all_reports_are_written_and_satisfy_their_schemas(tree: Path) -> None:
    run = scan("head", "--base", "base", "--output", "reports", "--format", "table=reports/t.txt", cwd=tree)
    assert run.returncode == 0
    reports = tree / "reports"
    SCHEMAS["audit"].validate(json.loads((reports / "audit.json").read_bytes()))
    SCHEMAS["comparison"].validate(json.loads((reports / "comparison.json").read_bytes()))
    Sarif.model_validate_json((reports / "results.sarif").read_bytes())
    assert (reports / "t.txt").read_text(encoding="utf-8") == run.stdout


def test_without_a_base_what_needs_one_is_null(tree: Path) -> None:
    run = scan("head", "--format", "comparison", cwd=tree)
    value = json.loads(run.stdout)
    SCHEMAS["comparison"].validate(value)
    assert (value["base"], value["introduced"], value["verdict"]) == (None, None, "not-compared")


def test_two_runs_give_the_same_bytes(tree: Path) -> None:
    first, second = (scan("head", "--format", "json", "--all-results", cwd=tree).stdout for _ in range(2))
    assert first == second


def test_comparing_two_stored_audits_says_what_scanning_both_folders_says(tree: Path) -> None:
    (tree / "head" / "web.yaml").write_text(BAD, encoding="utf-8")
    whole = scan("head", "--base", "base", "--format", "comparison", cwd=tree)
    for side in ("base", "head"):
        (tree / f"{side}.json").write_text(scan(".", "--format", "json", cwd=tree / side).stdout, encoding="utf-8")
    stored = gate("compare", tree / "base.json", tree / "head.json", "--format", "comparison")
    assert (stored.returncode, whole.returncode) == (1, 1)
    ours, theirs = json.loads(stored.stdout), json.loads(whole.stdout)
    for key in ("verdict", "delta", "patch", "comparable"):
        assert ours[key] == theirs[key]
    assert [row["fingerprint"] for row in ours["introduced"]] == [row["fingerprint"] for row in theirs["introduced"]]


def test_a_stored_audit_serves_as_base(tree: Path) -> None:
    stored = tree / "base.json"
    stored.write_text(scan("base", "--format", "json", cwd=tree).stdout, encoding="utf-8")
    assert scan("head", "--base", stored, cwd=tree).stdout.startswith("PASSED")


def test_audits_that_were_judged_differently_are_refused(tree: Path) -> None:
    for name, version in (("base", "1.33"), ("head", "1.34")):
        run = scan("head", "--kube-version", version, "--format", "json", cwd=tree)
        (tree / f"{name}.json").write_text(run.stdout, encoding="utf-8")
    run = gate("compare", tree / "base.json", tree / "head.json")
    assert run.returncode == 2
    assert "cannot be compared" in run.stderr


def test_several_paths_are_scopes_of_their_own(tree: Path) -> None:
    ids = [source["id"] for source in audit(tree, "head", "base")["sources"]]
    assert ids == ["manifests:base", "manifests:head"]


def test_the_passed_results_are_kept_only_when_asked_for(tree: Path) -> None:
    assert {row["status"] for row in audit(tree, "head")["results"]} == {"failed"}
    assert {row["status"] for row in audit(tree, "head", "--all-results")["results"]} == {"failed", "passed"}


@pytest.mark.threat("O9")
def test_no_secret_of_a_manifest_and_no_environment_of_ours_is_in_any_output(tree: Path) -> None:
    env = f"env: [{{name: DB_PASSWORD, value: {CANARY}}}, {{name: URL, value: 'https://u:{CANARY}@db/x'}}]"
    (tree / "head" / "web.yaml").write_text(POD.replace("EXTRA", env), encoding="utf-8")
    run = scan("head", "--base", "base", "--output", "reports", "--verbose", cwd=tree, SECRET=CANARY)
    written = "".join(path.read_text(encoding="utf-8") for path in (tree / "reports").iterdir())
    assert "secrets-in-env" in written
    assert CANARY not in run.stdout + run.stderr + written


@pytest.mark.threat("F4", "O6")
def test_a_hostile_file_name_reaches_no_stream_as_a_command(tree: Path) -> None:
    evil = "x\n::error::owned##[set-output name=verdict]passed.yaml"
    (tree / "head" / evil).write_text(BAD, encoding="utf-8")
    run = scan("head", "--verbose", cwd=tree)
    lines = (run.stdout + run.stderr).splitlines()
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in lines)


def test_modules_of_the_current_folder_never_count(tree: Path) -> None:
    for name in ("settings", "model", "yaml", "scanners"):
        (tree / f"{name}.py").write_text("raise SystemExit(99)", encoding="utf-8")
    assert scan("head", cwd=tree).returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.tools
@pytest.mark.threat("P16")
def test_a_signal_ends_the_run_within_a_second_children_included(number: signal.Signals) -> None:
    words = [sys.executable, str(ROOT / "entrypoint.py"), "scan", str(SHOP / "worse"), "--scanners", "trivy"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        time.sleep(1.2)
        process.send_signal(number)
        started = time.monotonic()
        process.wait(timeout=10)
        assert time.monotonic() - started < 1
        assert process.returncode == 128 + number


@pytest.mark.tools
def test_the_worse_shop_is_blocked_and_the_better_one_passes_with_all_four_scanners(tmp_path: Path) -> None:
    verdicts = {}
    for head in ("worse", "better"):
        words = ("scan", SHOP / head, "--root", SHOP / head, "--base", SHOP / "base", "--output", tmp_path / head)
        run = gate(*words)
        value = json.loads((tmp_path / head / "comparison.json").read_bytes())
        SCHEMAS["comparison"].validate(value)
        SCHEMAS["audit"].validate(json.loads((tmp_path / head / "audit.json").read_bytes()))
        Sarif.model_validate_json((tmp_path / head / "results.sarif").read_bytes())
        assert value["head"]["coverage"]["unscanned"] == 0, run.stdout
        verdicts[head] = (run.returncode, value["verdict"], value["delta"][0])
    assert verdicts == {"worse": (1, "blocked", "-"), "better": (0, "passed", "+")}


@pytest.mark.tools
def test_one_weakness_seen_by_three_scanners_is_one_result_with_three_witnesses(tree: Path) -> None:
    (tree / "head" / "web.yaml").write_text(BAD, encoding="utf-8")
    run = gate("scan", "head", "--root", tree, "--format", "json", cwd=tree)
    results = [row for row in json.loads(run.stdout)["results"] if row["control"] == "privileged-container"]
    assert len(results) == 1
    witnesses = {witness["scanner"] for witness in results[0]["witnesses"] if witness["verdict"] == "failed"}
    assert witnesses == {"native", "polaris", "kube-score", "trivy"}


def test_outputs_that_cannot_be_written_do_not_turn_an_error_into_a_verdict(tree: Path) -> None:
    environment = {**os.environ, "GITHUB_OUTPUT": str(tree), "INPUT_FAIL-UNDER": "many"}
    done = subprocess.run(
        [sys.executable, ROOT / "entrypoint.py", "action"], cwd=tree, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert b"cannot be written" in done.stderr
