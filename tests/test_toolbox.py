"""Fake tools are shell scripts in a home of their own; the last test asks the real ones."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import settings
from model.errors import EnvironmentBrokenError, ExitCode
from process import Sandbox
from toolbox import PINS, Toolbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


class Shed:
    """A home with one pinned tool, ``drill 1.2.0``."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.pins = folder / "pins.json"
        self.write_pins([{"name": "drill", "version": "1.2.0", **ANSWERS}])

    def write_pins(self, rows: object) -> None:
        self.pins.write_text(json.dumps({"tools": rows, "denied": [DENIED]}), encoding="utf-8")

    def toolbox(self) -> Toolbox:
        return Toolbox(self.home, pins=self.pins)

    def put(self, text: str, mode: int = 0o755) -> Path:
        path = self.home / "tools" / "drill@1.2.0" / "drill"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(mode)
        return path


DENIED = {"name": "drill", "versions": ["1.1.4", "1.1.5"], "advisories": ["CVE-1", "GHSA-2"], "why": "it steals"}
ANSWERS = {"version_arguments": ["version", "--short"], "version_answer": "drill v1.2.0"}


@pytest.fixture
def shed(tmp_path: Path) -> Shed:
    return Shed(tmp_path)


def broken(toolbox: Toolbox, sandbox: Sandbox) -> str:
    """The message of the error, once its remedy and exit code are right."""
    with pytest.raises(EnvironmentBrokenError) as raised:
        toolbox.check("drill", sandbox)
    assert "`make tools`" in raised.value.remedy
    assert "rebuild its image" in raised.value.remedy
    assert raised.value.exit_code is ExitCode.ENVIRONMENT
    assert "drill 1.2.0" in raised.value.message or "drill@1.2.0" in raised.value.message
    return raised.value.message


def test_a_tool_lies_below_the_home_under_its_name_and_version(shed: Shed) -> None:
    binary = shed.put("exit 1")
    assert shed.toolbox().path("drill") == binary
    assert shed.toolbox().pin("drill").version == "1.2.0"


@pytest.mark.threat("P4")
def test_a_tool_on_path_is_not_found(shed: Shed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "drill").write_text("#!/bin/sh\necho drill v1.2.0\n", encoding="utf-8")
    (tmp_path / "drill").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentBrokenError, match=r"drill 1\.2\.0 is not at"):
        shed.toolbox().path("drill")


def test_the_pinned_version_is_accepted_and_asked_with_the_pinned_arguments(shed: Shed, sandbox: Sandbox) -> None:
    binary = shed.put('[ "$*" = "version --short" ] && echo "a banner" && echo "drill v1.2.0, built today"')
    assert shed.toolbox().check("drill", sandbox) == binary


def test_the_version_is_asked_once(shed: Shed, sandbox: Sandbox) -> None:
    toolbox = shed.toolbox()
    shed.put("echo drill v1.2.0")
    toolbox.check("drill", sandbox)
    shed.put("echo drill v9")
    assert toolbox.check("drill", sandbox).name == "drill"
    assert "drill v9" in broken(shed.toolbox(), sandbox)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo drill v1.3.0", 'said "drill v1.3.0" with exit code 0'),
        ("echo drill v1.2.01", 'said "drill v1.2.01" with exit code 0'),
        ("echo my drill v1.2.0", 'said "my drill v1.2.0" with exit code 0'),
        ("echo drill v1.2.0; exit 1", 'said "drill v1.2.0" with exit code 1'),
        ("echo no such option >&2; exit 2", 'said "no such option" with exit code 2'),
        ("exit 0", 'said "nothing" with exit code 0'),
        ("printf '\\377\\n'", "said"),
        ("echo drill v1.2.0; kill -9 $$", "ended so: signalled"),
        ("/usr/bin/yes 'drill v1.2.0'", "ended so: printed too much"),
    ],
)
@pytest.mark.threat("P4")
def test_any_other_answer_is_a_broken_environment(shed: Shed, sandbox: Sandbox, text: str, said: str) -> None:
    shed.put(text)
    assert said in broken(shed.toolbox(), sandbox)


@pytest.mark.parametrize("text", ["drill v1.1.4", "Version: 1.1.5", "drill v1.2.0 (drill 1.1.4)", "drill 1.1.4-dev"])
@pytest.mark.threat("P10")
def test_a_binary_that_is_known_to_be_compromised_is_refused_as_such(shed: Shed, sandbox: Sandbox, text: str) -> None:
    shed.put(f"echo '{text}'")
    with pytest.raises(EnvironmentBrokenError, match=r"known to be compromised \(CVE-1, GHSA-2: it steals\)") as raised:
        shed.toolbox().check("drill", sandbox)
    assert "replace every credential that it could read" in raised.value.remedy


