"""Proves on any folder that no finding gets lost: what scanners reported = what became witnesses + what was dropped.

It counts in the scanners' own reports and in the finished audit, apart from the code that translates and judges.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import settings
from controls import catalogue as catalogues
from controls.assemble import Terms, assemble
from manifests.load import LoadRequest, load
from model.audit import Audit, ResultStatus
from model.finding import Drop, Opinion, Scan
from model.policy import Policy
from model.resource import Resource, SourceKind, Tree
from process import End, Finished, Sandbox
from scanners.base import ScanContext, scopes_of
from scanners.registry import SCANNERS
from scanners.trivy import CRASHED, CRASHING_FILE, is_about
from toolbox import Toolbox

ROOT = Path(__file__).resolve().parents[1]


@dataclass(slots=True)
class Reported:
    """Failing verdicts in the reports that scanners printed, by scanner."""

    counts: Counter[str] = field(default_factory=Counter)

    def observe(self, words: Sequence[str], about: str, finished: Finished) -> None:  # noqa: ARG002 the port's signature
        """Count what one child printed; a report in which a check crashed is asked for again in parts."""
        scanner = Path(words[0]).name
        count = COUNTERS.get(scanner)
        silent = any(CRASHED in line and CRASHING_FILE not in line for line in finished.stderr.splitlines())
        if count is None or finished.end is not End.EXITED or silent:
            return
        try:
            self.counts[scanner] += sum(1 for _ in count(json.loads(finished.stdout), Path(words[-1])))
        except ValueError:
            return  # no report at all, such as the answer to --version


def _polaris(report: Any, _: Path) -> Iterator[object]:  # noqa: ANN401 JSON of somebody else
    todo = [report]
    while todo:
        node = todo.pop()
        if isinstance(node, dict) and "Success" in node:
            yield from () if node["Success"] else (node,)
        elif isinstance(node, dict | list):
            todo += node.values() if isinstance(node, dict) else node


def _kube_score(report: Any, _: Path) -> Iterator[object]:  # noqa: ANN401 JSON of somebody else
    for row in report or ():
        for check in row["checks"]:
            if not check["skipped"] and check["grade"] in {1, 5}:
                yield from check["comments"] or (None,)


def _trivy(report: Any, folder: Path) -> Iterator[object]:  # noqa: ANN401 JSON of somebody else
    """Trivy applies every check of a run to all of its objects: what is about another kind of object does not count."""
    for target in report.get("Results") or ():
        value = json.loads((folder / target["Target"]).read_text(encoding="utf-8").partition("\n")[2])
        rules = (row["ID"] for row in target.get("Misconfigurations") or () if row["Status"] == "FAIL")
        yield from (rule for rule in rules if is_about(value, rule))


COUNTERS: Mapping[str, Callable[[Any, Path], Iterator[object]]] = {
    "polaris": _polaris,
    "kube-score": _kube_score,
    "trivy": _trivy,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One scanner's findings."""

    scanner: str
    reported: int | None
    """In its own reports; None where it prints none."""
    unique: int
    """Told by the adapter, once for objects that share a copy."""
    told: int
    """Once for each object."""
    witnesses: int
    dropped: int
    wrong: tuple[str, ...]
    """Rules whose findings are not witnesses + dropped."""

    @property
    def holds(self) -> bool:
        """Whether nothing got lost and nothing came from nowhere."""
        return self.reported in {None, self.unique} and not self.wrong


@dataclass(slots=True)
class _Told:
    """What one adapter said of the objects, by rule."""

    all: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)
    """Findings that are nobody's witness: these, at least, must be among the dropped."""
    by_copy: dict[object, int] = field(default_factory=dict)
    """Findings by the copy that the scanner looked at."""

    def add(self, opinion: Opinion, witnesses: Collection[str], copy: object) -> None:
        """One object; ``witnesses`` are the rules that testify against it."""
        rules = Counter(finding.rule for finding in opinion.findings)
        early = _count(opinion.drops)
        self.all.update(rules + early)
        self.unseen.update(early)
        self.unseen.update({rule: number for rule, number in rules.items() if rule not in witnesses})
        self.by_copy[copy] = rules.total() + early.total()


