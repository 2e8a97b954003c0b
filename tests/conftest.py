"""What tests of several rooms share: a private sandbox, and the real binaries that ``make tools`` builds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from process import Sandbox
from toolbox import Toolbox

for _name in [name for name in os.environ if name.startswith(("GITHUB_", "INPUT_", "RUNNER_", "ACTIONS_"))]:
    del os.environ[_name]  # else the event of the workflow that runs the tests reaches every program that they start

# A busy machine is no defect; the same examples each time, `make fuzz` looks for new ones.
settings.register_profile("unhurried", deadline=None, derandomize=True)
settings.load_profile("unhurried")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


@pytest.fixture
def toolbox() -> Toolbox:
    """The real binaries; a test that uses one fails, with the next step, where it is absent."""
    return real_toolbox()


def real_toolbox() -> Toolbox:
    """Where ``make tools`` puts them."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Toolbox(Path(os.environ.get("HARDENING_GATE_HOME") or f"{cache}/hardening-gate"))
