"""The page of controls says what the catalogue says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controls import catalogue
from tools import controls_page

ROOT = Path(__file__).resolve().parents[2]
CONTROLS = catalogue.load().controls


def test_the_page_is_current() -> None:
    assert controls_page.main(["--check"]) == 0, f"run {controls_page.COMMAND}"


def test_every_control_has_one_row_with_its_severity() -> None:
    rows = re.findall(r"(?m)^\| `([\w-]+)`<br>.*? \| (\w+) \| ", controls_page.render())
    assert dict(rows) == {id_: control.severity for id_, control in CONTROLS.items()}
    assert len(rows) == len(CONTROLS)


def test_every_link_of_the_index_leads_to_a_heading() -> None:
    page = controls_page.render()
    links = re.findall(r"\]\(#([\w-]+)\)", page)
    assert links
    assert set(links) == set(re.findall(r"(?m)^## ([\w-]+)$", page))


def test_a_page_that_is_absent_or_old_is_told_with_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "controls.md"
    assert controls_page.main(["--check"], page) == 1
    assert controls_page.COMMAND in capsys.readouterr().err
    assert controls_page.main([], page) == 0
    assert controls_page.main(["--check"], page) == 0
    page.write_text(page.read_text(encoding="utf-8").replace("critical", "low", 1), encoding="utf-8")
    assert controls_page.main(["--check"], page) == 1


def test_numbers_of_controls_in_the_readme_are_true() -> None:
    for name in ("README.md", "docs/usage.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert [number for number in re.findall(r"(\d+) controls\b", text) if int(number) != len(CONTROLS)] == []
