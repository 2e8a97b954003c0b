"""The only reader of argv and environment: turns both into Settings, and refuses what makes no sense (exit 2)."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from model.control import Severity
from model.errors import UsageError
from model.policy import AllowIncomplete

PROGRAM = "hardening-gate"
KUBE_VERSION = "1.34"
"""The one default for Helm, kube-score, Trivy and schemas."""
SCANNERS = ("native", "polaris", "kube-score", "trivy")
FORMATS = ("table", "json", "markdown", "sarif", "github", "junit", "gitlab", "csv", "comparison")
EXPLAIN_FORMATS = ("table", "json", "markdown")
CONTROLS_FORMATS = ("table", "json", "csv", "markdown")
SEVERITIES = (*(severity.value for severity in Severity), "none")
CONFIG = ".hardening-gate.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOverrides:
    """What the command line says about the gate; None leaves the configuration's word."""

    fail_under: float | None = None
    fail_under_patch: float | None = None
    max_drop: float | None = None
    fail_on: str | None = None
    fail_on_new: str | None = None
    allow_incomplete: AllowIncomplete | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report to write."""

    format: str
    file: Path | None
    """None: standard output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What every verb knows."""

    home: Path
    """Where the tools lie."""
    quiet: bool
    verbose: bool
    colour: bool
    progress: bool
    """Standard error is a terminal that can take a line back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings(Common):
    """``scan``: audit a tree, with a base also the comparison."""

    paths: tuple[Path, ...]
    named: bool
    """Paths were given, not searched for."""
    root: Path | None
    base: Path | None
    scanners: tuple[str, ...] | None
    frameworks: tuple[str, ...]
    values: Mapping[str, tuple[tuple[str, ...], ...]]
    """Values files by chart; each tuple is an environment of its own."""
    sets: Mapping[str, tuple[str, ...]]
    kube_version: str
    api_versions: tuple[str, ...]
    release_name: str
    namespace: str
    config: Path | None
    policy: str
    """``base`` or ``head``."""
    cache: Path | None
    """Where ``deps`` keeps charts; None for the home."""
    gate: GateOverrides
    warn_only: bool
    reports: tuple[Report, ...]
    output: Path | None
    all_results: bool
    today: dt.date
    timings: Path | None
    outputs: Path | None
    """The file that takes the outputs of a workflow step; only for the action."""
    jobs: int
    timeout: float
    """Seconds for one start of a tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareSettings(Common):
    """``compare``: two stored audits."""

    base: Path
    head: Path
    gate: GateOverrides
    warn_only: bool
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepsSettings(Common):
    """``deps``: fetch the chart dependencies that lock files pin."""

    paths: tuple[Path, ...]
    root: Path | None
    base: Path | None
    """A folder."""
    config: Path | None
    policy: str
    """``base`` or ``head``."""
    cache: Path | None
    proxy: str
    """URL; empty for none."""
    no_proxy: str
    certificates: str
    """File or folder of trusted certificates; empty for the usual ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorSettings(Common):
    """``doctor``: what works, what does not, what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainSettings(Common):
    """``explain``: what an id means."""

    id: str
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlsSettings(Common):
    """``controls``: the catalogue; an empty filter lets everything pass."""

    frameworks: tuple[str, ...]
    scanners: tuple[str, ...]
    severities: tuple[str, ...]
    categories: tuple[str, ...]
    format: str


Number = TypeVar("Number", int, float)

Settings = ScanSettings | CompareSettings | DepsSettings | DoctorSettings | ExplainSettings | ControlsSettings


class _Parser(argparse.ArgumentParser):
    """Raises instead of leaving, so that every error looks the same."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"See `{self.prog} --help`.")


