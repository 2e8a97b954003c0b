"""What a container is told, and how it ends, with a daemon of ours: tests/container has the real one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from model.errors import EnvironmentBrokenError
from process import DEAD_PROXY, NOBODY, OPEN_FILES, PLACES, PROCESSES, PROXIES, End, Finished, Limits, Runner, Sandbox
from process.children import Children
from process.containers import GRACE, LABEL, Containers, Engine, Terms, body, own_user
from process.runner import Start
from process.whereabouts import Mounted
from tests.process.daemon import Daemon
from toolbox import Toolbox

TOOLS = Path("/opt/tools")
TERMS = Terms(
    image="sha256:1", image_variables=("PYTHONPATH", "PATH"), user="65534:65534", nano_cpus=2 * 10**9, tools=TOOLS
)
GENEROUS = Limits(seconds=30)


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def sandbox(daemon: Daemon) -> Iterator[Sandbox]:
    with Sandbox(runner=Containers(daemon, TERMS)) as opened:
        yield opened


def run(sandbox: Sandbox, script: str, limits: Limits = GENEROUS, **environment: str) -> Finished:
    with sandbox.folder("work") as folder:
        return sandbox.run(("/bin/sh", "-c", script), cwd=folder, limits=limits, environment=environment)


def started(terms: Terms = TERMS, **changes: Any) -> Any:
    """What the Engine API is told of a start like that of a scanner."""
    told: dict[str, Any] = {
        "command": ("/opt/tools/trivy@1/trivy", "config", "--x"),
        "cwd": Path("/tmp/gate/trivy-1/objects"),
        "folder": Path("/tmp/gate/trivy-1"),
        "home": Path("/tmp/gate/home-1"),
        "limits": Limits(seconds=9.5, memory=1 << 30, file_size=1 << 20),
        "environment": {"PATH": "/nonexistent", "HOME": "/tmp/gate/home-1"},
        "is_full": lambda: False,
        **changes,
    }
    return body(Start(**told), terms, now=1000.2)


def test_both_runners_and_both_daemons_are_what_the_ports_ask_for(daemon: Daemon) -> None:
    engine: Engine = daemon
    runner: Runner = Containers(engine, TERMS)
    assert runner.is_container
    runner = Children(Path("/tmp"))
    assert not runner.is_container


# What a container is told


@pytest.mark.threat("P2", "P5")
def test_a_container_has_no_network_no_right_and_no_way_to_gain_any() -> None:
    told = started()
    host = told["HostConfig"]
    assert (told["User"], told["NetworkDisabled"]) == (f"{NOBODY}:{NOBODY}", True)
    assert (told["OpenStdin"], told["Tty"], told["Healthcheck"]) == (False, False, {"Test": ["NONE"]})
    assert (host["NetworkMode"], host["IpcMode"], host["ReadonlyRootfs"]) == ("none", "none", True)
    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges:true"])
    assert not {"Privileged", "CapAdd", "Devices", "PidMode", "Binds", "VolumesFrom", "GroupAdd"} & set(host)


@pytest.mark.threat("H2", "F6", "P11")
def test_its_limits_are_those_of_the_start() -> None:
    host = started()["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (1 << 30, 1 << 30)
    assert (host["NanoCpus"], host["PidsLimit"]) == (2 * 10**9, PROCESSES)
    assert {row["Name"]: (row["Soft"], row["Hard"]) for row in host["Ulimits"]} == {
        "core": (0, 0),
        "cpu": (22, 22),  # ten seconds and one, on two processors
        "fsize": (1 << 20, 1 << 20),
        "nofile": (OPEN_FILES, OPEN_FILES),
    }
    assert host["LogConfig"] == {"Type": "none", "Config": {}}


def test_it_gets_no_more_memory_than_the_container_around_us() -> None:
    terms = Terms(image="i", user="1:1", nano_cpus=1, memory=512 << 20, tools=TOOLS)
    assert started(terms)["HostConfig"]["Memory"] == 512 << 20
    assert started(terms, limits=Limits(seconds=1, memory=1 << 20))["HostConfig"]["Memory"] == 1 << 20


@pytest.mark.threat("P5", "F6")
def test_of_this_machine_it_sees_its_two_folders_under_our_names() -> None:
    assert [
        (row["Type"], row["Source"], row["Target"], row["ReadOnly"]) for row in started()["HostConfig"]["Mounts"]
    ] == [
        ("bind", "/tmp/gate/trivy-1", "/tmp/gate/trivy-1", False),
        ("bind", "/tmp/gate/home-1", "/tmp/gate/home-1", False),
    ]


def test_from_inside_of_a_container_the_folders_are_named_as_the_host_has_them() -> None:
    mounts = (Mounted(source=Path("/srv/temp"), target=Path("/tmp")),)
    terms = Terms(image="i", user="1:1", nano_cpus=1, mounts=mounts, tools=TOOLS, tools_outside=Path("/srv/tools"))
    assert [(row["Source"], row["Target"], row["ReadOnly"]) for row in started(terms)["HostConfig"]["Mounts"]] == [
        ("/srv/temp/gate/trivy-1", "/tmp/gate/trivy-1", False),
        ("/srv/temp/gate/home-1", "/tmp/gate/home-1", False),
        ("/srv/tools", "/opt/tools", True),
    ]
    with pytest.raises(ValueError, match="does not know /var/x"):
        started(terms, folder=Path("/var/x"))


@pytest.mark.threat("P5")
def test_what_image_and_daemon_would_set_is_taken_away() -> None:
    assert started()["Env"] == ["PATH=/nonexistent", "HOME=/tmp/gate/home-1", "PYTHONPATH", "HOSTNAME"]


def test_its_label_says_when_nobody_waits_for_it_any_more() -> None:
    assert started()["Labels"] == {LABEL: str(1010 + GRACE)}


def test_its_words_are_those_of_the_start() -> None:
    told = started()
    assert (told["Entrypoint"], told["Cmd"]) == (["/opt/tools/trivy@1/trivy"], ["config", "--x"])
    assert told["WorkingDir"] == "/tmp/gate/trivy-1/objects"
    assert told["Image"] == "sha256:1"


def test_root_makes_it_nobody_and_an_ordinary_user_itself() -> None:
    uid, gid = (NOBODY, NOBODY) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    assert own_user() == f"{uid}:{gid}"


# How it ends


@pytest.mark.parametrize("code", [0, 1, 3, 126, 128])
def test_exit_code_and_both_outputs_are_passed_on(sandbox: Sandbox, daemon: Daemon, code: int) -> None:
    done = run(sandbox, f"echo out; echo err >&2; exit {code}")
    assert (done.end, done.exit_code, done.stdout, done.stderr) == (End.EXITED, code, b"out\n", "err\n")
    assert daemon.containers == {}


def test_a_signal_that_ends_it_is_told(sandbox: Sandbox) -> None:
    done = run(sandbox, "kill -SEGV $$")
    assert (done.end, done.exit_code) == (End.SIGNALLED, 139)


def test_it_is_told_what_a_process_is_told(sandbox: Sandbox) -> None:
    told = dict(row.split("=", 1) for row in run(sandbox, "/usr/bin/env", TZ="UTC").stdout.decode().splitlines())
    assert {told[name] for name in PROXIES} == {DEAD_PROXY}
    assert all(Path(told[name]).is_relative_to(sandbox.root) for name in PLACES)
    assert told["TZ"] == "UTC"


@pytest.mark.threat("P2")
@pytest.mark.parametrize("script", ["exec /bin/sleep 300", "exec >&- 2>&-; exec /bin/sleep 300", "/usr/bin/yes >&2"])
def test_one_that_does_not_end_is_ended_and_gone(sandbox: Sandbox, daemon: Daemon, script: str) -> None:
    done = run(sandbox, script, Limits(seconds=0.5))
    assert (done.end, done.exit_code) == (End.TIMED_OUT, 137)
    assert daemon.containers == {}


def test_what_was_printed_before_the_time_ran_out_is_kept(sandbox: Sandbox) -> None:
    assert run(sandbox, "echo early; exec /bin/sleep 300", Limits(seconds=0.5)).stdout == b"early\n"


def test_one_that_closes_its_outputs_may_go_on_to_its_end(sandbox: Sandbox) -> None:
    done = run(sandbox, "exec >&- 2>&-; /bin/sleep 0.3; exit 7")
    assert (done.end, done.exit_code) == (End.EXITED, 7)


@pytest.mark.threat("P2", "P11")
def test_a_flood_ends_it_and_only_the_limit_is_kept(sandbox: Sandbox) -> None:
    done = run(sandbox, "exec /usr/bin/yes", Limits(seconds=30, output=1_000_001))
    assert (done.end, len(done.stdout)) == (End.TOO_MUCH_OUTPUT, 1_000_001)
    exact = run(sandbox, "exec /usr/bin/head -c 300000 /dev/zero", Limits(seconds=30, output=300_000))
    assert (exact.end, len(exact.stdout)) == (End.EXITED, 300_000)


@pytest.mark.threat("F6")
def test_a_full_disk_ends_it(daemon: Daemon) -> None:
    sizes = iter([1 << 40] * 3)
    with Sandbox(runner=Containers(daemon, TERMS), free=lambda _: next(sizes, 0)) as sandbox:
        assert run(sandbox, "exec /bin/sleep 300").end is End.DISK_FULL
    assert daemon.containers == {}


def test_what_is_trusted_stays_a_process(sandbox: Sandbox, daemon: Daemon) -> None:
    done = sandbox.run_trusted(("/bin/sh", "-c", "echo git"), cwd=sandbox.private("git"), limits=GENEROUS)
    assert (done.stdout, daemon.calls) == (b"git\n", [])


def test_its_tools_are_those_of_the_image(sandbox: Sandbox, tmp_path: Path) -> None:
    toolbox = Toolbox(tmp_path / "empty").seen_by(sandbox)
    version = toolbox.pin("helm").version
    assert toolbox.path("helm") == TOOLS / f"helm@{version}" / "helm"
    with pytest.raises(EnvironmentBrokenError):
        Toolbox(tmp_path / "empty").path("helm")


@pytest.mark.parametrize("call", ["create", "attach", "start", "kill"])
def test_a_daemon_that_fails_in_between_is_told_and_leaves_nothing(call: str) -> None:
    daemon = Daemon(broken=(call,))
    with Sandbox(runner=Containers(daemon, TERMS)) as sandbox:
        with pytest.raises(EnvironmentBrokenError, match=f"{call} does not work"):
            run(sandbox, "exec /bin/sleep 300", Limits(seconds=0.2))
        assert (daemon.calls[-1], daemon.containers) == ("remove", {})


def test_an_argument_that_json_cannot_carry_is_told(sandbox: Sandbox, daemon: Daemon) -> None:
    with sandbox.folder("work") as folder, pytest.raises(EnvironmentBrokenError, match="no UTF-8"):
        sandbox.run(("/bin/echo", "\udcff"), cwd=folder, limits=GENEROUS)
    assert daemon.calls == []


def test_a_relative_command_is_refused(sandbox: Sandbox) -> None:
    with sandbox.folder("work") as folder, pytest.raises(ValueError, match="not an absolute path: sh"):
        sandbox.run(("sh",), cwd=folder, limits=GENEROUS)


@pytest.mark.threat("P16")
def test_closing_ends_all_of_them_and_no_more_are_started(daemon: Daemon) -> None:
    sandbox = Sandbox(runner=Containers(daemon, TERMS))
    results: list[Finished] = []
    threads = [threading.Thread(target=lambda: results.append(run(sandbox, "exec /bin/sleep 300"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    while daemon.calls.count("start") < 3:
        time.sleep(0.01)
    time.sleep(0.2)
    start = time.monotonic()
    sandbox.close()
    for thread in threads:
        thread.join(5)
    assert time.monotonic() - start < 1.5
    assert [one.end for one in results] == [End.SIGNALLED] * 3
    assert daemon.containers == {}
    assert daemon.calls.count("again") == 3
    with pytest.raises(EnvironmentBrokenError, match="told to stop"):
        run(sandbox, "echo never")


@pytest.mark.threat("P16")
def test_one_that_the_daemon_is_just_creating_is_removed_as_soon_as_it_is_there() -> None:
    class Slow(Daemon):
        def create(self, name: str, body: Mapping[str, Any]) -> None:
            self.calls.append("asked")
            time.sleep(0.2)
            super().create(name, body)

    slow = Slow()
    containers = Containers(slow, TERMS)
    with Sandbox(runner=containers) as sandbox:
        failed: list[str] = []

        def one() -> None:
            try:
                run(sandbox, "exec /bin/sleep 300")
            except EnvironmentBrokenError as error:
                failed.append(error.message)

        thread = threading.Thread(target=one)
        thread.start()
        while "asked" not in slow.calls:
            time.sleep(0.01)
        containers.end_all()
        assert slow.containers == {}
        thread.join(5)
    assert len(failed) == 1
