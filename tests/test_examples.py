"""The workflows that users copy: README shows one as it is, all agree with what `init` writes and with our own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
COPIED = sorted((ROOT / "examples" / "workflows").glob("*.yml"))
TEMPLATE = ROOT / "verbs" / "init" / "templates" / "workflow.yml"
README = (ROOT / "README.md").read_text(encoding="utf-8")
OURS = "OWNER/hardening-gate"


def jobs(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8").replace("@branch@", "main")
    return list(yaml.safe_load(text)["jobs"].values())


def test_readme_shows_the_workflow_for_pull_requests_as_it_is() -> None:
    shown = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert shown == [(ROOT / "examples" / "workflows" / "pull-request.yml").read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", COPIED, ids=lambda path: path.name)
def test_each_has_the_permissions_that_init_writes_and_reading_its_artifact_at_most(path: Path) -> None:
    [written], [job] = jobs(TEMPLATE), jobs(path)
    assert job["permissions"].items() - written["permissions"].items() <= {("actions", "read")}
    assert written["permissions"].items() <= job["permissions"].items()


@pytest.mark.parametrize("path", COPIED, ids=lambda path: path.name)
def test_each_gives_our_step_inputs_that_it_has(path: Path) -> None:
    known = set(yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"])
    [ours] = [step for job in jobs(path) for step in job["steps"] if step["uses"].startswith(OURS)]
    assert set(ours.get("with", {})) <= known


@pytest.mark.threat("P10")
def test_every_action_is_pinned_to_one_commit_wherever_it_is_used() -> None:
    places = (*COPIED, TEMPLATE, ROOT / "README.md", *(ROOT / ".github" / "workflows").glob("*.yml"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in places)
    used = set(re.findall(r"uses: ([\w.-]+/[\w.-]+)(?:/[\w./-]+)?@(.*)", text))
    pinned = {name: commit for name, commit in used if name != OURS}
    assert {name for name, commit in used if not re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", commit)} == {OURS}
    assert {(name, commit) for name, commit in used if name != OURS} == set(pinned.items())
