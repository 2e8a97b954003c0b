"""The doctor is examined with a real sandbox, and with a patient that is ill in one place at a time."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from model.errors import EnvironmentBrokenError, ExitCode
from process import DEAD_PROXY, NOBODY, PROXIES, RESERVE, End, Finished, Limits, Sandbox
from toolbox import Toolbox
from verbs import doctor
from verbs.doctor import diagnose, examine, exit_code, render
from verbs.health import Examination, Health

ROOT = os.geteuid() == 0


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


def toolbox(folder: Path, *, answer: str = "drill 1.2.0") -> Toolbox:
    """One pinned tool that gives this answer."""
    pins = folder / "pins.json"
    row = {"name": "drill", "version": "1.2.0", "version_arguments": [], "version_answer": "drill 1.2.0"}
    pins.write_text(json.dumps({"tools": [row], "denied": []}), encoding="utf-8")
    binary = folder / "tools" / "drill@1.2.0" / "drill"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho {answer}\n", encoding="utf-8")
    binary.chmod(0o755)
    return Toolbox(folder, pins=pins)


def by_name(examinations: Sequence[Examination]) -> dict[str, Examination]:
    return {examination.what: examination for examination in examinations}


def test_a_healthy_machine_is_well(sandbox: Sandbox, tmp_path: Path) -> None:
    examinations = examine(toolbox(tmp_path), sandbox)
    names = ["python", "runner", "drill", "children", "limits", "network", "secrets", "copies", "leftovers", "space"]
    noted = {examination.what for examination in examinations if examination.health is Health.NOTED}
    assert [examination.what for examination in examinations] == names
    assert noted == (set() if ROOT else noted & {"limits"} | {"children"})
    assert [one for one in examinations if one.health is Health.WRONG] == []
    assert exit_code(examinations) is ExitCode.PASSED
    assert render(examinations)[-1] == "all well"


def test_a_tool_of_another_version_is_wrong(sandbox: Sandbox, tmp_path: Path) -> None:
    examinations = examine(toolbox(tmp_path, answer="drill 9"), sandbox)
    found = by_name(examinations)["drill"]
    assert found.health is Health.WRONG
    assert "is not drill 1.2.0" in found.says
    assert "make tools" in found.remedy
    assert exit_code(examinations) is ExitCode.ENVIRONMENT


def test_where_children_cannot_be_confined_the_rest_is_told(tmp_path: Path) -> None:
    def refuse() -> Sandbox:
        raise EnvironmentBrokenError("no sandbox", "get one")

    examinations = diagnose(toolbox(tmp_path), refuse)
    assert [(one.what, one.health) for one in examinations] == [
        ("python", Health.WELL),
        ("sandbox", Health.WRONG),
        ("drill", Health.NOTED),
    ]
    (tmp_path / "tools" / "drill@1.2.0" / "drill").unlink()
    assert diagnose(Toolbox(tmp_path, pins=tmp_path / "pins.json"), refuse)[-1].health is Health.WRONG


def test_a_diagnosis_leaves_no_folder_behind(tmp_path: Path) -> None:
    opened: list[Sandbox] = []

    def open_sandbox() -> Sandbox:
        opened.append(Sandbox())
        return opened[-1]

    diagnose(toolbox(tmp_path), open_sandbox)
    assert [sandbox.root.exists() for sandbox in opened] == [False]


class Ill(Sandbox):
    """Answers what it was told for some files, else as the real one."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__()
        self.answers = answers

    def run(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path,
        limits: Limits,
        environment: Mapping[str, str] | None = None,
        about: str = "",
    ) -> Finished:
        for ending, answer in self.answers.items():
            if str(command[-1]).endswith(ending):
                return Finished(end=End.EXITED, exit_code=0, stdout=answer.encode(), stderr="broken\n", seconds=0)
        return super().run(command, cwd=cwd, limits=limits, environment=environment, about=about)


STATUS = "Uid:\t{0}\t{0}\t{0}\t{0}\nGid:\t{0}\t{0}\t{0}\t{0}\nGroups:\t{1}\nNoNewPrivs:\t{2}\nCapEff:\t{3}\n"
WHOLE = f"Max cpu time   60   60   seconds\nMax file size   {1 << 30}   {1 << 30}   bytes\n"


