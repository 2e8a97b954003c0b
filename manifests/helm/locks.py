"""What the lock file of a chart pins: exact versions, or why they are not known. It fetches nothing.

Helm's own check is repeated (``internal/resolver``, ``HashReq``): a lock that does not fit Chart.yaml pins nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from manifests import files
from manifests.files import Kind, NotReadError
from manifests.helm.charts import CHART, REQUIREMENTS, Chart, Dependency, read_mapping, read_requirements
from model.chart import PinnedChart
from model.values import Json, mapping, sequence, text

LOCK: Final = "Chart.lock"
OLD_LOCK: Final = "requirements.lock"
"""Of charts of API version v1."""
UPDATE: Final = "run 'helm dependency update' and commit {}"
VENDOR: Final = "vendor it: run 'helm dependency build' and commit charts/"
FETCHED: Final = ("https://", "http://", "oci://")
FIELDS: Final = ("name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias")
"""Of a dependency, in the order in which Helm hashes them (``pkg/chart/v2/dependency.go``)."""
KEPT_WHEN_EMPTY: Final = frozenset({"name", "repository"})


class Pins:
    """The lock of one chart, read once however many dependencies it pins."""

    def __init__(self, chart: Chart) -> None:
        self._name = LOCK
        self._rows: dict[tuple[str, str], list[dict[str, Json]]] = defaultdict(list)
        self._error: NotReadError | None = None
        try:
            self._read(chart)
        except NotReadError as error:
            self._error = error
        seen = Counter[tuple[str, str]]()
        self._positions: dict[Dependency, int] = {}
        for dependency in chart.dependencies:
            self._positions.setdefault(dependency, seen[_key(dependency)])
            seen[_key(dependency)] += 1

    def of(self, dependency: Dependency) -> PinnedChart:
        """The one version of ``dependency`` that the lock names; of equal ones each has a row, in their order.

        Raises NotReadError where it cannot be fetched by anybody, is not pinned, or where the lock is out of sync.
        """
        _require_address(dependency)
        if self._error:
            raise self._error
        rows, position = self._rows[_key(dependency)], self._positions[dependency]
        if position >= len(rows):
            reason = f"{self._name} does not pin {dependency.name!r} of {dependency.repository}"
            raise NotReadError(reason, UPDATE.format(self._name))
        return _pinned(rows[position], self._name)

    def _read(self, chart: Chart) -> None:
        lock, self._name = _read_lock(chart)
        rows = [mapping(row) for row in sequence(lock.get("dependencies"))]
        if not _fits(chart, lock.get("digest"), rows):
            raise NotReadError(
                f"{self._name} is out of sync with {_declaring(chart.folder)}", UPDATE.format(self._name)
            )
        for row in rows:
            self._rows[text(row.get("name")), text(row.get("repository"))].append(row)


def _pinned(row: Mapping[str, Json], lock: str) -> PinnedChart:
    try:
        return PinnedChart(
            name=text(row.get("name")), version=text(row.get("version")), repository=text(row.get("repository"))
        )
    except ValueError as error:
        raise NotReadError(f"{lock}: {error}", UPDATE.format(lock)) from error


def _require_address(dependency: Dependency) -> None:
    repository = dependency.repository
    if not repository:
        raise NotReadError("no repository is named, it can only be vendored", "commit the chart below charts/")
    if repository.startswith(("@", "alias:")):
        reason = f"{repository} is a name of the machine of its author, which says nothing here"
        raise NotReadError(reason, "write the URL of the repository, run 'helm dependency update' and commit both")
    if repository.startswith(("git+", "git:", "git@")):
        raise NotReadError("git repositories are not fetched: they have neither index nor digests", VENDOR)
    if not repository.startswith(FETCHED):
        raise NotReadError("only https:// and oci:// repositories are fetched", VENDOR)


def _key(dependency: Dependency) -> tuple[str, str]:
    return dependency.name, dependency.repository


def _declaring(folder: Path) -> str:
    return REQUIREMENTS if files.kind_of(folder / REQUIREMENTS) is Kind.FILE else CHART


def _read_lock(chart: Chart) -> tuple[Mapping[str, Json], str]:
    """The lock and the name of its file. Raises NotReadError for one that is not there, a link included."""
    for name in (OLD_LOCK, LOCK):
        if files.kind_of(chart.folder / name) is not None:
            try:
                return read_mapping(chart.folder / name), name
            except NotReadError as error:
                raise NotReadError(f"{name}: {error.reason}", UPDATE.format(name)) from error
    raise NotReadError("no lock file pins its version", UPDATE.format(LOCK))


def _fits(chart: Chart, digest: Json, locked: Sequence[Mapping[str, Json]]) -> bool:
    """Whether the lock was made for what the chart asks for now, by Helm's own digest of both."""
    metadata = read_mapping(chart.folder / CHART)
    requirements = tuple(map(mapping, read_requirements(chart.folder, metadata)))
    if any(text(each.get("repository")).startswith(("@", "alias:")) for each in requirements):
        return True  # the digest holds addresses that only the author's machine knows; names are compared all the same
    return digest in list(_digests(requirements, locked, is_old=metadata.get("apiVersion") != "v2"))


def _digests(
    asked: Sequence[Mapping[str, Json]], locked: Iterable[Mapping[str, Json]], *, is_old: bool
) -> Iterator[str]:
    """As Helm 3 and 4 make it, and for old charts as Helm 2 did."""
    ours = [_hashed(each) for each in asked]
    yield _digest([ours, [_hashed(each) for each in locked]])
    if is_old:
        yield _digest({"dependencies": ours})


def _hashed(dependency: Mapping[str, Json]) -> dict[str, Json]:
    found = {field: _sorted(dependency.get(field)) for field in FIELDS}
    return {field: value or "" for field, value in found.items() if value or field in KEPT_WHEN_EMPTY}


def _sorted(value: Json) -> Json:
    """Maps as Go writes them; only those below ``import-values`` are any."""
    match value:
        case dict():
            return {key: _sorted(value[key]) for key in sorted(value)}
        case list():
            return [_sorted(each) for each in value]
        case _:
            return value


def _digest(value: object) -> str:
    """Of Go's JSON: no spaces; ``<``, ``>`` and ``&`` escaped."""
    written = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return f"sha256:{hashlib.sha256(written.encode('utf-8', 'surrogatepass')).hexdigest()}"
