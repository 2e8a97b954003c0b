"""What the action tells GitHub and how it is reached, from its inputs and the variables of the runner."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from settings.environment import CERTIFICATES, first
from settings.inputs import given, is_true
from settings.values import Publishing

SWITCHES: Final = ("comment", "status", "upload-sarif", "annotations", "summary")
"""Inputs that are true unless they are switched off."""
API: Final = "https://api.github.com"
SERVER: Final = "https://github.com"


def publishing(environment: Mapping[str, str]) -> Publishing:
    """The inputs of the action, and where the runner says that GitHub lies. Raises UsageError."""
    api = environment.get("GITHUB_API_URL") or API
    is_on = {name: is_true(environment, name, otherwise=True) for name in SWITCHES}
    summary = environment.get("GITHUB_STEP_SUMMARY")
    return Publishing(
        api=api,
        id=given(environment, "id"),
        comment=is_on["comment"],
        status=is_on["status"],
        upload_sarif=is_on["upload-sarif"],
        annotations=is_on["annotations"],
        summary=Path(summary) if summary and is_on["summary"] else None,
        run_url=_run_url(environment),
        proxy=_proxy(environment, api),
        no_proxy=first(environment, "no_proxy", "NO_PROXY"),
        certificates=first(environment, *CERTIFICATES),
    )


def _run_url(environment: Mapping[str, str]) -> str:
    """Where people find the run; empty outside of one."""
    repository, run = environment.get("GITHUB_REPOSITORY"), environment.get("GITHUB_RUN_ID", "")
    if not repository or not run.isdecimal():
        return ""
    server = (environment.get("GITHUB_SERVER_URL") or SERVER).rstrip("/")
    return f"{server}/{repository}/actions/runs/{run}"


def _proxy(environment: Mapping[str, str], api: str) -> str:
    """For the scheme of the interface; HTTP_PROXY is left alone, as curl does (``settings.environment``)."""
    own = ("https_proxy", "HTTPS_PROXY") if api.lower().startswith("https:") else ("http_proxy",)
    return first(environment, *own, "all_proxy", "ALL_PROXY")
