"""Scanners that misbehave: scripts that take the place of a pinned binary."""

from __future__ import annotations

import json
from pathlib import Path

from process import Sandbox
from scanners.base import ScanContext
from toolbox import Toolbox

CRASH = "echo 'panic: nil map' >&2; exit 2"
GARBAGE = "echo 'Update available! {'"
SILENCE = "exit 0"
HANG = "/bin/sleep 60"
BINARY = "printf '\\377\\376{'"
OTHER_SHAPE = 'echo \'{"Results": [{"Name": 1}], "x": 1}\''
FLOOD = "/bin/cat /dev/zero"
WAYS_TO_FAIL = (CRASH, GARBAGE, SILENCE, HANG, BINARY, OTHER_SHAPE, FLOOD)


def fake_toolbox(folder: Path, name: str, script: str) -> Toolbox:
    """A toolbox in which ``name`` is this shell script."""
    pins = folder / "pins.json"
    row = {"name": name, "version": "1.2.3", "version_arguments": [], "version_answer": "1.2.3"}
    pins.write_text(json.dumps({"tools": [row], "denied": []}), encoding="utf-8")
    binary = folder / "tools" / f"{name}@1.2.3" / name
    binary.parent.mkdir(parents=True, exist_ok=True)
    binary.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    binary.chmod(0o755)
    return Toolbox(folder, pins=pins)


def context(sandbox: Sandbox, toolbox: Toolbox, timeout: float = 120) -> ScanContext:
    """What an adapter gets."""
    return ScanContext(sandbox=sandbox, toolbox=toolbox, kube_version="1.34", timeout=timeout)
