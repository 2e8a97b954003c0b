"""Holds the import table of docs/architecture.md: what is written there is what the code does."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = tuple(sorted(path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"))
SINGLES = tuple(sorted(path.stem for path in ROOT.glob("*.py")))
OURS = frozenset((*ROOMS, *SINGLES))


def table() -> dict[str, frozenset[str]]:
    """Which of our modules each may import, as the document's table says."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    allowed = {}
    for row in re.findall(r"(?m)^\| (`.*?) \| (.*?) \| .* \|$", text):
        for name in words(row[0]):
            allowed[name] = OURS - {"entrypoint"} if row[1] == "all" else words(row[1])
    return allowed


def words(cell: str) -> frozenset[str]:
    return frozenset(re.findall(r"`(\w+)(?:/|\.py)?`", cell))


def sources() -> Iterator[tuple[str, Path]]:
    for room in ROOMS:
        yield from ((room, path) for path in sorted((ROOT / room).rglob("*.py")))
    yield from ((name, ROOT / f"{name}.py") for name in SINGLES)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and first name of every import, those inside functions, too."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; name the room"
            yield node.lineno, (node.module or "").partition(".")[0]


def violations(room: str, path: Path, allowed: frozenset[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line}: {room} may not import {name}"
        for line, name in imports(path)
        if name in OURS and name not in allowed | {room}
    ]


def test_the_table_names_every_room_and_every_module_at_the_top() -> None:
    assert set(table()) == OURS


def test_no_room_imports_what_the_table_does_not_grant() -> None:
    allowed = table()
    assert [line for room, path in sources() for line in violations(room, path, allowed.get(room, frozenset()))] == []


def test_only_the_composition_root_knows_the_settings_and_nobody_the_entrypoint() -> None:
    granted = table()
    root = {room for room, names in granted.items() if "settings" in names}
    assert "entrypoint" in root
    assert root <= {"entrypoint", "verbs"}
    assert not [room for room, names in granted.items() if names & (root - {room}) and room not in root]
    assert not [room for room, names in granted.items() if "entrypoint" in names]


def test_the_model_needs_the_standard_library_only() -> None:
    known = sys.stdlib_module_names | {"model"}
    assert [
        f"{path}:{line}: {name}"
        for room, path in sources()
        if room == "model"
        for line, name in imports(path)
        if name not in known
    ] == []


@pytest.mark.parametrize("name", ["subprocess", "pty", "multiprocessing"])
def test_only_process_starts_processes(name: str) -> None:
    assert {room for room, path in sources() for _, module in imports(path) if module == name} <= {"process"}


@pytest.mark.parametrize("name", ["requests", "urllib3", "http", "httpx", "aiohttp"])
def test_only_registries_and_what_publishes_speak_http(name: str) -> None:
    assert {room for room, path in sources() for _, module in imports(path) if module == name} <= {
        "http_session",
        "registries",
        "publishing",
    }


def test_only_one_module_speaks_to_docker() -> None:
    assert {
        str(path.relative_to(ROOT)) for _, path in sources() for _, module in imports(path) if module == "docker"
    } == {"process/engine.py"}


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        str(path.relative_to(ROOT))
        for _, path in sources()
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "argv"}
    }
    assert readers <= {"entrypoint.py"}


def test_a_forbidden_import_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    bad = tmp_path / "bad.py"
    bad.write_text("def late() -> None:\n    from scanners.base import Scope\n    import model.errors\n")
    assert violations("controls", bad, frozenset({"model"})) == ["bad.py:2: controls may not import scanners"]
