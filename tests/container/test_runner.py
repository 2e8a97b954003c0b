"""``--runner docker`` with a real daemon: what a child tries in its container, and that both runners say the same."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from process import NOBODY, PROCESSES, End, Finished, Limits, Sandbox
from process.containers import LABEL
from process.engine import open_containers
from settings.environment import DOCKER_HOST
from tests.conftest import real_toolbox
from tests.container.runner import Job
from tests.threats.program import BAD, CANARY, CHART, POD, ROOT, gate, write

pytestmark = pytest.mark.container

GENEROUS = Limits(seconds=60)
REPORTS = ("audit.json", "comparison.json", "report.md", "results.sarif", "junit.xml")
TEMPLATE = POD.replace("NAME", "{{ .Release.Name }}").replace("image: a", "image: {{ .Values.image | quote }}")
KUSTOMIZATION = "kind: Kustomization\nnamePrefix: big-\nresources: [pod.yaml]\n"
TREE = {
    "chart/Chart.yaml": CHART,
    "chart/values.yaml": "image: a:1\n",
    "chart/templates/pod.yaml": TEMPLATE,
    "broken/Chart.yaml": CHART.replace("web", "broken"),
    "broken/templates/pod.yaml": '{{ fail "no" }}\n',
    "overlay/kustomization.yaml": KUSTOMIZATION,
    "overlay/pod.yaml": POD,
    "raw/pod.yaml": POD,
    "raw/deep/role.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: []\n",
}


@pytest.fixture
def sandbox(image: str, tmp_path: Path) -> Iterator[Sandbox]:
    containers = open_containers(host=DOCKER_HOST, image=image, home=tmp_path, spare=())
    with Sandbox(runner=containers) as opened:
        yield opened
    assert strays(image) == []


def strays(image: str) -> list[str]:
    """Names of the containers of children that are there."""
    words = ["docker", "ps", "--all", f"--filter=label={LABEL}", f"--filter=ancestor={image}", "--format={{.Names}}"]
    done = subprocess.run(words, capture_output=True, check=True)
    return done.stdout.decode().split()


def run(sandbox: Sandbox, script: str, *words: str, limits: Limits = GENEROUS) -> Finished:
    with sandbox.folder("work") as folder:
        return sandbox.run(("/bin/sh", "-c", f"PATH=/usr/bin:/bin\n{script}", "sh", *words), cwd=folder, limits=limits)


# What a child finds


@pytest.mark.threat("P5")
def test_a_child_is_nobody_without_any_right(sandbox: Sandbox) -> None:
    done = run(sandbox, "cat /proc/self/status")
    field = dict(row.split(":\t", 1) for row in done.stdout.decode().splitlines() if ":\t" in row)
    who = str(NOBODY if os.geteuid() == 0 else os.geteuid())
    assert field["Uid"].split() == [who] * 4
    assert set(field["Groups"].split()) <= {str(NOBODY if os.geteuid() == 0 else os.getegid())}
    assert {int(field[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (field["NoNewPrivs"], field["Seccomp"]) == ("1", "2")


@pytest.mark.threat("P5")
def test_a_child_knows_what_a_process_knows_and_nothing_of_image_or_daemon(sandbox: Sandbox) -> None:
    def variables(opened: Sandbox) -> dict[str, str]:
        with opened.folder("work") as folder:
            done = opened.run(("/usr/bin/env", "-0"), cwd=folder, limits=GENEROUS)
        pairs = dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if pair)
        return {name: re.sub(r"^.*/home-[^/]+", "HOME", value) for name, value in pairs.items()}

    with Sandbox() as processes:
        assert variables(sandbox) == variables(processes)


@pytest.mark.threat("P4")
def test_a_child_has_no_network_at_all(sandbox: Sandbox) -> None:
    script = """
        tail -n +3 /proc/net/dev | cut -d: -f1; cat /proc/net/route | tail -n +2
        echo x 2>/dev/null >/dev/tcp/127.0.0.1/1 || true
        getent hosts example.com || echo no name; ls /var/run/docker.sock || true
    """
    done = run(sandbox, script)
    assert done.stdout.split() == [b"lo", b"no", b"name"]
    assert "docker.sock" in done.stderr


@pytest.mark.threat("F6", "P5")
def test_a_child_writes_into_its_two_folders_only_and_they_are_gone_afterwards(sandbox: Sandbox) -> None:
    places = "/ /tmp /dev /dev/shm /var/tmp /etc /opt/hardening-gate/tools /proc/sys/kernel /sys/fs/cgroup"
    own = 'echo x >here && echo x >"$HOME/x" && echo x >"$TMPDIR/x" && echo written'
    script = f"{own}; for p in {places}; do (echo x >$p/x) 2>/dev/null && echo $p; done; pwd"
    done = run(sandbox, script)
    written, place = done.stdout.decode().split()
    assert written == "written"
    assert not Path(place).exists()
    assert [path.name for path in sandbox.root.iterdir()] == []


@pytest.mark.threat("P5")
def test_a_child_sees_no_process_no_folder_and_no_file_of_ours(sandbox: Sandbox, tmp_path: Path) -> None:
    ours = sandbox.private("ours") / "secret"
    for file in (ours, tmp_path / "secret"):
        file.write_text(CANARY, encoding="utf-8")
    with sandbox.folder("neighbour") as neighbour:
        (neighbour / "secret").write_text(CANARY, encoding="utf-8")
        done = run(
            sandbox,
            'ls /proc | grep -c "^[0-9]"; ls -A "$1"; cat "$@" /proc/*/environ /proc/1/root/etc/hostname; true',
            str(sandbox.root),
            *map(str, (ours, tmp_path / "secret", neighbour / "secret")),
        )
    assert CANARY not in done.stdout.decode() + done.stderr
    assert int(done.stdout.split()[0]) <= 6
    listed = done.stdout.decode().partition("HTTPS_PROXY")[0].split()
    assert len([name for name in listed if name.startswith(("work-", "home-", "ours-", "neighbour-"))]) == 2
    assert done.stderr.count("No such file") == 3


@pytest.mark.threat("P5")
def test_a_program_that_is_setuid_gains_nothing(sandbox: Sandbox) -> None:
    done = run(sandbox, "/bin/su -c id; /bin/mount -t tmpfs x /tmp; /usr/bin/unshare -Ur id; chown 0 . ; true")
    assert b"uid=0" not in done.stdout
    assert done.stdout == b""


# What a child may use


@pytest.mark.threat("P2")
def test_a_bomb_of_processes_stays_small_and_ends_in_time(sandbox: Sandbox) -> None:
    start = time.monotonic()
    done = run(sandbox, "b() { b | b & }; b; exec sleep 60", limits=Limits(seconds=4))
    assert done.end in (End.TIMED_OUT, End.EXITED)
    assert time.monotonic() - start < 20
    many = f"i=0; while [ $i -lt {2 * PROCESSES} ]; do sleep 30 & i=$((i+1)); done; echo all"
    assert run(sandbox, many, limits=Limits(seconds=25)).stdout == b""


@pytest.mark.threat("H2")
def test_memory_is_counted_whatever_it_is_used_for(sandbox: Sandbox) -> None:
    small = Limits(seconds=30, memory=64 << 20)
    done = run(sandbox, "exec dd if=/dev/zero of=/dev/null bs=300M count=1", limits=small)
    assert (done.end, done.exit_code) == (End.SIGNALLED, 128 + signal.SIGKILL)
    assert run(sandbox, "exec dd if=/dev/zero of=/dev/null bs=16M count=1", limits=small).end is End.EXITED


@pytest.mark.threat("F6")
def test_a_big_file_is_cut(sandbox: Sandbox) -> None:
    script = "dd if=/dev/zero of=big bs=1M count=50; stat -c %s big"
    assert run(sandbox, script, limits=Limits(seconds=30, file_size=1 << 20)).stdout.split() == [b"1048576"]


@pytest.mark.threat("P2", "P11")
@pytest.mark.parametrize("script", ["exec yes", "yes & yes & exec yes", "exec cat /dev/zero"])
def test_a_flood_is_ended_and_only_the_limit_is_kept(sandbox: Sandbox, script: str) -> None:
    done = run(sandbox, script, limits=Limits(seconds=30, output=1_000_001))
    assert (done.end, len(done.stdout)) == (End.TOO_MUCH_OUTPUT, 1_000_001)
    assert done.seconds < 15


@pytest.mark.threat("P2")
@pytest.mark.parametrize(
    "script",
    ["exec sleep 300", "trap '' TERM INT HUP; while :; do :; done", "exec >&- 2>&-; sleep 300", "exec yes >&2"],
    ids=["hangs", "ignores signals", "closes its outputs", "chats"],
)
def test_a_child_that_does_not_end_is_ended(sandbox: Sandbox, script: str) -> None:
    done = run(sandbox, script, limits=Limits(seconds=1))
    assert (done.end, done.exit_code) == (End.TIMED_OUT, 128 + signal.SIGKILL)
    assert done.seconds < 15


def test_exit_code_and_both_outputs_are_passed_on(sandbox: Sandbox) -> None:
    done = run(sandbox, "echo out; echo err >&2; setsid sleep 300 & exit 3")
    assert (done.end, done.exit_code, done.stdout, done.stderr) == (End.EXITED, 3, b"out\n", "err\n")


def test_many_children_at_once_do_not_mix(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda number: run(sandbox, f"seq {number} {number + 3000}; exit {number}"), range(12)))
    assert [one.exit_code for one in done] == list(range(12))
    assert [one.stdout.split()[0] for one in done] == [b"%d" % number for number in range(12)]
    assert {len(one.stdout.split()) for one in done} == {3001}


# The whole program


def sides(folder: Path) -> Path:
    """A base, and a head that makes it worse in every way in which there are sources."""
    write(folder / "base", {name: text.replace("NAME", "web") for name, text in TREE.items()})
    worse = {
        **TREE,
        "chart/templates/pod.yaml": TEMPLATE.replace("}]}", ", securityContext: {privileged: true}}]}"),
        "overlay/pod.yaml": BAD,
        "raw/pod.yaml": BAD,
        "raw/new.yaml": POD.replace("NAME", "new"),
    }
    write(folder / "head", {name: text.replace("NAME", "web") for name, text in worse.items()})
    return folder


def scan(folder: Path, output: Path, *words: str | Path) -> tuple[int, str]:
    known = {"HARDENING_GATE_HOME": str(real_toolbox().home)}
    options = ("--base=base", "--root=.", f"--output={output}", "--no-cache", "--all-results", *words)
    done = gate("scan", "head", *options, cwd=folder, environment=known)
    return done.code, done.out


def test_both_runners_say_the_same_to_the_byte(image: str, tmp_path: Path) -> None:
    folder = sides(tmp_path)
    assert scan(folder, tmp_path / "process") == scan(
        folder, tmp_path / "docker", "--runner=docker", f"--runner-image={image}"
    )
    for name in REPORTS:
        assert (tmp_path / "process" / name).read_bytes() == (tmp_path / "docker" / name).read_bytes(), name
    audit = (tmp_path / "docker" / "audit.json").read_text(encoding="utf-8")
    for word in ("native", "polaris", "kube-score", "trivy", '"helm"', '"kustomize"', '"manifests"', "broken"):
        assert word in audit
    assert strays(image) == []


def inside(image: str, folder: Path, *options: str, runner: str = "docker") -> subprocess.CompletedProcess[bytes]:
    """The program in a container, as GitHub's runner starts an action: with the socket of Docker."""
    words = ("scan", "head", "--base=base", "--root=.", "--no-cache", "--all-results", f"--runner={runner}")
    return subprocess.run(
        [
            *("docker", "run", "--rm", "--network=none", "--volume=/var/run/docker.sock:/var/run/docker.sock"),
            *(f"--volume={folder}:/github/workspace", "--workdir=/github/workspace", *options),
            *("--entrypoint=python3", image, "/action/entrypoint.py", *words, f"--output={runner}"),
        ],
        capture_output=True,
        check=False,
        timeout=120,
    )


