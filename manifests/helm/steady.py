"""Makes the copy of a chart render the same each time: its random functions become constants, and can come back.

It changes our copy only. What is literal text that nobody executes is given back in the output as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from manifests import files
from manifests.files import Kind, NotReadError
from manifests.helm import archives
from manifests.helm.charts import below
from manifests.helm.constants import DEFINITIONS, KEYS, MENTION, settle_data, settle_template, unsettle

BYTES: Final = 4 << 20
"""Of all texts of one chart that mention a random function; the rest stays as it is."""
HELPER: Final = "_hardening-gate.tpl"
ORDER: Final = frozenset({KEYS, "values"})
"""Their order alone is random: sorted, no value is made up."""

CHART = r"(?:charts/[^/]+/)*"
TEMPLATE = re.compile(rf"{CHART}templates/.*(?<!NOTES\.txt)", re.DOTALL)
PACKED = re.compile(rf"{CHART}charts/[^/]+\.tgz")
LITERAL = re.compile(rf"{CHART}(?:crds/.*|Chart\.yaml|templates/.*|[^/]*\.md|LICENSE.*|\.helmignore)", re.DOTALL)
"""What Helm never runs through ``tpl``, and templates."""


class Steady:
    """What was changed in one copy."""

    def __init__(self, chart: Path, values: Sequence[Path]) -> None:
        self._chart = chart
        self._old: dict[Path, bytes] = {}
        self._settled_data = False
        self._left = BYTES
        self._names: set[str] = set()
        self.open = False
        """Whether something may still be random."""
        for path in regular_files(chart):
            self._change(path, below(chart, path))
        for path in values:
            self._change(path, path.name)
        self._helper = chart / "templates" / HELPER
        if self._old:
            self._helper.parent.mkdir(exist_ok=True)
            self._helper.parent.chmod(0o755)
            self._helper.write_text(DEFINITIONS, encoding="utf-8")
            self._helper.chmod(0o644)

    @property
    def changed(self) -> bool:
        """Whether the copy is no longer what it was."""
        return bool(self._old)

    @property
    def names(self) -> tuple[str, ...]:
        """The functions whose values are constants now, sorted."""
        return tuple(sorted(self._names - ORDER)) if self.changed else ()

    def restore(self) -> None:
        """Take all changes back: the copy did not render with them."""
        for path, data in self._old.items():
            path.write_bytes(data)
        self._helper.unlink(missing_ok=True)
        self._old.clear()
        self._settled_data = False
        self.open = True

    def as_written(self, output: bytes) -> bytes:
        """The output with the actions that nobody executed as the chart has them."""
        if not self._settled_data:
            return output
        return unsettle(output.decode(errors="surrogateescape")).encode(errors="surrogateescape")

    def _change(self, path: Path, name: str) -> None:
        data = path.read_bytes()
        try:
            new = self._content(name, data)
        except NotReadError:  # Helm will say what is wrong with it
            return
        if new != data:
            self._old[path] = data
            path.write_bytes(new)

    def _content(self, name: str, data: bytes) -> bytes:
        """What becomes of a file: path below the chart, and content."""
        if PACKED.fullmatch(name):
            return archives.rewrite(data, self._content)
        is_template = TEMPLATE.fullmatch(name) is not None
        if not is_template and LITERAL.fullmatch(name):
            return data
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return data
        if not MENTION.search(text):
            return data
        self._left -= len(data)
        if self._left < 0:
            self.open = True
            return data
        settled = settle_template(text) if is_template else settle_data(text)
        self._names |= settled.names
        self.open |= settled.open
        self._settled_data |= bool(settled.names) and not is_template
        return settled.text.encode()


def regular_files(folder: Path) -> Iterator[Path]:
    """All files below a folder of our own."""
    todo = [folder]
    while todo:
        for entry in files.entries(todo.pop()):
            if entry.kind is Kind.FOLDER:
                todo.append(entry.path)
            else:
                yield entry.path
