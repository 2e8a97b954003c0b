"""What GitHub's runner sets for a step, with the payloads of this folder; shortened from its documented examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).with_name("fixtures")
BASE, HEAD, TIP, GROUP, OLD, MERGE = ("a" * 40, "b" * 40, "c" * 40, "d" * 40, "e" * 40, "f" * 40)
"""The commits of the fixtures: tip of base, head of the pull request, what was pushed, the merge group, what was forced
away; the merge of the pull request stands in GITHUB_SHA only."""
COMMITS = {
    "pull_request": (MERGE, "refs/pull/7/merge"),
    "pull_request_review": (MERGE, "refs/pull/8/merge"),
    "pull_request_target": (BASE, "refs/heads/main"),
    "merge_group": (GROUP, f"refs/heads/gh-readonly-queue/main/pr-7-{BASE}"),
    "push": (TIP, "refs/heads/main"),
    "schedule": (BASE, "refs/heads/main"),
    "workflow_dispatch": (TIP, "refs/heads/feature"),
    "release": (TIP, "refs/tags/v1.2.0"),
    "workflow_run": (BASE, "refs/heads/main"),
    "issue_comment": (BASE, "refs/heads/main"),
}
"""GITHUB_SHA and GITHUB_REF by event."""


def event_of(fixture: str) -> str:
    return fixture if fixture in COMMITS else next(name for name in sorted(COMMITS) if fixture.startswith(f"{name}_"))


def payload(fixture: str) -> Any:
    return json.loads((FIXTURES / f"{fixture}.json").read_text(encoding="utf-8"))


def variables(fixture: str, **others: str) -> dict[str, str]:
    """The variables of a step that this event has started."""
    event = event_of(fixture)
    sha, ref = COMMITS[event]
    if fixture in {"pull_request_fork", "pull_request_deleted_fork"}:
        ref = "refs/pull/8/merge"
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": event,
        "GITHUB_EVENT_PATH": str(FIXTURES / f"{fixture}.json"),
        "GITHUB_REPOSITORY": "our-org/shop",
        "GITHUB_SERVER_URL": "https://github.test",
        "GITHUB_SHA": sha,
        "GITHUB_REF": ref,
        "GITHUB_ACTOR": "alice",
        **others,
    }