def test_in_a_container_it_finds_its_image_and_a_folder_of_the_host_by_itself(image: str, tmp_path: Path) -> None:
    folder, home = sides(tmp_path / "workspace"), tmp_path / "home"
    home.mkdir()
    done = inside(image, folder, f"--volume={home}:/github/home", "--env=HOME=/github/home")
    plain = inside(image, folder, runner="process")
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout), done.stderr.decode()
    for name in REPORTS:
        assert (folder / "docker" / name).read_bytes() == (folder / "process" / name).read_bytes(), name
    assert list(home.iterdir()) == []
    assert strays(image) == []


def test_the_action_gives_the_same_reports_with_either_runner(job: Job, image: str) -> None:
    assert job.run().code == 1
    first = {path.name: path.read_bytes() for path in (job.workspace / "reports").iterdir()}
    run = job.run("--volume=/var/run/docker.sock:/var/run/docker.sock", runner="docker")
    assert run.code == 1, run.err
    assert {path.name: path.read_bytes() for path in (job.workspace / "reports").iterdir()} == first
    assert list((job.folder / "home").iterdir()) == []
    assert strays(image) == []


def test_in_a_container_without_such_a_folder_nothing_starts_and_the_next_step_is_told(
    image: str, tmp_path: Path
) -> None:
    done = inside(image, sides(tmp_path))
    assert (done.returncode, done.stdout) == (4, b"")
    assert "exists in this container only" in done.stderr.decode()
    assert "next: Mount a folder of the host" in done.stderr.decode()


