"""What ``init`` sees in a repository: the sources that a scan would find, and the environments that could be added.

It reads names and small files only; it renders nothing, starts nothing and follows no link.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from manifests import files
from manifests.discovery import Found, discover, tops
from manifests.files import Entry, Kind, NotReadError, Reader
from manifests.helm.chart_copy import unvendored
from manifests.helm.charts import Chart, below
from manifests.raw import is_expected
from manifests.text.parse import parse
from model.resource import Failure
from model.sources import Environment

OWN_VALUES: Final = "values.yaml"
"""What Helm reads without being told."""
BESIDE: Final = re.compile(r"values[-_.](.+)\.ya?ml|(.+)[-_.]values\.ya?ml")
"""Values of an environment, by the name of the file."""
TRIALS: Final = "ci"
"""Where chart-testing keeps values with which it tries a chart."""
VARIANTS: Final = "values"
"""A folder that some keep such files in."""
ANY: Final = re.compile(r"(.+)\.ya?ml")
"""What counts in a folder that holds values only."""
SCHEMA: Final = "schema"
UNUSUAL: Final = re.compile(r"[^A-Za-z0-9._-]+|^[^A-Za-z0-9]+")
"""What the name of an environment may not hold (configuration.schema.json)."""
LONGEST: Final = 50
"""Characters of such a name; the schema allows 63."""
EXAMPLES: Final = frozenset({"test", "tests", "testdata", "fixtures", "example", "examples"})
"""Folders whose manifests nobody may ever apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A chart, and the environments that its values files stand for."""

    path: str
    environments: tuple[Environment, ...]
    """Beside the chart's own values; none where only those are there."""
    trials: tuple[Environment, ...]
    """Values that are there to test the chart: offered, and not scanned unless somebody wants it."""
    has_own_values: bool
    passed_over: tuple[str, ...]
    """Files that are named like values of an environment and are none; with the reason."""
    missing: tuple[str, ...]
    """Dependencies that it does not bring along, as ``name from repository``."""
    repositories: tuple[str, ...]
    """From which they could be fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLook:
    """All that a scan of the whole repository would look at; paths are POSIX and relative to the root."""

    charts: tuple[Offered, ...]
    kustomizations: tuple[str, ...]
    manifests: tuple[tuple[str, int], ...]
    """Folders of raw manifests, and how many files each holds itself."""
    failures: tuple[Failure, ...]
    """What is expected and cannot be read."""
    examples: tuple[str, ...]
    """Folders that look like tests or examples and hold some of all that."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to scan, not even something broken."""
        return not (self.charts or self.kustomizations or self.manifests or self.failures)


def look(root: Path) -> FirstLook:
    """Look at the whole repository. Nothing that is broken ends the look: it is named."""
    found = discover(tops((".",), root, root, required=True), ())
    raw = Counter(_raw_folders(found))
    charts = tuple(map(_offered, found.charts))
    kustomizations = tuple(sorted(each.path for each in found.kustomizations))
    places = (*(each.path for each in charts), *kustomizations, *raw)
    return FirstLook(
        charts=charts,
        kustomizations=kustomizations,
        manifests=tuple(sorted(raw.items())),
        failures=tuple(found.failures),
        examples=_examples(places),
    )


def _raw_folders(found: Found) -> Iterator[str]:
    """The folder of each file that is meant to be a manifest; what cannot be read is a Failure of the scan."""
    reader = Reader()
    for each in found.manifests.values():
        for file in each:
            try:
                data = reader.read(file.path)
            except NotReadError as error:
                if not isinstance(error, files.TooLargeError):
                    continue
                data = error.data
            if is_expected(data):
                yield PurePosixPath(file.reported).parent.as_posix()


def _examples(places: Iterable[str]) -> tuple[str, ...]:
    """The uppermost folders of that kind; none where nothing else is there."""
    found, is_rest = set(), False
    for place in places:
        parts = PurePosixPath(place).parts
        depth = next((at for at, part in enumerate(parts, 1) if part.lower() in EXAMPLES), None)
        if depth is None:
            is_rest = True
        else:
            found.add("/".join(parts[:depth]))
    return tuple(sorted(found)) if is_rest else ()


# ---------------------------------------------------------------- charts


def _offered(chart: Chart) -> Offered:
    taken: set[str] = {"default"}
    passed_over: list[str] = []
    environments = tuple(
        each for folder in (".", VARIANTS) for each in _environments(chart, folder, taken, passed_over)
    )
    trials = tuple(_environments(chart, TRIALS, taken, passed_over))
    try:
        absent = [each for each in unvendored(chart) if each.folder is None]
    except NotReadError:
        absent = []  # then the scan says what is wrong there
    return Offered(
        path=chart.path,
        environments=environments,
        trials=trials,
        has_own_values=_is_file(chart.folder / OWN_VALUES),
        passed_over=tuple(passed_over),
        missing=tuple(f"{each.name} from {each.repository or 'nowhere'}" for each in absent),
        repositories=tuple(dict.fromkeys(each.repository for each in absent)),
    )


def _environments(chart: Chart, folder: str, taken: set[str], passed_over: list[str]) -> Iterator[Environment]:
    """One for each values file in a folder of the chart, called after the file."""
    for entry, word in _values_files(chart.folder / folder, folder):
        file = os.path.normpath(f"{folder}/{entry.name}")
        reason = _objection(entry)
        if reason:
            passed_over.append(f"{below(chart.root, entry.path)}: {reason}")
            continue
        name = _unique(word, folder, taken)
        taken.add(name)
        yield Environment(name=name, files=(file,))


def _values_files(folder: Path, role: str) -> Iterator[tuple[Entry, str]]:
    """What is named like values of an environment, and the environment's name."""
    try:
        entries: Sequence[Entry] = files.entries(folder) if files.kind_of(folder) is Kind.FOLDER else ()
    except NotReadError:
        return
    for entry in entries:
        match = BESIDE.fullmatch(entry.name) or (ANY.fullmatch(entry.name) if role == VARIANTS else None)
        word = next(filter(None, match.groups()), "") if match else ""
        if role == TRIALS and entry.name == OWN_VALUES:
            yield entry, TRIALS
        elif word and word.lower() != SCHEMA:
            yield entry, word


def _objection(entry: Entry) -> str:
    """Why a file gives no environment; empty where it does."""
    if entry.kind is not Kind.FILE:
        return files.not_regular(entry.kind).reason
    try:
        parsed = parse(files.read_file(entry.path))
    except NotReadError as error:
        return error.reason
    values = [document.value for document in parsed.documents]
    if parsed.broken or len(values) > 1 or not all(isinstance(value, dict | None) for value in values):
        return "it is not one YAML mapping"
    value = values[0] if values else None
    if isinstance(value, dict) and "sops" in value:
        return "it is encrypted (sops): Helm would read the ciphertext"
    if isinstance(value, dict) and {"apiVersion", "kind"} <= value.keys():
        return "it is a manifest, and scanned as one"
    return ""


def _unique(word: str, folder: str, taken: Collection[str]) -> str:
    """A name of its own for an environment; a trial that is called like another one says that it is one."""
    name = UNUSUAL.sub("-", files.reported(word)[:LONGEST]).strip("-._") or "values"
    if name in taken and folder == TRIALS:
        name = f"{TRIALS}-{name}"
    names = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
    return next(each for each in names if each not in taken)


def _is_file(path: Path) -> bool:
    try:
        return files.kind_of(path) is Kind.FILE
    except NotReadError:
        return False
