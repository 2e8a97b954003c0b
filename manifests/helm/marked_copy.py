"""Our copy of a chart with marked templates. Packed charts stay as they are, and so does what Helm cannot read."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from manifests.helm.actions import Action, Malformed, actions
from manifests.helm.charts import below
from manifests.helm.marking import Marker, definitions
from manifests.helm.steady import CHART, TEMPLATE, regular_files

BYTES: Final = 4 << 20
"""Of all templates of one chart; the lines of a larger one are not looked for."""
TOKEN: Final = re.compile("hg[0-9a-f]{16}")
HELPER: Final = "_hardening-gate-marks.tpl"


class MarkedCopy:
    """The templates of one copy, marked; with the ``token`` of a rendering that is remembered, or a new one."""

    def __init__(self, chart: Path, token: str = "") -> None:
        self._chart = chart
        self.token = token or f"hg{secrets.token_hex(8)}"
        assert TOKEN.fullmatch(self.token)
        read = {name: (text, found) for name, text, found in _templates(chart)}
        defined = frozenset(each.name for _, found in read.values() for each in definitions(found))
        self.marker = Marker(self.token, defined)
        self.texts = {name: text for name, (text, _) in read.items()}
        """The templates as they are, by their path below the copy; their order is what the marks' indexes mean."""
        self._marked = set(self.texts)
        for index, (name, (text, found)) in enumerate(read.items()):
            self._write(name, self.marker.template(index, text, found))
        if read:
            (chart / "templates").mkdir(exist_ok=True)
            (chart / "templates").chmod(0o755)
            self._write(f"templates/{HELPER}", self.marker.definitions)

    def unmark(self, message: str) -> bool:
        """Take the marks out of the templates that an error of Helm names; False where it names none that has any."""
        named = {name for name in self._marked if _names(message, name) and not Path(name).name.startswith("_")}
        for name in named:
            self._write(name, self.texts[name])
        self._marked -= named
        return bool(named)

    def _write(self, name: str, text: str) -> None:
        path = self._chart / name
        path.write_bytes(text.encode())
        path.chmod(0o644)


def _names(message: str, name: str) -> bool:
    """Whether an error speaks of a template; it calls subcharts by their names, we by their folders."""
    inside = re.sub(rf"^{CHART}", "", name)
    return re.search(rf"/{re.escape(inside)}(?![\w./-]*\w)", message) is not None


def _templates(chart: Path) -> Iterator[tuple[str, str, list[Action]]]:
    """The templates that Helm can read, sorted: path below the copy, text and actions."""
    left = BYTES
    for name, path in sorted((below(chart, path), path) for path in regular_files(chart)):
        if not TEMPLATE.fullmatch(name) or "\ufffd" in name:  # then it is not the name on the disk
            continue
        data = path.read_bytes()
        left -= len(data)
        if left < 0:
            return
        try:
            text = data.decode()
            found = list(actions(text))
            list(definitions(found))
        except (UnicodeDecodeError, Malformed):
            continue
        yield name, text, found