@pytest.mark.parametrize("answer", ["drill v1.2.0 at 11.1.4", "drill v1.2.0, since 1.1.40", "drill v1.2.0 1.1.4.7"])
def test_a_longer_number_is_another_version(shed: Shed, sandbox: Sandbox, answer: str) -> None:
    binary = shed.put(f"echo '{answer}'")
    assert shed.toolbox().check("drill", sandbox) == binary


@pytest.mark.threat("P10")
def test_a_pin_of_a_compromised_release_is_refused_before_anything_is_started(shed: Shed, sandbox: Sandbox) -> None:
    shed.write_pins([{"name": "drill", "version": "1.1.4", "version_arguments": [], "version_answer": "drill v1.1.4"}])
    started = shed.home / "started"
    binary = shed.home / "tools" / "drill@1.1.4" / "drill"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\ntouch {started}\necho drill v1.1.4\n", encoding="utf-8")
    binary.chmod(0o755)
    for act in (shed.toolbox().path, lambda name: shed.toolbox().check(name, sandbox)):
        with pytest.raises(EnvironmentBrokenError, match=r"The pinned drill 1\.1\.4 is a release"):
            act("drill")
    assert not started.exists()


@pytest.mark.parametrize("rows", [None, 7, ["drill"], [{"name": "drill"}]])
def test_pins_that_do_not_say_what_is_denied_are_a_broken_environment(shed: Shed, rows: object) -> None:
    shed.pins.write_text(json.dumps({"tools": [], "denied": rows}), encoding="utf-8")
    with pytest.raises(EnvironmentBrokenError, match=r"pins\.json does not say"):
        shed.toolbox()


@pytest.mark.threat("P4")
def test_an_absent_tool_is_a_broken_environment(shed: Shed, sandbox: Sandbox) -> None:
    assert "is not at" in broken(shed.toolbox(), sandbox)


def test_a_tool_that_may_not_be_executed_is_a_broken_environment(shed: Shed, sandbox: Sandbox) -> None:
    shed.put("echo drill v1.2.0", mode=0o644)
    assert "is no program" in broken(shed.toolbox(), sandbox)


def test_a_tool_that_is_a_folder_is_a_broken_environment(shed: Shed, sandbox: Sandbox) -> None:
    (shed.home / "tools" / "drill@1.2.0" / "drill").mkdir(parents=True)
    assert "is no program" in broken(shed.toolbox(), sandbox)


def test_a_tool_that_is_half_written_is_a_broken_environment(shed: Shed, sandbox: Sandbox) -> None:
    shed.put("").write_bytes(b"\x7fELF\x02\x01\x01\x00garbage")
    assert broken(shed.toolbox(), sandbox)


def test_a_tool_that_is_not_pinned_is_named_with_those_that_are(shed: Shed) -> None:
    with pytest.raises(EnvironmentBrokenError, match="saw") as raised:
        shed.toolbox().pin("saw")
    assert "drill" in raised.value.remedy


@pytest.mark.parametrize("rows", [None, [{"name": "drill"}], ["drill"], 7])
def test_pins_that_are_none_are_a_broken_environment(shed: Shed, rows: object) -> None:
    shed.write_pins(rows)
    with pytest.raises(EnvironmentBrokenError, match=r"pins\.json does not say"):
        shed.toolbox()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[]"])
def test_a_file_that_holds_no_pins_is_a_broken_environment(shed: Shed, content: bytes) -> None:
    shed.pins.write_bytes(content)
    with pytest.raises(EnvironmentBrokenError, match=r"pins\.json does not say"):
        shed.toolbox()


def test_our_own_pins_name_the_tools_that_the_product_uses(tmp_path: Path) -> None:
    toolbox = Toolbox(tmp_path)
    assert PINS.is_file()
    assert toolbox.names == tuple(sorted(toolbox.names))
    assert {"helm", "kube-score", "kustomize", "polaris", "trivy"} <= set(toolbox.names)
    assert "crane" not in toolbox.names, "only our tests need it"
    assert "cosign" not in toolbox.names, "only our releases need it"
    assert not toolbox.pin("crane").is_for_users
    assert all(toolbox.pin(name).version_answer.count(toolbox.pin(name).version) for name in toolbox.names)


@pytest.mark.tools
@pytest.mark.parametrize("name", Toolbox(Path("/")).names)
def test_the_tools_that_make_tools_builds_answer_in_the_sandbox(name: str, sandbox: Sandbox) -> None:
    toolbox = Toolbox(settings.home(os.environ))
    assert toolbox.check(name, sandbox) == toolbox.path(name)
