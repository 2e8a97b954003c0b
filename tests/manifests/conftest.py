from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from manifests.load import LoadRequest, load
from model.resource import Tree
from process import Sandbox
from toolbox import Toolbox

Write = Callable[[Mapping[str, str]], Path]
Load = Callable[..., Tree]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files below a folder of the test and returns that."""
    root = (tmp_path / "repository").resolve()
    root.mkdir()

    def write_files(files: Mapping[str, str]) -> Path:
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content, encoding="utf-8", newline="")
        return root

    return write_files


@pytest.fixture
def load_tree(write: Write, sandbox: Sandbox, toolbox: Toolbox) -> Load:
    """Loads what the test has written, paths relative to its root."""

    def load_paths(*paths: str, **options: object) -> Tree:
        root = write({})
        settings: dict[str, object] = {"cwd": root, "root": root, "kube_version": "1.34", **options}
        return load(LoadRequest(paths=paths or (".",), **settings), sandbox, toolbox)  # type: ignore[arg-type]

    return load_paths
