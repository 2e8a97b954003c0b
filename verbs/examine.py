"""The run of the scanners over both sides: sides and settings → trees → scans → audits → comparison → verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
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
from reporting.links import Place
from reporting.text import Terminal, terminal
from scanners.base import ScanContext, scopes_of
from scanners.registry import SCANNERS
from settings import ScanSettings, version
from toolbox import Toolbox
from verbs.caches import audit_cache, usable_cache
from verbs.compare import read_audit
from verbs.console import Console
from verbs.outcome import Outcome, Presentation
from verbs.policy import Settled, settle
from verbs.sides import Sides
from verbs.trees import Loading
from verbs.untouched import untouched


def examine(wanted: ScanSettings, sides: Sides, sandbox: Sandbox, console: Console) -> Outcome:
    """Everything that reports show of these two sides.

    Raises UsageError for a policy or paths that make no sense, EnvironmentBrokenError for a tool that is not there.
    """
    catalogue = catalogues.load()
    settled = settle(wanted, catalogue, sides)
    roots = (sides.checkout, sides.head.root, *([sides.base.root] if sides.base else []))
    with Cache(audit_cache(wanted, roots), tell=console.remark) as cache:
        outcome = _Examination(
            wanted=wanted,
            sides=sides,
            catalogue=catalogue,
            settled=settled,
            sandbox=sandbox,
            console=console,
            cache=cache,
            roots=roots,
        ).outcome()
        asked, known = cache.tally.asked, cache.tally.remembered
        console.detail(terminal("{} of {} renderings and answers were remembered", known, asked))
    return outcome


@dataclass(frozen=True, kw_only=True)
class _Examination:
    """All that one run has at hand."""

    wanted: ScanSettings
    sides: Sides
    catalogue: Catalogue
    settled: Settled
    sandbox: Sandbox
    console: Console
    cache: Cache
    roots: Sequence[Path]
    """What a cache must not lie in."""

    @cached_property
    def _toolbox(self) -> Toolbox:
        return Toolbox(self.wanted.home).seen_by(self.sandbox)

    @cached_property
    def _loading(self) -> Loading:
        wanted = self.wanted
        return Loading(
            wanted=wanted,
            policy=self.settled.policy,
            sources=self.settled.sources,
            sandbox=self.sandbox,
            toolbox=self._toolbox,
            chart_cache=usable_cache(wanted.cache, wanted.home, self.roots) if wanted.use_cache else None,
            cache=self.cache,
            progress=self.console.progress,
        )

    @cached_property
    def _terms(self) -> Terms:
        return Terms(
            tool_version=version(),
            kube_version=self.wanted.kube_version,
            policy=self.settled.policy,
            today=self.wanted.today,
            keep_passed=self.wanted.all_results,
        )

    def outcome(self) -> Outcome:
        """Audits, comparison and verdict."""
        with self.console.step(Terminal("asking the scanners for their versions")):
            self._check_tools()
        stored = read_audit(self.sides.stored) if self.sides.stored else None
        with self.console.step(Terminal("reading and rendering")):
            base_tree = self._loading.base(self.sides)
            head_tree = self._loading.head(self.sides, base_tree or stored)
            head_tree = replace(head_tree, failures=(*head_tree.failures, *self._unseen()))
        scans = self._scans([head_tree, *([base_tree] if base_tree else [])])
        head, controls = assemble(head_tree, scans, self.catalogue, self._terms)
        base = assemble(base_tree, scans, self.catalogue, self._terms)[0] if base_tree else stored
        comparison = self._compared(base, head) if base else None
        verdict = decide(
            self.settled.policy,
            head,
            comparison,
            named_explicitly=self.wanted.named,
            objections=self.settled.objections,
        )
        in_base = self.catalogue.with_unmapped(result.control for result in (base.results if base else ()))
        return Outcome(
            head=head,
            comparison=comparison,
            verdict=replace(verdict, remarks=self.sides.remarks),
            controls={**in_base, **controls},
            way_out=self.settled.policy.break_glass,
            presentation=self._presentation(comparison),
        )

    def _check_tools(self) -> None:
        """Raises EnvironmentBrokenError for a scanner that was asked for and is absent or of another version."""
        tools = [tool for name in self.settled.policy.scanners if (tool := SCANNERS[name].TOOL) is not None]
        with ThreadPoolExecutor(max_workers=max(1, len(tools))) as pool:
            list(pool.map(lambda tool: self._toolbox.check(tool, self.sandbox), tools))

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

    def _presentation(self, comparison: Comparison | None) -> Presentation:
        publishing = self.wanted.publishing
        return Presentation(
            job=publishing.id if publishing else "",
            run_url=publishing.run_url if publishing else "",
            place=self._place(),
            changed_lines=self._changed_lines(comparison) if comparison else None,
        )

    def _place(self) -> Place | None:
        """Where the server shows the files, if reported paths are those of the repository."""
        commits, occasion = self.sides.commits, self.wanted.occasion
        if commits is None or occasion is None or commits.root != ".":
            return None
        return Place(server=occasion.server, repository=occasion.repository, sha=commits.head, base_sha=commits.base)

    def _changed_lines(self, comparison: Comparison) -> Mapping[str, Sequence[tuple[int, int]]] | None:
        """Of the files with new findings, for annotations; None where a side is no commit."""
        commits, publishing = self.sides.commits, self.wanted.publishing
        is_wanted = (publishing and publishing.annotations) or any(
            each.format == "github" for each in self.wanted.reports
        )
        if commits is None or not is_wanted:
            return None
        new = (*comparison.introduced, *comparison.unwaived, *comparison.newly_visible)
        return commits.changed_lines(dict.fromkeys(result.location.path for result in new))

    def _scans(self, trees: Sequence[Tree]) -> list[Scan]:
        """All scanners at the same time, each over both sides: what is equal on both is judged once."""
        context = ScanContext(
            sandbox=self.sandbox,
            toolbox=self._toolbox,
            kube_version=self.wanted.kube_version,
            timeout=self.wanted.timeout,
            jobs=self.wanted.jobs,
            cache=self.cache,
            progress=self.console.progress,
        )
        scopes = [scope for tree in trees for scope in scopes_of(tree)]
        names = self.settled.policy.scanners
        step = terminal("{} look at {} objects", ", ".join(names), sum(len(tree.resources) for tree in trees))
        with self.console.step(step, "objects"), ThreadPoolExecutor(max_workers=len(names)) as pool:
            pending = [pool.submit(SCANNERS[name].scan, scopes, context) for name in names]
            return [scan.result() for scan in pending]
