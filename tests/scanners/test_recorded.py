"""Reports of the real scanners, recorded: what the adapters make of them, and that the binaries still print them."""

from __future__ import annotations

import json

import pytest

from process import Sandbox
from tests.scanners import recorded
from tests.scanners.fakes import context
from toolbox import Toolbox


@pytest.mark.parametrize("name", recorded.NAMES)
def test_a_recorded_report_becomes_the_recorded_opinions(name: str) -> None:
    assert recorded.opinions(name, recorded.read(name, "report")) == recorded.read(name, "opinions")


@pytest.mark.parametrize("name", recorded.NAMES)
@pytest.mark.threat("O9")
def test_no_opinion_repeats_a_value_of_the_manifest(name: str) -> None:
    assert "canary" not in json.dumps(recorded.read(name, "opinions"))


@pytest.mark.tools
@pytest.mark.parametrize("name", recorded.NAMES)
def test_the_binary_still_prints_the_recorded_report(name: str, sandbox: Sandbox, toolbox: Toolbox) -> None:
    assert recorded.record(name, context(sandbox, toolbox)) == recorded.read(name, "report")
