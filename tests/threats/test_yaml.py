"""Manifests that attack whoever reads them, through the whole program: bounded, told, and never in the others' way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.manifests.text.test_parse import BOMBS
from tests.threats.program import BAD, EXTERNAL, POD, audit, failed, gate, native, reports, write, written

LITTLE = 300 << 20
"""Bytes of address space, the interpreter's own included."""
SOON = 10.0
"""Seconds, on a machine that does other things too."""
SURROGATE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "lone-\ud800", "labels": {"\udfff": "\ud800"}},
    "spec": {"containers": [{"name": "\ud800", "image": "\udc00", "securityContext": {"privileged": True}}]},
}


@pytest.mark.threat("Y1", "Y2")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_makes_the_run_incomplete_in_little_time_and_memory(name: str, tmp_path: Path) -> None:
    write(tmp_path, {"bomb.yaml": POD + BOMBS[name], "ok.yaml": BAD})
    run = native(".", "--format", "json", cwd=tmp_path, memory=LITTLE)
    value = audit(run)
    assert (run.code, run.seconds < SOON) == (3, True), run.err
    assert [row["path"] for row in value["failures"]] == ["bomb.yaml"]
    assert "alias" in value["failures"][0]["reason"]
    assert failed(value, "privileged-container") == ["NAME"]


@pytest.mark.threat("Y3", "Y4")
@pytest.mark.parametrize("text", ["x: " + "[" * 100_000, "x: " + '{"a":' * 100_000, "x: &a [*a]", "? " * 50_000])
def test_a_document_without_an_end_makes_the_run_incomplete_and_crashes_nothing(text: str, tmp_path: Path) -> None:
    write(tmp_path, {"deep.yaml": f"{POD}{text}\n---\n{BAD}", "deep.json": '{"apiVersion":"v1","kind":' * 20_000})
    run = native(".", "--format", "json", cwd=tmp_path, memory=LITTLE)
    assert (run.code, run.seconds < SOON) == (3, True), run.err
    assert {row["path"] for row in audit(run)["failures"]} == {"deep.yaml", "deep.json"}
    assert failed(audit(run), "privileged-container") == ["NAME"]


@pytest.mark.threat("Y5")
def test_a_tag_that_names_code_runs_none(tmp_path: Path) -> None:
    touch = f"!!python/object/apply:os.system ['touch {tmp_path}/owned']"
    new = f"!!python/object/new:os.system ['touch {tmp_path}/owned']"
    write(tmp_path, {"a.yaml": f"{BAD}x: {touch}\ny: !!python/name:os.system ''\nz: {new}\n"})
    run = native(".", "--format", "json", cwd=tmp_path)
    assert not (tmp_path / "owned").exists()
    assert failed(audit(run), "privileged-container") == ["NAME"]
    assert "python/object/apply" in audit(run)["coverage"]["notes"][0]["reason"]


@pytest.mark.threat("Y6", "Y14")
@pytest.mark.tools
def test_odd_numbers_dates_keys_and_tags_reach_every_scanner_and_valid_reports(tmp_path: Path) -> None:
    odd = {
        "date": "2024-99-99",
        "digits": "1" * 5000,
        "hexadecimal": "0x" + "f" * 500,
        "float": "1e999",
        "binary": "!!binary aGk=",
        "set": "!!set {a, b}",
        "1": "a",
        "true": "b",
        "1.5": "c",
    }
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: odd}\ndata:\n"
    rows = "".join(f"  {key}: {value}\n" for key, value in odd.items())
    write(tmp_path, {"a.yaml": f"{config}{rows}---\n{BAD}"})
    run = gate("scan", ".", "--root", tmp_path, *reports(tmp_path / "reports"), cwd=tmp_path)
    assert run.code == 0, run.err
    for name, text in written(tmp_path / "reports"):
        if name in {"json", "sarif", "comparison"}:
            json.loads(text, parse_constant=pytest.fail)
    value = json.loads((tmp_path / "reports" / "json").read_bytes())
    assert (value["failures"], len(value["resources"])) == ([], 2)


@pytest.mark.threat("Y8")
@pytest.mark.parametrize(
    ("first", "second", "counts"), [("{privileged: true}", "{}", []), ("{}", "{privileged: true}", ["NAME"])]
)
def test_a_second_security_context_is_told_whichever_counts(
    first: str, second: str, counts: list[str], tmp_path: Path
) -> None:
    both = f"image: a, securityContext: {first}, securityContext: {second}"
    write(tmp_path, {"a.yaml": POD.replace("image: a", both)})
    value = audit(native(".", "--format", "json", cwd=tmp_path))
    assert failed(value, "duplicate-keys") == ["NAME"]
    assert failed(value, "privileged-container") == counts  # the last one, as for kubectl


TRUE = ("yes", "on", "Y", "TRUE", "!!bool yes")