def parse(argv: Sequence[str], environment: Mapping[str, str], *, terminals: tuple[bool, bool]) -> Settings:
    """The settings. ``terminals``: whether standard output and standard error are terminals.

    Raises UsageError; leaves by SystemExit(0) after ``--help`` and ``--version``.
    """
    is_action = list(argv) == ["action"]
    options = _parser().parse_args([*_action(environment)] if is_action else list(argv))
    common = _common(options, environment, terminals)
    match options.verb:
        case "scan":
            return _scan(options, common, outputs_file(argv, environment))
        case "compare":
            return CompareSettings(
                **common,
                base=options.base_audit,
                head=options.head_audit,
                gate=_gate(options),
                warn_only=options.warn_only,
                reports=_reports(options.format),
            )
        case "deps":
            return _deps(options, common, environment)
        case "explain":
            return ExplainSettings(**common, id=options.id, format=options.format)
        case "controls":
            return _controls(options, common)
        case _:
            return DoctorSettings(**common)


def version() -> str:
    """The product's version, as ``pyproject.toml`` states it."""
    text = Path(__file__).with_name("pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "([^"]+)"$', text, re.MULTILINE)
    assert found is not None, "pyproject.toml states the version"
    return found[1]


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        description="Tells what a change does to the security of Kubernetes manifests, and gates the merge.",
        epilog="Exit codes: 0 passes, 1 blocked, 2 usage, 3 incomplete, 4 broken environment. docs/usage.md has more.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {version()}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)
    _add_scan(verbs.add_parser("scan", help="audit a tree; with --base also the comparison", allow_abbrev=False))
    _add_compare(verbs.add_parser("compare", help="two audit.json files: the comparison", allow_abbrev=False))
    _add_explain(verbs.add_parser("explain", help="a control or any scanner's rule: why, how", allow_abbrev=False))
    _add_controls(verbs.add_parser("controls", help="the catalogue of controls, filterable", allow_abbrev=False))
    _add_deps(verbs.add_parser("deps", help="fetches the chart dependencies that locks pin", allow_abbrev=False))
    doctor = verbs.add_parser("doctor", help="what works here, what does not, what to do", allow_abbrev=False)
    _add_console(doctor)
    verbs.add_parser("action", help="what the container runs: scan, options from the environment")
    return parser


def _add_scan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="chart, manifest file or folder (.)")
    sources = parser.add_argument_group("what is looked at")
    sources.add_argument("--root", type=Path, metavar="DIR", help="what reported paths are relative to")
    sources.add_argument("--base", type=Path, metavar="DIR|AUDIT.json", help="the other side of the comparison")
    sources.add_argument("--values", action="append", default=[], metavar="CHART=FILE[,FILE]", help="values of a chart")
    sources.add_argument("--set", action="append", default=[], metavar="CHART=KEY=VALUE", help="one value of a chart")
    sources.add_argument("--kube-version", default=KUBE_VERSION, metavar="X.Y", help=f"target ({KUBE_VERSION})")
    sources.add_argument("--api-versions", action="append", default=[], metavar="API", help="as Helm has it")
    sources.add_argument("--release-name", default="release-name", metavar="NAME", help="of charts (release-name)")
    sources.add_argument("--namespace", default="default", metavar="NAME", help="of charts (default)")
    sources.add_argument("--cache", type=Path, metavar="DIR", help="where deps has put fetched charts (its default)")
    judges = parser.add_argument_group("who judges, and by what")
    judges.add_argument("--scanners", metavar="LIST", help=f"of {','.join(SCANNERS)} (all)")
    judges.add_argument("--framework", action="append", default=[], metavar="LIST", help="cis, pss-restricted, …")
    judges.add_argument("--config", type=Path, metavar="FILE", help=f"configuration ({CONFIG} at the root)")
    judges.add_argument("--policy", choices=("base", "head"), default="head", help="whose configuration counts")
    judges.add_argument("--today", type=_day, default=None, metavar="DATE", help="the day on which waivers are judged")
    _add_gate(parser)
    _add_reports(parser)
    parser.add_argument("--output", type=Path, metavar="DIR", help="write all reports into this folder")
    parser.add_argument("--all-results", action="store_true", help="keep passed results in the audit")
    work = parser.add_argument_group("how it works")
    work.add_argument(
        "--jobs", type=_positive(int), default=os.cpu_count() or 2, metavar="N", help="children at a time"
    )
    work.add_argument("--timeout", type=_positive(float), default=600.0, metavar="S", help="seconds for a tool (600)")
    work.add_argument("--timings", type=Path, metavar="FILE", help="write seconds by step, as JSON")
    _add_console(parser)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("base_audit", type=Path, metavar="BASE", help="audit.json of the base")
    parser.add_argument("head_audit", type=Path, metavar="HEAD", help="audit.json of the head")
    _add_gate(parser)
    _add_reports(parser)
    _add_console(parser)


def _add_deps(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="chart, or folder that holds some (.)")
    parser.add_argument("--root", type=Path, metavar="DIR", help="what reported paths are relative to")
    parser.add_argument("--base", type=Path, metavar="DIR", help="the other side of the comparison, fetched for, too")
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"configuration ({CONFIG} at the root)")
    parser.add_argument("--policy", choices=("base", "head"), default="head", help="whose configuration counts")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where they are kept (where the tools are)")
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


def _common(
    options: argparse.Namespace, environment: Mapping[str, str], terminals: tuple[bool, bool]
) -> dict[str, Any]:
    out, err = terminals
    plain = options.no_color or bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"
    return {
        "home": _home(environment),
        "quiet": options.quiet,
        "verbose": options.verbose,
        "colour": out and not plain,
        "progress": err and not options.quiet and environment.get("TERM") != "dumb",
    }


def _home(environment: Mapping[str, str]) -> Path:
    """Empty variables count as unset, as the XDG base directory specification says."""
    own = environment.get("HARDENING_GATE_HOME")
    if own:
        return Path(own).absolute()
    cache = environment.get("XDG_CACHE_HOME")
    home = environment.get("HOME") or str(Path("~").expanduser())
    return (Path(cache) if cache else Path(home, ".cache")) / PROGRAM


def _scan(options: argparse.Namespace, common: dict[str, Any], outputs: Path | None) -> ScanSettings:
    return ScanSettings(
        **common,
        paths=tuple(options.paths) or (Path(),),
        named=bool(options.paths),
        root=options.root,
        base=options.base,
        scanners=None if options.scanners is None else _scanners(options.scanners),
        frameworks=_words(options.framework),
        values=_environments(options.values),
        sets=_by_chart(options.set, "--set", "CHART=KEY=VALUE"),
        kube_version=_kube_version(options.kube_version),
        api_versions=_words(options.api_versions),
        release_name=options.release_name,
        namespace=options.namespace,
        config=options.config,
        policy=options.policy,
        cache=options.cache,
        gate=_gate(options),
        warn_only=options.warn_only,
        reports=_reports(options.format),
        output=options.output,
        all_results=options.all_results,
        today=options.today or dt.datetime.now(tz=dt.UTC).date(),
        timings=options.timings,
        outputs=outputs,
        jobs=options.jobs,
        timeout=options.timeout,
    )


def _deps(options: argparse.Namespace, common: dict[str, Any], environment: Mapping[str, str]) -> DepsSettings:
    """Proxy and certificates as curl, requests and Git have them."""

    def first(*names: str) -> str:
        return next((value for name in names if (value := environment.get(name, ""))), "")

    return DepsSettings(
        **common,
        paths=tuple(options.paths) or (Path(),),
        root=options.root,
        base=options.base,
        config=options.config,
        policy=options.policy,
        cache=options.cache,
        proxy=first("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
        no_proxy=first("no_proxy", "NO_PROXY"),
        certificates=first("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"),
    )


def _controls(options: argparse.Namespace, common: dict[str, Any]) -> ControlsSettings:
    return ControlsSettings(
        **common,
        frameworks=_words(options.framework),
        scanners=_words(options.scanner),
        severities=_words(options.severity),
        categories=_words(options.category),
        format=options.format,
    )


def _gate(options: argparse.Namespace) -> GateOverrides:
    allowed = options.allow_incomplete
    return GateOverrides(
        fail_under=options.fail_under,
        fail_under_patch=options.fail_under_patch,
        max_drop=options.max_drop,
        fail_on=options.fail_on,
        fail_on_new=options.fail_on_new,
        allow_incomplete=None if allowed is None else AllowIncomplete(allowed),
    )


def _reports(formats: Sequence[str]) -> tuple[Report, ...]:
    reports = []
    for word in formats:
        name, equals, file = word.partition("=")
        if name not in FORMATS or (equals and not file):
            raise UsageError(
                f"--format {word}: unknown format", f"Known: {', '.join(FORMATS)}, each with =FILE or without."
            )
        reports.append(Report(format=name, file=Path(file) if file else None))
    if sum(report.file is None for report in reports) > 1:
        raise UsageError(
            "more than one report for standard output", "Send all but one of them to a file: --format FORMAT=FILE."
        )
    return tuple(reports)


def _scanners(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(_words([text])))
    for name in names:
        if name not in SCANNERS:
            raise UsageError(f"there is no scanner {name!r}", f"Known: {', '.join(SCANNERS)}.")
    if not names:
        raise UsageError("--scanners names none", f"Known: {', '.join(SCANNERS)}.")
    return tuple(name for name in SCANNERS if name in names)


def _words(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(word.strip() for text in texts for word in text.split(",") if word.strip())


def _by_chart(texts: Sequence[str], option: str, form: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        chart, equals, rest = text.partition("=")
        if not (chart and equals and rest):
            raise UsageError(f"{option} {text}: names no chart", f"Write it as {option} {form}.")
        found[chart] = (*found.get(chart, ()), rest)
    return found


def _environments(texts: Sequence[str]) -> dict[str, tuple[tuple[str, ...], ...]]:
    form = "CHART=FILE[,FILE]"
    return {
        chart: tuple(_words([files]) for files in rows) for chart, rows in _by_chart(texts, "--values", form).items()
    }


def _kube_version(text: str) -> str:
    found = re.fullmatch(r"v?(\d{1,3}\.\d{1,3})(?:\.\d{1,3})?", text)
    if not found:
        raise UsageError(f"--kube-version {text}: no version of Kubernetes", f"Write it as {KUBE_VERSION}.")
    return found[1]


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


LISTS = ("values", "set")
"""Inputs of the action that hold one option a line."""
FLAGS = ("warn-only", "all-results")
SINGLE = (
    "base",
    "kube-version",
    "scanners",
    "framework",
    "config",
    "policy",
    "fail-under",
    "fail-under-patch",
    "max-drop",
    "fail-on",
    "fail-on-new",
    "allow-incomplete",
    "output",
)
INPUTS = ("paths", *LISTS, *FLAGS, *SINGLE)
"""Every input of action.yml. The runner hands them over as ``INPUT_NAME`` with the hyphens kept."""


def _action(environment: Mapping[str, str]) -> Iterator[str]:
    """The command line that the inputs of the action stand for."""
    yield "scan"
    for name in SINGLE:
        if value := _input(environment, name):
            yield f"--{name}={value}"
    for name in LISTS:
        yield from (f"--{name}={row.strip()}" for row in _input(environment, name).splitlines() if row.strip())
    for name in FLAGS:
        value = _input(environment, name).lower()
        if value not in {"", "true", "false"}:
            raise UsageError(f"the input {name} is {value!r}", "Write true or false.")
        if value == "true":
            yield f"--{name}"
    yield "--"
    paths = _input(environment, "paths")
    yield from paths.splitlines() if "\n" in paths else paths.split()


def _input(environment: Mapping[str, str], name: str) -> str:
    return environment.get(f"INPUT_{name.upper()}", "").strip()


def outputs_file(words: Sequence[str], environment: Mapping[str, str]) -> Path | None:
    """The file that takes the outputs of a workflow step; only the action writes any."""
    file = environment.get("GITHUB_OUTPUT")
    return Path(file) if file and list(words) == ["action"] else None
