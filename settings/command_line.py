"""The command line: every option of every verb, with its help, its default and the type that refuses nonsense."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

from model.errors import UsageError
from model.policy import AllowIncomplete
from settings.values import (
    CHECKED_OUT,
    CONFIG,
    CONTROLS_FORMATS,
    EXPLAIN_FORMATS,
    FORMATS,
    KUBE_VERSION,
    PROGRAM,
    RUNNERS,
    SCANNERS,
    SEVERITIES,
    TRUST,
    WORKTREE,
)

Number = TypeVar("Number", int, float)


class _Parser(argparse.ArgumentParser):
    """Raises instead of leaving, so that every error looks the same."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"See `{self.prog} --help`.")


def version() -> str:
    """The product's version, as ``pyproject.toml`` states it."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "([^"]+)"$', text, re.MULTILINE)
    assert found is not None, "pyproject.toml states the version"
    return found[1]


def parser() -> argparse.ArgumentParser:
    """Of all verbs. Raises UsageError while parsing; leaves by SystemExit(0) after ``--help`` and ``--version``."""
    top = _Parser(
        prog=PROGRAM,
        description="Tells what a change does to the security of Kubernetes manifests, and gates the merge.",
        epilog="Exit codes: 0 passes, 1 blocked, 2 usage, 3 incomplete, 4 broken environment. docs/usage.md has more.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"{PROGRAM} {version()}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)
    _add_scan(verbs.add_parser("scan", help="audit a tree; with --base also the comparison", allow_abbrev=False))
    _add_publish(verbs.add_parser("publish", help="second stage for forks: comment and status", allow_abbrev=False))
    _add_compare(verbs.add_parser("compare", help="two audit.json files: the comparison", allow_abbrev=False))
    _add_explain(verbs.add_parser("explain", help="a control or any scanner's rule: why, how", allow_abbrev=False))
    _add_controls(verbs.add_parser("controls", help="the catalogue of controls, filterable", allow_abbrev=False))
    _add_deps(verbs.add_parser("deps", help="fetches the chart dependencies that locks pin", allow_abbrev=False))
    _add_init(verbs.add_parser("init", help="writes the workflow and a commented configuration", allow_abbrev=False))
    doctor = verbs.add_parser("doctor", help="what works here, what does not, what to do", allow_abbrev=False)
    _add_runner(doctor)
    _add_console(doctor)
    verbs.add_parser("action", help="what the container runs: scan, options from the environment")
    return top


def _add_scan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="chart, manifest file or folder (.)")
    sources = parser.add_argument_group("what is looked at")
    sources.add_argument("--root", type=Path, metavar="DIR", help="what reported paths are relative to")
    sources.add_argument("--base", type=_name, metavar="REF|DIR|AUDIT.json", help="the other side of the comparison")
    sources.add_argument(
        "--head",
        type=_name,
        default=WORKTREE,
        metavar="REF|worktree",
        help="what is audited (the files as they lie there)",
    )
    _add_sources(sources)
    judges = _add_judges(parser)
    judges.add_argument("--policy", choices=("base", "head"), help="whose configuration counts (head)")
    _add_gate(parser)
    _add_reports(parser)
    _add_results(parser)
    _add_work(parser)


def _add_publish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="what the run has left: its audit.json is read")
    parser.add_argument(
        "--trust", choices=TRUST, default=TRUST[0], help="audit head again (audit), or repeat what the run says (none)"
    )
    sources = parser.add_argument_group("what is looked at")
    sources.add_argument(
        "--path",
        action="append",
        default=[],
        type=Path,
        dest="paths",
        metavar="PATH",
        help="chart, manifest file or folder below the top of the repository (all)",
    )
    _add_sources(sources)
    _add_judges(parser)
    _add_gate(parser)
    _add_results(parser)
    _add_work(parser)
    parser.set_defaults(root=None, base=None, head=CHECKED_OUT, policy=None, format=[])


def _add_sources(sources: argparse._ArgumentGroup) -> None:
    sources.add_argument("--values", action="append", default=[], metavar="CHART=FILE[,FILE]", help="values of a chart")
    sources.add_argument("--set", action="append", default=[], metavar="CHART=KEY=VALUE", help="one value of a chart")
    sources.add_argument("--kube-version", default=KUBE_VERSION, metavar="X.Y", help=f"target ({KUBE_VERSION})")
    sources.add_argument("--api-versions", action="append", default=[], metavar="API", help="as Helm has it")
    sources.add_argument("--release-name", default="release-name", metavar="NAME", help="of charts (release-name)")
    sources.add_argument("--namespace", default="default", metavar="NAME", help="of charts (default)")
    sources.add_argument("--cache", type=Path, metavar="DIR", help="what deps has fetched, and what is remembered")
    sources.add_argument("--no-cache", action="store_true", help="remember nothing, use nothing remembered")


def _add_judges(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    judges = parser.add_argument_group("who judges, and by what")
    judges.add_argument("--scanners", metavar="LIST", help=f"of {','.join(SCANNERS)} (all)")
    judges.add_argument("--framework", action="append", default=[], metavar="LIST", help="cis, pss-restricted, …")
    judges.add_argument("--config", type=Path, metavar="FILE", help=f"configuration ({CONFIG} at the root)")
    judges.add_argument("--today", type=_day, default=None, metavar="DATE", help="the day on which waivers are judged")
    return judges


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, metavar="DIR", help="write all reports into this folder")
    parser.add_argument("--require-publish", action="store_true", help="what GitHub was not told is exit code 4")
    parser.add_argument("--all-results", action="store_true", help="keep passed results in the audit")


def _add_work(parser: argparse.ArgumentParser) -> None:
    work = parser.add_argument_group("how it works")
    work.add_argument(
        "--jobs", type=_positive(int), default=os.cpu_count() or 2, metavar="N", help="children at a time"
    )
    work.add_argument("--timeout", type=_positive(float), default=600.0, metavar="S", help="seconds for a tool (600)")
    work.add_argument("--timings", type=Path, metavar="FILE", help="write seconds by step, as JSON")
    _add_runner(work)
    _add_console(parser)


def _add_runner(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument("--runner", choices=RUNNERS, default=RUNNERS[0], help="what each child is (process)")
    parser.add_argument("--runner-image", type=_name, metavar="NAME", help="of the containers (that of this product)")


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("base_audit", type=Path, metavar="BASE", help="audit.json of the base")
    parser.add_argument("head_audit", type=Path, metavar="HEAD", help="audit.json of the head")
    _add_gate(parser)
    _add_reports(parser)
    _add_console(parser)


def _add_deps(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="chart, or folder that holds some (.)")
    parser.add_argument("--root", type=Path, metavar="DIR", help="what reported paths are relative to")
    parser.add_argument(
        "--base", type=_name, metavar="REF|DIR", help="the other side of the comparison, fetched for, too"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"configuration ({CONFIG} at the root)")
    parser.add_argument("--policy", choices=("base", "head"), default="head", help="whose configuration counts")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where they are kept (where the tools are)")
    _add_console(parser)


def _add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", type=Path, metavar="DIR", help="the repository (the git work tree around here)")
    parser.add_argument("--dry-run", action="store_true", help="show what would be written, and write nothing")
    _add_console(parser)


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="ID", help="run-as-non-root, KSV-0012, polaris/runAsRootAllowed, T1611, cis-1.12/5.2.6, …"
    )
    _add_format(parser, EXPLAIN_FORMATS)
    _add_console(parser)


def _add_controls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--framework", action="append", default=[], metavar="LIST", help="cis, pss-restricted, …")
    parser.add_argument("--scanner", action="append", default=[], metavar="LIST", help=f"of {','.join(SCANNERS)}")
    parser.add_argument("--severity", action="append", default=[], metavar="LIST", help="critical, high, …")
    parser.add_argument("--category", action="append", default=[], metavar="LIST", help="workload, rbac, …")
    _add_format(parser, CONTROLS_FORMATS)
    _add_console(parser)


def _add_format(parser: argparse.ArgumentParser, formats: tuple[str, ...]) -> None:
    """Of a verb that answers on standard output, once."""
    known = ", ".join(formats)
    parser.add_argument("--format", choices=formats, default="table", metavar="FORMAT", help=f"of {known} (table)")


def _add_gate(parser: argparse.ArgumentParser) -> None:
    gate = parser.add_argument_group("the gate")
    gate.add_argument("--fail-under", type=_points, metavar="N", help="lowest score of head, 0 to 100")
    gate.add_argument("--fail-under-patch", type=_points, metavar="N", help="lowest score of what changed")
    gate.add_argument("--max-drop", type=_points, metavar="N", help="points that head may lie under base")
    gate.add_argument("--fail-on", choices=SEVERITIES, help="any finding of this severity or above blocks")
    gate.add_argument(
        "--fail-on-new", choices=SEVERITIES, help="any new finding of this severity or above blocks (high)"
    )
    gate.add_argument(
        "--allow-incomplete",
        nargs="?",
        const=AllowIncomplete.ALL,
        choices=tuple(each.value for each in AllowIncomplete),
        help="which unscanned items may pass (existing; alone: all)",
    )
    gate.add_argument("--warn-only", action="store_true", help="the verdict as usual, but exit 0 for 1 and 3")


def _add_reports(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="FORMAT[=FILE]",
        help=f"of {', '.join(FORMATS)}; repeat for several (table)",
    )


def _add_console(parser: argparse.ArgumentParser) -> None:
    console = parser.add_argument_group("console")
    console.add_argument("--quiet", action="store_true", help="errors only on standard error")
    console.add_argument("--verbose", action="store_true", help="what is started, and how long it took")
    console.add_argument("--no-color", action="store_true", help="no colours (NO_COLOR does the same)")


def _points(text: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 100")
    return number


def _positive(kind: type[Number]) -> Callable[[str], Number]:
    def number(text: str) -> Number:
        try:
            value = kind(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from error
        if not 0 < value < 10**6:
            raise argparse.ArgumentTypeError(f"{text} is not a positive number")
        return value

    return number


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no day, write YYYY-MM-DD") from error


def _name(text: str) -> str:
    if not text.strip() or re.search(r"[\0\n\r]", text):
        raise argparse.ArgumentTypeError("it names nothing")
    return text
