from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import UsageError
from settings import DockerRunner, DoctorSettings, PublishSettings, ScanSettings, parse

HOME = {"HOME": "/home/dev"}
SOCKET = "unix:///var/run/docker.sock"


def scan(*words: str, **environment: str) -> DockerRunner | None:
    wanted = parse(["scan", *words], {**HOME, **environment}, terminals=(False, False))
    assert isinstance(wanted, ScanSettings)
    return wanted.runner


def test_children_are_processes_unless_containers_are_asked_for() -> None:
    assert scan() is None
    assert scan("--runner=process") is None
    assert scan("--runner", "docker") == DockerRunner(host=SOCKET, image="", spare=(Path("/home/dev"),))


def test_daemon_image_and_folders_are_those_that_are_named() -> None:
    named = scan(
        "--runner=docker",
        "--runner-image=gate:1",
        DOCKER_HOST="unix:///run/user/1000/docker.sock",
        RUNNER_TEMP="/github/runner_temp",
    )
    spare = (Path("/github/runner_temp"), Path("/home/dev"))
    assert named == DockerRunner(host="unix:///run/user/1000/docker.sock", image="gate:1", spare=spare)
    empty = scan("--runner=docker", DOCKER_HOST="", RUNNER_TEMP="")
    assert empty == DockerRunner(host=SOCKET, image="", spare=(Path("/home/dev"),))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--runner=podman",), "podman"),
        (("--runner-image=x",), "without --runner docker"),
        (("--runner=docker", "--runner-image="), "names nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        scan(*words)


def test_the_action_and_the_doctor_take_it_too() -> None:
    inputs = {**HOME, "INPUT_RUNNER": "docker", "INPUT_RUNNER-IMAGE": "gate:1"}
    wanted = parse(["action"], inputs, terminals=(False, False))
    assert isinstance(wanted, ScanSettings)
    assert wanted.runner == DockerRunner(host=SOCKET, image="gate:1", spare=(Path("/home/dev"),))
    second = parse(["action"], {**inputs, "INPUT_PUBLISH": "claim"}, terminals=(False, False))
    assert isinstance(second, PublishSettings)
    assert second.scan.runner == wanted.runner
    doctor = parse(["doctor", "--runner=docker"], HOME, terminals=(False, False))
    assert isinstance(doctor, DoctorSettings)
    assert doctor.runner
    plain = parse(["doctor"], HOME, terminals=(False, False))
    assert isinstance(plain, DoctorSettings)
    assert plain.runner is None
