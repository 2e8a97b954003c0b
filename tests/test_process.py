"""Attacks the real thing: the fake scanners are small shell scripts that do what a subverted scanner would do."""

from __future__ import annotations

import itertools
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model.errors import EnvironmentBrokenError, ExitCode
from process import (
    DEAD_PROXY,
    FIXED,
    KEPT_OF_STDERR,
    NOBODY,
    OPEN_FILES,
    PLACES,
    PROCESSES,
    PROXIES,
    RESERVE,
    End,
    Finished,
    Limits,
    Sandbox,
)

ROOT = os.geteuid() == 0
REPOSITORY = Path(__file__).resolve().parents[1]
CANARY = "canary-5d1f"
GENEROUS = Limits(seconds=30)
BUSY = "while :; do :; done"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


class Bench:
    """Runs shell scripts as children."""

    def __init__(self, sandbox: Sandbox, place: Path) -> None:
        self.sandbox = sandbox
        self.place = place
        self.numbers = itertools.count()

    def script(self, text: str, first: str = "#!/bin/sh") -> Path:
        path = self.place / f"scanner-{next(self.numbers)}"
        path.write_text(f"{first}\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def run(
        self,
        text: str,
        *arguments: str,
        limits: Limits = GENEROUS,
        environment: Mapping[str, str] | None = None,
    ) -> Finished:
        command: tuple[str | Path, ...] = (self.script(text), *arguments)
        with self.sandbox.folder("work") as folder:
            return self.sandbox.run(command, cwd=folder, limits=limits, environment=environment)

    def trust(
        self,
        text: str,
        *arguments: str,
        limits: Limits = GENEROUS,
        environment: Mapping[str, str | None] | None = None,
        stdin: bytes = b"",
    ) -> Finished:
        """As ``run``, as ourselves."""
        command: tuple[str | Path, ...] = (self.script(text), *arguments)
        cwd = self.sandbox.private("work")
        return self.sandbox.run_trusted(command, cwd=cwd, limits=limits, environment=environment, stdin=stdin)


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path) -> Bench:
    return Bench(sandbox, tmp_path)


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def pids(finished: Finished) -> list[int]:
    return [int(word) for word in finished.stdout.split()]


def variables(finished: Finished) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in finished.stdout.decode().split("\0") if pair)