def test_an_image_or_a_daemon_that_is_absent_is_exit_code_4_before_anything_is_scanned(
    image: str, tmp_path: Path
) -> None:
    assert image
    write(tmp_path, {"pod.yaml": POD})
    absent = gate("scan", "--runner=docker", "--runner-image=hardening-gate-absent:0", cwd=tmp_path)
    assert (absent.code, absent.out) == (4, "")
    assert "next: Build it (`make image`) or fetch it (`docker pull`)" in absent.err
    silent = gate("scan", "--runner=docker", cwd=tmp_path, environment={"DOCKER_HOST": f"unix://{tmp_path}/none"})
    assert (silent.code, silent.out) == (4, "")
    assert "does not answer" in silent.err


def test_the_doctor_asks_a_container(image: str, tmp_path: Path) -> None:
    done = gate("doctor", "--runner=docker", f"--runner-image={image}", cwd=tmp_path)
    assert done.out.endswith("all well\n"), done.out
    assert f"containers of {image}" in done.out
    assert "a child has no interface but its loopback" in done.out


# What remains


@pytest.mark.threat("P16")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_cancelled_run_ends_at_once_and_leaves_no_container(
    image: str, tmp_path: Path, number: signal.Signals
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    text = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import entrypoint, process, signal
from process.engine import open_containers
signal.signal(signal.SIGTERM, entrypoint._leave); signal.signal(signal.SIGINT, entrypoint._leave)
containers = open_containers(host={DOCKER_HOST!r}, image={image!r}, home=Path('/nonexistent'), spare=())
with process.Sandbox(runner=containers, temporary=Path({str(place)!r})) as sandbox:
    def one(_):
        with sandbox.folder('x') as folder:
            command = ['/bin/sh', '-c', "trap '' TERM; echo >started; while :; do /bin/sleep 1; done"]
            return sandbox.run(command, cwd=folder, limits=process.Limits(seconds=60))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
"""
    for parent in place.parents:
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o001)
    with subprocess.Popen([sys.executable, "-c", text], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}) as ours:
        for _ in range(200):
            if len(list(place.glob("*/x-*/started"))) == 4:
                break
            time.sleep(0.1)
        assert len(strays(image)) == 4
        start = time.monotonic()
        ours.send_signal(number)
        assert ours.wait(10) == 128 + number
        assert time.monotonic() - start < 1.5
    for _ in range(20):  # the daemon finishes what it was asked to do
        if not strays(image):
            break
        time.sleep(0.1)
    assert strays(image) == []
    assert list(place.iterdir()) == []


@pytest.mark.threat("P16")
@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.5])
def test_a_scan_that_is_cancelled_at_any_moment_leaves_no_container(image: str, tmp_path: Path, seconds: float) -> None:
    folder = sides(tmp_path)
    words = ("scan", "head", "--base=base", "--root=.", "--no-cache", "--runner=docker", f"--runner-image={image}")
    command = [sys.executable, str(ROOT / "entrypoint.py"), *words]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as ours:
        time.sleep(seconds)
        ours.terminate()
        assert ours.wait(10) in (143, -15)
    time.sleep(1)
    assert strays(image) == []


def test_what_a_killed_run_has_left_the_next_one_removes_once_its_time_is_over(image: str, tmp_path: Path) -> None:
    names = {}
    for until in (1, int(time.time()) + 3600):
        words = ["docker", "create", f"--label={LABEL}={until}", "--network=none", image]
        names[until] = subprocess.run(words, capture_output=True, check=True).stdout.decode().strip()[:12]
    try:
        open_containers(host=DOCKER_HOST, image=image, home=tmp_path, spare=()).close()
        there = subprocess.run(["docker", "ps", "--all", "--quiet"], capture_output=True, check=True).stdout.decode()
        assert [name in there for name in names.values()] == [False, True]
    finally:
        subprocess.run(["docker", "rm", "--force", *names.values()], capture_output=True, check=False)
