"""The picture of the README is what the program prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.tools
def test_the_picture_is_what_the_program_prints() -> None:
    picture = re.search(r"```\n(BLOCKED .*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert picture
    shop = ROOT / "examples" / "shop"
    run = subprocess.run(
        [sys.executable, ROOT / "entrypoint.py", "scan", "worse", "--root", "worse", "--base", "base"],
        cwd=shop,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    shown = [line for line in picture[1].splitlines() if "…" not in line]
    assert run.stdout.splitlines()[: len(shown)] == shown
