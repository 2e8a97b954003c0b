from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.security_page import BEGIN, END, PAGE, ROWS, Proof, Row, main, objections, read_proofs, read_rows, tables

ROOT = Path(__file__).resolve().parents[2]
EMPTY = {"id": "Y1", "attack": "", "must": ""}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one row, one test and a page that knows neither."""
    row = {"id": "Y1", "attack": "a | <b>", "must": "nothing"}
    write(tmp_path, ROWS, json.dumps({"groups": {"Y": "YAML"}, "rows": [row]}))
    write(tmp_path, "tests/test_a.py", '@pytest.mark.threat("Y1")\ndef test_it_is_so() -> None: ...\n')
    write(tmp_path, PAGE, f"# Title\n\n{BEGIN}\nold\n{END}\nlast\n")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def test_the_page_of_this_repository_is_current() -> None:
    assert main(["--check"]) == 0, "run python tools/security_page.py"


def test_every_row_has_a_test_or_a_reason_and_every_marker_a_row() -> None:
    assert objections(read_rows(ROOT), read_proofs(ROOT)) == []


def test_a_row_without_test_and_reason_and_a_marker_without_row_are_told() -> None:
    groups = {"YAML": (Row(id="Y1", attack="a", must="b"), Row(id="Y2", attack="a", must="b", open="later"))}
    lost = Proof(path="tests/test_a.py", name="test_a", rows=("Y9",))
    first, second = objections(groups, [lost])
    assert first.startswith("Y1: no test bears its marker")
    assert second.startswith("tests/test_a.py: test_a names Y9, which is no row")


def test_writing_keeps_what_people_wrote_and_is_then_current(repository: Path) -> None:
    assert main(["--check"], repository) == 1
    assert main([], repository) == 0
    assert main(["--check"], repository) == 0
    text = (repository / PAGE).read_text(encoding="utf-8")
    assert text.startswith("# Title\n\n")
    assert text.endswith("last\n")
    assert "| Y1 | a \\| &lt;b> | nothing | [it is so](../tests/test_a.py) |" in text
    assert "old" not in text


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("tests/test_a.py", "", "Y1: no test"),
        ("tests/test_a.py", '@pytest.mark.threat("Y7")\ndef test_b(): ...\n', "names Y7"),
        ("tests/test_a.py", "@pytest.mark.threat(NAME)\ndef test_b(): ...\n", "by strings only"),
        (PAGE, "# no place\n", "are missing"),
        (ROWS, json.dumps({"groups": {}, "rows": [EMPTY]}), "no group"),
        (ROWS, json.dumps({"groups": {"Y": "Y"}, "rows": [EMPTY, EMPTY]}), "share"),
    ],
)
def test_what_does_not_fit_together_is_an_error_with_the_next_step(
    repository: Path, name: str, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(repository, name, text)
    assert main([], repository) == 1
    assert said in capsys.readouterr().err


def test_an_open_row_says_why_beside_its_tests() -> None:
    row = Row(id="Y1", attack="a", must="b", open="with more")
    proof = Proof(path="tests/test_a.py", name="test_so", rows=("Y1",))
    assert "[so](../tests/test_a.py)<br>*open: with more* |" in tables({"Y": (row,)}, [proof])
