"""The image as it is released: rehearsed with the real tools, of a bounded size, and labelled."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools import build, rehearsal
from tools.publication import Tools

pytestmark = pytest.mark.container

ROOT = Path(__file__).resolve().parents[2]
MEGABYTES = 800
"""Uncompressed. Trivy's binary is a third of it; docs/releasing.md says how much it was when this was set."""
PROVEN = (
    "the image is saved",
    "what nobody has signed is refused",
    "is signed, both attestations are there, and all of it verifies",
    "what is attested is what was written down",
    "the key of somebody else is refused",
    "another image of the same name is refused",
)


def inspected(image: str) -> Any:
    done = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=True)
    return json.loads(done.stdout)[0]


@pytest.mark.threat("P10")
def test_a_release_of_the_image_can_be_verified_and_nothing_else_passes_for_it(image: str, tmp_path: Path) -> None:
    tools = Tools(home=build.default_home(os.environ), environ={**os.environ, "HOME": str(tmp_path)})
    said = io.StringIO()
    rehearsal.rehearse(image, tools, tmp_path, said)
    for line, proof in zip(said.getvalue().splitlines(), PROVEN, strict=True):
        assert proof in line
    for path in (tmp_path / "sbom").glob("*.json"):
        text = path.read_text(encoding="utf-8")
        for name in ("github.com/aquasecurity/trivy", "helm.sh/helm/v4", "PyYAML", "libc6"):
            assert name in text, f"{path.name} does not list {name}"


def test_the_image_stays_small_enough_to_be_pulled_at_every_run(image: str) -> None:
    assert inspected(image)["Size"] < MEGABYTES * 10**6


def test_the_image_says_what_it_is(image: str) -> None:
    labels = inspected(image)["Config"]["Labels"]
    said = {name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (said["title"], said["version"], said["licenses"]) == ("hardening-gate", project["version"], "Apache-2.0")
    assert said["description"] == project["description"]
    assert said["base.name"]
