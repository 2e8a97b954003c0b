"""``deps``: fetches what charts depend on and locks pin, from where the policy allows, into the cache of ``scan``.

The only verb that fetches manifests' parts from outside. It starts git for a base that is a commit, and nothing else;
it renders nothing and leaves the checkout as it is; ``scan`` imports nothing of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from controls import catalogue
from http_session import Route
from manifests import entries, files
from manifests.discovery import Top, discover, tops
from manifests.files import Kind, NotReadError
from manifests.helm.chart_copy import FILE_BYTES, unvendored
from manifests.helm.charts import CHART, Chart, Dependency, local_folders, read_chart
from manifests.helm.locks import VENDOR, Pins
from manifests.helm.packed import Look
from model.chart import PinnedChart
from model.errors import ExitCode, UsageError
from model.sources import SourceEntry
from process import Sandbox
from registries.addresses import NoAddressError, parse
from registries.allowed import Allowed
from registries.cache import ChartCache
from registries.client import Client
from registries.fetching import Fetcher
from registries.refusal import NotFetchedError
from reporting.text import Terminal, line, terminal
from revisions.repository import Repository
from settings import DepsSettings
from verbs.caches import require_cache
from verbs.console import write_report
from verbs.places import Counterpart, Places
from verbs.policy import stated

MOST = 1000
"""Different charts of one run."""


class Got(StrEnum):
    """What came of a dependency."""

    CACHED = "cached"
    FETCHED = "fetched"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """A dependency that a chart does not bring along."""

    chart: str
    """The reported path of the chart."""
    name: str
    version: str
    """Pinned, or what the chart asks for."""
    repository: str
    pinned: PinnedChart | None = None
    """None where nothing can be fetched: then ``reason`` and ``remedy`` say why, and what to do."""
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    got: Got
    reason: str = ""
    """Why it is missing, or what is odd about it."""
    remedy: str = ""


def deps(wanted: DepsSettings) -> int:
    """0 when every dependency is there, 3 when one is not. Raises UsageError; EnvironmentBrokenError for the cache."""
    with ExitStack() as opened:
        return _deps(wanted, tuple(_sides(wanted, opened)))


def _deps(wanted: DepsSettings, sides: Sequence[_Side]) -> int:
    roots = [side.root for side in sides]
    _require_certificates(wanted.certificates)
    policy, sources = stated(wanted, catalogue.load(), roots[0], roots[1] if len(roots) > 1 else None)
    allowed = Allowed.of(policy.chart_repositories)
    cache = ChartCache(folder=require_cache(wanted.cache, wanted.home, roots))
    listed = zip(sides, (sources.head, sources.base), strict=False)
    found = [side.wants(policy.exclude, each, only=sources.only) for side, each in listed]
    wants = tuple(dict.fromkeys(want for part in found for want in part))
    route = Route(proxy=wanted.proxy, no_proxy=wanted.no_proxy, certificates=wanted.certificates)
    with Client(allowed=allowed, route=route) as client:
        outcomes = _get_all([want.pinned for want in wants if want.pinned], client, cache)
    rows = [(want, outcomes[want.pinned] if want.pinned else _refused(want)) for want in wants]
    write_report(None, "".join(f"{row}\n" for row in render(rows)))
    return ExitCode.INCOMPLETE if any(outcome.got is Got.MISSING for _, outcome in rows) else ExitCode.PASSED


def _require_certificates(place: str) -> None:
    if place and not Path(place).exists():
        raise UsageError(
            f"the certificates {place} are not there",
            "Correct REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE, whichever names them, or unset it.",
        )


# ---------------------------------------------------------------- what is wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """Head or base."""

    root: Path
    tops: tuple[Top, ...]
    prefix: str
    """Under which its paths are shown."""

    def wants(self, exclude: Sequence[str], listed: Sequence[SourceEntry], *, only: bool) -> tuple[Want, ...]:
        """What its charts do not bring along, in the order of the charts' paths. ``only`` those that are ``listed``."""
        found = discover(self.tops, exclude, listed=entries.folders(listed, self.root))
        if only:
            entries.keep_listed(found, listed)
        parts = [_local_parts(chart) for chart in found.charts]
        charts = {chart.folder: chart for part in parts for chart in part}
        wants = [want for chart in charts.values() for want in _wants(chart)]
        broken = [failure for failure in found.failures if _is_chart(self.root / failure.path)]
        wants += [_unknown(failure.path, failure.reason, failure.remedy) for failure in broken]
        shown = [replace(want, chart=os.path.normpath(f"{self.prefix}/{want.chart}")) for want in wants]
        return tuple(sorted(shown, key=lambda want: (os.fsencode(want.chart), want.name, want.version)))


def _local_parts(chart: Chart) -> Iterator[Chart]:
    """The chart, and the charts of the tree that it is made of."""
    yield chart
    for folder in local_folders(chart):
        with suppress(NotReadError):  # then the scan says what is wrong there
            yield read_chart(chart.root, folder)


def _sides(wanted: DepsSettings, opened: ExitStack) -> Iterator[_Side]:
    """Head, and base where there is one: a folder, or a commit, in a private one until ``opened`` is closed."""
    places = Places.of(wanted.paths, wanted.root)
    heads = tops([str(path) for path in wanted.paths], places.root, Path.cwd(), required=True)
    yield _Side(root=places.root, tops=heads, prefix=".")
    if wanted.base is not None:
        is_folder = Path(wanted.base).is_dir()
        base = places.counterpart(Path(wanted.base)) if is_folder else _of_commit(wanted.base, places, opened)
        counterparts = tops(base.paths, base.root, base.root, required=False)
        yield _Side(root=base.root, tops=counterparts, prefix=files.reported(base.prefix))


