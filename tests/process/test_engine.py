"""What is asked of the Docker daemon before anything starts, over a socket of ours that answers as one."""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from model.errors import EnvironmentBrokenError, ExitCode
from process.containers import LABEL, TOOLS, Containers
from process.engine import IMAGE, Docker, open_containers, read_ours
from process.whereabouts import Mounted, Ours

ID = "0123456789abcdef" * 4
INFO = {"MemoryLimit": True, "PidsLimit": True, "CpuCfsQuota": True, "NCPU": 64, "ServerVersion": "28.0"}
HELD = {"Id": f"sha256:{ID}", "RepoTags": ["gate:1"], "Config": {"Env": ["PATH=/bin", "HARDENING_GATE_HOME=/opt/gate"]}}
INSIDE = f"62 60 8:1 /docker/containers/{ID}/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"


class Answers(dict[str, Any]):
    """What the daemon says, by method and path; what is not here is 404."""

    def __init__(self, **info: Any) -> None:
        super().__init__({"GET /version": {"ApiVersion": "1.41"}, "GET /info": {**INFO, **info}})
        self["GET /containers/json"] = []
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    """One request."""

    answers: Answers
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/v1.41")
        question = f"{self.command} {path}"
        self.answers.asked.append(question)
        told = self.answers.get(question)
        text = json.dumps({"message": "No such thing"} if told is None else told).encode()
        if told is None and "/images/" in path:
            text = b'{"message": "No such image: x"}'
        self.send_response(404 if told is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 http.server's name
        """Nobody reads it."""


@contextmanager
def serving(answers: Answers) -> Iterator[str]:
    """A socket of this machine behind which these answers are."""
    handler = type("Telling", (Handler,), {"answers": answers, "address_string": lambda _: "socket"})
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/docker.sock"
        with socketserver.ThreadingUnixStreamServer(path, handler) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield f"unix://{path}"
            finally:
                server.shutdown()
                thread.join()


def opened(answers: Answers, tmp_path: Path, *, inside: str = "", image: str = "", spare: tuple[Path, ...] = ()) -> Any:
    """Containers as they are opened where our own files say ``inside`` about mounts."""
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(inside, encoding="utf-8")
    with serving(answers) as host:
        found = open_containers(host=host, image=image, home=tmp_path / "home", spare=spare, mountinfo=mountinfo)
        found.close()
        return found


def refusal(answers: Answers, tmp_path: Path, **options: Any) -> EnvironmentBrokenError:
    with pytest.raises(EnvironmentBrokenError) as raised:
        opened(answers, tmp_path, **options)
    assert raised.value.exit_code is ExitCode.ENVIRONMENT
    assert "--runner process" in raised.value.remedy
    return raised.value


def own(*mounts: dict[str, Any], **host: Any) -> dict[str, Any]:
    return {"Image": f"sha256:{ID}", "Mounts": list(mounts), "HostConfig": host}


def mount(source: Path | str, target: Path | str) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(source), "Destination": str(target)}


def test_on_the_host_the_image_is_the_one_that_make_image_builds(tmp_path: Path) -> None:
    answers = Answers()
    answers[f"GET /images/{IMAGE}/json"] = HELD
    containers = opened(answers, tmp_path)
    assert isinstance(containers, Containers)
    assert (containers.temporary, containers.tools) == (None, Path("/opt/gate/tools"))
    assert containers.name.startswith("containers of gate:1 (sha256:0123456789ab), Docker 28.0 at unix://")
    assert not [question for question in answers.asked if question.startswith("POST")]


def test_an_image_that_is_absent_is_never_pulled(tmp_path: Path) -> None:
    answers = Answers()
    error = refusal(answers, tmp_path, image="other:2")
    assert "no image other:2" in error.message
    assert "docker pull" in error.remedy
    assert not [question for question in answers.asked if question.startswith("POST")]


