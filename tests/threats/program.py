"""The whole program as a workflow starts it, within bounds, and tool caches in which a tool of ours does evil."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from settings import FORMATS
from tests.conftest import real_toolbox

ROOT = Path(__file__).resolve().parents[2]
CANARY = "c4n4ry-5e81"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: NAME}\nspec: {containers: [{name: app, image: a}]}\n"
BAD = POD.replace("image: a", "image: a, securityContext: {privileged: true}")
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
EXTERNAL = ("polaris", "kube-score", "trivy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of one start of the program."""

    code: int
    out: str
    err: str
    seconds: float


def gate(
    *words: str | Path,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    memory: int | None = None,
    patience: float = 120,
) -> Run:
    """Start it in ``cwd``; ``memory`` bounds the bytes of address space of itself and of every child."""
    bound = [] if memory is None else ["/usr/bin/prlimit", f"--as={memory}"]
    start = time.monotonic()
    done = subprocess.run(
        [*bound, sys.executable, ROOT / "entrypoint.py", *map(str, words)],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        timeout=patience,
        check=False,
    )
    seconds = time.monotonic() - start
    # Strict: no output of ours is ever anything else than UTF-8.
    return Run(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode(), seconds=seconds)


def native(
    *words: str | Path,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    memory: int | None = None,
) -> Run:
    """``scan`` below ``cwd``, judged by the scanner that is no process."""
    own = ("scan", *words, "--root", cwd, "--scanners", "native")
    return gate(*own, cwd=cwd, environment=environment, memory=memory)


def audit(run: Run) -> Any:
    """What a run with ``--format json`` printed."""
    assert run.out, run.err
    return json.loads(run.out)


def failed(value: Any, control: str) -> list[str]:
    """Names of the objects on which a control failed, sorted; one row a subject."""
    names = {row["id"]: row["name"] for row in value["resources"]}
    return sorted(names[row["resource"]] for row in value["results"] if row["control"] == control)


def reports(folder: Path) -> tuple[str, ...]:
    """Options that write every format that there is into ``folder``."""
    return tuple(f"--format={name}={folder / name}" for name in FORMATS)


def written(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and text of every report in ``folder``, all of which are there."""
    for name in FORMATS:
        yield name, (folder / name).read_bytes().decode()


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Files below ``root``, which is returned."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def tool_cache(folder: Path, **evil: str) -> dict[str, str]:
    """The environment that names a tool cache with the real tools, but for shell scripts that stand in for some."""
    real = real_toolbox()
    for name in real.names:
        place = folder / "tools" / f"{name}@{real.pin(name).version}"
        script = evil.get(name.replace("-", "_"))
        if script is None:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(real.home / "tools" / place.name)
            continue
        pin = real.pin(name)
        asked = " ".join(pin.version_arguments)
        text = f'#!/bin/sh\nif [ "$*" = "{asked}" ]; then echo "{pin.version_answer}"; exit 0; fi\n{script}\n'
        write(place, {name: text})
        (place / name).chmod(0o755)
    return {"HARDENING_GATE_HOME": str(folder)}


def enterable(place: Path) -> Path:
    """``place``, made a folder that nobody may enter, together with those of ours above it."""
    place.mkdir(exist_ok=True)
    for folder in (place, *place.parents):
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    return place
