"""What a container says of itself, healthy and ill; tests/container has the real one."""

from __future__ import annotations

import pytest

from process import End, Finished
from verbs import doctor_containers
from verbs.health import Examination, Health

LIMITS = "".join(f"Max {name}   1   1   units\n" for name in doctor_containers.HELD)
COUNTED = {"memory": "268435456\n", "processes": "1024\n"}
LOOPBACK = "Inter-|   Receive\n face |bytes\n    lo:       0       0\n"


def finished(code: int, out: bytes = b"", err: str = "") -> Finished:
    return Finished(end=End.EXITED, exit_code=code, stdout=out, stderr=err, seconds=0)


def test_limits_that_hold_are_well() -> None:
    found = doctor_containers.held(LIMITS, COUNTED)
    assert found.health is Health.WELL
    assert "memory, processes" in found.says


@pytest.mark.parametrize(
    ("limits", "counted", "says"),
    [
        ("", COUNTED, "core files, processor time, file size, open files"),
        (LIMITS.replace("Max open files   1", "Max open files   unlimited"), COUNTED, "open files"),
        (LIMITS, {**COUNTED, "memory": "max\n"}, "memory"),
        (LIMITS, {**COUNTED, "memory": "9223372036854771712\n"}, "memory"),
        (LIMITS, {**COUNTED, "processes": ""}, "processes"),
    ],
)
def test_a_limit_that_does_not_hold_is_wrong(limits: str, counted: dict[str, str], says: str) -> None:
    found = doctor_containers.held(limits, counted)
    assert (found.health, found.says) == (Health.WRONG, f"do not hold for {says}")
    assert found.remedy


def test_any_interface_beside_the_loopback_is_wrong() -> None:
    assert doctor_containers.network(LOOPBACK).health is Health.WELL
    for interfaces in (f"{LOOPBACK}  eth0:  1 1\n", ""):
        assert doctor_containers.network(interfaces).health is Health.WRONG


def test_a_child_that_is_the_user_is_well_where_the_files_of_the_user_are_not() -> None:
    noted, wrong = (Examination(what="children", health=health, says="x") for health in (Health.NOTED, Health.WRONG))
    assert doctor_containers.enclosed(noted).health is Health.WELL
    assert doctor_containers.enclosed(wrong) == wrong


def test_a_file_of_ours_must_not_be_there() -> None:
    assert doctor_containers.hidden(finished(1, err="cat: x: No such file or directory")).health is Health.WELL
    assert doctor_containers.hidden(finished(1, err="cat: x: Permission denied")).health is Health.WRONG
    assert doctor_containers.hidden(finished(0, out=b"secret")).health is Health.WRONG