def python(text: str, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Another process of ours, with a sandbox of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", text, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# What a child is told, and what it can find out


@pytest.mark.threat("H7", "P5")
def test_a_child_knows_the_variables_that_we_give_it_and_no_others(bench: Bench) -> None:
    told = variables(bench.run("exec /usr/bin/env -0", environment={"EXTRA": "1"}))
    shell = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert set(told) - shell == {*FIXED, *PLACES, *PROXIES, "EXTRA"}
    assert {told[name] for name in PROXIES} == {DEAD_PROXY}
    assert told["NO_PROXY"] == ""


def test_every_place_that_a_child_is_told_lies_in_the_private_folder_and_is_gone_afterwards(bench: Bench) -> None:
    told = variables(bench.run('echo x >"$HOME/x" && echo x >"$TMPDIR/x" && exec /usr/bin/env -0'))
    places = [Path(told[name]) for name in PLACES]
    assert all(place.is_relative_to(bench.sandbox.root) for place in places)
    assert not any(place.exists() for place in places)


@pytest.mark.threat("H7")
def test_what_one_child_leaves_in_its_home_the_next_one_does_not_find(bench: Bench) -> None:
    bench.run('echo plugin >"$HOME/.plugin"')
    assert bench.run('exec /bin/ls -A "$HOME"').stdout.split() == [b"tmp"]


@pytest.mark.threat("P5")
def test_a_child_finds_our_canary_nowhere_in_proc() -> None:
    text = """
import os, sys
from process import Limits, Sandbox
files = ' '.join(f'/proc/{pid}/environ' for pid in ('self', '1', '$PPID', '$1'))
script = f'/bin/cat {files} /proc/$1/mem; /bin/ls /proc/$1/fd /proc/$1/cwd'
with Sandbox() as sandbox, sandbox.folder('x') as folder:
    done = sandbox.run(['/bin/sh', '-c', script, 'sh', str(os.getpid())], cwd=folder, limits=Limits(seconds=20))
    print(done.stdout, done.stderr)
"""
    with python(text, environment={"GITHUB_TOKEN": CANARY}) as ours:
        out, err = ours.communicate(timeout=60)
    assert ours.returncode == 0, err
    assert "HOME=" in out
    assert CANARY not in out
    assert "Permission denied" in out


@pytest.mark.threat("P5")
def test_a_child_is_nobody_where_we_are_root_and_we_ourselves_else(bench: Bench) -> None:
    status = bench.run("exec /bin/cat /proc/self/status").stdout.decode()
    field = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    who = [str(NOBODY)] * 4 if ROOT else [str(os.geteuid())] * 4
    assert bench.sandbox.unprivileged is ROOT
    assert field["Uid"].split() == who
    assert not ROOT or field["Gid"].split() == who
    assert not ROOT or not field["Groups"].strip()
    assert {int(field[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert field["NoNewPrivs"] == "1"


@pytest.mark.threat("P5")
def test_a_child_of_root_reads_nothing_of_roots_and_a_child_of_an_ordinary_user_what_is_the_users(
    bench: Bench, tmp_path: Path
) -> None:
    secret = tmp_path / "credentials"
    secret.write_text(CANARY, encoding="utf-8")
    secret.chmod(0o600)
    done = bench.run('/bin/cat "$1"; /bin/ls "$2"; echo x >"$2/x"', str(secret), str(bench.sandbox.root))
    if not ROOT:
        assert done.stdout.decode().startswith(CANARY)
        return
    assert done.stdout == b""
    assert done.stderr.count("ermission denied") == 3


@pytest.mark.threat("P5")
def test_a_child_inherits_no_descriptor_of_ours(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(CANARY, encoding="utf-8")
    with secret.open(encoding="utf-8") as stream:
        os.set_inheritable(stream.fileno(), True)  # noqa: FBT003 - takes no keyword
        done = bench.run("exec /bin/ls -l /proc/self/fd")
    assert b"secret" not in done.stdout
    assert b"/dev/null" in done.stdout


@pytest.mark.threat("P2")
def test_a_child_has_no_terminal_and_nothing_to_read(bench: Bench) -> None:
    done = bench.run("/bin/cat; (: </dev/tty) 2>/dev/null || echo no terminal")
    assert (done.end, done.stdout) == (End.EXITED, b"no terminal\n")


def test_a_child_works_where_it_is_told_and_may_write_there(sandbox: Sandbox) -> None:
    with sandbox.folder("work") as folder:
        done = sandbox.run(("/bin/sh", "-c", "pwd && echo x >x"), cwd=folder, limits=GENEROUS)
        assert done.stdout.decode().strip() == str(folder)
        assert (folder / "x").read_text(encoding="utf-8") == "x\n"


def test_no_child_starts_outside_the_private_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="folders of the sandbox only"):
        sandbox.run(("/bin/true",), cwd=tmp_path, limits=GENEROUS)


# How a child is named


@pytest.mark.threat("P1")
def test_arguments_reach_the_child_as_they_are(bench: Bench) -> None:
    words = ("--as=1", "-o", "--", "", "a b", "$(id)", "*", "--output-format=human", "-\n", "\udcff")
    done = bench.run("printf '%s\\0' \"$@\"", *words)
    assert done.stdout == b"".join(os.fsencode(word) + b"\0" for word in words)


def test_a_command_behind_a_link_starts(bench: Bench, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(bench.script("echo started"))
    with bench.sandbox.folder("work") as folder:
        assert bench.sandbox.run((link,), cwd=folder, limits=GENEROUS).stdout == b"started\n"


def test_a_command_in_a_folder_that_only_we_may_enter_starts(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    closed = Bench(bench.sandbox, tmp_path / "closed")
    assert closed.run("echo started").stdout == b"started\n"


def test_a_relative_command_is_refused(sandbox: Sandbox) -> None:
    with sandbox.folder("work") as folder, pytest.raises(ValueError, match="not an absolute path: sh"):
        sandbox.run(("sh",), cwd=folder, limits=GENEROUS)


@pytest.mark.parametrize("what", ["absent", "folder", "not-executable", "no-interpreter", "open-to-none"])
def test_a_command_that_cannot_start_is_a_broken_environment_with_a_remedy(bench: Bench, what: str) -> None:
    program = bench.script("echo never", "#!/nonexistent/sh" if what == "no-interpreter" else "#!/bin/sh")
    if what == "absent":
        program = program.with_name("absent")
    elif what == "folder":
        program = program.parent
    elif what == "not-executable":
        program.chmod(0o644)
    elif what == "open-to-none":
        program.chmod(0o000)
    with bench.sandbox.folder("work") as folder, pytest.raises(EnvironmentBrokenError) as raised:
        bench.sandbox.run((program,), cwd=folder, limits=GENEROUS)
    assert raised.value.exit_code is ExitCode.ENVIRONMENT
    assert str(program) in raised.value.message
    assert raised.value.remedy


def test_more_arguments_than_the_kernel_takes_are_a_broken_environment(bench: Bench) -> None:
    with pytest.raises(EnvironmentBrokenError, match="Argument list too long"):
        bench.run("echo never", *["x" * 100_000] * 100)


# How a child ends


@pytest.mark.parametrize("code", [0, 1, 3, 126, 255])
def test_an_exit_code_is_passed_on(bench: Bench, code: int) -> None:
    done = bench.run(f"echo out; echo err >&2; exit {code}")
    assert (done.end, done.exit_code, done.stdout, done.stderr) == (End.EXITED, code, b"out\n", "err\n")


def test_a_signal_that_ends_a_child_is_told(bench: Bench) -> None:
    done = bench.run("kill -SEGV $$")
    assert (done.end, done.exit_code) == (End.SIGNALLED, 128 + signal.SIGSEGV)


@pytest.mark.parametrize(
    "text",
    [
        "exec /bin/sleep 300",
        f"trap '' TERM INT HUP QUIT; {BUSY}",
        "exec >&- 2>&-; /bin/sleep 300",
        "/usr/bin/yes >&2",
        "kill -STOP $$",
    ],
    ids=["hangs", "ignores signals", "closes its pipes", "chats", "stops itself"],
)
@pytest.mark.threat("P2")
def test_a_child_that_does_not_end_is_ended(bench: Bench, text: str) -> None:
    done = bench.run(text, limits=Limits(seconds=0.5))
    assert (done.end, done.exit_code) == (End.TIMED_OUT, 128 + signal.SIGKILL)
    assert 0.5 <= done.seconds < 5


def test_what_was_printed_before_the_time_ran_out_is_kept(bench: Bench) -> None:
    assert bench.run("echo early; exec /bin/sleep 300", limits=Limits(seconds=0.5)).stdout == b"early\n"


@pytest.mark.parametrize(
    "text",
    [
        "/bin/sleep 300 & echo $!",
        "/usr/bin/setsid /bin/sh -c 'echo $$; exec /bin/sleep 300' & /bin/sleep 0.3",
        "/usr/bin/setsid --fork /bin/sh -c 'echo $$; exec /bin/sleep 300 >/dev/null 2>&1'; /bin/sleep 0.3",
        "/usr/bin/setsid --fork /bin/sh -c 'echo $$; /usr/bin/setsid /bin/sleep 300 & echo $!; wait'; /bin/sleep 0.3",
        "set -m; /bin/sleep 300 & echo $!",
        "(/usr/bin/setsid /usr/bin/env -i /bin/sleep 300 & echo $!); /bin/sleep 0.3" if ROOT else "echo 999999999",
    ],
    ids=["background", "own session", "daemon", "daemon of a daemon", "own group", "daemon without environment"],
)
@pytest.mark.parametrize("hang", [False, True], ids=["child ends", "child is ended"])
@pytest.mark.threat("P2")
def test_nothing_outlives_a_child(bench: Bench, text: str, *, hang: bool) -> None:
    done = bench.run(f"{text}\n{BUSY if hang else ''}", limits=Limits(seconds=1.5))
    assert done.end is (End.TIMED_OUT if hang else End.EXITED)
    assert done.seconds < 5
    assert pids(done)
    assert [pid for pid in pids(done) if alive(pid)] == []


@pytest.mark.threat("P2")
def test_a_whole_tree_of_processes_ends(bench: Bench) -> None:
    tree = (
        "echo $$; for i in 1 2 3 4 5 6; do (/bin/sleep 300 & echo $!; exec /bin/sleep 300) & done; exec /bin/sleep 300"
    )
    done = bench.run(tree, limits=Limits(seconds=1))
    assert len(pids(done)) == 7
    assert [pid for pid in pids(done) if alive(pid)] == []


def test_ending_one_child_leaves_the_others_alone(bench: Bench) -> None:
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(bench.run, "( (/bin/sleep 1; echo orphan) & ); /bin/sleep 1.5; echo child")
        while not patient.done():
            bench.run("/usr/bin/setsid --fork /bin/sleep 300")
    assert (patient.result().end, patient.result().stdout) == (End.EXITED, b"orphan\nchild\n")


def test_many_children_at_once_do_not_mix(bench: Bench) -> None:
    with ThreadPoolExecutor(8) as pool:
        script = bench.script('i=0; while [ $i -lt 200 ]; do echo "$1"; i=$((i+1)); done; exit "$1"')

        def one(number: int) -> Finished:
            with bench.sandbox.folder("work") as folder:
                return bench.sandbox.run((script, str(number)), cwd=folder, limits=GENEROUS)

        done = list(pool.map(one, range(60)))
    assert [one.exit_code for one in done] == list(range(60))
    assert [one.stdout for one in done] == [f"{number}\n".encode() * 200 for number in range(60)]


def test_an_exception_in_the_middle_of_a_run_leaves_no_child(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def interrupt(number: int, _: object) -> None:
        raise KeyboardInterrupt(number)

    def attend(watch: object, deadline: float, _: object) -> End:
        assert deadline
        started.append(watch.child.pid)  # type: ignore[attr-defined]  # a fake of a private method
        signal.raise_signal(signal.SIGUSR1)
        return End.EXITED

    before = signal.signal(signal.SIGUSR1, interrupt)
    monkeypatch.setattr(bench.sandbox._children, "_attend", attend)
    try:
        with pytest.raises(KeyboardInterrupt):
            bench.run("exec /bin/sleep 300")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(started) == 1
    assert not alive(started[0])


# What a child may print


@pytest.mark.threat("P2", "P11")
def test_gigabytes_of_output_end_a_child_and_only_the_limit_is_kept(bench: Bench) -> None:
    done = bench.run("exec /usr/bin/yes", limits=Limits(seconds=30, output=1_000_001))
    assert (done.end, len(done.stdout)) == (End.TOO_MUCH_OUTPUT, 1_000_001)
    assert done.seconds < 10


def test_output_of_exactly_the_limit_is_not_too_much(bench: Bench) -> None:
    text = "exec /usr/bin/head -c 300000 /dev/zero"
    assert bench.run(text, limits=Limits(seconds=30, output=300_000)).end is End.EXITED
    assert bench.run(text, limits=Limits(seconds=30, output=299_999)).end is End.TOO_MUCH_OUTPUT


@pytest.mark.threat("P2")
def test_of_a_flood_on_standard_error_beginning_and_end_are_kept(bench: Bench) -> None:
    done = bench.run("exec >&2; echo first; /usr/bin/yes middle | /usr/bin/head -c 3000000; echo; echo last")
    assert done.stderr.startswith("first\nmiddle\n")
    assert done.stderr.endswith("\nlast\n")
    assert re.search(r"\n\[\d+ bytes left out\]\n", done.stderr)
    assert KEPT_OF_STDERR - 200 < len(done.stderr.encode()) <= KEPT_OF_STDERR


def test_a_short_standard_error_is_kept_whole(bench: Bench) -> None:
    done = bench.run("/usr/bin/head -c 60000 /dev/zero >&2")
    assert done.stderr == "\0" * 60000


@pytest.mark.threat("P3")
def test_output_that_is_not_utf_8_is_kept_as_bytes_and_replaced_in_standard_error(bench: Bench) -> None:
    done = bench.run("printf '\\377\\000\\303'; printf 'a\\377b' >&2")
    assert (done.stdout, done.stderr) == (b"\xff\0\xc3", "a\N{REPLACEMENT CHARACTER}b")


# What a child may use


@pytest.mark.threat("H2", "P2")
def test_the_limits_hold_in_the_child(bench: Bench) -> None:
    text = "exec /bin/cat /proc/self/limits"
    rows = bench.run(text, limits=Limits(seconds=10, memory=1 << 30, file_size=1 << 20)).stdout.decode()
    limits = {name: (soft, hard) for name, soft, hard in re.findall(r"(?m)^Max (.+?)  +(\S+) +(\S+)", rows)}
    files = min(OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1] % (1 << 62))
    assert limits["address space"] == (str(1 << 30),) * 2
    assert limits["file size"] == (str(1 << 20),) * 2
    assert limits["core file size"] == ("0", "0")
    assert limits["open files"] == (str(files),) * 2
    assert limits["cpu time"] == (str(11 * (os.cpu_count() or 1)),) * 2
    assert not ROOT or limits["processes"] == (str(PROCESSES),) * 2


@pytest.mark.threat("H2")
def test_a_child_that_eats_memory_fails(bench: Bench) -> None:
    done = bench.run(
        "exec /bin/dd if=/dev/zero of=/dev/null bs=600M count=1", limits=Limits(seconds=30, memory=256 << 20)
    )
    assert (done.end, done.exit_code) == (End.EXITED, 1)
    assert "memory" in done.stderr


@pytest.mark.threat("F6")
def test_a_child_that_writes_a_big_file_is_ended(bench: Bench) -> None:
    text = "exec /bin/dd if=/dev/zero of=big bs=1M count=50"
    done = bench.run(text, limits=Limits(seconds=30, file_size=1 << 20))
    assert (done.end, done.exit_code) == (End.SIGNALLED, 128 + signal.SIGXFSZ)


@pytest.mark.threat("F6")
def test_a_child_that_fills_the_disk_is_ended(tmp_path: Path) -> None:
    sizes = iter([RESERVE] * 3)
    with Sandbox(free=lambda _: next(sizes, 0)) as sandbox, sandbox.folder("work") as folder:
        done = sandbox.run((Bench(sandbox, tmp_path).script("/bin/sleep 300"),), cwd=folder, limits=GENEROUS)
    assert done.end is End.DISK_FULL


@pytest.mark.threat("F6")
def test_without_free_space_nothing_begins_and_nothing_stays(tmp_path: Path) -> None:
    place = open_folder(tmp_path)
    with pytest.raises(EnvironmentBrokenError, match="Only 255 MiB are free") as raised:
        Sandbox(temporary=place, free=lambda _: RESERVE - 1)
    assert "TMPDIR" in raised.value.remedy
    assert list(place.iterdir()) == []


def open_folder(place: Path) -> Path:
    """A folder below ``place`` that nobody may enter, the folders above it included."""
    for folder in (place, *place.parents):
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    fresh = place / "open"
    fresh.mkdir()
    return fresh


def test_a_temporary_folder_that_the_children_cannot_enter_is_told(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    if not ROOT:
        with Sandbox(temporary=closed) as sandbox:
            assert sandbox.root.parent == closed
        return
    with pytest.raises(EnvironmentBrokenError, match="cannot enter") as raised:
        Sandbox(temporary=closed)
    assert "TMPDIR" in raised.value.remedy
    assert list(closed.iterdir()) == []


@pytest.mark.parametrize("capability", ["setuid", "setgid", "kill", "chown", "dac_override"])
@pytest.mark.threat("P5")
def test_root_that_cannot_confine_children_starts_none_and_an_ordinary_user_needs_no_capability(
    capability: str,
) -> None:
    without = ("/usr/bin/setpriv", f"--bounding-set=-{capability}") if ROOT else ()
    done = subprocess.run(
        [*without, sys.executable, "-c", "import process; process.Sandbox().close()"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (1 if ROOT else 0)
    assert not ROOT or f"root without the capabilities {capability.upper()}:" in done.stderr


# What is trusted, and what is ours alone


@pytest.mark.threat("P5", "P6")
def test_a_trusted_program_is_ourselves_and_knows_no_more_than_any_child(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", CANARY)
    secret = tmp_path / "secret"
    secret.write_text(CANARY, encoding="utf-8")
    secret.chmod(0o600)
    assert bench.trust('exec /bin/cat "$1"', str(secret)).stdout.decode() == CANARY
    assert bench.trust("exec /usr/bin/id -u").stdout.decode() == f"{os.geteuid()}\n"
    assert "NoNewPrivs:\t1" in bench.trust("exec /bin/cat /proc/self/status").stdout.decode()
    told = variables(
        bench.trust("exec /usr/bin/env -0", environment={"EXTRA": "1", "HTTPS_PROXY": "p", "NO_PROXY": None})
    )
    shell = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert set(told) - shell == {*FIXED, *PLACES, *PROXIES, "EXTRA"} - {"NO_PROXY"}
    assert (told["HTTPS_PROXY"], told["https_proxy"]) == ("p", DEAD_PROXY)
    assert all(Path(told[name]).is_relative_to(bench.sandbox.root) for name in PLACES)
    assert not Path(told["HOME"]).exists()


def test_a_trusted_program_reads_what_it_is_given_and_nothing_else(bench: Bench) -> None:
    large = os.urandom(1 << 20)
    assert bench.trust("exec /bin/cat", stdin=large).stdout == large
    assert bench.trust("exec /bin/cat").stdout == b""
    assert [path.name for path in bench.sandbox.root.iterdir() if path.is_file()] == []


@pytest.mark.parametrize(
    "text",
    [
        "/bin/sleep 300 & echo $!",
        "/usr/bin/setsid --fork /bin/sh -c 'echo $$; exec /bin/sleep 300 >/dev/null 2>&1'; /bin/sleep 0.3",
        "/usr/bin/setsid --fork /bin/sh -c 'echo $$; /usr/bin/setsid /bin/sleep 300 & echo $!; wait'; /bin/sleep 0.3",
    ],
    ids=["background", "daemon", "daemon of a daemon"],
)
@pytest.mark.parametrize("hang", [False, True], ids=["child ends", "child is ended"])
def test_nothing_outlives_a_trusted_program(bench: Bench, text: str, *, hang: bool) -> None:
    done = bench.trust(f"{text}\n{BUSY if hang else ''}", limits=Limits(seconds=1.5))
    assert done.end is (End.TIMED_OUT if hang else End.EXITED)
    assert pids(done)
    assert [pid for pid in pids(done) if alive(pid)] == []


def test_a_trusted_program_has_limits_and_no_other_folder_than_ours(bench: Bench, tmp_path: Path) -> None:
    done = bench.trust("ulimit -v; ulimit -f; ulimit -n", limits=Limits(seconds=9, memory=1 << 30, file_size=1 << 20))
    assert done.stdout.split() == [b"%d" % (1 << 20), b"%d" % (1 << 11), b"%d" % OPEN_FILES]
    assert bench.trust("exec /usr/bin/yes", limits=Limits(seconds=9, output=10)).end is End.TOO_MUCH_OUTPUT
    with pytest.raises(ValueError, match="folders of the sandbox only"):
        bench.sandbox.run_trusted(("/bin/true",), cwd=tmp_path, limits=GENEROUS)


@pytest.mark.threat("P5")
def test_a_private_folder_is_closed_to_children_of_root_and_goes_with_the_sandbox(bench: Bench) -> None:
    folder = bench.sandbox.private("ours")
    (folder / "x").write_text(CANARY, encoding="utf-8")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert bench.sandbox.private("ours") != folder
    if ROOT:
        assert bench.run('/bin/cat "$1"/x; /bin/ls "$1"', str(folder)).stdout == b""
    bench.sandbox.close()
    assert not folder.exists()
    with pytest.raises(EnvironmentBrokenError, match="told to stop"):
        bench.sandbox.private("late")


# What remains


@pytest.mark.threat("F6")
def test_leaving_removes_everything_that_children_have_locked_linked_and_nested(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("kept", encoding="utf-8")
    mode = (tmp_path / "outside").stat().st_mode
    text = (
        '/bin/mkdir -p a/b c && echo x >a/b/x && /bin/ln -s "$1" c/link && /bin/ln -s "$1" link && /bin/ln -s . c/loop'
        " && /usr/bin/mkfifo c/pipe && /bin/chmod 000 a/b a && /bin/chmod 500 c && /bin/chmod 000 ."
    )
    with Sandbox() as sandbox:
        with sandbox.folder("work") as folder:
            script = Bench(sandbox, tmp_path).script(text)
            done = sandbox.run((script, str(tmp_path / "outside")), cwd=folder, limits=GENEROUS)
            assert (done.exit_code, done.stderr) == (0, "")
        assert not folder.exists()
    assert not sandbox.root.exists()
    assert (tmp_path / "outside" / "kept").read_text(encoding="utf-8") == "kept"
    assert (tmp_path / "outside").stat().st_mode == mode


@pytest.mark.threat("F6")
def test_leaving_removes_folders_nested_deeper_than_a_path_may_be_long(bench: Bench) -> None:
    deep = "d/" * 1500
    done = bench.run(f"for i in 1 2 3; do /bin/mkdir -p {deep} && cd -P {deep} 2>/dev/null; done; echo x >x; echo made")
    assert done.stdout == b"made\n"
    assert [path.name for path in bench.sandbox.root.iterdir()] == []


def test_the_private_folder_can_be_listed_by_us_only(sandbox: Sandbox) -> None:
    assert stat.S_IMODE(sandbox.root.stat().st_mode) == 0o711
    with sandbox.folder("work") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.stat().st_uid == (NOBODY if ROOT else os.geteuid())


@pytest.mark.parametrize("name", ["", "a/b", "../x"])
def test_a_folder_has_one_name(sandbox: Sandbox, name: str) -> None:
    with pytest.raises(ValueError, match="not the name of one folder"), sandbox.folder(name):
        pass


def test_folders_of_one_name_are_different(sandbox: Sandbox) -> None:
    with sandbox.folder("x") as one, sandbox.folder("x") as other:
        assert one != other


@pytest.mark.threat("P16")
def test_closing_ends_children_of_other_threads_and_no_more_are_started(tmp_path: Path) -> None:
    sandbox = Sandbox()
    bench = Bench(sandbox, tmp_path)
    results: list[Finished] = []
    threads = [
        threading.Thread(target=lambda: results.append(bench.run("exec /bin/sleep 300", limits=GENEROUS)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    time.sleep(0.3)
    start = time.monotonic()
    sandbox.close()
    for thread in threads:
        thread.join(5)
    assert time.monotonic() - start < 1
    assert [one.end for one in results] == [End.SIGNALLED] * 3
    assert not sandbox.root.exists()
    with pytest.raises(EnvironmentBrokenError, match="told to stop"):
        bench.run("echo never")
    sandbox.close()


HANDLERS = {
    "leaves at once": "process.kill_all(); os._exit(128 + number)",
    "raises": "sandbox.kill_all(); sys.exit(128 + number)",
}


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=list(HANDLERS))
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("threads", [0, 3])
@pytest.mark.threat("P16")
def test_a_signal_ends_us_and_all_children_within_a_second(handler: str, number: signal.Signals, threads: int) -> None:
    text = f"""
import os, signal, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import process
def leave(number, _):
    {handler}
signal.signal(signal.SIGTERM, leave); signal.signal(signal.SIGINT, leave)
script = "trap '' TERM INT; /usr/bin/setsid --fork /bin/sleep 300; /bin/sleep 300 & echo $$ $!; exec >&-; wait"
with process.Sandbox() as sandbox:
    def one(_):
        with sandbox.folder('x') as folder:
            return sandbox.run(['/bin/sh', '-c', script], cwd=folder, limits=process.Limits(seconds=60))
    print(sandbox.root, flush=True)
    if {threads}:
        with ThreadPoolExecutor({threads}) as pool:
            list(pool.map(one, range({threads})))
    else:
        one(0)
"""
    with python(text) as ours:
        assert ours.stdout is not None
        root = Path(ours.stdout.readline().strip())
        wanted = max(threads, 1) * 3
        children = wait_for_descendants(ours.pid, wanted)
        start = time.monotonic()
        ours.send_signal(number)
        assert ours.wait(10) == 128 + number
        assert time.monotonic() - start < 1
    assert len(children) == wanted
    assert [pid for pid in children if alive(pid)] == []
    assert not root.exists()


def wait_for_descendants(pid: int, wanted: int) -> set[int]:
    """The processes below ``pid`` once there are as many as wanted."""
    deadline = time.monotonic() + 10
    found: set[int] = set()
    while time.monotonic() < deadline:
        found = set(descendants(pid))
        if len(found) == wanted and all(b"sleep" in name(one) or b"sh" in name(one) for one in found):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{len(found)} of {wanted} children started")


def name(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def descendants(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (thread / "children").read_text(encoding="ascii").split()):
            yield child
            if alive(child):
                yield from descendants(child)


def test_starting_a_child_costs_little_more_than_the_child_itself(sandbox: Sandbox) -> None:
    with sandbox.folder("work") as folder:

        def confined() -> None:
            sandbox.run(("/bin/true",), cwd=folder, limits=GENEROUS)

        def bare() -> None:
            subprocess.run(["/bin/true"], stdin=subprocess.DEVNULL, capture_output=True, check=True)

        overhead = fastest(confined) - fastest(bare)
    assert overhead < 0.02  # 3.5 ms on two quiet cores; the test runs beside others


def fastest(work: object) -> float:
    """Seconds of the best of 20: what else runs on the machine only ever adds."""
    assert callable(work)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def test_private_folders_never_go_into_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # Python's last resort where nothing else is writable
    with pytest.raises(EnvironmentBrokenError, match="No temporary folder"):
        Sandbox()
    assert list(tmp_path.iterdir()) == []
