"""The only reader of argv and environment: turns both into Settings, and refuses what makes no sense (exit 2)."""

from __future__ import annotations

from settings.action import INPUTS, outputs_file
from settings.command_line import parser, version
from settings.environment import home
from settings.reading import parse
from settings.values import (
    CHECKED_OUT,
    CONFIG,
    CONTROLS_FORMATS,
    EXPLAIN_FORMATS,
    FORMATS,
    KUBE_VERSION,
    PROGRAM,
    SCANNERS,
    SEVERITIES,
    WORKTREE,
    Common,
    CompareSettings,
    ControlsSettings,
    DepsSettings,
    DockerRunner,
    DoctorSettings,
    ExplainSettings,
    GateOverrides,
    InitSettings,
    Publishing,
    PublishSettings,
    Report,
    ScanSettings,
    Settings,
)

__all__ = (
    "CHECKED_OUT",
    "CONFIG",
    "CONTROLS_FORMATS",
    "EXPLAIN_FORMATS",
    "FORMATS",
    "INPUTS",
    "KUBE_VERSION",
    "PROGRAM",
    "SCANNERS",
    "SEVERITIES",
    "WORKTREE",
    "Common",
    "CompareSettings",
    "ControlsSettings",
    "DepsSettings",
    "DockerRunner",
    "DoctorSettings",
    "ExplainSettings",
    "GateOverrides",
    "InitSettings",
    "PublishSettings",
    "Publishing",
    "Report",
    "ScanSettings",
    "Settings",
    "home",
    "outputs_file",
    "parse",
    "parser",
    "version",
)
