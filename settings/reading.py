"""From the words of the command line and the environment to Settings; refuses what makes no sense (exit code 2)."""

from __future__ import annotations

import argparse
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from github import event
from github.plan import admit
from model.errors import UsageError
from model.occasion import Occasion
from model.policy import AllowIncomplete
from settings.action import command_line, is_action, outputs_file, token
from settings.command_line import parser
from settings.environment import CERTIFICATES, docker_runner, first, home, is_dumb, is_plain, network
from settings.publishing import publishing
from settings.values import (
    FORMATS,
    KUBE_VERSION,
    SCANNERS,
    CompareSettings,
    ControlsSettings,
    DepsSettings,
    DockerRunner,
    DoctorSettings,
    ExplainSettings,
    GateOverrides,
    InitSettings,
    PublishSettings,
    Report,
    ScanSettings,
    Settings,
)


def parse(  # noqa: PLR0911 one for each verb
    argv: Sequence[str], environment: Mapping[str, str], *, terminals: tuple[bool, bool]
) -> Settings:
    """The settings. ``terminals``: whether standard output and standard error are terminals.

    Raises UsageError, for an event of GitHub that is refused, too; leaves by SystemExit(0) after ``--help`` and
    ``--version``.
    """
    options = parser().parse_args([*command_line(environment)] if is_action(argv) else list(argv))
    common = _common(options, environment, terminals)
    match options.verb:
        case "scan":
            return _scan(options, common, argv, environment)
        case "publish":
            return PublishSettings(
                **common,
                folder=options.folder,
                trust=options.trust,
                scan=_scan(options, common, argv, environment),
            )
        case "compare":
            return _compare(options, common)
        case "deps":
            return _deps(options, common, environment)
        case "explain":
            return ExplainSettings(**common, id=options.id, format=options.format)
        case "controls":
            return _controls(options, common)
        case "init":
            return InitSettings(**common, root=options.root, dry_run=options.dry_run)
        case _:
            return DoctorSettings(**common, runner=_runner(options, environment))


def _common(
    options: argparse.Namespace, environment: Mapping[str, str], terminals: tuple[bool, bool]
) -> dict[str, Any]:
    out, err = terminals
    return {
        "home": home(environment),
        "quiet": options.quiet,
        "verbose": options.verbose,
        "colour": out and not (options.no_color or is_plain(environment)),
        "progress": err and not options.quiet and not is_dumb(environment),
    }


def _scan(
    options: argparse.Namespace, common: dict[str, Any], argv: Sequence[str], environment: Mapping[str, str]
) -> ScanSettings:
    from_event = is_action(argv) or options.verb == "publish"
    return ScanSettings(
        **common,
        paths=tuple(options.paths) or (Path(),),
        named=bool(options.paths),
        root=options.root,
        base=options.base,
        head=options.head,
        from_event=from_event,
        occasion=_occasion(environment),
        token=token(environment, argv) if from_event else "",
        network=network(environment),
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
        use_cache=not options.no_cache,
        gate=_gate(options),
        warn_only=options.warn_only,
        reports=_reports(options.format),
        output=options.output,
        all_results=options.all_results,
        today=options.today or dt.datetime.now(tz=dt.UTC).date(),
        timings=options.timings,
        publishing=publishing(environment) if from_event else None,
        require_publish=options.require_publish,
        outputs=outputs_file(argv, environment),
        runner=_runner(options, environment),
        jobs=options.jobs,
        timeout=options.timeout,
    )


def _runner(options: argparse.Namespace, environment: Mapping[str, str]) -> DockerRunner | None:
    if options.runner == "docker":
        return docker_runner(environment, options.runner_image or "")
    if options.runner_image:
        raise UsageError("--runner-image without --runner docker", "Add --runner docker, or leave the image out.")
    return None


def _occasion(environment: Mapping[str, str]) -> Occasion | None:
    """What started the workflow, if it is one under which a tree may be scanned at all. Raises UsageError."""
    occasion = event.read(environment)
    if occasion is not None:
        admit(occasion)
    return occasion


def _compare(options: argparse.Namespace, common: dict[str, Any]) -> CompareSettings:
    return CompareSettings(
        **common,
        base=options.base_audit,
        head=options.head_audit,
        gate=_gate(options),
        warn_only=options.warn_only,
        reports=_reports(options.format),
    )


def _deps(options: argparse.Namespace, common: dict[str, Any], environment: Mapping[str, str]) -> DepsSettings:
    """Proxy and certificates as curl, requests and Git have them."""
    return DepsSettings(
        **common,
        paths=tuple(options.paths) or (Path(),),
        root=options.root,
        base=options.base,
        config=options.config,
        policy=options.policy,
        cache=options.cache,
        proxy=first(environment, "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
        no_proxy=first(environment, "no_proxy", "NO_PROXY"),
        certificates=first(environment, *CERTIFICATES),
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
