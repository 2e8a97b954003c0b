"""The built image: what it holds, and what a step that a runner starts from it does."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

from process import NOBODY
from tests.conftest import real_toolbox
from tests.container.runner import Job, finished, inside
from tests.threats.program import CANARY, POD, ROOT
from tests.threats.test_processes import DUMP, SECRETS

pytestmark = pytest.mark.container

DIGESTS = """
import hashlib, pathlib
for path in sorted(pathlib.Path("/action").rglob("*")):
    if path.is_file() and path.suffix != ".pyc":
        print(hashlib.sha256(path.read_bytes()).hexdigest(), path.relative_to("/action"))
"""
SELF = """
exec >/loot/found 2>&1
/usr/bin/id --user; /usr/bin/id --groups
/bin/grep -E '^(CapEff|CapPrm|NoNewPrivs):' /proc/self/status
/usr/bin/touch /github/workspace/planted /action/planted /opt/hardening-gate/planted /github/home/planted
"""


@pytest.fixture
def loot(tmp_path: Path) -> Path:
    """A folder into which everybody may write; the container has it as /loot."""
    place = tmp_path / "loot"
    place.mkdir()
    place.chmod(0o777)
    return place


def standing_in(folder: Path, tool: str, script: str) -> str:
    """The option that puts a script in the place of a tool of the image; asked for its version it gives ours."""
    pin = real_toolbox().pin(tool)
    asked = " ".join(pin.version_arguments)
    text = f'#!/bin/sh\nif [ "$*" = "{asked}" ]; then echo "{pin.version_answer}"; exit 0; fi\n{script}\n'
    place = folder / f"evil-{tool}"
    place.write_text(text, encoding="utf-8")
    place.chmod(0o755)
    return f"--volume={place}:/opt/hardening-gate/tools/{tool}@{pin.version}/{tool}:ro"


def test_it_holds_the_program_of_this_tree_and_nothing_of_its_tests(image: str) -> None:
    rows = [row.partition(" ") for row in inside(image, "python3", "-c", DIGESTS).splitlines()]
    held = {name: digest for digest, _, name in rows}
    ours = {name for name in held if (ROOT / name).is_file()}
    assert sorted(set(held) - ours) == []
    assert [name for name in sorted(ours) if hashlib.sha256((ROOT / name).read_bytes()).hexdigest() != held[name]] == []
    assert not [name for name in held if re.match(r"(tests|docs|examples|bench|\.git|\.venv|\.ci)(/|$)", name)]


def test_it_holds_the_pinned_tools_and_no_others(image: str) -> None:
    toolbox = real_toolbox()
    pinned = [f"{name}@{toolbox.pin(name).version}" for name in toolbox.names]
    assert inside(image, "ls", "/opt/hardening-gate/tools").split() == pinned


def test_its_labels_tell_what_it_is(image: str) -> None:
    described = json.loads(finished(("docker", "image", "inspect", image)).out)
    labels = {name.rpartition(".")[2]: value for name, value in described[0]["Config"]["Labels"].items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [labels[name] for name in ("title", "description", "licenses", "version")] == [
        project["name"],
        project["description"],
        project["license"],
        project["version"],
    ]
    assert "revision" not in labels or re.fullmatch("[0-9a-f]{40}", labels["revision"])


def test_the_doctor_finds_all_well(image: str) -> None:
    assert inside(image, "python3", "/action/entrypoint.py", "doctor").endswith("all well\n")


def test_a_change_that_makes_it_worse_is_blocked_with_outputs_and_reports_that_all_may_read(job: Job) -> None:
    run = job.run()
    assert run.code == 1, run.err
    assert run.out.startswith("BLOCKED")
    said = job.outputs()
    assert (said["verdict"], said["unscanned"]) == ("blocked", "0")
    assert int(said["introduced"]) > 0
    reports = job.workspace / "reports"
    assert {reports / Path(said[name]).name for name in ("audit", "report", "sarif")} <= set(reports.iterdir())
    assert [path for path in reports.iterdir() if not path.stat().st_mode & 0o004 or path.stat().st_uid == NOBODY] == []
    assert {row["location"]["path"] for row in job.comparison()["introduced"]} == {"deploy/web.yaml"}


def test_a_change_that_makes_nothing_worse_passes(image: str, tmp_path: Path) -> None:
    job = Job(image=image, folder=tmp_path / "quiet", after=f"{POD}# the same\n")
    run = job.run()
    assert run.code == 0, run.err
    assert (job.outputs()["verdict"], job.outputs()["introduced"]) == ("passed", "0")


def test_the_checkout_of_another_user_is_read_without_any_setting_of_git(job: Job) -> None:
    if os.geteuid() == 0:
        assert {path.stat().st_uid for path in job.workspace.rglob("*")} == {1001}
    before = sorted(str(path) for path in job.folder.rglob("*"))
    assert job.run(scanners="native", output="/tmp/reports").code == 1
    assert sorted(str(path) for path in job.folder.rglob("*")) == before


def test_a_scanner_is_nobody_with_no_right_and_finds_no_secret_of_the_step(job: Job, loot: Path) -> None:
    secrets = [f"--env={name}={CANARY}" for name in (*SECRETS, "ACTIONS_CACHE_URL", "RUNNER_TOKEN")]
    stolen = "/github/workflow/event.json /github/file_commands/output /proc/1/environ"
    evil = standing_in(job.folder, "polaris", SELF + DUMP.replace("FILES", stolen))
    for name in ("event.json", "credentials.config"):
        file = job.folder / "workflow" / name
        file.touch()
        file.chmod(0o600)
    run = job.run(evil, f"--volume={loot}:/loot", *secrets, scanners="native,polaris", token=CANARY)
    found = (loot / "found").read_bytes().decode(errors="replace")
    assert run.code == 3, run.err
    assert found.splitlines()[:2] == [str(NOBODY), str(NOBODY)]
    assert dict(re.findall(r"(?m)^(Cap\w+|NoNewPrivs):\s+(\w+)$", found)) == {
        "CapEff": "0" * 16,
        "CapPrm": "0" * 16,
        "NoNewPrivs": "1",
    }
    assert "HOME=" in found
    assert "HTTPS_PROXY=http://127.0.0.1:9\n" in found
    assert found.count("Permission denied") > 4
    assert not re.search(r"GITHUB_|ACTIONS_|INPUT_|docker socket open", found)
    assert CANARY not in found + run.out + run.err
    assert found.count("touch: cannot touch") == 4


def test_a_read_only_container_with_a_folder_in_memory_says_the_same(job: Job) -> None:
    assert job.run().code == 1
    first = {path.name: path.read_bytes() for path in (job.workspace / "reports").iterdir()}
    run = job.run("--read-only", "--tmpfs=/tmp:rw,noexec,nosuid,size=1g")
    assert run.code == 1, run.err
    assert {path.name: path.read_bytes() for path in (job.workspace / "reports").iterdir()} == first


@pytest.mark.parametrize("dropped", ["ALL", "SETUID", "KILL"])
def test_root_without_its_rights_starts_nothing_and_says_what_to_leave(job: Job, dropped: str) -> None:
    run = job.run(f"--cap-drop={dropped}")
    assert (run.code, run.out) == (4, "")
    assert ("SETUID" if dropped == "ALL" else dropped) in run.err
    assert "next: Leave the container its default capabilities (no --cap-drop)" in run.err
    told = (job.folder / "file_commands" / "output").read_text(encoding="utf-8")
    assert "verdict=error\n" in told or dropped == "ALL"  # such a root may not write what is another user's


def test_a_cancelled_step_ends_within_two_seconds_though_it_is_the_first_process(job: Job, loot: Path) -> None:
    script = "trap '' TERM INT HUP; : >/loot/found; /usr/bin/setsid --fork /bin/sleep 300; /bin/sleep 300"
    evil = standing_in(job.folder, "polaris", script)
    with job.running(evil, f"--volume={loot}:/loot", scanners="native,polaris") as (name, step):
        for _ in range(300):
            if (loot / "found").exists():
                break
            time.sleep(0.1)
        start = time.monotonic()
        subprocess.run(["docker", "kill", "--signal=TERM", name], capture_output=True, check=True)
        assert step.wait(timeout=10) == 143
        assert time.monotonic() - start < 2
    assert not (job.workspace / "reports").exists()
