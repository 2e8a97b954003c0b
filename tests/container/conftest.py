"""The image under test: HARDENING_GATE_IMAGE names it, and where nobody names one the tests say how to get it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.container.runner import Job

NAMED = "HARDENING_GATE_IMAGE"
HOW = f"`make image`, then `{NAMED}=hardening-gate .venv/bin/pytest tests/container` where a Docker daemon runs"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"container: starts the built image that {NAMED} names")


@pytest.fixture(scope="session")
def image() -> str:
    """Skipped only where no image is named; one that is named and cannot be started is a failure."""
    name = os.environ.get(NAMED)
    if not name:
        pytest.skip(f"no container image is named, so none was started; to have it tested: {HOW}")
    if shutil.which("docker") is None:
        pytest.fail(f"{NAMED}={name}, but there is no docker on PATH; {HOW}")
    known = subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False)
    if known.returncode != 0:
        pytest.fail(f"{NAMED}={name}: {known.stderr.decode(errors='replace').strip()}; {HOW}")
    return name


@pytest.fixture
def job(image: str, tmp_path: Path) -> Job:
    """A job whose pull request makes things worse."""
    return Job(image=image, folder=tmp_path)