@pytest.mark.parametrize(
    ("ending", "answer", "what", "says"),
    [
        ("/limits", WHOLE, "limits", "not for memory, core files, open files, processes"),
        ("/limits", "", "limits", "hold for time, output; not for memory"),
        ("/limits", f"Max address space   unlimited   unlimited   bytes\n{WHOLE}", "limits", "not for memory"),
        ("/self/environ", "HOME=/x\0", "network", "ALL_PROXY"),
        ("/self/environ", "", "network", "not told to use the dead proxy"),
        ("/OURS/environ", "TOKEN=x\0", "secrets", "tokens included"),
        ("/copy", "", "copies", "cannot read the copies written for them: broken"),
    ],
)
def test_what_is_wrong_with_children_is_told(tmp_path: Path, ending: str, answer: str, what: str, says: str) -> None:
    with Ill({ending.replace("OURS", str(os.getpid())): answer}) as sandbox:
        found = by_name(examine(toolbox(tmp_path), sandbox))[what]
    assert found.health is Health.WRONG
    assert says in found.says
    assert found.remedy


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (STATUS.format(NOBODY, "0 27", 1, "0"), "groups 0 27"),
        (STATUS.format(0, "", 1, "0"), "users ['0']"),
        (STATUS.format(NOBODY, "", 0, "0"), "keep rights"),
        (STATUS.format(NOBODY, "", 1, "1fffeffffff"), "keep rights"),
        ("", "keep rights"),
    ],
)
def test_children_that_keep_rights_are_wrong(status: str, says: str) -> None:
    found = doctor._user(status, expected_nobody=True)
    assert found.health is Health.WRONG
    assert says in found.says
    assert found.remedy


def test_children_of_an_ordinary_user_are_noted_and_not_wrong() -> None:
    found = doctor._user(STATUS.format(1000, "1000", 1, "0"), expected_nobody=False)
    assert (found.health, found.remedy) == (Health.NOTED, "")
    assert doctor._user(STATUS.format(1000, "1000", 1, "0"), expected_nobody=True).health is Health.WRONG


def test_a_missing_limit_on_processes_is_wrong_only_where_children_have_a_user_of_their_own() -> None:
    rows = "".join(f"Max {name}   1   1   units\n" for name in doctor.LIMITS if name != "processes")
    assert doctor._limits(rows, unprivileged=False).health is Health.NOTED
    assert doctor._limits(rows, unprivileged=True).health is Health.WRONG


def test_a_proxy_that_lives_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        living = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(doctor, "DEAD_PROXY", living)
        found = doctor._network("\0".join(f"{name}={living}" for name in PROXIES))
    assert found.health is Health.WRONG
    assert f"listens at {living}" in found.says


def test_the_proxy_of_the_children_is_dead() -> None:
    assert doctor._network("\0".join(f"{name}={DEAD_PROXY}" for name in PROXIES)).health is Health.WELL


def test_an_old_python_is_wrong() -> None:
    assert doctor._python((3, 10, 14)).health is Health.WRONG
    assert doctor._python((3, 11, 0)).health is Health.WELL


def test_too_little_space_is_wrong(tmp_path: Path) -> None:
    assert doctor._space(RESERVE, tmp_path).health is Health.WELL
    found = doctor._space(RESERVE - 1, tmp_path)
    assert (found.health, found.says) == (Health.WRONG, f"255 MiB free in {tmp_path}")


def test_lines_stand_in_columns_with_the_next_step_below() -> None:
    lines = render(
        (
            Examination(what="python", health=Health.WELL, says="3.11.7"),
            Examination(what="helm", health=Health.WRONG, says="is absent", remedy="Run `make tools`."),
            Examination(what="limits", health=Health.NOTED, says="hold"),
        )
    )
    assert lines == (
        "ok     python  3.11.7",
        "wrong  helm    is absent",
        "               next: Run `make tools`.",
        "note   limits  hold",
        "",
        "1 of 3 wrong",
    )