def _of_commit(revision: str, places: Places, opened: ExitStack) -> Counterpart:
    """The PATHs in a commit. Raises UsageError where there is none of that name."""
    sandbox = opened.enter_context(Sandbox())
    first = places.heads[0]
    repository = Repository.around(first if first.is_dir() else first.parent, sandbox)
    if repository is None or not places.root.is_relative_to(repository.work_tree):
        raise UsageError(f"the base {revision} is no folder, and there is no git repository", "Name a folder.")
    folder = sandbox.private("base")
    repository.export(repository.commit(revision), folder)
    root = folder / places.root.relative_to(repository.work_tree)
    return Counterpart(root=root, paths=places.reported, prefix=".")


def _is_chart(folder: Path) -> bool:
    try:
        return files.kind_of(folder / CHART) is Kind.FILE
    except NotReadError:
        return False


def _wants(chart: Chart) -> Iterator[Want]:
    try:
        missing = unvendored(chart)
    except NotReadError as error:
        yield _unknown(chart.path, error.reason, error.remedy)
        return
    pins = Pins(chart)
    for dependency in missing:
        if dependency.folder is None or not _is_local(chart, dependency.folder):
            yield _want(chart, dependency, pins)


def _is_local(chart: Chart, folder: Path) -> bool:
    """Whether ``scan`` copies it from the checkout."""
    return files.is_inside(chart.root, folder) and _is_chart(folder)


def _want(chart: Chart, dependency: Dependency, pins: Pins) -> Want:
    want = Want(chart=chart.path, name=dependency.name, version=dependency.version, repository=dependency.repository)
    if dependency.folder is not None:
        reason = "no chart lies there inside of the tree, and nothing outside of it is read"
        return replace(want, reason=reason, remedy=f"correct the path, or {VENDOR}")
    try:
        pinned = pins.of(dependency)
    except NotReadError as error:
        return replace(want, reason=error.reason, remedy=error.remedy)
    return replace(want, version=pinned.version, pinned=pinned)


def _unknown(chart: str, reason: str, remedy: str) -> Want:
    """A chart whose dependencies cannot be read."""
    return Want(chart=chart, name="", version="", repository="", reason=reason, remedy=remedy)


# ---------------------------------------------------------------- getting it


def _refused(want: Want) -> Outcome:
    return Outcome(got=Got.MISSING, reason=want.reason, remedy=want.remedy)


def _get_all(charts: Iterable[PinnedChart], client: Client, cache: ChartCache) -> dict[PinnedChart, Outcome]:
    """What came of each chart, once each."""
    different = tuple(dict.fromkeys(charts))
    if len(different) > MOST:
        raise UsageError(f"more than {MOST} different charts are asked for", "Name fewer paths.")
    fetcher = Fetcher(client, different)
    return {chart: _get(chart, client.allowed, fetcher, cache) for chart in different}


def _get(chart: PinnedChart, allowed: Allowed, fetcher: Fetcher, cache: ChartCache) -> Outcome:
    """The policy is asked first: the answer must not depend on what an earlier run has left in the cache."""
    try:
        if not allowed.permits(parse(chart.repository)):
            return _not_allowed(chart)
        if cache.has(chart):
            return Outcome(got=Got.CACHED)
        data = fetcher.fetch(chart)
        note = _note(data, chart)
    except NoAddressError as error:
        return Outcome(
            got=Got.MISSING, reason=f"the repository's address is refused: {error}", remedy="correct it, and lock again"
        )
    except (NotFetchedError, NotReadError) as error:
        return Outcome(got=Got.MISSING, reason=error.reason, remedy=error.remedy)
    cache.keep(chart, data)
    return Outcome(got=Got.FETCHED, reason=note)


def _not_allowed(chart: PinnedChart) -> Outcome:
    add = f"add {chart.repository!r} to deps.allow in the configuration that counts (--policy)"
    return Outcome(
        got=Got.MISSING,
        reason="the policy does not allow this repository",
        remedy=f"if you trust it, {add}, or vendor the dependency",
    )


def _note(data: bytes, chart: PinnedChart) -> str:
    """What is odd about an archive that is what it should be. Raises NotReadError for one that is not."""
    packed = Look().describe(data)
    if (packed.name, packed.version.removeprefix("v")) != (chart.name, chart.version.removeprefix("v")):
        raise NotReadError(
            f"the archive says that it is {packed.name or 'nameless'} {packed.version}",
            "do not use it; lock another one",
        )
    if len(data) > FILE_BYTES:
        raise NotReadError(
            f"the archive is larger than {FILE_BYTES >> 20} MiB, which Helm refuses in charts/",
            "vendor it unpacked: 'helm pull --untar'",
        )
    names = ", ".join(packed.absent)
    return f"it does not bring along {names}, which it asks for: Helm renders it without" if names else ""


# ---------------------------------------------------------------- what is said


def render(rows: Sequence[tuple[Want, Outcome]]) -> Iterator[Terminal]:
    """A line for each dependency, the next step below what is missing, and the sum."""
    for want, outcome in rows:
        yield line(terminal("{:7}  ", outcome.got.value), _subject(want), _remark(outcome))
        if outcome.remedy:
            yield line(terminal("         next: {}", outcome.remedy))
    counts = [f"{sum(outcome.got is got for _, outcome in rows)} {got}" for got in Got]
    yield line(terminal("{}", f"dependencies: {', '.join(counts)}" if rows else "no chart needs what it does not hold"))


def _subject(want: Want) -> Terminal:
    if not want.name:
        return terminal("{}", want.chart)
    return terminal("{}: {} {} from {}", want.chart, want.name, want.version or "*", want.repository or "nowhere")


def _remark(outcome: Outcome) -> Terminal:
    return terminal(": {}", outcome.reason) if outcome.reason else Terminal("")