def _count(drops: Iterable[Drop]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for drop in drops:
        counts[drop.rule] += drop.count
    return counts


def weigh(tree: Tree, scans: Sequence[Scan], audit: Audit, reported: Reported) -> Iterator[Balance]:
    """The balance of each scanner."""
    for scan in scans:
        witnesses: dict[str, set[str]] = defaultdict(set)
        for result in audit.results:
            for witness in result.witnesses:
                if witness.scanner == scan.scanner and witness.verdict is ResultStatus.FAILED:
                    witnesses[result.resource].add(witness.rule)
        told = _Told()
        copies = dict(_copies(tree, scan.scanner))
        for resource in tree.resources:
            if resource in scan.opinions:
                told.add(scan.opinions[resource], witnesses[resource.id], copies[resource])
        yield _balance(scan, told, _count(d for d in audit.coverage.drops if d.scanner == scan.scanner), reported)


def _copies(tree: Tree, scanner: str) -> Iterator[tuple[Resource, object]]:
    """What the scanner looked at in place of each object: equal objects once, or those of equal scopes."""
    for scope in scopes_of(tree):
        seen = [resource for resource in scope.resources if SCANNERS[scanner].supports(resource)]
        places = {resource: (str(resource.ref), resource.digest) for resource in seen}
        whole = tuple(sorted(places.values()))
        times: Counter[object] = Counter()
        for resource, place in places.items():
            times[place] += 1
            names = {"native": resource.id, "trivy": resource.digest}
            yield resource, names.get(scanner, (whole, place, times[place]))


def _balance(scan: Scan, told: _Told, dropped: Counter[str], reported: Reported) -> Balance:
    strays = _count(scan.drops)
    told.all.update(strays)
    told.unseen.update(strays)
    wrong = [
        f"{rule}: {told.all[rule]} findings, {told.unseen[rule]} of them no witness, {dropped[rule]} dropped"
        for rule in sorted(told.all.keys() | dropped.keys())
        if not told.unseen[rule] <= dropped[rule] <= told.all[rule]
    ]
    if scan.raw_findings != told.all.total():
        wrong.append(f"{scan.raw_findings} findings in all, {told.all.total()} told")
    return Balance(
        scanner=scan.scanner,
        reported=reported.counts[scan.scanner] if scan.scanner in COUNTERS else None,
        unique=sum(told.by_copy.values()) + strays.total(),
        told=scan.raw_findings,
        witnesses=scan.raw_findings - dropped.total(),
        dropped=dropped.total(),
        wrong=tuple(wrong),
    )


def look(paths: Sequence[str], root: Path, home: Path) -> tuple[Tree, Audit, list[Balance]]:
    """Load, scan and judge as ``scan`` does, and weigh every scanner."""
    reported = Reported()
    version = settings.KUBE_VERSION
    with Sandbox(observer=reported.observe) as sandbox:
        toolbox = Toolbox(home)
        tree = load(LoadRequest(paths=tuple(paths), root=root, cwd=root, kube_version=version), sandbox, toolbox)
        context = ScanContext(
            sandbox=sandbox, toolbox=toolbox, kube_version=version, timeout=600, jobs=os.cpu_count() or 2
        )
        scans = [SCANNERS[name].scan(scopes_of(tree), context) for name in settings.SCANNERS]
    day = dt.datetime.now(tz=dt.UTC).date()
    terms = Terms(tool_version=settings.version(), kube_version=version, policy=Policy(), today=day, keep_passed=False)
    audit, _ = assemble(tree, scans, catalogues.load(), terms)
    return tree, audit, list(weigh(tree, scans, audit, reported))


def show(tree: Tree, audit: Audit, balances: Sequence[Balance], seconds: float) -> None:
    """The tables: sources, findings by scanner, drops by reason."""
    print(f"{len(tree.resources):,} objects in {tree.files:,} files, {seconds:.1f} s")
    broken = {failure.source: failure for failure in tree.failures if failure.stage == "render"}
    for kind in SourceKind:
        sources = [source for source in tree.sources if source.kind is kind]
        bad = [source for source in sources if source.id in broken]
        print(f"  {kind:<10} {len(sources):>4} sources, {len(bad)} not rendered")
        for source in bad:
            print(f"             {source.path}: {broken[source.id].reason}")
    print(f"\n{'scanner':<12}{'reported':>10}{'told':>8}{'witnesses':>11}{'dropped':>9}")
    for balance in balances:
        first = "-" if balance.reported is None else f"{balance.reported:,}"
        word = "" if balance.holds else "  DOES NOT ADD UP"
        print(f"{balance.scanner:<12}{first:>10}{balance.told:>8,}{balance.witnesses:>11,}{balance.dropped:>9,}{word}")
        for row in balance.wrong:
            print(f"    {row}")
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for drop in audit.coverage.drops:
        reasons[drop.reason][drop.scanner] += drop.count
    print("\ndropped because")
    for reason, counts in sorted(reasons.items(), key=lambda row: -row[1].total()):
        who = ", ".join(f"{scanner} {count:,}" for scanner, count in sorted(counts.items()))
        print(f"  {counts.total():>6,}  {reason} ({who})")


def main(arguments: Sequence[str]) -> int:
    """Weigh and print; 1 where something does not add up."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("corpus", nargs="?", type=Path, default=ROOT / "examples" / "shop", help="a folder")
    options = parser.parse_args(arguments)
    root = options.corpus.resolve()
    started = time.monotonic()
    wanted = settings.parse(["doctor"], os.environ, terminals=(False, False))
    tree, audit, balances = look(["."], root, wanted.home)
    show(tree, audit, balances, time.monotonic() - started)
    return 0 if all(balance.holds for balance in balances) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
