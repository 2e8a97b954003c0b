"""Writes the tables of docs/security.md: each attack, what must happen, and the tests that prove it.

The rows stand in tests/threats/rows.json, the tests are those that bear the marker ``threat``; tests are read, not run.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = "docs/security.md"
ROWS = "tests/threats/rows.json"
BEGIN = "<!-- The tables are written by tools/security_page.py. -->"
END = "<!-- End of the tables. -->"
MARKER = "threat"


class PageError(Exception):
    """Rows, markers and page do not fit together; the message says where and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attack."""

    id: str
    attack: str
    must: str
    """What must happen."""
    open: str = ""
    """What no test proves yet, and with what it comes."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Proof:
    """A test that attacks as a row does."""

    path: str
    """Relative to the repository."""
    name: str
    rows: tuple[str, ...]


def read_rows(root: Path) -> dict[str, tuple[Row, ...]]:
    """The rows by the title of their group. Raises PageError."""
    data = json.loads((root / ROWS).read_text(encoding="utf-8"))
    rows = [Row(**row) for row in data["rows"]]
    if len({row.id for row in rows}) != len(rows):
        raise PageError(f"{ROWS}: two rows share an id; give each its own.")
    strangers = sorted(row.id for row in rows if row.id[0] not in data["groups"])
    if strangers:
        raise PageError(f"{ROWS}: {', '.join(strangers)}: no group begins so; add one.")
    return {title: tuple(row for row in rows if row.id[0] == letter) for letter, title in data["groups"].items()}


def read_proofs(root: Path) -> tuple[Proof, ...]:
    """All marked tests, sorted. Raises PageError."""
    files = sorted((root / "tests").rglob("test_*.py"))
    return tuple(sorted(proof for file in files for proof in _proofs(file, file.relative_to(root).as_posix())))


def _proofs(file: Path, path: str) -> Iterator[Proof]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.FunctionDef):
            ids = tuple(each for mark in node.decorator_list for each in _ids(mark, path))
            if ids:
                yield Proof(path=path, name=node.name, rows=ids)


def _ids(decorator: ast.expr, path: str) -> Iterator[str]:
    """The rows that ``@pytest.mark.threat("Y1", …)`` names; none of another decorator. Raises PageError."""
    if not (isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{MARKER}"):
        return
    for argument in decorator.args:
        if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
            raise PageError(f"{path}:{decorator.lineno}: the marker names rows by strings only.")
        yield argument.value


def objections(groups: Mapping[str, Sequence[Row]], proofs: Sequence[Proof]) -> list[str]:
    """What is wrong: rows without test and reason, markers that name no row."""
    known = {row.id: row for rows in groups.values() for row in rows}
    proven = {each for proof in proofs for each in proof.rows}
    bare = [row_id for row_id, row in known.items() if row_id not in proven and not row.open]
    lost = [(proof, row_id) for proof in proofs for row_id in proof.rows if row_id not in known]
    return [
        *(f"{row_id}: no test bears its marker, and {ROWS} gives no reason (open)" for row_id in bare),
        *(f"{proof.path}: {proof.name} names {row_id}, which is no row of {ROWS}" for proof, row_id in lost),
    ]


def tables(groups: Mapping[str, Sequence[Row]], proofs: Sequence[Proof]) -> str:
    """All groups in Markdown."""
    return "\n\n".join(_table(title, rows, proofs) for title, rows in groups.items())


def _table(title: str, rows: Sequence[Row], proofs: Sequence[Proof]) -> str:
    head = (f"### {title}", "", "| row | attack | what must happen | tests |", "|---|---|---|---|")
    return "\n".join((*head, *(_line(row, proofs) for row in rows)))


def _line(row: Row, proofs: Sequence[Proof]) -> str:
    tests = [_link(proof) for proof in proofs if row.id in proof.rows]
    missing = [f"*open: {_cell(row.open)}*"] if row.open else []
    return f"| {row.id} | {_cell(row.attack)} | {_cell(row.must)} | {'<br>'.join((*tests, *missing))} |"


def _link(proof: Proof) -> str:
    sentence = proof.name.removeprefix("test_").replace("_", " ")
    return f"[{sentence}](../{proof.path})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def page(root: Path) -> str:
    """The page as it should be: what people wrote, with the tables in their place. Raises PageError."""
    groups, proofs = read_rows(root), read_proofs(root)
    if wrong := objections(groups, proofs):
        raise PageError("\n".join(wrong))
    text = (root / PAGE).read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise PageError(f"{PAGE}: the lines {BEGIN} and {END} are missing; put them around the place of the tables.")
    return f"{before}{BEGIN}\n\n{tables(groups, proofs)}\n\n{END}{after}"


def main(words: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write the page, or with ``--check`` only say whether it is current."""
    parser = argparse.ArgumentParser(description="Writes the tables of docs/security.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is not current")
    options = parser.parse_args(words)
    try:
        wanted = page(root)
    except PageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    file = root / PAGE
    if file.read_text(encoding="utf-8") == wanted:
        return 0
    if options.check:
        print(f"error: {PAGE} is not current. Run python tools/security_page.py and commit it.", file=sys.stderr)
        return 1
    file.write_text(wanted, encoding="utf-8")
    print(f"written: {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