@pytest.mark.threat("Y7", "Y9")
@pytest.mark.tools
def test_a_word_that_kubernetes_takes_for_true_is_true_for_every_scanner(tmp_path: Path) -> None:
    pods = [
        BAD.replace("NAME", f"pod-{number}").replace("privileged: true", f"privileged: {word}") + "x: [=, ==]\ny: =\n"
        for number, word in enumerate((*TRUE, "!Unknown true"))  # a string for Kubernetes, which refuses that one
    ]
    write(tmp_path, {"a.yaml": "---\n".join(pods)})
    value = audit(gate("scan", ".", "--root", tmp_path, "--format", "json", cwd=tmp_path))
    assert everybody(value) == {f"pod-{number}": {"native", *EXTERNAL} for number in range(len(TRUE))}
    assert [note["reason"] for note in value["coverage"]["notes"]] == ["a tag of your own says nothing to Kubernetes"]


def everybody(value: Any) -> dict[str, set[str]]:
    """Who says of which pod that it has a privileged container."""
    names = {row["id"]: row["name"] for row in value["resources"]}
    return {
        names[row["resource"]]: {each["scanner"] for each in row["witnesses"] if each["verdict"] == "failed"}
        for row in value["results"]
        if row["control"] == "privileged-container"
    }


SEPARATORS = ("---\n", "--- \n", "--- # next\n", "---\t\n", "---\r\n", "...\n---\n", "---\n\ufeff", "\ufeff---\n")


@pytest.mark.threat("Y10")
@pytest.mark.tools
def test_what_stands_behind_any_legal_separator_is_seen_by_every_scanner(tmp_path: Path) -> None:
    names = [f"pod-{number}" for number in range(len(SEPARATORS) + 1)]
    pods = [BAD.replace("NAME", name) for name in names]
    text = pods[0] + "".join(mark + pod for mark, pod in zip(SEPARATORS, pods[1:], strict=True))
    write(tmp_path, {"a.yaml": text.removesuffix("\n")})
    value = audit(gate("scan", ".", "--root", tmp_path, "--format", "json", cwd=tmp_path))
    assert everybody(value) == {name: {"native", *EXTERNAL} for name in names}


@pytest.mark.threat("Y11")
@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\r"])
def test_a_report_counts_the_lines_that_github_counts(odd: str, tmp_path: Path) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web} # x" + odd + "# y\nspec:\n  hostNetwork: true\n"
    write(tmp_path, {"a.yaml": pod})
    native(".", "--format", "sarif=out", cwd=tmp_path)
    (run,) = json.loads((tmp_path / "out").read_bytes())["runs"]
    regions = [
        row["locations"][0]["physicalLocation"]["region"] for row in run["results"] if row["ruleId"] == "host-network"
    ]
    assert [region["startLine"] for region in regions] == [5]


@pytest.mark.threat("Y12")
def test_bytes_that_are_no_text_are_told_with_their_file_and_the_others_are_scanned(tmp_path: Path) -> None:
    files = {
        "latin.yaml": (POD + "# é\n").encode("latin-1"),
        "nul.yaml": (POD + "x: a\0b\n").encode(),
        "bell.yaml": (POD + 'x: "\a"\n').encode(),
        "sixteen.yaml": BAD.replace("NAME", "sixteen").encode("utf-16"),
        "mark.yaml": BAD.replace("NAME", "mark").encode("utf-8-sig"),
        "half.yaml": b"\xff\xfe" + BAD.encode("utf-16-le")[:-1],
    }
    run = native(".", "--format", "json", cwd=write(tmp_path, files))
    assert run.code == 3
    assert sorted(row["path"] for row in audit(run)["failures"]) == ["bell.yaml", "half.yaml", "latin.yaml", "nul.yaml"]
    assert failed(audit(run), "privileged-container") == ["mark", "sixteen"]


@pytest.mark.threat("Y13")
@pytest.mark.tools
def test_lone_surrogates_reach_every_format_as_text(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": json.dumps(SURROGATE)})
    run = gate("scan", ".", "--root", tmp_path, "--verbose", *reports(tmp_path / "reports"), cwd=tmp_path)
    assert run.code == 0, run.err
    texts = dict(written(tmp_path / "reports"))
    assert "lone-\ufffd" in texts["json"]


@pytest.mark.threat("Y15")
def test_what_lies_over_a_bound_is_not_scanned_and_fails(tmp_path: Path) -> None:
    many = "---\n".join(["apiVersion: v1\nkind: A\nmetadata: {}\n"] * 50_000)
    write(tmp_path, {"many.yaml": many, "huge.yaml": BAD + "#" * 5_000_000, "ok.yaml": BAD})
    run = native(".", "--format", "json", cwd=tmp_path, memory=1 << 30)
    value = audit(run)
    assert (run.code, run.seconds < 3 * SOON) == (3, True), run.err
    assert {row["path"] for row in value["failures"]} == {"many.yaml", "huge.yaml"}
    assert len(value["resources"]) == 20_001
    assert failed(value, "privileged-container") == ["NAME"]
