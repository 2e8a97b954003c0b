"""How the image is built, with builders that only write down what they are asked to do."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tools import image

BUILDER = """#!/bin/sh
case $1 in
  info) {info} ;;
  build) printf '%s\\n' "$@" >{record}; exit {code} ;;
  inspect) echo '{inspected}' ;;
  images) echo '[{{"size": "812.5 MB"}}]' ;;
esac
"""
LABELS = {"org.opencontainers.image.title": "hardening-gate", "io.buildah.version": "1.28.2"}
DOCKER = [{"Id": "sha256:abc", "Size": 780_400_000, "Config": {"Labels": LABELS}}]
BUILDAH = {"FromImageID": "def", "Config": "{}", "OCIv1": {"config": {"Labels": LABELS}}}


class Machine:
    """A machine with the builders that it is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": str(folder)}

    def install(self, name: str, *, inspected: object = DOCKER, info: str = "exit 0", code: int = 0) -> None:
        text = BUILDER.format(info=info, record=self.record(name), code=code, inspected=json.dumps(inspected))
        (self.folder / name).write_text(text, encoding="utf-8")
        (self.folder / name).chmod(0o755)

    def record(self, name: str) -> Path:
        return self.folder / f"{name}.record"

    def make(self, *words: str) -> tuple[int, str]:
        said = io.StringIO()
        code = image.main(words, self.environ, said)
        return code, said.getvalue()

    def asked(self, name: str) -> list[str]:
        return self.record(name).read_text(encoding="utf-8").splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_a_builder_it_fails_and_says_what_to_do(machine: Machine) -> None:
    code, said = machine.make()
    assert code == 1
    assert "no docker on PATH; no buildah on PATH; no podman on PATH" in said
    assert "Next step: start the Docker daemon, or install buildah" in said


def test_a_docker_without_its_daemon_gives_way_to_the_next_builder(machine: Machine) -> None:
    machine.install("docker", info="echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    code, said = machine.make()
    assert code == 1
    assert "docker does not answer (Cannot connect to the Docker daemon)" in said
    machine.install("buildah", inspected=BUILDAH)
    code, said = machine.make()
    assert code == 0
    assert "image: hardening-gate is def, 812 MB uncompressed" in said
    assert not machine.record("docker").exists()


def test_size_and_labels_are_told(machine: Machine) -> None:
    machine.install("docker")
    code, said = machine.make("--tag", "ours:1")
    assert code == 0
    assert "image: ours:1 is sha256:abc, 780 MB uncompressed, built in 0 s" in said
    assert [line for line in said.splitlines() if "=" in line] == ["  org.opencontainers.image.title=hardening-gate"]


def test_base_images_network_and_sources_of_packages_are_handed_over_and_nothing_else(machine: Machine) -> None:
    machine.install("docker")
    machine.environ |= {"GOPROXY": "https://proxy.test", "GITHUB_TOKEN": "secret", "PIP_INDEX_URL": ""}
    assert machine.make("--python-image=python@sha256:1", "--tools-image=ours:0", "--network=host")[0] == 0
    asked = machine.asked("docker")
    assert asked[:3] == ["build", "--tag=hardening-gate", "--network=host"]
    assert [word for word in asked if word.startswith("--build-arg")] == [
        "--build-arg=PYTHON_IMAGE=python@sha256:1",
        "--build-arg=TOOLS_IMAGE=ours:0",
        "--build-arg=GOPROXY=https://proxy.test",
    ]
    assert "--label=org.opencontainers.image.base.name=python" in asked
    assert "--label=org.opencontainers.image.base.digest=sha256:1" in asked
    assert "--label=org.opencontainers.image.version=0.1.0" in asked
    assert "secret" not in "".join(asked)


def test_the_base_of_the_dockerfile_is_labelled_when_no_other_is_named_and_the_repository_on_github(
    machine: Machine,
) -> None:
    machine.install("docker")
    machine.environ |= {"GITHUB_REPOSITORY": "acme/gate", "GITHUB_SERVER_URL": "https://github.test"}
    assert machine.make()[0] == 0
    labels = [word.removeprefix("--label=org.opencontainers.image.") for word in machine.asked("docker")]
    name, digest = image.default_base().split("@")
    assert {f"base.name={name}", f"base.digest={digest}", "source=https://github.test/acme/gate"} <= set(labels)


def test_without_git_no_commit_is_claimed(machine: Machine) -> None:
    machine.install("docker")
    machine.make()
    assert not [word for word in machine.asked("docker") if "revision" in word or "created" in word]


def test_a_build_that_fails_is_no_image(machine: Machine) -> None:
    machine.install("docker", code=7)
    code, said = machine.make()
    assert code == 1
    assert "docker could not build the image (exit 7)" in said
    assert "Next step: where bases cannot be pulled" in said


def test_only_pinned_tools_of_users_are_copied_and_an_absent_one_ends_the_build(tmp_path: Path) -> None:
    found, target = tmp_path / "found", tmp_path / "target"
    pins = json.loads((image.HERE / "pins.json").read_text(encoding="utf-8"))["tools"]
    for name in (*(f"{pin['name']}@{pin['version']}/{pin['name']}" for pin in pins), "trivy@0.1.0/trivy"):
        (found / name).parent.mkdir(parents=True)
        (found / name).touch(mode=0o755)
    image.copy_pinned(found, target)
    wanted = {f"{pin['name']}@{pin['version']}" for pin in pins if "purpose" not in pin}
    assert {path.name for path in target.iterdir()} == wanted
    with pytest.raises(image.ImageError, match=r"is not there\.\nNext step: "):
        image.copy_pinned(tmp_path / "empty", tmp_path / "other")
