"""``scan``: trees of head and base → scans → audits → comparison → verdict → reports."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from controls import catalogue as catalogues
from controls.assemble import Terms, assemble
from controls.catalogue import Catalogue
from controls.compare import compare
from controls.gate import decide
from manifests.load import ChartValues, LoadRequest, load
from manifests.relocate import relocate
from model.errors import EnvironmentBrokenError
from model.finding import Scan
from model.resource import Tree
from process import Sandbox
from reporting.text import Terminal, terminal
from scanners.base import ScanContext, scopes_of
from scanners.registry import SCANNERS
from settings import ScanSettings, version
from toolbox import Toolbox
from verbs.chart_cache import usable_cache
from verbs.compare import read_audit
from verbs.console import Console
from verbs.outcome import Outcome, exit_code
from verbs.places import Places
from verbs.policy import Settled, settle

CHART_SECONDS = 60.0
"""Longest time for rendering one chart: real ones take less than one second."""


def scan(wanted: ScanSettings) -> int:
    """The exit code of auditing a tree, compared with a base where there is one."""
    gc.disable()  # many objects, hardly a cycle, and all of them live to the end: a tenth of the time
    console = Console(quiet=wanted.quiet, verbose=wanted.verbose, progress=wanted.progress)
    stored = _stored(wanted.base)
    places = Places.of(wanted.paths, wanted.root, None if stored else wanted.base)
    catalogue = catalogues.load()
    settled = settle(wanted, catalogue, places.head_root, places.base_root)
    with Sandbox(observer=console.command) as sandbox:
        outcome = _Run(wanted, places, catalogue, settled, sandbox, console).outcome(stored)
    outcome.publish(wanted.reports, wanted.output, colour=wanted.colour)
    if wanted.outputs:
        outcome.hand_over(wanted.outputs, wanted.output)
    if wanted.timings:
        console.write_timings(wanted.timings)
    return exit_code(outcome.verdict, warn_only=wanted.warn_only)


def _stored(base: Path | None) -> Path | None:
    """The base, where it is a stored audit. Raises EnvironmentBrokenError for one that is not there."""
    if base is None or base.is_dir():
        return None
    if not base.is_file():
        raise EnvironmentBrokenError(f"the base {base} is not there", "Name a folder, or a stored audit.json.")
    return base


class _Run:
    """One run of the scanners over both sides."""

    def __init__(  # noqa: PLR0913, PLR0917 everything that the composition root has put together
        self,
        wanted: ScanSettings,
        places: Places,
        catalogue: Catalogue,
        settled: Settled,
        sandbox: Sandbox,
        console: Console,
    ) -> None:
        self.wanted = wanted
        self.places = places
        self.catalogue = catalogue
        self.settled = settled
        self.policy = settled.policy
        self.sandbox = sandbox
        self.console = console
        self.toolbox = Toolbox(wanted.home)
        roots = [root for root in (places.head_root, places.base_root) if root is not None]
        self.chart_cache = usable_cache(wanted.cache, wanted.home, roots)
        self.terms = Terms(
            tool_version=version(),
            kube_version=wanted.kube_version,
            policy=settled.policy,
            today=wanted.today,
            keep_passed=wanted.all_results,
        )

    def outcome(self, stored_base: Path | None) -> Outcome:
        """Everything that reports show."""
        with self.console.step(Terminal("asking the scanners for their versions")):
            self._check_tools()
        stored = read_audit(stored_base) if stored_base else None
        with self.console.step(Terminal("reading and rendering")):
            head_tree = self._head()
            base_tree = self._base() if self.places.base_root else None
        scans = self._scans([head_tree, *([base_tree] if base_tree else [])])
        head, controls = assemble(head_tree, scans, self.catalogue, self.terms)
        base = assemble(base_tree, scans, self.catalogue, self.terms)[0] if base_tree else stored
        comparison = compare(base, head) if base else None
        named, objections = self.wanted.named, self.settled.objections
        verdict = decide(self.policy, head, comparison, named_explicitly=named, objections=objections)
        in_base = self.catalogue.with_unmapped(result.control for result in (base.results if base else ()))
        return Outcome(head=head, comparison=comparison, verdict=verdict, controls={**in_base, **controls})

    def _check_tools(self) -> None:
        """Raises EnvironmentBrokenError for a scanner that was asked for and is absent or of another version."""
        for name in self.policy.scanners:
            tool = SCANNERS[name].TOOL
            if tool is not None:
                self.toolbox.check(tool, self.sandbox)

    def _head(self) -> Tree:
        request = self._request(tuple(map(str, self.wanted.paths)), self.places.head_root)
        return load(replace(request, entries=self.settled.sources.head), self.sandbox, self.toolbox)

    def _base(self) -> Tree:
        root = self.places.base_root
        assert root is not None
        request = self._request(self.places.base_paths, root, cwd=root, required=False)
        tree = load(replace(request, entries=self.settled.sources.base), self.sandbox, self.toolbox)
        return relocate(tree, self.places.base_prefix)

    def _request(
        self, paths: Sequence[str], root: Path, cwd: Path | None = None, *, required: bool = True
    ) -> LoadRequest:
        wanted = self.wanted
        return LoadRequest(
            paths=tuple(paths),
            root=root,
            cwd=cwd or Path.cwd(),
            required=required,
            entries_only=self.settled.sources.only,
            values=tuple(
                ChartValues(chart=chart, files=files) for chart, rows in wanted.values.items() for files in rows
            ),
            sets=wanted.sets,
            exclude=self.policy.exclude,
            kube_version=wanted.kube_version,
            api_versions=wanted.api_versions,
            release_name=wanted.release_name,
            namespace=wanted.namespace,
            chart_cache=self.chart_cache,
            jobs=wanted.jobs,
            timeout=min(wanted.timeout, CHART_SECONDS),
            progress=self.console.progress,
        )

    def _scans(self, trees: Sequence[Tree]) -> list[Scan]:
        """All scanners at the same time, each over both sides: what is equal on both is judged once."""
        context = ScanContext(
            sandbox=self.sandbox,
            toolbox=self.toolbox,
            kube_version=self.wanted.kube_version,
            timeout=self.wanted.timeout,
            jobs=self.wanted.jobs,
            progress=self.console.progress,
        )
        scopes = [scope for tree in trees for scope in scopes_of(tree)]
        names = self.policy.scanners
        step = terminal("{} look at {} objects", ", ".join(names), sum(len(tree.resources) for tree in trees))
        with self.console.step(step, "objects"), ThreadPoolExecutor(max_workers=len(names)) as pool:
            pending = [pool.submit(SCANNERS[name].scan, scopes, context) for name in names]
            return [scan.result() for scan in pending]