def test_in_a_container_the_image_is_our_own_and_the_folder_one_that_the_host_has(tmp_path: Path) -> None:
    answers = Answers()
    home = tmp_path / "github-home"
    home.mkdir()
    answers[f"GET /containers/{ID}/json"] = own(mount("/srv/home", home))
    answers[f"GET /images/sha256:{ID}/json"] = HELD
    containers = opened(answers, tmp_path, inside=INSIDE, spare=(tmp_path / "absent", home))
    assert containers.temporary == home
    error = refusal(answers, tmp_path, inside=INSIDE)
    assert "exists in this container only" in error.message
    assert "TMPDIR" in error.remedy


def test_a_container_of_another_daemon_is_told_so(tmp_path: Path) -> None:
    assert "none of the daemon" in refusal(Answers(), tmp_path, inside=INSIDE).message


@pytest.mark.parametrize(
    ("name", "word"), [("MemoryLimit", "memory"), ("PidsLimit", "processes"), ("CpuCfsQuota", "processors")]
)
@pytest.mark.threat("H2")
def test_a_daemon_that_cannot_keep_a_limit_is_refused(tmp_path: Path, name: str, word: str) -> None:
    assert f"cannot limit {word}" in refusal(Answers(**{name: False}), tmp_path).message


def test_a_rootless_daemon_is_refused_for_its_users(tmp_path: Path) -> None:
    assert "rootless" in refusal(Answers(SecurityOptions=["name=rootless"]), tmp_path).message


def test_an_image_without_tools_gets_those_of_this_machine(tmp_path: Path) -> None:
    answers = Answers()
    answers["GET /images/plain/json"] = {"Id": "sha256:1", "Config": {"Env": None}}
    containers = opened(answers, tmp_path, image="plain")
    assert containers.tools == TOOLS
    assert containers._terms.tools_outside == tmp_path / "home" / "tools"
    answers[f"GET /containers/{ID}/json"] = own(mount("/srv", tempfile.gettempdir()))
    elsewhere = own(mount("/srv", "/"), Tmpfs={str(tmp_path / "home"): ""})
    answers[f"GET /containers/{ID}/json"] = elsewhere
    assert "holds no tools" in refusal(answers, tmp_path, image="plain", inside=INSIDE).message


def test_what_killed_runs_have_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    answers = Answers()
    answers[f"GET /images/{IMAGE}/json"] = HELD
    rows = {"old": "1000", "young": "99999999999", "odd": "soon"}
    answers["GET /containers/json"] = [{"Id": name, "Labels": {LABEL: until}} for name, until in rows.items()]
    answers["DELETE /containers/old"] = {}
    opened(answers, tmp_path)
    assert [question for question in answers.asked if question.startswith("DELETE")] == ["DELETE /containers/old"]


def test_a_daemon_that_is_absent_or_far_away_is_told_with_the_next_step(tmp_path: Path) -> None:
    for host, said in (
        (f"unix://{tmp_path}/nobody.sock", "does not answer"),
        ("tcp://127.0.0.1:2375", "daemon of this machine"),
        ("ssh://host", "daemon of this machine"),
    ):
        with pytest.raises(EnvironmentBrokenError, match=said) as raised:
            Docker(host)
        assert host in raised.value.message
        assert "--runner process" in raised.value.remedy


def test_our_own_container_tells_its_mounts_and_limits() -> None:
    known = own(
        mount("/srv/runner/_github_home", "/github/home"),
        {"Type": "tmpfs", "Source": "", "Destination": "/run"},
        Tmpfs={"/tmp": ""},
        Memory=1 << 30,
        CpuQuota=150_000,
        CpuPeriod=0,
    )
    assert read_ours(known) == Ours(
        image=f"sha256:{ID}",
        mounts=(
            Mounted(source=Path("/srv/runner/_github_home"), target=Path("/github/home")),
            Mounted(source=None, target=Path("/tmp")),
            Mounted(source=None, target=Path("/run")),
        ),
        memory=1 << 30,
        nano_cpus=1_500_000_000,
    )
    assert read_ours(own(NanoCpus=500_000_000)).nano_cpus == 500_000_000
    assert read_ours(own(CpuQuota=-1)).nano_cpus == 0
