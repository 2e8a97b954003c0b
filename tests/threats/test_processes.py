"""Scanners that have been taken over, put in the place of the pinned ones, and the whole program around them."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scanners.fakes import WAYS_TO_FAIL
from tests.test_process import alive, wait_for_descendants
from tests.threats.program import (
    BAD,
    CANARY,
    CHART,
    EXTERNAL,
    ROOT,
    audit,
    enterable,
    failed,
    gate,
    reports,
    tool_cache,
    write,
)

DUMP = """
echo "arguments: $*"
/usr/bin/env
pids="self 1"
pid=$PPID
while [ "${pid:-0}" -gt 0 ]; do
  pids="$pids $pid"
  pid=$(/bin/sed -n 's/^PPid:[[:space:]]*//p' /proc/$pid/status)
done
for pid in $pids; do
  /usr/bin/tr '\\0' '\\n' </proc/$pid/environ
  /usr/bin/tr '\\0' '\\n' </proc/$pid/cmdline
  /bin/ls -l /proc/$pid/fd /proc/$pid/cwd
  /bin/cat /proc/$pid/fd/0 /proc/$pid/fd/3 /proc/$pid/fd/4 /proc/$pid/mem
done
/bin/cat FILES
[ -w /var/run/docker.sock ] && echo "docker" "socket" "open"
exit 2
"""
SECRETS = ("GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "INPUT_TOKEN", "GH_TOKEN")


@pytest.mark.threat("P5", "P9")
@pytest.mark.tools
@pytest.mark.parametrize("tool", ["polaris", "helm"])
def test_a_tool_that_looks_everywhere_finds_no_secret_of_the_step(tool: str, tmp_path: Path) -> None:
    secret = f"{CANARY}-{tool}"
    place = enterable(tmp_path / "runner")
    files = [place / "event.json", place / "credentials.config", place / "output"]
    for file in files:
        file.write_text(secret, encoding="utf-8")
        file.chmod(0o600)
    loot = place / "loot"
    loot.mkdir()
    loot.chmod(0o777)
    # An ordinary user's children may read what is the user's: only root can give them another user.
    paths = " ".join(map(str, files)) if os.geteuid() == 0 else "/dev/null"
    home = tool_cache(tmp_path / "cache", **{tool: f"exec >{loot}/found 2>&1\n" + DUMP.replace("FILES", paths)})
    root = write(place / "repository", {"a.yaml": BAD, "web/Chart.yaml": CHART})
    tokens = {**dict.fromkeys(SECRETS, secret), "ACTIONS_CACHE_URL": f"https://{secret}"}
    runner = {"GITHUB_OUTPUT": str(files[2]), "GITHUB_EVENT_PATH": str(files[0])}
    words = ("scan", ".", "--root", root, "--scanners", "native,polaris", "--set", "web=a=b", "--verbose")
    run = gate(*words, cwd=root, environment={**home, **tokens, **runner})
    found = (loot / "found").read_bytes().decode(errors="replace")
    assert run.code == 3, run.err
    assert "arguments: " in found
    assert "HOME=" in found
    assert "Permission denied" in found
    assert not re.search(r"GITHUB_|ACTIONS_|INPUT_|docker socket open", found)
    assert secret not in found + run.out + run.err


DEEP = "/usr/bin/head -c 3000000 /dev/zero | /usr/bin/tr '\\0' '['"
BOMB = "exec /usr/bin/head -c 400000000 /dev/zero"


@pytest.mark.threat("P2", "P3", "P11")
@pytest.mark.parametrize("script", [*WAYS_TO_FAIL, DEEP, BOMB], ids=lambda text: text[:14])
def test_a_scanner_that_misbehaves_is_told_and_never_passed_for(script: str, tmp_path: Path) -> None:
    home = tool_cache(tmp_path / "cache", kube_score=script)
    root = write(tmp_path / "r", {"a.yaml": BAD})
    words = ("scan", ".", "--root", root, "--scanners", "native,kube-score", "--timeout", "2", "--format", "json")
    run = gate(*words, cwd=root, environment=home, memory=12 << 30)
    value = audit(run)
    assert (run.code, run.seconds < 15) == (3, True), run.err
    assert [(row["scanner"], row["stage"]) for row in value["failures"]] == [("kube-score", "scan")]
    assert {row["name"]: row["status"] for row in value["scanners"]} == {"native": "ok", "kube-score": "failed"}
    assert failed(value, "privileged-container") == ["NAME"]


@pytest.mark.threat("P3")
@pytest.mark.tools
def test_a_scanner_that_is_silent_about_an_object_does_not_pass_it(tmp_path: Path) -> None:
    empty = {"polaris": '{"Results": []}', "kube_score": "[]", "trivy": '{"SchemaVersion": 2, "Results": []}'}
    home = tool_cache(tmp_path / "cache", **{name: f"echo '{report}'" for name, report in empty.items()})
    root = write(tmp_path / "r", {"a.yaml": BAD})
    run = gate("scan", ".", "--root", root, "--format", "json", cwd=root, environment=home)
    assert run.code == 3, run.err
    assert {row["scanner"] for row in audit(run)["failures"]} == set(EXTERNAL)


@pytest.mark.threat("P4")
@pytest.mark.parametrize("answer", ["exit 0", "echo v9.9.9", "echo Polaris version:10.1.30", "exit 1"])
def test_a_tool_of_another_version_ends_the_run_before_it_sees_a_manifest(answer: str, tmp_path: Path) -> None:
    home = tool_cache(tmp_path / "cache", polaris="exit 0")
    (binary,) = (tmp_path / "cache" / "tools").glob("polaris@*/polaris")
    binary.write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
    root = write(tmp_path / "r", {"a.yaml": BAD, "polaris": "#!/bin/sh\n", "trivy": "#!/bin/sh\n"})
    run = gate("scan", ".", "--root", root, cwd=root, environment={**home, "PATH": f"{root}:{os.environ['PATH']}"})
    assert (run.code, run.out) == (4, "")
    assert "next: Remove it." in run.err


@pytest.mark.threat("P16")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_run_and_all_its_children_and_leaves_no_half_report(
    number: signal.Signals, tmp_path: Path
) -> None:
    script = "trap '' TERM INT HUP; /usr/bin/setsid --fork /bin/sleep 300; /bin/sleep 300 & exec >&- 2>&-; wait"
    home = tool_cache(tmp_path / "cache", polaris=script)
    scratch = enterable(tmp_path / "scratch")
    root = write(tmp_path / "r", {"a.yaml": BAD})
    environment = {**os.environ, **home, "TMPDIR": str(scratch), "GITHUB_OUTPUT": str(tmp_path / "outputs")}
    words = ["scan", ".", "--root", str(root), "--scanners", "native,polaris", *reports(tmp_path / "out")]
    program = [sys.executable, str(ROOT / "entrypoint.py"), *words]
    with subprocess.Popen(
        program, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        children = wait_for_descendants(running.pid, 3)
        start = time.monotonic()
        running.send_signal(number)
        out, _ = running.communicate(timeout=10)
        assert time.monotonic() - start < 1.5
    assert running.returncode == 128 + number
    assert [pid for pid in children if alive(pid)] == []
    assert out == b""
    assert [path.name for path in (scratch, tmp_path / "out") if path.exists() and list(path.iterdir())] == []


ROOMS = ("controls", "manifests", "model", "reporting", "scanners", "verbs")
FILES = tuple(sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py") if path.name != "__init__.py"))
LENGTH = 8000
LONG = 0.04
"""Seconds of the processor; what is linear takes a thousandth, what is quadratic more than this."""


def patterns() -> Iterator[tuple[str, re.Pattern[Any], frozenset[str]]]:
    """Every regular expression that a module of ours compiles, by its name, and the ways in which it is used."""
    everywhere = "".join(file.read_text(encoding="utf-8") for file in FILES)
    for file in FILES:
        own = file.read_text(encoding="utf-8")
        module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
        for name, value in sorted(vars(module).items()):
            if isinstance(value, re.Pattern):
                use = re.compile(rf"\b{name}\.(search|match|fullmatch|sub|finditer|findall|split)\b")
                uses = use.findall(own) or use.findall(everywhere) or ("search",)
                yield f"{module.__name__}.{name}", value, frozenset(uses)


def pumps(pattern: str) -> Iterator[str]:
    """Long texts out of the characters and words that a pattern speaks of, which do not match at their end."""
    words = {
        *pattern,
        *re.findall(r"\w{2,}", pattern),
        "a",
        "0",
        " ",
        "\n",
        "\x1b[",
        "\x1b]",
        "::",
        "##[",
        "a@b:",
        "\\u",
    }
    for word in sorted(words):
        yield word * (LENGTH // len(word)) + "\0!"
        yield f"{word}a" * (LENGTH // len(word) // 2) + "\0"


def seconds(pattern: re.Pattern[Any], use: str, text: str) -> float:
    """What one use of a pattern costs."""
    subject: Any = text.encode() if isinstance(pattern.pattern, bytes) else text
    empty: Any = b"" if isinstance(pattern.pattern, bytes) else ""
    start = time.process_time()
    match use:
        case "sub":
            pattern.sub(empty, subject)
        case "finditer":
            list(pattern.finditer(subject))
        case _:
            getattr(pattern, use)(subject)
    return time.process_time() - start


@pytest.mark.threat("P12")
def test_no_pattern_of_ours_takes_long_for_a_long_text() -> None:
    slow = {
        (name, use, text[:12])
        for name, pattern, uses in patterns()
        for text in pumps(str(pattern.pattern))
        for use in uses
        if seconds(pattern, use, text) > LONG and seconds(pattern, use, text) > LONG
    }
    assert slow == set()
