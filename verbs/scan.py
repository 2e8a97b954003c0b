"""``scan``: trees of head and base → scans → audits → comparison → verdict → reports."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from cache import Cache
from controls import catalogue as catalogues
from controls.assemble import Terms, assemble
from controls.catalogue import Catalogue
from controls.compare import compare
from controls.gate import decide
from model.audit import Audit
from model.comparison import Comparison
from model.finding import Scan
from model.resource import Failure, Stage, Tree
from process import Sandbox
from reporting.text import Terminal, terminal
from scanners.base import ScanContext, scopes_of
from scanners.registry import SCANNERS
from settings import ScanSettings, version
from toolbox import Toolbox
from verbs.caches import audit_cache, usable_cache
from verbs.compare import read_audit
from verbs.console import Console
from verbs.outcome import Outcome, exit_code
from verbs.policy import Settled, settle
from verbs.sides import Sides, settle_sides
from verbs.trees import Loading
from verbs.untouched import untouched


def scan(wanted: ScanSettings) -> int:
    """The exit code of auditing a tree, compared with a base where there is one."""
    gc.disable()  # many objects, hardly a cycle, and all of them live to the end: a tenth of the time
    console = Console(quiet=wanted.quiet, verbose=wanted.verbose, progress=wanted.progress)
    catalogue = catalogues.load()
    with Sandbox(observer=console.command) as sandbox:
        with console.step(Terminal("taking base and head out of git")):
            sides = settle_sides(wanted, sandbox)
        settled = settle(wanted, catalogue, sides)
        roots = [sides.checkout, sides.head.root, *([sides.base.root] if sides.base else [])]
        with Cache(audit_cache(wanted, roots), tell=console.remark) as cache:
            outcome = _Run(wanted, sides, catalogue, settled, sandbox, console, cache, roots).outcome()
            asked, known = cache.tally.asked, cache.tally.remembered
            console.detail(terminal("{} of {} renderings and answers were remembered", known, asked))
    outcome.publish(wanted.reports, wanted.output, colour=wanted.colour)
    if wanted.outputs:
        outcome.hand_over(wanted.outputs, wanted.output)
    if wanted.timings:
        console.write_timings(wanted.timings)
    return exit_code(outcome.verdict, warn_only=wanted.warn_only)


class _Run:
    """One run of the scanners over both sides."""

    def __init__(  # noqa: PLR0913, PLR0917 everything that the composition root has put together
        self,
        wanted: ScanSettings,
        sides: Sides,
        catalogue: Catalogue,
        settled: Settled,
        sandbox: Sandbox,
        console: Console,
        cache: Cache,
        roots: Sequence[Path],
    ) -> None:
        self.wanted = wanted
        self.sides = sides
        self.catalogue = catalogue
        self.settled = settled
        self.policy = settled.policy
        self.sandbox = sandbox
        self.console = console
        self.cache = cache
        self.toolbox = Toolbox(wanted.home)
        self.loading = Loading(
            wanted=wanted,
            policy=settled.policy,
            sources=settled.sources,
            sandbox=sandbox,
            toolbox=self.toolbox,
            chart_cache=usable_cache(wanted.cache, wanted.home, roots) if wanted.use_cache else None,
            cache=cache,
            progress=console.progress,
        )
        self.terms = Terms(
            tool_version=version(),
            kube_version=wanted.kube_version,
            policy=settled.policy,
            today=wanted.today,
            keep_passed=wanted.all_results,
        )

    def outcome(self) -> Outcome:
        """Everything that reports show."""
        with self.console.step(Terminal("asking the scanners for their versions")):
            self._check_tools()
        stored = read_audit(self.sides.stored) if self.sides.stored else None
        with self.console.step(Terminal("reading and rendering")):
            base_tree = self.loading.base(self.sides)
            head_tree = self.loading.head(self.sides, base_tree or stored)
            head_tree = replace(head_tree, failures=(*head_tree.failures, *self._unseen()))
        scans = self._scans([head_tree, *([base_tree] if base_tree else [])])
        head, controls = assemble(head_tree, scans, self.catalogue, self.terms)
        base = assemble(base_tree, scans, self.catalogue, self.terms)[0] if base_tree else stored
        comparison = self._compared(base, head) if base else None
        verdict = decide(
            self.policy,
            head,
            comparison,
            named_explicitly=self.wanted.named,
            objections=self.settled.objections,
            labels=self.wanted.occasion.labels if self.wanted.occasion else (),
        )
        in_base = self.catalogue.with_unmapped(result.control for result in (base.results if base else ()))
        return Outcome(
            head=head,
            comparison=comparison,
            verdict=replace(verdict, remarks=self.sides.remarks),
            controls={**in_base, **controls},
        )

    def _check_tools(self) -> None:
        """Raises EnvironmentBrokenError for a scanner that was asked for and is absent or of another version."""
        tools = [tool for name in self.policy.scanners if (tool := SCANNERS[name].TOOL) is not None]
        with ThreadPoolExecutor(max_workers=max(1, len(tools))) as pool:
            list(pool.map(lambda tool: self.toolbox.check(tool, self.sandbox), tools))

    def _unseen(self) -> Iterator[Failure]:
        """What the event is about and was not checked out."""
        for reason in self.sides.unseen:
            remedy = "Check out what the event is about (actions/checkout without `ref:`), or run the job again"
            yield Failure(stage=Stage.PARSE, path=".", reason=reason, remedy=remedy)

    def _compared(self, base: Audit, head: Audit) -> Comparison:
        comparison = compare(base, head)
        return replace(
            comparison,
            untouched=untouched(comparison, self.sides),
            policy_changes=self.settled.changes,
            policy_of=self.sides.policy,
        )

    def _scans(self, trees: Sequence[Tree]) -> list[Scan]:
        """All scanners at the same time, each over both sides: what is equal on both is judged once."""
        context = ScanContext(
            sandbox=self.sandbox,
            toolbox=self.toolbox,
            kube_version=self.wanted.kube_version,
            timeout=self.wanted.timeout,
            jobs=self.wanted.jobs,
            cache=self.cache,
            progress=self.console.progress,
        )
        scopes = [scope for tree in trees for scope in scopes_of(tree)]
        names = self.policy.scanners
        step = terminal("{} look at {} objects", ", ".join(names), sum(len(tree.resources) for tree in trees))
        with self.console.step(step, "objects"), ThreadPoolExecutor(max_workers=len(names)) as pool:
            pending = [pool.submit(SCANNERS[name].scan, scopes, context) for name in names]
            return [scan.result() for scan in pending]
