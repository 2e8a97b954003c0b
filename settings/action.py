"""The inputs of the action, as the runner hands them over, turned into the command line that they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from model.errors import UsageError
from settings.inputs import given, is_true
from settings.publishing import SWITCHES
from settings.values import CHECKED_OUT

LISTS = ("values", "set")
"""Inputs of the action that hold one option a line."""
FLAGS = ("warn-only", "all-results", "require-publish")
SINGLE = (
    "kube-version",
    "scanners",
    "framework",
    "cache",
    "config",
    "fail-under",
    "fail-under-patch",
    "max-drop",
    "fail-on",
    "fail-on-new",
    "allow-incomplete",
    "output",
    "runner",
    "runner-image",
)
OF_SCAN = ("base", "head", "policy")
"""Which the second stage knows from GitHub."""
PUBLISH, TRUST = "publish", "trust"
DEFAULTS: Mapping[str, str] = {"head": CHECKED_OUT}
"""Where the action has another default than the option: files of the work tree may be sparse, or smudged by filters."""
INPUTS = ("paths", "token", "id", PUBLISH, TRUST, *LISTS, *FLAGS, *SWITCHES, *SINGLE, *OF_SCAN)
"""Every input of action.yml."""


def is_action(words: Sequence[str]) -> bool:
    """Whether this is what the container runs."""
    return list(words) == ["action"]


def command_line(environment: Mapping[str, str]) -> Iterator[str]:
    """What the inputs of the action stand for; the token is none of it. Raises UsageError."""
    folder = given(environment, PUBLISH)
    yield PUBLISH if folder else "scan"
    for name in (*SINGLE, TRUST) if folder else (*SINGLE, *OF_SCAN):
        if value := given(environment, name) or DEFAULTS.get(name):
            yield f"--{name}={value}"
    for name in LISTS:
        yield from (f"--{name}={row.strip()}" for row in given(environment, name).splitlines() if row.strip())
    for name in FLAGS:
        if is_true(environment, name, otherwise=False):
            yield f"--{name}"
    paths = _paths(given(environment, "paths"))
    if folder:
        yield from (f"--path={path}" for path in paths)
    yield "--"
    yield from (folder,) if folder else paths


def _paths(text: str) -> Sequence[str]:
    return text.splitlines() if "\n" in text else text.split()


def token(environment: Mapping[str, str], words: Sequence[str]) -> str:
    """The input of that name, on the command line GITHUB_TOKEN; never an option, which other processes could read.

    Raises UsageError.
    """
    text = given(environment, "token") if is_action(words) else environment.get("GITHUB_TOKEN", "")
    if not text.isprintable() or not text.isascii() or " " in text:
        raise UsageError("the input token is no token", "Leave it out: the token of the workflow is its default.")
    return text


def outputs_file(words: Sequence[str], environment: Mapping[str, str]) -> Path | None:
    """The file that takes the outputs of a workflow step; only the action writes any."""
    file = environment.get("GITHUB_OUTPUT")
    return Path(file) if file and is_action(words) else None
