"""Settings as values: what each verb is told, and the words that options may take."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from model.control import Severity
from model.occasion import Occasion
from model.policy import AllowIncomplete

PROGRAM = "hardening-gate"
KUBE_VERSION = "1.34"
"""The one default for Helm, kube-score, Trivy and schemas."""
SCANNERS = ("native", "polaris", "kube-score", "trivy")
FORMATS = ("table", "json", "markdown", "sarif", "github", "junit", "gitlab", "csv", "comparison")
EXPLAIN_FORMATS = ("table", "json", "markdown")
CONTROLS_FORMATS = ("table", "json", "csv", "markdown")
TRUST = ("audit", "none")
SEVERITIES = (*(severity.value for severity in Severity), "none")
CONFIG = ".hardening-gate.yaml"
RUNNERS = ("process", "docker")
"""What children are: processes of this machine, or containers."""
WORKTREE = "worktree"
"""Head as the files lie there."""
CHECKED_OUT = "HEAD"
"""Head as git has it."""


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
class Publishing:
    """What is told to GitHub, and how it is reached."""

    api: str
    """Base of its REST interface, as the runner names it."""
    id: str
    """Keeps comment, status and code scanning of several jobs apart; empty for the only one."""
    comment: bool
    status: bool
    upload_sarif: bool
    annotations: bool
    summary: Path | None
    """The file that takes the summary of the job; None where it is switched off, or there is none."""
    run_url: str
    """Where people find this run; empty where nobody knows."""
    proxy: str = field(repr=False)
    """URL; empty for none. It may hold a password."""
    no_proxy: str
    certificates: str
    """File or folder of trusted certificates; empty for the usual ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerRunner:
    """Every child is a container."""

    host: str
    """Of the Docker daemon, as DOCKER_HOST has it."""
    image: str
    """Empty for that of this very product."""
    spare: tuple[Path, ...]
    """Where the private folder may lie if we are in a container and the usual place is there only."""


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
    base: str | None
    """A git revision, a folder or a stored audit, as it was written."""
    head: str
    """A git revision, or ``worktree`` for the files as they lie there."""
    from_event: bool
    """The action: where nothing names them, the event decides about base and policy."""
    occasion: Occasion | None
    """What started the workflow; None outside of one."""
    token: str = field(repr=False)
    """For the server of ``occasion`` and nobody else; empty for none."""
    network: Mapping[str, str] = field(repr=False)
    """The variables by which git finds proxies and certificates; an address may hold a password."""
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
    policy: str | None
    """``base`` or ``head``; None: the event decides, or the kind of base."""
    cache: Path | None
    """Where charts of ``deps`` lie, and what is remembered; None for the home."""
    use_cache: bool
    """Whether anything of an earlier run is used, or kept for a later one."""
    gate: GateOverrides
    warn_only: bool
    reports: tuple[Report, ...]
    output: Path | None
    all_results: bool
    today: dt.date
    timings: Path | None
    publishing: Publishing | None
    """None where nothing is told to GitHub."""
    require_publish: bool
    """Whether what could not be told is exit code 4 in place of 0."""
    outputs: Path | None
    """The file that takes the outputs of a workflow step; only for the action."""
    runner: DockerRunner | None
    """None: children are processes."""
    jobs: int
    timeout: float
    """Seconds for one start of a tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishSettings(Common):
    """``publish``: the second stage, which tells GitHub about the pull request of a run that might not."""

    folder: Path
    """What that run has left behind."""
    trust: str
    """``audit``: head is audited again; ``none``: the word of the run is repeated as such."""
    scan: ScanSettings
    """How head is audited again; its paths are below the top of the repository."""


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
    base: str | None
    """A git revision, or a folder, as it was written."""
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

    runner: DockerRunner | None
    """None: children are processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitSettings(Common):
    """``init``: look at a repository, and write the workflow and the configuration."""

    root: Path | None
    """None: the git work tree around the current folder, else that folder."""
    dry_run: bool
    """Show what would be written, and write nothing."""


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


Settings: TypeAlias = (
    ScanSettings
    | PublishSettings
    | CompareSettings
    | DepsSettings
    | DoctorSettings
    | InitSettings
    | ExplainSettings
    | ControlsSettings
)
